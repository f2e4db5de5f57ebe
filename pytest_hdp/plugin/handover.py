"""What an xdist worker hands, at its end, to the process that the user started, which writes the files.

A worker's reports tell of tests that have ended. What an interrupted measurement has found beyond those is in the
worker that measures, and, once that is over, in the folder that all of one host share. A terminal interrupts the
workers too, and so does execnet, five seconds after their channel's end: then they end their session in order, and put
what they know into what xdist hands over at a worker's end. A vantage point shares no folder, so its packets go the
same way.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp.plugin.collection import CAMPAIGN, case_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_hdp.judge.result import Result
    from pytest_hdp.measure.path.capture import Packets

NODES: pytest.StashKey[list[Any]] = pytest.StashKey()
"""The workers that this process has started."""

_KNOWN = "hdp_known"
_TESTS = "hdp_tests"
_PACKETS = "hdp_packets"


def remember(node: Any) -> None:
    """Keep a worker that is being started, so that it can be asked at its end."""
    node.config.stash.setdefault(NODES, []).append(node)


def hand_over(session: pytest.Session, *, interrupted: bool) -> None:
    """Put into a worker's output its packets, if they are in no shared folder, and, if interrupted, all results.

    Those of measurements that have not ended are among them.
    """
    campaign = session.config.stash.get(CAMPAIGN, None)
    if campaign is None:
        return
    from pytest_hdp.judge.record import to_record

    output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
    if interrupted:
        output[_KNOWN] = json.dumps([to_record(result) for result in campaign.known()])
        output[_TESTS] = json.dumps(tests_by_train(session))
    if campaign.capture is not None:
        packets = campaign.capture.packets()
        if campaign.capture.spool is None:  # a vantage point's, or there was no room for it
            from pytest_hdp.measure.path.capture import as_text

            output[_PACKETS] = as_text(packets, campaign.vantage)


def known(config: pytest.Config) -> tuple[list[Result], dict[str, str]]:
    """Return the results that workers left, the same one from several of them perhaps, and node ids by train."""
    from pytest_hdp.judge.record import from_record

    records: list[object] = []
    tests: dict[str, str] = {}
    for output in _outputs(config):
        records += json.loads(output.get(_KNOWN, "[]"))
        tests |= json.loads(output.get(_TESTS, "{}"))
    if config.stash.get(NODES, []):
        from pytest_hdp.measure.campaign.measured_once import finished

        records += [line["record"] for line in finished(shared_folder(config)) if "record" in line]
    return list(map(from_record, records)), tests


def packets_from(config: pytest.Config, packets: Packets) -> Packets:
    """Add to some packets those that vantage points handed over, and return them."""
    from pytest_hdp.measure.path.capture import add_text

    for output in _outputs(config):
        add_text(packets, output.get(_PACKETS, ""))
    return packets


def shared_folder(config: pytest.Config) -> Path:
    """Where the processes of one run on one host leave what they have measured."""
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    base = factory.getbasetemp()
    return (base.parent if hasattr(config, "workerinput") else base) / "hdp"  # a worker's folder is in the run's


def tests_by_train(session: pytest.Session) -> dict[str, str]:
    """The node id of the first test that wants a train, for each of those that this process collected."""
    from pytest_hdp.report.capture import key_of

    campaign = session.config.stash.get(CAMPAIGN, None)
    found: dict[str, str] = {}
    for item in getattr(session, "items", ()):
        if campaign is not None and (case := case_of(item)) is not None:
            train = case.train
            path = asdict(campaign.name(case.path_key))
            found.setdefault(key_of(path, train.direction, train.form, train.protocol, train.chain), item.nodeid)
    return found


def _outputs(config: pytest.Config) -> list[dict[str, Any]]:
    return [getattr(node, "workeroutput", {}) for node in config.stash.get(NODES, [])]
