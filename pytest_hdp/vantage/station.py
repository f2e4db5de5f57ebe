"""A station: sockets that send, tap and listen, with kernel filters, kernel timestamps and drop counters.

Standard library only, Python 3.8 or later, Linux 4.12 or later: it is run in process, and shipped as source, with
rtnetlink.py, to hosts that have nothing of ours. It knows nothing of what it sends.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import socket
import struct
import time
from typing import Any, Callable, Iterable, Iterator, Sequence, Tuple, Union  # noqa: UP035 (Python 3.8)

from pytest_hdp.vantage.rtnetlink import bind_usable, connect_usable, interface_of, is_link_local, outgoing_interface

# (handle, nanoseconds since the Unix epoch, packet type, bytes, source address, interface).
# Bytes: from the IP header for taps and raw sockets; from the payload for UDP sockets. The kernel hands over no IPv6
# header: one is put before the payload here, made of what it tells beside it (raw(7), RFC 3542).
# Packet type: of linux/if_packet.h for taps (0 to this host, 4 outgoing), else -1. Taps tell no source address, the
# others no interface: both are then "". The kernel turns stamping on in the background when the first socket on the
# system asks for it: what comes in the few milliseconds until then bears the time at which it was read.
Observation = Tuple[int, int, int, bytes, str, str]  # noqa: UP006 (evaluated, and Python 3.8 has no tuple[...])
# A filter: instructions (code, jt, jf, k), or these as struct sock_filter[], assembled once for many sockets.
Program = Union[bytes, Iterable[Tuple[int, int, int, int]]]  # noqa: UP006, UP007
SocketFactory = Callable[[int, int, int], socket.socket]

PACKET_HOST = 0
PACKET_OUTGOING = 4

# linux/socket.h and its neighbours, where Python's modules lack the name.
AF_PACKET = 17
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SO_LOCK_FILTER = 44
_SO_MEMINFO = 55
_SK_MEMINFO = (0, 1, 8)  # bytes of buffer taken, bytes that there are, drops
_SOL_RAW = 255
_IP_PKTINFO = 8
_IP_MTU = 14
_IPV6_CHECKSUM = 7
_IPV6_FLOWINFO = 11
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_PROBE = 23, 3
_IPV6_MTU = 24
_IPV6_HDRINCL = 36
_IPV6_RECVPKTINFO, _IPV6_PKTINFO = 49, 50
_IPV6_RECVHOPLIMIT = 51
_IPV6_FLOWINFO_SEND = 33
_IPV6_AUTOFLOWLABEL = 70
_ETH_P_ALL = 3
_SIOCGIFNAME = 0x8910
_SIOCGIFINDEX = 0x8933
_IPPROTO_RAW = 255
_CHECKSUMMED = (58, 135)  # into packets of these a raw IPv6 socket writes a checksum, unless told not to
_IP_DF = 0x4000  # "don't fragment", as the kernel sets by default

_BUSY = (errno.EAGAIN, errno.ENOBUFS)
_SEND_PATIENCE = 0.5  # seconds for which a full send queue is waited for
_SLOTS = 64  # packets that one recvmmsg(2) may bring
_LARGEST = 1 << 16  # bytes of an IP packet, rounded up
_TURNS = 64  # calls for one socket before the next has its turn
_MOST_READ = 8 << 20  # bytes of one socket before the next has its turn
_OVERHEAD = mmap.PAGESIZE + 4096  # bytes of a buffer that a packet takes beyond its own, at most: skb->truesize
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


class Station:
    """Sockets under small integer handles. Handles are never used twice. Not thread-safe; a context manager.

    Methods that open a socket raise OSError with the kernel's errno and then leave nothing open. The others raise
    KeyError for a handle that is not open.
    """

    def __init__(self, socket_factory: SocketFactory = open_socket) -> None:
        self.factory = socket_factory
        self._next_handle = 0
        self._sockets: dict[int, socket.socket] = {}
        self._sendto: dict[int, Callable[[bytes, tuple[Any, ...]], int]] = {}
        self._of_zero: set[int] = set()  # handles of the senders whose packets get their header here
        self._with_header: set[int] = set()  # and of those that bring one
        self._readers: dict[int, _Reader] = {}
        self._counted: dict[int, Overflow] = {}
        self._source: dict[int, list[tuple[int, int, bytes]]] = {}
        self._link = 0  # index of the interface that link-local addresses without a zone are of, if it is known
        self._epoll = select.epoll()
        self._batch = _Batch()

    def __enter__(self) -> Station:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket. May be called again."""
        for handle in list(self._sockets):
            self.discard(handle)
        self._epoll.close()

    def discard(self, handle: int) -> None:
        """Close one socket; what it had received and `poll` had not fetched is lost."""
        opened = self._sockets.pop(handle)
        del self._sendto[handle]
        self._of_zero.discard(handle)
        self._with_header.discard(handle)
        self._counted.pop(handle, None)
        if self._readers.pop(opened.fileno(), None) is not None:
            self._epoll.unregister(opened.fileno())
        opened.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable while `poll` has something to return."""
        return self._epoll.fileno()

    # Opening

    def open_ahead(self, family: int, kind: int, protocols: Sequence[int]) -> None:
        """Tell a socket factory that wants to know (netns/socket_pool.py) what `listen` and `sender` will need."""
        if hasattr(self.factory, "open_ahead"):
            with_room(self.factory.open_ahead, family, kind, protocols)

    def tap(self, interface: str | None, program: Program, buffer: int | None = None) -> int:
        """Copy what passes the interface (None: every interface), both ways, from the IP header on: packet(7).

        On loopback each packet is seen twice: outgoing, then to this host. buffer: bytes of receive buffer asked for.
        The socket sees nothing before filter and timestamps are in place, because it is bound to a protocol only then.
        Raises OSError: EPERM without CAP_NET_RAW, ENODEV for an unknown interface.
        """
        opened = self._open(AF_PACKET, socket.SOCK_DGRAM, 0)
        with _closed_on_error(opened):
            _prepare(opened, program, buffer)
            index = 0 if interface is None else _interface_index(opened, interface)
            address = struct.pack("=HHiHBB8s", AF_PACKET, socket.htons(_ETH_P_ALL), index, 0, 0, 0, b"")
            if _libc.bind(opened.fileno(), address, len(address)) < 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        return self._keep_reader(opened)

    def listen(self, family: int, protocol: int, program: Program, buffer: int | None = None, address: str = "") -> int:
        """Receive what the kernel delivers to a raw socket of this protocol: raw(7).

        address: only what is sent to it. What was queued before the filter was in place is thrown away.
        It can send too; then the kernel builds the IP header, for protocol 255 (IPPROTO_RAW) too.
        Raises OSError: EPERM, EPROTONOSUPPORT, EINVAL (which protocols: see `open_socket`), EADDRNOTAVAIL.
        """
        opened = self._open(family, socket.SOCK_RAW, protocol)
        with _closed_on_error(opened):
            _prepare(opened, program, buffer)
            if address:
                opened.bind(_destination(opened, address, 0))
            if family == socket.AF_INET6:
                _tell_headers(opened)
            _drain(opened)
            _build_header(opened, family, protocol, included=False)
        return self._keep_reader(opened)

    def sender(self, family: int, protocol: int, header_included: bool = False) -> int:
        """Open a raw socket that only sends. Its filter drops all: a raw socket receives copies, read or not.

        The kernel builds the IP header unless header_included, for protocol 255 (IPPROTO_RAW) too.
        Raises OSError as `listen` does.
        """
        opened = self._open(family, socket.SOCK_RAW, protocol)
        with _closed_on_error(opened):
            _attach(opened, _DROP_ALL)
            _drain(opened)
            _build_header(opened, family, protocol, included=header_included)
        return self._keep(opened)

    def sender_of_zero(self, family: int = socket.AF_INET) -> int:
        """Open a socket that sends packets with number 0, for which no raw socket exists: in a header made here.

        All that a caller says of that is where `send` sends to: the source is the kernel's choice. Raises OSError.
        """
        handle = self.sender(family, _IPPROTO_RAW, header_included=True)
        self._of_zero.add(handle)
        self._sendto[handle] = self._sending(handle)
        return handle

    def sender_with_header(self, family: int = socket.AF_INET) -> int:
        """Open a socket whose packets bring an IPv4 header: a fragment's, or one with options that say nothing.

        Its addresses count for nothing: where `send` sends to is where it goes, and the source is the kernel's choice.
        `send` refuses any other option (EINVAL): a source route leads elsewhere. Raises OSError; EAFNOSUPPORT for IPv6.
        """
        if family != socket.AF_INET:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        handle = self.sender(family, _IPPROTO_RAW, header_included=True)
        self._with_header.add(handle)
        self._sendto[handle] = self._sending(handle)
        return handle

    def datagram(
        self, address: str, port: int = 0, program: Program | None = None, buffer: int | None = None
    ) -> tuple[int, int]:
        """Open a UDP socket bound to this address and port (0: any free one), for sending and receiving.

        program sees the UDP header first. With a program the socket is left out of `drops`: the kernel counts what a
        UDP socket's filter rejects as dropped (net/ipv4/udp.c).
        Returns the handle and the port. A link-local address may be without its zone if one interface has it.
        Raises OSError: EADDRINUSE, EADDRNOTAVAIL, EACCES; EALREADY for an address that is not in use yet (RFC 4862).
        """
        family = _family(address)
        opened = self._open(family, socket.SOCK_DGRAM, 0)
        with _closed_on_error(opened):
            _prepare(opened, program, buffer)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                _send_as_it_is(opened)
            bound = self._bind(opened, address, port)[1]
        return self._keep_reader(opened, counted=program is None), bound

    # Working

    def set_ttl(self, handle: int, ttl: int) -> None:
        """Set the TTL (hop limit) of what is sent from now on, 1..255. Raises OSError: EINVAL."""
        opened = self._sockets[handle]
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)

    def send_from(self, address: str) -> None:
        """Give what is sent by this IP version from now on this source, whatever the routes prefer: IP_PKTINFO.

        A link-local one, with its zone or without, has all leave by its interface. Raises OSError: EADDRNOTAVAIL for
        an address that is not this host's; as `datagram` does.
        """
        family = _family(address)
        with self._open(family, socket.SOCK_DGRAM, 0) as trying:
            bound = self._bind(trying, address, 0)
        packed = socket.inet_pton(family, address.partition("%")[0])
        if family == socket.AF_INET6:
            self._link = bound[3]
            self._source[family] = [(socket.IPPROTO_IPV6, _IPV6_PKTINFO, packed + struct.pack("=I", self._link))]
        else:
            self._source[family] = [(socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4x", 0, packed))]
        for handle in self._sockets:
            self._sendto[handle] = self._sending(handle)

    def send(self, handle: int, data: bytes, address: str, port: int = 0, label: int = 0) -> str | None:
        """Send one packet to a numeric address. Returns None, or the name of the errno ("EPERM") if it was refused.

        label: of an IPv6 flow. A full send queue (EAGAIN, ENOBUFS) is waited for half a second, then reported.
        """
        to = (address, port, label) if label else (address, port)
        try:
            self._sendto[handle](data, to)
        except OSError as error:
            if error.errno in _BUSY:
                return _send_patiently(self._sockets[handle], self._sendto[handle], data, to)
            return _errno_name(error)
        return None

    def poll(self, timeout: float) -> list[Observation]:
        """Wait until something was received, at most so many seconds, and return all of it; [] when time is up.

        In order of arrival within one handle only: sort by time where the order between handles matters.
        """
        seen: list[Observation] = []
        for descriptor, _ in self._epoll.poll(timeout):
            self._batch.read(self._readers[descriptor], seen)
        return seen

    def route(self, target: str) -> tuple[str, str, int]:
        """Find the way to a numeric address: our source address, the interface, and the path's MTU in bytes.

        Nothing is sent. The MTU is the interface's, or what path MTU discovery has found to be less; at most 65535.
        Raises OSError: ENETUNREACH, EHOSTUNREACH, EACCES for a broadcast address, ENODEV for a zone that there is not;
        EADDRNOTAVAIL, EALREADY where no answer could come back to what IPv6 would send from.
        """
        family = _family(target)
        with self._open(family, socket.SOCK_DGRAM, 0) as asking:
            to = _destination(asking, target, 9)
            zone = target.partition("%")[2]
            if family == socket.AF_INET6:
                connect_usable(asking, to, self._netlink)
            else:
                asking.connect(to)
            with self._netlink() as of_routes:
                index = to[3] if zone else outgoing_interface(of_routes, family, target)
            level, option = (
                (socket.IPPROTO_IPV6, _IPV6_MTU) if family == socket.AF_INET6 else (socket.IPPROTO_IP, _IP_MTU)
            )
            mtu = asking.getsockopt(level, option)
            return asking.getsockname()[0].partition("%")[0], _interface_name(asking.fileno(), index), mtu

    def opened(self, handle: int) -> socket.socket:
        """Return the socket itself, for those to whom microseconds matter. It stays this station's."""
        return self._sockets[handle]

    def drops(self) -> dict[int, int]:
        """Packets that passed the filter and found no room in the receive buffer, per handle, since it was opened."""
        return {handle: overflow.total(*buffer_of(self._sockets[handle])) for handle, overflow in self._counted.items()}

    # Inside

    def _bind(self, opened: socket.socket, address: str, port: int) -> tuple[Any, ...]:
        """Bind to an own address, with some patience for one that is not in use yet. Returns what it is bound to."""
        to = _destination(opened, address, port)
        if len(to) == 2 and is_link_local(address):
            with self._netlink() as asking:
                to = (*to, 0, self._link or interface_of(asking, address))
        if opened.family == socket.AF_INET6:
            bind_usable(opened, to, self._netlink)
        else:
            opened.bind(to)
        return opened.getsockname()  # type: ignore[no-any-return]

    def _netlink(self) -> socket.socket:
        return self._open(socket.AF_NETLINK, socket.SOCK_RAW, 0)

    def _open(self, family: int, kind: int, protocol: int) -> socket.socket:
        return with_room(self.factory, family, kind, protocol)  # type: ignore[no-any-return]

    def _keep(self, opened: socket.socket) -> int:
        handle = self._next_handle
        self._next_handle += 1
        self._sockets[handle] = opened
        self._sendto[handle] = self._sending(handle)
        return handle

    def _sending(self, handle: int) -> Callable[[bytes, tuple[Any, ...]], int]:
        opened = self._sockets[handle]
        source = self._source.get(int(opened.family), [])
        if handle in self._of_zero and opened.family == socket.AF_INET6:
            return lambda data, to: opened.sendmsg(
                [self._header_of_zero6(opened, to[0], len(data)), data], source, 0, _destination(opened, to[0], 0)
            )
        if handle in self._of_zero:
            return lambda data, to: opened.sendmsg([_header_of_zero(opened, to[0]), data], source, 0, to)
        if handle in self._with_header:
            return lambda data, to: opened.sendmsg([_addressed(data, to[0])], source, 0, to)
        if opened.family == socket.AF_INET6:
            return lambda data, to: opened.sendmsg([data], source, 0, _destination(opened, *to))
        return (lambda data, to: opened.sendmsg([data], source, 0, to)) if source else opened.sendto

    def _header_of_zero6(self, opened: socket.socket, address: str, size: int) -> bytes:
        """A header such as the kernel makes, which changes nothing of an IPv6 header that is given to it."""
        if size > 0xFFFF:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        hops = opened.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
        chosen = self._source.get(int(socket.AF_INET6))
        source = chosen[0][2][:16] if chosen else socket.inet_pton(socket.AF_INET6, self.route(address)[0])
        destination = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
        return struct.pack("!IHBB16s16s", 6 << 28, size, 0, hops, source, destination)

    def _keep_reader(self, opened: socket.socket, counted: bool = True) -> int:
        handle = self._keep(opened)
        overflow = Overflow(certain=opened.family == AF_PACKET or opened.type != socket.SOCK_RAW)
        self._readers[opened.fileno()] = _Reader(handle, opened, overflow)
        self._epoll.register(opened.fileno(), select.EPOLLIN)
        if counted:
            self._counted[handle] = overflow
        return handle


