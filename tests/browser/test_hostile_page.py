"""Results that somebody else wrote, on the page: shown as text, or refused with one line; never run, never raised."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.record import from_record
from pytest_hdp.judge.result import Made
from pytest_hdp.untrusted.marks import WrongValueError

SAMPLES = Path(__file__).parents[2] / "samples"
EVIL = (
    "</script><script>window.pwned=1</script><!--<script><img src=x onerror=window.pwned=2>\x1b[31m\0\u202e\u2028{{x}}"
)


def poisoned(record):
    """The record with that in the place of each of its words, but for those that a reader knows, or refuses."""
    for place in texts(record):
        *outer, last = place
        where = record
        for step in outer:
            where = where[step]
        word, where[last] = where[last], EVIL
        try:
            from_record(record)
        except WrongValueError:
            where[last] = word


def texts(value, place=()):
    """Where the texts of a JSON value are: keys and indices, from the outermost on."""
    if isinstance(value, str):
        return [place]
    each = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in each for found in texts(item, (*place, key))]


def lines(name="first-only", count=40):
    return (SAMPLES / name / "results.jsonl").read_text(encoding="utf-8").splitlines()[:count]


def report(folder, *more):
    program = [sys.executable, "-m", "pytest_hdp.cli", "report", str(folder), *more]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_hostile_strings_are_text(shown):
    records = [json.loads(line) for line in lines()]
    for record in records:
        poisoned(record)
    browser = shown(records, "#t0-20", made=[Made(command=EVIL, source=EVIL)], problems=[EVIL])
    assert browser.run("window.pwned === undefined && document.querySelectorAll('img, script').length") == 2
    assert "<script>window.pwned=1</script>" in browser.text("#evidence")
    browser.run("location.hash = '#t0-2'; new Promise(done => setTimeout(done))")
    assert "answered by </script><script>window.pwned=1</script>" in browser.text("#evidence .hops tbody")
    assert browser.run("window.pwned === undefined && document.querySelectorAll('img, script').length") == 2
    assert "<img src=x" in browser.text("#made")
    assert "\\x1b[31m\\x00\\u202e\\u2028" in browser.text(".problem")
    whole = browser.run("document.documentElement.outerHTML")
    assert not {"\x1b", "\0", "\u202e", "\u2028"} & set(whole)


def test_the_policy_forbids_what_is_not_the_pages_own(shown):
    browser = shown([json.loads(line) for line in lines()])
    browser.run(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 3';"
        " document.body.append(s); })()"
    )
    assert browser.run("window.pwned") is None
    refused = browser.run("fetch('data:text/plain,x').then(() => 'fetched', () => 'refused')")
    assert refused == "refused"


def test_a_file_cut_off_in_the_middle_is_shown_with_a_note(browser, tmp_path):
    whole = "\n".join(lines())
    (tmp_path / "results.jsonl").write_text(whole[:-200], encoding="utf-8")
    done = report(tmp_path)
    assert done.returncode == 0
    assert "line 40: cut off in the middle" in done.stderr
    browser.open(tmp_path / "report.html")
    assert browser.complaints == []
    assert "cut off in the middle" in browser.text(".problem")
    assert browser.run("document.querySelectorAll('.cell').length") == 39


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "empty"),
        (json.dumps({**json.loads(lines(count=1)[0]), "schema": 2}) + "\n", "it has schema 2"),
        ("\x1b[31m<b>\n", "not JSON"),
        (json.dumps({**json.loads(lines(count=1)[0]), "verdict": EVIL}) + "\n", "verdict"),
        (json.dumps({**json.loads(lines(count=1)[0]), "path": None}) + "\n", "path is not a JSON object"),
        (None, "could not be read: No such file"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_one_line(tmp_path, content, told):
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content, encoding="utf-8")
    done = report(tmp_path)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert "\x1b" not in done.stderr
    assert not (tmp_path / "report.html").exists()
