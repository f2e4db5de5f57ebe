"""Middleboxes on the wire that change packets. They spare ICMP and UDP, so that the control comes through as sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.lab.boxes import HOP_BY_HOP, ICMP, SCTP, UDP, USUAL, Traffic, listed
from pytest_hdp.lab.trackers import WITH_TRACKERS
from pytest_hdp.lab.truth import DELIVERED, Truth
from pytest_hdp.lab.wires import Wire, by_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.judge.verdict import Direction, Form

CONTROL = frozenset({ICMP, UDP})


@dataclass(frozen=True, slots=True)
class _Mangle(Wire):
    """Changes packets of all numbers that are not spared."""

    spares: frozenset[int] = CONTROL
    what: ClassVar[str] = ""
    value: ClassVar[int] = 0
    changed: ClassVar[tuple[str, ...]] = ()
    good_faith: ClassVar[bool] = False

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "mangle", "what": self.what, "value": self.value, **by_version("spares", self.spares)}

    def spoils(self, protocol: int) -> bool:
        """SCTP's: 16-bit checksums are made right, and its CRC32c is not."""
        return protocol == SCTP and protocol not in self.spares and not self.good_faith

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Modified, unless it is a change that routers may make."""
        if protocol in traffic.version.of(self.spares):
            return DELIVERED
        if self.good_faith:
            return Truth(changed=self.changed)
        return Truth(Verdict.MODIFIED, changed=self.changed, box=self.name)


@dataclass(frozen=True, slots=True)
class MangleByte(_Mangle):
    """Inverts the last byte, and makes a 16-bit transport checksum that was right right again."""

    name: ClassVar[str] = "mangle-byte"
    what: ClassVar[str] = "byte"
    changed: ClassVar[tuple[str, ...]] = ("payload",)

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"inverts the last byte of all but {listed(self.spares)}, and makes checksums right"


@dataclass(frozen=True, slots=True)
class Truncate(_Mangle):
    """Cuts off the last four bytes of the payload."""

    name: ClassVar[str] = "truncate"
    what: ClassVar[str] = "truncate"
    value: ClassVar[int] = 4
    changed: ClassVar[tuple[str, ...]] = ("payload", "length")

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"cuts the last {self.value} bytes off all but {listed(self.spares)}"


@dataclass(frozen=True, slots=True)
class _Front(_Mangle):
    """Changes where the payload begins: what was a header of its protocol is none any more."""

    changed: ClassVar[tuple[str, ...]] = ("payload",)

    def spoils(self, protocol: int) -> bool:
        """For every tracker that reads a header behind IP's."""
        return protocol in WITH_TRACKERS and protocol not in self.spares


@dataclass(frozen=True, slots=True)
class CutFront(_Front):
    """Cuts off the first four bytes of the payload, as who takes a header off that is none of its own."""

    name: ClassVar[str] = "cut-front"
    what: ClassVar[str] = "cut-front"
    value: ClassVar[int] = 4

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"cuts the first {self.value} bytes off the payload of all but {listed(self.spares)}"

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Modified; of hop-by-hop options without their beginning the next router makes nothing, and drops them."""
        if traffic.ip_version == 6 and protocol == HOP_BY_HOP:
            return Truth(Verdict.LOST, also=frozenset({Verdict.MODIFIED}), box=self.name)
        return _Mangle.expected(self, protocol, direction, form, traffic)


@dataclass(frozen=True, slots=True)
class InsertFront(_Front):
    """Puts eight bytes before the payload, as who adds a header and leaves the number as it was."""

    name: ClassVar[str] = "insert-front"
    what: ClassVar[str] = "insert-front"
    value: ClassVar[int] = 8

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"puts {self.value} bytes before the payload of all but {listed(self.spares)}"


@dataclass(frozen=True, slots=True)
class Renumber(_Front):
    """Gives packets another number. Those that have it already stay as they are."""

    name: ClassVar[str] = "renumber"
    what: ClassVar[str] = "renumber"
    value: ClassVar[int] = 200
    changed: ClassVar[tuple[str, ...]] = ("protocol",)

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"gives all but {listed(self.spares)} the number {self.value}"

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Modified, but for the number that it gives."""
        if protocol == self.value:
            return DELIVERED
        return _Mangle.expected(self, protocol, direction, form, traffic)


@dataclass(frozen=True, slots=True)
class ClearDscp(_Mangle):
    """Clears the DSCP bits: seen only where the sender sets them."""

    name: ClassVar[str] = "clear-dscp"
    what: ClassVar[str] = "dscp"
    changed: ClassVar[tuple[str, ...]] = ("dscp",)
    good_faith: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"clears the DSCP bits of all but {listed(self.spares)}"


@dataclass(frozen=True, slots=True)
class RaiseTtl(_Mangle):
    """Raises the TTL of packets, so that no later router sees it expire."""

    name: ClassVar[str] = "raise-ttl"
    what: ClassVar[str] = "ttl"
    value: ClassVar[int] = 200
    changed: ClassVar[tuple[str, ...]] = ("ttl",)
    good_faith: ClassVar[bool] = True

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"raises the TTL of all but {listed(self.spares)} to {self.value}"
