"""Boxes that are not to let anything out, beside a twin that may: the policies of labs for `suites/containment`.

The client is the box, the second client its twin, the target the far end. A policy stands on a router that both share,
and is about the client's address alone. It stands before whatever translates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.containment import as_promised
from pytest_hdp.judge.evidence import EXTENSION_OF
from pytest_hdp.judge.verdict import SHAPED_FORMS, Containment, Direction, Form, Verdict
from pytest_hdp.lab.boxes import UDP, USUAL, Box, Router, Traffic, filter_chain, listed, number_set
from pytest_hdp.lab.truth import DELIVERED, Truth
from pytest_hdp.lab.versions import PLANS
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.chain import FRAGMENT
from pytest_hdp.packet.family import of_version

if TYPE_CHECKING:
    from collections.abc import Set

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.lab.layout import Layout
    from pytest_hdp.lab.versions import Version

_SEEN_OUTSIDE = frozenset({Verdict.HELD_BY_RECEIVER, Verdict.REACHED})


@dataclass(frozen=True, slots=True)
class Policy(Box):
    """Lets of what the client sends only these numbers out. `ip6`: it knows IPv6 too.

    `overlooks`: the forms in which something of whatever number gets out.
    """

    passes: frozenset[int] = frozenset()
    ip6: bool = True
    name: ClassVar[str] = "sandbox"
    features: ClassVar[str] = "a kernel with nftables filters"
    contains: ClassVar[bool] = True
    overlooks: ClassVar[frozenset[Form]] = frozenset()

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

    def towards(self, form: Form, ip_version: int) -> Box:
        """What it is to this form: over IPv6 it looks at the number of the extension header that makes it."""
        if form in self.overlooks:
            return Router()
        if ip_version == 4 or form not in EXTENSION_OF:
            return self
        return Router() if EXTENSION_OF[form] in self.passes else replace(self, passes=frozenset())

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
class Sealed(Policy):
    """Lets nothing out, and nothing in."""

    name: ClassVar[str] = "sealed"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "lets nothing of what the client sends out, and nothing that is sent to it in"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        to_the_box = f"{version.family} daddr {_box(version)}"
        return filter_chain("forward", f"{_from_the_box(version)} drop", f"{to_the_box} drop", version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lost, both ways."""
        return Truth(Verdict.LOST, box=self.name)


@dataclass(frozen=True, slots=True)
class FirstFragments(Policy):
    """Looks at first fragments, which alone have what it asks for, and lets all others pass."""

    name: ClassVar[str] = "first-fragments"
    overlooks: ClassVar[frozenset[Form]] = frozenset({Form.FRAGMENTED})

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "lets nothing of what the client sends out but fragments after the first one"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        later = "ip frag-off & 0x1fff != 0" if version.number == 4 else "frag frag-off != 0"
        return filter_chain("forward", f"{later} accept", f"{_from_the_box(version)} drop", version=version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """As of any policy; but bare HDP under 44 reads as a later fragment: its source port is the offset."""
        if traffic.ip_version == 6 and protocol == FRAGMENT and form is Form.BARE:
            return DELIVERED
        return Policy.expected(self, protocol, direction, form, traffic)


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

    `allowed`: numbers that may leave. In reverse nobody has asked for it.
    """
    inward = train.direction is Direction.REVERSE
    may, version = train.protocol in allowed, layout.ip_version
    form = train.form
    if form in SHAPED_FORMS:  # what is no policy takes it for what is in it
        form = Form.WELLFORMED if train.protocol in carriers(of_version(version)) else Form.BARE
    seen = tuple(box.towards(train.form, version) if isinstance(box, Policy) else box for box in layout.boxes)
    out = replace(layout, boxes=seen).expected(train.protocol, train.direction, form)
    gathered = train.form is Form.FRAGMENTED and any(box.reassembles for box in layout.boxes)
    swallowed = gathered and train.form in overlooked(layout)
    if (not out.ends or out.verdict in _SEEN_OUTSIDE) and not swallowed:
        return Containment.ALLOWED if may else Containment.LEAKED
    boxes = tuple(Router() if box.contains else box for box in layout.boxes)
    twin = replace(layout, boxes=boxes).expected(train.protocol, train.direction, form)
    if gathered or (twin.ends and twin.verdict not in _SEEN_OUTSIDE) or (twin.nat == "translated" and not inward):
        return Containment.UNPROVEN
    return Containment.BLOCKED if may and as_promised(train, version) and not inward else Containment.CONTAINED


def overlooked(layout: Layout) -> frozenset[Form]:
    """Return the forms that a policy there overlooks."""
    return frozenset[Form]().union(*(box.overlooks for box in layout.boxes if isinstance(box, Policy)))


def _box(version: Version) -> str:
    """Return the client's address."""
    return PLANS[version.number].first[0]


def _from_the_box(version: Version) -> str:
    return f"{version.family} saddr {_box(version)}"
