"""Who made an ICMP error: each has a budget of its own, also who speaks in the target's name before it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.distance import is_nearer
from pytest_hdp.judge.facts import WITH_A_PORT
from pytest_hdp.measure.schedule.silence import rejecting
from pytest_hdp.packet.icmp import Meaning

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import IcmpReport
    from pytest_hdp.measure.ledger.probes import SentProbe


@dataclass(slots=True)
class Speakers:
    """Tells the target from others. `echo_ttls`: with which its echo replies came, as far as is known by now."""

    target: str
    echo_ttls: frozenset[int] = frozenset()

    def who(self, report: IcmpReport) -> str:
        """Where an error came from; no address where somebody before the target made it in the target's name."""
        in_its_name = report.source == self.target and is_nearer(report.ttl, self.echo_ttls)
        return f"{self.target} (in its name)" if in_its_name else report.source

    def by_stack(self, entry: SentProbe, *, says_port: bool) -> bool:
        """Whether the target's own stack answered: protocol unreachable, or to a datagram port unreachable.

        `says_port`: its firewall calls ports unreachable, so that nothing that it says of a datagram tells.
        """
        datagram = entry.train.transport in WITH_A_PORT
        if datagram and says_port:
            return False
        told = {Meaning.PROTOCOL, Meaning.PORT} if datagram else {Meaning.PROTOCOL}
        reports = (each for each in entry.icmp if each.authenticated and each.meaning in told)
        return any(self.who(each) == self.target for each in reports)

    def by_word(self, entry: SentProbe) -> bool:
        """Whether an error is the target's: its stack's, or its firewall's."""
        return any(rejecting(each) and self.who(each) == self.target for each in entry.icmp)
