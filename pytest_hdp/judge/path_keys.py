"""The keys of paths: "loopback", "target:NAME", "lab:NAME#VARIANT"; those by IPv6 have a mark. No I/O."""

from __future__ import annotations

from pytest_hdp.packet.family import IPV4, IPV6, Family

_BY_IPV6 = "|6"


def path_key(key: str, family: Family) -> str:
    """Return the key of a path by this version of IP; IPv4's is as it is."""
    name, variant, of = key.partition("#")
    return f"{name}{_BY_IPV6 if family is IPV6 else ''}{variant}{of}"


def family_in(key: str) -> Family:
    """Return the version of IP of a path."""
    return IPV6 if key.partition("#")[0].endswith(_BY_IPV6) else IPV4


def bare_key(key: str) -> str:
    """Return a path's key without its variant and its version of IP."""
    return key.partition("#")[0].removesuffix(_BY_IPV6)


def wellformed_key(key: str) -> str:
    """Return the key of the same path for the second form: a lab's first sweep must not have used up what it asks."""
    name, _, variant = key.partition("#")
    if not name.startswith("lab:") or variant not in {"", "unsolicited"}:
        return key
    return f"{name}#{variant}-wellformed" if variant else f"{name}#wellformed"
