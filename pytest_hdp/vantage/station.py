"""A station: sockets that send, tap and listen, with kernel filters, kernel timestamps and drop counters.

Standard library only, Python 3.8 or later, Linux 4.12 or later: it is run in process, and shipped as source, with
sockets.py, receiving.py and rtnetlink.py, to hosts that have nothing of ours. It knows nothing of what it sends.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any, Callable, Sequence  # noqa: UP035 (Python 3.8)

from pytest_hdp.vantage.receiving import Batch, Observation, Overflow, Reader, buffer_of
from pytest_hdp.vantage.rtnetlink import bind_usable, connect_usable, interface_of, is_link_local, outgoing_interface
from pytest_hdp.vantage.sockets import (
    AF_PACKET,
    BUSY,
    IPPROTO_RAW,
    Program,
    SocketFactory,
    addressed,
    be_datagram_socket,
    be_listener,
    be_sender,
    be_tap,
    closed_on_error,
    destination,
    errno_name,
    family_of,
    header_of_zero,
    header_of_zero6,
    interface_name,
    open_socket,
    path_mtu,
    send_patiently,
    set_ttl,
    source_message,
    with_room,
)


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
        self._readers: dict[int, Reader] = {}
        self._counted: dict[int, Overflow] = {}
        self._source: dict[int, list[tuple[int, int, bytes]]] = {}
        self._link = 0  # index of the interface that link-local addresses without a zone are of, if it is known
        self._epoll = select.epoll()
        self._batch = Batch()

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
        with closed_on_error(opened):
            be_tap(opened, interface, program, buffer)
        return self._keep_reader(opened)

    def listen(self, family: int, protocol: int, program: Program, buffer: int | None = None, address: str = "") -> int:
        """Receive what the kernel delivers to a raw socket of this protocol: raw(7).

        address: only what is sent to it. What was queued before the filter was in place is thrown away.
        It can send too; then the kernel builds the IP header, for protocol 255 (IPPROTO_RAW) too.
        Raises OSError: EPERM, EPROTONOSUPPORT, EINVAL (which protocols: see `open_socket`), EADDRNOTAVAIL.
        """
        opened = self._open(family, socket.SOCK_RAW, protocol)
        with closed_on_error(opened):
            be_listener(opened, protocol, program, buffer, address)
        return self._keep_reader(opened)

    def sender(self, family: int, protocol: int, header_included: bool = False) -> int:
        """Open a raw socket that only sends. Its filter drops all: a raw socket receives copies, read or not.

        The kernel builds the IP header unless header_included, for protocol 255 (IPPROTO_RAW) too.
        Raises OSError as `listen` does.
        """
        opened = self._open(family, socket.SOCK_RAW, protocol)
        with closed_on_error(opened):
            be_sender(opened, protocol, header_included)
        return self._keep(opened)

    def sender_of_zero(self, family: int = socket.AF_INET) -> int:
        """Open a socket that sends packets with number 0, for which no raw socket exists: in a header made here.

        All that a caller says of that is where `send` sends to: the source is the kernel's choice. Raises OSError.
        """
        handle = self.sender(family, IPPROTO_RAW, header_included=True)
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
        handle = self.sender(family, IPPROTO_RAW, header_included=True)
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
        family = family_of(address)
        opened = self._open(family, socket.SOCK_DGRAM, 0)
        with closed_on_error(opened):
            be_datagram_socket(opened, program, buffer)
            bound = self._bind(opened, address, port)[1]
        return self._keep_reader(opened, counted=program is None), bound

    # Working

    def set_ttl(self, handle: int, ttl: int) -> None:
        """Set the TTL (hop limit) of what is sent from now on, 1..255. Raises OSError: EINVAL."""
        set_ttl(self._sockets[handle], ttl)

    def send_from(self, address: str) -> None:
        """Give what is sent by this IP version from now on this source, whatever the routes prefer: IP_PKTINFO.

        A link-local one, with its zone or without, has all leave by its interface. Raises OSError: EADDRNOTAVAIL for
        an address that is not this host's; as `datagram` does.
        """
        family = family_of(address)
        with self._open(family, socket.SOCK_DGRAM, 0) as trying:
            bound = self._bind(trying, address, 0)
        if family == socket.AF_INET6:
            self._link = bound[3]
        self._source[family] = [source_message(family, address, self._link)]
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
            if error.errno in BUSY:
                return send_patiently(self._sockets[handle], self._sendto[handle], data, to)
            return errno_name(error)
        return None

    def poll(self, timeout: float) -> list[Observation]:
        """Wait until something was received, at most so many seconds, and return all of it; [] when time is up.

        In order of arrival within one handle only: sort by time where the order between handles matters.
        """
        seen: list[Observation] = []
        for descriptor, _ in self._epoll.poll(timeout):
            self._batch.read(self._readers[descriptor], seen)
        return seen

    def route(self, target: str, protocol: int | None = None) -> tuple[str, str, int]:
        """Find the way to a numeric address: our source address, the interface, and the path's MTU in bytes.

        Nothing is sent. The MTU is the interface's, or what path MTU discovery has found to be less, without what IPsec
        puts around a `protocol` (None: UDP); at most 65535. Raises OSError: ENETUNREACH, EHOSTUNREACH, EACCES for a
        broadcast, ENODEV for an unknown zone; EADDRNOTAVAIL, EALREADY where no answer comes back to IPv6's source.
        """
        family, kind = family_of(target), socket.SOCK_DGRAM if protocol is None else socket.SOCK_RAW
        with self._open(family, kind, protocol or 0) as asking:
            to = destination(asking, target, 9)
            if family == socket.AF_INET6:
                connect_usable(asking, to, self._netlink)
            else:
                asking.connect(to)
            with self._netlink() as of_routes:
                index = to[3] if "%" in target else outgoing_interface(of_routes, family, target)
            return asking.getsockname()[0].partition("%")[0], interface_name(asking.fileno(), index), path_mtu(asking)

    def opened(self, handle: int) -> socket.socket:
        """Return the socket itself, for those to whom microseconds matter. It stays this station's."""
        return self._sockets[handle]

    def drops(self) -> dict[int, int]:
        """Packets that passed the filter and found no room in the receive buffer, per handle, since it was opened."""
        return {handle: overflow.total(*buffer_of(self._sockets[handle])) for handle, overflow in self._counted.items()}

    # Inside

    def _bind(self, opened: socket.socket, address: str, port: int) -> tuple[Any, ...]:
        """Bind to an own address, with some patience for one that is not in use yet. Returns what it is bound to."""
        to = destination(opened, address, port)
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
                [self._header_of_zero6(opened, to[0], len(data)), data], source, 0, destination(opened, to[0], 0)
            )
        if handle in self._of_zero:
            return lambda data, to: opened.sendmsg([header_of_zero(opened, to[0]), data], source, 0, to)
        if handle in self._with_header:
            return lambda data, to: opened.sendmsg([addressed(data, to[0])], source, 0, to)
        if opened.family == socket.AF_INET6:
            return lambda data, to: opened.sendmsg([data], source, 0, destination(opened, *to))
        return (lambda data, to: opened.sendmsg([data], source, 0, to)) if source else opened.sendto

    def _header_of_zero6(self, opened: socket.socket, address: str, size: int) -> bytes:
        """A header such as the kernel makes, which changes nothing of an IPv6 header that is given to it."""
        chosen = self._source.get(int(socket.AF_INET6))
        source = chosen[0][2][:16] if chosen else socket.inet_pton(socket.AF_INET6, self.route(address)[0])
        return header_of_zero6(opened, source, address, size)

    def _keep_reader(self, opened: socket.socket, counted: bool = True) -> int:
        handle = self._keep(opened)
        overflow = Overflow(certain=opened.family == AF_PACKET or opened.type != socket.SOCK_RAW)
        self._readers[opened.fileno()] = Reader(handle, opened, overflow)
        self._epoll.register(opened.fileno(), select.EPOLLIN)
        if counted:
            self._counted[handle] = overflow
        return handle
