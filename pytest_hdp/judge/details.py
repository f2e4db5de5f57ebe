"""What a judgement says in detail, and the range of each field: address, ICMP errors, hops, a limit, times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pytest_hdp.judge.evidence import SocketNumber, meaning_of
from pytest_hdp.packet.icmp import Meaning
from pytest_hdp.untrusted.marks import SINCE, About, At, Count, LeftOut, Octet, OneOf, Whole


@dataclass(frozen=True, slots=True)
class Nat:
    """What became of the source address, by what the receiver saw.

    "leaked": a source from inside was seen although the control's was translated.
    """

    state: Annotated[str, OneOf(("translated", "leaked", "none"))]
    source: Annotated[str | None, About("the source address that the receiver saw")]
    control: Annotated[
        str | None, LeftOut(), About("the one that it saw the control come from, where that is another")
    ] = None


AS_SENT = Nat("none", None)


@dataclass(frozen=True, slots=True)
class IcmpCount:
    """Equal ICMP errors, counted."""

    source: Annotated[str, At("from")]
    type: Octet
    code: Octet
    count: Annotated[int, Whole(1)]
    authenticated: Annotated[bool, About("its quote holds a verified tag")]
    pointer: Annotated[
        Count | None,
        LeftOut(),
        About(
            "of an ICMPv6 parameter problem: the byte of the packet that it is about; 6 is the fixed header's number"
        ),
    ] = None

    @property
    def meaning(self) -> Meaning:
        """What it says, by whatever IP."""
        return meaning_of((self.source, self.type, self.code))


@dataclass(frozen=True, slots=True)
class ReadAs:
    """As which extension header the bytes of a bare packet are read by whoever walks the chain."""

    length: Annotated[Count, About("bytes of the header that its own length field says; more than there are, mostly")]
    next_header: Annotated[Octet, About("the number that it says is behind it")]


@dataclass(frozen=True, slots=True)
class Hop:
    """The last router known to have forwarded the train."""

    ttl: Octet
    address: str


@dataclass(frozen=True, slots=True)
class AtTtl:
    """What packets of one TTL brought: `sent` ones of a train, and beside each of them one control."""

    ttl: Octet
    sent: Annotated[Count, About("packets of this number")]
    icmp: Annotated[tuple[IcmpCount, ...], LeftOut(), About("errors about those")] = ()
    control: Annotated[Count, LeftOut(), At("control", "answered"), About("controls that a router answered")] = 0
    router: Annotated[str | None, LeftOut(), At("control", "from"), About("that router")] = None
    control_arrived: Annotated[
        Count, LeftOut(), At("control", "arrived"), About("controls that came through with this TTL")
    ] = 0
    silent: Annotated[
        bool, LeftOut(), About("that this number was not answered means something, by the control's answers")
    ] = False


@dataclass(frozen=True, slots=True)
class Climb:
    """How the hop was looked for at which a train died: by its own packets, or `by` those of another number."""

    rungs: Annotated[
        tuple[AtTtl, ...],
        LeftOut(),
        At("ttls"),
        About("by TTL: packets of this number, and a control beside each of them"),
    ] = ()
    by: Annotated[
        SocketNumber | None,
        LeftOut(),
        At("with"),
        About("the number whose packets were sent in this one's place, on the same path; it has the TTLs"),
    ] = None


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """A limit that numbers share, so that what the one sends takes from what the other may."""

    rate: Annotated[float, About("packets a second that it let through, once its burst was spent: it lets no fewer")]
    burst: Annotated[Count, About("packets that came through in a row after a rest")]
    interval: Annotated[
        float | None,
        About("seconds between two packets, as they were asked again; null where there was no time for that"),
    ]
    numbers: Annotated[str, About("which numbers share it: 2-5,7-16")]
    most: Annotated[
        float | None,
        SINCE,
        About("packets a second that it lets through at most; null where it was never kept spent long enough to tell"),
    ] = None


@dataclass(frozen=True, slots=True)
class LatencyUs:
    """How long packets took one way, in microseconds."""

    min: float
    median: float
    p99: float
