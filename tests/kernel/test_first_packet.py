"""The first packets and then no more: on real trackers and limits, of which we know what fills them again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from routed_line import routed_line

from pytest_hdp.judge.refill import FirstPacket, Refill
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.lab.boxes import Box, Router, filter_chain
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.experiments.first_packet import first_packet
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.vantage.points import can_open_raw, can_unshare
from pytest_hdp.vantage.station import Station

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)


@dataclass(frozen=True, slots=True)
class Counting(Box):
    """A router with these rules for what is forwarded, whose states last so many seconds."""

    said: str
    seconds: int = 1

    @property
    def rules(self) -> str:
        return filter_chain("forward", *self.said.splitlines())

    @property
    def sysctls(self) -> Mapping[str, object]:
        return {"netfilter/nf_conntrack_acct": 1, "netfilter/nf_conntrack_generic_timeout": self.seconds}


@contextmanager
def a_path(box: Box) -> Iterator[OpenPath]:
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(LabSpec("own", "for this test", (Router(), box, Router()))))
        near, far = (stack.enter_context(Station(lab.socket_factory(node))) for node in (lab.client, lab.target))
        name = PathInfo("lab", "own", lab.client_address, lab.target_address, "netns=target")
        ends = Endpoint(near, lab.client_address, "eth0"), Endpoint(far, lab.target_address, "eth0")
        yield stack.enter_context(OpenPath(name, *ends))


def found(path: OpenPath, *, longest_idle: float = 2.0) -> FirstPacket:
    return first_packet(path, plan.Plan((), plan.LAB, seed=1), 253, longest_idle=longest_idle)


@pytest.mark.parametrize("first", [1, 4, 8])
@pytest.mark.night
def test_the_first_few_of_a_flow_pass_again_after_a_silence(first):
    """Bursts of 4 to 8 are the first packets too, where nothing but silence fills them again."""
    with a_path(
        Counting(f"ip protocol {{ 200-254 }} ct direction original ct original packets > {first} drop")
    ) as path:
        seen = found(path)
    assert (seen.judgement.verdict, seen.judgement.delivered) == (Verdict.FIRST_ONLY, first)
    assert seen.refills is Refill.SILENCE
    assert seen.recovery is not None
    assert seen.recovery.high is not None
    assert seen.recovery.low < 1.0 < seen.recovery.high + 0.02, seen.sentence
    assert seen.recovery.high / seen.recovery.low <= 1.25, "it is asked between them"
    assert seen.recovery.again == first
    assert (seen.other_number and seen.other_number.passes, seen.other_port and seen.other_port.passes) == (True, False)


@pytest.mark.parametrize(("rate", "burst"), [(4, 4), (4, 8), (1, 5)])
@pytest.mark.night
def test_a_limit_earns_packets_while_they_keep_coming(rate, burst):
    with a_path(Counting(f"ip protocol 253 limit rate over {rate}/second burst {burst} packets drop")) as path:
        seen = found(path)
    assert seen.judgement.verdict in {Verdict.FIRST_ONLY, Verdict.LOSSY}
    assert seen.refills in (
        {Refill.TIME} if rate > 1 or seen.judgement.verdict is Verdict.FIRST_ONLY else {None, Refill.TIME}
    )
    assert seen.recovery is None
    if seen.refills is Refill.TIME:
        assert "a limit on the rate" in seen.sentence
        assert "starts afresh" not in seen.sentence


def test_what_is_lost_by_chance_is_used_up_by_nobody():
    with a_path(Counting("ip protocol 253 numgen random mod 2 < 1 drop")) as path:
        seen = found(path)
    assert (seen.judgement.verdict, seen.refills) == (Verdict.LOSSY, Refill.SHARE)
    assert "the same share at any pace, so nothing is used up" in seen.sentence


@pytest.mark.night
def test_a_filter_for_all_the_others_does_not_let_them_start_afresh():
    rules = "ip protocol != { 1, 17, 253 } drop\nip protocol 253 ct direction original ct original packets > 1 drop"
    with a_path(Counting(rules, seconds=600)) as path:
        seen = found(path, longest_idle=0.5)
    assert seen.judgement.verdict is Verdict.FIRST_ONLY
    assert seen.other_number is not None
    assert seen.other_number.passes is False
    assert "another number does not get through either (0 of 5, by chance in 0.1 % of cases at most)" in seen.sentence
    assert "no packet passes again within 0.5" in seen.sentence


@pytest.mark.night
def test_a_second_time_in_one_run_nothing_is_called_lost():
    """The first time has spent what lets packets pass."""
    with a_path(Counting("ip protocol 253 ct direction original ct original packets > 1 drop", seconds=600)) as path:
        assert found(path, longest_idle=0.5).judgement.verdict is Verdict.FIRST_ONLY
        again = found(path, longest_idle=0.5)
    assert again.judgement.verdict is Verdict.INCONCLUSIVE
    assert "which may have used up what lets the first pass" in again.sentence


TOPOLOGY = (
    routed_line()
    + """
ip netns exec router sh -c 'echo 1 >/proc/sys/net/netfilter/nf_conntrack_acct'
ip netns exec router nft -f - <<'END'
table ip t { chain f { type filter hook forward priority 0; ip protocol 253 ct original packets > 1 drop; }; }
END
"""
)
ENDS = "--hdp-source=netns=client --hdp-agent=netns=server --hdp-target=198.51.100.2 --hdp-protocols=253"
SUITES = "suites/internet/test_sweep.py suites/internet/test_the_first_packet.py"


@pytest.mark.night
def test_after_the_sweep_its_packets_were_the_first(in_namespaces, tmp_path: Path):
    """And a run within the state's lifetime of that one calls nothing lost that it may have used up."""
    run = f"{sys.executable} -mpytest -pno:cacheprovider -pno:hypothesispytest {ENDS} -q -rA"
    script = f"""{TOPOLOGY}
    export XDG_STATE_HOME={tmp_path}/state COLUMNS=2000
    {run} --hdp-report={tmp_path}/one {SUITES} >{tmp_path}/one.txt || true
    {run} --hdp-report={tmp_path}/two suites/internet/test_the_first_packet.py >{tmp_path}/two.txt || true
    """
    done = in_namespaces(script)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (Path(tmp_path, name).read_text() for name in ("one.txt", "two.txt"))
    assert "FAILED first_only suites/internet/test_the_first_packet.py" in one, one
    assert "another number starts afresh (5 of 5)" in one
    assert "FAILED lost suites/internet/test_the_first_packet.py" not in two, two
    assert "what it opened or used up may be so still" in two
    records = [json.loads(line) for line in (tmp_path / "one" / "results.jsonl").read_text().splitlines()]
    assert [each["verdict"] for each in records if each["direction"] == "forward"] == ["first_only"]
