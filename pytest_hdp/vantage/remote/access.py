"""What all ways to have a Python far away share: words of ours before the name, and which refusal becomes the line."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pytest_hdp.vantage.remote.launcher import Terms
from pytest_hdp.vantage.remote.pipes import NOISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_hdp.vantage.remote.launcher import NotStarted

OUR_WORDS = "[drop] [python=PATH] [budget=PACKETS] [lifetime=SECONDS]"
NOT_FOUND = (126, 127)  # exit statuses of who runs a program that can't be run, or is not there
NEEDS_RAW = "raw sockets "
"""How the loader and the agent begin to say that they lack the privilege."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")


class Access(Protocol):
    """A way to a Python whose standard input and output are ours."""

    @property
    def name(self) -> str:
        """Where it is, as it was asked for: `ssh=root@host`."""

    @property
    def terms(self) -> Terms:
        """What the agent may do there, without its peers."""

    @property
    def command(self) -> list[str]:
        """The words that start the loader there. No shell reads them here."""

    @property
    def install(self) -> str:
        """What to do where the first of these words names no program."""

    def is_busy(self, printed: str) -> bool:
        """Whether the far side has too much to do just now, and is to be asked again."""

    def reason(self, error: NotStarted) -> str:
        """What is wrong and what to do, in a line, with the words of whoever refused."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What words of ours ask for: the interpreter there, and the agent's terms."""

    python: str = "python3"
    terms: Terms = field(default_factory=Terms)


def split(how: str, text: str, syntax: str) -> list[str]:
    """The words of a specification, as a shell would read them. Raises ValueError, one line."""
    if not text.isprintable():
        raise ValueError(f"{how}={text!r} holds characters that can't be printed; it is {syntax}")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{how}={text}: {str(error).lower()}; it is {syntax}") from None


def wanted(words: list[str]) -> Wanted:
    """Take words of ours off the beginning; a host may be called drop. Raises ValueError, one line."""
    found = Wanted()
    while words and words != ["drop"] and (more := _one(words[0], found)) is not None:
        found = more
        del words[0]
    return found


def _one(word: str, found: Wanted) -> Wanted | None:
    """What a word adds; None if it is none of ours."""
    name, equals, value = word.partition("=")
    if word == "drop":
        return replace(found, terms=replace(found.terms, drop=True))
    if equals and name == "python" and value:
        return replace(found, python=value)
    if equals and name == "budget":
        return replace(found, terms=replace(found.terms, budget=_whole(name, value, 1_000_000_000)))
    if equals and name == "lifetime":
        return replace(found, terms=replace(found.terms, lifetime=_whole(name, value, 1_000_000)))
    return None


def _whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:20]) <= most):
        raise ValueError(f"{name}={text} is not a whole number from 1 to {most}")
    return int(text)


def is_name(text: str) -> bool:
    """Whether it can be the name of a container: none begins with a dash, which would make it an option."""
    return _NAME.fullmatch(text) is not None


def lines(text: str) -> list[str]:
    """The lines that hold something, each with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def own_words(error: NotStarted) -> str:
    """What our code said there before it ended, or "" if it said nothing."""
    for line in lines(error.own):
        if line.startswith("hdp: "):
            return line.removeprefix("hdp: ")
        if line.startswith("sudo: "):
            return (
                f"{NEEDS_RAW}need root there, and sudo -n is refused: let the user run it without a password, "
                f"or log in as root ({line})"
            )
    return error.why if error.why.startswith(NEEDS_RAW) else ""


Advice: TypeAlias = "Sequence[tuple[tuple[str, ...], str]]"
"""What a client says, in lower case, of a trouble, any of these texts, and what to do about it."""


def refusal(error: NotStarted, advice: Advice, no_python: str) -> str:
    """What a client refused and what to do, by the first trouble that it tells; "" where it has told of none."""
    said = lines(error.printed)
    for texts, what in advice:
        if found := [line for line in said if any(text in line.lower() for text in texts)]:
            return f"{what} ({found[-1]})"
    return f"{no_python} (status {error.status})" if error.status in NOT_FOUND and not said else ""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What to do where a client gives no agent. `without_raw`: why raw sockets are refused there, after `NEEDS_RAW`.

    `unanswered`: asked where nothing answered in time.
    """

    without_raw: str
    advice: Advice
    no_python: str
    unanswered: str


def reason_of(program: str, error: NotStarted, remedies: Remedies) -> str:
    """What is wrong and what to do: our own code's words first, then the client's refusal, then how it ended."""
    own = own_words(error)
    if own.startswith(NEEDS_RAW):
        return f"{NEEDS_RAW}{remedies.without_raw}"
    if own:
        return own
    if not error.begun:
        if refused := refusal(error, remedies.advice, remedies.no_python):
            return refused
        if error.why.startswith("nothing answered"):
            return f"{error.why}: {remedies.unanswered}"
    return ended(program, error)


def ended(program: str, error: NotStarted) -> str:
    """The last thing that is known of a program that gave us no agent."""
    if error.why == NOISE:
        return "something there prints before the agent starts: no terminal in between (-t), and nothing but Python"
    if error.why:
        return error.why
    said: Sequence[str] = lines(error.own) or lines(error.printed)
    how = "does not end" if error.status is None else f"ended with status {error.status}"
    return f"{program} {how}, and no Python answered{f' ({said[-1]})' if said else ''}"
