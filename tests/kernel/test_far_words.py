"""A far end that lies: what it says of itself and of time sends no packet to a stranger, and holds nothing up."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.measure import plan
from pytest_hdp.measure.control.control import Control
from pytest_hdp.measure.experiments.by_hand import Sender
from pytest_hdp.measure.latency.experiment import Comparison, LatencyPlan
from pytest_hdp.measure.path.endpoints import Endpoint, PathUnavailable
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.view import view
from pytest_hdp.vantage.points import PrivateNamespace, can_unshare
from pytest_hdp.vantage.remote.client import RemoteStation

pytestmark = pytest.mark.skipif(not can_unshare(), reason="privilege: no user namespaces")

STRANGER = "127.0.0.9"
OUTGOING, INCOMING = 4, 0


class Agent:
    """A channel to an agent that does nothing, says that it did, and says what a test has it say."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.taps: list[int] = []
        self.refuses = 0  # the errno with which it opens no socket
        self.says_of_sending = ""
        self.say: Callable[[Any], Any] = print

    def setcallback(self, callback: Callable[[Any], Any], endmarker: object = None) -> None:
        self.say = callback

    def send(self, batch: Any) -> None:
        for word, *rest in batch:
            if word == "send":
                self.sent.append(rest[2])
                if self.says_of_sending:
                    self.say([("refused", rest[0], self.says_of_sending)])
            elif word == "sync":
                self.say([("answer", rest[0], 0, (0.0, []))])
            elif word == "ahead":
                self.say([("answer", rest[0], 0, [0] * len(rest[3]))])
            elif word == "open" and rest[0]:
                self.taps += [rest[1]] * (rest[2] == "tap")
                self.say([("answer", rest[0], self.refuses, 0)])

    def see(self, when: int, kind: int, packet: bytes) -> None:
        self.say([("seen", [(self.taps[0], when, kind, packet, "", "eth0")])])


@contextmanager
def path_to(*, near: bool) -> Iterator[tuple[Agent, OpenPath]]:
    """A path with the liar at one end, near or far, and the other in a namespace where only loopback is."""
    agent = Agent()
    name = PathInfo("internet", "target", STRANGER, "127.0.0.1", "ssh=liar")
    with RemoteStation(agent, "the agent", lambda: None, str) as remote, PrivateNamespace().station() as here:
        there, ours = Endpoint(remote, STRANGER if near else "127.0.0.1", None), Endpoint(here, "127.0.0.1", "lo")
        with OpenPath(name, *((there, ours) if near else (ours, there))) as path:
            yield agent, path


def test_an_address_that_a_far_source_says_it_has_is_sent_nothing():
    train = Train(253, Direction.REVERSE)
    with path_to(near=True) as (_, path):
        judgement = Measurement(path, plan.Plan((train,), plan.LAB, timeout=0.01)).run()[train]
    assert (judgement.verdict, judgement.sent) == (Verdict.INCONCLUSIVE, 0)
    assert "nothing came from there, so there is no address to send to" in judgement.explanation


@pytest.mark.parametrize(("left", "replied"), [(1, 2**63 - 1), (2**62, 1)])
def test_a_round_trip_takes_no_longer_than_it_was_waited_for(left, replied):
    with path_to(near=False) as (agent, path):
        control = Control(path, bytes(8))
        path.subscribers.append(lambda observer, seen: control.observe(observer, seen, view(seen[3])))
        control.send(Direction.REVERSE, 0, echo=True)
        path.flush()
        addresses = {"source": "127.0.0.1", "destination": STRANGER, "protocol": 1}
        agent.see(left, OUTGOING, build_ipv4(agent.sent[0], **addresses))
        agent.see(replied, INCOMING, build_ipv4(b"\0" + agent.sent[0][1:], **addresses))
        path.look(1)
        (entry,) = control.entries.values()
        assert (entry.left_at, entry.replied_at) == (left, replied)
        assert control.patience == 0

        began = time.time_ns() - 20_000_000
        entry.sent_at, entry.left_at, entry.replied_at = began, 0, 0
        agent.see(5_000, OUTGOING, build_ipv4(agent.sent[0], **addresses))
        agent.see(5_005_000, INCOMING, build_ipv4(b"\0" + agent.sent[0][1:], **addresses))
        path.look(1)
        assert control.round_trip == pytest.approx(0.005), "of clocks that differ, each by itself is right"


@pytest.mark.parametrize("step", [-1350, 1350], ids=["back", "forward"])
def test_a_clock_that_is_set_while_an_echo_is_under_way_lengthens_no_wait(monkeypatch, step):
    """Stamps are by the clock that can be set; how long it can have taken is by the one that can't."""
    with path_to(near=True) as (_, path):
        control = Control(path, bytes(8))
        control.send(Direction.REVERSE, 0, echo=True)
        (entry,) = control.entries.values()
        now = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: now() + step * 1_000_000_000)
        control.note_reply(entry, time.time_ns())
        assert control.patience == 0
        assert entry.replied_at


def test_a_latency_that_the_far_end_refuses_leaves_no_socket_open_here():
    with path_to(near=False) as (agent, path):
        before = len(list(Path("/proc/self/fd").iterdir()))
        agent.refuses = errno.EPERM
        with pytest.raises(PathUnavailable, match="latency under 253 can't be measured: EPERM"):
            Comparison(path, LatencyPlan(), one_way=False)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["EMADEUP", "__name__", "errorcode", "EPERM"])
def test_whatever_a_far_end_calls_a_refusal_is_an_error_of_sending(name):
    with path_to(near=True) as (agent, path):
        agent.says_of_sending = name
        with pytest.raises(OSError, match=name if name != "EPERM" else "Operation not permitted"):
            Sender(path, 253).send(b"moo")
