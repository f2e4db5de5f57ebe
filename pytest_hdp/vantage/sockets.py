"""Sockets as a station wants them: what is asked of the kernel for each, and what it says of them.

Standard library only, Python 3.8 or later, Linux 4.12 or later; shipped as source with station.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import select
import socket
import struct
import time
from typing import Any, Callable, Iterable, Iterator, Tuple, Union  # noqa: UP035 (Python 3.8)

# A filter: instructions (code, jt, jf, k), or these as struct sock_filter[], assembled once for many sockets.
Program = Union[bytes, Iterable[Tuple[int, int, int, int]]]  # noqa: UP006, UP007
SocketFactory = Callable[[int, int, int], socket.socket]

# linux/socket.h and its neighbours, where Python's modules lack the name.
AF_PACKET = 17
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SO_LOCK_FILTER = 44
_SOL_RAW = 255
_IPV6_CHECKSUM = 7
_IPV6_FLOWINFO = 11
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_PROBE = 23, 3
_IPV6_HDRINCL = 36
_IP_NODEFRAG = 22
_IPV6_RECVPKTINFO = 49
_IPV6_RECVHOPLIMIT = 51
_IPV6_FLOWINFO_SEND = 33
_IPV6_AUTOFLOWLABEL = 70
_SIOCGIFNAME = 0x8910
_SIOCGIFINDEX = 0x8933
IPPROTO_RAW = 255
_CHECKSUMMED = (58, 135)  # into packets of these a raw IPv6 socket writes a checksum, unless told not to
_ETH_P_ALL = 3
_IP_PKTINFO, _IP_MTU = 8, 14
_IPV6_PKTINFO, _IPV6_MTU = 50, 24
_IP_DF = 0x4000  # "don't fragment", as the kernel sets by default

BUSY = (errno.EAGAIN, errno.ENOBUFS)
_SEND_PATIENCE = 0.5  # seconds for which a full send queue is waited for
_DROP_ALL = struct.pack("=HBBI", 6, 0, 0, 0)

_libc = ctypes.CDLL(None, use_errno=True)


def open_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """Call socket(2) with exactly these numbers, close-on-exec, non-blocking.

    socket.socket() reads a protocol of -1 as "the default", so negative ones go to the kernel directly.
    Raises OSError with the kernel's errno; EINVAL for a protocol that no C int holds.
    """
    if not -(2**31) <= protocol < 2**31:
        raise OSError(errno.EINVAL, f"protocol {protocol} is not a C int")
    if protocol >= 0:
        opened = socket.socket(family, kind, protocol)
    else:
        descriptor = _libc.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        if descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        opened = socket.socket(family, kind, protocol, fileno=descriptor)
    opened.setblocking(False)
    return opened


def with_room(act: Callable[..., Any], *arguments: object) -> Any:
    """Do it, once more with a higher limit if that of open files is reached."""
    try:
        return act(*arguments)
    except OSError as error:
        if error.errno != errno.EMFILE or not _raise_descriptor_limit():
            raise
    return act(*arguments)


def _raise_descriptor_limit() -> bool:
    """Raise the soft limit of open files to the hard one. Whether that changed anything."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft != hard


