"""Boxes of labs beside their twins: what is stated of them, and what makes no box."""

from __future__ import annotations

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Containment, Form
from pytest_hdp.lab.catalogue import LABS, SANDBOXES, make
from pytest_hdp.lab.sandboxes import contained
from pytest_hdp.plugin.option_types import labs

C = Containment


def words(name: str, version: int, allowed: frozenset[int] = frozenset()) -> dict[int, Containment]:
    layout = make(name).over(version).layout
    return {number: contained(layout, Train(number), allowed) for number in range(1, 256)}


@pytest.mark.parametrize(
    ("name", "version", "out"),
    [
        ("sandbox-closed", 4, set()),
        ("sandbox-closed", 6, set()),
        ("sandbox-tcp-udp", 4, {6, 17}),
        ("sandbox-v4-only", 4, set()),
        ("sandbox-v4-only", 6, set(range(1, 256))),
        ("sandbox-leaks-132", 6, {132}),
        ("sandbox-never-armed", 4, set(range(1, 256))),
        ("sandbox-related", 4, set(range(1, 256))),
        ("sandbox-twin-behind-one-nat", 4, set(range(1, 256))),
        ("sandbox-fragment-leak", 4, set()),
        ("sandbox-fragment-leak", 6, {44}),
    ],
)
def test_what_gets_out_is_stated(name: str, version: int, out: set[int]) -> None:
    found = words(name, version)
    assert {number for number, word in found.items() if word is C.LEAKED} == out
    assert set(found.values()) <= {C.LEAKED, C.CONTAINED}


@pytest.mark.parametrize("version", [4, 6])
def test_of_first_fragments_alone_a_policy_knows_nothing_else(version: int) -> None:
    def of(name: str, form: Form) -> set[Containment]:
        layout = make(name).over(version).layout
        return {contained(layout, Train(number, form=form)) for number in range(1, 256)}

    assert of("sandbox-fragment-leak", Form.FRAGMENTED) == {C.LEAKED}
    of_tcp = contained(make("sandbox-tcp-udp").over(version).layout, Train(6, form=Form.FRAGMENTED))
    assert of_tcp is (C.LEAKED if version == 4 else C.CONTAINED), "by IPv6 its number is that of the fragment header"
    gathered = of("sandbox-fragment-leak+home-v6", Form.FRAGMENTED) | of("sandbox-closed+home-v6", Form.FRAGMENTED)
    assert gathered == {C.UNPROVEN}, "a later one by itself vanishes where connections are tracked"
    assert of("sandbox-never-armed+home-v6", Form.FRAGMENTED) == {C.LEAKED}
    assert of("sandbox-fragment-leak", Form.OPTIONS) == of("sandbox-closed", Form.FRAGMENTED) == {C.CONTAINED}


def test_where_nothing_could_arrive_and_behind_one_translator_nothing_is_proven() -> None:
    assert set(words("sandbox-blackhole-far-end", 6).values()) == {C.UNPROVEN}
    behind = words("sandbox-closed+home-nat", 4)
    assert behind[253] is C.UNPROVEN
    assert behind[6] is C.CONTAINED, "bare HDP is no TCP to the tracker, which lets it be"
    over6 = words("sandbox-closed+home-nat", 6)
    assert {number for number, word in over6.items() if word is not C.CONTAINED} == {44}, "nothing is translated there"


def test_what_may_leave_is_allowed_or_blocked() -> None:
    layout = make("sandbox-closed").layout
    allowed = frozenset({6, 253})
    assert contained(layout, Train(6), allowed) is C.CONTAINED
    assert contained(layout, Train(6, form=Form.WELLFORMED), allowed) is C.BLOCKED
    assert contained(layout, Train(253), allowed) is C.BLOCKED, "it has no other form"
    assert words("sandbox-tcp-udp", 4, frozenset({6, 17}))[6] is C.ALLOWED


def test_boxes_and_paths_are_both_labs_and_neither_is_the_other() -> None:
    assert not any(spec.has_twin for spec in LABS.values())
    assert all(spec.has_twin and spec.layout.second_link for spec in SANDBOXES.values())
    assert labs("all") == (*LABS, *SANDBOXES)
    with pytest.raises(ValueError, match="did you mean sandbox-closed"):
        make("sandbox-close")


def test_a_translator_before_the_policy_makes_no_box() -> None:
    with pytest.raises(ValueError, match="home-nat hides whose packets they are"):
        labs("home-nat+sandbox-closed")
