"""What a world may have beyond plain routers: each family adds one thing to a blueprint, and says so in its notes."""

from sim.families import (
    agents,
    boxes,
    clocks,
    eyes,
    farends,
    faults_eyes,
    firewalls,
    hostile,
    hosts,
    icmp,
    ipv6,
    limits,
    loss,
    nat,
    ways,
)
from sim.families.registry import FAMILIES, Family, default, family, faulty

DEFAULT = default()

__all__ = [
    "DEFAULT",
    "FAMILIES",
    "Family",
    "agents",
    "boxes",
    "clocks",
    "eyes",
    "family",
    "farends",
    "faults_eyes",
    "faulty",
    "firewalls",
    "hostile",
    "hosts",
    "icmp",
    "ipv6",
    "limits",
    "loss",
    "nat",
    "ways",
]
