"""Nothing at the far end: what can be known about a target, at the pace at which it answers, and no more than that."""

import random
import socket
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from agentless_boxes import Prohibiting, Quiet, Rejecting, Remarking, StockReject
from agentless_forgeries import Outcome, run

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import Hop, PathInfo
from pytest_hdp.judge.verdict import Form, Verdict
from pytest_hdp.lab.boxes import Box, Router, filter_chain
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.filters import Allowlist, HostFirewall
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.lab.wires import Delay, Loss
from pytest_hdp.measure import plan
from pytest_hdp.measure.location.hops import hops
from pytest_hdp.measure.order import COMMON, by_interest
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.schedule.agentless import Agentless
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.measure.schedule.icmp_budget import certainly_there
from pytest_hdp.packet.checksums import checksum
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.vantage.points import can_open_raw, can_unshare
from pytest_hdp.vantage.station import Station

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
EVERY = range(256)
NEVER_ANSWERED = {1, 2, 6, 17, 103, 136}  # a stock Linux host's own protocols
LEAKED = {58, 132}  # left a Linux NAT untranslated, so an answer finds no way back
QUICK = {"ipv4/icmp_ratemask": 0}


def measure(lab_name, numbers, sysctls=None, progress=None, form=Form.BARE, strategy=None) -> dict[int, object]:
    spec = make(lab_name) if isinstance(lab_name, str) else LabSpec("own", "for this test", lab_name)
    with Lab(spec) as lab, Station(lab.socket_factory(lab.client)) as station:
        if sysctls:
            assert not lab.namespace(lab.target).set_sysctls(sysctls)
        for number, box in enumerate(lab.boxes, 1):
            if isinstance(box, Prohibiting):
                box.prohibit(lab.namespace(f"router{number}"))
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
            asked = plan.Plan(tuple(Train(number, form=form) for number in numbers), plan.AGENTLESS, seed=1)
            judgements = Measurement(path, asked, progress, strategy).run()
    return {train.protocol: judgement for train, judgement in judgements.items()}


def verdicts(judgements) -> dict[int, Verdict]:
    return {number: judgement.verdict for number, judgement in judgements.items()}


@pytest.mark.night
def test_a_quick_target_behind_a_nat_is_known_in_seconds():
    found = verdicts(measure("home-nat", EVERY, QUICK))
    silent = {number for number, verdict in found.items() if verdict is Verdict.SILENT}
    assert silent == NEVER_ANSWERED | LEAKED
    assert {verdict for number, verdict in found.items() if number not in silent} == {Verdict.REACHED}


@pytest.mark.night
def test_a_stock_target_is_asked_at_its_own_pace():
    numbers = [253, 254, 47, 50, 51, 4, 41, 112, 6, 17]
    told = []
    found = measure("transparent", numbers, progress=told.append)
    expected = {number: Verdict.SILENT if number in NEVER_ANSWERED else Verdict.REACHED for number in numbers}
    assert verdicts(found) == expected
    settled = [progress.settled for progress in told]
    assert settled == sorted(settled)
    assert settled[-1] == len(numbers)
    left = [progress.seconds_left for progress in told if progress.seconds_left is not None]
    assert max(left) < 15
    assert left[-1] < 2
    assert "protocol unreachable" in found[253].explanation


@dataclass(frozen=True, slots=True)
class Resetting(Box):
    """A router that rejects TCP with a reset, in the target's name."""

    name: ClassVar[str] = "resetting"
    description: ClassVar[str] = "rejects TCP with a reset"

    @property
    def rules(self):
        return filter_chain("forward", 'iifname "inside" ip protocol tcp reject with tcp reset')


def test_a_router_that_resets_in_the_targets_name_is_not_the_target():
    found = measure((Router(), Resetting(), Router(), Router()), [6], QUICK, form=Form.WELLFORMED)[6]
    assert found.verdict is Verdict.INCONCLUSIVE, found.explanation
    assert "its echoes with 60: from another distance" in found.explanation
    found = measure((Router(), Router()), [6], QUICK, form=Form.WELLFORMED)[6]
    assert found.verdict is Verdict.REACHED, found.explanation


