"""What a capture keeps of a path with real sockets: the run's own packets, and nobody else's."""

from __future__ import annotations

import socket
from collections import Counter, deque

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.measure.experiments.by_hand import Listener, Sender
from pytest_hdp.measure.path import capture
from pytest_hdp.measure.path.capture import Capture, CapturedPacket, spooled
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.plan import Plan
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.vantage.points import PrivateNamespace, VantageError

HERE = "127.0.0.1"
NAME = PathInfo("loopback", "loopback", HERE, HERE, None)
TRAINS = (Train(47), Train(200), Train(256))


@pytest.fixture
def path():
    """The loopback of a private network namespace."""
    try:
        place = PrivateNamespace().station()
        station = place.__enter__()
    except VantageError as error:
        pytest.skip(f"privilege: {error}")
    try:
        end = Endpoint(station, HERE, "lo")
        with OpenPath(NAME, end, end) as opened:
            yield opened
    finally:
        place.__exit__(None, None, None)


def look_until(path: OpenPath, seen: deque, count: int) -> None:
    for _ in range(1000):
        if len(seen) >= count:
            return
        path.look(0.01)
    raise AssertionError(f"{len(seen)} of {count} seen")


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def counted(kept: list[CapturedPacket]) -> Counter:
    return Counter((each.protocol, each.outgoing) for each in kept if each.role == "probe" and not each.icmp)


def test_every_probe_is_there_twice_and_no_stranger_is(path):
    kept = Capture()
    kept.watch(path)
    measurement = Measurement(path, Plan(TRAINS))
    measurement.run()
    sent = {train: len(entries) for train, entries in measurement.ledger.trains.items()}

    seen: deque = deque()
    path.subscribers.append(lambda observer, observation: seen.append(observation) if observer.kind == "tap" else None)
    probe = next(iter(measurement.ledger.probes.values()))
    stranger = path.near.station.sender(socket.AF_INET, 201)
    header = probe.data[:12]
    for forged in (
        header + path.run_id + bytes(20) + b"no such index",
        header + path.run_id + probe.data[20:24] + bytes(16) + b"another MAC",
        header + path.run_id + probe.data[20:24] + flipped(flipped(flipped(probe.data[24:], 0), 1), 2)[:8] + bytes(60),
    ):
        assert path.near.station.send(stranger, forged, HERE) is None
    look_until(path, seen, 6)  # each leaves and arrives, and passes the kernel's filter, which knows the run id alone

    packets = kept.packets().kept
    assert counted(packets) == {(train.protocol, way): n for train, n in sent.items() for way in (True, False)}
    assert {each.data[9] for each in packets if each.protocol == 256 and not each.icmp} == {0}
    assert {each.role for each in packets} == {"probe", "control"}
    assert any(each.icmp and each.protocol == 256 for each in packets), "the kernel's answer to a number 0"
    assert all(each.data[9] != 201 for each in packets)
    assert kept.packets().full == set()


def test_what_is_sent_by_hand_is_there_too(path):
    kept = Capture()
    kept.watch(path)
    listener, sender = Listener(path, 77), Sender(path, 77)
    index = sender.send(b"moo")
    assert listener.receive() is not None
    packets = kept.packets().kept
    assert [(each.role, each.index, each.protocol, each.outgoing) for each in packets] == [
        ("by hand", index, 77, True),
        ("by hand", index, 77, False),
    ]
    assert packets[0].data.endswith(b"moo")


def test_another_process_reads_the_spool(path, tmp_path):
    kept = Capture(spool=tmp_path / "spool")
    kept.watch(path)
    Measurement(path, Plan(TRAINS)).run()
    kept.flush()
    whole = spooled(tmp_path / "spool")
    assert counted(whole.kept)
    assert kept.packets().kept == []
    (file,) = (tmp_path / "spool").iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    assert spooled(tmp_path / "spool").kept == whole.kept[:-1]


@pytest.mark.parametrize("spool", [False, True])
def test_the_first_packets_are_kept_when_there_are_too_many(path, tmp_path, monkeypatch, spool):
    monkeypatch.setattr(capture, "MOST", 10)
    kept = Capture(spool=tmp_path if spool else None)
    kept.watch(path)
    Measurement(path, Plan(TRAINS)).run()
    packets = kept.packets()
    if spool:
        packets = spooled(tmp_path)
    assert len(packets.kept) == 10
    assert packets.full == {"loopback"}


def test_an_error_with_a_forged_quote_is_a_strangers(path):
    kept = Capture()
    kept.watch(path)
    seen: deque = deque()
    path.subscribers.append(lambda observer, observation: seen.append(observation) if observer.kind == "tap" else None)
    measurement = Measurement(path, Plan((Train(200),)))
    measurement.run()
    left = next(iter(measurement.ledger.probes.values())).left[0].packet.data
    icmp = path.sender(Direction.FORWARD, 1)
    before = len(seen)
    for quote in (flipped(left, 50), left):  # a byte of the MAC, and none
        assert path.near.station.send(icmp, b"\x0b\x00\x00\x00\x00\x00\x00\x00" + quote, HERE) is None
    look_until(path, seen, before + 4)
    assert [each.data[28:] for each in kept.packets().kept if each.icmp] == [left, left]


def test_a_quote_too_short_for_its_tag_is_recognised_by_what_left(path):
    kept = Capture()
    kept.watch(path)
    seen: deque = deque()
    path.subscribers.append(lambda observer, observation: seen.append(observation) if observer.kind == "tap" else None)
    measurement = Measurement(path, Plan((Train(200),)))
    measurement.run()
    entry = next(iter(measurement.ledger.probes.values()))
    icmp = path.sender(Direction.FORWARD, 1)
    before = len(seen)
    for quote in (entry.left[0].packet.data[:28], flipped(entry.left[0].packet.data[:28], 4)):
        message = b"\x0b\x00\x00\x00\x00\x00\x00\x00" + quote
        assert path.near.station.send(icmp, message, HERE) is None
    look_until(path, seen, before + 4)
    errors = [each for each in kept.packets().kept if each.icmp]
    assert [(each.index, each.protocol, each.outgoing) for each in errors] == [
        (entry.index, 200, True),
        (entry.index, 200, False),
    ]
