from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.record import to_record
from pytest_hdp.judge.result import Result
from pytest_hdp.report.fields import protocol
from pytest_hdp.report.jsonl import LONGEST_LINE, MOST_PROBLEMS, LineWriter, line_of, read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def test_what_is_written_is_read(path: Path, record: Any, hostile_result: Result):
    run = [record(n) for n in (0, 255, -1)]
    run.append(replace(hostile_result, made=None))
    path.write_text("".join(map(line_of, run)))
    assert read(path) == (run, [])
    assert path.read_bytes().isascii()


def test_appended_records_are_on_disk_at_once(path: Path, record: Any):
    with LineWriter(path) as writer:
        for n in range(3):
            writer.write(line_of(record(n)))
            assert len(read(path)[0]) == n + 1
    writer.close()
    assert read(path)[1] == []


def test_a_new_writer_starts_afresh(path: Path, record: Any):
    path.write_text(line_of(record(1)))
    with LineWriter(path) as writer:
        writer.write(line_of(record(3)))
    assert [protocol(each) for each in read(path)[0]] == [3]


def test_what_was_appended_survives_kill_9(path: Path, record: Any):
    program = (
        "import json, sys; from pathlib import Path; from pytest_hdp.report.jsonl import LineWriter\n"
        "writer = LineWriter(Path(sys.argv[1]))\n"
        "for n in range(50): writer.write(json.dumps({**json.loads(sys.argv[2]), 'protocol': n}) + chr(10))\n"
        "print('written', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", program, str(path), line_of(record(0))]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, signal.SIGKILL)
    records, problems = read(path)
    assert [protocol(each) for each in records] == list(range(50))
    assert problems == []


@given(st.integers(min_value=1))
def test_a_file_cut_off_anywhere_loses_one_record_at_most(record: Any, tmp_path_factory: Any, where: int):
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    run = [record(n) for n in range(4)]
    path.write_text("".join(map(line_of, run)))
    whole = path.read_bytes()
    kept = whole[: where % len(whole)]
    path.write_bytes(kept)
    records, problems = read(path)
    assert records == run[: len(records)]
    assert len(records) >= kept.count(b"\n")
    assert len(problems) <= 1


def test_each_problem_is_one_line_that_says_where(path: Path, record: Any):
    fields = to_record(record(6))
    good = json.dumps(fields).encode()
    bad: dict[bytes, str] = {
        b"banana": "not JSON",
        b"\xff\xfe": "not JSON",
        b"[" * 100_000: "not JSON",
        b'{"protocol": ' + b"9" * 10_000 + b"}": "not JSON",
        b"[1]": "not a JSON object",
        b"{}": "schema is missing",
        json.dumps({**fields, "schema": 2}).encode(): "schema 2",
        json.dumps({**fields, "protocol": "6"}).encode(): "protocol is not a whole number",
        json.dumps({**fields, "verdict": "tele\x1b[31mported"}).encode(): "verdict is not one of",
        json.dumps({**fields, "nat": None}).encode(): "nat is not a JSON object",
        b" " * LONGEST_LINE + b"{}": "longer than",
    }
    path.write_bytes(b"\n".join([good, *bad, b"", good, good[:100]]))
    records, problems = read(path)
    assert len(records) == 2
    expected = [*bad.values(), "cut off in the middle"]
    numbers = [*range(2, 2 + len(bad)), len(bad) + 4]
    for problem, text, number in zip(problems, expected, numbers, strict=True):
        assert text in problem
        assert f"results.jsonl, line {number}: " in problem
        assert problem.isprintable()


def test_unknown_fields_are_ignored(path: Path, record: Any):
    path.write_text(json.dumps({**to_record(record(6)), "colour": "red"}))
    assert read(path) == ([record(6)], [])


def test_a_file_that_is_something_else_does_not_flood(path: Path):
    path.write_bytes(b"\x7fELF\n" * 1000)
    records, problems = read(path)
    assert records == []
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].endswith(f"{1000 - MOST_PROBLEMS} more lines like these")


@given(st.binary(max_size=300))
def test_no_bytes_raise(tmp_path_factory: Any, garbage: bytes):
    path = tmp_path_factory.getbasetemp() / "garbage.jsonl"
    path.write_bytes(garbage)
    records, problems = read(path)
    assert records == []
    assert problems or not garbage.strip()


@pytest.mark.parametrize("name", ["missing", ".", "nul\0", "\x1b[31m"])
def test_a_file_that_cannot_be_opened_is_one_problem(tmp_path: Path, name: str):
    records, problems = read(tmp_path / name)
    assert records == []
    assert [p.isprintable() and "cannot be read: " in p for p in problems] == [True]


def test_an_empty_file_is_told(path: Path):
    path.touch()
    assert read(path) == ([], [f"{path}: empty: nothing was measured, or the run ended before the first result"])
