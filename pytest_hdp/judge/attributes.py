"""What stands beside the verdict: counts, duplicates, reordering, NAT, TTL, changed fields, ICMP errors by kind."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from pytest_hdp.judge.facts import GOOD_FAITH
from pytest_hdp.judge.origin import from_inside
from pytest_hdp.judge.result import IcmpCount, Nat, ReadAs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.evidence import IcmpReport, Sighting
    from pytest_hdp.judge.facts import Facts, Fate

_T = TypeVar("_T", int, str, tuple[int, ...])


def wire_protocol(facts: Facts) -> int | None:
    """Return the number under which the train left, if it was seen leaving and under one number only."""
    numbers = {number for probe in facts.accepted for number in facts.numbers_on_the_wire(probe)}
    return numbers.pop() if len(numbers) == 1 else None


def duplicated(facts: Facts) -> int:
    """Return how many surplus copies the receiver saw, replays by others included."""
    return sum([max(_most_at_one(p.arrived), len(p.delivered), 1) - 1 for p in facts.probes])


def reordered(facts: Facts) -> int:
    """Return how many probes arrived after one that was sent later (RFC 4737, type-P-reordered)."""
    arrivals = [min([s.time for s in f.intact]) for f in facts.fates if f.came_as_sent]
    late, newest = 0, -1
    for order in sorted(range(len(arrivals)), key=arrivals.__getitem__):
        late += order < newest
        newest = max(newest, order)
    return late


def damaged(facts: Facts) -> list[Fate]:
    """Return the probes of which copies came, and none as sent."""
    return [fate for fate in facts.fates if fate.copies and not fate.intact and not _in_part(fate)]


def in_part(facts: Facts) -> int:
    """Return of how many probes only first fragments came: whether the rest did nobody has seen."""
    return sum(_in_part(fate) for fate in facts.fates)


def only_in_part(facts: Facts) -> bool:
    """Say whether all that came were first fragments: of such nothing is claimed."""
    came = [fate for fate in facts.fates if fate.copies]
    return bool(came) and all(map(_in_part, came))


def _in_part(fate: Fate) -> bool:
    return bool(fate.copies) and all(copy.in_part and copy.genuine for copy in fate.copies)


def modified_fields(facts: Facts) -> tuple[str, ...]:
    """Return the fields that no router may change and that were changed in copies of which no better one came."""
    names: set[str] = set()
    for fate in damaged(facts):
        for sighting in [s for s in fate.copies if s.genuine] or fate.copies:
            names |= _harm(facts, sighting)
    return tuple(sorted(names))


def moved(facts: Facts) -> int | None:
    """Return by how many bytes the payload was shifted in the copies of which no better one came; None: by none."""
    return _commonest([s.moved for fate in damaged(facts) for s in fate.copies if s.moved])


def changed_to(facts: Facts) -> int | None:
    """Return the number that the probes' own became beyond the sender, in copies of which no better one came."""
    if "protocol" not in modified_fields(facts):
        return None
    asked = facts.train.protocol
    return _commonest([s.protocol for fate in damaged(facts) for s in fate.copies if s.protocol != asked])


def transport_checksum(facts: Facts) -> str | None:
    """Return the state of the transport checksum on arrival that most copies had, where the form has one."""
    return _commonest([s.checksum for f in facts.fates for s in f.intact or f.copies if s.checksum is not None])


def good_faith_changes(facts: Facts) -> tuple[str, ...]:
    """Return the fields that were rewritten as routers and translators do, in copies that are otherwise as sent."""
    seen = {field for f in facts.fates for s in f.intact for field in s.changed}
    quoted = {field for _, report in facts.target_errors for field in report.changed}
    return tuple(sorted((seen | quoted) & GOOD_FAITH))


def arrival_ttl(facts: Facts) -> int | None:
    """Return the commonest TTL on arrival, the lowest of equals; without an agent, by the target's quotes."""
    quoted = [report.quoted_ttl for _, report in facts.target_errors if report.quoted_ttl is not None]
    return _commonest([s.ttl for f in facts.fates for s in f.intact] or quoted)


def arrival_flow_label(facts: Facts) -> int | None:
    """Return the commonest IPv6 flow label on arrival, the lowest of equals."""
    return _commonest([s.flow_label for f in facts.fates for s in f.intact if s.flow_label is not None])


def extension_headers(facts: Facts) -> tuple[int, ...]:
    """Return the extension headers with which most of the well-formed packets arrived, as sent or not."""
    return _commonest([s.extension_headers for f in facts.fates for s in f.intact or f.copies]) or ()


def delivered_under(facts: Facts) -> int | None:
    """Return the number behind the extension headers, if its socket got what is behind them."""
    return _commonest([probe.under for probe in facts.probes if probe.under is not None])


def read_as(facts: Facts) -> ReadAs | None:
    """Return as which extension header most of the bare packets were read where they were seen, if as any."""
    seen = (s.read_as for p in facts.accepted for s in (*p.left, *p.arrived, *p.delivered))
    found: tuple[int, ...] | None = _commonest([each for each in seen if each is not None])
    return ReadAs(*found) if found is not None else None


def nat(facts: Facts) -> Nat:
    """Return what the path did to the source address, by what the receiver saw.

    `leaked`: some copy kept an address of the sender's own, which on this path the control did not, or came from
    another one of inside: that of a translator before the last one, say.
    """
    sources = [s.source for f in facts.fates for s in f.intact]
    own, control = facts.own_addresses, facts.circumstances.names.get("control_source")
    if not own or not sources:
        return Nat("none", _commonest(sources))
    usual, outside = facts.circumstances.names.get("source"), facts.circumstances.outside
    kept = [address for address in sources if address in own]
    others = [address for address in sources if address not in own]
    if inside := [address for address in kept or others if from_inside(address, control, own, usual, outside)]:
        return Nat("leaked", _commonest(inside), control)
    elsewhere = control if control is not None and control not in sources else None
    if others:
        return Nat("translated", _commonest(others), elsewhere)
    return Nat("none", _commonest(kept))


def icmp_counts(facts: Facts) -> tuple[IcmpCount, ...]:
    """Return the ICMP errors about the train, equal ones counted."""
    return counted(report for probe in facts.probes for report in probe.icmp)


def counted(reports: Iterable[IcmpReport]) -> tuple[IcmpCount, ...]:
    """Return equal ICMP errors as one, with how many there were."""
    none = -1  # sorts beside a number
    kinds = Counter(
        (each.source, each.type, each.code, each.authenticated, none if each.pointer is None else each.pointer)
        for each in reports
    )
    return tuple(
        IcmpCount(source, type_, code, count, authenticated, None if pointer == none else pointer)
        for (source, type_, code, authenticated, pointer), count in sorted(kinds.items())
    )


def _most_at_one(copies: Sequence[Sighting]) -> int:
    """How many came through one interface: a bridge and its port, tapped both, show one packet twice."""
    if len(copies) < 2:
        return len(copies)
    return max(Counter(copy.interface for copy in copies).values())


def _commonest(values: list[_T]) -> _T | None:
    """The value that is there most often, the least of equals."""
    if len(set(values)) < 2:
        return values[0] if values else None
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _harm(facts: Facts, sighting: Sighting) -> set[str]:
    """What was changed and may not be; where only harmless fields are named, the bytes themselves must differ."""
    fields = set(sighting.changed) - GOOD_FAITH
    if sighting.protocol != facts.train.protocol:
        fields.add("protocol")
    return fields or {"payload"}
