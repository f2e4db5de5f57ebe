"""The evidence of one train, sorted and counted for the rungs: what came through, and what may count against it.

Two rules make the counts safe to do statistics on:

- A probe that came through counts wherever it was seen. A probe that did not counts only if no observer dropped packets
  in its round, and if that round's control came through or the probe itself came off the path. Leaving out losses can
  only speak for the train.
- Loss comes in bursts, so several probes of one round are one trial, not several: the train's trials are its
  rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from pytest_hdp.judge.distance import is_elsewhere, is_nearer
from pytest_hdp.judge.statistics import alpha_per_train
from pytest_hdp.packet.icmp import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_hdp.judge.evidence import Circumstances, IcmpReport, Probe, Sighting, TrainEvidence

TRANSIENT = {"ENOBUFS", "EAGAIN", "EWOULDBLOCK", "ENOMEM", "EINTR"}
"""Errors of sendto() that speak of the moment, not of the protocol number (send(2))."""

NO_WAY_OUT = {"ENETDOWN", "ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL"}
"""Errors of sendto() that speak of the sender's own link, routes and addresses, where the control met one too."""

OF_A_TUNNEL = frozenset({4, 41, 47, 50, 51, 108, 137})
"""Numbers whose handler in Linux says "port unreachable" where no tunnel or IPsec state takes the packet
(net/ipv4/tunnel4.c, ip_gre.c, xfrm4_protocol.c)."""

WITH_A_PORT = frozenset({17, 136})
"""Numbers of which a stack says "port unreachable" for a port that nobody has: UDP and UDP-Lite (net/ipv4/udp.c)."""

GOOD_FAITH = {"source", "destination", "ttl", "dscp", "ecn", "identification", "flags", "options", "flow_label"}
"""Header fields that routers and translators rewrite for a living; a change there is reported and is no harm."""

_SENDING_ORDER = attrgetter("index")
_ICMP_ORDER = attrgetter("source", "type", "code", "time")


@dataclass(frozen=True, slots=True)
class Trial:
    """One probe as the statistics see it."""

    round: int
    came: bool


class Fate(NamedTuple):
    """One probe that sendto() took, and what the receiver saw of it.

    `last`: copies at the last open observer, the receiver's socket, or its tap where none was open at the socket.
    `copies`: those, or else the ones at the tap. `intact`: which of `copies` are as sent.
    """

    probe: Probe
    last: tuple[Sighting, ...]
    copies: tuple[Sighting, ...]
    intact: tuple[Sighting, ...]

    @property
    def crossed(self) -> bool:
        """Whether any copy of it came off the path at the receiver, at its interface or its socket."""
        return bool(self.probe.arrived or self.probe.delivered)

    @property
    def came_as_sent(self) -> bool:
        """Whether it came, as sent, to the last open observer."""
        return bool(self.last and self.intact)


