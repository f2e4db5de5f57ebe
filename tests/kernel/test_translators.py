"""Translators as people have them, one behind the other and with pools: what is seen outside, and where answers go."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Judgement, PathName
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.lab.boxes import Box, Router, number_set
from pytest_hdp.lab.stateful import Nat
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.ends import End
from pytest_hdp.measure.engine import Measurement
from pytest_hdp.measure.path import OpenPath
from pytest_hdp.vantage.places import can_open_raw, can_unshare
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


def measured(boxes: tuple[Box, ...], trains: tuple[Train, ...]) -> tuple[Lab, dict[Train, Judgement]]:
    """What is said of trains through such boxes, with eyes at both ends."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(LabSpec("own", "for this test", boxes)))
        near, far = (stack.enter_context(Station(lab.socket_factory(node))) for node in (lab.client, lab.target))
        name = PathName("lab", "own", lab.client_address, lab.target_address, "netns=target")
        ends = End(near, lab.client_address, "eth0"), End(far, lab.target_address, "eth0")
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


def test_another_address_of_a_public_pool_is_no_leak():
    pool = Translator("snat to ip protocol map { 17 : 203.0.113.11, 253 : 203.0.113.12, 254 : 203.0.113.11 }")
    _, found = measured((pool, Router()), tuple(map(Train, (253, 254))))
    seen = [(found[Train(number)].nat.state, found[Train(number)].nat.source) for number in (253, 254)]
    assert seen == [("translated", "203.0.113.12"), ("translated", "203.0.113.11")]
    assert found[Train(253)].nat.control == "203.0.113.11"
    assert found[Train(254)].nat.control is None
