"""What rtnetlink(7) tells of a network namespace: where a route leads out, and which IPv6 addresses are in use yet.

Standard library only, Python 3.8 or later; shipped as source with station.py.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from typing import Any, Callable, Iterator, Tuple  # noqa: UP035 (Python 3.8)

Own = Tuple[bytes, int, int]  # noqa: UP006 (evaluated; Python 3.8): an address, its interface's index, its flags
_RTM_NEWADDR, _RTM_GETADDR = 20, 22
_RTM_NEWROUTE, _RTM_GETROUTE = 24, 26
_RTA_DST, _RTA_OIF = 1, 4
_REQUEST_DUMP = 0x301
_NLMSG_DONE, _NLMSG_ERROR = 3, 2
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_OPTIMISTIC, _FAILED, _TENTATIVE = 0x04, 0x08, 0x40  # IFA_F_..., linux/if_addr.h
_LARGEST = 1 << 16
_PATIENCE = 3.0  # seconds for which an address is waited for that is being looked for duplicates of
_GLANCE = 0.02


def is_link_local(address: str) -> bool:
    """Whether it is an IPv6 address that is good for one link (fe80::/10)."""
    return ":" in address and address.lower().startswith(("fe8", "fe9", "fea", "feb"))


def bind_usable(opened: socket.socket, to: tuple[Any, ...], netlink: Callable[[], socket.socket]) -> None:
    """Bind an IPv6 socket to an own address, with some patience for one that is not in use yet.

    `netlink` opens what asks for addresses. Raises OSError: the kernel's, or EALREADY, EADDRINUSE with why.
    """

    def act() -> OSError | None:
        try:
            opened.bind(to)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                with netlink() as asking:
                    return unusable(asking, address=to[0]) or error
            raise
        return None

    _patiently(act)


def connect_usable(opened: socket.socket, to: tuple[Any, ...], netlink: Callable[[], socket.socket]) -> None:
    """Have the kernel choose a source for what leaves by an interface, with some patience for one not in use yet.

    Raises OSError: the kernel's; EALREADY, EADDRINUSE, EADDRNOTAVAIL with why where no answer comes back to any.
    """

    def act() -> OSError | None:
        opened.connect(to)
        source = opened.getsockname()[0].partition("%")[0]
        if source not in ("::1", "::") and (is_link_local(to[0]) or not is_link_local(source)):
            return None
        if source == to[0]:
            return None
        with netlink() as asking:
            index = to[3] if len(to) > 2 else outgoing_interface(asking, socket.AF_INET6, to[0])
            why = unusable(asking, index=index)
        return why or OSError(
            errno.EADDRNOTAVAIL, f"its kernel would send from {source}, to which no answer comes back from there"
        )

    _patiently(act)


def _patiently(act: Callable[[], OSError | None]) -> None:
    """Try until nothing is returned, for as long as an address may be on its way; raise the last thing that was.

    Once more in any case: an address may have come into use after it was tried, and before its state was asked for.
    """
    until, again = time.monotonic() + _PATIENCE, True
    while (why := act()) is not None:
        if why.errno != errno.EALREADY:
            if not again:
                raise why
            again = False
        elif time.monotonic() >= until:
            raise why
        else:
            again = True
            time.sleep(_GLANCE)


def outgoing_interface(asking: socket.socket, family: int, target: str) -> int:
    """Return the index of the interface by which it leaves: that which owns the source address need not be it.

    `asking`: a netlink socket. Raises OSError: ENETUNREACH, EHOSTUNREACH.
    """
    address = socket.inet_pton(family, target)
    attribute = struct.pack("=HH", 4 + len(address), _RTA_DST) + address
    route = struct.pack("=BBBBBBBBI", family, 8 * len(address), 0, 0, 0, 0, 0, 0, 0)
    request = struct.pack("=IHHII", 16 + len(route + attribute), _RTM_GETROUTE, 1, 1, 0) + route + attribute
    asking.sendto(request, (0, 0))
    answer = asking.recv(_LARGEST)
    if struct.unpack_from("=H", answer, 4)[0] != _RTM_NEWROUTE:
        number = -struct.unpack_from("=i", answer, 16)[0]
        raise OSError(number, os.strerror(number))
    for kind, content in _parts(answer, 28, "=HH", 4):
        if kind == _RTA_OIF:
            return int(struct.unpack("=I", content)[0])
    raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


def interface_of(asking: socket.socket, address: str) -> int:
    """Return the index of the interface that has this link-local address. Raises OSError if none has, or several."""
    wanted = socket.inet_pton(socket.AF_INET6, address)
    found = {index for each, index, _ in own(asking) if each == wanted}
    if len(found) > 1:
        raise OSError(errno.ENOTUNIQ, f"{address} is on {len(found)} interfaces there")
    if not found:
        raise OSError(errno.EADDRNOTAVAIL, f"no interface there has {address}")
    return found.pop()


def unusable(asking: socket.socket, address: str = "", index: int = 0) -> OSError | None:
    """Say why one of our addresses, or one of an interface, can't be sent from, if it is there; None: there is none."""
    for each, where, flags in own(asking):
        text = socket.inet_ntop(socket.AF_INET6, each)
        if (address and text != address) or (index and where != index):
            continue
        if flags & _FAILED:
            return OSError(errno.EADDRINUSE, f"{text} is not usable: duplicate address detection found another host's")
        if flags & _TENTATIVE and not flags & _OPTIMISTIC:
            return OSError(errno.EALREADY, f"{text} is not usable yet: duplicate address detection is under way")
    return None


def own(asking: socket.socket) -> list[Own]:
    """Return all IPv6 addresses of the namespace of a netlink socket. Raises OSError."""
    content = struct.pack("=BBBBI", socket.AF_INET6, 0, 0, 0, 0)
    asking.sendto(struct.pack("=IHHII", 16 + len(content), _RTM_GETADDR, _REQUEST_DUMP, 1, 0) + content, (0, 0))
    found: list[Own] = []
    while True:
        answer = asking.recv(_LARGEST)
        for kind, message in _parts(answer, 0, "=IH", 16):
            if kind == _NLMSG_DONE:
                return found
            if kind == _NLMSG_ERROR:
                raise OSError(-struct.unpack_from("=i", message)[0], "addresses can't be asked for")
            if kind == _RTM_NEWADDR:
                found.append(_address(message))


def _address(message: bytes) -> Own:
    flags, index = message[2], struct.unpack_from("=I", message, 4)[0]
    attributes = dict(_parts(message, 8, "=HH", 4))
    if _IFA_FLAGS in attributes:
        flags = struct.unpack("=I", attributes[_IFA_FLAGS])[0]
    return attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, bytes(16))), index, flags


def _parts(data: bytes, at: int, form: str, header: int) -> Iterator[Tuple[int, bytes]]:  # noqa: UP006
    """What is in a message, each after a header of its length and its kind; padded to four bytes."""
    while at + header <= len(data):
        length, kind = struct.unpack_from(form, data, at)
        yield kind, data[at + header : at + length]
        at += max(header, (length + 3) & ~3)
