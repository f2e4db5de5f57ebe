"""`hdp listen`: show every packet that arrives under one protocol number or several, whoever sent it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.cli import arguments
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.family import FAMILIES, family_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from pytest_hdp.packet.family import Family
    from pytest_hdp.report.heard import Heard
    from pytest_hdp.vantage.receiving import Observation
    from pytest_hdp.vantage.station import Station

BUFFER = 4 << 20
_NOT_THE_NUMBERS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENODEV)
OTHER_FILES = 30  # that a process has open besides
_EXAMPLES = """examples:
  hdp listen 255
  hdp listen 47,50-51,sctp --count 10 --json
  hdp listen --all --table --write everything.pcapng
  hdp listen 253 --address 2001:db8::1

It hears IPv4 and IPv6; --address 0.0.0.0 is all of IPv4, --address :: all of IPv6.

A number that the kernel uses itself (TCP's, UDP's) shows its traffic too, over SSH also that of this terminal.
Ctrl-C ends."""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `listen` to the subparsers of `hdp`."""
    import argparse

    parser = subparsers.add_parser(
        "listen",
        help="show the packets that arrive under a protocol number",
        description="Show IP header, HDP header and data of each packet that arrives under these protocol numbers.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    numbers = {"type": arguments.borne, "metavar": "PROTOCOLS"}
    which.add_argument(
        "protocols", nargs="?", help="numbers or names, as 255 or 47,50-51,sctp (default 255)", **numbers
    )
    which.add_argument("--protocol", dest="named", help="same as the positional argument", **numbers)
    which.add_argument("--all", action="store_true", help="every number that the kernel gives a raw socket for")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--table", action="store_true", help="rows of a Markdown table")
    form.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--count", type=arguments.count, default=0, metavar="N", help="end after N packets")
    parser.add_argument(
        "--address", type=arguments.own_address, metavar="ADDR", help="only what is sent to this address"
    )
    parser.add_argument(
        "--encoding", type=arguments.encoding, default=Encoding.PLAIN, metavar="NAME", help=", ".join(Encoding)
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="keep what is shown as a pcapng file too")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status."""
    from pytest_hdp.vantage.kernel import lacking

    if lack := lacking(taps=False):
        return arguments.complain(f"this kernel lacks {lack}", arguments.USAGE_ERROR)
    few = _too_few_files(len(_numbers(options)) * len(_families(options)))
    return arguments.complain(few, arguments.USAGE_ERROR) if few else _listen(options)


def _listen(options: argparse.Namespace) -> int:
    from pytest_hdp.vantage.station import Station

    with Station() as station, contextlib.ExitStack() as stack:
        try:
            listening = _open(station, options)
        except OSError as error:
            return _refused(options, error)
        if not listening:
            return 1
        try:
            keep = stack.enter_context(writer(options)) if options.write is not None else _keep_nothing
        except FileExistsError:
            return arguments.complain(
                f"{options.write} exists already: give --write another name", arguments.USAGE_ERROR
            )
        except (OSError, ValueError) as error:
            told = f"{options.write} can't be written: {getattr(error, 'strerror', None) or error}"
            return arguments.complain(told, arguments.USAGE_ERROR)
        return _show(station, options, keep, listening)


def _refused(options: argparse.Namespace, error: OSError) -> int:
    if isinstance(error, PermissionError):
        return arguments.no_privilege()
    told = f"{options.address} is no address of this host: leave --address out to hear what is sent to any"
    if error.errno == errno.EAFNOSUPPORT:
        told = "this kernel has no IPv6 (EAFNOSUPPORT)"
    return arguments.complain(told, arguments.USAGE_ERROR)


def _numbers(options: argparse.Namespace) -> tuple[int, ...]:
    if options.all:
        return arguments.EVERY_NUMBER
    found: tuple[int, ...] = options.protocols or options.named or (arguments.DEFAULT_PROTOCOL,)
    return found


def _families(options: argparse.Namespace) -> tuple[Family, ...]:
    """Both versions of IP, or that of the address."""
    return (family_of(options.address),) if options.address else FAMILIES


def _too_few_files(sockets: int) -> str:
    """What to do if so many sockets may not be open at a time; else nothing."""
    import resource

    needed = OTHER_FILES + sockets
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed <= most:
        return ""
    return (
        f"to listen by {sockets} sockets takes about {needed} open files, and this process may open {most}: "
        f"allow more (ulimit -n {needed}), or name fewer numbers"
    )


def _open(station: Station, options: argparse.Namespace) -> list[int]:
    """Open a listener for each number, telling of those that the kernel refuses. Raises OSError if it is the right."""
    from pytest_hdp.packet.registry import slug
    from pytest_hdp.vantage import bpf

    listening: dict[int, None] = {}
    refused: dict[int, str | None] = {}
    for family, number in itertools.product(_families(options), _numbers(options)):
        address = "" if options.address == family.anywhere else options.address or ""
        try:
            station.listen(family.socket_family, number, bpf.accept_all(), buffer=BUFFER, address=address)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT and not options.address:
                continue  # a kernel without IPv6: what comes by IPv4 is all that comes
            if isinstance(error, PermissionError) or error.errno in _NOT_THE_NUMBERS:
                raise
            refused[number] = error.strerror
        else:
            listening[number] = None
    for number in refused.keys() - listening.keys():
        arguments.complain(f"socket() refused {number} ({slug(number)}): {refused[number]}", 1)
    return list(listening)


def _show(station: Station, options: argparse.Namespace, keep: Callable[[Heard], None], listening: list[int]) -> int:
    """Print each packet as it comes, until there were enough or Ctrl-C."""
    from pytest_hdp.packet.numbers import format_protocols
    from pytest_hdp.report import heard

    render: Callable[[Heard], Iterable[str]] = heard.as_lines
    if options.json:
        render = _single(heard.as_json)
    elif options.table:
        render = _single(heard.as_row)
    shown = 0
    ended = False
    numbers = format_protocols(listening)
    with contextlib.suppress(KeyboardInterrupt):
        print(f"listening under IP protocol {numbers}; Ctrl-C ends", file=sys.stderr, flush=True)
        if options.table:
            _print(heard.table_heads())
        while not ended:
            for _, when, _, data, _, _ in _in_order(station.poll(1.0)):
                packet = heard.hear(when, data, options.encoding)
                keep(packet)
                _print(render(packet))
                shown += 1
                ended = shown == options.count
                if ended:
                    break
    dropped = sum(station.drops().values())
    lost = f", {dropped} more came too fast and are lost" if dropped else ""
    print(f"{shown} packet{'' if shown == 1 else 's'}{lost}", file=sys.stderr)
    return 0


def _in_order(observations: list[Observation]) -> list[Observation]:
    return sorted(observations, key=lambda seen: seen[1])


def _single(render: Callable[[Heard], str]) -> Callable[[Heard], list[str]]:
    return lambda packet: [render(packet)]


def _print(lines: Iterable[str]) -> None:
    """Print in one write, so that whoever reads gets packets whole; a terminal without UTF-8 gets escapes."""
    text = "".join(f"{line}\n" for line in lines)
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _keep_nothing(_: Heard) -> None:
    pass


@contextlib.contextmanager
def writer(options: argparse.Namespace) -> Iterator[Callable[[Heard], None]]:
    """Open a new pcapng file; each packet is handed to the kernel at once, so that a `kill -9` loses none.

    Raises FileExistsError, OSError.
    """
    import platform
    import shlex

    from pytest_hdp import __version__
    from pytest_hdp.packet import pcapng
    from pytest_hdp.report.capture import MARK
    from pytest_hdp.report.files import create
    from pytest_hdp.untrusted.text import safe

    command = safe(shlex.join(["hdp", *sys.argv[1:]]))
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    descriptor = create(options.write)

    def write(block: bytes) -> None:
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            sys.exit(arguments.complain(f"{options.write} is not complete: {error.strerror}", 1))

    def keep(packet: Heard) -> None:
        number = packet.protocol if packet.ip is not None else "unknown"
        form = "" if options.all or packet.udp is not None else ", bare"  # which hdp.lua then shows as HDP
        comment = f"{MARK}: heard by hdp listen, protocol {number}{form}"
        write(pcapng.packet(0, packet.time, packet.data, outgoing=False, comment=comment))

    try:
        write(pcapng.section(application=f"{MARK} {__version__}", system=system, comment=command))
        write(pcapng.interface("hdp listen", "raw sockets: what the kernel delivers"))
        yield keep
    finally:
        os.close(descriptor)
