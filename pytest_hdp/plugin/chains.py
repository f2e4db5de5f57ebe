"""The experiment of extension headers: which of all chains an option chooses, and where the experiment takes part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hdp.packet.chain import CHAINS, LENGTHS

if TYPE_CHECKING:
    import pytest

    from pytest_hdp.packet.chain import Chain

HEADERS = "headers"
"""The marker's variant of tests that belong to it."""
NOT_ASKED = "extension headers are an experiment of their own: give --hdp-extension-headers=all"
NO_IPV6 = "extension headers are IPv6's: give --hdp-ip-version=6, or a target with an IPv6 address"
UNSTATED = "no lab that is named states what it does to chains of extension headers: transparent does, and hbh-drop"
UNSTATED_HERE = "this lab states nothing of chains of extension headers: transparent does, and hbh-drop"
BY_IPV4 = "extension headers are IPv6's, and this target is named by an IPv4 address"
_KINDS = ("hbh", "dst", "rt", "frag")


def parse_chains(text: str) -> tuple[str, ...]:
    """Return the names of chains that a list names, in their order. Raises ValueError, one line."""
    wanted: set[str] = set()
    for word in (each.strip() for each in text.split(",")):
        found = {name for name in CHAINS if word in {"all", name} or (word in _KINDS and _is_alone(name, word))}
        if not found:
            known = f"all, {', '.join(_KINDS)}, one with its bytes (dst64, of {', '.join(map(str, LENGTHS))})"
            together = ", ".join(name for name in CHAINS if "-" in name)
            raise ValueError(f"{word!r} is no kind of extension header: use {known}, or {together}")
        wanted |= found
    return tuple(name for name in CHAINS if name in wanted)


def _is_alone(name: str, kind: str) -> bool:
    return name.startswith(kind) and "-" not in name


def asked_chains(chosen: tuple[str, ...] | None) -> tuple[Chain, ...]:
    """Return the chains to ask: those that the option has chosen, else all."""
    return tuple(CHAINS[name] for name in chosen or CHAINS)


def takes_part(config: pytest.Config, chosen: tuple[str, ...] | None, module: Path) -> bool:
    """Whether the experiment is asked for: by its option, or since its own file is named on the command line.

    In a run of all suites it would ask 64 more questions of each path, each way.
    """
    if chosen is not None:
        return True
    named = (argument.partition("::")[0].removesuffix(".py") for argument in config.args)
    return any(each.replace(".", "/").rpartition("/")[2] == module.stem for each in named)
