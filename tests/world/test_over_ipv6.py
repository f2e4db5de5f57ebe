"""Worlds of IPv6: packets and errors are what IPv6's are, and what is wrong over IPv6 alone is found."""

from __future__ import annotations

import pytest
from sim.finding import measured, told
from sim.packet import Packet, error_about

from pytest_hdp.packet import icmp
from pytest_hdp.packet.view import view

NEAR, FAR, ROUTER = "2001:db8:a::2", "2001:db8:b::2", "2001:db8:c:1::1"
FEW = 40


def packet(number: int, payload: bytes = bytes(40), *, valid: bool = False) -> Packet:
    made = Packet(NEAR, FAR, number, payload)
    made.valid = valid
    return made


@pytest.mark.parametrize(
    ("about", "said", "kind", "rest"),
    [
        (packet(253), (3, 2), (4, 1), 6),
        (packet(43), (3, 2), (4, 1), 6),
        (packet(43, valid=True), (3, 2), (4, 1), 40),
        (packet(17), (3, 3), (1, 4), 0),
        (packet(47), (3, 13), (1, 1), 0),
        (packet(47), (11, 0), (3, 0), 0),
    ],
)
def test_errors_are_those_of_ipv6(about: Packet, said: tuple[int, int], kind: tuple[int, int], rest: int) -> None:
    seen = view(error_about(about, ROUTER, *said).data)
    error = icmp.error_in(seen)
    assert seen is not None
    assert error is not None
    assert (seen.source, seen.destination, seen.protocol) == (ROUTER, NEAR, 58)
    assert (error.type, error.code, error.rest) == (*kind, rest)
    assert error.quote == about.data


def test_an_error_is_no_longer_than_1280_bytes() -> None:
    assert len(error_about(packet(253, bytes(2000)), ROUTER, 3, 2).data) == 1280


def test_bare_58_reads_as_an_error_and_an_echo_request_does_not() -> None:
    assert packet(58, b"\x01\xa4" + bytes(38)).is_error
    assert not packet(58, b"\x80" + bytes(39)).is_error


@pytest.mark.night(but=["jitter"])
@pytest.mark.parametrize("beside", ["loss-independent", "jitter", "agent-far-away"])
def test_worlds_of_ipv6(beside: str) -> None:
    families = ["over-ipv6", beside]
    wrong = [told(each, families) for seed in range(10) if (each := measured(seed, families)[1]).found]
    assert not wrong, "\n".join(wrong)


def test_an_engine_that_takes_4_1_for_a_bad_header_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(icmp.V6, (4, 1), ("unrecognized Next Header", icmp.Meaning.BAD_HEADER))
    assert any(measured(seed, ["over-ipv6"])[1].found for seed in range(FEW))
