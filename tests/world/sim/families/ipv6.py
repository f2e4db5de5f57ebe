"""Worlds of IPv6: its own numbers and headers, its ICMP, and errors limited as its hosts limit them."""

from __future__ import annotations

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Form
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import IPV6
from sim.blueprint import Blueprint
from sim.elements import NumberFilter
from sim.families.registry import MS, SECOND, family, own
from sim.host import HANDLED6, Bucket
from sim.packet import ICMPV6, UDP

NEAR6, FAR6 = "2001:db8:a::2", "2001:db8:b::2"
TELLING = (1, 43, 44, 51, 58, 59, 60, 103, 135, 139)
PACES = (
    (100 * MS, 6),  # Linux since 2026
    (100 * MS, 10),  # the example of RFC 4443 section 2.4
    *((SECOND // 2**shift, 6) for shift in range(5)),  # Linux before, by the prefix of the route back
    (10 * MS, 100),  # BSD's errppslimit
    (0, 6),
)
WORDS = ("drop", "drop", "reject 3 13", "reject 3 0")


@family(alone=True, beside=True, only=6)
def over_ipv6(print_: Blueprint) -> None:
    """IPv6: hosts that answer by ICMPv6, routers that drop or reject Next Headers, and few errors to send."""
    chance = own(print_)
    print_.near_address, print_.far_address, print_.target = NEAR6, FAR6, FAR6
    print_.handled = HANDLED6
    for number, router in enumerate(print_.routers, 1):
        router.address = f"2001:db8:c:{number}::1"
        router.bucket = Bucket(*chance.choice(PACES))
    if not print_.agent:
        print_.target_bucket = Bucket(*chance.choice(PACES))
    numbers = {*print_.numbers, *chance.sample(TELLING, chance.randint(0, 5))}
    ways = tuple(Direction) if print_.agent and chance.random() < 0.5 else (Direction.FORWARD,)
    known = carriers(IPV6)
    forms = chance.choice(((Form.BARE,), (Form.WELLFORMED,), BOTH_FORMS))
    trains = [Train(number, way, form) for number in numbers for way in ways for form in forms]
    usable = [each for each in trains if each.form is Form.BARE or each.protocol in known]
    print_.trains = tuple(sorted(usable)) or (Train(253),)
    said = [f"errors: {[router.bucket.each / MS for router in print_.routers]} ms"]
    if chance.random() < 0.7:
        router = chance.choice(print_.routers)
        refused = frozenset(chance.sample(print_.numbers, chance.randint(1, len(print_.numbers)))) - {UDP, ICMPV6}
        way = frozenset(chance.choice(((1,), (-1,), (1, -1)))) if print_.agent else frozenset({1})
        rule = NumberFilter(refused, way, chance.choice(WORDS))
        router.rules.append(rule)
        said.append(f"{router.name} says {rule.word} to {sorted(refused)} {sorted(way)}")
    print_.notes.append(f"IPv6; {'; '.join(said)}")
