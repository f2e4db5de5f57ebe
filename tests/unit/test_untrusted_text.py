from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.report.lines import wrapped
from pytest_hdp.untrusted.text import LIMIT, no_command, safe

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
"""Lone surrogates, controls and unassigned code points included."""


@given(ANY_TEXT)
def test_nothing_that_acts_on_a_terminal_survives(text: str):
    shown = safe(text)
    assert shown.isprintable()
    shown.encode("utf-8")


@given(ANY_TEXT)
def test_without_unicode_only_printable_ascii_is_left(text: str):
    shown = safe(text, unicode=False)
    assert shown.isascii()
    assert shown.isprintable() or not shown


@given(ANY_TEXT)
def test_showing_twice_changes_nothing(text: str):
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 100 % - ok", "plain text, 100 % - ok"),
        ("Grüße \N{SALUTING FACE}", "Grüße \N{SALUTING FACE}"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\t\0", r"two\nlines\t\x00"),
        ("\x9b1m", r"\x9b1m"),
        ("abc\u202efed", r"abc\u202efed"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        (None, "None"),
        (b"\x1b", r"b'\x1b'"),
        ("see ##[error]x, ##vso[task.complete]", r"see #\x23[error]x, #\x23vso[task.complete]"),
        ("###[group]", r"##\x23[group]"),
        ("## a list [1]", "## a list [1]"),
    ],
)
def test_escapes_are_readable(text: object, shown: str):
    assert safe(text) == shown


def test_a_flood_is_cut():
    assert safe("a" * (LIMIT + 1)) == "a" * LIMIT + "..."
    assert safe("a" * LIMIT) == "a" * LIMIT


@given(st.lists(st.sampled_from(["##", "#", "[", "vso", "x ", "::", ":", "error", " ", "\N{SNOWMAN}"])).map("".join))
def test_no_runner_of_ci_jobs_reads_a_command(text: str):
    assert not re.search(r"##\w*\[", safe(text))
    for width in (10, 20, 80):
        assert not [line for line in wrapped(safe(text), width, "  ") if re.match(r"\s*::[a-z]+.*::", line)]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::error title=x::y", r"\x3a:error title=x::y"),
        ("  ::stop-commands::x", r"  \x3a:stop-commands::x"),
        ("::1 could not be measured", "::1 could not be measured"),
        ("  ::ffff:192.0.2.1 to fd00::2", r"  \x3a:ffff:192.0.2.1 to fd00::2"),
        ("  fd00::2 -> ::1", "  fd00::2 -> ::1"),
    ],
)
def test_a_line_that_begins_as_a_command_is_no_more_one(line: str, shown: str):
    assert no_command(line) == shown
