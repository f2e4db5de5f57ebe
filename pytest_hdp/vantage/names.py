"""A host's name where its address belongs: what addresses this host's own list has for it. Nobody is asked."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from pytest_hdp.packet.family import canonical

HOSTS = Path("/etc/hosts")
_MOST_BYTES = 1 << 20
_MOST_ADDRESSES = 8


def numeric(text: str) -> str:
    """Return the numeric address of one host, as `canonical`.

    ValueError says in one line what to write instead; of a name that this host's list of hosts (hosts(5)) knows, the
    addresses. No name is looked up elsewhere: before there is a target nothing is sent, not even to a name server, and
    from another vantage point the name might lead to another host.
    """
    try:
        return canonical(text)
    except ValueError:
        if not (known := addresses_of(text.strip())):
            raise
        raise ValueError(f"{text.strip()} is {' and '.join(known)}: name the one you mean") from None


def addresses_of(name: str, hosts: Path = HOSTS) -> tuple[str, ...]:
    """Return the addresses that the list of hosts has for a name, in its order; none where it can't be read."""
    try:
        with hosts.open(encoding="utf-8", errors="replace") as lines:
            text = lines.read(_MOST_BYTES)
    except OSError:
        return ()
    found: dict[str, None] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if name.lower() in map(str.lower, names) and (numbered := _numbered(address)) is not None:
            found[numbered] = None
    return tuple(found)[:_MOST_ADDRESSES]


def _numbered(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None
