"""What an agent says, read as what it should be: an errno, a port, a route, an observation. What is not is refused."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.packet.view import view
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.vantage.sockets import Program

_LARGEST = 1 << 16
_LATEST = 1 << 63  # ns: what a time is below
_LONGEST_TEXT = 400  # characters
_LONGEST_NAME = 64  # characters of an address or of an interface's name
NO_SENSE = (TypeError, ValueError, KeyError, IndexError, OverflowError)  # raised where what was said is no such thing

Parsed = TypeVar("Parsed")


def filter_bytes(program: Program) -> bytes:
    """A filter as bytes, in this machine's byte order."""
    return program if isinstance(program, bytes) else b"".join(struct.pack("=HBBI", *each) for each in program)


def is_observation(observation: tuple[Any, ...], *, payload_only: bool) -> bool:
    """Whether an observation is one: what is not holds no packet of ours. `payload_only`: without an IP header."""
    handle, when, kind, data, address, interface = observation
    if not (isinstance(data, bytes) and isinstance(address, str) and isinstance(interface, str)):
        return False
    if len(address) > _LONGEST_NAME or len(interface) > _LONGEST_NAME:
        return False
    if not (type(handle) is type(when) is type(kind) is int and len(data) <= _LARGEST and 0 <= when < _LATEST):
        return False
    return payload_only or _is_packet(data)


def _is_packet(data: bytes) -> bool:
    """Whether something follows a whole IP header."""
    if data[:1] >= b"\x60":
        return len(data) > IPV6.header_size and view(data) is not None
    return len(data) >= IPV4.header_size and IPV4.header_size <= (data[0] & 15) * 4 < len(data)


def parse_text(value: object) -> str:
    """A text of the far end's, for a terminal."""
    return plain(str(value)[:_LONGEST_TEXT])


def parse_answer(number: object, value: object) -> tuple[int, Any]:
    """An errno, or 0, and a text for it, or any value. Raises ValueError."""
    refused = parse_errno(number)
    return refused, parse_text(value) if refused else value


def parse_errno(value: object) -> int:
    """An errno, or 0. Raises ValueError."""
    return _whole(value, 4095)  # the kernel's MAX_ERRNO


def parse_errnos(value: Sequence[object], count: int) -> list[int]:
    """So many of them. Raises TypeError, ValueError."""
    if len(value) != count:
        raise ValueError(count)
    return list(map(parse_errno, value))


def parse_drops(value: Iterable[tuple[object, object]], handles: Container[int]) -> dict[int, int]:
    """How many packets these sockets have dropped. Raises TypeError, ValueError; KeyError for one that is not ours."""
    drops = {_whole(handle, _LATEST): _whole(count, _LATEST) for handle, count in value}
    if strange := [handle for handle in drops if handle not in handles]:
        raise KeyError(strange[0])
    return drops


def parse_port(value: object) -> int:
    """A port, or 0 where there is none. Raises ValueError."""
    return _whole(value, 65535)


def parse_route(value: Iterable[object]) -> tuple[str, str, int]:
    """What `Station.route` returns. Raises TypeError, ValueError."""
    address, interface, mtu = value
    source = str(ip_address(str(address)))  # with a zone, of which that says nothing
    if len(source) > _LONGEST_NAME or plain(source) != source:
        raise ValueError(source[:_LONGEST_NAME])
    return source, parse_text(interface), _whole(mtu, 1 << 31)


def _whole(value: object, most: int) -> int:
    """A whole number up to `most`. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(value)
    return value
