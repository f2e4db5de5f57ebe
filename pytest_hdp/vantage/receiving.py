"""Receiving in batches: what a station's sockets have received, with addresses, kernel timestamps and drops.

Standard library only, Python 3.8 or later, Linux 4.12 or later; shipped as source with station.py.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
from typing import Iterator, Tuple  # noqa: UP035 (Python 3.8)

from pytest_hdp.vantage.sockets import AF_PACKET, interface_name

# (handle, nanoseconds since the Unix epoch, packet type, bytes, source address, interface).
# Bytes: from the IP header for taps and raw sockets; from the payload for UDP sockets. The kernel hands over no IPv6
# header: one is put before the payload here, made of what it tells beside it (raw(7), RFC 3542).
# Packet type: of linux/if_packet.h for taps (0 to this host, 4 outgoing), else -1. Taps tell no source address, the
# others no interface: both are then "". The kernel turns stamping on in the background when the first socket on the
# system asks for it: what comes in the few milliseconds until then bears the time at which it was read.
Observation = Tuple[int, int, int, bytes, str, str]  # noqa: UP006 (evaluated, and Python 3.8 has no tuple[...])

PACKET_HOST = 0
PACKET_OUTGOING = 4

_SO_MEMINFO = 55  # linux/socket.h
_SK_MEMINFO = (0, 1, 8)  # bytes of buffer taken, bytes that there are, drops
_SLOTS = 64  # packets that one recvmmsg(2) may bring
_LARGEST = 1 << 16  # bytes of an IP packet, rounded up
_TURNS = 64  # calls for one socket before the next has its turn
_MOST_READ = 8 << 20  # bytes of one socket before the next has its turn
_OVERHEAD = mmap.PAGESIZE + 4096  # bytes of a buffer that a packet takes beyond its own, at most: skb->truesize


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


def buffer_of(opened: socket.socket) -> list[int]:
    """What the kernel says of a socket's receive buffer, by `_SK_MEMINFO`. Raises OSError."""
    content = struct.unpack("=9I", opened.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
    return [content[each] for each in _SK_MEMINFO]


class Reader:
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
                name = self._interfaces[index] = interface_name(self.descriptor, index)
            except OSError:
                return ""
        return name


class Batch:
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

    def read(self, reader: Reader, seen: list[Observation]) -> None:
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

    def _append_link(self, reader: Reader, count: int, seen: list[Observation]) -> None:
        handle, data, start, name = reader.handle, self._data, 0, reader.interface
        names = self._LINK.iter_unpack(self._names[: self._NAME * count])
        for (length,), (seconds, nanoseconds), address in zip(*self._sizes_and_stamps(count), names):  # noqa: B905
            time_ns = seconds * 1000000000 + nanoseconds
            seen.append((handle, time_ns, address[4], data[start : start + length], "", name(address[2])))
            start += _LARGEST

    def _append_inet(self, reader: Reader, count: int, seen: list[Observation]) -> None:
        handle, data, start, family, text = reader.handle, self._data, 0, reader.family, socket.inet_ntop
        form = self._INET6 if family == socket.AF_INET6 else self._INET
        before = len(seen)
        names = form.iter_unpack(self._names[: self._NAME * count])
        for (length,), (seconds, nanoseconds), (address,) in zip(*self._sizes_and_stamps(count), names):  # noqa: B905
            time_ns = seconds * 1000000000 + nanoseconds
            seen.append((handle, time_ns, -1, data[start : start + length], text(family, address), ""))
            start += _LARGEST
        reader.overflow.read(count, sum([len(each[3]) for each in seen[before:]]))

    def _append_raw6(self, reader: Reader, count: int, seen: list[Observation]) -> None:
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
