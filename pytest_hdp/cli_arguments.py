"""What subcommands of `hdp` share: types of arguments, each refusing with one line, and how a refusal is told."""

from __future__ import annotations

import argparse
import socket
import sys

from pytest_hdp.packet.encoding import Encoding

USAGE_ERROR = 4


def protocol(text: str) -> int:
    """One number, by number or name."""
    from pytest_hdp.packet.numbers import parse_protocols

    try:
        numbers = parse_protocols(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if len(numbers) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is {len(numbers)} numbers; give one")
    return numbers[0]


def encoding(text: str) -> Encoding:
    """An encoding by its name."""
    if text not in set(Encoding):
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(Encoding)}")
    return Encoding(text)


def count(text: str) -> int:
    """A whole number greater than 0."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number greater than 0")
    return int(text)


def address(text: str) -> str:
    """A numeric IPv4 address."""
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, text))
    except OSError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv4 address such as 127.0.0.1") from None


def refused(error: OSError, protocol: int) -> int:
    """Say why no socket was to be had, and return the exit status."""
    if isinstance(error, PermissionError):
        print("hdp: raw sockets need root or CAP_NET_RAW: use sudo", file=sys.stderr)
        return USAGE_ERROR
    print(f"hdp: socket() refused protocol {protocol}: {error.strerror}", file=sys.stderr)
    return 1