@contextlib.contextmanager
def closed_on_error(opened: socket.socket) -> Iterator[None]:
    """Close a socket for which something goes wrong inside."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


def be_tap(opened: socket.socket, interface: str | None, program: Program, buffer: int | None) -> None:
    """Make a packet socket of protocol 0 a tap, of one interface or (None) of all. Raises OSError: ENODEV."""
    _prepare(opened, program, buffer)
    index = 0 if interface is None else _interface_index(opened, interface)
    address = struct.pack("=HHiHBB8s", AF_PACKET, socket.htons(_ETH_P_ALL), index, 0, 0, 0, b"")
    if _libc.bind(opened.fileno(), address, len(address)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def be_listener(opened: socket.socket, protocol: int, program: Program, buffer: int | None, address: str) -> None:
    """Make a raw socket receive what passes the program, of one address or ("") of all. Raises OSError."""
    _prepare(opened, program, buffer)
    if address:
        opened.bind(destination(opened, address, 0))
    if opened.family == socket.AF_INET6:
        _tell_headers(opened)
    _drain(opened)
    _build_header(opened, protocol, included=False)


def be_sender(opened: socket.socket, protocol: int, header_included: bool) -> None:
    """Make a raw socket receive nothing, and send with a header of the kernel's or with the caller's."""
    _attach(opened, _DROP_ALL)
    _drain(opened)
    _build_header(opened, protocol, included=header_included)


def be_datagram_socket(opened: socket.socket, program: Program | None, buffer: int | None) -> None:
    """Make a UDP socket receive what passes the program (None: all), and of its own IP version alone."""
    _prepare(opened, program, buffer)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _send_as_it_is(opened)


def _prepare(opened: socket.socket, program: Program | None, buffer: int | None) -> None:
    if program is not None:
        _attach(opened, program)
    if buffer is not None:
        _set_receive_buffer(opened, buffer)
    opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def _attach(opened: socket.socket, program: Program) -> None:
    """Attach a classic BPF filter and lock it, so that nothing can open the socket wider later."""
    code = program
    if not isinstance(code, bytes):
        code = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    held = ctypes.create_string_buffer(code, len(code))
    filter_program = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_program)
    opened.setsockopt(socket.SOL_SOCKET, _SO_LOCK_FILTER, 1)


def _set_receive_buffer(opened: socket.socket, size: int) -> None:
    """Ask for so many bytes; without CAP_NET_ADMIN the kernel gives at most net.core.rmem_max. It doubles either."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _drain(opened: socket.socket) -> None:
    try:
        while True:
            opened.recv(1, socket.MSG_DONTWAIT)  # recv(0) would not reach the kernel
    except BlockingIOError:
        return


def _build_header(opened: socket.socket, protocol: int, included: bool) -> None:
    """Have the kernel build the IP header, or say that what is sent includes one; nothing else may be changed."""
    if opened.family != socket.AF_INET6:
        if included or protocol == IPPROTO_RAW:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, int(included))
            opened.setsockopt(socket.IPPROTO_IP, _IP_NODEFRAG, int(included))  # else a tracker here gathers fragments
        return
    if included or protocol == IPPROTO_RAW:
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, int(included))
    if protocol in _CHECKSUMMED:  # of ICMPv6 at no other level: net/ipv6/raw.c, rawv6_setsockopt()
        opened.setsockopt(_SOL_RAW, _IPV6_CHECKSUM, -1)
    _send_as_it_is(opened)


def _send_as_it_is(opened: socket.socket) -> None:
    """Send no fragments, and under flow label 0 unless told: a label for each number would part their ways."""
    opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_PROBE)
    opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_AUTOFLOWLABEL, 0)
    opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_FLOWINFO_SEND, 1)


def _tell_headers(opened: socket.socket) -> None:
    """Have destination, hop limit, class and label told beside what comes, in this order (net/ipv6/datagram.c)."""
    for option in (_IPV6_RECVPKTINFO, _IPV6_RECVHOPLIMIT, _IPV6_FLOWINFO):
        opened.setsockopt(socket.IPPROTO_IPV6, option, 1)


def header_of_zero(opened: socket.socket, address: str) -> bytes:
    """A header such as the kernel makes for raw sockets; it puts in length, checksum and source: raw(7)."""
    identification = int.from_bytes(os.urandom(2), "big") | 1  # the kernel leaves 0 where no fragments may be made
    ttl = opened.getsockopt(socket.IPPROTO_IP, socket.IP_TTL)
    destination = socket.inet_pton(socket.AF_INET, address)
    return struct.pack("!BBHHHBBH4x4s", 0x45, 0, 0, identification, _IP_DF, ttl, 0, 0, destination)


