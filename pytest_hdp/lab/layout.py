"""From a list of boxes to a path: nodes, links, addresses, routes and hops. Pure; builds nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_hdp.judge.result import Hop
from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import TCP, USUAL, Box, Router, Traffic, Where
from pytest_hdp.lab.nodes import Link, Port, Route
from pytest_hdp.lab.truth import BY_CHANCE, DELIVERED, Truth
from pytest_hdp.lab.uplinks import LINKS, Uplink, routes_of
from pytest_hdp.vantage.kernel import refusal_at_socket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TARGET_ADDRESS = "198.51.100.2"
_LAST_NETWORK = "198.51.100.{}"
_FIRST_NETWORK = "192.0.2.{}"
_SECOND_CLIENT = "192.0.2.130"
_MOST_ROUTERS = 60
_UNSURE = frozenset({Verdict.LOSSY, Verdict.FIRST_ONLY, Verdict.INCONCLUSIVE})
_LOCATED = {Verdict.LOST, Verdict.REJECTED, Verdict.FIRST_ONLY}
_TIME_EXCEEDED = (11, 0)


@dataclass(frozen=True)
class Layout:
    """Where everything is on the path of these boxes, in order from the client to the target.

    Raises ValueError for more routers than there are addresses.
    """

    boxes: tuple[Box, ...]
    second_client: bool = field(default=False)

    def __post_init__(self) -> None:
        if len(self.routers) > _MOST_ROUTERS:
            raise ValueError(f"a lab has at most {_MOST_ROUTERS} routers, not {len(self.routers)}")
        if self.uplink is not None and any(type(box) not in {Router, type(self.uplink)} for box in self.boxes):
            raise ValueError(f"box {self.uplink.name} is a second way beside plain routers: leave other boxes out")

    @cached_property
    def routers(self) -> tuple[Box, ...]:
        """The boxes that are routers, from left to right."""
        return tuple(box for box in self.boxes if box.where is Where.ROUTER)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes on the path: "client", "router1", ..., "target"."""
        return ("client", *(f"router{number}" for number in range(1, len(self.routers) + 1)), "target")

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links of the path, from left to right; link i joins node i and node i + 1."""
        wires: list[list[Box]] = [[]]
        for box in self.boxes:
            if box.where is Where.ROUTER:
                wires.append([])
            elif box.where is Where.WIRE:
                wires[-1].append(box)
        return tuple(self._link(number, tuple(on_it)) for number, on_it in enumerate(wires))

    @cached_property
    def uplink(self) -> Uplink | None:
        """The second way out of the client, if there is one; the last one is."""
        return next((box for box in reversed(self.boxes) if isinstance(box, Uplink)), None)

    @cached_property
    def uplink_links(self) -> tuple[Link, ...]:
        """The links from the client to that way's router, and from there to the target."""
        return LINKS if self.uplink is not None else ()

    @cached_property
    def second_link(self) -> Link | None:
        """The link of the second client to the first router, if there are both."""
        if not (self.second_client and self.routers):
            return None
        left = Port("second", "eth0", _SECOND_CLIENT, 25, "02:00:00:00:ff:01")
        return Link(left, Port("router1", "inside2", "192.0.2.129", 25, "02:00:00:00:ff:02"))

    @property
    def client_address(self) -> str:
        """The client's own address."""
        return self.links[0].left.address

    @cached_property
    def outside_address(self) -> str:
        """The address under which the target knows the client: that of the outermost NAT, or the client's own."""
        outermost = max(self._nats(), default=0)
        return self.links[outermost].left.address

    def hops(self, direction: Direction = Direction.FORWARD) -> list[Hop]:
        """The routers in the order of the TTLs that expire there, with the address they answer from."""
        if direction is Direction.FORWARD:
            return [Hop(number, link.right.address) for number, link in enumerate(self.links[:-1], 1)]
        return [Hop(number, link.left.address) for number, link in enumerate(reversed(self.links[1:]), 1)]

    def routes(self, node: str) -> Iterator[Route]:
        """Routes of a node beyond its own links. Nobody outside a NAT has a route to what is inside."""
        if node == "uplink":
            yield from routes_of(self.client_address, TARGET_ADDRESS)
            return
        here = len(self.nodes) if node == "second" else self.nodes.index(node)
        if node == "second" and self.second_link:
            yield Route("default", self.second_link.right.address)
        elif node == "client":
            yield Route("default", self.links[0].right.address)
        elif node == "target":
            yield Route("default", self.links[-1].left.address)
        else:
            yield from self._router_routes(here)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Truth about a train of this number as asked of socket(), -1 to 263 say, from end to end."""
        if self.uplink is not None and self.uplink.takes(protocol, direction):
            return replace(self.uplink.expected(protocol, direction, form, traffic), last_hop=self.uplink.hop)
        if protocol == 0:  # sent in a header of the sender's own, and nobody can listen to it
            return self._composed(protocol, direction, form, traffic).without_socket()
        if refusal := refusal_at_socket(protocol):
            return Truth(Verdict.REFUSED_AT_SOCKET, errno=refusal)
        truth = self._composed(protocol, direction, form, traffic)
        if protocol == TCP and form is Form.WELLFORMED and self._nats():
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
        beyond = [box for _, box in self._forward[place + 1 :] if not box.translates]
        return self._forward[place][1].translates and any(
            box.where is Where.WIRE or box.expected(TCP, way, Form.WELLFORMED, Traffic(solicited=True)) != DELIVERED
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
            if further.icmp == _TIME_EXCEEDED:
                expiring = further, position, box
                continue
            expiring = None if "ttl" in further.changed else expiring
            truth = truth.followed_by(self._located(further, position, box, direction, leaked=truth.nat == "leaked"))
            if truth.ends:
                break
        if expiring is not None and not truth.ends:
            truth = truth.followed_by(self._located(*expiring, direction, leaked=truth.nat == "leaked"))
        if protocol > 255 and truth.verdict is not Verdict.REFUSED_AT_SEND:
            return Truth(Verdict.RENUMBERED)
        if direction is Direction.FORWARD and truth.nat == "leaked":
            return replace(truth, nat_source=self.client_address)
        return truth

    def _link(self, number: int, wires: tuple[Box, ...]) -> Link:
        last = len(self.routers)
        if number == last:
            left, right, prefix = _LAST_NETWORK.format(1), TARGET_ADDRESS, 24
        elif number == 0:
            left, right, prefix = _FIRST_NETWORK.format(2), _FIRST_NETWORK.format(1), 25
        elif any(nat <= number for nat in self._nats()) and any(nat > number for nat in self._nats()):
            left, right, prefix = f"100.64.{number}.1", f"100.64.{number}.2", 30
        else:
            left, right, prefix = f"203.0.113.{4 * number + 1}", f"203.0.113.{4 * number + 2}", 30
        macs = [f"02:00:00:00:{number:02x}:{side:02x}" for side in (1, 2)]
        here, there = self.nodes[number], self.nodes[number + 1]
        outgoing = "eth0" if number == 0 else "outside"
        incoming = "eth0" if number == last else "inside"
        return Link(Port(here, outgoing, left, prefix, macs[0]), Port(there, incoming, right, prefix, macs[1]), wires)

    def _nats(self) -> list[int]:
        """Numbers of the nodes that translate."""
        return [number for number, box in enumerate(self.routers, 1) if box.translates]

    def _router_routes(self, here: int) -> Iterator[Route]:
        for number, link in enumerate(self.links):
            if number > here:
                yield Route(link.left.network, self.links[here].right.address)
            elif number < here - 1 and not any(number < nat < here for nat in self._nats()):
                yield Route(link.left.network, self.links[here - 1].left.address)
                if number == 0 and self.second_link:
                    yield Route(self.second_link.left.network, self.links[here - 1].left.address)

    def _at(self, place: int, protocol: int, direction: Direction, form: Form, traffic: Traffic) -> Traffic:
        """What the box at this place sees of the traffic, after those before it."""
        wellformed = form is Form.WELLFORMED
        near, far = (
            wellformed and any(box.spoils(protocol) for _, box in boxes)
            for boxes in (self._forward[:place], self._forward[place + 1 :])
        )
        if direction is Direction.FORWARD:
            return replace(traffic, spoiled=near)
        asked = traffic.solicited and not near and self._gets_past(place, protocol, form, traffic)
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
            truth = replace(truth, nat_source=self.links[position].left.address)
        if truth.verdict not in _LOCATED:
            return truth
        hops = self.hops(direction)
        reached = self._reached(position, box, direction)
        if truth.verdict is Verdict.REJECTED:
            own = box.where is Where.ROUTER and truth.icmp != _TIME_EXCEEDED
            if reached == len(hops) and not own:
                return _at_the_end(truth)
            answering = self.routers[:: 1 if direction is Direction.FORWARD else -1][reached - own]
            limited = box.where is not Where.WIRE and answering.sysctls.get("ipv4/icmp_ratemask") != 0
            # a relay's errors are its own, and not limited
            also = truth.also | {Verdict.LOST} if limited else truth.also
            truth = replace(truth, icmp_from=hops[reached - own].address, also=also)
            reached += truth.icmp == _TIME_EXCEEDED  # to where its TTL expires it comes
        if leaked:  # what is beyond the NAT has no route back to the source it sees
            truth = Truth(Verdict.LOST, box=truth.box)
            reached = min(reached, *self._nats())
        return replace(truth, last_hop=hops[reached - 1] if reached else None)

    def _reached(self, position: int, box: Box, direction: Direction) -> int:
        """TTL of the last router that answers for a train which ends at this box; 0: none."""
        if direction is Direction.FORWARD:
            return position if box.where is Where.WIRE or box.answers_ttl else position - 1
        routers = len(self.routers)
        if box.where is Where.WIRE:
            return routers - position
        return routers - position + (1 if box.answers_ttl and not box.translates else 0)


def _at_the_end(truth: Truth) -> Truth:
    """A TTL of 1 is enough for the target; any other rejection needs a router to come from."""
    if truth.icmp == _TIME_EXCEEDED:
        return DELIVERED
    raise ValueError(f"box {truth.box} rejects for the router behind it: put one between it and the end")


def layout(boxes: Sequence[Box]) -> Layout:
    """Lay out these boxes, with a second client where one of them translates."""
    return Layout(tuple(boxes), second_client=any(box.translates for box in boxes))
