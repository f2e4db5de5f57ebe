"""The job's summary and its annotations, within GitHub's limits."""

from pytest_hdp.judge.latency.differences import Series
from pytest_hdp.judge.latency.result import HDP, UDP, Setup, Way, conclude
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.report.github import LARGEST, append_summary, commands, job_summary


def test_a_summary_that_fits_is_whole():
    assert job_summary("text\n") == "text\n"


def test_a_long_summary_is_cut_at_a_line_with_a_sentence():
    text = job_summary("é" * 99 + "\n" * 1 + ("x" * 99 + "\n") * 20_000, already=100)
    assert len(text.encode()) + 100 <= LARGEST
    assert "Cut here" in text.splitlines()[-1]
    assert set(text.splitlines()[-3]) == {"x"}
    assert job_summary("x" * 2000, already=LARGEST - 1000).strip().startswith("Cut here")
    assert job_summary("x" * 20, already=LARGEST) == ""


def test_it_is_appended(tmp_path, record):
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    assert append_summary(file, [record(6)]) is None
    assert file.read_text().startswith("before\n**All 1 protocol") or "Protocol 6 (tcp) got through" in file.read_text()
    assert append_summary(tmp_path / "no" / "folder", [record(6)]).endswith(
        "can't be written: No such file or directory"
    )


def test_latencies_are_told_and_are_not_nothing(tmp_path):
    setup = Setup(
        PathInfo("internet", "h2<b>", "192.0.2.1", "192.0.2.2", "ssh=h2"), Direction.FORWARD, Way.ROUND_TRIP,
        253, 200, 96, 1, 60.0, (0.0, 0.0), 0,
    )  # fmt: skip
    times = range(1000, 1200)
    found = conclude(setup, [Series(label, 253, times, times, range(200)) for label in (HDP, UDP)])
    file = tmp_path / "summary.md"
    assert append_summary(file, [], ["h1 could not be measured: no answer"], [found]) is None
    text = file.read_text()
    assert text.startswith("## Latency\n\n- h2&lt;b&gt;, forward: no difference between HDP and UDP at user level")
    assert "- h1 could not be measured: no answer" in text
    assert "othing was measured" not in text
    assert "no train measured; h1 not measured" in text


def test_one_annotation_a_verdict(record):
    records = [record(n, "lost", "failed") for n in (47, 50)]
    records += [record(6), record(89, "rejected", "failed"), record(0, "refused_at_socket", "xfailed")]
    said = commands(records)
    assert [line.split("::")[1] for line in said] == [
        "warning title=1 protocol number rejected",
        "warning title=2 protocol numbers lost",
    ]
    assert "47 (gre), 50: expected delivered, got lost" in said[1]


def test_nothing_in_an_annotation_is_a_command(record):
    evil = record(47, "lost", "failed", explanation="100 %0A\r\n::error::x", keyword="a\n::stop-commands::x")
    [line] = commands([evil])
    assert "\n" not in line
    assert "\r" not in line
    assert "%250A" in line
