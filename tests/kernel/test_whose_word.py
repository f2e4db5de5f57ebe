"""A target that says no: whether its firewall did or its kernel, as kernels and firewalls come."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Form, Place, Verdict
from pytest_hdp.lab.boxes import Box, Router, Where, filter_chain
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
QUICK = {"ipv4/icmp_ratemask": 0}
PLAIN = Router(), Router()


@dataclass(frozen=True, slots=True)
class Firewall(Box):
    """A target's own firewall: these rules of an input chain."""

    said: str
    where: ClassVar[Where] = Where.TARGET

    @property
    def rules(self):
        return filter_chain("input", self.said)


def measured(said, trains, limits=QUICK, boxes=PLAIN):
    """What is said of some trains to a target with such rules, and such limits on its errors."""
    boxes = (*boxes[:-1], Firewall(said), boxes[-1])
    with Lab(LabSpec("own", "for this test", boxes)) as lab, Station(lab.socket_factory(lab.client)) as station:
        assert not lab.namespace(lab.target).set_sysctls(limits)
        name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
            return Measurement(path, plan.Plan(tuple(trains), plan.AGENTLESS, seed=1)).run()


def verdicts(found):
    return {train.protocol: judgement.verdict for train, judgement in found.items()}


REJECT_ALL = "icmp type echo-request accept\nreject"  # "reject" by itself says port unreachable


def test_the_usual_reject_is_a_firewalls_word():
    """It answers what it can check: bare HDP under 253 has no right checksum. Asked as it likes it, that tells."""
    found = measured(REJECT_ALL, map(Train, (47, 50, 51, 132)))
    assert set(verdicts(found).values()) == {Verdict.REJECTED}
    assert {each.place for each in found.values()} == {Place.TARGET}
    assert {each.climb for each in found.values()} == {None}
    assert "198.51.100.2 answered 1 with port unreachable (ICMP 3/3)" in found[Train(47)].explanation


@pytest.mark.night
def test_a_closed_port_behind_a_firewall_that_says_the_same_proves_nothing():
    train = Train(17, form=Form.WELLFORMED)
    found = measured(REJECT_ALL, [train])[train]
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "its stack, for a port that nobody has, or its firewall" in found.explanation
    assert measured("ip protocol 47 reject", [train])[train].verdict is Verdict.REACHED


def test_a_rule_for_one_number_may_be_its_kernels_own_handler():
    found = measured("ip protocol { 47, 132 } reject", map(Train, (47, 132, 253)))
    assert verdicts(found) == {47: Verdict.INCONCLUSIVE, 132: Verdict.REJECTED, 253: Verdict.REACHED}
    assert (
        "either its firewall (REJECT, as it comes), or its kernel's own handler of 47" in found[Train(47)].explanation
    )


UFW = """
iifname "lo" accept
ct state established,related accept
ct state invalid drop
icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept
udp sport 67 udp dport 68 accept
tcp dport 22 accept
drop
"""  # what "deny (incoming)" comes to
FIREWALLD = """
ct state established,related accept
iifname "lo" accept
ct state invalid drop
icmp type echo-request accept
tcp dport 22 accept
reject with icmpx type admin-prohibited
"""


def test_a_firewalls_answer_serves_to_tell_silence():
    """Nothing else of this host ever answers: its default rules reject what they can check, and drop the rest."""
    found = measured(FIREWALLD.replace("icmpx type", "icmp type"), map(Train, (2, 47, 50, 51, 89, 253)))
    rejected = dict.fromkeys((47, 50, 51), Verdict.REJECTED)
    assert verdicts(found) == {**rejected, **dict.fromkeys((2, 89, 253), Verdict.SILENT)}


@pytest.mark.long
@pytest.mark.night
def test_all_numbers_before_a_firewall_that_rejects_what_it_can_check():
    """Those that it answers are told, and of all others silence, which these answers prove (as firewalld comes).

    The target's limit on its errors is taken away here: with the usual one the same takes minutes (docs/targets.md).
    """
    found = measured(FIREWALLD.replace("icmpx type", "icmp type"), map(Train, range(256)))
    rejected = {number for number, verdict in verdicts(found).items() if verdict is Verdict.REJECTED}
    assert rejected == {47, 50, 51}
    assert {each.place for each in found.values() if each.verdict is Verdict.REJECTED} == {Place.TARGET}
    assert {verdict for number, verdict in verdicts(found).items() if number not in rejected} == {Verdict.SILENT}


@pytest.mark.long
@pytest.mark.night
def test_of_a_firewall_that_never_answers_no_silence_is_told():
    """Only echoes are answered (ufw, as it comes): nothing shows that an error would have come back."""
    found = measured(UFW, map(Train, range(256)))
    assert set(verdicts(found).values()) == {Verdict.INCONCLUSIVE}
    assert all("no answer beside it proves" in each.explanation for each in found.values())


@pytest.mark.night
def test_silence_is_proven_by_answers_at_the_systems_own_limit_too():
    found = measured(FIREWALLD.replace("icmpx type", "icmp type"), map(Train, (2, 50, 89, 200)), limits={})
    assert verdicts(found) == {50: Verdict.REJECTED, **dict.fromkeys((2, 89, 200), Verdict.SILENT)}


@dataclass(frozen=True, slots=True)
class Ingress(Box):
    """A firewall where packets come in, before they are routed: it rejects in the name of whom they are for."""

    said: str
    name: ClassVar[str] = "ingress"
    description: ClassVar[str] = "rejects before it routes"

    @property
    def rules(self):
        head = "type filter hook ingress device inside priority 0; policy accept;"
        return f"table netdev f {{\nchain c {{\n{head}\n{self.said}\n}}\n}}"


def test_what_a_firewall_on_the_way_says_in_the_targets_name_is_not_the_targets_word():
    """It has no limit on errors, and the target has: its pace is not the target's."""
    said = "ip protocol { 50, 132 } reject with icmp type prot-unreachable\nip protocol { 47, 51 } reject"
    before, slow = (Router(), Ingress(said), Router()), {"ipv4/icmp_ratelimit": 200}
    trains = list(map(Train, (47, 50, 51, 89, 97, 112, 115, 132, 253, 254)))
    found = measured("icmp type echo-request accept", trains, slow, before)
    expected = dict.fromkeys((50, 132), Verdict.INCONCLUSIVE) | dict.fromkeys((47, 51), Verdict.REJECTED)
    assert verdicts(found) == {train.protocol: expected.get(train.protocol, Verdict.REACHED) for train in trains}
    assert {found[Train(number)].place for number in (47, 51)} == {Place.HOP}
    for number in expected:
        assert "with TTL 63, its echoes with 61: from another distance" in found[Train(number)].explanation
