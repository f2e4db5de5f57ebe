"""What subcommands of `hdp` share: types of arguments, each refusing with one line, and how a refusal is told."""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import sys

from pytest_hdp.packet.encoding import Encoding

USAGE_ERROR = 4
DEFAULT_PROTOCOL = 255
"""The article's number: assigned to nobody, and the kernel builds the IP header all the same."""

EVERY_NUMBER = tuple(range(256))


def protocols(text: str) -> tuple[int, ...]:
    """Numbers, ranges and names."""
    from pytest_hdp.packet.numbers import parse_protocols

    try:
        return parse_protocols(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def borne(text: str) -> tuple[int, ...]:
    """Numbers that a packet can carry: for 256 and up the kernel may open a socket, which then never hears anything."""
    numbers = protocols(text)
    for number in numbers:
        if number not in EVERY_NUMBER:
            raise argparse.ArgumentTypeError(f"{number} is not a protocol number (0-255): the field has 8 bits")
    return numbers


def encoding(text: str) -> Encoding:
    """An encoding by its name."""
    if text not in set(Encoding):
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(Encoding)}")
    return Encoding(text)


def count(text: str) -> int:
    """A whole number greater than 0."""
    if not (text.isascii() and text.isdecimal()) or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number greater than 0")
    return int(text)


def port(text: str) -> int:
    """A port, 0..65535."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def address(text: str) -> str:
    """A numeric IPv4 address."""
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv4 address such as 127.0.0.1") from None


def any_address(text: str) -> str:
    """A numeric address of either version of IP."""
    from pytest_hdp.vantage.names import addresses_of, numeric

    if ":" not in text and not addresses_of(text):
        return address(text)
    try:
        return numeric(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def own_address(text: str) -> str:
    """A numeric address of either version of IP to listen at, or that which stands for all of one."""
    return text if text == "::" else any_address(text)


def complain(message: str, status: int) -> int:
    """Say what is wrong in one line, and return the exit status."""
    print(f"hdp: {message}", file=sys.stderr)
    return status


def no_privilege() -> int:
    """Say how to get the right to raw sockets, and return the exit status."""
    again = shlex.join(["hdp", *sys.argv[1:]])
    if os.environ.get("VIRTUAL_ENV") or sys.prefix != sys.base_prefix:
        again = f'"$(command -v hdp)" {shlex.join(sys.argv[1:])}'  # sudo forgets a virtual environment's PATH
    return complain(f"raw sockets need root or CAP_NET_RAW: sudo {again}", USAGE_ERROR)