class Overflow:
    """Counts a socket's drops that may have been for want of room.

    raw_rcv() also counts what an IPsec policy refuses (net/ipv4/raw.c). A drop is no overflow if what was read since
    the last count and what waits now cannot have filled the buffer. `certain`: such a socket has no other drops.
    """

    def __init__(self, certain: bool) -> None:
        self._certain = certain
        self._held = 0  # bytes of the buffer that what was read since the last count took, at most
        self._seen = self._overflows = 0

    def read(self, count: int, size: int) -> None:
        """Take note that so many packets, of so many bytes together, were read."""
        self._held += count * _OVERHEAD + size

    def total(self, waiting: int, room: int, drops: int) -> int:
        """Return the overflows so far; now `waiting` of `room` bytes are taken, and the kernel counts `drops`."""
        if self._certain or self._held + waiting >= room:
            self._overflows += drops - self._seen
        self._held, self._seen = 0, drops
        return self._overflows


class _Reader:
    """A socket that receives, and what its addresses mean."""

    def __init__(self, handle: int, opened: socket.socket, overflow: Overflow) -> None:
        self.handle = handle
        self.overflow = overflow
        self.descriptor = opened.fileno()
        self.family = int(opened.family)
        self.headless = opened.proto if opened.family == socket.AF_INET6 and opened.type == socket.SOCK_RAW else None
        self._interfaces: dict[int, str] = {}

    def interface(self, index: int) -> str:
        """Name an interface of the socket's namespace; "" if it is gone by now."""
        name = self._interfaces.get(index)
        if name is None:
            try:
                name = self._interfaces[index] = _interface_name(self.descriptor, index)
            except OSError:
                return ""
        return name


