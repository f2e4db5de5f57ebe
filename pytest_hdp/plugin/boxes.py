"""What `suites/containment` asks: which box, beside which twin, by which version of IP, and where both of them send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.path_keys import path_key
from pytest_hdp.packet.family import family_of

if TYPE_CHECKING:
    from pytest_hdp.packet.family import Family
    from pytest_hdp.plugin.options import Settings

CONTAINMENT = "containment"
ONLY_BOXES = "this lab is a box beside its twin: pytest suites/containment asks what gets out of it"
NO_BOX = (
    "no box: say what is not to let anything out, what is like it without the policy, and who watches outside: "
    "--hdp-source=SPEC --hdp-twin=SPEC --hdp-agent=SPEC; or emulate one: --hdp-lab=sandbox-closed"
)


@dataclass(frozen=True, slots=True)
class Box:
    """One question. `target`: where the box sends, None for the agent's own address; `twins`: where its twin does."""

    family: Family
    target: str | None
    twins: str | None

    @property
    def key(self) -> str:
        """Its path's."""
        return path_key(f"target:{self.target or 'agent'}#{CONTAINMENT}", self.family)


def boxes(settings: Settings) -> tuple[Box, ...]:
    """One question for each version of IP; none where nobody watches outside."""
    if settings.agent is None:
        return ()
    if not settings.target:
        return tuple(Box(family, None, None) for family in settings.families)
    found = []
    for family in dict.fromkeys(map(family_of, settings.target)):
        first, *more = [each for each in settings.target if family_of(each) is family]
        found.append(Box(family, first, more[0] if more and settings.twin is not None else None))
    return tuple(found)


def allowed(settings: Settings, family: Family) -> tuple[int, ...]:
    """The numbers that may leave by this version of IP."""
    return tuple(number for number, version in settings.allow if version in {None, family.version})
