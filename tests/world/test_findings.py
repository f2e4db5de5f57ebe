"""What the simulator holds against the engine: each of its checks can fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sim import check, finding, world
from sim.blueprint import NEAR, Blueprint, plain
from sim.elements import Nat, NumberFilter, View
from sim.finding import measured
from sim.network import FORWARD
from sim.packet import Packet
from sim.truth import truth_of
from small_worlds import world_of

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Form, Verdict


def drops(print_: Blueprint) -> None:
    """The last router drops 50."""
    print_.routers[-1].rules.append(NumberFilter(frozenset({50}), frozenset({FORWARD})))


def test_the_truth_of_a_dropped_number_names_its_hop() -> None:
    made = world_of(drops)
    truth = truth_of(made, Train(50))
    assert truth.verdicts == {Verdict.LOST}
    assert truth.hop == len(made.blueprint.routers) == len(truth.hops)
    assert truth_of(made, Train(253)).verdicts == {Verdict.DELIVERED}
    assert not check.wrong(made, known=True)
    assert made.judgements[Train(50)].verdict is Verdict.LOST


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "verdict": ({"verdict": Verdict.DELIVERED}, "delivered is not lost"),
    "sent": ({"sent": 99}, "sent 99"),
    "left": ({"left": 99}, "left 99"),
    "arrived": ({"arrived": 1}, "arrived 1, and really 0"),
    "delivered": ({"delivered": 1}, "delivered 1, and really 0"),
    "duplicated": ({"duplicated": 1}, "duplicated 1"),
    "place": ({"place": "receiver's kernel"}, "lost at"),
    "bound": ({"bound": "0 of 5 arrived: delivery probability below 40 % at 95 %"}, "leaves 45.07 %"),
    "no bound": ({"bound": None}, "without a bound"),
    "sentence": ({"explanation": "4 of 5 left eth0, none reached it."}, "count differently"),
    "control": ({"explanation": "while the control lost 0 of 9999"}, "the control lost 0 of 9999, and really"),
    "control lost": ({"explanation": "while the control lost 1 of 9"}, "the control lost 1 of 9, and really 0"),
    "who answered": ({"explanation": "9.9.9.9 answered 1 with that (ICMP 3/13)"}, "9.9.9.9 answered 0 with 3/13"),
    "refused": ({"explanation": "sendto() refused 2 of 5"}, "0 were refused"),
    "beyond": (
        {"explanation": "lost between 1.1.1.1 (hop 0) and 1.1.1.2 (hop 1)"},
        "it is said to have died before hop 1",
    ),
    "came first": ({"explanation": "the first came through and none of the 4 after"}, "more came first"),
    "did not come": ({"explanation": "3 of 5 did not come through"}, "3 of 5 did not come through, and really"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_check_of_a_judgement_can_fail(name: str) -> None:
    made = world_of(drops)
    changed, says = WRONG[name]
    made.judgements[Train(50)] = replace(made.judgements[Train(50)], **changed)
    assert any(says in each for each in check.wrong(made, known=True)), check.wrong(made, known=True)


UNREASONABLE = {
    "overflow": "every round was spoiled (the socket at 198.51.100.2 overflowed)",
    "agent": "the far end's eyes closed: gone",
    "control": "the control was lost too: none came through in any round",
    "no control": "no control was sent",
    "too few": "0 of 5 arrived, too few to tell from loss such as the control's",
    "no way out": "the sending host had no way out for 5 probes",
    "own counts": "no probe was seen leaving in a round whose control came through; 5 of 5 left eth0",
}


@pytest.mark.parametrize("name", UNREASONABLE)
def test_a_reason_that_the_world_denies_is_found(name: str) -> None:
    made = world_of(drops)
    made.blueprint.excuses.add("any")
    said = replace(made.judgements[Train(50)], verdict=Verdict.INCONCLUSIVE, explanation=UNREASONABLE[name])
    if name == "too few":
        made.blueprint.excuses.clear()
        made.blueprint.heavy = 0.9
    made.judgements[Train(50)] = replace(said, place="unknown")  # type: ignore[arg-type]
    if name == "too few":
        from sim import reasons

        found = list(reasons.reasons(made, made.judgements[Train(50)], truth_of(made, Train(50))))
    else:
        found = check.wrong(made, known=True)
    words = {"own counts": "contradicts its counts", "too few": "by chance", "no way out": "always had a route"}
    assert any(words.get(name, UNREASONABLE[name][:12]) in each for each in found), found


def test_a_place_of_the_wrong_router_is_found() -> None:
    made = world_of(drops)
    said = made.judgements[Train(50)]
    assert said.last_hop is not None
    for hop, says in ((replace(said.last_hop, address="10.9.9.9"), "is 10."), (replace(said.last_hop, ttl=9), "hop 9")):
        made.judgements[Train(50)] = replace(said, last_hop=hop)
        assert any(says in each for each in check.wrong(made)), says
    made.judgements[Train(50)] = replace(said, hops=(*said.hops, replace(said.last_hop, ttl=9)))
    assert any("hop 9 is said to be" in each for each in check.wrong(made))


def test_a_packet_to_a_stranger_is_found() -> None:
    made = world_of(drops)
    made.near.send(Packet(NEAR, "8.8.8.8", 253, b""))
    assert any("a stranger" in each for each in check.wrong(made))


def test_a_train_of_which_nothing_is_said_is_found() -> None:
    made = world_of(drops)
    del made.judgements[Train(253)]
    assert check.wrong(made) == ["nothing is said of 1 trains"]


def test_a_translation_that_was_none_is_found() -> None:
    made = world_of(drops)
    said = made.judgements[Train(253)]
    made.judgements[Train(253)] = replace(said, nat=replace(said.nat, state="leaked"))
    assert any("NAT leaked is not none" in each for each in check.wrong(made))


def test_reverse_is_an_answer_only_behind_a_translator() -> None:
    print_ = plain(7, agent=True)
    print_.trains = (Train(50, Direction.REVERSE),)
    print_.extra.append((0, Nat("nat", "203.0.113.5", "address")))
    made = world.build(print_, (), trace=False, ties=None)
    assert truth_of(made, Train(50, Direction.REVERSE)).verdicts == {Verdict.LOST}
    print_ = replace(print_, trains=(Train(50), Train(50, Direction.REVERSE)))
    made = world.build(print_, (), trace=False, ties=None)
    assert truth_of(made, Train(50, Direction.REVERSE)).verdicts == {Verdict.DELIVERED}


def test_a_view_is_valid_by_number_and_form() -> None:
    assert View(253, False, 1, 100).valid
    assert not View(132, False, 1, 100).valid
    assert View(132, True, 1, 100).valid
    assert Form.BARE is Train(253).form


def test_what_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LIMIT", 0)
    _, outcome = measured(0)
    assert outcome.found[0].startswith("Endless: ")