class _Batch:
    """Memory for recvmmsg(2): as many messages as it has slots, each with a 64 KiB buffer of its own.

    One call brings up to 64 packets with addresses and timestamps: twice as many a second as socket.recvmsg().
    """

    _HEADER = struct.Struct("@PIPNPNi0PI0P")  # struct mmsghdr: a msghdr, then the length received
    _UNTIL_LENGTH = struct.calcsize("@PIPNPNi0P")
    _LENGTH = struct.Struct(f"={_UNTIL_LENGTH}xI{_HEADER.size - _UNTIL_LENGTH - 4}x")
    _CMSG = struct.calcsize("@Nii0P")  # bytes of a struct cmsghdr
    _BESIDE = f"{_CMSG}xll0P"  # a timespec; for raw IPv6 sockets a struct in6_pktinfo, hop limit, class and label too
    _BESIDE6 = f"{_BESIDE}{_CMSG}x16s4x0P{_CMSG}xi0P{_CMSG}xI0P"
    _ROOM, _ROOM6 = struct.calcsize("@" + _BESIDE), struct.calcsize("@" + _BESIDE6)
    _STAMP = struct.Struct(f"@{_BESIDE}{_ROOM6 - _ROOM}x")
    _HEADER6 = struct.Struct(f"@{_BESIDE6}")
    _NAME = 32
    _LINK = struct.Struct("=HHiHBB20x")  # sockaddr_ll
    _INET = struct.Struct("=4x4s24x")
    _INET6 = struct.Struct("=8x16s8x")

    def __init__(self) -> None:
        # Without releasing the interpreter lock: it never waits, and to get the lock back can take 5 ms.
        self._recvmmsg = ctypes.PyDLL(None, use_errno=True).recvmmsg
        self._recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
        private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS  # shared, the default, would be shared with a forked child too
        pointers = struct.calcsize("@PN")
        sizes = [_SLOTS * each for each in (self._HEADER.size, pointers, self._NAME, self._STAMP.size)]
        self._data = mmap.mmap(-1, _SLOTS * _LARGEST, flags=private)
        self._rest = mmap.mmap(-1, sum(sizes), flags=private)
        data = ctypes.addressof(ctypes.c_char.from_buffer(self._data))
        self._headers = ctypes.addressof(ctypes.c_char.from_buffer(self._rest))
        starts = [sum(sizes[:each]) for each in range(4)]
        buffers, names, stamps = (self._headers + each for each in starts[1:])
        self._fresh, self._fresh6 = (
            b"".join(
                self._HEADER.pack(
                    names + self._NAME * slot, self._NAME, buffers + pointers * slot, 1,
                    stamps + self._STAMP.size * slot, room, 0, 0,
                )
                for slot in range(_SLOTS)
            )
            for room in (self._ROOM, self._ROOM6)
        )  # fmt: skip
        self._rest[starts[1] : starts[2]] = b"".join(
            struct.pack("@PN", data + _LARGEST * slot, _LARGEST) for slot in range(_SLOTS)
        )
        view = memoryview(self._rest)
        self._lengths, self._names = view[: sizes[0]], view[starts[2] : starts[3]]
        self._stamps = view[starts[3] : starts[3] + sizes[3]]
        self._nothing = bytes(sizes[3])

    def read(self, reader: _Reader, seen: list[Observation]) -> None:
        """Append what a socket has received. It is non-blocking. Raises OSError, but not if its interface went down."""
        append, size, fresh = self._append_link if reader.family == AF_PACKET else self._append_inet, 0, self._fresh
        if reader.headless is not None:
            append, fresh = self._append_raw6, self._fresh6
        for _ in range(_TURNS):
            self._rest[: len(fresh)] = fresh  # the kernel has written lengths over what it was offered
            if reader.headless is not None:
                self._stamps[:] = self._nothing  # it tells no class and label that are 0
            count = self._recvmmsg(reader.descriptor, self._headers, _SLOTS, socket.MSG_DONTWAIT, None)
            if count < 0:
                number = ctypes.get_errno()
                if number in (errno.EAGAIN, errno.ENETDOWN, errno.EINTR):
                    return
                raise OSError(number, os.strerror(number))
            append(reader, count, seen)
            size += sum([len(each[3]) for each in seen[-count:]])
            if count < _SLOTS or size > _MOST_READ:
                return

    def _append_link(self, reader: _Reader, count: int, seen: list[Observation]) -> None:
        handle, data, start, name = reader.handle, self._data, 0, reader.interface
        names = self._LINK.iter_unpack(self._names[: self._NAME * count])
        for (length,), (seconds, nanoseconds), address in zip(*self._sizes_and_stamps(count), names):  # noqa: B905
            time_ns = seconds * 1000000000 + nanoseconds
            seen.append((handle, time_ns, address[4], data[start : start + length], "", name(address[2])))
            start += _LARGEST

    def _append_inet(self, reader: _Reader, count: int, seen: list[Observation]) -> None:
        handle, data, start, family, text = reader.handle, self._data, 0, reader.family, socket.inet_ntop
        form = self._INET6 if family == socket.AF_INET6 else self._INET
        before = len(seen)
        names = form.iter_unpack(self._names[: self._NAME * count])
        for (length,), (seconds, nanoseconds), (address,) in zip(*self._sizes_and_stamps(count), names):  # noqa: B905
            time_ns = seconds * 1000000000 + nanoseconds
            seen.append((handle, time_ns, -1, data[start : start + length], text(family, address), ""))
            start += _LARGEST
        reader.overflow.read(count, sum([len(each[3]) for each in seen[before:]]))

    def _append_raw6(self, reader: _Reader, count: int, seen: list[Observation]) -> None:
        handle, data, start, number = reader.handle, self._data, 0, reader.headless
        before = len(seen)
        lengths = self._LENGTH.iter_unpack(self._lengths[: self._HEADER.size * count])
        beside = self._HEADER6.iter_unpack(self._stamps[: self._HEADER6.size * count])
        names = self._INET6.iter_unpack(self._names[: self._NAME * count])
        for (length,), (seconds, nanoseconds, to, hops, flow), (source,) in zip(lengths, beside, names):  # noqa: B905
            word = 6 << 28 | socket.ntohl(flow) & 0xFFFFFFF
            header = struct.pack("!IHBB16s16s", word, length & 0xFFFF, number, hops & 255, source, to)
            time_ns = seconds * 1000000000 + nanoseconds
            text = socket.inet_ntop(socket.AF_INET6, source)
            seen.append((handle, time_ns, -1, header + data[start : start + length], text, ""))
            start += _LARGEST
        reader.overflow.read(count, sum([len(each[3]) for each in seen[before:]]))

    def _sizes_and_stamps(self, count: int) -> tuple[Iterator[tuple[int]], Iterator[tuple[int, int]]]:
        lengths = self._LENGTH.iter_unpack(self._lengths[: self._HEADER.size * count])
        return lengths, self._STAMP.iter_unpack(self._stamps[: self._STAMP.size * count])


