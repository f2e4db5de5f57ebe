"""What a relay does to frames, frame by frame, without a relay."""

from __future__ import annotations

import random
import socket
import struct
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.lab.frames import protocol_of
from pytest_hdp.lab.relay_behaviours import make
from pytest_hdp.lab.relay_packets import MANGLERS, icmp_error
from pytest_hdp.packet.carrier import CARRIERS, wrap
from pytest_hdp.packet.checksums import checksum, pseudo_header

ETHERNET = bytes.fromhex("020000000002 020000000001 0800")
AROUND = {
    "left_addresses": ["192.0.2.1", "2001:db8:a::1"],
    "right_addresses": ["203.0.113.6", "2001:db8:c:1::2"],
}
HDP = bytes(range(60))


def frame(payload: bytes = HDP, protocol: int = 253, ttl: int = 64, tos: int = 0, options: bytes = b"") -> bytes:
    size = 20 + len(options)
    ends = socket.inet_aton("192.0.2.2"), socket.inet_aton("198.51.100.2")
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, tos, size + len(payload), 7, 0, ttl, protocol, 0, *ends)
    header += options
    header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
    return ETHERNET + header + payload


def through(behaviour: dict, frames, seed: int = 1, side: int = 0):
    """Return what went on, as (side, frame, due), and what was sent past it."""
    on, past = [], []
    handle = make(
        behaviour, AROUND, random.Random(seed), lambda *what: on.append(what), lambda *what: past.append(what)
    )
    for each in frames:
        handle(side, each, 0)
    return on, past


def header_is_right(packet: bytes) -> bool:
    return checksum(packet[: (packet[0] & 15) * 4]) == 0 and int.from_bytes(packet[2:4], "big") == len(packet)


@pytest.mark.parametrize("probability", [0.05, 0.2, 0.5])
def test_independent_loss_is_of_the_stated_share_and_has_no_memory(probability):
    frames = [struct.pack("!I", number) for number in range(40_000)]
    on, _ = through({"kind": "loss", "probability": probability}, frames)
    passed = {int.from_bytes(each[1], "big") for each in on}
    lost = [number not in passed for number in range(len(frames))]
    share = sum(lost) / len(lost)
    assert abs(share - probability) < 5 * (probability * (1 - probability) / len(lost)) ** 0.5
    after_a_loss = [lost[number + 1] for number in range(len(lost) - 1) if lost[number]]
    assert abs(sum(after_a_loss) / len(after_a_loss) - probability) < 0.05


@pytest.mark.night
def test_bursts_are_of_the_stated_share_and_length():
    frames = [struct.pack("!I", number) for number in range(1_000_000)]
    on, _ = through({"kind": "bursts", "probability": 0.05, "mean": 50}, frames)
    numbers = [int.from_bytes(each[1], "big") for each in on]
    gaps = [later - earlier - 1 for earlier, later in pairwise(numbers)]
    bursts = [gap for gap in gaps if gap]
    assert 0.04 < 1 - len(numbers) / len(frames) < 0.06
    assert 45 < sum(bursts) / len(bursts) < 55


def test_a_delay_keeps_order_and_is_for_its_numbers_alone():
    frames = [frame(protocol=number) for number in (253, 17) * 50]
    before = time.monotonic_ns()
    on, _ = through({"kind": "delay", "ns": 1000, "jitter_ns": 1_000_000_000, "protocols": [253]}, frames)
    dues = [due for _, each, due in on if protocol_of(each) == 253]
    assert len(dues) == 50
    assert dues == sorted(dues)
    assert before + 1000 <= dues[0] <= dues[-1] <= time.monotonic_ns() + 1_000_001_000
    assert max(dues) - before > 500_000_000
    assert all(due == 0 for _, each, due in on if protocol_of(each) == 17)


def test_duplicates_follow_their_originals():
    frames = [frame(bytes([number])) for number in range(200)]
    on, _ = through({"kind": "duplicate", "probability": 0.5}, frames)
    seen = [each[1] for each in on]
    assert list(dict.fromkeys(seen)) == frames
    assert 70 < len(seen) - len(frames) < 130


@given(st.integers(0, 255), st.binary(min_size=1, max_size=200), st.sampled_from(sorted(MANGLERS)))
def test_a_mangled_packet_is_still_a_packet(protocol, payload, what):
    on, _ = through({"kind": "mangle", "what": what, "value": 4, "spares": [1, 17]}, [frame(payload, protocol)])
    packet = on[0][1][14:]
    assert header_is_right(packet)
    if protocol in (1, 17):
        assert packet == frame(payload, protocol)[14:]


