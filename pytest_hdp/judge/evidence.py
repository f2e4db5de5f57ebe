"""What was observed, nothing concluded. Times are integer nanoseconds since the Unix epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, TypeAlias

from pytest_hdp.judge.pattern import SharedLoss
from pytest_hdp.judge.statistics import LEAST_SHARE
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.packet.chain import DESTINATION, FRAGMENT, Chain, chain_text, read_chain
from pytest_hdp.packet.family import family_of
from pytest_hdp.packet.icmp import Meaning, meaning
from pytest_hdp.untrusted.marks import About, LeftOut, Longest, Whole

SocketNumber: TypeAlias = Annotated[int, Whole(-(2**31), 2**31 - 1)]
"""A number as socket() is asked for it."""
EXTENSION_OF = {Form.FRAGMENTED: FRAGMENT, Form.OPTIONS: DESTINATION}
"""Over IPv6 the extension header that makes a form: its number is the packet's then."""


@dataclass(frozen=True, slots=True, order=True)
class Train:
    """All probes of one protocol number in one direction and form: the unit that gets a verdict.

    `chain`: over IPv6, the extension headers that it is sent with, and what is behind them ("dst64/6"); "" for none of
    the experiment's. Its number is that of the first header then, as the packet's, and its form well-formed.
    """

    protocol: Annotated[
        SocketNumber, About("the number that socket() was asked for; not always one that fits the header")
    ]
    direction: Direction = Direction.FORWARD
    form: Form = Form.BARE
    chain: Annotated[
        Annotated[str, Longest(100)],
        LeftOut(),
        About("over IPv6: extension headers, each with its bytes, and the transport behind them, as in dst64/6"),
    ] = ""

    @property
    def behind(self) -> Chain | None:
        """The extension headers in front of what it carries, where these are the question."""
        known = read_chain(self.chain)
        return known[0] if known is not None else None

    @property
    def transport(self) -> int:
        """The number of what it carries: behind extension headers that of the transport, else its own."""
        known = read_chain(self.chain)
        return known[1] if known is not None else self.protocol


def behind(chain: Chain, transport: int, direction: Direction = Direction.FORWARD) -> Train:
    """Return the train of a transport behind a chain of extension headers."""
    return Train(chain.numbers[0], direction, Form.WELLFORMED, chain_text(chain, transport))


@dataclass(frozen=True, slots=True)
class Sighting:
    """One copy of a probe as one observer saw it.

    `genuine`: its MAC verified. A copy that is not genuine is ours all the same (the run id, the index and
    most of the unforgeable MAC bytes are as sent) with bytes changed; copies that cannot be attributed never
    become sightings. `changed`: names of the fields that differ from what was sent, good-faith rewrites
    included ("source", "destination", "ttl", "dscp", "ecn", "identification", "flags", "options", "flow_label",
    "protocol", "payload", "length"). `moved`: bytes that were put before its payload, or (below 0) cut off its front.
    `checksum`: its transport checksum's state ("right", "stale", "none"), where its form has one. Over IPv6:
    `flow_label`; `extension_headers` of a well-formed packet, in order; `read_as`: of a bare one under the number of an
    extension header, as which such a header its bytes are read: how long, and what it says is next. `in_part`: a first
    fragment, of which nobody saw whether the rest came too.
    """

    time: int
    protocol: int
    genuine: bool
    source: str
    destination: str
    ttl: int
    changed: tuple[str, ...] = ()
    interface: str = ""
    moved: int = 0
    checksum: str | None = None
    flow_label: int | None = None
    extension_headers: tuple[int, ...] = ()
    read_as: tuple[int, int] | None = None
    in_part: bool = False


@dataclass(frozen=True, slots=True)
class IcmpReport:
    """One ICMP error about a probe. `authenticated`: its quote holds the probe's verified tag, and it as it was sent.

    `changed`: what of the quoted packet differs from what was sent, as in a `Sighting`, and "payload".
    `quoted_ttl`: the TTL in the quote: what was left of it where the error was made. None: not told. `pointer`: of an
    ICMPv6 parameter problem, where in the packet that is. `ttl`: with which the error came. `own`: it never came over a
    link: the sender's own kernel made it, whichever of its addresses that put on it.
    """

    time: int
    source: str
    type: int
    code: int
    authenticated: bool
    changed: tuple[str, ...] = ()
    quoted_ttl: int | None = None
    pointer: int | None = None
    ttl: int | None = None
    own: bool = False

    @property
    def kind(self) -> Kind:
        """Who says what."""
        return self.source, self.type, self.code

    @property
    def meaning(self) -> Meaning:
        """What it says, by whatever IP."""
        return meaning_of(self.kind)


Kind: TypeAlias = "tuple[str, int, int]"
"""Source, type and code of an ICMP error."""


def meaning_of(kind: Kind) -> Meaning:
    """Return what an ICMP error says. The version of IP is that of its source."""
    source, type_, code = kind
    return meaning(type_, code, version=family_of(source).version)


