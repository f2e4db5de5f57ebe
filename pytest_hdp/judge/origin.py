"""Is a source address one that a translator gives, or has one from inside leaked? By addresses alone, no I/O."""

from __future__ import annotations

from collections.abc import Collection, Container
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

INSIDE = tuple(
    ip_network(block)
    for block in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598: between a home's translator and its provider's
        "192.0.0.0/29",  # RFC 6333: between a home and its provider's translator, in a tunnel
        "169.254.0.0/16",  # RFC 3927
        "fc00::/7",  # RFC 4193
        "fe80::/10",  # RFC 4291
    )
)
"""Blocks whose addresses mean nothing outside of one network."""
_POOL = {4: 24, 6: 64}  # bits that the addresses of one translator's pool have in common, where they are private
_BETWEEN_TRANSLATORS = ip_network("100.64.0.0/10")  # RFC 6598: of one provider, whose pools are larger than that


@lru_cache(maxsize=1024)
def inside_block(address: str) -> IPv4Network | IPv6Network | None:
    """The block of `INSIDE` that an address is of; None for one that is of none, or no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return next((block for block in INSIDE if parsed.version == block.version and parsed in block), None)


def from_inside(
    source: str, control: str | None, own: Container[str], usual: str | None, outside: Collection[str] = ()
) -> bool:
    """Whether a source is one from inside, where the control was translated to `control`.

    `own`: the sender's addresses; `usual`: the one that its control leaves with. A sender with two uplinks may have an
    address at the other that needs no translator. `outside`: see `leaked`.
    """
    if control is None or control in own:
        return False
    if source in own:
        return source == usual or inside_block(source) is not None
    return leaked(source, control, frozenset(outside))


@lru_cache(maxsize=1024)
def leaked(source: str, control: str, outside: frozenset[str] = frozenset()) -> bool:
    """Whether a source that is not the sender's own is one from inside, where the control was translated to `control`.

    A private address is, wherever the control shows a public one. Where that is private too (a lab, a company's
    network), another of the same translator's pool is none: one of the same /24 (IPv6: /64), or of RFC 6598's block, or
    between `outside`, all addresses that controls came from, each a flow of its own.
    """
    if source == control or inside_block(source) is None:
        return False
    if inside_block(control) is None:
        return True
    if inside_block(source) == inside_block(control) == _BETWEEN_TRANSLATORS:
        return False
    return ip_address(source) not in _pool(control, outside)


def _pool(control: str, outside: Collection[str]) -> IPv4Network | IPv6Network:
    """The least network that has all of a control's addresses which are of its private block."""
    block = inside_block(control)
    shown = [int(ip_address(each)) for each in (control, *outside) if inside_block(each) == block]
    version, longest = ip_address(control).version, ip_address(control).max_prefixlen
    bits = longest - (min(shown) ^ max(shown)).bit_length()
    return ip_network(f"{control}/{min(bits, _POOL[version])}", strict=False)


def in_doubt(source: str, control: str | None) -> str:
    """Return what else a leak may be, by its addresses: where both are of one private block; "" for nothing."""
    if control is None or (block := inside_block(control)) is None or inside_block(source) != block:
        return ""
    return f"; both are of {block}: from inside, or another of a pool larger than a /{_POOL[block.version]}"
