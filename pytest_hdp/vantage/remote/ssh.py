"""A host behind SSH: what `ssh=...` names, and why no agent can be had there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.vantage.remote.access import NOT_FOUND, OUR_WORDS, lines, own_words, split, wanted
from pytest_hdp.vantage.remote.launcher import Terms, loader

if TYPE_CHECKING:
    from pytest_hdp.vantage.remote.launcher import NotStarted

SYNTAX = f"ssh={OUR_WORDS} [options of ssh] [USER@]HOST"
# After the user's own, since ssh takes the first value it finds. Nothing is asked for, and nothing forwarded.
_OPTIONS = (
    "-T",
    "-a",
    "-x",
    *("-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=10"),
    *("-o", "ServerAliveInterval=5"),
    *("-o", "ServerAliveCountMax=3"),
    *("-o", "ClearAllForwardings=yes"),
    *("-o", "Compression=yes"),
)
_WITH_VALUE = [[f"-{letter}"] for letter in "BbcDEeFIiJLlmOoPpQRSWw"]  # ssh(1): what follows these is no host
_OF_SSH = 255  # ssh(1): an error of its own; any other status is that of what ran there
_FORCED = (
    "something else runs there than what was asked for: does a ForceCommand, a command= before the key or the login "
    "shell forbid it?"
)
_BUSY = ("kex_exchange_identification: ", "ssh_exchange_identification: ", "Exceeded MaxStartups")
_AWAY = (
    "Connection refused",
    "timed out",
    "No route to host",
    "Network is unreachable",
    "Could not resolve hostname",
)
_UNREACHABLE = (*_AWAY, "Connection closed", "Connection reset")


@dataclass(frozen=True, slots=True)
class Login:
    """How to get there. `words`: arguments of ssh, the destination last; `python`: the interpreter there."""

    words: tuple[str, ...]
    python: str = "python3"
    terms: Terms = field(default_factory=Terms)

    @property
    def destination(self) -> str:
        """Where to, without the options."""
        return self.words[-1]

    @property
    def command(self) -> list[str]:
        """The whole command line."""
        there = " ".join(map(shlex.quote, loader(self.python)))
        return ["ssh", *self.words[:-1], *_OPTIONS, "--", self.words[-1], there]

    @property
    def name(self) -> str:
        """As it was asked for, without the options."""
        return f"ssh={self.destination}"

    @property
    def install(self) -> str:
        """What to do where there is no ssh."""
        return "install OpenSSH's client"

    def is_busy(self, printed: str) -> bool:
        """Whether its sshd has too many logins at a time."""
        return is_busy(printed)

    def reason(self, error: NotStarted) -> str:
        """What is wrong and what to do, with the words of whoever refused; a banner's are nobody's."""
        return _reason(self, error)


def parse(text: str) -> Login:
    """Read what follows `ssh=`. Raises ValueError, one line."""
    words = split("ssh", text, SYNTAX)
    asked = wanted(words)
    if not words or words[-1].startswith("-") or not words[-1].strip() or words[-2:-1] in _WITH_VALUE:
        raise ValueError(f"ssh={text} ends in no host; it is {SYNTAX}")
    return Login(tuple(words), asked.python, asked.terms)


def is_busy(printed: str) -> bool:
    """Whether an sshd ended a connection before a login began: there are too many of those at a time (MaxStartups).

    The way through a jump host ends like that, too, and then something else was printed before.
    """
    others = ("Host key verification failed", "Permission denied", *_AWAY)
    return any(said in printed for said in _BUSY) and not any(said in printed for said in others)


def _reason(login: Login, error: NotStarted) -> str:
    """What is wrong and what to do, with the words of whoever refused; a banner's are nobody's."""
    said, own = lines(error.printed), lines(error.own)
    last = (own or said or [""])[-1]
    if known := own_words(error) or error.why:
        return known
    if error.status in NOT_FOUND and not error.begun:
        return f"there is no {login.python} there: install Python 3.8 or later, or name it with python=PATH ({last})"
    if error.status != _OF_SSH and not error.begun:
        ended = "it does not end" if error.status is None else f"it ended with status {error.status}"
        return f"{_FORCED} ({ended}{f': {last}' if last else ''})"
    return refusal(login.words, said) or last or f"ssh ended with status {error.status}"


def refusal(words: Sequence[str], said: list[str]) -> str:
    """With the lines that tell which host it is about: the last one is often of the way through a jump host."""

    def having(*parts: str) -> list[str]:
        return [line for line in said if any(part in line for part in parts)]

    if unverified := having("Host key verification failed"):
        told = " ".join([*having("ost key for ", "host key is known for "), *unverified])
        if having("REMOTE HOST IDENTIFICATION HAS CHANGED"):
            return f"a host key is not the known one: find out why before anything else ({told})"
        by_hand = shlex.join(["ssh", *words])
        return f"a host key is not known: log in by hand once, and check it: {by_hand} ({told})"
    if denied := having("Permission denied"):
        why = "no key of yours is accepted for this user, and no password is asked for: see ssh's -i and ssh-agent"
        return f"{why} ({denied[0]})"
    if is_busy("\n".join(said)):
        return f"its sshd ends logins before they begin: too many at a time, for its MaxStartups? ({having(*_BUSY)[0]})"
    if failed := having(*_UNREACHABLE):
        return f"it can't be reached: check host, port and network ({failed[0]})"
    return ""
