"""Bad input: one clear line, exit status 4, nothing sent."""

import pytest

SWEEP = "def test_it(hdp_probe): hdp_probe.check()"
USAGE_ERROR = 4


def refused(project, *arguments: str) -> str:
    """Run, see it refused in one line, and return the line."""
    result = project.run(*arguments)
    assert result.ret == USAGE_ERROR, result.stdout.str() + result.stderr.str()
    lines = [line for line in result.stderr.lines if line.strip()]
    assert len(lines) == 1, lines
    assert not result.stdout.str().strip() or "hdp:" not in result.stdout.str()
    return lines[0]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--hdp-source=netns=one\n netns=one", "name another host"),
        ("--hdp-source=netns=one\nnetns=two\nnetns=three", "3 sources"),
        ("--hdp-protocols=300-", "300-"),
        ("--hdp-protocols=banana", "banana"),
        ("--hdp-protocols=", "empty"),
        ("--hdp-protocols=9-3", "9-3"),
        ("--hdp-count=-1", "'-1'"),
        ("--hdp-count=0", "'0'"),
        ("--hdp-count=many", "many"),
        ("--hdp-rate=0", "'0'"),
        ("--hdp-rate=nan", "nan"),
        ("--hdp-timeout=soon", "soon"),
        ("--hdp-form=round", "bare, wellformed, both"),
        ("--hdp-encoding=rot13", "plain, base64, base128"),
        ("--hdp-seed=x", "'x'"),
        ("--hdp-buffer=0", "'0'"),
        ("--hdp-expect=solaris-loopback", "linux-loopback"),
        ("--hdp-report=/proc/nowhere", "/proc/nowhere"),
        ("--hdp-report=", "names no folder"),
        ("--hdp-record=/no/such/folder/x.toml", "/no/such/folder/x.toml"),
    ],
)
def test_option_that_cannot_be_used(project, option, said):
    project.write(test_mine=SWEEP)
    line = refused(project, option)
    assert said in line
    assert option.split("=")[0] in line


def test_environment_names_itself(project, monkeypatch):
    project.write(test_mine=SWEEP)
    monkeypatch.setenv("HDP_PROTOCOLS", "banana")
    assert "HDP_PROTOCOLS" in refused(project)


def test_ini_names_itself(project):
    project.write(test_mine=SWEEP)
    project.pytester.makeini("[pytest]\nhdp_count = none\n")
    assert "hdp_count" in refused(project)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("not toml", 1, ""),
        ("[profile]\nname='x'\n\n[[expect]]\nprotocols='1-'\nverdict='lost'\n", 5, "1-"),
        ("[profile]\nname='x'\n\n[[expect]]\nprotocols='1'\nverdict='eaten'\n", 6, "eaten"),
    ],
)
def test_profile_that_does_not_parse_names_file_and_line(project, text, line, said):
    project.write(test_mine=SWEEP)
    profile = project.pytester.makefile(".toml", mine=text)
    told = refused(project, f"--hdp-expect={profile}")
    assert f"{profile}:{line}:" in told
    assert said in told


def test_profile_in_another_encoding(project):
    project.write(test_mine=SWEEP)
    profile = project.pytester.path / "mine.toml"
    profile.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(project, f"--hdp-expect={profile}")
