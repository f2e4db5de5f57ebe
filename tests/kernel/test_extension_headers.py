"""Extension headers as an experiment: labs against their stated truth, and a target by itself, on a real kernel."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.evidence import Train, behind
from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.measure.schedule.side_by_side import settle_beside
from pytest_hdp.packet.chain import CHAINS, TRANSPORTS
from pytest_hdp.vantage.points import can_open_raw, can_unshare

_spec = importlib.util.spec_from_file_location("truth", Path(__file__).with_name("truth.py"))
truth = sys.modules.get("truth") or importlib.util.module_from_spec(_spec)
if "truth" not in sys.modules:
    sys.modules["truth"] = truth
    _spec.loader.exec_module(truth)

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
TOP = Path(__file__).parents[2]
SUITE = "suites/internet/test_extension_headers.py"
LOST = {
    "transparent": set(),
    "mtu-1280": set(),
    "hbh-drop": {name for name in CHAINS if name.startswith("hbh")},
    "frag-drop": {name for name in CHAINS if "frag" in name},
    "eh-drop": set(CHAINS),
    "eh-deep": {name for name, chain in CHAINS.items() if chain.length > 24},
}
CONTROLS = [Train(each, form=Form.BARE if each == 253 else Form.WELLFORMED) for each in TRANSPORTS]
BEHIND = [behind(chain, each, direction) for chain in CHAINS.values() for each in TRANSPORTS for direction in Direction]


@pytest.mark.parametrize("name", LOST)
@pytest.mark.night
def test_lab(name):
    """Each chain before each transport, both ways: what the box says, and where it died."""
    spec = catalogue.make(name).over(6)
    found = truth.measure(spec, 1, (*CONTROLS, *BEHIND))
    print(truth.matrix(found.counts))
    assert not found.wrong
    unsure = sum(count for (_, seen), count in found.counts.items() if seen is Verdict.INCONCLUSIVE)
    assert unsure <= 2
    said = {train.behind.name for train in BEHIND if truth.truth_of(spec, train).verdict is Verdict.LOST}
    assert said == LOST[name], "the truth that is stated is what the rules of the box mean"


@pytest.mark.parametrize("name", ["nat66", "home-nat", "home-v6", "npt66", "conntrack-only"])
@pytest.mark.night
def test_lab_with_state(name):
    """A tracker looks through headers at the transport; fragments it puts together, wherever their header stands."""
    found = truth.measure(catalogue.make(name).over(6), 1, (*CONTROLS, *BEHIND))
    print(truth.matrix(found.counts))
    assert not found.wrong
    fragments = sum("frag" in chain for chain in CHAINS)
    modified = sum(count for (said, _), count in found.counts.items() if said is Verdict.MODIFIED)
    back = len(TRANSPORTS) if name == "conntrack-only" else len(TRANSPORTS) - 2  # a SYN and a ping answer nothing
    assert modified == fragments * (len(TRANSPORTS) + back)


@pytest.fixture
def suite():
    def run(*arguments: str, tests: str = SUITE) -> str:
        command = [sys.executable, "-m", "pytest", "-pno:hypothesispytest", "-pno:cacheprovider", tests, *arguments]
        narrow = {**os.environ, "COLUMNS": "80"}  # on a wide terminal both directions stand side by side
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, cwd=TOP, check=False, env=narrow
        ).stdout

    return run


def test_the_suite_has_a_test_for_each_and_draws_what_passes(suite):
    printed = suite("--hdp-lab=eh-deep", "--hdp-ip-version=6", "--hdp-extension-headers=dst", "-v")
    assert "[p006-tcp-behind-dst24-forward-v6] PASSED delivered" in printed, printed
    assert "[p017-udp-behind-dst64-reverse-v6] XFAIL lost" in printed
    assert "[p253-experimental-1-forward-bare-v6] PASSED" in printed
    assert "16 passed" not in printed
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith("dst")}
    assert rows["dst24"] == [".", ".", ".", "."]
    assert rows["dst64"] == ["l", "l", "l", "l"]
    assert "hbh" not in printed


@pytest.mark.night
def test_one_of_its_tests_by_itself_has_its_control_measured_too(suite):
    alone = f"{SUITE}::test_behind_headers[p006-tcp-behind-dst24-forward-v6]"
    printed = suite("--hdp-lab=transparent", "--hdp-ip-version=6", tests=alone)
    assert "1 passed" in printed, printed


def test_a_train_that_nobody_planned_is_an_error_and_no_endless_wait():
    lab = path_specs.in_lab(catalogue.make("transparent").over(6), plan.Plan((), plan.LAB), None, expect_truth=False)
    with lab[0].open() as path:
        one, other = (Measurement(path, plan.Plan((train,), plan.LAB, locate="none")) for train in CONTROLS[:2])
        for ask in (one.judge_until_settled, lambda train: settle_beside(one, train, [other])):
            with pytest.raises(RuntimeError, match="did not plan"):
                ask(BEHIND[0])
