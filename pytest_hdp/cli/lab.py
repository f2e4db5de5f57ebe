"""`hdp lab list`, `hdp lab show NAME`, `hdp lab run NAME -- COMMAND`."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Form
from pytest_hdp.lab.boxes import Traffic, Where
from pytest_hdp.lab.versions import VERSIONS
from pytest_hdp.packet.numbers import format_protocols

if TYPE_CHECKING:
    import argparse

    from pytest_hdp.lab.boxes import Box
    from pytest_hdp.lab.layout import Layout
    from pytest_hdp.lab.topology import LabSpec
    from pytest_hdp.lab.truth import Truth

_UNAVAILABLE = 3
_USAGE = 4
_NOT_FOUND = 127
_SIGNALLED = 128
_EXAMPLES = """examples:
  hdp lab run home-nat -- sh -c 'ping -c 3 $HDP_TARGET'
  hdp lab run allowlist -- nmap -sO -n -Pn 198.51.100.2
  hdp lab run ./my-lab.toml -- bash
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `lab` to the subparsers of `hdp`; the parsed arguments are for `main`."""
    import argparse

    parser = subparsers.add_parser(
        "lab",
        help="emulated paths: list them, draw one, run a command in one",
        description="Emulated paths with middleboxes whose behaviour is known, in network namespaces; no root needed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="lab_action", metavar="{list,show,run}")
    parser.set_defaults(show_help=parser.print_help)
    actions.add_parser("list", help="every lab in a line, with its truth")
    name = "a name of `hdp lab list`, several joined by +, a TOML file, or module:Class"
    show = actions.add_parser("show", help="draw the path of a lab, and say what becomes of which number")
    show.add_argument("lab_name", metavar="NAME", help=name)
    usage = "hdp lab run [--at NODE] [--seed N] NAME -- COMMAND ..."
    run = actions.add_parser("run", help="run a command at the client's end", usage=usage)
    # What stands behind the name argparse gives to the command, options of ours too: these are read once more.
    behind = type(run)(prog=run.prog, usage=usage, add_help=False)
    for each in (run, behind):
        each.add_argument("--at", default="client", metavar="NODE", help="client (default), target, second, router1...")
        each.add_argument("--seed", type=int, default=0, metavar="N", help="seed for the boxes' randomness (default 0)")
    run.add_argument("lab_name", metavar="NAME", help=name)
    for each in (run, behind):
        each.add_argument("lab_command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    run.set_defaults(behind_name=behind)
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Do what was asked. Returns the exit status: the command's own, 3 if the lab can't be had, 4 for bad input."""
    from pytest_hdp.lab.requirements import LabUnavailable

    if args.lab_action is None:
        args.show_help(sys.stderr)
        return _USAGE
    try:
        if args.lab_action == "list":
            return _print(_listing())
        return _with_lab(args)
    except ValueError as error:
        return _complain(str(error), _USAGE)
    except LabUnavailable as error:
        return _complain(str(error), _UNAVAILABLE)
    except BrokenPipeError:
        sys.stderr.close()  # `hdp lab list | head`: nobody reads on, and Python would complain at its end
        return 0


def _with_lab(args: argparse.Namespace) -> int:
    from pytest_hdp.lab.catalogue import make

    spec = make(args.lab_name)
    if args.lab_action == "show":
        return _print(_drawing(spec))
    if args.lab_command and args.lab_command[0].startswith("-") and args.lab_command[0] != "--":
        args.behind_name.parse_args(args.lab_command, namespace=args)
    command = args.lab_command[1:] if args.lab_command[:1] == ["--"] else args.lab_command
    if not command:
        raise ValueError("which command? hdp lab run NAME -- COMMAND ...")
    return _run(spec, args, command)


def _run(spec: LabSpec, args: argparse.Namespace, command: list[str]) -> int:
    from pytest_hdp.lab.topology import Lab

    nodes = [*spec.layout.nodes, *(["second"] if spec.layout.second_link else [])]
    if args.at not in nodes:
        raise ValueError(f"lab {spec.name} has no node {args.at!r}, but {', '.join(nodes)}")
    with Lab(spec, seed=args.seed) as lab:
        print(f"lab {spec.name}: {lab.client_address} -> {lab.target_address}", file=sys.stderr, flush=True)
        with _interrupts_left_to_the_command():
            try:
                status = lab.run(args.at, command)
            except FileNotFoundError:
                return _complain(f"no such program: {command[0]}", _NOT_FOUND)
    return status if status >= 0 else _SIGNALLED - status


