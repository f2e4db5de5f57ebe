"""How any option names a vantage point: `ssh=user@host`, `docker=NAME`, `netns=NAME`, `popen`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.points import VantagePoint
    from pytest_hdp.vantage.remote.far_host import FarHost

FORMS = (
    "ssh=user@host, docker=NAME, podman=NAME, lxc=NAME, kubectl=POD, command=WORDS, netns=NAME, netns=pid:NUMBER, "
    "popen (this host)"
)
_HERE = ("netns", "popen")


@dataclass(frozen=True, slots=True)
class VantageSpec:
    """Where a vantage point is: `how` to reach it ("ssh", "docker", "netns", "popen" ...), and its name there."""

    how: str
    name: str = ""

    @property
    def is_far(self) -> bool:
        """Whether it takes an agent of its own, at the other end of a command's pipes."""
        return self.how not in _HERE


HERE = VantageSpec("popen")
"""This host."""


def parse_vantage(text: str) -> VantageSpec:
    """A vantage point. Raises ValueError, one line."""
    from pytest_hdp.vantage.remote import specs

    how, _, name = specs.plain(text).partition("=")
    if how in specs.PARSERS:
        specs.parse(how, name)
        return VantageSpec(how, name)
    if (how == "netns" and name) or text == "popen":
        return VantageSpec(how, name)
    raise ValueError(f"{text!r} is not one of {FORMS}")


def parse_vantages(text: str) -> tuple[VantageSpec, ...]:
    """Vantage points, one in each line. Raises ValueError."""
    named = text.splitlines() or [text]  # that names nobody is no reason to leave somebody out in silence
    return tuple(dict.fromkeys(parse_vantage(line.strip()) for line in named))


def vantage_point(
    spec: VantageSpec | None, peers: tuple[str, ...] = (), family: Family | None = None, *, unprivileged: bool = False
) -> VantagePoint | FarHost:
    """Where that is; None is this host. `peers`: addresses that may be sent to from there before anything came.

    `family`: the version of IP that is all that is wanted of it. `unprivileged`: it need not open raw sockets.

    Raises VantageError, one line, for a namespace that can't be had; a far host is reached later.
    """
    if spec is not None and spec.is_far:
        from pytest_hdp.vantage.remote.specs import far_host

        return far_host(spec.how, spec.name, peers, family, unprivileged=unprivileged)
    from pytest_hdp.vantage.points import Host, Namespace

    return Namespace(spec.name) if spec is not None and spec.how == "netns" else Host()
