"""Translators as people have them, one behind the other and with pools: what is seen outside, and where answers go."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, PathInfo
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.lab.boxes import Box, Router, filter_chain, number_set
from pytest_hdp.lab.stateful import Nat
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.vantage.points import can_open_raw, can_unshare
from pytest_hdp.vantage.station import Station

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)


@dataclass(frozen=True, slots=True)
class Translator(Box):
    """A router that gives what leaves outside another source, by a statement of nftables."""

    said: str
    features: ClassVar[str] = "a kernel with connection tracking and nftables translation"
    translates: ClassVar[bool] = True

    @property
    def rules(self) -> str:
        return (
            "table ip lab {\n  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n"
            f'    oifname "outside" {self.said}\n  }}\n}}\n'
        )


@dataclass(frozen=True, slots=True)
class NoWayBack(Box):
    """A router that drops 253 which comes from the target's side."""

    @property
    def rules(self) -> str:
        return filter_chain("forward", 'iifname "outside" ip protocol 253 drop')


def measured(boxes: tuple[Box, ...], trains: tuple[Train, ...]) -> tuple[Lab, dict[Train, Judgement]]:
    """What is said of trains through such boxes, with observers at both ends."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(LabSpec("own", "for this test", boxes)))
        near, far = (stack.enter_context(Station(lab.socket_factory(node))) for node in (lab.client, lab.target))
        name = PathInfo("lab", "own", lab.client_address, lab.target_address, "netns=target")
        ends = Endpoint(near, lab.client_address, "eth0"), Endpoint(far, lab.target_address, "eth0")
        path = stack.enter_context(OpenPath(name, *ends))
        return lab, Measurement(path, plan.Plan(trains, plan.LAB, seed=1)).run()


def some(numbers: frozenset[int]) -> Translator:
    """One that knows these numbers, and lets all others pass as they are."""
    return Translator(f"ip protocol {number_set(numbers)} masquerade")


INSIDE = "100.64.9.2"


def test_the_address_of_an_inner_translator_seen_outside_is_a_leak():
    """The inner one translates all, and the outer one TCP, UDP and ICMP: its own side is a provider's."""
    inner = Translator(f"snat to {INSIDE}")
    _, found = measured((inner, some(frozenset({1, 6, 17})), Router()), tuple(map(Train, (47, 200, 253))))
    assert {each.verdict for each in found.values()} == {Verdict.DELIVERED}
    assert {(each.nat.state, each.nat.source) for each in found.values()} == {("leaked", INSIDE)}
    assert len({each.nat.control for each in found.values()} - {None, INSIDE}) == 1, "the outer one's"


def test_two_translators_of_every_number_leak_nothing():
    inner = Translator(f"snat to {INSIDE}")
    lab, found = measured((inner, Nat(), Router()), tuple(map(Train, (50, 253))))
    assert {(each.nat.state, each.nat.source) for each in found.values()} == {("translated", lab.outside_address)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("203.0.113.11", "203.0.113.12", id="public"),
        pytest.param("203.0.113.11", "198.18.0.5", id="two-ranges"),
        pytest.param("100.64.0.11", "100.64.1.12", id="provider"),
        pytest.param("10.77.0.11", "10.77.0.12", id="private"),
    ],
)
@pytest.mark.night("public", "private")
def test_another_address_of_a_pool_is_no_leak_and_answers_go_there(one: str, other: str):
    pool = Translator(f"snat to ip protocol map {{ 17 : {one}, 1 : {one}, 253 : {other}, 254 : {one} }}")
    back = Train(253, Direction.REVERSE)
    _, found = measured((Router(), pool), (Train(253), Train(254), back))
    seen = [(found[Train(number)].nat.state, found[Train(number)].nat.source) for number in (253, 254)]
    assert seen == [("translated", other), ("translated", one)]
    assert found[Train(253)].nat.control == one
    assert found[Train(254)].nat.control is None
    assert (found[back].verdict, found[back].sent_to) == (Verdict.DELIVERED, other)


