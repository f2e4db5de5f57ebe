"""What stands between two hosts: links that delay and lose, routers with rules, translators. Each states its truth."""

from sim.elements.base import GENERIC_TIMEOUT, INVALID_BARE, MILLISECOND, Effect, View, looks_valid, numbers
from sim.elements.boxes import Branches, Double, Loop, Mangle
from sim.elements.hostile import Forger, Imitator, Replayer
from sim.elements.limits import Established, EveryNth, FirstLost, FirstOnly, Limit, Lossy, SharedLimit, Unreachable
from sim.elements.links import Link, bursty, independent, outages, periodic
from sim.elements.routers import (
    IcmpFilter,
    InvalidFilter,
    LengthFilter,
    NumberFilter,
    Router,
    RouterRule,
)
from sim.elements.translators import Nat, OneToOne, flow_key

__all__ = [
    "GENERIC_TIMEOUT",
    "INVALID_BARE",
    "MILLISECOND",
    "Branches",
    "Double",
    "Effect",
    "Established",
    "EveryNth",
    "FirstLost",
    "FirstOnly",
    "Forger",
    "IcmpFilter",
    "Imitator",
    "InvalidFilter",
    "LengthFilter",
    "Limit",
    "Link",
    "Loop",
    "Lossy",
    "Mangle",
    "Nat",
    "NumberFilter",
    "OneToOne",
    "Replayer",
    "Router",
    "RouterRule",
    "SharedLimit",
    "Unreachable",
    "View",
    "bursty",
    "flow_key",
    "independent",
    "looks_valid",
    "numbers",
    "outages",
    "periodic",
]
