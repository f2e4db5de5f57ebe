"""Files, names and variables that mean harm or make no sense: one clear line, and nothing that a terminal obeys."""

from __future__ import annotations

import re
import time

import pytest
from refusing import SWEEP, refused, shown

HEAD = "[profile]\nname='x'\n"


EXPECT = f"{HEAD}[[expect]]\n"


LOST = "verdict='lost'\n"


HOSTILE_NAME = '"\\u001b[2J\\u0007 \\u202e\\nERROR: all is well"'


SHOWN_NAME = r"\x1b[2J\x07 \u202e\nERROR: all is well"


ROUTER = '[[box]]\nkind = "router"\n'


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
    from pytest_hdp.judge.expectations.profile import ProfileError
    from pytest_hdp.judge.expectations.profile_file import load_profile

    def seconds(tables: int) -> float:
        text = HEAD + "".join(f"[[expect]]\nprotocols='{number}'\n{LOST}" for number in range(tables))
        began = time.process_time()
        with pytest.raises(ProfileError, match="it takes"):
            load_profile(text + "[[expect]]\nunknown=1\n", "x")
        return time.process_time() - began

    many, few = (
        min(seconds(tables) for _ in range(3)) for tables in (8000, 1000)
    )  # of what another process slows down
    assert many < 20 * few


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
