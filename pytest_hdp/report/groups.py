"""Failures that are alike: one cause, many protocol numbers. One of them is shown in full, and the numbers of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.lines import wrapped
from pytest_hdp.report.summary import expected_and_got

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_hdp.report.fields import Record

Cause = tuple[object, ...]
Hops = dict[tuple[object, ...], str]


def hops_by_train(records: Sequence[Record]) -> Hops:
    """Return the last hop that answered each train that looked for it with its own packets."""
    return {
        (*fields.course_key(record), fields.protocol(record)): hop
        for record in records
        if (hop := fields.word(fields.part(record, "last_hop"), "address"))
    }


def cause(record: Record, hops: Mapping[tuple[object, ...], str]) -> Cause:
    """Return what is equal for trains that failed alike: course, verdict, errno, expectation, changes, place, errors.

    Counts are no part of it, since of two numbers that die at one place seldom equally many arrive. `hops`: what
    `hops_by_train` found; a train that did not look for its hop itself died where the one did that looked for it.
    """
    course = fields.course_key(record)
    asker = fields.number(fields.part(record, "climb"), "with")
    own = fields.protocol(record)
    errors = sorted(
        (fields.word(error, "from"), str(fields.number(error, "type")), str(fields.number(error, "code")))
        for error in fields.parts(record, "icmp")
        if error.get("authenticated") and record.get("verdict") == Verdict.REJECTED
    )
    hop = hops.get((*course, own)) or hops.get((*course, asker), "")
    return (*course, expected_and_got(record), *fields.words_in(record, "modified"), hop, *errors)


def example_of(records: Sequence[Record]) -> int:
    """Return the index of the record that tells most of a group: the first that looked for its hop, else the first."""
    return next((index for index, record in enumerate(records) if fields.part(record, "last_hop")), 0)


def headline(records: Sequence[Record], example: Record, width: int = 80) -> list[str]:
    """Return what stands above the one block that is printed for a group: how many failed alike, and which."""
    return wrapped(
        f"{len(records)} equal failures: {fields.subjects(records)}. "
        f"The one of {fields.subject(example)} stands for all of them (-v prints each):",
        width,
    )
