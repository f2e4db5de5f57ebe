"""Every lab of the catalogue: no verdict and no attribute that its stated truth contradicts."""

import importlib.util
import sys
from pathlib import Path

import pytest

from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.vantage.points import can_open_raw, can_unshare

_spec = importlib.util.spec_from_file_location("truth", Path(__file__).with_name("truth.py"))
truth = importlib.util.module_from_spec(_spec)
sys.modules["truth"] = truth
_spec.loader.exec_module(truth)

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)
NOBODY_ACCUSED = {Verdict.DELIVERED, Verdict.INCONCLUSIVE}


@pytest.mark.night(but=["home-nat-4"])
@pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name in catalogue.names() for version in (4, 6)],
)
def test_lab(name, version):
    found = truth.sweep(name, seed=1, version=version)
    print(truth.matrix(found.counts))
    assert not found.wrong
    unsure = sum(count for (_, seen), count in found.counts.items() if seen is Verdict.INCONCLUSIVE)
    allowed = {"rate-limited": 1.0, "loss-50": 0.06}.get(name, 0.02)  # at half loss 95 % over all looks takes many
    if name in truth.LOSSES:  # of loss itself the worlds (tests/world) have thousands, `truth.py` hundreds
        assert {seen for said, seen in found.counts if said is Verdict.DELIVERED} <= NOBODY_ACCUSED
    assert unsure <= found.counts.total() * allowed + 1
