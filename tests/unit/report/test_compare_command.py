"""`hdp compare A B`: exit status, words, and files that nobody should trust."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_hdp.cli import main
from pytest_hdp.judge.result import RULES
from pytest_hdp.report.jsonl import line_of

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture
def compared(tmp_path, record, capsys, monkeypatch):
    """Write two files of these records, and compare them."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(before, after, *options):
        for name, records in (("a.jsonl", before), ("b.jsonl", after)):
            text = records if isinstance(records, str) else "".join(map(line_of, records))
            (tmp_path / name).write_text(text, encoding="utf-8")
        status = main(["compare", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), *options])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_same_file_twice(capsys):
    assert main(["compare", str(SAMPLES / "loopback"), str(SAMPLES / "loopback" / "results.jsonl")]) == 0
    assert "nothing changed in 265 trains" in capsys.readouterr().out


def test_what_changed_is_grouped_and_told(compared, record):
    before = [record(number) for number in (47, 50, 51, 6)]
    after = [record(number, "lost", "failed", last_hop=None) for number in (47, 50, 51)] + [record(6)]
    status, out, err = compared(before, after)
    assert (status, err) == (1, "")
    assert "changed: lab home-nat, 192.0.2.2 -> 198.51.100.2, forward, bare" in out
    assert out.rstrip().endswith("3 of 4 trains changed")
    assert "47 (gre): delivered -> lost" in out or "47 (gre), 50, 51: delivered -> lost" in out


def test_no_evidence_is_none_unless_strict(compared, record):
    before, after = [record(47), record(6)], [record(47, "inconclusive", "skipped"), record(6), record(17)]
    status, out, _ = compared(before, after)
    assert (status, "nothing changed in 2 trains, 1 without evidence, 1 only in B" in out) == (0, True)
    assert "no evidence either way" in out
    assert compared(before, after, "--strict")[0] == 1


def test_evidence_that_is_gone_has_a_status_of_its_own(compared, record):
    before = [record(number) for number in (6, 47, 50)]
    after = [record(6)] + [record(number, "inconclusive", "skipped") for number in (47, 50)]
    status, out, _ = compared(before, after)
    assert status == 3
    assert "of 2 of the 3 trains that A knew B learnt nothing" in " ".join(out.split())
    assert out.splitlines()[-1].endswith("evidence gone: home-nat")
    status, out, _ = compared(before, after, "--json")
    assert (status, json.loads(out)["status"], json.loads(out)["gone"][0]["missing"]) == (3, 3, 2)
    assert "## Evidence gone" in compared(before, after, "--markdown")[1]
    assert compared(before, [record(6, "lost", "failed"), *after[1:]])[0] == 1


def test_where_the_rules_changed_is_told(compared, record):
    now = record(47, "lost", "failed", tool={"version": "0.2.0", "rules": 2})
    status, out, _ = compared([record(47), record(6)], [now, record(6)])
    assert status == 1
    told = "note: 1 train was judged by rules 1 in A and by rules 2 in B, so that a verdict may differ for no more"
    assert told in " ".join(out.split())
    found = json.loads(compared([record(47)], [now], "--json")[1])
    assert found["rules"] == [{"a": 1, "b": 2, "trains": 1}]
    assert found["changed"][0]["rules"] == [1, 2]
    assert "judged by rules" not in compared([now], [now])[1]


def test_every_number_of_rules_has_its_line_in_the_docs():
    text = (SAMPLES.parent / "docs" / "verdicts.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## Rules")
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert [row for row in rows if row.isdigit()] == [str(number) for number in range(1, RULES + 1)]


def test_json_for_programs(compared, record):
    status, out, _ = compared([record(47), record(6)], [record(47, "lost", "failed")], "--json")
    found = json.loads(out)
    assert (status, found["status"]) == (1, 1)
    assert found["changed"][0]["changes"] == {"verdict": ["delivered", "lost"]}
    assert [each["protocol"] for each in found["only_a"]] == [6]


def test_markdown_for_a_job_summary(compared, record):
    status, out, _ = compared([record(47)], [record(47, "lost", "failed")], "--markdown")
    assert status == 1
    assert out.startswith("# pytest-hdp: 1 of 1 train changed\n")
    assert "| 47 (gre) | delivered | lost |" in out


def refused(answer) -> str:
    status, out, err = answer
    assert (status, out) == (4, "")
    (line,) = err.splitlines()
    return line


def test_a_file_cut_off_is_refused_and_its_rest_compared_if_asked(compared, record):
    whole = line_of(record(47)) + line_of(record(6))
    assert "line 2: cut off in the middle" in refused(compared(whole, whole[:-40]))
    status, out, err = compared(whole, whole[:-40], "--partial")
    assert (status, "1 only in A" in out, "left out" in err) == (0, True, True)
    assert "cut off" in refused(compared(whole, whole[:300], "--partial"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\n\n", "holds no results"),
        ("[]\n", "not a JSON object"),
        ("\x1b[2J\x00\n", "not JSON"),
        ("[" * 100_000 + "\n", "not JSON"),
    ],
)
def test_what_is_no_results_file_is_one_line(compared, record, text, said):
    assert said in refused(compared([record(47)], text))


def test_a_newer_schema_says_what_to_do(compared, record):
    newer = line_of(record(47)).replace('"schema": 1', '"schema": 2')
    assert "update pytest-hdp" in refused(compared([record(47)], newer))


def test_files_that_are_not_there_or_not_files(compared, record, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for name in ("nowhere.jsonl", "empty", "a\0b"):
        assert main(["compare", str(SAMPLES / "loopback"), str(tmp_path / name)]) == 4
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_nothing_in_common_is_unusable_and_not_nothing_changed(compared, record):
    assert "no train in common" in refused(compared([record(47)], [record(48)]))


@pytest.mark.parametrize("shape", [(), ("--markdown",), ("--json",)])
def test_hostile_strings_reach_nobody(compared, record, hostile, shape):
    path = {"kind": hostile, "name": hostile, "source": hostile, "target": hostile, "agent": hostile}
    lone = {**path, "vantage": hostile}
    before = [record(47, path=path), record(48, path=lone, keyword=hostile)]
    after = [
        record(47, "rejected", "failed", path=path, explanation=hostile, errno=hostile, keyword=hostile),
        record(49, path=path),
    ]
    status, out, _ = compared(before, after, *shape)
    assert status == 1
    assert all(line.isprintable() for line in out.splitlines())
    assert "\x1b" not in out
    assert "\0" not in out
    if shape == ("--markdown",):
        assert "<b>" not in out
        assert not re.search(r"(?<!\\)\[x\]", out)


def test_an_ascii_terminal_gets_ascii(tmp_path, record):
    path = {**asdict(record(47).path), "name": "m\xfcnchen"}
    (tmp_path / "a").write_text(line_of(record(47, path=path)))
    (tmp_path / "b").write_text(line_of(record(47, "lost", "failed", path=path)))
    command = [sys.executable, "-m", "pytest_hdp.cli", "compare", tmp_path / "a", tmp_path / "b"]
    done = subprocess.run(command, env={"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert rb"m\xfcnchen" in done.stdout
