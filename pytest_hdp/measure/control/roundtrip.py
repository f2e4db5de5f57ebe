"""How long a path takes, from what came back: RFC 6298. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RoundTrip:
    """`smoothed`: seconds there and back, None before any is known; `variation`: of that.

    `transit`: the longest that anything was known to take one way: all that tells of the delay where no echo is
    answered.
    """

    smoothed: float | None = None
    variation: float = 0.0
    transit: float = 0.0

    def learn(self, took: float) -> None:
        """Take a round trip of so many seconds into account: RFC 6298 section 2."""
        if self.smoothed is None:
            self.smoothed, self.variation = took, took / 2
        else:
            self.variation += (abs(self.smoothed - took) - self.variation) / 4
            self.smoothed += (took - self.smoothed) / 8

    @property
    def spread(self) -> float:
        """Seconds by which a later packet may overtake an earlier one: the variation with the K of 4, or any delay."""
        return self.transit if self.smoothed is None else 4 * self.variation

    @property
    def patience(self) -> float:
        """Seconds after which an answer is not to be expected any more: RFC 6298 section 2, with its K of 4."""
        return 2 * self.transit if self.smoothed is None else self.smoothed + 4 * self.variation
