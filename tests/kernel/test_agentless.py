"""Nothing at the far end: what can be known about a target, at the pace at which it answers, and no more than that."""

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathName
from pytest_hdp.judge.verdict import Form, Verdict
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import Lab
from pytest_hdp.measure import plan
from pytest_hdp.measure.agentless import AgentlessMeasurement, by_interest
from pytest_hdp.measure.path import End, OpenPath
from pytest_hdp.vantage.places import can_open_raw, can_unshare
from pytest_hdp.vantage.station import Station

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
EVERY = range(1, 256)
NEVER_ANSWERED = {1, 2, 6, 17, 103, 136}  # a stock Linux host's own protocols
LEAKED = {58, 132}  # left a Linux NAT untranslated, so an answer finds no way back
QUICK = {"ipv4/icmp_ratemask": 0}


def measure(lab_name: str, numbers, sysctls=None, progress=None) -> dict[int, object]:
    with Lab(make(lab_name)) as lab, Station(lab.socket_factory(lab.client)) as station:
        if sysctls:
            assert not lab.namespace(lab.target).set_sysctls(sysctls)
        name = PathName("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, End(station, lab.client_address, "eth0"), None) as path:
            asked = plan.Plan(tuple(Train(number) for number in numbers), plan.AGENTLESS, seed=1)
            judgements = AgentlessMeasurement(path, asked, progress).run()
    return {train.protocol: judgement for train, judgement in judgements.items()}


def verdicts(judgements) -> dict[int, Verdict]:
    return {number: judgement.verdict for number, judgement in judgements.items()}


def test_a_quick_target_behind_a_nat_is_known_in_seconds():
    found = verdicts(measure("home-nat", EVERY, QUICK))
    silent = {number for number, verdict in found.items() if verdict is Verdict.SILENT}
    assert silent == NEVER_ANSWERED | LEAKED
    assert {verdict for number, verdict in found.items() if number not in silent} == {Verdict.REACHED}


def test_a_stock_target_is_asked_at_its_own_pace():
    numbers = [253, 254, 47, 50, 51, 4, 41, 112, 6, 17]
    told = []
    found = measure("transparent", numbers, progress=told.append)
    expected = {number: Verdict.SILENT if number in NEVER_ANSWERED else Verdict.REACHED for number in numbers}
    assert verdicts(found) == expected
    settled = [progress.settled for progress in told]
    assert settled == sorted(settled)
    assert set(range(1, len(numbers) + 1)) <= set(settled)
    assert "protocol unreachable" in found[253].explanation


def test_a_silent_drop_on_the_path_is_silent_and_the_last_hop_is_told():
    found = measure("allowlist", [47, 50, 253], QUICK)
    assert set(verdicts(found).values()) == {Verdict.SILENT}
    located = [judgement for judgement in found.values() if judgement.last_hop is not None]
    assert [(hop.last_hop.ttl, hop.last_hop.address) for hop in located] == [(2, "203.0.113.6")]
    for judgement in found.values():
        assert "filtered" not in judgement.explanation
        assert "203.0.113.6 (hop 2) was the last to answer" in judgement.explanation


def test_a_rejection_names_who_and_why():
    found = measure("reject", [47, 253], QUICK)
    assert set(verdicts(found).values()) == {Verdict.REJECTED}
    assert "administratively prohibited" in found[253].explanation


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


def test_wellformed_udp_to_a_closed_port_reaches():
    with Lab(make("home-nat")) as lab, Station(lab.socket_factory(lab.client)) as station:
        lab.namespace(lab.target).set_sysctls(QUICK)
        name = PathName("internet", "target", lab.client_address, lab.target_address, None)
        with OpenPath(name, End(station, lab.client_address, "eth0"), None) as path:
            train = Train(17, form=Form.WELLFORMED)
            judgement = AgentlessMeasurement(path, plan.Plan((train,), plan.AGENTLESS)).run()[train]
    assert judgement.verdict is Verdict.REACHED
    assert "port unreachable" in judgement.explanation
