"""The `hdp` command: each subcommand is a module of its own, and imports what it needs when it runs."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from pytest_hdp import __version__

COMMANDS = (
    "pytest_hdp.cli.listen",
    "pytest_hdp.cli.send",
    "pytest_hdp.cli.wireshark",
    "pytest_hdp.cli.lab",
    "pytest_hdp.cli.report",
    "pytest_hdp.cli.compare",
)
"""Modules with `add_parser(subparsers)`, which adds a subcommand and sets its `run(options) -> exit status`."""

USAGE_ERROR = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 done, 1 not, 4 bad input, 130 interrupted.

    Without a subcommand it prints its help, and says by its status that nothing was done.
    """
    try:
        parser = _parser()
        options = parser.parse_args(arguments)
        if not hasattr(options, "run"):
            parser.print_help(sys.stderr)
            return USAGE_ERROR
        status: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    finally:
        if "SUDO_UID" in os.environ:
            from pytest_hdp.report.caches import give_back_caches

            give_back_caches()
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="hdp", description="HDP, a transport protocol that nobody has heard of, by hand.")
    parser.add_argument("--version", action="version", version=f"pytest-hdp {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(name).add_parser(commands)
    return parser