@contextlib.contextmanager
def _closed_on_error(opened: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise


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


def _family(address: str) -> int:
    return int(socket.AF_INET6 if ":" in address else socket.AF_INET)


def _destination(opened: socket.socket, address: str, port: int, label: int = 0) -> tuple[Any, ...]:
    """Say what to give to the kernel for a numeric address; a zone is an interface of the socket's own namespace."""
    host, _, zone = address.partition("%")
    return (host, port, label, _interface_index(opened, zone)) if zone else (host, port, *([label] if label else []))


def _build_header(opened: socket.socket, family: int, protocol: int, included: bool) -> None:
    """Have the kernel build the IP header, or say that what is sent includes one; nothing else may be changed."""
    if family != socket.AF_INET6:
        if included or protocol == _IPPROTO_RAW:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, int(included))
        return
    if included or protocol == _IPPROTO_RAW:
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


def _header_of_zero(opened: socket.socket, address: str) -> bytes:
    """A header such as the kernel makes for raw sockets; it puts in length, checksum and source: raw(7)."""
    identification = int.from_bytes(os.urandom(2), "big") | 1  # the kernel leaves 0 where no fragments may be made
    ttl = opened.getsockopt(socket.IPPROTO_IP, socket.IP_TTL)
    destination = socket.inet_pton(socket.AF_INET, address)
    return struct.pack("!BBHHHBBH4x4s", 0x45, 0, 0, identification, _IP_DF, ttl, 0, 0, destination)


