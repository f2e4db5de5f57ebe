"""One letter, word and colour on the terminal per verdict, so that pytest's progress line is the picture.

A mark means that the train got there ("." delivered, "+" the target answered). A letter says where it
ended: lower case where that was expected, upper case where it was not. So a run in which everything is as
known shows no capital, with or without colour, in any encoding. pytest's own letters keep their meaning:
"s" is a skip, "X" a train that was expected to fail and got through; "x", "F" and "E" are never used for a
verdict.
"""

from __future__ import annotations

from collections.abc import Collection

from pytest_hdp.judge.verdict import Containment, Direction, Outcome, Verdict

UNKNOWN_LETTER = "~"
"""Stands for a verdict that this version does not know (a results file of a newer one)."""

_LETTERS: dict[str, tuple[str, str]] = {
    Verdict.REFUSED_AT_SOCKET: ("k", "K"),  # soc(k)et
    Verdict.REFUSED_AT_SEND: ("d", "D"),  # sen(d)
    Verdict.HELD_BY_SENDER: ("h", "H"),  # (h)eld
    Verdict.RENUMBERED: ("n", "N"),  # (n)umber
    Verdict.REJECTED: ("j", "J"),  # re(j)ected
    Verdict.LOST: ("l", "L"),  # (l)ost
    Verdict.FIRST_ONLY: ("o", "O"),  # (o)nce
    Verdict.LOSSY: ("y", "Y"),  # loss(y)
    Verdict.HELD_BY_RECEIVER: ("a", "A"),  # (a)rrived, and no further
    Verdict.MODIFIED: ("m", "M"),  # (m)odified
    Verdict.DELIVERED: (".", "X"),
    Verdict.REACHED: ("+", "Z"),
    Verdict.SILENT: ("s", "S"),
    Verdict.INCONCLUSIVE: ("?", "Q"),
    Containment.CONTAINED: ("c", "C"),  # (c)ontained
    Containment.LEAKED: ("g", "G"),  # (g)ot out
    Containment.UNPROVEN: ("u", "U"),  # (u)nproven
    Containment.ALLOWED: ("w", "W"),  # allo(w)ed
    Containment.BLOCKED: ("b", "B"),  # (b)locked
}

_SENDER, _PATH, _PASS, _OPEN, _WRONG = "cyan", "purple", "green", "yellow", "red"
_COLOURS: dict[str, str] = {
    Verdict.REFUSED_AT_SOCKET: _SENDER,
    Verdict.REFUSED_AT_SEND: _SENDER,
    Verdict.HELD_BY_SENDER: _SENDER,
    Verdict.RENUMBERED: _SENDER,
    Verdict.DELIVERED: _PASS,
    Verdict.REACHED: _PASS,
    Verdict.SILENT: _OPEN,
    Verdict.INCONCLUSIVE: _OPEN,
    Containment.CONTAINED: _PASS,
    Containment.ALLOWED: _PASS,
    Containment.UNPROVEN: _OPEN,
}

_PYTEST_WORDS: dict[str, str] = {
    Outcome.PASSED: "PASSED",
    Outcome.FAILED: "FAILED",
    Outcome.XFAILED: "XFAIL",
    Outcome.SKIPPED: "SKIPPED",
}


def letter(verdict: str, outcome: str) -> str:
    """Return the single ASCII letter of a verdict: upper case (or X, Z, S, Q) if the test failed."""
    usual, unexpected = _LETTERS.get(verdict, (UNKNOWN_LETTER, UNKNOWN_LETTER))
    return unexpected if outcome == Outcome.FAILED else usual


def colour(verdict: str, outcome: str) -> str:
    """Return pytest's name of a colour: red if the test failed, else by where on the path the train ended."""
    if outcome == Outcome.FAILED:
        return _WRONG
    return _COLOURS.get(verdict, _PATH)


def words(verdict: str, direction: Direction = Direction.FORWARD) -> str:
    """Return the verdict as it reads in a sentence: `refused_at_socket` as "refused at socket"."""
    return Containment(verdict).told(direction) if verdict in set(Containment) else verdict.replace("_", " ")


def words_for(verdict: str, ways: Collection[Direction]) -> str:
    """Return how it reads of trains that ran these ways: "got out or got in" of those that ran both."""
    return " or ".join(dict.fromkeys(words(verdict, way) for way in sorted(ways)))


def status(
    verdict: str,
    outcome: str,
    count: int = 1,
    *,
    own_reason: bool = False,
    direction: Direction = Direction.FORWARD,
) -> tuple[str, str, tuple[str, dict[str, bool]]]:
    """Return what `pytest_report_teststatus` wants: (category, letter, (word, markup)).

    The category is pytest's own ("passed", "failed", "xfailed", "skipped"), so that the last line counts as
    users expect: "255 passed, 10 xfailed". The word (seen with -v) is pytest's, then the verdict: "XFAIL
    refused_at_socket". `count`: of how many equal failures it is said, "FAILED 252 lost".
    `own_reason`: the verdict is not what failed the test, "FAILED (delivered)".
    """
    markup = {colour(verdict, outcome): True}
    if outcome == Outcome.FAILED:
        markup["bold"] = True
    many = f"{count} " if count > 1 else ""
    said = words(verdict, direction) if verdict in set(Containment) else verdict
    shown = f"({said})" if own_reason else said
    word = f"{_PYTEST_WORDS.get(outcome, outcome.upper())} {many}{shown}"
    return str(outcome), letter(verdict, outcome), (word, markup)
