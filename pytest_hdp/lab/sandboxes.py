"""Boxes that are not to let anything out, beside a twin that may: the policies of labs for `suites/containment`.

The client is the box, the second client its twin, the target the far end. A policy stands on a router that both share,
and is about the client's address alone. It stands before whatever translates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Containment, Direction, Form, Verdict
from pytest_hdp.lab.boxes import UDP, USUAL, Box, Router, Traffic, filter_chain, listed, number_set
from pytest_hdp.lab.truth import DELIVERED, Truth
from pytest_hdp.lab.versions import PLANS
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import of_version

if TYPE_CHECKING:
    from collections.abc import Set

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.lab.layout import Layout
    from pytest_hdp.lab.versions import Version

_SEEN_OUTSIDE = frozenset({Verdict.HELD_BY_RECEIVER, Verdict.REACHED})


@dataclass(frozen=True, slots=True)
class Policy(Box):
    """Lets of what the client sends only these numbers out. `ip6`: it knows IPv6 too."""

    passes: frozenset[int] = frozenset()
    ip6: bool = True
    name: ClassVar[str] = "sandbox"
    features: ClassVar[str] = "a kernel with nftables filters"
    contains: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        out = f"only {listed(self.passes)}" if self.passes else "nothing"
        return f"lets {out} of what the client sends out{'' if self.ip6 else ', over IPv4: IPv6 it does not know'}"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        if not self.knows(version.number):
            return ""
        which = f"{version.selector} != {number_set(self.passes)} " if self.passes else ""
        return filter_chain("forward", f"{_from_the_box(version)} {which}drop", version=version)

    def knows(self, ip_version: int) -> bool:
        """Whether it filters this version of IP at all."""
        return ip_version == 4 or self.ip6

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost, going out, unless it passes."""
        if direction is Direction.REVERSE or not self.knows(traffic.ip_version) or protocol in self.passes:
            return DELIVERED
        return Truth(Verdict.LOST, box=self.name)


@dataclass(frozen=True, slots=True)
class NeverArmed(Policy):
    """A policy that failed to load: it is there, and its rules are not."""

    name: ClassVar[str] = "never-armed"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "a policy for the client that failed to load: everything gets out"

    def knows(self, ip_version: int) -> bool:
        """It filters nothing."""
        return False


@dataclass(frozen=True, slots=True)
class Related(Policy):
    """Remembers a pair of hosts that spoke UDP, and lets all that is between them out from then on."""

    name: ClassVar[str] = "related"
    features: ClassVar[str] = "a kernel with nftables filters and dynamic sets"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "lets UDP of the client out, and after it everything else between the same two hosts"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        pair = f"{version.family} saddr . {version.family} daddr"
        kind = f"{version.address_type} . {version.address_type}"
        return f"""table {version.family} lab {{
  set known {{ type {kind}; flags dynamic, timeout; timeout 10m; size 65535; }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    {version.family} saddr != {_box(version)} accept
    {version.selector} {UDP} update @known {{ {pair} }} accept
    {pair} @known accept
    drop
  }}
}}
"""

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Some UDP, a control if nothing else, comes before the last packet of each number."""
        return DELIVERED


@dataclass(frozen=True, slots=True)
class DeadEnd(Box):
    """Takes all that is on its way to the target: nothing could ever arrive."""

    name: ClassVar[str] = "dead-end"
    features: ClassVar[str] = "a kernel with nftables filters"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "drops everything, whoever sends it"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain("forward", "drop", version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost."""
        return Truth(Verdict.LOST, box=self.name)


def contained(layout: Layout, train: Train, allowed: Set[int] = frozenset()) -> Containment:
    """Return what is true of a box's train: what its own way does to it, and what its twin's does to the same.

    `allowed`: numbers that may leave.
    """
    may = train.protocol in allowed
    out = layout.expected(train.protocol, train.direction, train.form)
    if not out.ends or out.verdict in _SEEN_OUTSIDE:
        return Containment.ALLOWED if may else Containment.LEAKED
    boxes = tuple(Router() if box.contains else box for box in layout.boxes)
    twin = replace(layout, boxes=boxes).expected(train.protocol, train.direction, train.form)
    if (twin.ends and twin.verdict not in _SEEN_OUTSIDE) or twin.nat == "translated":
        return Containment.UNPROVEN
    formed = train.protocol in carriers(of_version(layout.ip_version))
    blocked = may and (train.form is Form.WELLFORMED or not formed)  # bare, it is no valid message, and may stay
    return Containment.BLOCKED if blocked else Containment.CONTAINED


def _box(version: Version) -> str:
    """Return the client's address."""
    return PLANS[version.number].first[0]


def _from_the_box(version: Version) -> str:
    return f"{version.family} saddr {_box(version)}"
