"""From a list of boxes to a path, and to its truth: those of the boxes, composed along it. Pure; builds nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import TCP, UNLIMITED, USUAL, Box, Traffic, Where
from pytest_hdp.lab.geometry import Geometry
from pytest_hdp.lab.truth import BY_CHANCE, DELIVERED, Truth
from pytest_hdp.lab.versions import Version
from pytest_hdp.vantage.kernel import refusal_at_socket

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNSURE = frozenset({Verdict.LOSSY, Verdict.FIRST_ONLY, Verdict.INCONCLUSIVE})
_LOCATED = {Verdict.LOST, Verdict.REJECTED, Verdict.FIRST_ONLY}


@dataclass(frozen=True)
class Layout(Geometry):
    """A path of boxes, and what is true of a train that goes along it."""

    @cached_property
    def states_chains(self) -> bool:
        """Whether it is stated what becomes of chains of extension headers along it."""
        return self.uplink is None and all(box.states_chains for box in self.boxes)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Truth about a train of this number as asked of socket(), -1 to 263 say, from end to end."""
        if traffic.ip_version != self.ip_version:
            traffic = replace(traffic, ip_version=self.ip_version)
        if self.uplink is not None and self.uplink.takes(protocol, direction):
            truth = self.uplink.expected(protocol, direction, form, traffic)
            return replace(truth, last_hop=self.uplink.hop(self.ip_version))
        if protocol == 0 and (self.ip_version == 4 or form is Form.WELLFORMED):  # in a header of the sender's own
            return self._composed(protocol, direction, form, traffic).without_socket()
        if refusal := refusal_at_socket(protocol):
            return Truth(Verdict.REFUSED_AT_SOCKET, errno=refusal)
        truth = self._composed(protocol, direction, form, traffic)
        if protocol == TCP and form is Form.WELLFORMED and self._remembering:
            truth = self._with_late_reset(truth, direction, traffic)
        return truth

    def _with_late_reset(self, truth: Truth, direction: Direction, traffic: Traffic) -> Truth:
        """Add what may be true instead where the target's reset is not the first thing that answers a SYN.

        Where nothing but routers are behind the translator, a SYN the other way may still overtake it: each processor
        has a queue of its own for what has come (`enqueue_to_backlog` in net/core/dev.c).
        """
        missed = any(map(self._misses_resets, range(len(self._forward))))
        if not missed and direction is Direction.FORWARD:
            return truth
        other = self._composed(TCP, direction, Form.WELLFORMED, replace(traffic, reset=False))
        truth = replace(truth, also=truth.also | other.also | {other.verdict} | _UNSURE)
        if truth.nat == "translated":  # a SYN that is out of turn for the tracker leaves as it is
            truth = replace(truth, nat=BY_CHANCE, nat_source=None)
        return truth

    def _misses_resets(self, place: int) -> bool:
        """Whether what the target's stack answers to a SYN may come late to a translator here, or not at all.

        A relay carries it in its own time, and the next SYN may overtake it.
        """
        beyond = [box for _, box in self._forward[place + 1 :] if not box.remembers(self.ip_version)]
        solicited = Traffic(solicited=True, ip_version=self.ip_version)
        return self._forward[place][1].remembers(self.ip_version) and any(
            box.where is Where.WIRE or box.expected(TCP, way, Form.WELLFORMED, solicited) != DELIVERED
            for box in beyond
            for way in Direction
        )

    def _composed(self, protocol: int, direction: Direction, form: Form, traffic: Traffic) -> Truth:
        """The truths of all boxes on the way, up to the one where it ends."""
        truth = DELIVERED
        expiring: tuple[Truth, int, Box] | None = None  # its TTL ends at the next router, behind the wires to it
        places = range(len(self._forward))
        for place in places if direction is Direction.FORWARD else reversed(places):
            position, box = self._forward[place]
            if expiring is not None and box.where is Where.ROUTER:
                break
            here = self._at(place, protocol & 255, direction, form, traffic)
            further = box.expected(protocol & 255, direction, form, here)
            if further.icmp == self.version.time_exceeded:
                expiring = further, position, box
                continue
            expiring = None if "ttl" in further.changed else expiring
            truth = truth.followed_by(self._located(further, position, box, direction, leaked=truth.nat == "leaked"))
            if truth.ends:
                break
        if expiring is not None and not truth.ends:
            truth = truth.followed_by(self._located(*expiring, direction, leaked=truth.nat == "leaked"))
        if protocol > 255 and truth.verdict is not Verdict.REFUSED_AT_SEND:
            v6 = self.ip_version == 6  # there sendto() compares the number with 255 (rawv6_sendmsg in net/ipv6/raw.c)
            return Truth(Verdict.REFUSED_AT_SEND, errno="EINVAL") if v6 else Truth(Verdict.RENUMBERED)
        if direction is Direction.FORWARD and truth.nat == "leaked":
            return replace(truth, nat_source=self.client_address)
        return truth

    @cached_property
    def _remembering(self) -> bool:
        """Whether a box on the path lets in what answers, and nothing else."""
        return any(box.remembers(self.ip_version) for box in self.boxes)

    def _at(self, place: int, protocol: int, direction: Direction, form: Form, traffic: Traffic) -> Traffic:
        """What the box at this place sees of the traffic, after those before it."""
        wellformed = form is Form.WELLFORMED
        near, far = (
            wellformed and any(box.spoils(protocol) for _, box in boxes)
            for boxes in (self._forward[:place], self._forward[place + 1 :])
        )
        if direction is Direction.FORWARD:
            return traffic if traffic.spoiled == near else replace(traffic, spoiled=near)
        asked = traffic.solicited and not near and self._gets_past(place, protocol, form, traffic)
        if (traffic.spoiled, traffic.solicited) == (far, asked):
            return traffic
        return replace(traffic, spoiled=far, solicited=asked)

    def _gets_past(self, place: int, protocol: int, form: Form, traffic: Traffic) -> bool:
        """Whether what the client sends comes past the box at this place, wherever it ends then."""
        way = Direction.FORWARD
        return not any(
            box.expected(protocol, way, form, self._at(at, protocol, way, form, traffic)).ends
            for at, (_, box) in enumerate(self._forward[: place + 1])
        )

    @cached_property
    def _forward(self) -> tuple[tuple[int, Box], ...]:
        """The boxes in the order a packet to the target meets them, with the number of the node it is at or behind."""
        number, path = 0, list[tuple[int, Box]]()
        for box in self.boxes:
            number += box.where is Where.ROUTER
            path.append((number, box))
        ordered = [each for each in path if each[1].where is Where.CLIENT]
        ordered += [each for each in path if each[1].where in (Where.ROUTER, Where.WIRE)]
        ordered += [(len(self.nodes) - 1, box) for _, box in path if box.where is Where.TARGET]
        return tuple(ordered)

    def _located(self, truth: Truth, position: int, box: Box, direction: Direction, *, leaked: bool) -> Truth:
        """Fill in who answers, from where, and the source that is seen, for a box at this node."""
        if truth.nat == "translated" and direction is Direction.FORWARD:
            truth = replace(truth, nat_source=self.source_beyond(position))
        if truth.verdict not in _LOCATED:
            return truth
        hops = self.hops(direction)
        reached = self._reached(position, box, direction, answers=box.answers_ttl and not truth.gathered)
        if truth.verdict is Verdict.REJECTED:
            own = box.where is Where.ROUTER and truth.icmp != self.version.time_exceeded
            if reached == len(hops) and not own:
                return _at_the_end(truth, self.version)
            mask = self.version.rate_mask
            answering = self.routers[:: 1 if direction is Direction.FORWARD else -1][reached - own]
            limited = box.where is not Where.WIRE and answering.sysctls.get(mask) != UNLIMITED[mask]
            # a relay's errors are its own, and not limited
            also = truth.also | {Verdict.LOST} if limited else truth.also
            truth = replace(truth, icmp_from=hops[reached - own].address, also=also)
            reached += truth.icmp == self.version.time_exceeded  # to where its TTL expires it comes
        if leaked:  # what is beyond the NAT has no route back to the source it sees
            truth = Truth(Verdict.LOST, box=truth.box)
            reached = min(reached, *self.nats())
        return replace(truth, last_hop=hops[reached - 1] if reached else None)

    def _reached(self, position: int, box: Box, direction: Direction, *, answers: bool) -> int:
        """TTL of the last router that answers for a train which ends at this box; 0: none."""
        if direction is Direction.FORWARD:
            return position if box.where is Where.WIRE or answers else position - 1
        routers = len(self.routers)
        if box.where is Where.WIRE:
            return routers - position
        return routers - position + (1 if answers and not box.hides(self.ip_version) else 0)


def _at_the_end(truth: Truth, version: Version) -> Truth:
    """A TTL of 1 is enough for the target; any other rejection needs a router to come from."""
    if truth.icmp == version.time_exceeded:
        return DELIVERED
    raise ValueError(f"box {truth.box} rejects for the router behind it: put one between it and the end")


def layout(boxes: Sequence[Box]) -> Layout:
    """Lay out these boxes, with a second client where one of them translates, or is the policy of the first alone."""
    return Layout(tuple(boxes), second_client=any(box.translates or box.translates6 or box.contains for box in boxes))
