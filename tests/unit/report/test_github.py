"""The job's summary and its annotations, within GitHub's limits."""

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
