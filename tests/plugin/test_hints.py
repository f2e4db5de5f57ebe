"""What was typed and does not do what was meant is said, in one line that names what would."""

import re
import shutil
import subprocess
import sys

import pytest

from pytest_hdp.plugin import marker
from pytest_hdp.plugin.hints import own_address, unknown_variables

SWEEP = "import pytest\n\n@pytest.mark.hdp(default='40-60')\ndef test_sweep(hdp_probe): hdp_probe.check()\n"
AWAY = "import pytest\n\n@pytest.mark.hdp(path='target', default='253')\ndef test_it(hdp_probe): hdp_probe.check()\n"


@pytest.fixture
def sweep(project):
    project.write(test_sweep=SWEEP)
    return project


@pytest.mark.night
def test_a_mistyped_variable_is_named_with_the_one_that_was_meant(sweep, monkeypatch):
    monkeypatch.setenv("HDP_PROTOCOL", "47")
    result = sweep.run_alone()  # not among our own filters, which make an error of it
    result.assert_outcomes(passed=21, warnings=1)
    result.stdout.fnmatch_lines(["*the variable HDP_PROTOCOL has no effect: did you mean HDP_PROTOCOLS[?]"])
    refused = sweep.run("-W", "error")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["ERROR: the variable HDP_PROTOCOL has no effect: did you mean HDP_PROTOCOLS[?]"])
    assert "Traceback" not in refused.stderr.str() + refused.stdout.str()


def test_a_run_that_measures_nothing_is_not_bothered(project, monkeypatch):
    monkeypatch.setenv("HDP_PROTOCOL", "47")
    project.write(test_other="def test_other(): pass\n")
    project.run("-W", "error").assert_outcomes(passed=1)


def test_which_variables_are_unknown():
    assert unknown_variables(["HDP_TARGET", "HDP_LATENCY_PAIRS", "PATH", "XHDP_"]) == []
    assert unknown_variables(["HDP_ZZZZZZ"])[0].startswith(
        "the variable HDP_ZZZZZZ has no effect: there are HDP_TARGET"
    )
    assert "\x1b" not in unknown_variables(["HDP_\x1b[2J"])[0]


@pytest.mark.parametrize(("typed", "meant"), [("p47", "p047"), ("p6 or p50", "p006")])
def test_a_short_id_is_told_how_long_ids_are(sweep, typed, meant):
    result = sweep.run("-k", typed)
    assert result.ret == 5
    assert f"hdp: -k {typed} selects nothing: ids have three digits, as in -k {meant}" in result.stdout.str()
    assert "three digits" not in sweep.run("-k", "p047").stdout.str()
    assert "three digits" not in sweep.run("-k", "nothing").stdout.str()


@pytest.mark.night
def test_failed_tests_of_a_lab_are_not_found_without_it(project):
    project.write(test_it=AWAY)

    def run(*more):  # with a cache, so not by `project.run`
        return project.pytester.runpytest_subprocess(*project.loaded, "--hdp-expect=none", *more)

    run("--hdp-lab=allowlist").assert_outcomes(failed=1)
    result = run("--lf")
    assert result.ret == 4, "nothing of what failed was repeated"
    said = (
        r"--lf: none of the tests that failed last is among these: they had other --hdp options "
        r"\(test_it.py::test_it\[p253-experimental-1.*\]\): give the same once more$"
    )
    assert re.search(f"^ERROR: {said}", result.stderr.str(), re.MULTILINE)
    assert re.search(f"^hdp: {said}", run("--lf", "--hdp-unmeasured=skip").stdout.str(), re.MULTILINE)
    again = run("--hdp-lab=allowlist", "--lf")
    assert "other --hdp options" not in again.stdout.str()


def in_a_namespace(project, *arguments: str) -> str:
    """Return what a pytest prints in a network namespace in which 198.51.100.2 is ours."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs unshare (util-linux) and ip (iproute2)")
    tried = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("privilege: user namespaces")
    run = [sys.executable, "-mpytest", *project.loaded, "-pno:cacheprovider", "-pno:hypothesispytest", *arguments]
    return subprocess.run(
        [
            "unshare",
            "-Urn",
            "sh",
            "-c",
            'ip link set lo up && ip addr add 198.51.100.2/32 dev lo && exec "$@"',
            "-",
            *run,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.pytester.path,
        timeout=120,
    ).stdout


def test_a_target_that_is_this_very_host_is_said_to_be(project):
    project.write(test_it=AWAY)
    printed = in_a_namespace(project, "--hdp-target=198.51.100.2")
    assert printed.count("hdp: 198.51.100.2 is this host itself, with no network between: suites/loopback") == 1
    assert not own_address("192.0.2.1")
    assert not own_address("127.0.0.1")


@pytest.mark.night
def test_the_header_says_what_a_run_is_held_against(project):
    project.write(test_it=AWAY)
    assert ", no profile\n" in project.run("--hdp-lab=allowlist", "--hdp-expect=none").stdout.str()
    assert ", expecting the truth of allowlist\n" in project.run("--hdp-lab=allowlist").stdout.str()


@pytest.mark.parametrize(
    ("profile", "said"), [("none", "No failures. 1 train"), ("linux-loopback", "All as expected. ")]
)
def test_nothing_is_as_expected_where_nothing_was_expected(project, profile, said):
    project.write(test_sweep=SWEEP.replace("40-60", "0" if profile != "none" else "47"))
    printed = project.run(f"--hdp-expect={profile}").stdout.str()
    assert said in printed


def test_markers_and_the_documentation_name_the_same_arguments(project):
    from pathlib import Path

    arguments = marker.ARGUMENTS
    signature = re.match(r"hdp\((.*?)\): ", marker.MARKER)
    assert {each.partition("=")[0].strip() for each in signature[1].split(",")} == arguments
    for argument in arguments:
        assert re.search(rf"\b{argument}(:|=True:) ", marker.MARKER.partition("): ")[2]), argument
    text = (Path(__file__).parents[2] / "docs" / "writing-tests.md").read_text(encoding="utf-8")
    table = text.partition("| argument of the marker |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)=", table, re.MULTILINE)) == arguments
    project.write(test_sweep=SWEEP)
    assert f"@pytest.mark.{marker.MARKER}" in project.run("--markers").stdout.str()
