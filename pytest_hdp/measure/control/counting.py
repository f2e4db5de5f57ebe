"""A packet of the control, what of the control counts in one direction, and how that fared in each round. No I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.judge.evidence import Means, Reference, RoundControl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Direction
    from pytest_hdp.measure.path.open_path import OpenPath

UDP = 17
CARRIER_HEADER = 8  # bytes of a UDP or an ICMP echo header


@dataclass(slots=True)
class ControlEntry:
    """A control packet: times in ns, 0 until it happened; `expired_at`: the router that let its TTL expire.

    `protocol`: the number that it is sent under.
    `error`: source, type and code of the first ICMP error about it that says it was dropped. `data`: what follows its
    UDP or ICMP header, as sent, and `start` where that is in its IP payload. `asked_at`: when, by the clock that nobody
    can set, in seconds. `stand_in`: the train whose packet it is, where it is none of the usual ones.
    `left_by`: TTL and interface of each copy that was seen leaving.
    """

    index: int
    round: int
    direction: Direction
    echo: bool
    protocol: int
    stand_in: Train | None = None
    data: bytes = b""
    start: int = CARRIER_HEADER
    asked_at: float = 0.0
    sent_at: int = 0
    errno: str | None = None
    left_at: int = 0
    arrived_at: int = 0
    delivered_at: int = 0
    replied_at: int = 0
    reply_ttl: int = 0
    expired_at: str | None = None
    error: tuple[str, int, int] | None = None
    left_by: list[tuple[int, str]] = field(default_factory=list)

    @property
    def came(self) -> bool:
        """It arrived, or its receiver answered."""
        return bool(self.arrived_at or self.delivered_at or self.replied_at)

    def is_answered(self) -> bool:
        """It came, or a router let its TTL expire."""
        return self.came or self.expired_at is not None


class Controls(Protocol):
    """All control packets of a measurement."""

    path: OpenPath
    entries: dict[int, ControlEntry]

    def means(self, direction: Direction) -> Means:
        """By which of them the path is known in a direction."""


def came_by(entry: ControlEntry, means: Means) -> bool:
    """Whether a control packet came through, where it is counted by these means; with observers at the receiver."""
    if means is Means.USUAL:
        return bool(entry.delivered_at)
    return bool(entry.arrived_at or entry.delivered_at)


def is_counted(entry: ControlEntry, reference: Reference) -> bool:
    """Whether a packet is one of those that count: where nothing comes through, all of the usual ones."""
    if reference.means is Means.STAND_IN or entry.stand_in is not None:
        return reference.means is Means.STAND_IN and entry.stand_in == reference.stand_in
    return reference.means is Means.NOTHING or entry.echo is (reference.means is Means.ECHOES)


def refused_with(entries: Iterable[ControlEntry]) -> str | None:
    """The errno with which sendto() refused all datagrams, the commonest of several; None if it took any."""
    datagrams = [each.errno for each in entries if each.protocol == UDP and each.stand_in is None]
    errnos = Counter(errno for errno in datagrams if errno)
    if not errnos or errnos.total() < len(datagrams):
        return None
    return min(errnos, key=lambda each: (-errnos[each], each))


def errors_of(entries: Iterable[ControlEntry]) -> tuple[tuple[str, int, int, int], ...]:
    """The ICMP errors about the control, and how often each came."""
    counts = Counter(each.error for each in entries if each.error is not None)
    return tuple((*error, count) for error, count in sorted(counts.items()))


def by_round(
    entries: Iterable[ControlEntry],
    reference: Reference,
    spoiled: Mapping[int, tuple[str, ...]],
    *,
    observed: bool,
    since: int = 0,
) -> tuple[RoundControl, ...]:
    """The control of each round. `spoiled`: by round, the observers that dropped packets; `observed`: at the receiver.

    Without observers there, echoes count that were answered. That the sender's observer was open any kind of control
    shows. `since`: the first round of which any counts.
    """
    counts: dict[int, list[int]] = {}
    for entry in entries:
        if entry.round < 0:
            continue
        count = counts.setdefault(entry.round, [0] * 7)
        count[2] += bool(entry.left_at)
        count[4] += entry.errno is None
        if entry.protocol == UDP and entry.stand_in is None:
            count[5] += entry.came
            count[6] += bool(entry.delivered_at)
        if entry.round < since or not (is_counted(entry, reference) if observed else entry.echo):
            continue
        if entry.errno:
            count[3] += 1
            continue
        count[0] += 1
        count[1] += came_by(entry, reference.means) if observed else bool(entry.replied_at)
    return tuple(
        RoundControl(number, sent, came, left, spoiled.get(number, ()), *others)
        for number, (sent, came, left, *others) in sorted(counts.items())
    )


def sent_in(control: Controls, direction: Direction) -> list[ControlEntry]:
    """All that was sent of a control in one direction."""
    return [each for each in control.entries.values() if each.direction is direction]


def reference(control: Controls, direction: Direction, stand_in: Train | None = None) -> Reference:
    """What a direction's control is; `stand_in`: what stands in for it."""
    sent, means = sent_in(control, direction), control.means(direction)
    usual = Reference(means, refused_with(sent), errors_of(sent))
    if stand_in is None:
        return usual
    return replace(usual, means=Means.STAND_IN, stand_in=stand_in, some_came=means is not Means.NOTHING)


def rounds(
    control: Controls,
    direction: Direction,
    spoiled: Mapping[int, tuple[str, ...]],
    stand_in: Train | None = None,
    since: int = 0,
) -> tuple[RoundControl, ...]:
    """The control of each round in one direction, or what stands in for it since a round; `spoiled`: as above."""
    counted = Reference(control.means(direction) if stand_in is None else Means.STAND_IN, stand_in=stand_in)
    observed = control.path.receiver_end(direction) is not None
    return by_round(sent_in(control, direction), counted, spoiled, observed=observed, since=since)
