"""A path that can be opened: its name in ids and files, its plan, and what is expected of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.expectations.profile import Expectation
    from pytest_hdp.judge.result import Judgement, PathInfo
    from pytest_hdp.judge.verdict import Verdict
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.plan import Plan


def expect_nothing(_train: Train, _seen: Verdict) -> Expectation | None:
    """Take every verdict by itself."""
    return None


def expect_no_nat(_train: Train, _seen: Verdict) -> str | None:
    """Expect nothing in particular of the source address."""
    return None


@dataclass(frozen=True, slots=True)
class PathSpec:
    """A path that can be opened. `key` names it in test ids and files; `privilege`: with what right.

    `expect`: what is expected of a train for which this verdict was seen; `expects`: whose expectation that is.
    `expect_nat`: "translated", "leaked", "none", "dropped", or None for no expectation. `reach`: makes the way to a
    far end ready without sending a probe; raises VantageError, one line, if it can't be had. `begin`: has that done
    meanwhile, and `pending` tells whether it is being done. `after`: the paths that are measured before. `revise`: a
    judgement, given the near end's address and what was found of a train on the first of these, if it was asked for.
    """

    key: str
    name: PathInfo
    open: Callable[[], AbstractContextManager[OpenPath]]
    plan: Plan
    expect: Callable[[Train, Verdict], Expectation | None] = expect_nothing
    expects: str = ""
    expect_nat: Callable[[Train, Verdict], str | None] = expect_no_nat
    privilege: str = ""
    reach: Callable[[], None] | None = None
    begin: Callable[[], None] | None = None
    pending: Callable[[], bool] = lambda: False
    after: tuple[str, ...] = ()
    revise: Callable[[Judgement, str, Callable[[Train], Judgement | None]], Judgement] = lambda judgement, *_: judgement
