"""Which latencies are measured at the same time: those that tests to come will ask for in the same words.

The first test of a function measures for the others, whose paths go to other hosts. What comes out not to be valid, so
that the others may have been what disturbed it, is measured by its own test once more, alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.plugin.collection import CAMPAIGN, path_key_of

if TYPE_CHECKING:
    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.measure.campaign.campaign import Campaign
    from pytest_hdp.measure.latency.experiment import LatencyPlan
    from pytest_hdp.measure.path.open_path import OpenPath

    Key = tuple[str, LatencyPlan]

TRIED: pytest.StashKey[dict[Key, LatencyResult | None]] = pytest.StashKey()
"""What was found beside others, for the test that will ask; None: it is to be measured alone."""
MARKS = ("skip", "skipif", "xfail")
"""A test that bears one of these may never ask."""


def measured(item: pytest.Item, key: str, plan: Callable[[OpenPath], LatencyPlan]) -> tuple[LatencyResult, ...]:
    """The latency over a path, in each direction that there is; `plan`: of it, and of those measured beside it.

    Raises PathUnavailable, ValueError.
    """
    from pytest_hdp.measure.latency.experiment import Comparison

    campaign: Campaign = item.config.stash[CAMPAIGN]
    path = campaign.path(key)
    tried, wanted = item.config.stash.setdefault(TRIED, {}), (key, plan(path))
    if wanted not in tried and campaign.share is None:
        _try_together(campaign, [key, *_to_come(item)], plan, tried)
    if (found := tried.pop(wanted, None)) is not None:
        return (found,)
    with _turn(campaign, path), Comparison(path, wanted[1]) as comparison:
        return tuple(comparison.run(direction) for direction in comparison.directions)


def _turn(campaign: Campaign, path: OpenPath) -> AbstractContextManager[None]:
    """Wait for other processes' experiments over this host's interfaces; a lab has its own."""
    if campaign.share is None or not path.routed or path.lab is not None:
        return nullcontext()
    from pytest_hdp.measure.campaign.measured_once import one_at_a_time

    return one_at_a_time(campaign.share, "latency")


def _try_together(campaign: Campaign, keys: list[str], plan: Callable[[OpenPath], LatencyPlan], tried: Any) -> None:
    """Measure over as many of these paths as may be beside each other, unless that is one alone."""
    from pytest_hdp.measure.latency.experiment import Comparison
    from pytest_hdp.measure.latency.together import may_be_beside, most_beside, run_together, undisturbed
    from pytest_hdp.measure.path.endpoints import PathUnavailable

    with ExitStack() as stack:
        together: dict[Key, Comparison] = {}
        for key in keys:
            if campaign.specs[key].pending():
                continue
            with suppress(PathUnavailable):  # told to the test that asks for it
                campaign.measure_first(key)
                path = campaign.path(key)
                if may_be_beside(path) and (wanted := (key, plan(path))) not in tried and most_beside(wanted[1]) > 1:
                    together[wanted] = stack.enter_context(Comparison(path, wanted[1]))
            if not together or len(together) == most_beside(next(iter(together))[1]):
                break
        if len(together) > 1:
            found = run_together(list(together.values()))
            for number, wanted in enumerate(together):
                result = found.get(number)
                tried[wanted] = result if result is not None and undisturbed(result) else None


def _to_come(item: pytest.Item) -> Iterator[str]:
    """The paths of tests after this one that will ask the same, each once."""
    items = item.session.items
    for each in dict.fromkeys(
        key
        for other in items[items.index(item) + 1 :]
        if _asks_the_same(item, other) and (key := path_key_of(other)) is not None
    ):
        if each != path_key_of(item):
            yield each


def _asks_the_same(item: pytest.Item, other: pytest.Item) -> bool:
    """Whether it is the same function, for another path alone, and nothing may keep it from being run."""
    same = other.parent is item.parent and getattr(other, "originalname", "") == getattr(item, "originalname", None)
    return same and _parameters(other) == _parameters(item) and not any(map(other.get_closest_marker, MARKS))


def _parameters(item: pytest.Item) -> dict[str, object]:
    """What a test was parametrised with beside its path."""
    callspec: Any = getattr(item, "callspec", None)
    return {} if callspec is None else {name: each for name, each in callspec.params.items() if name != "hdp_route"}