def header_of_zero6(opened: socket.socket, source: bytes, address: str, size: int) -> bytes:
    """Write an IPv6 header such as the kernel makes, which changes nothing of one that is given to it.

    size: bytes that follow. Raises OSError: EMSGSIZE.
    """
    if size > 0xFFFF:
        raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    hops = opened.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    to = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    return struct.pack("!IHBB16s16s", 6 << 28, size, 0, hops, source, to)


def addressed(data: bytes, address: str) -> bytes:
    """Put the destination into a header, and leave the source to the kernel: raw(7). Raises OSError: EINVAL."""
    size = (data[0] & 15) * 4 if data else 0
    if not 20 <= size <= len(data) or data[0] >> 4 != 4 or any(each > 1 for each in data[20:size]):  # 1: no operation
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return data[:12] + bytes(4) + socket.inet_pton(socket.AF_INET, address) + data[20:]


def family_of(address: str) -> int:
    """Return the socket family of a numeric address: AF_INET or AF_INET6."""
    return int(socket.AF_INET6 if ":" in address else socket.AF_INET)


def destination(opened: socket.socket, address: str, port: int, label: int = 0) -> tuple[Any, ...]:
    """Say what to give to the kernel for a numeric address; a zone is an interface of the socket's own namespace."""
    host, _, zone = address.partition("%")
    return (host, port, label, _interface_index(opened, zone)) if zone else (host, port, *([label] if label else []))


def _interface_index(opened: socket.socket, name: str) -> int:
    """Find the index in the socket's own namespace, which need not be ours. Raises OSError: ENODEV."""
    if len(name.encode()) > 15:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)
    answer = fcntl.ioctl(opened.fileno(), _SIOCGIFINDEX, struct.pack("16si20x", name.encode(), 0))
    return int(struct.unpack_from("i", answer, 16)[0])


def interface_name(descriptor: int, index: int) -> str:
    """Find the name in the socket's own namespace. Raises OSError: ENXIO."""
    answer = fcntl.ioctl(descriptor, _SIOCGIFNAME, struct.pack("16si20x", b"", index))
    return answer[:16].split(b"\0", 1)[0].decode(errors="replace")


def set_ttl(opened: socket.socket, ttl: int) -> None:
    """Set the TTL (hop limit) of what is sent from now on. Raises OSError: EINVAL."""
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def source_message(family: int, address: str, link: int) -> tuple[int, int, bytes]:
    """Write what sendmsg(2) is told of a source beside a packet: ip(7), RFC 3542. link: an interface's index, or 0."""
    packed = socket.inet_pton(family, address.partition("%")[0])
    if family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, _IPV6_PKTINFO, packed + struct.pack("=I", link)
    return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4x", 0, packed)


def path_mtu(opened: socket.socket) -> int:
    """Return the MTU in bytes of the path to where a socket is connected, as far as the kernel knows it."""
    v6 = opened.family == socket.AF_INET6
    return opened.getsockopt(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP, _IPV6_MTU if v6 else _IP_MTU)


def send_patiently(opened: socket.socket, sendto: Callable[..., int], data: bytes, to: tuple[Any, ...]) -> str | None:
    """Send once the queue has room, within half a second. Returns None, or the name of the errno."""
    waiting = select.poll()
    waiting.register(opened.fileno(), select.POLLOUT)
    until = time.monotonic() + _SEND_PATIENCE
    while True:
        left = until - time.monotonic()
        waiting.poll(max(0.0, left) * 1000)
        try:
            sendto(data, to)
        except OSError as error:
            if error.errno not in BUSY or left <= 0:
                return errno_name(error)
            time.sleep(0.0005)  # with ENOBUFS a device's queue is full, while the socket itself is writable
        else:
            return None


def errno_name(error: OSError) -> str:
    """Return the name of its errno ("EPERM"), or the digits of one that has none."""
    return errno.errorcode.get(error.errno or 0, str(error.errno))
