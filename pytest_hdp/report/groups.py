"""Which results are told together: one course, one cause, many protocol numbers; the headline of each, and an example.

On the terminal each is a block, which `plugin/grouped_failures.py` makes: the example in full, and the numbers of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.expected import expected_and_got
from pytest_hdp.report.lines import wrapped
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_hdp.judge.result import Result

Cause = tuple[object, ...]
Hops = dict[tuple[object, ...], str]


def by_course(results: Iterable[Result]) -> list[list[Result]]:
    """Return the results grouped by path, direction, form and IP version, groups and numbers in order."""
    ordered = sorted(results, key=lambda result: (fields.course_key(result), fields.protocol(result)))
    return list(alike(ordered, fields.course_key).values())


def hops_by_train(results: Sequence[Result]) -> Hops:
    """Return the last hop that answered each train that looked for it with its own packets."""
    return {
        (*fields.course_key(result), fields.protocol(result)): hop for result in results if (hop := _last_hop(result))
    }


def cause(result: Result, hops: Mapping[tuple[object, ...], str]) -> Cause:
    """Return what is equal for trains that failed alike: course, verdict, errno, expectation, changes, place, errors.

    Counts are no part of it, since of two numbers that die at one place seldom equally many arrive. `hops`: what
    `hops_by_train` found; a train that did not look for its hop itself died where the one did that looked for it.
    """
    course, judgement = fields.course_key(result), result.judgement
    errors = sorted(
        (error.source, str(error.type), str(error.code))
        for error in judgement.icmp
        if error.authenticated and result.verdict is Verdict.REJECTED
    )
    hop = hops.get((*course, fields.located_by(result)), "")
    return (*course, expected_and_got(result), *judgement.modified, hop, *errors)


def _last_hop(result: Result) -> str:
    hop = result.judgement.last_hop
    return "" if hop is None else safe(hop.address)


def example_of(results: Sequence[Result]) -> int:
    """Return the index of the result that tells most of a group: the first that looked for its hop, else the first."""
    return next((index for index, result in enumerate(results) if result.judgement.last_hop is not None), 0)


def headline(results: Sequence[Result], example: Result, width: int = 80) -> list[str]:
    """Return what stands above the one block that is printed for a group: how many failed alike, and which."""
    return wrapped(
        f"{len(results)} equal failures: {fields.subjects(results)}. "
        f"The one of {fields.subject(example)} stands for all of them (-v prints each):",
        width,
    )
