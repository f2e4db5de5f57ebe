"""What lets packets pass again where only the first few do: silence, time, or nothing. Counts in, sentences out.

A state that counts a flow's packets is shut as long as they keep coming, and forgets them after a silence. A limit on
the rate earns packets all the time, whoever asks. What is lost by chance fares alike at any pace.

That a packet passed is certain: it came byte for byte. That none did may be loss, so each such statement holds the
packets beside controls sent among them, and has the error rate that the control's loss allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import counted, percent_above
from pytest_hdp.judge.statistics import all_lost_by_chance, at_least, at_most, fisher
from pytest_hdp.judge.verdict import Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement

RARE = 0.01  # chance at which what is asked for is taken to be otherwise
WORTH = 0.05  # a statement that is wrong more often than this is not made


@dataclass(frozen=True, slots=True)
class Asked:
    """`sent` packets that were each asked of a state by itself, and how many `came`; so many controls beside them.

    `seconds`: how long it took to send them.
    """

    sent: int
    came: int
    control_sent: int
    control_came: int
    seconds: float = 0.0

    @property
    def error(self) -> float:
        """Chance that none came although nothing but loss such as the control's was in their way."""
        if self.came or not self.sent:
            return 0.0
        return all_lost_by_chance(self.sent, self.control_sent - self.control_came, self.control_sent)

    @property
    def passes(self) -> bool | None:
        """Whether such packets pass; None where that can't be told."""
        if self.came:
            return True
        return False if self.sent and self.control_came and self.error <= WORTH else None

    def __add__(self, other: Asked) -> Asked:
        return Asked(
            self.sent + other.sent,
            self.came + other.came,
            self.control_sent + other.control_sent,
            self.control_came + other.control_came,
            self.seconds + other.seconds,
        )


class Refill(StrEnum):
    """What lets packets pass again. `SHARE`: nothing is used up, some are lost at any pace."""

    SILENCE = "silence"
    TIME = "time"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Recovery:
    """After how much silence a packet passes again: more than `low` and at most `high` seconds.

    `high` is None if none did. `shut`: what was asked after `low`; None where every silence was long enough. `again`:
    how many packets of `burst` passed after `high`.
    """

    low: float
    high: float | None
    shut: Asked | None = None
    again: int = 0
    burst: int = 0

    @property
    def sentence(self) -> str:
        """In words, with an error rate where something could be loss."""
        within = "" if self.shut is None else _error_text(self.shut)
        if self.high is None:
            if self.shut is not None and self.shut.passes is None:
                return f"whether a packet passes again after {_seconds(self.low)} s of silence was not to be told"
            return f"no packet passes again within {_seconds(self.low)} s of silence{within}"
        again = counted(self.again, "packet") + (" passes" if self.again == 1 else " pass")
        if self.shut is None or self.shut.passes is None:
            return f"after {_seconds(self.high)} s of silence, or less, {again} again"
        return f"after {_seconds(self.low)} to {_seconds(self.high)} s of silence {again} again{within}"


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """What the experiment found about one number.

    `judgement`: of the first burst, or of the sweep of this run. `slow`, `fast`: packets that kept coming after the
    burst, at two paces. `other_number`, `other_port`: first packets under other numbers, and from other HDP ports,
    while this number's did not pass. `recovery`: by silence. None: not asked. `used`: what may have used up the state.
    """

    judgement: Judgement
    other_number: Asked | None = None
    other_port: Asked | None = None
    slow: Asked | None = None
    fast: Asked | None = None
    recovery: Recovery | None = None
    used: str | None = None

    @property
    def refills(self) -> Refill | None:
        """What lets packets pass again; None where nothing did, nothing was asked, or it can't be told.

        Of a limit on the rate as many pass in a second at any pace, of what is lost by chance as large a share. After a
        silence fewer do where packets come faster.
        """
        if self.slow is None or self.fast is None:
            return None
        came, fast, sent = self.slow.came + self.fast.came, self.fast.came, self.slow.sent + self.fast.sent
        if not came:
            return Refill.SILENCE if self.recovery is not None and self.recovery.high is not None else None
        time = self.fast.seconds / (self.slow.seconds + self.fast.seconds)
        if at_most(fast, came, time) <= RARE:
            return Refill.SILENCE
        lost = self.fast.sent - fast, self.slow.sent - self.slow.came
        paced = any(lost) and fisher(lost[0], self.fast.sent, lost[1], self.slow.sent) <= RARE
        if paced or at_most(fast, came, self.fast.sent / sent) <= RARE or self.judgement.verdict is Verdict.FIRST_ONLY:
            return Refill.TIME
        return Refill.SHARE if at_least(fast, came, time) <= RARE else None

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        said = [self.judgement.explanation.rstrip(".")]
        said += [text for text in (self._pace_text(), self._other_text()) if text]
        if self.recovery is not None:
            said.append(self.recovery.sentence)
        return "; ".join(said) + "."

    def _pace_text(self) -> str:
        if self.slow is None or self.fast is None:
            return ""
        both = self.slow + self.fast
        if both.came:
            paces = "{0.came} of {0.sent} in {0.seconds:.1f} s and {1.came} of {1.sent} in {1.seconds:.1f} s"
            return f"of what keeps coming {paces.format(self.slow, self.fast)} pass: {self._refill_text()}"
        if both.passes is None:
            return "whether any passes while packets keep coming was not to be told"
        return f"while packets keep coming none of {both.sent} passes{_error_text(both)}"

    def _refill_text(self) -> str:
        assert self.slow is not None, "it is asked of what keeps coming"
        assert self.fast is not None, "it is asked of what keeps coming"
        if self.refills is Refill.TIME:
            # of a stretch one more or less passes than is earned in it; the slow pace may be two stretches
            pace, off, digits = (self.fast, 1, 1) if self.fast.came else (self.slow, 2, 2)
            least, most = (max(0, pace.came + each) / pace.seconds for each in (-off, off))
            rate = f"{least:.{digits}f} to {most:.{digits}f} a second"
            return f"a limit on the rate, which earns {rate}, and not the first packets"
        if self.refills is Refill.SHARE:
            return "the same share at any pace, so nothing is used up"
        if self.refills is Refill.SILENCE:
            return f"a silence of {_seconds(self.slow.seconds / self.slow.sent)} s is enough"
        return "too few to tell what lets them"

    def _other_text(self) -> str:
        said = []
        for asked, what in ((self.other_number, "another number"), (self.other_port, "another port")):
            if asked is None:
                continue
            if asked.passes is None:
                said.append(f"of {what} nothing was to be told")
            elif asked.passes:
                said.append(f"{what} starts afresh ({asked.came} of {asked.sent})")
            else:
                said.append(f"{what} does not get through either (0 of {asked.sent}{_error_text(asked, ', ')})")
        return "; ".join(said)


def _error_text(asked: Asked, between: str = "") -> str:
    told = f"by chance in {percent_above(max(asked.error, 0.001))} of cases at most"
    return f"{between}{told}" if between else f" ({told}, beside {asked.control_came} of {asked.control_sent} controls)"


def _seconds(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"
