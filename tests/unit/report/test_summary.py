from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_hdp.judge.result import Result
from pytest_hdp.judge.verdict import Outcome, Verdict
from pytest_hdp.report.expected import expected_and_got
from pytest_hdp.report.fields import folded, reason
from pytest_hdp.report.lines import text_of
from pytest_hdp.report.summary import surprises


def said(records: list[Result], **how: Any) -> list[str]:
    return [text_of(line) for line in surprises(records, **how)]


def lost(record: Any, number: int, why: str = "3 of 3 left eth0, none arrived", **fields: Any) -> Result:
    return record(number, "lost", "failed", explanation=f"{number}, forward: {why}.", **fields)


def test_one_line_when_all_is_as_expected(record: Any):
    run = [record(1), record(2), record(0, "refused_at_socket", "xfailed")]
    assert said(run) == ["All as expected. 3 trains: 1 refused at socket (expected), 2 delivered"]


def test_nothing_measured_says_nothing():
    assert surprises([]) == []


def test_equal_surprises_are_one_sentence(record: Any):
    run = [record(6), *(lost(record, n) for n in (51, 47, 50, 132, 148))]
    assert said(run, width=200) == [
        "47, 50-51, 132, 148: expected delivered, got lost: 3 of 3 left eth0, none arrived.",
        "6 trains: 5 lost (FAILED), 1 delivered",
    ]


def test_up_to_four_numbers_carry_their_keywords(record: Any):
    assert said([lost(record, n) for n in (47, 50, 51, 132)], width=200)[0].startswith("47 (gre), 50, 51, 132 (sctp): ")


def test_different_reasons_are_different_sentences(record: Any):
    run = [lost(record, 47, "died here"), lost(record, 50, "died there")]
    assert [line.split(": ")[-1] for line in said(run)[:2]] == ["died here.", "died there."]


def test_many_different_reasons_are_one_sentence_with_an_example(record: Any):
    run = [lost(record, n, f"{n} of 300 arrived") for n in range(150, 170)]
    assert said(run, width=200) == [
        "150-169: expected delivered, got lost; for example 150: 150 of 300 arrived.",
        "20 trains: 20 lost (FAILED)",
    ]


def test_what_differs_beside_an_equal_verdict_is_named_on_both_sides(record: Any):
    wrong = record(
        0, "refused_at_socket", "failed", expected="refused_at_socket", errno="EINVAL", expected_errno="EPERM"
    )
    assert "0: expected refused at socket (EPERM), got refused at socket (EINVAL): " in said([wrong], width=200)[0]
    wrong = record(256, "renumbered", "failed", expected="renumbered", wire_protocol=1, expected_wire_protocol=0)
    assert "256: expected renumbered to 0, got renumbered to 1: " in said([wrong], width=200)[0]


@pytest.mark.parametrize("expected", [None, "delivered"])
def test_a_test_that_failed_by_itself_is_not_said_to_have_failed_by_its_verdict(record: Any, expected: str | None):
    assert said([record(47, "delivered", "failed", expected=expected)])[0].startswith(
        "47 (gre): delivered, but the test failed: "
    )
    wrong = record(0, "refused_at_socket", "failed", expected="refused_at_socket", errno="EINVAL")
    assert "0: refused at socket (EINVAL), but the test failed: " in said([wrong], width=200)[0]


def test_sides_that_read_the_same_are_never_both_told(record: Any):
    for verdict in Verdict:
        for outcome in Outcome:
            for errno in (None, "EINVAL"):
                told = expected_and_got(record(7, verdict, outcome, expected=verdict, errno=errno))
                assert "expected" not in told, (verdict, outcome, errno)


def test_a_delivery_that_was_not_expected_is_a_surprise(record: Any):
    assert said([record(50, "delivered", "failed", expected="refused_at_send")])[0].startswith(
        "50: expected refused at send, got delivered: 3 of 3"
    )


def test_what_is_open_comes_after_what_failed_with_its_reason(record: Any):
    run = [
        record(
            1,
            "inconclusive",
            "skipped",
            expected=None,
            explanation="1, forward: 2 of 3 rounds lost the control.",
        ),
        record(
            9,
            "inconclusive",
            "skipped",
            expected=None,
            explanation="9, forward: 2 of 3 rounds lost the control.",
        ),
        lost(record, 47),
    ]
    lines = said(run, width=200)
    assert lines[0].startswith("47 (gre): expected delivered, got lost")
    assert lines[1] == "1, 9: inconclusive: 2 of 3 rounds lost the control."


def test_several_paths_are_named_above_their_surprises(record: Any):
    run = [record(6), lost(record, 47, direction="reverse")]
    lines = said(run, unicode=False)
    assert lines[0] == "lab home-nat, 198.51.100.2 -> 192.0.2.2, reverse, bare:"
    assert not any("192.0.2.2 -> 198" in line for line in lines)


@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_lines_are_folded_to_the_width(record: Any, width: int):
    run = [lost(record, n) for n in range(0, 256, 2)]
    assert all(len(line) <= width for line in said(run, width=width))


def test_hostile_strings_are_shown_harmlessly(hostile_result: Result):
    bad = replace(hostile_result, outcome=Outcome.FAILED)
    for unicode in (True, False):
        assert all(line.isprintable() for line in said([bad], unicode=unicode))
    assert all(line.isascii() for line in said([bad], unicode=False))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([5], "5"),
        ([50, 47, 51, 50], "47, 50-51"),
        ([-1, 0, 1, 263], "-1, 0-1, 263"),
        ([-2, -1], "-2, -1"),
    ],
)
def test_numbers_are_folded(numbers: list[int], text: str):
    assert folded(numbers) == text


@pytest.mark.parametrize(
    ("explanation", "text"),
    [
        ("132 (sctp), wellformed, forward: gone.", "gone."),
        ("132 (sctp), wellformed, forward: a: b.", "a: b."),
        ("132, forward: gone.", "gone."),
        ("3 of 3 left: gone.", "3 of 3 left: gone."),
        ("gone.", "gone."),
    ],
)
def test_the_subject_is_taken_off_the_reason(record: Any, explanation: str, text: str):
    assert reason(record(132, form="wellformed", explanation=explanation)) == text


def test_what_was_not_asked_is_told_apart(record: Any):
    here = "lost between 203.0.113.6 (hop 2) and 198.51.100.2 (hop 3)"
    beside = f"{here}, if it fares as 47 did: it was not asked itself"
    run = [lost(record, 47, here, climb={}), *(lost(record, n, beside, climb={"with": 47}) for n in (50, 51))]
    lines = said(run, width=200)
    assert lines[0] == f"47 (gre): expected delivered, got lost: {here}."
    assert lines[1] == f"50, 51: expected delivered, got lost: {beside}."
    assert len(lines) == 3


def test_the_example_of_many_is_one_that_says_something_of_the_path(record: Any):
    numbers = (1, 6, 17, 50, 47)
    run = [record(n, "silent", "skipped", explanation=f"{n}, forward: {n} probes.", expected=None) for n in numbers]
    assert "for example 47 (gre): 47 probes." in said(run, width=200)[0]
