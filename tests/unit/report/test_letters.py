from __future__ import annotations

import pytest
from _pytest._io import TerminalWriter

from pytest_hdp.judge.verdict import Containment, Outcome, Verdict
from pytest_hdp.report.letters import UNKNOWN_LETTER, colour, letter, status

WORDS = (*Verdict, *Containment)


def test_a_leak_reads_as_got_out_since_leaked_is_a_state_of_nat():
    assert status("leaked", "failed")[2][0] == "FAILED got out"
    assert status("contained", "passed")[1:] == ("c", ("PASSED contained", {"green": True}))


def test_no_two_verdicts_share_a_letter():
    usual = [letter(v, Outcome.PASSED) for v in WORDS]
    failed = [letter(v, Outcome.FAILED) for v in WORDS]
    assert len({*usual, *failed}) == 2 * len(WORDS)


def test_every_letter_is_one_printable_ascii_character():
    letters = [letter(v, o) for v in WORDS for o in Outcome]
    assert all(len(x) == 1 and x.isascii() and x.isprintable() and x != " " for x in letters)


def test_only_what_was_not_expected_is_upper_case():
    for verdict in WORDS:
        assert letter(verdict, Outcome.FAILED).isupper()
        assert not any(letter(verdict, o).isupper() for o in Outcome if o is not Outcome.FAILED)


def test_letters_that_mean_something_else_to_pytest_are_left_alone():
    letters = {letter(v, o) for v in WORDS for o in Outcome}
    assert not letters & {"x", "F", "E", "p", "P"}
    assert letter("delivered", "passed") == "."
    assert letter("silent", "skipped") == "s"


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("verdict", Verdict)
def test_status_is_what_pytest_takes(verdict: Verdict, outcome: Outcome):
    category, short, (word, markup) = status(verdict, outcome)
    assert category == outcome.value
    assert short == letter(verdict, outcome)
    assert word.endswith(f" {verdict.value}")
    assert set(markup) <= set(TerminalWriter._esctable)
    assert ("red" in markup) == (outcome is Outcome.FAILED)


def test_status_words_are_pytests_own():
    assert status("refused_at_socket", "xfailed")[2][0] == "XFAIL refused_at_socket"
    assert status("delivered", "passed") == ("passed", ".", ("PASSED delivered", {"green": True}))


def test_a_verdict_of_a_newer_version_has_a_letter_too():
    assert letter("teleported", "passed") == letter("teleported", "failed") == UNKNOWN_LETTER
    assert colour("teleported", "odd")
