"""The `hdp` command: listen and send by hand. Each subcommand imports what it needs when it runs."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_hdp import __version__
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.hdp import DEFAULT_PORT, Header

if TYPE_CHECKING:
    from pytest_hdp.vantage.station import Observation

USAGE_ERROR = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 not, 4 bad input, 130 interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="hdp", description="HDP, a transport protocol that nobody has heard of, by hand.")
    parser.add_argument("--version", action="version", version=f"pytest-hdp {__version__}")
    from pytest_hdp.lab import command as lab
    from pytest_hdp.report import command as report

    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listen = commands.add_parser("listen", help="show the HDP packets that arrive under a protocol number")
    listen.add_argument("--count", type=_count, default=0, metavar="N", help="end after N packets")
    listen.add_argument("--address", default="", help="only what is sent to this address of this host")
    listen.set_defaults(run=_listen)
    send = commands.add_parser("send", help="send standard input as one HDP packet")
    send.add_argument("address", type=_address, metavar="ADDR", help="where to")
    send.set_defaults(run=_send)
    lab.add_parser(commands)
    report.add_parser(commands)
    for command in (listen, send):
        command.add_argument(
            "--protocol", type=_protocol, default=253, metavar="NUMBER|NAME", help="default 253, experimental"
        )
        command.add_argument(
            "--encoding", type=_encoding, default=Encoding.PLAIN, metavar="NAME", help=", ".join(Encoding)
        )
    return parser


def _protocol(text: str) -> int:
    from pytest_hdp.packet.numbers import parse_protocols

    try:
        numbers = parse_protocols(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if len(numbers) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is {len(numbers)} numbers; give one")
    return numbers[0]


def _encoding(text: str) -> Encoding:
    if text not in set(Encoding):
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(Encoding)}")
    return Encoding(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number greater than 0")
    return int(text)


def _address(text: str) -> str:
    try:
        return socket.inet_ntoa(socket.inet_pton(socket.AF_INET, text))
    except OSError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv4 address such as 127.0.0.1") from None


def _listen(options: argparse.Namespace) -> int:
    from pytest_hdp.vantage import bpf
    from pytest_hdp.vantage.station import Station

    with Station() as station:
        try:
            station.listen(socket.AF_INET, options.protocol, bpf.accept_all(), address=options.address)
        except OSError as error:
            return _refused(error, options.protocol)
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


def _send(options: argparse.Namespace) -> int:
    from pytest_hdp.packet.encoding import encode
    from pytest_hdp.vantage.station import Station

    if sys.stdin.isatty():
        print("type the content, then Ctrl-D", file=sys.stderr)
    content = encode(sys.stdin.buffer.read(), options.encoding)
    with Station() as station:
        try:
            handle = station.sender(socket.AF_INET, options.protocol)
        except OSError as error:
            return _refused(error, options.protocol)
        packed = Header(DEFAULT_PORT, DEFAULT_PORT, time.time_ns()).pack() + content
        errno = station.send(handle, packed, options.address)
    if errno is not None:
        hint = " (a local firewall rule does that)" if errno == "EPERM" else ""
        print(f"hdp: sendto() to {options.address} refused: {errno}{hint}", file=sys.stderr)
        return 1
    print(f"{len(packed)} bytes to {options.address} under IP protocol {options.protocol}", file=sys.stderr)
    return 0


def _refused(error: OSError, protocol: int) -> int:
    if isinstance(error, PermissionError):
        print("hdp: raw sockets need root or CAP_NET_RAW: use sudo", file=sys.stderr)
        return USAGE_ERROR
    print(f"hdp: socket() refused protocol {protocol}: {error.strerror}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