def test_a_silent_drop_on_the_path_is_silent_and_the_last_hop_is_told():
    found = measure("allowlist", [47, 50, 253], QUICK)
    assert set(verdicts(found).values()) == {Verdict.SILENT}
    assert {(each.last_hop.ttl, each.last_hop.address) for each in found.values()} == {(2, "203.0.113.6")}
    for judgement in found.values():
        assert "filtered" not in judgement.explanation
        told = "the last to answer was 203.0.113.6 (hop 2), and to the control 198.51.100.2 (hop 3)"
        assert told in judgement.explanation


def test_a_rejection_names_who_and_why():
    found = measure("reject", [47, 253], QUICK)
    assert set(verdicts(found).values()) == {Verdict.REJECTED}
    assert "administratively prohibited" in found[253].explanation


REJECTED = (47, 253)


@pytest.mark.long
@pytest.mark.night
def test_a_router_that_rejects_under_a_stock_limit_is_heard():
    """By its routes, as Linux does: an error in two seconds, and none for who asks again and again within these."""
    started = time.monotonic()
    found = measure((Router(), Prohibiting(REJECTED), Router()), [*REJECTED, 103])
    assert verdicts(found) == {**dict.fromkeys(REJECTED, Verdict.REJECTED), 103: Verdict.SILENT}
    assert "203.0.113.6 answered 1 with communication administratively prohibited" in found[47].explanation
    assert time.monotonic() - started < 120


@pytest.mark.night
def test_a_firewall_that_rejects_under_a_stock_limit_is_heard():
    """Netfilter's reject: an error a second. What the target drops is told from it."""
    found = measure((Router(), StockReject((47, 50, 51, 132)), Router()), [47, 50, 51, 132, 103, 2, 253], QUICK)
    expected = {**dict.fromkeys((47, 50, 51, 132), Verdict.REJECTED), 253: Verdict.REACHED}
    assert verdicts(found) == {**expected, 103: Verdict.SILENT, 2: Verdict.SILENT}


def test_forged_errors_and_replays_reach_nothing():
    found = verdicts(measure("forger-allowlist", [*range(30, 60), 253], QUICK))
    assert set(found.values()) <= {Verdict.SILENT, Verdict.INCONCLUSIVE}


def test_a_host_that_answers_nothing_makes_silence_worthless():
    found = measure("host-firewall+allowlist", [47, 253], {"ipv4/icmp_ratelimit": 600_000, "ipv4/icmp_ratemask": 6168})
    assert set(verdicts(found).values()) <= {Verdict.SILENT, Verdict.INCONCLUSIVE}


def test_the_most_telling_come_first():
    order = [train.protocol for train in by_interest(Train(number) for number in EVERY)]
    assert order[:3] == [253, 254, 47]
    assert order.index(132) < order.index(17) < order.index(200)
    assert sorted(order) == list(EVERY)


@pytest.mark.night
def test_the_ten_most_telling_are_known_in_ten_seconds_of_a_stock_target():
    started, told = time.monotonic(), {}
    measure("home-nat", [*COMMON, 3, 5, 7], progress=lambda how: told.setdefault(how.settled, time.monotonic()))
    assert min(at for settled, at in told.items() if settled >= 10) - started < 12  # two of them for a busy machine


@pytest.mark.night
def test_the_pace_is_the_targets_own():
    """At ten errors a second 60 numbers take six seconds, and a minute at the pace of a stock target."""
    started = time.monotonic()
    found = measure("transparent", range(180, 240), {"ipv4/icmp_ratelimit": 100})
    assert set(verdicts(found).values()) == {Verdict.REACHED}
    assert 4 < time.monotonic() - started < 20


def standing_still(know):
    """Now and then, and always before what is known to be answered, the machine does something else for a while."""
    strategy, chance = Agentless(know), random.Random(5)
    ask = strategy.asking.ask

    def slowly(train):
        if train == strategy.asking.reference_probe or chance.random() < 0.05:
            time.sleep(0.15)
        return ask(train)

    strategy.asking.ask = slowly
    return strategy


def test_what_a_target_earned_while_the_machine_stood_still_makes_no_silence():
    """An error in 100 ms: after a pause it answers again. What was asked in vain before it was not silent."""
    found = measure("transparent", range(180, 210), {"ipv4/icmp_ratelimit": 100}, strategy=standing_still)
    assert set(verdicts(found).values()) == {Verdict.REACHED}


def remembered(kept):
    """The usual strategy, put into a list for what it counted."""

    def make(know):
        kept.append(Agentless(know))
        return kept[-1]

    return make


