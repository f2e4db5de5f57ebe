"""The labs by name. `a+b` is a path with the boxes of lab a, then those of lab b."""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_hdp.lab.boxes import AH, COMMON, ESP, GRE, ICMP, OSPF, SCTP, TCP, UDP, Box, Router
from pytest_hdp.lab.extensions import (
    ConntrackOnly,
    ExtensionDeep,
    ExtensionDrop,
    FragmentDrop,
    HopByHopDrop,
    Nat66,
    Npt66,
    SmallLink,
)
from pytest_hdp.lab.filters import (
    Allowlist,
    Blocklist,
    DeadPath,
    HostFirewall,
    NetfilterReject,
    SenderFirewall,
    TtlShort,
)
from pytest_hdp.lab.limits import RateLimited, SharedLimiter
from pytest_hdp.lab.mangling import ClearDscp, CutFront, InsertFront, MangleByte, RaiseTtl, Renumber, Truncate
from pytest_hdp.lab.sandboxes import DeadEnd, FirstFragments, NeverArmed, Policy, Related, Sealed
from pytest_hdp.lab.stateful import CarrierNat, CloudNat, FirstOnly, Home, Nat, SecurityGroup, Ufw
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.uplinks import Multipath, Uplink
from pytest_hdp.lab.wires import (
    BlackHole,
    BurstLoss,
    Delay,
    Duplicate,
    Forger,
    Loss,
    Refuse,
    Reorder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_VPN = COMMON | {GRE, ESP, AH}
_EXPERIMENTAL = frozenset({253})


def _labs() -> dict[str, LabSpec]:
    router = Router()
    behind_router = (
        ("loss-5", Loss(0.05)),
        ("loss-20", Loss(0.20)),
        ("loss-50", Loss(0.50)),
        ("burst-loss", BurstLoss()),
        ("delay", Delay(us=20_000, jitter_us=10_000)),
        ("delay-253-20us", Delay(us=20, protocols=_EXPERIMENTAL, base_us=500)),
        ("delay-253-200us", Delay(us=200, protocols=_EXPERIMENTAL, base_us=500)),
        ("delay-253-2ms", Delay(us=2000, protocols=_EXPERIMENTAL, base_us=500)),
        ("duplicate", Duplicate()),
        ("reorder", Reorder()),
        ("mangle-byte", MangleByte()),
        ("truncate", Truncate()),
        ("cut-front", CutFront()),
        ("insert-front", InsertFront()),
        ("renumber", Renumber()),
        ("clear-dscp", ClearDscp()),
        ("raise-ttl", RaiseTtl()),
        ("forger", Forger()),
        ("black-hole", BlackHole()),
        ("reject", Refuse()),
    )
    paths: list[tuple[str, tuple[Box, ...]]] = [
        ("transparent", (router, router)),
        ("home-nat", (Nat(), router)),
        ("allowlist", (router, Allowlist())),
        ("vpn-friendly", (router, Allowlist(_VPN))),
        ("three-firewalls", tuple(Blocklist(frozenset({number})) for number in (GRE, ESP, OSPF))),
        ("no-udp", (router, Blocklist(frozenset({UDP})), router)),
        ("icmp-only", (router, Allowlist(frozenset({ICMP})))),
        ("tcp-only", (router, Allowlist(frozenset({TCP})))),
        ("two-paths", (router, DeadPath(), router)),
        ("policy-routed", (Uplink(), router, router)),
        ("multipath", (Multipath(), router, router)),
        ("aws-nat-gateway", (router, CloudNat(), router)),
        ("carrier-grade", (Nat(), CarrierNat(), router)),
        ("security-group", (router, SecurityGroup())),
        ("ufw", (router, router, Ufw())),
        ("first-only", (router, FirstOnly())),
        ("host-firewall", (router, router, HostFirewall())),
        ("sender-firewall", (SenderFirewall(), router, router)),
        ("rate-limited", (router, RateLimited())),
        ("shared-limiter", (router, SharedLimiter(), router)),
        ("ttl-short", (router, TtlShort(), Router(icmp_limit=False))),
        ("reject-netfilter", (router, NetfilterReject())),
        *((name, (router, box, router)) for name, box in behind_router),
        ("forger-allowlist", (router, Forger(), Allowlist())),
        ("home-nat-loss-5", (Nat(), Loss(0.05), router)),
        ("home-v6", (Home(), router)),
        ("nat66", (Nat66(), router)),
        ("npt66", (Npt66(), router)),
        ("hbh-drop", (router, HopByHopDrop(), router)),
        ("eh-drop", (router, ExtensionDrop(), router)),
        ("eh-deep", (router, ExtensionDeep(), router)),
        ("frag-drop", (router, FragmentDrop(), router)),
        ("conntrack-only", (router, ConntrackOnly(), router)),
        ("mtu-1280", (router, SmallLink(), router)),
    ]
    return {name: LabSpec(name, describe(boxes), boxes) for name, boxes in paths}


def _sandboxes() -> dict[str, LabSpec]:
    router, closed = Router(), Policy()
    boxes: list[tuple[str, tuple[Box, ...]]] = [
        ("sandbox-closed", (closed, router)),
        ("sandbox-sealed", (Sealed(), router)),
        ("sandbox-tcp-udp", (Policy(frozenset({TCP, UDP})), router)),
        ("sandbox-v4-only", (Policy(ip6=False), router)),
        ("sandbox-leaks-132", (Policy(frozenset({SCTP})), router)),
        ("sandbox-never-armed", (NeverArmed(), router)),
        ("sandbox-related", (Related(), router)),
        ("sandbox-fragment-leak", (FirstFragments(), router)),
        ("sandbox-blackhole-far-end", (closed, DeadEnd())),
        ("sandbox-twin-behind-one-nat", (NeverArmed(), Nat())),
    ]
    return {name: LabSpec(name, describe(path), path) for name, path in boxes}


def describe(boxes: Sequence[Box]) -> str:
    """Return the descriptions of all boxes that do something, in one line."""
    told = [box.description for box in boxes if type(box) is not Router]
    return "; then ".join(told) or f"{len(boxes)} routers, which forward everything"


LABS: Mapping[str, LabSpec] = MappingProxyType(_labs())
"""Every path of the catalogue, in the order in which it is listed."""
SANDBOXES: Mapping[str, LabSpec] = MappingProxyType(_sandboxes())
"""Every box of the catalogue beside its twin."""
_ALL = {**LABS, **SANDBOXES}


def names() -> list[str]:
    """Return the names of all labs that are paths, in the order in which they are listed."""
    return list(LABS)


def make(name: str) -> LabSpec:
    """Return the specification of a lab: a name, several joined by "+", a TOML file, or "module:Class".

    Raises ValueError, one line: an unknown name with the nearest ones, or what is wrong with the file or class.
    """
    if name.endswith(".toml"):
        from pytest_hdp.lab.labfile import from_file

        return from_file(name)
    if ":" in name:
        from pytest_hdp.lab.userlab import from_class

        return from_class(name)
    specs = [_named(part.strip()) for part in name.split("+")]
    if len(specs) == 1:
        return specs[0]
    boxes = tuple(box for spec in specs for box in spec.boxes)
    return LabSpec(name, describe(boxes), boxes)


def _named(name: str) -> LabSpec:
    if name in _ALL:
        return _ALL[name]
    near = difflib.get_close_matches(name, _ALL, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `hdp lab list`"
    raise ValueError(f"no lab is called {name!r}: {hint}")
