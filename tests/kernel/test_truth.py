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
BY_IPV6 = ("transparent", "home-v6", "npt66", "ufw", "eh-deep", "conntrack-only", "reject-netfilter")
"""Labs that differ most over IPv6; of the others each night tells."""
NIGHTLY_BY_IPV4 = {
    "shared-limiter", "icmp-only", "allowlist", "forger-allowlist", "vpn-friendly", "aws-nat-gateway", "carrier-grade",
    "home-nat-loss-5", "loss-20", "loss-50", "burst-loss", "rate-limited", "insert-front", "delay-253-20us",
    "delay-253-200us", "delay-253-2ms", "home-v6", "npt66", "nat66", "hbh-drop", "eh-drop", "eh-deep", "frag-drop",
    "mtu-1280", "cut-front", "renumber", "clear-dscp", "raise-ttl", "truncate", "duplicate", "reorder", "delay",
    "black-hole", "ttl-short", "sender-firewall", "reject", "tcp-only", "multipath", "mangle-byte", "conntrack-only",
    "policy-routed", "transparent",
}  # fmt: skip
"""Labs whose kind of box another lab has too, or a test of its own, or that are about IPv6."""
NOBODY_ACCUSED = {Verdict.DELIVERED, Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param(
            name,
            version,
            marks=[pytest.mark.night] * (name in NIGHTLY_BY_IPV4 if version == 4 else name not in BY_IPV6),
        )
        for name in catalogue.names()
        for version in (4, 6)
    ],
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