@pytest.mark.night
def test_a_number_whose_way_takes_longer_is_overtaken_and_not_silent():
    """Routers choose the way by the number too: what is asked right behind finds the error that was there for both."""
    slow = frozenset({47, 50, 89})
    numbers = [253, 254, 51, 4, 41, 112, *slow, *range(180, 200)]
    boxes = (Router(), Delay(40_000, protocols=slow, base_us=5000), Router())
    kept = []
    found = measure(boxes, numbers, {"ipv4/icmp_ratelimit": 250}, strategy=remembered(kept))
    assert set(verdicts(found).values()) == {Verdict.REACHED}
    assert not {train.protocol for train in kept[-1].asking.silences} & slow


def test_replies_of_protocols_that_answer_reach():
    found = measure("home-nat", [1, 6, 17, 132, 136], QUICK, form=Form.WELLFORMED)
    assert verdicts(found) == {**dict.fromkeys([1, 6, 17, 132], Verdict.REACHED), 136: Verdict.SILENT}
    assert "an ICMP echo reply, which holds our tag" in found[1].explanation
    assert "a TCP RST, which holds a number that only our packet told" in found[6].explanation
    assert "port unreachable" in found[17].explanation


def test_the_quote_tells_the_ttl_on_arrival_and_what_was_changed():
    found = measure((Router(), Remarking()), [253, 254], QUICK)
    assert [(each.ttl, each.changed) for each in found.values()] == [(62, ("dscp",)), (62, ())]
    assert "its TTL was 62 there: 2 routers on the way; the quote shows dscp changed" in found[253].explanation
    assert found[254].explanation.endswith("2 routers on the way.")


@pytest.mark.night
def test_a_quote_of_other_bytes_is_told_and_is_no_proof_of_arrival():
    found = measure("mangle-byte", [47, 253], QUICK)
    assert set(verdicts(found).values()) == {Verdict.SILENT}
    for judgement in found.values():
        assert "(quoted with payload changed, or made up)" in judgement.explanation
        assert {count.authenticated for count in judgement.icmp} == {False}


@pytest.mark.night
@pytest.mark.long
def test_a_target_that_drops_echoes_is_measured_by_what_it_answers():
    found = measure("allowlist", [47, 253], {**QUICK, "ipv4/icmp_echo_ignore_all": 1})
    assert set(verdicts(found).values()) == {Verdict.SILENT}
    assert measure("home-nat", [253], {"ipv4/icmp_echo_ignore_all": 1})[253].verdict is Verdict.REACHED


@pytest.mark.long
@pytest.mark.night
def test_where_echoes_are_dropped_what_the_path_loses_is_known_all_the_same():
    """A third is lost each way. The answers that came say nothing of that: none of them is missing."""
    numbers = {*range(180, 220)}
    boxes = (Router(), Loss(1 / 3), Allowlist(frozenset({1, 17, *numbers} - {180, 181})), Router())
    kept = []
    found = verdicts(measure(boxes, numbers, {**QUICK, "ipv4/icmp_echo_ignore_all": 1}, strategy=remembered(kept)))
    assert {found.pop(180), found.pop(181)} <= {Verdict.SILENT, Verdict.INCONCLUSIVE}
    assert Verdict.SILENT not in found.values()
    lost, asked = kept[-1].asking.lost()
    assert asked > 15
    assert 0.25 < lost / asked < 0.85  # 5/9 is lost there and back


def test_without_anything_that_is_answered_silence_is_no_verdict():
    """The target answers echoes, so the control is alive, and nothing else: its ICMP budget can't be shown."""
    found = measure((Router(), Router(), HostFirewall(accepts=frozenset({1}))), [6, 47, 253])
    assert set(verdicts(found).values()) == {Verdict.INCONCLUSIVE}
    assert "an ICMP error left to send" in found[253].explanation


def test_a_number_that_was_answered_serves_as_the_calibrator():
    """Only 47 gets through, so that nothing else can show that the target would have answered."""
    found = measure((Router(), Allowlist(frozenset({1, 47})), Router()), [47, 50, 51], QUICK)
    assert verdicts(found) == {47: Verdict.REACHED, 50: Verdict.SILENT, 51: Verdict.SILENT}


def test_a_host_that_rejects_by_its_firewall_was_not_called_reached():
    found = measure((Router(), Router(), Rejecting()), [50], QUICK)
    assert set(verdicts(found).values()) == {Verdict.REJECTED}
    assert "198.51.100.2 answered 1 with communication administratively prohibited" in found[50].explanation


