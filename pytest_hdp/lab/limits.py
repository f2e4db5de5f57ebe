"""Limits on the rate, by the kernel: of each number by itself, and of all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import COMMON, USUAL, Box, Traffic, filter_chain, listed, number_set
from pytest_hdp.lab.truth import DELIVERED, Truth

if TYPE_CHECKING:
    from pytest_hdp.lab.versions import Version


@dataclass(frozen=True, slots=True)
class RateLimited(Box):
    """Lets so many packets a second of each number pass, over both directions together."""

    per_second: int = 5
    burst: int = 5
    spares: frozenset[int] = COMMON
    name: ClassVar[str] = "rate-limited"
    features: ClassVar[str] = "a kernel with nftables limits"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return f"{self.per_second} a second of each number (burst {self.burst}), but {listed(self.spares)} freely"

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        limit = f"limit rate over {self.per_second}/second burst {self.burst} packets"
        return (
            f"table {version.family} lab {{\n  set spent {{ type inet_proto; flags dynamic; size 256; }}\n"
            "  chain forward {\n    type filter hook forward priority filter; policy accept;\n"
            f"    {version.selector} {number_set(version.of(self.spares))} accept\n"
            f"    add @spent {{ {version.selector} {limit} }} drop\n  }}\n}}\n"
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Lossy to who sends faster; at a lower rate it is delivered, and a few at once look like first_only."""
        if protocol in traffic.version.of(self.spares):
            return DELIVERED
        also = frozenset({Verdict.DELIVERED, Verdict.FIRST_ONLY, Verdict.INCONCLUSIVE})
        return Truth(Verdict.LOSSY, also=also, box=self.name)


@dataclass(frozen=True, slots=True)
class SharedLimiter(Box):
    """Lets so many packets a second of all other numbers together pass, over both directions.

    So a sweep loses most of what it sends, and each number by itself gets through.
    """

    per_second: int = 1000
    burst: int = 50
    spares: frozenset[int] = COMMON
    name: ClassVar[str] = "shared-limiter"
    features: ClassVar[str] = "a kernel with nftables limits"

    @property
    def description(self) -> str:
        """One line for the catalogue."""
        return (
            f"{self.per_second} a second of all numbers together (burst {self.burst}), but {listed(self.spares)} freely"
        )

    def ruleset(self, version: Version) -> str:
        """Ruleset of the box's namespace."""
        return filter_chain(
            "forward",
            f"{version.selector} {number_set(version.of(self.spares))} accept",
            f"limit rate over {self.per_second}/second burst {self.burst} packets drop",
            version=version,
        )

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Delivered, since what is lost was lost for other numbers; open where nobody had the time to see that."""
        if protocol in traffic.version.of(self.spares):
            return DELIVERED
        return Truth(also=frozenset({Verdict.INCONCLUSIVE}), box=self.name)
