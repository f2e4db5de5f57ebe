"""Families of tunnels between the two hosts."""

from __future__ import annotations

from sim.blueprint import FAR, NEAR, TUNNEL_FAR, TUNNEL_NEAR, Blueprint, HostRule
from sim.elements import Effect
from sim.families.registry import family
from sim.host import Tunnel


@family(agent=True, group="tunnel", alone=True)
def tunnel_watched_inside(print_: Blueprint) -> None:
    """A tunnel, IPIP or in UDP, between the ends; each end is watched where packets leave the tunnel."""
    _tunnel(print_, print_.chance.choice((4, 17)), watched="tun0")


@family(agent=True, group="tunnel", alone=True)
def tunnel_ipip(print_: Blueprint) -> None:
    """An IPIP tunnel; all interfaces of the far end are watched."""
    _tunnel(print_, 4, watched=None)


@family(agent=True, group="tunnel", alone=True)
def tunnel_carrier(print_: Blueprint) -> None:
    """A tunnel in UDP; all interfaces of the far end are watched."""
    _tunnel(print_, 17, watched=None)


def _tunnel(print_: Blueprint, protocol: int, watched: str | None) -> None:
    print_.target = print_.far_address = TUNNEL_FAR
    print_.near_address, print_.near_tap, print_.far_tap, print_.tunnel = TUNNEL_NEAR, "tun0", watched, True
    numbers = print_.some_numbers() - {1, 17}

    def prepare(near: object, far: object) -> None:
        near.tunnel = Tunnel("tun0", NEAR, FAR, protocol)  # type: ignore[attr-defined]
        far.tunnel = Tunnel("tun0", FAR, NEAR, protocol)  # type: ignore[attr-defined]

    print_.prepare.append(prepare)
    if print_.chance.random() < 0.5:
        print_.near_inputs.append(
            HostRule(
                lambda packet: "drop" if packet.protocol in numbers else None,
                lambda view: Effect("held-by-receiver") if view.way == -1 and view.number in numbers else None,
            )
        )
    print_.notes.append(f"a tunnel under {protocol}")
