"""Any command that gives a Python: `command="docker exec -i box python3"`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.vantage.remote.access import NEEDS_RAW, NOT_FOUND, ended, lines, own_words, split
from pytest_hdp.vantage.remote.launcher import Terms, program

if TYPE_CHECKING:
    from pytest_hdp.vantage.remote.launcher import NotStarted

SYNTAX = 'command="WORDS", which followed by -u -c PROGRAM run a Python 3.8+ on our standard input and output'
_LONGEST_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class Command:
    """The user's own words, to which `-u -c PROGRAM` is added."""

    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """As it was asked for."""
        return f"command={shlex.join(self.words)}"[:_LONGEST_NAME]

    @property
    def terms(self) -> Terms:
        """What the agent may do there."""
        return Terms()

    @property
    def command(self) -> list[str]:
        """The whole command line, which no shell reads."""
        return [*self.words, "-u", "-c", program()]

    @property
    def install(self) -> str:
        """What to do where the first word names no program."""
        return "install it, or name it with its path"

    def is_busy(self, _: str) -> bool:
        """Who knows."""
        return False

    def reason(self, error: NotStarted) -> str:
        """What is wrong and what to do."""
        own = own_words(error)
        if own.startswith(NEEDS_RAW):
            return f"{own}; the command's Python has to be root there, with NET_RAW"
        if own:
            return own
        if error.status in NOT_FOUND and not error.begun:
            said = lines(error.printed)
            return f"there is no Python 3.8+ at its end ({(said or [f'status {error.status}'])[-1]}); it is {SYNTAX}"
        return ended(self.words[0], error)


def parse(text: str) -> Command:
    """Read what follows `command=`. Raises ValueError, one line."""
    words = split("command", text, SYNTAX)
    if not words or not words[0].strip() or words[0].startswith("-"):
        raise ValueError(f"command={text} names no program; it is {SYNTAX}")
    return Command(tuple(words))
