from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.vantage.remote.agent import parts
from pytest_hdp.vantage.remote.decoding import DEEPEST, MOST_BYTES, MOST_VALUES, VALUE_COST, Nonsense, decode

SMALL = st.none() | st.booleans() | st.integers(-(2**31), 2**63) | st.text() | st.binary()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(SMALL | NUMBERS, lambda inner: st.lists(inner) | st.tuples(inner, inner), max_leaves=12)
OPCODES = b"@ABCDEFGHIJKLMNOPQRST\0\x01\x7f\xff"


def dumped(value: object) -> bytes:
    from execnet.gateway_base import dumps_internal

    return dumps_internal(value)


def depth(value: object) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, list | tuple) else 0


@given(VALUES)
def test_what_execnet_writes_is_read_back(value):
    if depth(value) <= DEEPEST:
        assert decode(dumped(value))[0] == value
    else:
        with pytest.raises(Nonsense):
            decode(dumped(value))


@given(st.binary(max_size=200) | st.lists(st.sampled_from(OPCODES), max_size=60).map(bytes))
def test_any_bytes_are_a_value_or_nonsense(data):
    with suppress(Nonsense):
        decode(data)


@given(VALUES, st.data())
def test_so_is_any_damage(value, data):
    whole = bytearray(dumped(value))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Nonsense):
        decode(bytes(whole))


@pytest.mark.parametrize(
    "data",
    [
        b"K\x7f\xff\xff\xffQ",
        b"K\xff\xff\xff\xffQ",
        b"L@\x7f\xff\xff\xffQ",
        b"L@\xff\xff\xff\xffQ",
        b"A\x7f\xff\xff\xffQ",
        b"A\xff\xff\xff\xffQ",
        b"H\0\0\0\x1e" + b"9" * 30 + b"Q",
        b"H\0\0\0\x01-Q",
        b"D\x7f\xf8" + bytes(6) + b"Q",
        b"K\0\0\0\x01F\0\0\0\x02LPQ",
        b"K\0\0\0\x01F\xff\xff\xff\xffLPQ",
        b"JQ",
        b"B\0\0\0\x01Q",
        b"LLQ",
        b"LQL",
        b"Q",
        b"",
        b"N\0\0\0\x01\xffQ",
        b"L" * (MOST_VALUES + 1) + b"Q",
        (b"K" + (MOST_VALUES // 3).to_bytes(4, "big")) * 4 + b"Q",
        bytes(MOST_BYTES + 1),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_no_agent_sends(data):
    with pytest.raises(Nonsense):
        decode(data)


def test_the_cost_of_packets_is_no_less_than_they_take():
    seen = [(each, 10**18 + each, 4, bytes(range(60)) + each.to_bytes(2, "big"), "", "eth0") for each in range(500)]
    value, cost = decode(dumped([("seen", seen)]))
    assert value == [("seen", seen)]
    observations = value[0][1]
    takes = sum(sys.getsizeof(each) + sum(map(sys.getsizeof, each)) for each in observations) + sys.getsizeof(
        observations
    )
    assert takes < cost < 5 * takes
    assert cost > 500 * 7 * VALUE_COST


@pytest.mark.parametrize("size", [20, 1500, 65535])
def test_an_agent_sends_what_a_controller_takes(size):
    seen = [(1, 10**18 + each, 4, bytes(size), "192.0.2.1", "a" * 15) for each in range(4096)]
    found = list(parts(seen))
    assert [each for part in found for each in part] == seen
    for part in found:
        decode(dumped([("seen", part)]))
