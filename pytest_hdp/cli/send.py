"""`hdp send`: send standard input as HDP, under one protocol number or several, and say what became of it here."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_hdp.cli import arguments
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.family import IPV4, family_of
from pytest_hdp.packet.hdp import DEFAULT_PORT, HEADER_SIZE, Header

if TYPE_CHECKING:
    import argparse

    from pytest_hdp.vantage.station import Station

GAP = 0.001  # seconds between two packets
MOST_CONTENT = 65535 - 20 - HEADER_SIZE
_EXAMPLES = """examples:
  fortune | cowsay | hdp send 127.0.0.1
  echo moo | hdp send 127.0.0.1 --protocol 47,50-51
  echo moo | hdp send 127.0.0.1 --all
  echo moo | hdp send 127.0.0.1 --udp --port 4200"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `send` to the subparsers of `hdp`."""
    import argparse

    parser = subparsers.add_parser(
        "send",
        help="send standard input as HDP",
        description="Send standard input as the data of an HDP packet, and say for each number whether it left.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("address", type=arguments.any_address, metavar="ADDR", help="where to: a numeric address")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--protocol",
        type=arguments.protocols,
        default=(arguments.DEFAULT_PROTOCOL,),
        metavar="PROTOCOLS",
        help="numbers or names, as 255 or 47,50-51,sctp (default 255)",
    )
    which.add_argument("--all", action="store_true", help="one after another all numbers from 0 to 255")
    which.add_argument("--udp", action="store_true", help="the same bytes as a real UDP datagram; needs no privilege")
    parser.add_argument("--count", type=arguments.count, default=1, metavar="N", help="packets per number (default 1)")
    parser.add_argument(
        "--port", type=arguments.port, default=DEFAULT_PORT, metavar="N", help="destination (default 420)"
    )
    parser.add_argument("--source-port", type=arguments.port, default=DEFAULT_PORT, metavar="N", help="default 420")
    parser.add_argument(
        "--encoding", type=arguments.encoding, default=Encoding.PLAIN, metavar="NAME", help=", ".join(Encoding)
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status: 0 if all of it left."""
    from pytest_hdp.packet.encoding import encode
    from pytest_hdp.vantage.station import Station

    with Station() as station:
        try:
            _check_right(station, options)
        except PermissionError:
            return arguments.no_privilege()
        if sys.stdin.isatty():
            print("type the content, then Ctrl-D", file=sys.stderr)
        content = encode(sys.stdin.buffer.read(MOST_CONTENT + 1), options.encoding)
        if len(content) > MOST_CONTENT:
            told = f"a packet holds at most {MOST_CONTENT} bytes of HDP content, and this is more"
            return arguments.complain(told, arguments.USAGE_ERROR)
        if options.udp:
            return _send_datagrams(station, options, content)
        numbers = arguments.EVERY_NUMBER if options.all else options.protocol
        return max([_send_under(station, options, number, content) for number in numbers])


def _check_right(station: Station, options: argparse.Namespace) -> None:
    """Raises PermissionError before anything is read or sent."""
    if not options.udp:
        station.discard(station.sender(socket.AF_INET, arguments.DEFAULT_PROTOCOL))


def _packed(options: argparse.Namespace, content: bytes) -> bytes:
    return Header(options.source_port, options.port, time.time_ns()).pack() + content


def _send_under(station: Station, options: argparse.Namespace, number: int, content: bytes) -> int:
    """Send all copies under one number, and say what became of them."""
    from pytest_hdp.packet.registry import slug

    subject = f"{number} ({slug(number)})"
    try:
        handle = _sender(station, options.address, number)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        return _print_and_return(f"{subject}: refused at socket: {name} ({error.strerror})", 1)
    try:
        onto = f" (the field has 8 bits: as {number & 255})" if number > 255 else ""
        return _send_all(station, handle, options, subject, content, onto)
    finally:
        station.discard(handle)


def _sender(station: Station, address: str, number: int) -> int:
    """Open what sends this number. To another host 0 leaves in a header of our own, where no raw socket is."""
    if number == 0 and family_of(address) is IPV4:
        with suppress(OSError):
            if station.route(address)[1] != "lo":
                return station.sender_of_zero()
    return station.sender(family_of(address).socket_family, number)


def _send_datagrams(station: Station, options: argparse.Namespace, content: bytes) -> int:
    handle, port = station.datagram(family_of(options.address).anywhere)
    return _send_all(station, handle, options, f"17 (udp, a datagram from port {port} to {options.port})", content)


def _send_all(
    station: Station, handle: int, options: argparse.Namespace, subject: str, content: bytes, onto: str = ""
) -> int:
    sent = size = 0
    for _ in range(options.count):
        packed = _packed(options, content)
        refused = station.send(handle, packed, options.address, options.port if options.udp else 0)
        if refused is not None:
            before = f", after {sent} sent" if sent else ""
            return _print_and_return(f"{subject}: refused at send: {_explained(refused)}{before}", 1)
        sent, size = sent + 1, len(packed)
        time.sleep(GAP)
    return _print_and_return(f"{subject}: {sent} sent{onto}, {size} bytes of HDP{' each' if sent > 1 else ''}", 0)


def _explained(name: str) -> str:
    number = getattr(errno, name, None)
    words = (
        "a local firewall rule or IPsec policy does that" if name == "EPERM" else os.strerror(number) if number else ""
    )
    return f"{name} ({words})" if words else name


def _print_and_return(line: str, status: int) -> int:
    print(line, flush=True)
    return status
