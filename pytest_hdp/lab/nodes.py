"""What joins the nodes of a lab: ports, links, routes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_hdp.lab.boxes import Box


@dataclass(frozen=True, slots=True)
class Port:
    """One end of a link at a node."""

    node: str
    interface: str
    address: str
    prefix: int
    mac: str

    @property
    def network(self) -> str:
        """Its network in CIDR notation."""
        return str(ip_interface(f"{self.address}/{self.prefix}").network)


@dataclass(frozen=True, slots=True)
class Link:
    """A link between two neighbours, `left` nearer to the client, with the boxes on the wire from left to right.

    `mtu`: its largest packet in bytes, None for the usual.
    """

    left: Port
    right: Port
    wires: tuple[Box, ...] = ()
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route at a node; `network` "default" or in CIDR notation."""

    network: str
    via: str