POOL = "snat to ip protocol map { 17 : 203.0.113.11, 1 : 203.0.113.11, 47 : 203.0.113.11, 253 : 203.0.113.12 }"


def test_answers_go_to_where_each_number_came_from():
    """A pool by flow, without pairing (RFC 4787): what comes to another of its addresses belongs to nobody."""
    trains = tuple(Train(number, direction) for number in (50, 200, 253) for direction in Direction)
    pool = Translator(POOL.replace("253 :", "50 : 203.0.113.13, 200 : 203.0.113.11, 253 :"))
    _, found = measured((Router(), pool), trains)
    assert {each.verdict for each in found.values()} == {Verdict.DELIVERED}
    back = {train.protocol: each for train, each in found.items() if train.direction is Direction.REVERSE}
    sent_to = {number: (each.sent_to, each.control_sent_to) for number, each in back.items()}
    assert sent_to == {
        50: ("203.0.113.13", "203.0.113.11"),
        200: ("203.0.113.11", None),
        253: ("203.0.113.12", "203.0.113.11"),
    }
    said = "; sent to 203.0.113.12, where its number came from, and the control to 203.0.113.11."
    assert back[253].explanation.endswith(said)


RANGES = ("10.77.0.11", "10.77.3.11", "10.77.9.11")


def test_a_private_pool_of_several_ranges_shows_by_its_controls_and_leaks_nothing():
    """Each flow gets the next address: to which a number went is chance, and echoes are flows enough to show them."""
    pool = Translator(
        f"snat to numgen inc mod 3 map {{ {', '.join(f'{n} : {each}' for n, each in enumerate(RANGES))} }}"
    )
    trains = tuple(Train(number, direction) for number in (50, 99, 200, 252, 253, 254) for direction in Direction)
    _, found = measured((Router(), pool), trains)
    assert {each.verdict for each in found.values()} == {Verdict.DELIVERED}
    sources = {train.protocol: each.nat for train, each in found.items() if train.direction is Direction.FORWARD}
    assert {each.state for each in sources.values()} == {"translated"}
    assert {each.source for each in sources.values()} == set(RANGES)
    back = {train.protocol: each.sent_to for train, each in found.items() if train.direction is Direction.REVERSE}
    assert back == {number: each.source for number, each in sources.items()}


def test_where_it_is_in_doubt_whose_an_address_is_answers_go_there():
    """By its number alone 253 gets another range's address: a leak as far as anybody can tell, and its answer comes."""
    one, other = RANGES[:2]
    pool = Translator(f"snat to ip protocol map {{ 17 : {one}, 1 : {one}, 253 : {other} }}")
    back = Train(253, Direction.REVERSE)
    _, found = measured((Router(), pool), (Train(253), back))
    assert (found[Train(253)].nat.state, found[Train(253)].nat.source) == ("leaked", other)
    assert (found[back].verdict, found[back].sent_to) == (Verdict.DELIVERED, other)


def test_what_does_not_come_back_to_its_own_address_is_lost_and_has_its_place():
    trains = (Train(253), Train(253, Direction.REVERSE))
    _, found = measured((Router(), NoWayBack(), Translator(POOL)), trains)
    back = found[trains[1]]
    assert (back.verdict, back.sent_to) == (Verdict.LOST, "203.0.113.12")
    assert back.last_hop is not None


def test_to_an_address_from_inside_nobody_answers():
    trains = tuple(Train(200, direction) for direction in Direction)
    inner = Translator(f"snat to {INSIDE}")
    lab, found = measured((inner, some(frozenset({1, 6, 17})), Router()), trains)
    assert found[trains[0]].nat.source == INSIDE
    assert (found[trains[1]].sent_to, found[trains[1]].control_sent_to) == (lab.outside_address, None)
