"""Whose word "port unreachable" is, the target's firewall's or its kernel's, by numbers that no kernel handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form, Verdict
from pytest_hdp.packet.icmp import Meaning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.speakers import Speakers

HANDLED_BY_NOBODY = range(148, 255)
"""Unassigned and experimental numbers: what says "port unreachable" to these is no kernel's own handler."""
REFERENCES = tuple(Train(number, form=Form.WELLFORMED) for number in (253, 254, 200))
"""With a right checksum, without which netfilter's reject keeps silent (`sending.balanced`)."""
TRIES = 3  # times that these are asked, at most, until one is answered
REST = 1.05  # seconds before that, in which a stock Linux host earns an error


class References:
    """What the target says of numbers that no kernel handles.

    `unexplained`: numbers of which it is not known yet whether the target's firewall or its kernel answered.
    """

    def __init__(self, speakers: Speakers, trains: Mapping[Train, Sequence[SentProbe]]) -> None:
        self._speakers = speakers
        self.unexplained: set[Train] = set()
        self._trains = trains

    @property
    def firewall_says_port(self) -> bool | None:
        """Whether it is the target's firewall that calls ports unreachable; None: no such number was answered.

        Where one of them reached its stack, no rule is for all numbers.
        """
        told = {
            each.meaning
            for train, entries in self._trains.items()
            if train.protocol in HANDLED_BY_NOBODY
            for entry in entries
            for each in entry.icmp
            if each.authenticated and self._speakers.who(each) == self._speakers.target and each.meaning.drops
        }
        return Meaning.PORT in told and Meaning.PROTOCOL not in told if told else None

    def are_lacking(self, judgement: Judgement) -> bool:
        """Whether one of them would tell whose word it is, and none has been answered yet."""
        said = {(each.source, each.meaning) for each in judgement.icmp if each.authenticated}
        unclear = judgement.verdict in {Verdict.INCONCLUSIVE, Verdict.REACHED}
        if unclear and (self._speakers.target, Meaning.PORT) in said and self.firewall_says_port is None:
            self.unexplained.add(judgement.train)
        return judgement.train in self.unexplained

    def to_ask(self, tries: int) -> bool:
        """Whether to ask them, after so many tries."""
        return tries < TRIES and bool(self.unexplained) and self.firewall_says_port is None