class Facts:
    """Evidence and circumstances, with what follows from them by counting alone. Independent of the order of probes.

    `probes`: in the order they were sent. `refused`: those that sendto() refused for a reason that may lie in the
    packet; `stranded`: those that had no way out, as the control. `accepted`: those that it took; `fates`: the same,
    with what became of them. `rejections`: authenticated ICMP errors that say a packet was dropped, with the probe that
    each is about. `spoiled_rounds`: those in which an observer dropped packets; `clean_control`: the control of the
    others; `control`: its (lost, sent), rounds that it did not survive included, since leaving them out would make it
    look better than it is; `counting_rounds`: those that may speak against a train.
    """

    def __init__(self, evidence: TrainEvidence, circumstances: Circumstances) -> None:
        self.evidence = evidence
        self.circumstances = circumstances
        self.train = evidence.train
        self.probes = sorted(map(self._explained, evidence.probes), key=_SENDING_ORDER)
        self.accepted = [p for p in self.probes if p.errno is None]
        stuck = {c.round for c in circumstances.control if c.refused}
        failed = [p for p in self.probes if p.errno is not None and p.errno not in TRANSIENT]
        self.stranded = [p for p in failed if p.errno in NO_WAY_OUT and p.round in stuck]
        self.refused = [p for p in failed if p not in self.stranded]
        self.fates = [self._fate(probe) for probe in self.accepted]
        self.rejections = [
            (probe, report)
            for probe in self.probes
            for report in sorted(set(probe.icmp), key=_ICMP_ORDER)
            if report.authenticated and report.meaning.drops and not self.by_sender(report)
        ]
        self.replied = any(probe.replies for probe in self.probes)
        self.spoiled_rounds = {c.round for c in circumstances.control if c.spoiled}
        self.clean_control = [c for c in circumstances.control if c.round not in self.spoiled_rounds]
        self.counting_rounds = {c.round for c in self.clean_control if c.delivered > 0}
        mine = {probe.round for probe in evidence.probes}
        beside = [c for c in self.clean_control if c.round in mine]
        sent = sum(c.sent for c in beside)
        self.control = max(0, sent - sum(min(c.delivered, c.sent) for c in beside)), sent

    @property
    def has_agent(self) -> bool:
        """Whether any observer was open at the far end."""
        return self.circumstances.observers.arrived or self.circumstances.observers.delivered

    @property
    def enough(self) -> bool:
        """Whether the train got the probes that every train gets."""
        return len(self.accepted) + len(self.refused) >= self.circumstances.minimum_count

    def enough_rounds(self, probes: Iterable[Probe]) -> bool:
        """Whether these, which were watched, are of as many rounds as every train gets."""
        return len({probe.round for probe in probes}) >= self.circumstances.minimum_count

    @property
    def last_chance(self) -> bool:
        """Whether the measurement cannot send any more."""
        return not self.circumstances.more_rounds

    @property
    def rounds_that_left(self) -> set[int]:
        """Clean rounds whose control was seen leaving the sender."""
        return {c.round for c in self.clean_control if c.left > 0}

    @property
    def alpha(self) -> float:
        """The train's share of the error rate, for each of the four things that it could be called wrongly.

        These are lost, lossy, lossy in a place that many trains share, and first_only, of which the share is split
        among all numbers of first packets.
        """
        return alpha_per_train(self.circumstances.error_rate, self.circumstances.trains) / 4

    @property
    def look(self) -> int:
        """How many times this train has been judged with enough probes, counting from 1."""
        rounds = {probe.round for probe in self.accepted}
        return max(1, len(rounds) - self.circumstances.minimum_count + 1)

    @cached_property
    def replied_nearer(self) -> bool:
        """Whether all replies came from another distance than the target's echoes: another may have sent them.

        A firewall that rejects TCP with a reset does so in the target's name (REJECT --reject-with tcp-reset).
        """
        ttls = {reply.ttl for probe in self.probes for reply in probe.replies}
        return is_elsewhere(ttls, self.circumstances.echo_ttls)

    def from_nearer(self, report: IcmpReport) -> bool:
        """Whether an error in the target's name began nearer than its echoes do: a firewall on the way made it, mostly.

        One that sees packets before they are routed (a bridge's, or at an interface's ingress) rejects in that name.
        """
        return self.from_target(report.source) and is_nearer(report.ttl, self.circumstances.echo_ttls)

    @cached_property
    def nearer_errors(self) -> list[tuple[Probe, IcmpReport]]:
        """Without an agent: errors such as the target's stack sends, in its name, from nearer than its echoes."""
        nearer = [(p, r) for p, r in self.rejections if self.from_nearer(r)]
        return [(p, r) for p, r in nearer if r.meaning in self._stack_says and not self.has_agent]

    @property
    def _stack_says(self) -> set[Meaning]:
        """What a stack says of this number, where nobody listens to it."""
        has_ports = self.train.transport in WITH_A_PORT
        return {Meaning.PROTOCOL, Meaning.PORT} if has_ports else {Meaning.PROTOCOL}

    @cached_property
    def target_errors(self) -> list[tuple[Probe, IcmpReport]]:
        """Without an agent: the authenticated "protocol (or port) unreachable" that the target's own stack sends.

        A port is unreachable only where there are ports; of any other number it is what a firewall's REJECT says.
        """
        if self.has_agent:
            return []
        told = {Meaning.PROTOCOL} if self.circumstances.firewall_says_port else self._stack_says
        by_target = [(p, r) for p, r in self.rejections if self.from_target(r.source) and not self.from_nearer(r)]
        return [(p, r) for p, r in by_target if r.meaning in told]

    @cached_property
    def ambiguous(self) -> list[tuple[Probe, IcmpReport]]:
        """Without an agent: the target's "port unreachable" that either its firewall sends or the stack behind it."""
        firewall = self.circumstances.firewall_says_port
        if self.has_agent or self.train.transport not in (WITH_A_PORT if firewall else OF_A_TUNNEL):
            return []
        by_target = [(p, r) for p, r in self.rejections if self.from_target(r.source) and not self.from_nearer(r)]
        return [(p, r) for p, r in by_target if r.meaning is Meaning.PORT]

    @cached_property
    def own_addresses(self) -> frozenset[str]:
        """The addresses that the sender itself put on what left it, and the one that its routes prefer."""
        used = {sighting.source for probe in self.probes for sighting in probe.left}
        return frozenset(used | ({own} if (own := self.circumstances.names.get("source")) else set()))

    def by_sender(self, report: IcmpReport) -> bool:
        """Whether an error is the sender's own kernel's: that says nothing of the path."""
        return (report.own or report.source in self.own_addresses) and not self.from_target(report.source)

    def from_target(self, address: str) -> bool:
        """Whether an address is the target's."""
        return address == self.circumstances.names.get("target")

    def numbers_on_the_wire(self, probe: Probe) -> set[int]:
        """The numbers under which it was seen leaving, whole or with a header that its kernel put on or took off.

        A number that 8 bits do not hold was another one from the start, so there any observer will do.
        """
        seen = [s for s in probe.left if s.genuine or s.moved]
        if not 0 <= self.train.protocol <= 255:
            seen += [s for s in (*probe.arrived, *probe.delivered) if s.genuine]
        return {s.protocol for s in seen}

    def intact(self, sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
        """Those copies that are as sent and whole: MAC verified, and still under the number that was asked for."""
        asked = self.train.protocol
        return tuple([s for s in sightings if s.genuine and s.protocol == asked and not s.in_part])

    @cached_property
    def path_trials(self) -> tuple[Trial, ...]:
        """What was seen leaving (or taken, without a tap there) and whether it crossed the path."""
        blind = not self.circumstances.observers.left
        return self._trials((f.probe, f.crossed) for f in self.fates if f.crossed or f.probe.left or blind)

    @cached_property
    def end_trials(self) -> tuple[Trial, ...]:
        """What sendto() took and whether it came to the last open observer."""
        return self._trials((f.probe, bool(f.last)) for f in self.fates)

    @cached_property
    def clean_trials(self) -> tuple[Trial, ...]:
        """What sendto() took and whether it came, whether or not the control did, in rounds that were not spoiled.

        Or in all, if those are too few: what was not seen is lost. Whether one came never decides whether it counts.
        """
        trials = tuple([Trial(fate.probe.round, bool(fate.last)) for fate in self.fates])
        clean = tuple([trial for trial in trials if trial.round not in self.spoiled_rounds])
        return clean if rounds_of(clean) >= self.circumstances.minimum_count else trials

    def _trials(self, outcomes: Iterable[tuple[Probe, bool]]) -> tuple[Trial, ...]:
        return tuple(Trial(probe.round, came) for probe, came in outcomes if came or self._counts(probe))

    def _counts(self, probe: Probe) -> bool:
        """Whether it counts that a probe did not come: what came off the path and no further takes no control."""
        return probe.round in self.counting_rounds or bool(probe.arrived and probe.round not in self.spoiled_rounds)

    def _explained(self, probe: Probe) -> Probe:
        """Leave out what was seen where nothing has left yet, and altered copies that somebody sent beside the probe.

        Where the probe came as sent and altered copies of it came too, the altered ones at a socket are those. Where
        the interface saw the probe alone, the receiver's own kernel altered it.
        """
        if inner := self.circumstances.inner:
            probe = replace(probe, left=tuple([s for s in probe.left if s.interface not in inner]))
        as_sent = self.intact(probe.arrived)
        if not as_sent or len(as_sent) == len(probe.arrived):
            return probe
        return replace(probe, delivered=self.intact(probe.delivered))

    def _fate(self, probe: Probe) -> Fate:
        last = probe.delivered
        if not self.circumstances.observers.delivered:
            last = probe.arrived or probe.delivered
        copies = last or probe.arrived
        return Fate(probe, last, copies, self.intact(copies))


def one_per_round(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The first trial of each round, in the order given."""
    first: dict[int, Trial] = {}
    for trial in trials:
        first.setdefault(trial.round, trial)
    return tuple(first.values())


def rounds_of(trials: Iterable[Trial]) -> int:
    """In how many rounds the trials were made."""
    return len({trial.round for trial in trials})


def tail_after_first(trials: tuple[Trial, ...]) -> tuple[int, tuple[Trial, ...]] | None:
    """(how many came first, the trials after them, all lost) if some came, in a row, and then none."""
    came = next((i for i, trial in enumerate(trials) if not trial.came), len(trials))
    if not 0 < came < len(trials) or any(trial.came for trial in trials[came:]):
        return None
    return came, trials[came:]