@pytest.mark.parametrize("protocol", [1, 6, 17, 33, 136])
@pytest.mark.parametrize("what", ["byte", "truncate"])
def test_a_transport_checksum_that_was_right_stays_right(protocol, what):
    payload = wrap(protocol, HDP, source="192.0.2.2", destination="198.51.100.2")
    assert payload is not None
    on, _ = through({"kind": "mangle", "what": what, "value": 4, "spares": []}, [frame(payload, protocol)])
    packet = on[0][1][14:]
    changed = packet[20:]
    assert changed != payload
    pseudo = b"" if protocol == 1 else pseudo_header(packet[12:16], packet[16:20], protocol, len(changed))
    assert checksum(pseudo + changed) == 0


@pytest.mark.parametrize("protocol", [6, 33, 136, 253])
def test_bare_bytes_lose_nothing_but_the_last_one(protocol):
    on, _ = through({"kind": "mangle", "what": "byte", "spares": []}, [frame(HDP, protocol)])
    assert on[0][1][14 + 20 :] == HDP[:-1] + bytes([HDP[-1] ^ 0xFF])


def test_dscp_is_cleared_and_ecn_left_and_a_ttl_only_raised():
    on, _ = through({"kind": "mangle", "what": "dscp", "spares": []}, [frame(tos=0xBB)])
    assert on[0][1][15] == 0x03
    for ttl, expected in ((3, 200), (250, 250)):
        on, _ = through({"kind": "mangle", "what": "ttl", "value": 200, "spares": []}, [frame(ttl=ttl)])
        assert on[0][1][14 + 8] == expected


def test_a_black_hole_counts_the_ip_header_and_nothing_else():
    frames = [frame(bytes(size)) for size in (79, 80, 81)]
    on, past = through({"kind": "blackhole", "above": 100}, frames)
    assert [each[1] for each in on] == frames[:2]
    assert not past


@pytest.mark.parametrize(("side", "source"), [(0, "203.0.113.6"), (1, "192.0.2.1")])
def test_a_refusal_goes_back_with_the_whole_quote_from_beyond_the_wire(side, source):
    frames = [frame(), frame(protocol=17)]
    on, past = through({"kind": "refuse", "passes": [1, 6, 17], "code": 13}, frames, side=side)
    assert [each[1] for each in on] == frames[1:]
    ((back, error, _),) = past
    assert back == 1 - side
    assert error[:12] == frames[0][6:12] + frames[0][:6]
    packet = error[14:]
    assert header_is_right(packet)
    assert checksum(packet[20:]) == 0
    assert (socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])) == (source, "192.0.2.2")
    assert (packet[9], packet[20], packet[21], packet[28:]) == (1, 3, 13, frames[0][14:])


def test_a_forger_passes_everything_and_none_of_its_errors_quotes_a_whole_packet():
    frames = [frame(struct.pack("!I", number) + HDP) for number in range(400)]
    on, past = through({"kind": "forge", "errors": 0.5, "replays": 0.5}, frames)
    seen = [each[1] for each in on]
    assert list(dict.fromkeys(seen)) == frames
    assert 100 < len(seen) - len(frames) < 300
    quotes = [each[1][14 + 28 :] for each in past]
    assert 100 < len(quotes) < 300
    assert not {quote for quote in quotes if quote in {each[14:] for each in frames}}
    assert any(len(quote) == 28 for quote in quotes)
    assert any(len(quote) > 28 for quote in quotes)


def test_a_forger_sends_no_error_about_icmp():
    _, past = through({"kind": "forge", "errors": 1, "replays": 0}, [frame(protocol=1)])
    assert not past


EVERYTHING = [
    {"kind": "loss", "probability": 0.5},
    {"kind": "bursts", "probability": 0.5, "mean": 2},
    {"kind": "refuse", "passes": [], "code": 13},
    {"kind": "blackhole", "above": 10},
    {"kind": "delay", "ns": 1, "protocols": [1]},
    {"kind": "duplicate", "probability": 1},
    {"kind": "reorder", "probability": 1, "ns": 5},
    {"kind": "forge", "errors": 1, "replays": 1},
    *({"kind": "mangle", "what": what, "value": 4, "spares": []} for what in MANGLERS),
]


@given(
    st.binary(max_size=80)
    | st.binary(min_size=20, max_size=80).map(lambda data: ETHERNET + bytes([0x45]) + data)
    | st.binary(max_size=12).map(frame),
    st.integers(0, 20),
)
def test_no_frame_upsets_a_behaviour(data, seed):
    for behaviour in EVERYTHING:
        on, past = through(behaviour, [data], seed)
        if protocol_of(data) is None and behaviour["kind"] in {"mangle", "forge", "refuse"}:
            assert (on, past) == ([(0, data, 0)], [])


def test_options_are_header():
    with_options = frame(options=b"\x94\x04\x00\x00")
    on, _ = through({"kind": "mangle", "what": "truncate", "value": 1000, "spares": []}, [with_options])
    packet = on[0][1][14:]
    assert len(packet) == 24
    assert header_is_right(packet)
    assert icmp_error(with_options, bytes(4), 3, 1)[14 + 28 :] == with_options[14:]


def test_the_carriers_of_this_test_exist():
    assert {1, 6, 17, 33, 136} <= set(CARRIERS)