def _addressed(data: bytes, address: str) -> bytes:
    """Put the destination into a header, and leave the source to the kernel: raw(7). Raises OSError: EINVAL."""
    size = (data[0] & 15) * 4 if data else 0
    if not 20 <= size <= len(data) or data[0] >> 4 != 4 or any(each > 1 for each in data[20:size]):  # 1: no operation
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return data[:12] + bytes(4) + socket.inet_pton(socket.AF_INET, address) + data[20:]


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


def buffer_of(opened: socket.socket) -> list[int]:
    """What the kernel says of a socket's receive buffer, by `_SK_MEMINFO`. Raises OSError."""
    content = struct.unpack("=9I", opened.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
    return [content[each] for each in _SK_MEMINFO]


def _interface_index(opened: socket.socket, name: str) -> int:
    """Find the index in the socket's own namespace, which need not be ours. Raises OSError: ENODEV."""
    if len(name.encode()) > 15:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)
    answer = fcntl.ioctl(opened.fileno(), _SIOCGIFINDEX, struct.pack("16si20x", name.encode(), 0))
    return int(struct.unpack_from("i", answer, 16)[0])


def _interface_name(descriptor: int, index: int) -> str:
    answer = fcntl.ioctl(descriptor, _SIOCGIFNAME, struct.pack("16si20x", b"", index))
    return answer[:16].split(b"\0", 1)[0].decode(errors="replace")


def _send_patiently(opened: socket.socket, sendto: Callable[..., int], data: bytes, to: tuple[Any, ...]) -> str | None:
    waiting = select.poll()
    waiting.register(opened.fileno(), select.POLLOUT)
    until = time.monotonic() + _SEND_PATIENCE
    while True:
        left = until - time.monotonic()
        waiting.poll(max(0.0, left) * 1000)
        try:
            sendto(data, to)
        except OSError as error:
            if error.errno not in _BUSY or left <= 0:
                return _errno_name(error)
            time.sleep(0.0005)  # with ENOBUFS a device's queue is full, while the socket itself is writable
        else:
            return None


def _errno_name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.errno))


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
