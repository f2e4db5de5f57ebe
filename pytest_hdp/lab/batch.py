"""Lines for `ip -batch`: what makes the links of a lab, and what a node has of addresses and routes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.lab.nodes import Link, Port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_hdp.lab.layout import Layout

WIRES = "wires"
_QUEUE_LENGTH = 1001  # any but the default, 1000


def link_lines(links: Sequence[Link], descriptors: Mapping[str, int]) -> Iterator[str]:
    """Lines that make all veth pairs, each end right in its namespace, which is this descriptor of who runs them."""
    for number, link in enumerate(links):
        for one, other in _pairs(number, link):
            here, there = (f"netns /proc/self/fd/{descriptors[port.node]}" for port in (one, other))
            yield (
                f"link add {one.interface} address {one.mac} {here} type veth "
                f"peer name {other.interface} address {other.mac} {there}"
            )


def settings(node: str, layout: Layout) -> Iterator[str]:
    """Lines for a node, once its links are there: neighbours are fixed, so that no lost ARP takes a lab's path away."""
    yield "link set lo up"
    for number, link in enumerate(layout.all_links):
        for one, other in _ends(node, link):
            yield f"addr add {one.address}/{one.prefix} dev {one.interface}"
            yield f"link set {one.interface} up" + (f" mtu {link.mtu}" if link.mtu else "")
            yield _neighbour(one, other)
        if node == WIRES:
            yield from (f"link set {port.interface} up" for port in _ports(number, link) if port.node == node)
    yield from routes(node, layout)


def settings6(node: str, layout: Layout) -> Iterator[str]:
    """Lines for a node over IPv6, once its links are up: of one that is not, the kernel takes no route yet.

    Settings have switched off that duplicates are looked for, which would take two seconds. It is not said of the
    address itself (`nodad`): then it could be bound to at once, and not be reached for a while (`await_address`).
    """
    for link in layout.all_links:
        for one, other in _ends(node, link):
            yield f"addr add {one.address}/{one.prefix} dev {one.interface}"
            yield _neighbour(one, other)
    yield from routes(node, layout)


def routes(node: str, layout: Layout) -> Iterator[str]:
    """Lines for a node's routes."""
    if node != WIRES:
        yield from (f"route add {route.network} via {route.via}" for route in layout.routes(node))


def activation(node: str, links: Sequence[Link]) -> Iterator[str]:
    """Lines for a node, once both ends of each link are up.

    The end that came up first is opened for sending only when the kernel's link watcher gets round to it, which may
    be much later, and drops silently until then. To set another queue length reopens it at once (dev_activate in
    net/sched/sch_generic.c).
    """
    for number, link in enumerate(links):
        for port in _ports(number, link):
            if port.node == node:
                yield f"link set {port.interface} txqueuelen {_QUEUE_LENGTH}"


def wire_name(number: int, place: int) -> str:
    """Return how the interfaces of a box on a wire are called, but for the last letter, which says the side."""
    return f"w{number}-{place}-"


def ports(node: str, links: Sequence[Link]) -> Iterator[Port]:
    """The ends of links at a node that have addresses."""
    yield from (one for link in links for one, _ in _ends(node, link))


def _ends(node: str, link: Link) -> Iterator[tuple[Port, Port]]:
    """The node's end of a link and the other one, if it has one."""
    yield from (pair for pair in ((link.left, link.right), (link.right, link.left)) if pair[0].node == node)


def _neighbour(one: Port, other: Port) -> str:
    return f"neigh add {other.address} lladdr {other.mac} dev {one.interface} nud permanent"


def _ports(number: int, link: Link) -> Iterator[Port]:
    for pair in _pairs(number, link):
        yield from pair


def _pairs(number: int, link: Link) -> Iterator[tuple[Port, Port]]:
    """The veth pairs of a link: one, and one more for each box on its wire."""
    port = link.left
    for place in range(len(link.wires)):
        left, right = (
            Port(WIRES, wire_name(number, place) + side, "", 0, f"02:00:00:{place:02x}:{number:02x}:{mac}")
            for side, mac in (("l", "11"), ("r", "12"))
        )
        yield port, left
        port = right
    yield port, link.right
