"""Each option does what it says."""

import json
import time

import pytest

SWEEP = "def test_it(hdp_probe): hdp_probe.check()"


@pytest.fixture
def sweep(project):
    project.write(test_mine=SWEEP)
    return project


def records(project) -> list[dict]:
    lines = (project.pytester.path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_count_is_what_everybody_gets(sweep):
    sweep.run("--hdp-protocols=47,253", "--hdp-count=7", "--hdp-report=out").assert_outcomes(passed=2)
    assert [(record["sent"], record["delivered"]) for record in records(sweep)] == [(7, 7), (7, 7)]


def test_both_forms_make_two_tests_where_there_is_a_carrier(sweep):
    result = sweep.run("--hdp-protocols=47,200", "--hdp-form=both", "--hdp-report=out", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.re_match_lines_random([r".*\[p047-gre-bare\].*", r".*\[p047-gre-wellformed\].*"])
    assert [(r["protocol"], r["form"]) for r in records(sweep)] == [(47, "bare"), (200, "bare"), (47, "wellformed")]


@pytest.mark.parametrize("encoding", ["plain", "base64", "base128"])
def test_encoding_of_the_content(project, encoding):
    project.write(
        test_mine="""
        def test_it(hdp_path):
            assert hdp_path.probe(253, content=b"moo").contents == (b"moo",)
        """
    )
    project.write(test_sweep=SWEEP)
    project.run(f"--hdp-encoding={encoding}", "--hdp-protocols=253").assert_outcomes(passed=2)


def test_rate_is_a_ceiling(sweep):
    started = time.monotonic()
    sweep.run("--hdp-protocols=1-20", "--hdp-rate=60", "--hdp-count=3").assert_outcomes(passed=20)
    assert time.monotonic() - started > 60 / 60  # a floor, not a timing: 60 probes at 60 a second


def test_timeout_bounds_the_wait(sweep, monkeypatch):
    sweep.run("--hdp-protocols=253", "--hdp-timeout=0.5").assert_outcomes(passed=1)


def test_seed_is_told_and_kept(sweep):
    result = sweep.run("--hdp-seed=42", "--hdp-protocols=253", "--hdp-report=out")
    result.stdout.fnmatch_lines(["hdp: *, seed 42"])
    assert records(sweep)[0]["run"] == f"{42:08x}"


def test_expectation_by_the_name_of_a_profile(sweep):
    sweep.run("--hdp-expect=linux-loopback", "--hdp-protocols=0-3").assert_outcomes(passed=3, xfailed=1)
    darwin = sweep.run("--hdp-expect=darwin-loopback", "--hdp-protocols=50,253")
    darwin.assert_outcomes(failed=1, passed=1)
    darwin.stdout.fnmatch_lines(["*expected refused at socket*got delivered*"])


def test_report_folder_holds_lines_and_a_table(sweep):
    sweep.run("--hdp-report=out/deep", "--hdp-protocols=0,253")
    folder = sweep.pytester.path / "out" / "deep"
    assert sorted(each.name for each in folder.iterdir()) == [
        "capture.pcapng",
        "report.html",
        "results.jsonl",
        "results.md",
    ]
    assert "| 253 |" in (folder / "results.md").read_text(encoding="utf-8")


@pytest.mark.needs("ip", "nft")
def test_lab_makes_the_path(project):
    project.write(
        test_mine="""
        import pytest

        @pytest.mark.hdp(path="target", direction="both")
        def test_it(hdp_probe): hdp_probe.check()

        def test_where(hdp_lab, hdp_path):
            assert hdp_lab.spec.name == hdp_path.name.name == "allowlist"
        """
    )
    result = project.run("--hdp-lab=allowlist", "--hdp-protocols=6,47")
    result.assert_outcomes(passed=3, xfailed=2)


@pytest.mark.needs("ip", "nft")
def test_several_labs_are_several_groups(project):
    project.write(test_mine="import pytest\n@pytest.mark.hdp(path='target')\n" + SWEEP)
    result = project.run("--hdp-lab=transparent", "--hdp-lab=allowlist", "--hdp-protocols=47", "-v")
    result.assert_outcomes(passed=1, xfailed=1)
    result.stdout.re_match_lines_random([r".*\[transparent-p047-gre\].*", r".*\[allowlist-p047-gre\].*"])


@pytest.mark.night(but=["none-0"])
@pytest.mark.needs("ip", "nft")
@pytest.mark.parametrize(("how", "places"), [("groups", 6), ("all", 8), ("none", 0)])
def test_locate_bounds_the_search_for_the_hop(project, how, places):
    project.write(test_mine="import pytest\n@pytest.mark.hdp(path='target')\n" + SWEEP)
    numbers = "--hdp-protocols=47,50,51,89,100,200,201,253"
    run = project.run("--hdp-lab=allowlist", numbers, f"--hdp-locate={how}", "--hdp-report=out")
    run.assert_outcomes(xfailed=8)
    hops = [record["last_hop"] for record in records(project) if record["last_hop"]]
    assert hops == [{"ttl": 2, "address": "203.0.113.6"}] * places
