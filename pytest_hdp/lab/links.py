"""Links that delay: several equal ways, batches, a bound on the rate. Nothing in them depends on the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_hdp.lab.wires import Wire

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Chain(Wire):
    """What several do, one after the other, on one wire: `base_us` is what its relay adds to all, to be exact."""

    wires: tuple[Wire, ...] = ()
    base_us: float = 500.0
    name: ClassVar[str] = "chain"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return "; ".join(each.description for each in self.wires)

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "chain", "of": [each.behaviour for each in self.wires], "base_ns": int(self.base_us * 1000)}


@dataclass(frozen=True, slots=True)
class EqualCost(Wire):
    """Two ways of equal cost, taken by a hash of addresses, number and ports; one of them is `us` longer."""

    us: float = 200.0
    salt: str = ""
    name: ClassVar[str] = "equal-cost"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"two equal ways by a hash of addresses, number and ports, one {self.us:g} us longer"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "ways", "ns": int(self.us * 1000), "salt": self.salt}


@dataclass(frozen=True, slots=True)
class Batch(Wire):
    """Hands on what came all together, every `us` microseconds."""

    us: float = 1000.0
    name: ClassVar[str] = "batch"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"hands on all together what came in {self.us:g} us"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "batch", "ns": int(self.us * 1000)}


@dataclass(frozen=True, slots=True)
class Shaper(Wire):
    """Carries `rate` bytes a second; what would wait longer than `longest_us` is dropped."""

    rate: int = 125_000
    longest_us: float = 100_000.0
    name: ClassVar[str] = "shaper"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"carries {self.rate:,} bytes a second and keeps what waits less than {self.longest_us:g} us"

    @property
    def behaviour(self) -> Mapping[str, Any]:
        """For the relay."""
        return {"kind": "shape", "rate": self.rate, "ns": int(self.longest_us * 1000)}
