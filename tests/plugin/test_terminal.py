"""What the user reads: readable with -v and -q, narrow, without colour, without UTF-8, and as one block on failure."""

import re

import pytest

SWEEP = "import pytest\n\n@pytest.mark.hdp(default='-1-263')\ndef test_sweep(hdp_probe): hdp_probe.check()\n"
FEW = "--hdp-protocols=0-8,248-262"
"""Of all kinds some."""


@pytest.fixture
def sweep(project):
    project.write(test_sweep=SWEEP)
    return project


def text(result) -> str:
    return result.stdout.str()


def test_header_tells_system_target_trains_privilege_and_expectation(sweep):
    printed = text(sweep.run())
    assert re.search(r"^hdp: Linux \S+ \S+, seed \d+$", printed, re.MULTILINE)
    assert re.search(
        r"^hdp: 127\.0\.0\.1 to 127\.0\.0\.1 \(loopback\), 265 trains, 3 rounds, .+, expecting linux-loopback$",
        printed,
        re.MULTILINE,
    )


@pytest.mark.night
def test_no_header_and_quiet_have_none(sweep):
    for option in ("--no-header", "-q"):
        assert "hdp: Linux" not in text(sweep.run(option, FEW))


@pytest.mark.night
def test_progress_is_the_picture(sweep):
    lines = text(sweep.run()).splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("test_sweep.py "))
    picture = "".join(re.sub(r"^test_sweep.py | *\[ *\d+%\]$", "", line) for line in lines[first : first + 5])
    assert picture.startswith("kk" + "." * 255 + "nnnnnnn" + "k")


def test_verbose_names_verdicts(sweep):
    printed = text(sweep.run("-v", "--hdp-protocols=0,253,256"))
    assert re.search(r"test_sweep\[p000-hopopt\] XFAIL refused_at_socket", printed)
    assert re.search(r"test_sweep\[p253-experimental-1\] PASSED delivered", printed)
    assert re.search(r"test_sweep\[p256-out-of-range\] XFAIL renumbered", printed)


def test_quiet_shows_no_grid_but_the_surprises(sweep):
    quiet = text(sweep.run("-q", "--hdp-expect=none", FEW))
    assert "0x0_" not in quiet
    assert "refused at socket (EPROTONOSUPPORT)" in quiet
    assert "IP protocol numbers" not in text(sweep.run("-qq", FEW))


@pytest.mark.parametrize("columns", [40, 60, 200])
@pytest.mark.night("60", "200")
def test_fits_the_terminal(sweep, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = text(sweep.run("--hdp-expect=none", "--tb=no", "-rN", "--no-header"))
    part = printed.split("IP protocol numbers")[1]
    assert max(map(len, part.splitlines())) <= columns
    assert "255 delivered" in part


def test_without_utf8_everything_is_ascii(sweep, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("PYTHONUTF8", "0")
    result = sweep.run_alone("--hdp-expect=none", FEW)
    assert text(result).isascii()
    assert "8 failed, 16 passed" in text(result)


def test_colours_only_where_asked(sweep):
    assert "\x1b[" not in text(sweep.run("--color=no", FEW))
    assert "\x1b[32m" in text(sweep.run("--color=yes", FEW))


def test_a_failure_is_a_block_of_evidence_and_its_command_repeats_it(sweep):
    result = sweep.run("--hdp-expect=none", "--hdp-protocols=256,253", "--hdp-count=2")
    printed = text(result)
    result.assert_outcomes(passed=1, failed=1)
    assert "Traceback" not in printed
    assert "def test_sweep" not in printed
    for rung in ("sent", "left", "arrived", "delivered", "ICMP", "control"):
        assert re.search(rf"^  {rung} +\S", printed, re.MULTILINE), rung
    (command,) = re.findall(r"^  pytest '(.*?)' (.*)$", printed, re.MULTILINE)
    again = sweep.run(command[0], *command[1].split())
    again.assert_outcomes(failed=1)
    assert re.search(r"seed \d+", text(again))[0] in text(result)


def test_an_expectation_that_is_not_met_says_both(sweep):
    profile = sweep.pytester.makefile(
        ".toml", mine="[profile]\nname='mine'\n[[expect]]\nprotocols='253'\nverdict='lost'\n"
    )
    result = sweep.run(f"--hdp-expect={profile}", "--hdp-protocols=253")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*expected lost, got delivered*"])


def test_recorded_profile_makes_the_same_run_as_expected(sweep):
    sweep.run("--hdp-expect=none", "--hdp-record=mine.toml", FEW).assert_outcomes(passed=16, failed=8)
    assert sweep.run("--hdp-expect=mine.toml", FEW).ret == 0


@pytest.mark.night
def test_workers_show_the_same_and_nothing_twice(sweep):
    printed = text(sweep.run("-n", "2"))
    assert printed.count("0xf_ 240") == 1
    assert "255 passed, 10 xfailed" in printed
