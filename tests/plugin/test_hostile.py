"""Files, names and variables that mean harm or make no sense: one clear line, and nothing that a terminal obeys."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

SWEEP = "import pytest\n\n@pytest.mark.hdp(default='253')\ndef test_it(hdp_probe): hdp_probe.check()\n"
USAGE_ERROR = 4
SHORT = 2200  # characters of a line at most, whatever was in the file
HEAD = "[profile]\nname='x'\n"
EXPECT = f"{HEAD}[[expect]]\n"
LOST = "verdict='lost'\n"
HOSTILE_NAME = '"\\u001b[2J\\u0007 \\u202e\\nERROR: all is well"'
SHOWN_NAME = r"\x1b[2J\x07 \u202e\nERROR: all is well"
ROUTER = '[[box]]\nkind = "router"\n'


def shown(result: pytest.RunResult) -> str:
    """All that was printed, which a terminal must not obey and a reader be able to read."""
    printed = result.stdout.str() + result.stderr.str()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", printed), ascii(printed)
    return printed


def refused(project, *arguments: str) -> str:
    """Run, see it refused in one short line before anything is collected, and return the line."""
    own = (*project.loaded, "-pno:cacheprovider", "-pno:hypothesispytest", "--color=no")
    result = project.pytester.runpytest_inprocess(*own, *arguments)  # five times as fast as a process of its own
    assert result.ret == USAGE_ERROR, shown(result)[-2000:]
    (line,) = [line for line in shown(result).splitlines() if line.strip()]
    assert len(line) < SHORT
    return line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(HEAD + "\0", 3, id="nul"),
        pytest.param(HEAD + "# \x1b[2J", 3, id="escape"),
        pytest.param(HEAD + '"\\u001b[2J" = 1\n', 1, id="escape in a key"),
        pytest.param(EXPECT + "protocols='1'\nverdict=\"\\u001b[2J\"\n", 5, id="escape in a verdict"),
        pytest.param(EXPECT + 'protocols="\\u001b[2J"\n' + LOST, 4, id="escape in protocols"),
        pytest.param(HEAD + "x = " + "[" * 5000 + "]" * 5000, 1, id="deep arrays"),
        pytest.param("[" + ".".join(["a"] * 5000) + "]", 1, id="deep tables"),
        pytest.param(EXPECT + "protocols=[" + "9" * 5000 + "]\n" + LOST, 4, id="huge integer"),
        pytest.param(EXPECT + "protocols=[" + "9" * 50 + "]\n" + LOST, 4, id="large integer"),
        pytest.param(EXPECT + "protocols='" + "9" * 5000 + "'\n" + LOST, 4, id="huge number in a text"),
        pytest.param(EXPECT + "protocols='1'\nwire_protocol=" + "9" * 4000 + "\n" + LOST, 5, id="huge wire protocol"),
        pytest.param(EXPECT + "protocols=[1.5]\n" + LOST, 4, id="fraction"),
        pytest.param(HEAD + "x" * 100_000 + " = 1\n", 3, id="an endless key"),
        pytest.param(EXPECT + "protocols='1'\nverdict='" + "z" * 1_000_000 + "'\n", 5, id="a verdict of a megabyte"),
        pytest.param("[[profile]]\nname='x'\n", 1, id="two brackets"),
        pytest.param(HEAD + HEAD, 3, id="twice"),
        pytest.param("", 1, id="empty"),
    ],
)
def test_profile(project, text, line):
    project.write(test_mine=SWEEP)
    profile = project.pytester.path / "mine.toml"
    profile.write_text(text)
    assert f"{profile}:{line}: " in refused(project, f"--hdp-expect={profile}")


def test_profile_of_many_tables_is_read_in_time_that_grows_no_faster_than_they_do(project):
    from pytest_hdp.judge.expectations.assess import ProfileError, load_profile

    def seconds(tables: int) -> float:
        text = HEAD + "".join(f"[[expect]]\nprotocols='{number}'\n{LOST}" for number in range(tables))
        began = time.process_time()
        with pytest.raises(ProfileError, match="it takes"):
            load_profile(text + "[[expect]]\nunknown=1\n", "x")
        return time.process_time() - began

    assert seconds(8000) < 20 * seconds(1000)


def test_names_in_profiles_are_shown_and_not_obeyed(project):
    project.write(test_mine=SWEEP)
    text = f"[profile]\nname={HOSTILE_NAME}\n[[expect]]\nprotocols='256'\nverdict='renumbered'\nreason={HOSTILE_NAME}\n"
    profile = project.pytester.makefile(".toml", mine=text)
    result = project.run("--color=no", f"--hdp-expect={profile}", "--hdp-protocols=256", "-rx", "-v")
    assert result.ret == 0
    assert f"expecting {SHOWN_NAME}" in shown(result)
    assert f"- {SHOWN_NAME}" in shown(result)


@pytest.mark.needs("ip", "nft")
def test_names_in_labs_are_shown_and_not_obeyed(project):
    project.write(test_mine=SWEEP)
    project.pytester.makefile(".toml", mine=f"[lab]\nname={HOSTILE_NAME}\n{ROUTER}")
    result = project.run("--color=no", "--hdp-lab=mine.toml", "-v", "-rs")
    assert result.ret == 0
    assert f"({SHOWN_NAME})" in shown(result)
    if "1 passed" in shown(result):  # else it may not make namespaces
        assert f"lab {SHOWN_NAME}, " in shown(result)


def test_names_in_labs_that_cannot_be_built_are_not_obeyed_either(project):
    project.write(test_mine=SWEEP)
    broken = '[[box]]\nkind="nftables"\nrules="no \\u001b[2J such rule"\n'
    project.pytester.makefile(".toml", mine=f"[lab]\nname={HOSTILE_NAME}\n{broken}")
    result = project.run("--color=no", "--hdp-lab=mine.toml", "-v", "-rs")
    assert f"lab {SHOWN_NAME} needs " in shown(result)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("x = " + "[" * 5000 + "]" * 5000, "nested too deeply", id="deep"),
        pytest.param("x = " + "9" * 5000, "too many digits", id="huge integer"),
        pytest.param(f'[[box]]\nkind="{"k" * 1_000_000}"', "kind 'kkk", id="a kind of a megabyte"),
        pytest.param('[[box]]\nkind="loss"\nprobability=nan\n', "nan", id="not a number"),
        pytest.param('[[box]]\nkind="delay"\nus=inf\n', "inf", id="infinite"),
        pytest.param(
            '[[box]]\nkind="nftables"\nsysctls={"ipv4/../../kernel/hostname"="x"}\n', "/proc/sys/net", id="up"
        ),
        pytest.param('[[box]]\nkind="nftables"\nrules_file="a\\u0000b"\n', r"a\x00b", id="nul in a name"),
        pytest.param(ROUTER * 300, "at most", id="300 routers"),
    ],
)
def test_lab_file(project, text, said):
    project.write(test_mine=SWEEP)
    project.pytester.makefile(".toml", mine=text)
    line = refused(project, "--hdp-lab=mine.toml")
    assert "--hdp-lab" in line
    assert re.search(r"lab mine\.toml:(\d+:)? ", line)
    assert said in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HDP_LAB", "\x1b[2J"),
        ("HDP_LAB", "\x1b[2J.toml"),
        ("HDP_LAB", "\x1b[2J:x"),
        ("HDP_EXPECT", "\x1b[2J"),
        ("HDP_REPORT", "/proc/\x1b[2J"),
        ("HDP_RECORD", "/proc/\x1b[2J/x"),
        ("HDP_PROTOCOLS", "\x1b[2J"),
        ("HDP_PROTOCOLS", "1," * 30_000 + "x" * 10_000),
        ("HDP_COUNT", "9" * 5000),
        ("HDP_SEED", "-1"),
        ("HDP_TIMEOUT", "1e999"),
        ("HDP_RATE", "-0.0"),
        ("HDP_FORM", "\x1b[2J"),
        ("HDP_ENCODING", "\x1b[2J"),
        ("HDP_AGENT", "ssh=\x1b[2J"),
        ("HDP_TARGET", "127.1"),
        ("HDP_TARGET", "\x1b[2J"),
        ("HDP_LOCATE", "\x1b[2J"),
        ("HDP_BUFFER", "1e3"),
    ],
)
def test_environment(project, monkeypatch, variable, value):
    project.write(test_mine=SWEEP)
    monkeypatch.setenv(variable, value)
    assert refused(project).startswith(f"ERROR: {variable}: ")


def test_with_runxfail_what_is_expected_to_fail_fails(project):
    project.write(test_mine="def test_it(hdp_probe): hdp_probe.check()")
    result = project.run("--runxfail", "-k", "p000", "--hdp-report=report")
    result.assert_outcomes(failed=1, deselected=255)
    assert "Traceback" not in shown(result)
    assert '"outcome": "failed"' in (project.pytester.path / "report" / "results.jsonl").read_text()


def test_marker_of_a_module_leaves_its_other_tests_alone(project):
    project.write(
        test_mine="""
        import pytest

        pytestmark = pytest.mark.hdp(protocols="47,50")

        class TestThese:
            def test_numbers(self, hdp_probe): hdp_probe.check()

            @pytest.mark.hdp(protocols="253")
            @pytest.mark.parametrize("size", [1, 2])
            def test_closer_marker(self, hdp_protocol, size): assert hdp_protocol == 253

        @pytest.mark.hdp(form="both")
        @pytest.mark.hdp(protocols="17")
        def test_two_markers(hdp_probe): hdp_probe.check()

        def test_path(hdp_path): assert hdp_path.probe(47).verdict == "delivered"
        def test_of_something_else(): pass
        """
    )
    project.run().assert_outcomes(passed=8)


def test_unittest_may_use_the_path_and_hears_why_not_the_probe(project):
    project.write(
        test_mine="""
        import unittest
        import pytest

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _path(self, hdp_path): self.path = hdp_path
            def test_path(self): self.assertEqual(self.path.probe(47).verdict, "delivered")

        class TestOlder(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _probe(self, hdp_probe): self.probe = hdp_probe
            def test_probe(self): self.probe.check()
        """
    )
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    assert "not for unittest.TestCase: there, use hdp_path" in shown(result)
    assert "Traceback" not in shown(result)
    assert "AttributeError" not in shown(result)


def test_a_number_of_packets_that_is_none(project):
    project.write(
        test_mine="""
        import pytest

        @pytest.mark.parametrize("count", [0, -1])
        def test_it(hdp_path, count):
            with pytest.raises(ValueError, match=f"not {count}"):
                hdp_path.probe(253, count=count)
        """
    )
    project.run().assert_outcomes(passed=2)


def test_a_test_that_fails_for_a_reason_of_its_own_does_not_blame_the_expectation(project):
    project.write(test_mine=SWEEP.replace("hdp_probe.check()", "assert not hdp_probe.verdict"))
    result = project.run("--tb=no")
    result.assert_outcomes(failed=1)
    assert "253 (experimental-1): delivered, but the test failed: 3 of 3 arrived as sent" in shown(result)


ALL = "import pytest\n\n@pytest.mark.hdp(default='-1-263')\ndef test_it(hdp_probe): hdp_probe.check()\n"


@pytest.fixture
def run_in(project, monkeypatch):
    """Run pytest behind another command."""
    for variable in [name for name in os.environ if name.startswith(("HDP_", "PYTEST_"))]:
        monkeypatch.delenv(variable)

    def run(before: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        own = [
            sys.executable,
            "-m",
            "pytest",
            *project.loaded,
            "-p",
            "no:cacheprovider",
            "-pno:hypothesispytest",
            "-p",
            "no:rerunfailures",
            "--color=no",
        ]
        return subprocess.run(
            [*before, *own, *arguments],
            cwd=project.pytester.path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def may(*command: str) -> None:
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"privilege: no {' '.join(command)}")


@pytest.mark.parametrize(("size", "workers"), [("60k", ()), ("300k", ("-n", "2"))], ids=["serial", "2 workers"])
def test_a_full_disk_ends_no_run_and_is_told(project, run_in, size, workers):
    may("unshare", "-rm")
    project.write(test_mine=ALL)
    project.pytester.mkdir("small")
    script = f'mount -t tmpfs -o size={size} none small && "$@"; status=$?; ls -A small; exit $status'
    done = run_in(["unshare", "-rm", "sh", "-c", script, "sh"], "--hdp-report=small", *workers)
    assert done.returncode == 3, done.stdout
    assert "255 passed, 10 xfailed" in done.stdout
    assert "255 delivered" in done.stdout
    assert "hdp: small/results.jsonl is not complete: No space left on device" in done.stdout
    assert "hdp: small/report.html was not written: No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert ".part" not in done.stdout


def test_a_folder_where_a_file_should_be(project, run_in):
    project.write(test_mine=SWEEP)
    project.pytester.mkdir("report").joinpath("results.jsonl").mkdir()
    done = run_in([], "--hdp-report=report")
    assert "hdp: report/results.jsonl is not complete: Is a directory" in done.stdout
    assert "1 passed" in done.stdout
    assert (project.pytester.path / "report" / "results.md").exists()


def test_an_earlier_report_is_replaced_and_no_link_in_it_is_followed(project, run_in):
    project.write(test_mine=SWEEP)
    precious = project.pytester.makefile(".txt", precious="mine")
    report = project.pytester.mkdir("report")
    for name in ("results.jsonl", "results.md"):
        (report / name).symlink_to(precious)
    run_in([], "--hdp-report=report")
    assert precious.read_text() == "mine"
    assert [len((report / name).read_text().splitlines()) for name in ("results.jsonl",)] == [1]


@pytest.mark.parametrize("option", ["--hdp-report=link", "--hdp-report=link/deeper", "--hdp-record=link/mine.toml"])
def test_a_folder_that_is_somebody_elses_link_is_refused(project, option):
    if os.geteuid():
        pytest.skip("privilege: not root, who alone can make a link somebody else's")
    project.write(test_mine=SWEEP)
    folder = project.pytester.mkdir("folder")
    link = project.pytester.path / "link"
    link.symlink_to(folder)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    assert "a link in it is another user's" in refused(project, option)
    assert not list(folder.iterdir())


def test_files_written_under_sudo_are_given_back(project, run_in, monkeypatch):
    if os.geteuid():
        pytest.skip("privilege: not root")
    project.write(test_mine=SWEEP)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65533")
    assert run_in([], "--hdp-report=a/b", "--hdp-record=mine.toml").returncode == 0
    written = ["a", "a/b", "a/b/results.jsonl", "a/b/results.md", "a/b/report.html", "mine.toml"]
    owners = {(each.stat().st_uid, each.stat().st_gid) for each in map(project.pytester.path.joinpath, written)}
    assert owners == {(65534, 65533)}


@pytest.mark.parametrize("user", ["-1", "99999999999999"])
def test_odd_sudo_users_harm_nothing(project, run_in, monkeypatch, user):
    project.write(test_mine=SWEEP)
    monkeypatch.setenv("SUDO_UID", user)
    monkeypatch.setenv("SUDO_GID", user)
    assert run_in([], "--hdp-report=report").returncode == 0


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["serial", "worker"])
def test_too_few_open_files_are_told_before_the_first_test(project, run_in, workers):
    project.write(test_mine=ALL)
    done = run_in(["prlimit", "--nofile=256:256"], *workers)
    assert done.returncode == USAGE_ERROR, done.stdout
    assert "and this process may open 256: allow more (ulimit -n " in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "INTERNALERROR" not in done.stdout


def test_few_open_files_are_enough_for_few_numbers(project, run_in):
    project.write(test_mine=ALL)
    done = run_in(["prlimit", "--nofile=64:64"], "--hdp-protocols=250-256")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_lab_that_would_open_too_many_files_is_told_too(project, run_in):
    project.write(test_mine=SWEEP)
    done = run_in(["prlimit", "--nofile=64:64"], "--hdp-lab=home-nat")
    assert done.returncode == USAGE_ERROR, done.stdout + done.stderr
    assert "and this process may open 64: allow more (ulimit -n " in done.stderr


@pytest.mark.parametrize("size", ["8k", "60k"])
def test_a_full_folder_for_temporary_files_loses_nothing(project, run_in, size):
    """Where workers can share neither results nor packets, each measures, and hands its packets over."""
    may("unshare", "-rm")
    project.write(test_mine=ALL)
    project.pytester.mkdir("small")
    script = f'mount -t tmpfs -o size={size} none small && TMPDIR=$PWD/small exec "$@"'
    done = run_in(["unshare", "-rm", "sh", "-c", script, "sh"], "-n", "2", "--hdp-report=report")
    assert done.returncode == 0, done.stdout
    assert "255 passed, 10 xfailed" in done.stdout
    assert len((project.pytester.path / "report" / "results.jsonl").read_text().splitlines()) == 265
    assert (project.pytester.path / "report" / "capture.pcapng").stat().st_size > 400_000


# A user namespace of our own, where no more of them are allowed, and a user who is not root and may do nothing.
FORBIDDEN = """
import ctypes, os, sys
user, group = os.geteuid(), os.getegid()
if ctypes.CDLL(None).unshare(0x50000000):
    sys.exit(77)
for name, text in (("uid_map", f"1000 {user} 1"), ("setgroups", "deny"), ("gid_map", f"1000 {group} 1")):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def forbidden(run_in):
    """Run pytest where neither raw sockets nor namespaces are to be had."""
    before = [sys.executable, "-c", FORBIDDEN]
    if subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("privilege: no user namespace to forbid them in")
    return lambda *arguments: run_in(before, *arguments)


@pytest.mark.parametrize("arguments", [[], ["-n", "1"], ["--hdp-lab=home-nat"]], ids=["serial", "worker", "lab"])
def test_missing_privilege_is_one_line_before_the_first_test(project, forbidden, arguments):
    project.write(test_mine=ALL)
    done = forbidden(*arguments)
    assert done.returncode == USAGE_ERROR, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert line.startswith("ERROR: raw sockets need CAP_NET_RAW")
    assert 'sudo "$(command -v pytest)"' in line
    assert "sudo sysctl user.max_user_namespaces=10000" in line
    assert "INTERNALERROR" not in done.stdout


def test_collecting_and_other_tests_need_no_privilege(project, forbidden):
    project.write(test_mine=ALL, test_other="def test_other(): pass")
    collected = forbidden("--collect-only", "-q")
    assert (collected.returncode, "266 tests collected" in collected.stdout) == (0, True), collected.stderr
    assert forbidden("test_other.py", "-n", "1").returncode == 0
