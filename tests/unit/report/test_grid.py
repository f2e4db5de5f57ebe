from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_hdp.judge.evidence import behind
from pytest_hdp.judge.result import PathInfo, Result
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.packet.chain import CHAINS
from pytest_hdp.report.grid import grid, grids
from pytest_hdp.report.lines import text_of


@pytest.fixture
def linux(record: Any) -> list[Result]:
    """Return the loopback run of a Linux machine with one surprise at 47."""
    run = [record(n) for n in range(1, 256) if n != 47]
    run += [record(n, "refused_at_socket", "xfailed") for n in (-1, 0, 263)]
    run += [record(n, "renumbered", "xfailed") for n in range(256, 263)]
    return [*run, record(47, "held_by_receiver", "failed")]


def turned(result: Result) -> Result:
    train = replace(result.judgement.train, direction=Direction.REVERSE)
    return replace(result, judgement=replace(result.judgement, train=train))


def drawn(records: list[Result], **how: Any) -> list[str]:
    return [text_of(line) for line in grids(records, **how)]


def test_the_picture_at_80_columns(linux: list[Result]):
    assert drawn(linux, width=80, unicode=False) == [
        "lab home-nat, 192.0.2.2 -> 198.51.100.2, forward, bare",
        "          0 1 2 3 4 5 6 7 8 9 a b c d e f",
        "0x0_   0  k . . . . . . . . . . . . . . .",
        "0x1_  16  . . . . . . . . . . . . . . . .",
        "0x2_  32  . . . . . . . . . . . . . . . A",
        *(f"0x{row:x}_ {row * 16:3}  . . . . . . . . . . . . . . . ." for row in range(3, 16)),
        "out of range:  -1 k  256-262 n  263 k",
        "k 3 refused at socket (expected)   n 7 renumbered (expected)",
        "A 1 held by receiver (FAILED)   . 254 delivered",
    ]


def test_colours_go_with_the_letters(linux: list[Result]):
    lines = grid(linux)
    assert ("A", "red") in [(text.strip(), shade) for text, shade in lines[4]]
    assert ("k", "cyan") in [(text.strip(), shade) for text, shade in lines[2]]
    assert (".", "green") in [(text.strip(), shade) for text, shade in lines[2]]


@pytest.mark.parametrize("width", [22, 35, 40, 41, 80, 99, 100, 140])
@pytest.mark.parametrize("unicode", [True, False])
def test_it_fits_any_width(linux: list[Result], width: int, unicode: bool):
    both = [*linux, *map(turned, linux)]
    title_and_legend_need = 34
    for line in drawn(both, width=width, unicode=unicode):
        assert len(line) <= max(width, title_and_legend_need)
        assert line.isascii() or unicode


def test_a_narrow_terminal_loses_the_blanks_only(linux: list[Result]):
    narrow, wide = drawn(linux, width=35), drawn(linux, width=80)
    assert "0x2_ ...............A" in narrow
    assert [x for x in narrow if x.startswith("0x")] == [
        x[:5] + x[10:].replace(" ", "") for x in wide if x.startswith("0x")
    ]


def test_numbers_not_measured_are_blank_and_empty_rows_left_out(record: Any):
    lines = grids([record(6), record(253, "lost", "failed")], width=80)
    rows = ["".join(text for text, _ in line) for line in lines if line[0][0].startswith("0x")]
    assert rows == ["0x0_   0              .", "0xf_ 240                            L"]


def test_only_out_of_range_numbers_draw_no_empty_grid(record: Any):
    assert drawn([record(256, "renumbered", "xfailed")], unicode=False)[1:] == [
        "out of range:  256 n",
        "n 1 renumbered (expected)",
    ]


def test_two_directions_stand_side_by_side_from_100_columns(record: Any):
    there = [record(n) for n in range(256)]
    back = [record(n, "lost", "failed", direction="reverse") for n in range(256)]
    narrow, wide = drawn(there + back, width=99), drawn(there + back, width=100)
    assert len(wide) < len(narrow)
    assert any(line.count("0x0_") == 2 and ". . ." in line and "L L L" in line for line in wide)
    assert "198.51.100.2 → 192.0.2.2, reverse" in wide[0]


def test_three_paths_make_three_pictures(record: Any):
    paths = [PathInfo("lab", name, "a", "b", None) for name in ("one", "two", "three")]
    for width in (80, 120):
        text = "\n".join(drawn([replace(record(6), path=path) for path in paths], width=width))
        assert text.count("0x0_") == 3


def test_the_worst_of_several_results_for_a_number_shows(record: Any):
    twice = [record(6), record(6, "lost", "failed"), record(6)]
    assert "0x0_   0              L" in drawn(twice)
    assert "L 1 lost (FAILED)" in drawn(twice)


def test_nothing_measured_draws_nothing():
    assert grids([]) == grid([]) == []


def test_hostile_strings_draw_harmlessly(hostile_result: Result):
    for unicode in (True, False):
        lines = drawn([hostile_result], unicode=unicode)
        assert all(line.isprintable() or not line for line in lines)
        assert unicode or all(line.isascii() for line in lines)


def behind_headers(record: Any, chain: str, transport: int, *said: str) -> Result:
    made = record(60, *said, form="wellformed", ip_version=6)
    train = behind(CHAINS[chain], transport)
    return replace(made, judgement=replace(made.judgement, train=train))


def test_what_passes_behind_extension_headers_is_one_table(record: Any):
    asked = [(chain, number) for chain in ("dst8", "hbh8-dst8-rt8-frag8", "hbh8") for number in (253, 6, 17)]
    lost = ("lost", "failed")
    run = [behind_headers(record, *each, *(lost if each == ("dst8", 17) else ())) for each in asked]
    assert drawn([*run, record(6, ip_version=6)], width=80, unicode=False) == [
        "lab home-nat, 192.0.2.2 -> 198.51.100.2, forward, bare, IPv6",
        "          0 1 2 3 4 5 6 7 8 9 a b c d e f",
        "0x0_   0              .",
        ". 1 delivered",
        "",
        "lab home-nat, 192.0.2.2 -> 198.51.100.2, forward, behind extension headers, IPv6",
        "                       6  17 253",
        "hbh8                   .   .   .",
        "dst8                   .   L   .",
        "hbh8-dst8-rt8-frag8    .   .   .",
        "L 1 lost (FAILED)   . 8 delivered",
    ]
