"""A host behind SSH as a place with sockets: what `--hdp-agent=ssh=...` names, and why it can't be had."""

from __future__ import annotations

import atexit
import random
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pytest_hdp.judge.explain import plain
from pytest_hdp.vantage.places import PlaceError
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.remote.launcher import NotStarted, Terms, loader, start

SYNTAX = "ssh=[drop] [python=PATH] [budget=PACKETS] [lifetime=SECONDS] [options of ssh] [USER@]HOST"
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
_NOT_FOUND = (126, 127)
_LONGEST = 1000  # characters of a reason, much of which is the far end's
_OF_SSH = 255  # ssh(1): an error of its own; any other status is that of what ran there
_FORCED = (
    "something else runs there than what was asked for: does a ForceCommand, a command= before the key or the login "
    "shell forbid it?"
)
_BUSY = ("kex_exchange_identification: ", "ssh_exchange_identification: ", "Exceeded MaxStartups")
BUSY_PAUSES = (0.3, 0.6, 1.2, 2.4, 4.0)  # seconds before another try
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


def parse(text: str) -> Login:
    """Read what follows `ssh=`. Raises ValueError, one line."""
    if not text.isprintable():
        raise ValueError(f"ssh={text!r} holds characters that can't be printed; it is {SYNTAX}")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"ssh={text}: {str(error).lower()}; it is {SYNTAX}") from None
    python, terms = "python3", Terms()
    while words:
        name, equals, value = words[0].partition("=")
        if words[0] == "drop" and len(words) > 1:
            terms = replace(terms, drop=True)
        elif equals and name == "python" and value:
            python = value
        elif equals and name == "budget":
            terms = replace(terms, budget=_whole(name, value, 1_000_000_000))
        elif equals and name == "lifetime":
            terms = replace(terms, lifetime=_whole(name, value, 1_000_000))
        else:
            break
        del words[0]
    if not words or words[-1].startswith("-") or not words[-1].strip() or words[-2:-1] in _WITH_VALUE:
        raise ValueError(f"ssh={text} ends in no host; it is {SYNTAX}")
    return Login(tuple(words), python, terms)


def _whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= most):
        raise ValueError(f"{name}={text} is not a whole number from 1 to {most}")
    return int(text)


class ssh:  # noqa: N801 (reads as a function)
    """A host that ssh(1) reaches. `peers`: addresses that may be sent to from there without anything come from them."""

    def __init__(self, text: str, peers: tuple[str, ...] = ()) -> None:
        login = parse(text)
        self._login = replace(login, terms=replace(login.terms, peers=peers))
        self._ready: RemoteStation | None = None
        self._trying: threading.Thread | None = None
        self._refused: PlaceError | None = None

    def describe(self) -> str:
        """Name the host, as it was asked for."""
        return f"ssh={self._login.destination}"

    def begin(self) -> None:
        """Have `connect` done meanwhile: many hosts are logged in to side by side."""
        if self._trying is None:
            self._trying = threading.Thread(target=self._try, name=f"login to {self.describe()}", daemon=True)
            self._trying.start()

    @property
    def pending(self) -> bool:
        """Whether that is still going on."""
        return self._trying is not None and self._trying.is_alive()

    def connect(self) -> None:
        """Log in and start the agent, for the next `station`. Raises PlaceError, one line. Sends nothing else."""
        if self._trying is not None:
            self._trying.join()
            if self._refused is not None:
                raise self._refused
        self._connect()

    def _try(self) -> None:
        try:
            self._connect()
        except PlaceError as error:
            self._refused = error

    def _connect(self) -> None:
        if self._ready is not None and self._ready.gone is None:
            return
        name = f"the agent {self.describe()}"
        try:
            self._ready = self._started(name)
        except NotStarted as error:
            raise PlaceError(f"{name} can't be had: {plain(_reason(self._login, error)[:_LONGEST])}") from None
        except FileNotFoundError:
            raise PlaceError(f"{name} can't be had: there is no program ssh here: install OpenSSH's client") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise PlaceError(f"{name} can't be had: ssh can't be started: {error}") from None
        atexit.register(self._ready.close)

    def _started(self, name: str) -> RemoteStation:
        """Log in, and again where a host that has too many at a time ends it at once."""
        for pause in BUSY_PAUSES:
            try:
                return start(self._login.command, name, self._login.terms)
            except NotStarted as error:
                if not is_busy(error.printed):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
        return start(self._login.command, name, self._login.terms)

    @contextmanager
    def station(self) -> Iterator[RemoteStation]:
        """Give a station there; it ends, and everything there, with the context. Raises PlaceError."""
        self.connect()
        station, self._ready = self._ready, None
        assert station is not None, "connect() raises or connects"
        try:
            with station:
                yield station
        finally:
            atexit.unregister(station.close)


def is_busy(printed: str) -> bool:
    """Whether an sshd ended a connection before a login began: there are too many of those at a time (MaxStartups).

    The way through a jump host ends like that, too, and then something else was printed before.
    """
    others = ("Host key verification failed", "Permission denied", *_AWAY)
    return any(said in printed for said in _BUSY) and not any(said in printed for said in others)


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _reason(login: Login, error: NotStarted) -> str:
    """What is wrong and what to do, with the words of whoever refused; a banner's are nobody's."""
    lines, own = _lines(error.printed), _lines(error.own)
    last = (own or lines or [""])[-1]
    for line in own:
        if line.startswith("hdp: "):
            return line.removeprefix("hdp: ")
        if line.startswith("sudo: "):
            return (
                "raw sockets need root there, and sudo -n is refused: let the user run it without a password, "
                f"or log in as root ({line})"
            )
    if error.why:
        return error.why
    if error.status in _NOT_FOUND and not error.begun:
        return f"there is no {login.python} there: install Python 3.8 or later, or name it with python=PATH ({last})"
    if error.status != _OF_SSH and not error.begun:
        ended = "it does not end" if error.status is None else f"it ended with status {error.status}"
        return f"{_FORCED} ({ended}{f': {last}' if last else ''})"
    return refusal(login.words, lines) or last or f"ssh ended with status {error.status}"


def refusal(words: Sequence[str], lines: list[str]) -> str:
    """With the lines that tell which host it is about: the last one is often of the way through a jump host."""

    def having(*parts: str) -> list[str]:
        return [line for line in lines if any(part in line for part in parts)]

    if unverified := having("Host key verification failed"):
        told = " ".join([*having("ost key for ", "host key is known for "), *unverified])
        if having("REMOTE HOST IDENTIFICATION HAS CHANGED"):
            return f"a host key is not the known one: find out why before anything else ({told})"
        by_hand = shlex.join(["ssh", *words])
        return f"a host key is not known: log in by hand once, and check it: {by_hand} ({told})"
    if denied := having("Permission denied"):
        why = "no key of yours is accepted for this user, and no password is asked for: see ssh's -i and ssh-agent"
        return f"{why} ({denied[0]})"
    if is_busy("\n".join(lines)):
        return f"its sshd ends logins before they begin: too many at a time, for its MaxStartups? ({having(*_BUSY)[0]})"
    if failed := having(*_UNREACHABLE):
        return f"it can't be reached: check host, port and network ({failed[0]})"
    return ""
