"""Labs composed of boxes: the truth of the whole path holds, for compositions kept and for some drawn at random."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.verdict import Form
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.filters import Allowlist, HostFirewall, NetfilterReject, TtlShort
from pytest_hdp.lab.limits import RateLimited
from pytest_hdp.lab.mangling import MangleByte, RaiseTtl, Truncate
from pytest_hdp.lab.stateful import CarrierNat, CloudNat, FirstOnly, Nat
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import Loss, Refuse
from pytest_hdp.vantage.points import can_open_raw, can_unshare

SCRIPT = Path(__file__).with_name("compositions.py")
_spec = importlib.util.spec_from_file_location("compositions", SCRIPT)
compositions = importlib.util.module_from_spec(_spec)
sys.modules["compositions"] = compositions
_spec.loader.exec_module(compositions)

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
KEPT = {
    "a lost reset, and both ends open": (17, (CloudNat(), Router(), Loss(0.1), Loss(0.05))),
    "no reset": (1, (Nat(), HostFirewall(frozenset({1, 17})))),
    "a broken CRC before the tracker": (4, (Truncate(), Nat())),
    "time exceeded from a router that limits its errors": (55, (TtlShort(), CloudNat())),
    "a hop is looked for behind a box that is shut": (
        28,
        (Allowlist(frozenset({1, 17})), FirstOnly(timeout=compositions.SHUT)),
    ),
    "a limit on the rate that nobody reaches, then damage": (50, (RateLimited(), MangleByte(), CarrierNat())),
    "one passes, and is held": (34, (FirstOnly(timeout=compositions.SHUT), HostFirewall(frozenset({1, 17})))),
    "an error about what was damaged before": (40, (MangleByte(), NetfilterReject(frozenset({1, 17})))),
    "a refusal before the TTL ends": (81, (TtlShort(), Refuse(), Router(icmp_limit=False))),
    "damaged, then held": (84, (Router(), Truncate(), HostFirewall())),
    "the one that passes is lost behind it": (33, (FirstOnly(timeout=compositions.SHUT), Loss(0.2), Router())),
    "a SYN out of turn leaves as it is": (103, (Nat(), Loss(0.2), HostFirewall())),
    "a short TTL made long again": (2, (TtlShort(), RaiseTtl(), Router(icmp_limit=False))),
}
"""Compositions whose truth was wrong once: a seed of all chance in them, and the boxes."""
DRAWN = range(3)


@pytest.mark.parametrize(("seed", "boxes"), KEPT.values(), ids=KEPT)
@pytest.mark.night(but=["no reset", "a broken CRC*"])
def test_truth_that_was_wrong(seed, boxes):
    trains = tuple(train for train in compositions.trains() if train.form is Form.WELLFORMED)
    found = compositions.truth.measure(LabSpec("kept", "", boxes), seed, trains)
    assert not found.wrong


@pytest.mark.parametrize("seed", DRAWN)
@pytest.mark.night("1", "2")
def test_a_composition_drawn_at_random(seed):
    assert not compositions.sweep(seed).wrong, compositions.compose(seed).boxes


@pytest.mark.night
def test_the_command_counts_what_it_compared():
    command = [sys.executable, str(SCRIPT), "--seeds", "1", "--from", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 compositions from seed 4, 86 trains compared, " in done.stdout