@contextlib.contextmanager
def _interrupts_left_to_the_command() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal: what it means is for the command to say, as in a shell."""
    usual = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for each, handler in usual.items():
            signal.signal(each, handler)


def _listing() -> Iterator[str]:
    from pytest_hdp.lab.catalogue import LABS, SANDBOXES

    labs = {**LABS, **SANDBOXES}
    width = max(map(len, labs))
    for name, spec in labs.items():
        yield f"{name:<{width}}  {spec.description}"
        for line in _truths(spec):
            yield f"{'':<{width}}    {line}"


def _drawing(spec: LabSpec) -> Iterator[str]:
    """Lines: the nodes from the client to the target, with addresses, TTLs and boxes, then the truth."""
    layout = spec.layout
    yield f"{spec.name}: {spec.description}"
    yield ""
    yield from _end("client", layout.client_address, spec, Where.CLIENT)
    if layout.second_link:
        twin = ", the client's twin" if spec.has_twin else ""
        yield f"  second      {layout.second_link.left.address}, at the first router too{twin}"
    yield from (f"    > {_describe_box(box)}" for box in spec.boxes if box.where is Where.BESIDE)
    for number, link in enumerate(layout.links):
        yield "    |"
        for box in link.wires:
            yield f"    ~ {_describe_box(box)}"
            yield "    |"
        if number < len(layout.routers):
            box = layout.routers[number]
            outside = layout.links[number + 1].left.address
            yield f"  {link.right.node:<10}  {link.right.address} | {outside}   TTL {number + 1}"
            yield f"    # {_describe_box(box)}"
    yield from _end("target", layout.links[-1].right.address, spec, Where.TARGET)
    yield ""
    yield from _truths(spec)


def _end(node: str, address: str, spec: LabSpec, where: Where) -> Iterator[str]:
    yield f"  {node:<10}  {address}"
    for box in spec.boxes:
        if box.where is where:
            yield f"    # {_describe_box(box)}"


def _describe_box(box: Box) -> str:
    return box.description if box.description.startswith(f"{box.name}: ") else f"{box.name}: {box.description}"


def _truths(spec: LabSpec) -> Iterator[str]:
    """One line for each direction and form: the verdicts and the numbers that get them; equal ones together."""
    if spec.has_twin:
        yield from _truths_of_a_box(spec)
        return
    layout = spec.layout

    def of_all(way: tuple[Direction, Form]) -> str:
        groups = alike(range(256), lambda number: _describe_truth(layout.expected(number, *way, Traffic())))
        return "; ".join(f"{said} {format_protocols(numbers)}" for said, numbers in groups.items())

    for told, which in alike(product(Direction, BOTH_FORMS), of_all).items():
        yield f"{_either([f'{direction} {form}' for direction, form in which])}: {told}"


def _truths_of_a_box(spec: LabSpec) -> Iterator[str]:
    """One line for each version of IP: what gets out of which numbers; where forms differ, one for each."""
    from pytest_hdp.lab.sandboxes import contained, overlooked

    for version in VERSIONS:
        layout = spec.over(version).layout

        def of_all(form: Form, layout: Layout = layout) -> str:
            groups = alike(range(256), lambda number: contained(layout, Train(number, form=form)).read)
            return "; ".join(f"{word} {format_protocols(numbers)}" for word, numbers in groups.items())

        told = alike((*BOTH_FORMS, *sorted(overlooked(layout))), of_all)
        for said, forms in told.items():
            yield f"IPv{version}{''.join(f' {form}' for form in forms) if len(told) > 1 else ''}: {said}"


def _either(which: list[str]) -> str:
    if len(which) == len(Direction) * len(BOTH_FORMS):
        return "both ways"
    for direction in Direction:
        if which == [f"{direction} {form}" for form in BOTH_FORMS]:
            return str(direction)
    return ", ".join(which)


def _describe_truth(truth: Truth) -> str:
    more = [
        truth.errno or "",
        f"ICMP {truth.icmp[0]}/{truth.icmp[1]} from {truth.icmp_from}" if truth.icmp else "",
        truth.nat if truth.nat != "none" else "",
        f"{', '.join(truth.changed)} changed" if truth.changed else "",
        "with duplicates" if truth.duplicates else "",
        "out of order" if truth.reorders else "",
        f"{truth.delay_us:g} us later" if truth.delay_us else "",
        f"again after {truth.recovers_after:g} s" if truth.recovers_after else "",
        f"or {', '.join(sorted(truth.also))}" if truth.also else "",
    ]
    told = ", ".join(filter(None, more))
    return f"{truth.verdict} ({told})" if told else str(truth.verdict)


def _print(lines: Iterator[str]) -> int:
    for line in lines:
        print(line)
    sys.stdout.flush()
    return 0


def _complain(message: str, status: int) -> int:
    print(f"hdp: {message}", file=sys.stderr)
    return status
