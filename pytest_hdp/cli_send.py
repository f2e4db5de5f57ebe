"""`hdp send`: send standard input as HDP."""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from pytest_hdp.cli_arguments import address, encoding, protocol, refused
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.hdp import DEFAULT_PORT, Header

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `send` to the subparsers of `hdp`."""
    send = subparsers.add_parser("send", help="send standard input as one HDP packet")
    send.add_argument("address", type=address, metavar="ADDR", help="where to")
    send.add_argument("--protocol", type=protocol, default=253, metavar="NUMBER|NAME", help="default 253, experimental")
    send.add_argument("--encoding", type=encoding, default=Encoding.PLAIN, metavar="NAME", help=", ".join(Encoding))
    send.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status."""
    from pytest_hdp.packet.encoding import encode
    from pytest_hdp.vantage.station import Station

    if sys.stdin.isatty():
        print("type the content, then Ctrl-D", file=sys.stderr)
    content = encode(sys.stdin.buffer.read(), options.encoding)
    with Station() as station:
        try:
            handle = station.sender(socket.AF_INET, options.protocol)
        except OSError as error:
            return refused(error, options.protocol)
        packed = Header(DEFAULT_PORT, DEFAULT_PORT, time.time_ns()).pack() + content
        errno = station.send(handle, packed, options.address)
    if errno is not None:
        hint = " (a local firewall rule does that)" if errno == "EPERM" else ""
        print(f"hdp: sendto() to {options.address} refused: {errno}{hint}", file=sys.stderr)
        return 1
    print(f"{len(packed)} bytes to {options.address} under IP protocol {options.protocol}", file=sys.stderr)
    return 0
