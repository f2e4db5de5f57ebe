"""Sockets that an agent opens ahead, so that it can give up its privilege for good, and what it does for nobody.

Standard library only, Python 3.8 or later; shipped as source with agent.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from typing import Sequence  # noqa: UP035 (Python 3.8)

from pytest_hdp.vantage.kernel import lacking
from pytest_hdp.vantage.sockets import open_socket, with_room

AF_PACKET = 17
_TAP_BUFFER = 16 << 20
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _PR_SET_NO_NEW_PRIVS = 26, 33, 38
_NOBODY = 65534
_NUMBERS = range(-1, 264)
_OF_EACH = 2  # one to listen, one that somebody opens by hand
_OF_RAW = 4  # as many again of IPPROTO_RAW, for number 0
_OPENED_AHEAD = _OF_EACH * 262 + _OF_RAW - _OF_EACH  # of one version of IP, about


class Refused(Exception):  # noqa: N818
    """What this host does not allow; one line."""


def check_privilege(unprivileged: bool) -> None:
    """Try whether an agent can do its work here, or what of it takes no raw sockets. Raises Refused."""
    lack = lacking()
    if lack is not None:
        raise Refused(f"the kernel there lacks {lack}")
    if unprivileged:
        return
    for family, kind, protocol in ((AF_PACKET, socket.SOCK_DGRAM, 0), (socket.AF_INET, socket.SOCK_RAW, 253)):
        try:
            open_socket(family, kind, protocol).close()
        except OSError as error:
            even = "" if os.geteuid() else ", not even by root"
            raise Refused(f"raw sockets may not be opened there{even}: {error.strerror}") from None


class Ahead:
    """Opens sockets, many of them before they are asked for: a Station's `socket_factory`."""

    def __init__(self) -> None:
        self._ready: dict[tuple[int, int, int], list[socket.socket]] = {}
        self._refused: dict[tuple[int, int, int], OSError] = {}
        self.filled = False

    def __call__(self, family: int, kind: int, protocol: int) -> socket.socket:
        """Give one that was opened ahead, or open it. Raises OSError: EBADF if privilege is gone by now."""
        key = (family, kind, protocol)
        if self._ready.get(key):
            return self._ready[key].pop()
        if key in self._refused:
            raise self._refused[key]
        try:
            return open_socket(family, kind, protocol)
        except PermissionError:
            if self.filled:
                raise OSError(errno.EBADF, "the agent has given up its privilege, and opens no more sockets") from None
            raise

    def open(self, family: int, kind: int, protocols: Sequence[int]) -> list[int]:
        """Open one of each, to be given later. Returns each one's errno, or 0."""
        return [self._open(family, kind, protocol) for protocol in protocols]

    def _open(self, family: int, kind: int, protocol: int) -> int:
        key = (family, kind, protocol)
        if self._ready.get(key):
            return 0
        try:
            opened = self(family, kind, protocol)
        except OSError as error:
            if error.errno == errno.EMFILE:
                raise
            return error.errno or errno.EIO
        self._ready.setdefault(key, []).append(opened)
        return 0

    def fill(self, families: Sequence[int]) -> None:
        """Open all that may ever be asked for, raw sockets of each number and taps. They receive nothing yet.

        `families`: the versions of IP that anything will be asked for of.
        """
        raw = int(socket.SOCK_RAW)
        keys = [(int(family), raw, number) for family in families for number in _NUMBERS]
        keys.append((AF_PACKET, int(socket.SOCK_DGRAM), 0))
        for key in keys:
            most = _OF_RAW if key[2] == socket.IPPROTO_RAW else _OF_EACH
            while key not in self._refused and len(self._ready.get(key, ())) < most:
                try:
                    opened = open_socket(*key)
                except OSError as error:
                    if error.errno == errno.EMFILE:
                        raise
                    self._refused[key] = error
                    continue
                held = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0), 8)
                program = struct.pack("@HP", 1, ctypes.addressof(held))
                opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)  # unlocked: the real one follows
                if key[0] == AF_PACKET:
                    _enlarge(opened)
                self._ready.setdefault(key, []).append(opened)
        self.filled = True


def _enlarge(opened: socket.socket) -> None:
    """Give it a large receive buffer, while that is allowed."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _TAP_BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _TAP_BUFFER)


def give_up_privilege(sockets: Ahead, families: Sequence[int]) -> None:
    """Open all that may be asked for of these versions of IP, then become nobody for good. Raises Refused."""
    try:
        with_room(sockets.fill, families)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        wanted = f"{_OPENED_AHEAD * len(families)} sockets are opened before privilege is given up"
        raise Refused(
            f"{wanted}, and its hard limit of open files is lower there: raise it (ulimit -Hn), or leave out drop"
        ) from None
    drop_privilege()


def drop_privilege() -> None:
    """Become nobody for good: no groups, no capabilities, no way to get any back. Raises Refused."""
    if os.geteuid() != 0:
        raise Refused("only root can give up its privilege: leave out drop")
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError as error:
        raise Refused(f"privilege can't be given up there: {error.strerror}") from None
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0:
        raise Refused(f"privilege can't be given up there: {os.strerror(ctypes.get_errno())}")
    try:
        open_socket(socket.AF_INET, socket.SOCK_RAW, 253).close()
    except PermissionError:
        return
    raise Refused("privilege can't be given up there: raw sockets can still be opened")


def check(allowed: bool) -> None:
    """Refuse what a station would do, and an agent does for nobody: no sockets but those of IP."""
    if not allowed:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def check_numeric(address: str) -> None:
    """Refuse a name: to look it up, the host would send packets to others."""
    socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address.partition("%")[0])


def source_of(data: bytes) -> list[str]:
    """Where a packet came from: of one host, none that leads to many; nothing of an ICMP error, which anybody sends."""
    if len(data) >= 40 and data[0] >> 4 == 6:
        icmp, kind, one = data[6] == 58, data[40:41], data[8] != 255 and any(data[8:24])
        return [] if not one or (icmp and b"\1" <= kind <= b"\4") else [socket.inet_ntop(socket.AF_INET6, data[8:24])]
    if len(data) < 20 or not 0 < data[12] < 224:
        return []
    header = (data[0] & 15) * 4
    error = data[9] == 1 and data[header : header + 1] in [bytes([kind]) for kind in (3, 4, 5, 11, 12)]
    return [] if error else [socket.inet_ntoa(data[12:16])]
