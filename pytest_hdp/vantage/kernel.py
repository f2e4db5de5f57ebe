"""What the running kernel can do: asked of it once, and not read from its version, which distributions keep.

Standard library only, Python 3.8 or later; shipped as source with remote/agent.py.
"""

from __future__ import annotations

import errno
import functools
import socket

from pytest_hdp.vantage.receiving import buffer_of
from pytest_hdp.vantage.sockets import AF_PACKET, open_socket

MPTCP = "mptcp"
_IPPROTO_MPTCP = 262


@functools.lru_cache(maxsize=None)  # noqa: UP033 (Python 3.8)
def knows_mptcp() -> bool:
    """Whether socket() takes protocol numbers up to 262 (IPPROTO_MPTCP, Linux 5.6), and not up to 255 alone.

    A datagram socket is asked for, which no kernel has under this number and which takes no privilege: the number is
    compared with IPPROTO_MAX, for EINVAL, before anything else is looked at (net/ipv4/af_inet.c, inet_create).
    """
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, _IPPROTO_MPTCP).close()
    except OSError as error:
        return error.errno != errno.EINVAL
    return True


def features() -> frozenset[str]:
    """Return the features, of those that a profile may name, that this kernel has."""
    return frozenset({MPTCP} if knows_mptcp() else ())


def lacking(taps: bool = True) -> str | None:
    """Return what stations rest on and this kernel has not, in words; None if it has it all. Takes no privilege.

    taps: whether any are to be opened.
    """
    if taps:
        try:
            open_socket(AF_PACKET, socket.SOCK_DGRAM, 0).close()
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                return "packet sockets, which see what passes: load the module af_packet, or set CONFIG_PACKET"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            buffer_of(opened)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return "SO_MEMINFO, which tells what a socket dropped: Linux has it since 4.12"
    return None


def refusal_at_socket(protocol: int) -> str | None:
    """Errno of socket(AF_INET, SOCK_RAW, protocol) on this kernel (net/ipv4/af_inet.c, inet_create)."""
    if protocol == 0:
        return "EPROTONOSUPPORT"
    if 0 < protocol < 256 or (255 < protocol < 263 and knows_mptcp()):
        return None
    return "EINVAL"
