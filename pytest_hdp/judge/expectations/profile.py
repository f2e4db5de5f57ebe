"""A profile: what is expected of which protocol numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Containment, Direction, Form, Verdict
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import Judgement

KERNEL_FEATURES = ("mptcp",)
"""What an expectation may hang on: `mptcp`, that socket() takes numbers up to 262 (IPPROTO_MPTCP, Linux 5.6)."""
WITHOUT = "no "
PASSES = frozenset({Verdict.DELIVERED, Verdict.REACHED})


class ProfileError(ValueError):
    """A profile that does not parse or make sense: one line, with file and line number."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One `[[expect]]`. `errno` and `wire_protocol` are compared only when given; `direction`, `form`: None is any.

    `also`: verdicts that would be right too, since what was stated shows differently from different places: what does
    not pass may be "rejected", and without an agent "silent". Either all of them say that it passes, or none does;
    "silent", which says neither, may stand beside both. `stated`: False where a profile says nothing of a train, and
    that is to be no failure. `kernel`: a feature that it takes, or "no " and one that it takes the lack of. `targets`,
    `vantages`: the names of those for which alone it holds; None: all. `ip_version`: 4 or 6, None: both. `containment`:
    what is expected where that is asked, whatever the verdict; None: it is judged by itself.
    """

    protocols: tuple[int, ...]
    verdict: Verdict
    errno: str | None = None
    reason: str | None = None
    source: str | None = None
    wire_protocol: int | None = None
    direction: Direction | None = None
    form: Form | None = None
    also: frozenset[Verdict] = frozenset()
    stated: bool = True
    kernel: str | None = None
    targets: frozenset[str] | None = None
    vantages: frozenset[str] | None = None
    ip_version: int | None = None
    containment: Containment | None = None

    def covers(self, train: Train) -> bool:
        """Whether it says anything about this train; of what stands behind extension headers none does."""
        return (
            not train.chain
            and train.protocol in self.protocols
            and self.direction in {None, train.direction}
            and self.form in {None, train.form}
        )

    def matches(self, judgement: Judgement) -> bool:
        """Whether exactly this was observed, or what would be right too."""
        return (
            (judgement.verdict is self.verdict or judgement.verdict in self.also)
            and self.errno in {None, judgement.errno}
            and self.wire_protocol in {None, judgement.wire_protocol}
        )

    def __str__(self) -> str:
        others = [verdict for verdict in Verdict if verdict in self.also]
        return " or ".join([format_verdict(self.verdict, self.errno, self.wire_protocol), *others])


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of expectations. `origin`: the file it was read from, or "built in"; no train is covered twice.

    `skips_unstated`: a train that it says nothing of is skipped unless it passes, instead of judged by itself.
    """

    name: str
    path: str | None
    system: str | None
    expectations: tuple[Expectation, ...]
    origin: str = "built in"
    skips_unstated: bool = False

    def on_kernel(self, features: frozenset[str] | None) -> Profile:
        """Return what holds on a kernel with these features; None: they are not known, and nothing that takes one."""
        kept = tuple(each for each in self.expectations if each.kernel is None or _holds(each.kernel, features))
        return replace(self, expectations=kept)

    def for_target(self, name: str) -> Profile:
        """Return what holds for a target, or another path, of this name."""
        kept = tuple(each for each in self.expectations if each.targets is None or name in each.targets)
        return replace(self, expectations=kept)

    def for_version(self, version: int) -> Profile:
        """Return what holds by this version of IP."""
        kept = tuple(each for each in self.expectations if each.ip_version in {None, version})
        return replace(self, expectations=kept)

    def from_vantage(self, name: str | None) -> Profile:
        """Return what holds from a vantage point of this name; None: there are not several."""
        kept = tuple(each for each in self.expectations if each.vantages is None or name in each.vantages)
        return replace(self, expectations=kept)

    def of_boxes(self) -> Profile:
        """Return what is known of boxes: what leaves them. Verdicts are about paths."""
        kept = tuple(each for each in self.expectations if each.containment is not None)
        return replace(self, expectations=kept, skips_unstated=False)

    def expectation(self, train: Train) -> Expectation | None:
        """Return what is expected of a train, if anything."""
        found = next((e for e in self.expectations if e.covers(train)), None)
        if found is None and self.skips_unstated:
            reason = f"{self.name} states nothing of it"
            return Expectation((train.protocol,), Verdict.INCONCLUSIVE, reason=reason, stated=False)
        return found


def _holds(kernel: str, features: frozenset[str] | None) -> bool:
    if features is None:
        return False
    return kernel in features or (kernel.startswith(WITHOUT) and kernel.removeprefix(WITHOUT) not in features)


def format_verdict(verdict: Verdict, errno: str | None, wire_protocol: int | None = None) -> str:
    """Return a verdict in words, with what was compared beside it: "refused_at_send EPERM", "renumbered to 0"."""
    text = verdict.value + (f" {plain(errno)}" if errno else "")
    return text if wire_protocol is None else f"{text} to {wire_protocol}"
