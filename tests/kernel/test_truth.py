"""Every lab of the catalogue: no verdict and no attribute that its stated truth contradicts."""

import importlib.util
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.verdict import Form, Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.vantage.places import can_open_raw, can_unshare

_spec = importlib.util.spec_from_file_location("truth", Path(__file__).with_name("truth.py"))
truth = importlib.util.module_from_spec(_spec)
sys.modules["truth"] = truth
_spec.loader.exec_module(truth)

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
SWEEPS = 3  # on the real kernel; of loss itself the worlds (tests/world) have thousands, `truth.py` hundreds


@pytest.mark.parametrize("name", catalogue.names())
def test_lab(name):
    found = truth.sweep(name, seed=1)
    print(truth.matrix(found.counts))
    assert not found.wrong
    unsure = sum(count for (_, seen), count in found.counts.items() if seen is Verdict.INCONCLUSIVE)
    assert unsure <= (found.counts.total() if name == "rate-limited" else found.counts.total() // 50)


@pytest.mark.parametrize("name", truth.LOSSES)
def test_independent_loss_accuses_nobody(name):
    found = truth.Comparison()
    for seed in range(SWEEPS):
        found.add(truth.sweep(name, seed, forms=(Form.BARE,)))
    assert not found.wrong
    assert {seen for _, seen in found.counts} <= {Verdict.DELIVERED, Verdict.INCONCLUSIVE}
