"""What an xdist worker knows when a run is interrupted: handed to the process that the user started, which writes it.

A worker's reports tell of tests that have ended. What a measurement has found beyond those is in the worker that
measures, and, once that is over, in the folder that all of one host share. A terminal interrupts the workers too, and
so does execnet, five seconds after their channel's end: then they end their session in order, and put what they know
into what xdist hands over at a worker's end.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_hdp.collection import CAMPAIGN

NODES: pytest.StashKey[list[Any]] = pytest.StashKey()
"""The workers that this process has started."""

_KNOWN = "hdp_known"
_TESTS = "hdp_tests"


def remember(node: Any) -> None:
    """Keep a worker that is being started, so that it can be asked at its end."""
    node.config.stash.setdefault(NODES, []).append(node)


def hand_over(session: pytest.Session) -> None:
    """Put into a worker's output all results that it knows, those of measurements that have not ended included."""
    campaign = session.config.stash.get(CAMPAIGN, None)
    if campaign is None:
        return
    from pytest_hdp.judge.record import to_record
    from pytest_hdp.routes import tests_by_train

    output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
    output[_KNOWN] = json.dumps([to_record(result) for result in campaign.known()])
    output[_TESTS] = json.dumps(tests_by_train(session))
    if campaign.capture is not None:
        campaign.capture.flush()


def handed_over(config: pytest.Config) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the records that workers left, the same one from several of them perhaps, and node ids by train."""
    records: list[dict[str, Any]] = []
    tests: dict[str, str] = {}
    nodes = config.stash.get(NODES, [])
    for output in (getattr(node, "workeroutput", {}) for node in nodes):
        records += json.loads(output.get(_KNOWN, "[]"))
        tests |= json.loads(output.get(_TESTS, "{}"))
    if nodes:
        from pytest_hdp.measure.share import finished
        from pytest_hdp.routes import shared_folder

        records += [line["record"] for line in finished(shared_folder(config)) if "record" in line]
    return records, tests