@pytest.mark.night
@pytest.mark.parametrize(
    ("boxes", "way"),
    [
        ((Quiet(), Router()), [None, "203.0.113.6", "198.51.100.2"]),
        ((Router(), Quiet()), ["192.0.2.1", None, "198.51.100.2"]),
    ],
)
def test_a_hop_that_keeps_silent_hides_none_behind_it(boxes, way):
    with Lab(LabSpec("own", "for this test", boxes)) as lab, Station(lab.socket_factory(lab.client)) as station:
        lab.namespace(lab.target).set_sysctls(QUICK)
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
            assert hops(path, 0.3) == way


def test_what_climbing_made_them_say_counts_as_said():
    """To find where a number dies costs who rejects it errors too; whoever is asked next may miss them."""
    kept = []
    measure((Router(), StockReject((50,)), Router()), [50, 253], QUICK, strategy=remembered(kept))
    target, router = kept[-1].asking.spoke().values()
    for answered in (target, router):
        assert answered[-1] == kept[-1].asking.climbed
        assert not certainly_there(answered[-1].last + 0.1, answered)


def test_where_a_ttl_was_set_too_short_is_told():
    found = measure("ttl-short", [253], QUICK)
    assert (found[253].verdict, found[253].last_hop) == (Verdict.REJECTED, Hop(3, "203.0.113.10"))


def test_numbers_that_die_at_different_hops_are_told_apart():
    """Behind the NAT the target drops 2 without a word, and 6 leaves untranslated: no answer from beyond finds back."""
    found = measure("home-nat", [2, 6], QUICK)
    assert {number: judgement.last_hop.ttl for number, judgement in found.items()} == {2: 2, 6: 1}


def test_a_rate_given_is_kept():
    started = time.monotonic()
    with Lab(make("transparent")) as lab, Station(lab.socket_factory(lab.client)) as station:
        lab.namespace(lab.target).set_sysctls(QUICK)
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
            pace = replace(plan.AGENTLESS, rate=20)
            measurement = Measurement(path, plan.Plan(tuple(map(Train, range(180, 200))), pace))
            measurement.run()
    assert (time.monotonic() - started) * 20 > 2 * len(measurement.ledger.probes) - 4


@pytest.mark.parametrize("number", [47, 253])
def test_an_error_that_copies_the_whole_probe_from_elsewhere_is_not_the_targets(number):
    """Who saw the probe can quote it: then it says who it is that answered, and never that the target was reached."""
    lab = Lab(LabSpec("copied", "", (Router(), Allowlist(), Router())))
    with lab, Station(lab.socket_factory(lab.client)) as station, Station(lab.socket_factory("router1")) as liar:
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
            measurement = Measurement(path, plan.Plan((Train(number),), plan.AGENTLESS, locate="none"))
            raw = liar.sender(socket.AF_INET, 255, header_included=True)
            path.subscribers.insert(0, lambda observer, seen: lie(liar, raw, lab.client_address, seen))
            judgement = measurement.run()[Train(number)]
    assert judgement.verdict is Verdict.REJECTED
    assert "203.0.113.77 answered" in judgement.explanation


def lie(liar, raw, client, observation):
    """Answer each probe that leaves with "protocol unreachable" in a stranger's name."""
    _, _, kind, data, _, _ = observation
    if kind == 4 and data[9] not in {1, 17}:
        message = b"\x03\x02" + bytes(6) + data
        message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
        liar.send(raw, build_ipv4(message, source="203.0.113.77", destination=client, protocol=1), client)


@pytest.mark.night
def test_a_box_that_forges_changes_nothing():
    outcome = Outcome()
    run(outcome, most=5000)
    assert outcome.forged > 1000
    assert not outcome.wrong


def test_wellformed_udp_to_a_closed_port_reaches():
    with Lab(make("home-nat")) as lab, Station(lab.socket_factory(lab.client)) as station:
        lab.namespace(lab.target).set_sysctls(QUICK)
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
            train = Train(17, form=Form.WELLFORMED)
            judgement = Measurement(path, plan.Plan((train,), plan.AGENTLESS)).run()[train]
    assert judgement.verdict is Verdict.REACHED
    assert "port unreachable" in judgement.explanation
