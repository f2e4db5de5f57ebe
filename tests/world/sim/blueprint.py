"""What a world is drawn as: its parts before they are put together, and what families add to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.measure.plan import AGENTLESS, LAB, REMOTE, Pace
from pytest_hdp.packet.carrier import CARRIERS
from pytest_hdp.vantage.remote.launcher import Terms
from sim.elements import Effect, Link, Router, View
from sim.host import HANDLED, ROOM, Bucket, Host, Rule
from sim.packet import ICMP, ICMPV6

NEAR, FAR, OUTSIDE = "10.0.0.2", "198.51.100.2", "203.0.113.5"
POOL, INNER, PUBLIC = "203.0.113.6", "100.64.0.2", "192.0.2.80"
EACH = "203.0.114."
TUNNEL_NEAR, TUNNEL_FAR = "10.8.0.1", "10.8.0.2"
WELL_KNOWN = (1, 2, 4, 6, 17, 33, 41, 47, 50, 51, 58, 89, 112, 132, 136, 253, 254)


@dataclass(slots=True)
class HostRule:
    """A rule of a host's own firewall, and its truth. `handler`: of the protocol's, behind all of the firewall's."""

    rule: Rule
    effect: Callable[[View], Effect | None]
    handler: bool = False


@dataclass(slots=True)
class FarEnd:
    """The far end behind an agent's pipe. `delay`, `jitter`: ns that a message takes there; `terms`: the agent's.

    `lies`: the kinds that it tells, `often` in 1.
    """

    delay: int
    jitter: int = 0
    terms: Terms = field(default_factory=Terms)
    lies: tuple[str, ...] = ()
    often: float = 1.0


@dataclass(slots=True)
class Blueprint:
    """A world in parts. `loss`: the share of all packets that the path loses, at worst; `heavy`: if that is most of
    them. `excuses`: what makes an `inconclusive` of any train believable. `outside`: addresses of translators, to which
    answers go. `far_end`, `near_end`: there is a pipe to that station; `gone`: how what it dies of may begin.
    `prepare` is called with both hosts before the path is opened, `events` with the world when it stands. `notes`:
    what families did, one line each.
    """

    seed: int
    chance: random.Random
    agent: bool = True
    trains: tuple[Train, ...] = ()
    routers: list[Router] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    extra: list[tuple[int, object]] = field(default_factory=list)
    near_output: list[HostRule] = field(default_factory=list)
    far_output: list[HostRule] = field(default_factory=list)
    near_inputs: list[HostRule] = field(default_factory=list)
    far_inputs: list[HostRule] = field(default_factory=list)
    handled: frozenset[int] = HANDLED
    answers: bool = True
    echoes: bool = True
    target_bucket: Bucket = field(default_factory=Bucket)
    pace: Pace = LAB
    loss: float = 0.0
    heavy: float = 0.0
    near_address: str = NEAR
    far_address: str = FAR
    target: str = FAR
    far_bind: str | None = None
    near_tap: str | None = "eth0"
    far_tap: str | None = "eth0"
    far_ahead: int = 0
    near_refusals: dict[int, int] = field(default_factory=dict)
    room: int = ROOM
    tap_room: int = 1 << 16
    tunnel: bool = False
    far_end: FarEnd | None = None
    near_end: FarEnd | None = None
    outside: set[str] = field(default_factory=set)
    prepare: list[Callable[[Host, Host], None]] = field(default_factory=list)
    excuses: set[str] = field(default_factory=set)
    gone: tuple[str, ...] = ()
    events: list[Callable[..., None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def six(self) -> bool:
        """Whether it is a world of IPv6."""
        return ":" in self.target

    @property
    def header(self) -> int:
        """Bytes of an IP header in it."""
        return 40 if self.six else 20

    @property
    def icmp(self) -> int:
        """The number of its ICMP."""
        return ICMPV6 if self.six else ICMP

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of its trains."""
        return tuple(sorted({train.protocol for train in self.trains}))

    def some_numbers(self) -> frozenset[int]:
        """One of its numbers, or a few."""
        numbers = self.numbers
        return frozenset(self.chance.sample(numbers, self.chance.randint(1, max(1, len(numbers) // 2))))

    def ways(self) -> frozenset[int]:
        """Forward, reverse or both."""
        return self.chance.choice((frozenset({1}), frozenset({-1}), frozenset({1, -1}), frozenset({1, -1})))

    def a_router(self) -> Router:
        """One of its routers; there is one at least."""
        return self.chance.choice(self.routers)


def plain(seed: int, *, agent: bool | None = None) -> Blueprint:
    """A path of routers that do nothing but forward, with its trains and delays."""
    chance = random.Random(seed)
    print_ = Blueprint(seed, chance)
    print_.agent = chance.random() < 0.7 if agent is None else agent
    print_.trains = _trains(print_)
    speed = chance.choice((20_000, 100_000, 1_000_000, 10_000_000))
    for number in range(chance.randint(1, 4)):
        delay = int(speed * (0.3 + chance.random()))
        print_.links.append(Link(f"link {number}", random.Random(chance.random()), delay))
        each = chance.choice((0, 0, 0, 1_000_000_000, 100_000_000))
        print_.routers.append(Router(f"router {number + 1}", f"10.{number + 1}.0.1", bucket=Bucket(each, 6)))
    print_.links.append(Link(f"link {len(print_.routers)}", random.Random(chance.random()), speed // 2))
    if not print_.agent:
        print_.target_bucket = Bucket(*chance.choice(((1_000_000_000, 6), (100_000_000, 6), (1_000_000, 50), (0, 6))))
    print_.pace = _pace(print_)
    return print_


def _trains(print_: Blueprint) -> tuple[Train, ...]:
    chance = print_.chance
    count = chance.choice((1, 3, 5, 8, 8, 12))
    numbers = {chance.choice(WELL_KNOWN) if chance.random() < 0.6 else chance.randint(1, 255) for _ in range(count)}
    directions = [Direction.FORWARD]
    if print_.agent and chance.random() < 0.6:
        directions.append(Direction.REVERSE)
    forms = chance.choice(((Form.BARE,), (Form.BARE,), (Form.WELLFORMED,), (Form.BARE, Form.WELLFORMED)))
    trains = [
        Train(number, direction, form)
        for number in numbers
        for direction in directions
        for form in forms
        if form is Form.BARE or number in CARRIERS
    ]
    return tuple(sorted(trains)) or (Train(253),)


def _pace(print_: Blueprint) -> Pace:
    chance = print_.chance
    if not print_.agent:
        return AGENTLESS
    return replace(chance.choice((LAB, REMOTE)), control=chance.choice((8, 8, 12, 12, 16, 44)))
