"""`hdp listen`: show the HDP packets that arrive under a protocol number."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any

from pytest_hdp.cli_arguments import count, encoding, protocol, refused
from pytest_hdp.packet.encoding import Encoding

if TYPE_CHECKING:
    import argparse

    from pytest_hdp.vantage.station import Observation


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `listen` to the subparsers of `hdp`."""
    listen = subparsers.add_parser("listen", help="show the HDP packets that arrive under a protocol number")
    listen.add_argument("--count", type=count, default=0, metavar="N", help="end after N packets")
    listen.add_argument("--address", default="", help="only what is sent to this address of this host")
    listen.add_argument(
        "--protocol", type=protocol, default=253, metavar="NUMBER|NAME", help="default 253, experimental"
    )
    listen.add_argument("--encoding", type=encoding, default=Encoding.PLAIN, metavar="NAME", help=", ".join(Encoding))
    listen.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status."""
    from pytest_hdp.vantage import bpf
    from pytest_hdp.vantage.station import Station

    with Station() as station:
        try:
            station.listen(socket.AF_INET, options.protocol, bpf.accept_all(), address=options.address)
        except OSError as error:
            return refused(error, options.protocol)
        print(f"listening for HDP under IP protocol {options.protocol}; Ctrl-C ends", file=sys.stderr)
        shown = 0
        while not options.count or shown < options.count:
            for observation in station.poll(1.0):
                print(_described(observation, options.encoding), flush=True)
                shown += 1
                if shown == options.count:
                    break
    return 0


def _described(observation: Observation, encoding: Encoding) -> str:
    from pytest_hdp.packet import hdp
    from pytest_hdp.packet.encoding import decode
    from pytest_hdp.packet.ip import parse_ipv4
    from pytest_hdp.report.safe import safe

    packet = parse_ipv4(observation[3])
    if packet is None:
        return f"{len(observation[3])} bytes that are no IPv4 packet"
    lines = [
        f"{packet.source} > {packet.destination}  protocol {packet.protocol}  ttl {packet.ttl}  "
        f"id {packet.identification}  dscp {packet.dscp}  length {packet.total_length}"
    ]
    parsed = hdp.parse(packet.payload)
    if parsed is None:
        return f"{lines[0]}\n  no HDP header: {len(packet.payload)} bytes"
    header, content = parsed
    delay = (observation[1] - header.timestamp) / 1000
    when = f"{delay:.0f} us ago" if 0 <= delay < 60e6 else "by another clock"
    lines.append(f"  HDP {header.source_port} > {header.destination_port}  sent at {header.timestamp} ns ({when})")
    decoded = decode(content, encoding)
    if decoded is None:
        lines.append(f"  {len(content)} bytes that are not {encoding}")
    else:
        text = decoded.decode("utf-8", "backslashreplace")
        lines += [f"  | {safe(line, limit=100_000)}" for line in text.splitlines()]
    return "\n".join(lines)
