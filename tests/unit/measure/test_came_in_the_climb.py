"""A packet that looks for the place where its train died, and comes through: the train died nowhere."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pytest_hdp.judge.evidence import IcmpReport, Train
from pytest_hdp.judge.result import Hop, Judgement
from pytest_hdp.judge.verdict import Direction, Place, Verdict
from pytest_hdp.measure.control.counting import ControlEntry
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.ledger.probes import SentProbe
from pytest_hdp.measure.location.locate import Locator
from pytest_hdp.measure.location.located import FEW, GroupTracker
from pytest_hdp.measure.location.ttl_rung import Attempt, Rung
from pytest_hdp.measure.schedule.dispatch import file_observation
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.tag import Tagger

RUN, TRAIN, OTHER = b"\x01\x02\x03\x04\x05\x06\x07\x08", Train(253), Train(254)
LOST = Judgement(TRAIN, Verdict.LOST, Place.PATH, "7 of 7 left, none arrived.", final=True)
FAR, NEAR = SimpleNamespace(address="198.51.100.2"), SimpleNamespace(address="192.0.2.1")


def packet(index: int) -> bytes:
    header = Header(timestamp=1).pack()
    return header + Tagger(b"s" * 32, RUN).make_tag(253, index, header, b"x") + b"x"


def climbed(kind: str | None) -> Locator:
    """One router before the target: at TTL 2 the control comes, and, seen by such an observer, the train's packet."""
    book = Ledger(RUN, "locate")
    path = SimpleNamespace(
        receiver_end=lambda _: FAR,
        sender_end=lambda _: NEAR,
        far=FAR,
        name=SimpleNamespace(target=FAR.address),
        traffic=SimpleNamespace(came_from=lambda *_: None),
    )
    control = SimpleNamespace(observe=lambda *_: False, probe_came=lambda *_: None)
    locator = Locator.__new__(Locator)
    locator.direction, locator.path, locator.rungs = Direction.FORWARD, path, []  # type: ignore[assignment]
    for ttl, router in ((1, "10.0.1.1"), (2, None)):
        entry, beside = SentProbe(ttl, ttl, TRAIN, packet(ttl)), ControlEntry(ttl, ttl, Direction.FORWARD, False, 17)
        book.add(entry)
        if router is not None:
            entry.icmp.append(IcmpReport(1, router, 11, 0, authenticated=True))
            beside.expired_at = router
        else:
            beside.delivered_at = 1
        locator.rungs.append(Rung(ttl, [TRAIN], [Attempt({TRAIN: entry}, beside)]))
    if kind is not None:
        seen = build_ipv4(
            packet(2), protocol=253, source=NEAR.address, destination=FAR.address, ttl=1, identification=9
        )
        observer = SimpleNamespace(kind=kind, protocol=253, end=FAR, address=FAR.address)
        books = [(control, Ledger(RUN)), (control, book)]  # the measurement's own, and its search's
        assert file_observation(path, books, observer, (0, 5, 0, seen, 0, "eth1"))  # type: ignore[arg-type]
    return locator


@pytest.mark.parametrize("kind", ["tap", "socket"])
def test_what_comes_while_its_place_is_looked_for_is_not_lost(kind: str) -> None:
    result = climbed(kind).result_of(TRAIN)
    assert result.came
    assert result.beyond is None
    judged = GroupTracker().climbed(LOST, result)
    assert (judged.verdict, judged.place, judged.last_hop, judged.bound) == (
        Verdict.INCONCLUSIVE,
        Place.UNKNOWN,
        None,
        None,
    )
    assert judged.explanation == (
        "7 of 7 left, none arrived; but a packet of it that looked for the hop came through, later: whether it gets "
        "through is open."
    )
    assert judged.climb is not None


def test_what_does_not_come_died_before_the_target() -> None:
    judged = GroupTracker().climbed(LOST, climbed(None).result_of(TRAIN))
    assert judged.verdict is Verdict.LOST
    assert "lost between 10.0.1.1 (hop 1) and 198.51.100.2 (hop 2)" in judged.explanation


def test_what_was_lost_as_it_was_is_open_too() -> None:
    """A limit that numbers share lets through who asks alone: of the others nobody knows."""
    kinds = GroupTracker()
    other = replace(LOST, train=OTHER)
    assert kinds.stands_for(other) == other, "nothing was asked yet"
    kinds.climbed(LOST, climbed("tap").result_of(TRAIN))
    judged = kinds.stands_for(other)
    assert (judged.verdict, judged.place, judged.bound) == (Verdict.INCONCLUSIVE, Place.UNKNOWN, None)
    assert judged.explanation == (
        "7 of 7 left, none arrived; but a packet of 253 (experimental-1), lost as this was, came through later: "
        "whether this gets through is open."
    )
    rejected = replace(other, verdict=Verdict.REJECTED)
    assert kinds.stands_for(rejected) == rejected, "of another group"


def test_once_one_came_all_like_it_are_asked() -> None:
    kinds, other = GroupTracker(), replace(LOST, train=OTHER)
    for _ in range(FEW):
        assert kinds.wants(LOST, every=False, apart=True)
    kinds.climbed(LOST, climbed(None).result_of(TRAIN))
    assert not kinds.wants(other, every=False, apart=True)
    kinds.climbed(LOST, climbed("tap").result_of(TRAIN))
    assert kinds.wants(other, every=False, apart=True)
    assert not kinds.wants(other, every=False), "where no time is for that"


def test_the_first_few_stay_the_first_few_and_stopped_nowhere() -> None:
    first = replace(LOST, verdict=Verdict.FIRST_ONLY, explanation="the first came through and none after.")
    judged = GroupTracker().climbed(first, climbed("tap").result_of(TRAIN))
    assert judged.verdict is Verdict.FIRST_ONLY
    assert "stopped" not in judged.explanation
    assert judged.explanation.endswith("but a packet of it that looked for the hop came through.")


def test_what_a_router_rejected_it_has_rejected_whatever_came_later() -> None:
    rejected = replace(LOST, verdict=Verdict.REJECTED, explanation="10.0.1.1 answered 7.")
    judged = GroupTracker().climbed(rejected, climbed("tap").result_of(TRAIN))
    assert judged.verdict is Verdict.REJECTED
    assert judged.explanation.endswith("but a packet of it that looked for the hop came through.")


def test_between_one_address_and_itself_nothing_died() -> None:
    """Two routers answer with one address, or two ways are of unequal length."""
    result = climbed(None).result_of(TRAIN)
    again = replace(result, beyond=Hop(2, "10.0.1.1"))
    judged = GroupTracker().climbed(LOST, again)
    assert judged.explanation.endswith("; lost beyond 10.0.1.1 (hop 1), an address that the control met at hop 2 too.")
    assert judged.last_hop == Hop(1, "10.0.1.1")
    silent = GroupTracker().climbed(replace(LOST, verdict=Verdict.SILENT), again)
    assert "the last to answer was 10.0.1.1 (hop 1), an address that the control met" in silent.explanation