@dataclass(frozen=True, slots=True)
class Reply:
    """A packet of the protocol's own from the target, such as only somebody who saw the probe can send.

    `kind`: what it is ("TCP RST"); `proof`: what of the probe it holds ("our tag", "our sequence number").
    """

    time: int
    source: str
    ttl: int
    kind: str
    proof: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One packet and what became of it. `errno`: the name ("EPERM") if sendto() refused it, then nothing was sent.

    `carried`: the numbers of the packets inside which it came to the receiver's interface: a tunnel, and no arrival.
    `onward`: by which interface it left the receiver's host again, and to which address.
    `under`: the number behind its extension headers, if the socket of that got it.
    """

    index: int
    round: int
    sent_at: int
    errno: str | None = None
    left: tuple[Sighting, ...] = ()
    arrived: tuple[Sighting, ...] = ()
    delivered: tuple[Sighting, ...] = ()
    icmp: tuple[IcmpReport, ...] = ()
    replies: tuple[Reply, ...] = ()
    carried: tuple[int, ...] = ()
    onward: tuple[tuple[str, str], ...] = ()
    under: int | None = None


@dataclass(frozen=True, slots=True)
class TrainEvidence:
    """Everything seen of one train. `socket_errno`: the name of the errno if socket() refused the number.

    `solicited`: in the same run a packet of its number had gone the other way before, controls aside.
    """

    train: Train
    socket_errno: str | None = None
    probes: tuple[Probe, ...] = ()
    solicited: bool = False


class Means(StrEnum):
    """By what the control of one direction is counted: the first of these that comes through there.

    `USUAL`: datagrams at the receiver's socket, or without an agent echoes that were answered. `INTERFACE`: datagrams
    at the receiver's interface, since none came to the socket. `ECHOES`: echo requests there, since no datagram came.
    `STAND_IN`: packets of another train there, since most of these were lost. `NOTHING`: nothing came through.
    """

    USUAL = "usual"
    INTERFACE = "interface"
    ECHOES = "echoes"
    STAND_IN = "stand-in"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Reference:
    """What the control of a direction is, and what kept it from coming through.

    `errno`: with which the sender's own sendto() refused all of its datagrams, if it did. `errors`: source, type and
    code of the ICMP errors about it, and how often each came. `stand_in`: the train whose packets it is;
    `some_came`: of what it stands in for, some did come through.
    """

    means: Means = Means.USUAL
    errno: str | None = None
    errors: tuple[tuple[str, int, int, int], ...] = ()
    stand_in: Train | None = None
    some_came: bool = False

    @property
    def general(self) -> frozenset[Kind]:
        """What was said of the control although that gets through: for a moment, of all that came by."""
        if self.means not in {Means.USUAL, Means.INTERFACE}:
            return frozenset()
        return frozenset({(source, type_, code) for source, type_, code, _ in self.errors})


@dataclass(frozen=True, slots=True)
class RoundControl:
    """The control of one round: how many packets of what it is counted by (`Reference`) were sent and came through.

    `spoiled`: an observer dropped packets during this round (say, for want of buffer), by name; such a round is no
    evidence against anything. `refused`: how many more sendto() refused. `left`: how many left, of any kind, of `taken`
    that sendto() took; None: of those sent. `at_socket`: of `arrived` datagrams, those that came to a socket, too.
    """

    round: int
    sent: int
    delivered: int
    left: int = 0
    spoiled: tuple[str, ...] = ()
    refused: int = 0
    taken: int | None = None
    arrived: int = 0
    at_socket: int = 0


@dataclass(frozen=True, slots=True)
class Observers:
    """Which observers were open: the tap at the sender, the tap at the receiver, the receiver's socket."""

    left: bool = True
    arrived: bool = True
    delivered: bool = True


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all trains of one measurement in one direction share.

    `trains`: how many get a verdict (the error rate is split among them). `error_rate`: chance, over the
    whole run, of calling a train lost, first_only or lossy that is not. `more_rounds`: whether the
    measurement can still send. `agent_gone`: a sentence if the far end's observers closed in mid-run. `names`: for
    sentences: "sender_interface", "receiver_interface", "source", "target"; and "control_source", the source
    address that the receiver saw on the control, to tell what NAT did; "withheld": why no probe was sent, if none
    was; "unconfirmed": why no more is sent to the address that the far end saw; "answers_to": that
    address, and "control_answers_to" where the control's is another; "elsewhere": why the observers may be at
    another host than the target, if nothing came to them; "wrapped": how what left no interface may have left all the
    same. `minimum_count`: probes that every train gets; before that
    nothing is final, and no train is called lost, first_only or lossy. `reference`: what the control is.
    `firewall_says_port`: the target said "port unreachable" to numbers that no kernel handles, so that it is its
    firewall which says so. `inner`: interfaces of the sender which what is sent passes on its way to another one, as a
    bridge before its port: what was seen there has not left yet.
    `momentary`: kinds of ICMP errors of which it is in doubt that they tell of this number.
    `least_share`: the delivery probability above which a train is that gets through, at 95 %. `shared`: what nearly all
    trains lost in the same place. `echo_ttls`: those that the target's echo replies had when they came, where nobody
    watches it. `outside`: all source addresses that the receiver saw on controls, which go in several flows.
    `refusals`: (refused, tried) of trains of which the sender's own firewall refused some, and not all.
    """

    control: tuple[RoundControl, ...]
    observers: Observers = Observers()
    trains: int = 256
    error_rate: float = 1e-6
    least_share: float = LEAST_SHARE
    shared: tuple[SharedLoss, ...] = ()
    more_rounds: bool = False
    agent_gone: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    minimum_count: int = 1
    reference: Reference = Reference()
    firewall_says_port: bool = False
    inner: frozenset[str] = frozenset()
    momentary: frozenset[Kind] = frozenset()
    echo_ttls: frozenset[int] = frozenset()
    outside: frozenset[str] = frozenset()
    refusals: tuple[int, int] = (0, 0)

    @property
    def elsewhere(self) -> bool:
        """Whether the observers at the far end are at another host than the target."""
        return "elsewhere" in self.names
