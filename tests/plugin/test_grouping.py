"""250 numbers that die at one place are one finding: one block, one line; each test's own for whoever asks for it."""

import re
import xml.etree.ElementTree as ET

import pytest

SWEEP = "import pytest\n\n@pytest.mark.hdp(default='-1-263')\ndef test_sweep(hdp_probe): hdp_probe.check()\n"
ASSERTS = SWEEP.replace("hdp_probe.check()", "assert hdp_probe.verdict == 'delivered'")
ALL = [-1, 0, *range(256, 264)]
"""Linux refuses -1 and 263 with EINVAL and 0 with EPROTONOSUPPORT, and sends 256 to 262 under another number."""


@pytest.fixture
def sweep(project):
    project.write(test_sweep=SWEEP)
    return project


def blocks(printed: str) -> list[str]:
    return re.findall(r"^_+ (test_sweep\[.*) _+$", printed, re.MULTILINE)


def lines(printed: str) -> list[str]:
    return re.findall(r"^FAILED .*$", printed, re.MULTILINE)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
@pytest.mark.night("xdist")
def test_one_block_and_one_line_for_each_group_of_equal_failures(sweep, workers):
    result = sweep.run("--hdp-expect=none", *workers)
    printed = result.stdout.str()
    result.assert_outcomes(failed=10, passed=255)
    assert sorted(blocks(printed)) == [
        "test_sweep[p-01-out-of-range] and 1 more",
        "test_sweep[p000-hopopt]",
        "test_sweep[p256-out-of-range] and 6 more",
    ]
    assert "7 equal failures: 256-262." in printed
    assert len(lines(printed)) == 3
    assert any(
        line.startswith("FAILED 7 renumbered test_sweep.py::test_sweep[p256-out-of-range]") for line in lines(printed)
    )


def test_the_example_of_a_group_repeats_it(sweep):
    printed = sweep.run("--hdp-expect=none", "--hdp-protocols=256-262").stdout.str()
    (line,) = lines(printed)
    again = sweep.run("--hdp-expect=none", line.split()[3])
    again.assert_outcomes(failed=1)


@pytest.mark.night(but=["-q*", "-rA*", "plain*", "-v*", "--tb*", "-rf*"])
@pytest.mark.parametrize(
    ("options", "of_blocks", "of_lines"),
    [
        ((), 3, 3),
        (("-q",), 3, 3),
        (("-v",), 10, 10),
        (("-vv",), 10, 10),
        (("--tb=short",), 10, 3),
        (("--tb=no",), 0, 3),
        (("--tb=line",), 0, 3),
        (("-rf",), 3, 10),
        (("-rA",), 3, 10),
        (("-rN",), 3, 0),
        (("--no-summary",), 0, 0),
    ],
    ids=lambda value: "-".join(value) or "plain" if isinstance(value, tuple) else "",
)
def test_each_test_is_there_for_whoever_asks(sweep, options, of_blocks, of_lines):
    result = sweep.run("--hdp-expect=none", "--hdp-protocols=-1,0,253-263", *options)
    printed = result.stdout.str()
    assert len(re.findall(r"^  repeat just this one:$", printed, re.MULTILINE)) == of_blocks
    assert len(lines(printed)) == of_lines
    assert "10 failed" in printed


def test_the_grid_and_the_summary_are_the_last_that_is_printed(sweep):
    sweep.pytester.makeconftest(
        "def pytest_terminal_summary(terminalreporter):\n"
        "    terminalreporter.write_line('seen by others: %d' % len(terminalreporter.stats['failed']))\n"
    )
    printed = sweep.run("--hdp-expect=none").stdout.str()
    *before, last = re.split(r"^=+ IP protocol numbers =+$", printed, flags=re.MULTILINE)
    assert "short test summary info" in before[0]
    assert "seen by others: 10" in before[0]
    assert "0xf_ 240" in last
    assert re.search(r"^265 trains: .*\n(  .*\n)*=+ 10 failed, 255 passed in \S+s.* =+$", last, re.MULTILINE)


def test_files_for_machines_keep_each_test(sweep):
    sweep.run("--hdp-expect=none", "--junit-xml=junit.xml")
    cases = ET.parse(sweep.pytester.path / "junit.xml").getroot().findall(".//testcase")
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert len(failed) == len(set(failed)) == len(ALL)


@pytest.mark.night
def test_an_assert_of_ones_own_is_grouped_by_the_line_that_failed(project):
    project.write(test_sweep=ASSERTS)
    printed = project.run("--hdp-expect=none").stdout.str()
    assert len(blocks(printed)) == len(lines(printed)) == 3
    assert printed.count("what became of the packets") == 3
    project.write(test_sweep=f"{ASSERTS}\n@pytest.mark.hdp(default='256-262')\ndef test_more(hdp_probe): assert 0\n")
    assert len(lines(project.run("--hdp-expect=none").stdout.str())) == 4


@pytest.mark.night
def test_a_lab_that_loses_252_numbers_each_way_fits_on_a_screen_or_two(project):
    sweep = "import pytest\n\n@pytest.mark.hdp(path='target', default='1-255', direction='both')\n"
    project.write(test_sweep=f"{sweep}def test_sweep(hdp_probe): hdp_probe.check()\n")
    result = project.run("--hdp-lab=allowlist", "--hdp-expect=none")
    result.assert_outcomes(failed=504, passed=6)
    printed = result.stdout.str()
    assert len(printed.splitlines()) < 150
    assert len(lines(printed)) == len(blocks(printed)) == 2
    assert "252 equal failures: 2-5, 7-16, 18-255." in printed
