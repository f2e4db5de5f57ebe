"""A path of two routers, sent into and looked at with plain sockets: what the kernel does, without our measurement."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from select import select
from typing import Any

from pytest_hdp.lab.topology import Lab
from pytest_hdp.packet.checksums import checksum, pseudo_header

PORTS = struct.pack("!HH", 420, 420)
MARK = b"of facts"
FEW = 10  # packets, with all that is seen of them in a buffer as an ordinary user may have it
ETH_P_ALL, ETH_P_IPV6, OUTGOING = 3, 0x86DD, 4
EIGHT = {
    0: bytes([0, 0, 1, 4, 0, 0, 0, 0]),
    43: bytes([0, 0, 253, 0, 0, 0, 0, 0]),
    44: bytes([0, 0, 0, 0, 0, 1, 2, 3]),
    51: bytes([0, 4]) + bytes(22),
    60: bytes([0, 0, 1, 4, 0, 0, 0, 0]),
}
"""Well-formed headers by number: PadN, a route of no segments left, a whole packet, AH of 24 bytes, PadN."""


def hdp(number: int, size: int = 56) -> bytes:
    """Return HDP as it is sent bare, with a mark that tells the number."""
    return (PORTS + bytes(range(8)) + MARK + bytes([number]) + bytes(each & 255 for each in range(size)))[:size]


def behind(header: int, number: int, payload: bytes | None = None) -> bytes:
    """Return what follows an IPv6 header whose Next Header is `header`: that header, then HDP under `number`."""
    return bytes([number]) + EIGHT[header][1:] + (hdp(number) if payload is None else payload)


@dataclass(frozen=True)
class Answer:
    """An ICMPv6 error that came to the client. `number`: that of the HDP in its quote."""

    source: str
    kind: tuple[int, int]
    parameter: int
    quote: bytes

    @property
    def number(self) -> int:
        return self.quote[self.quote.index(MARK) + len(MARK)]


class Wired:
    """Both ends and two routers between them. What was seen is kept by node: incoming and outgoing."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.near, self.far = lab.client_address, lab.target_address
        self.routers = [hop.address for hop in lab.hops if hop.address != self.far]
        self.nodes = list(lab.layout.nodes)
        self.taps = {node: self.tap(node) for node in self.nodes}
        self.came: dict[str, list[bytes]] = {node: [] for node in self.nodes}
        self.left: dict[str, list[bytes]] = {node: [] for node in self.nodes}
        self._echoes = 0

    def tap(self, node: str) -> socket.socket:
        """See all that passes a node, at each of its interfaces."""
        opened = self.lab.socket_factory(node)(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        with contextlib.suppress(PermissionError):
            opened.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
        return opened

    def close(self) -> None:
        for opened in self.taps.values():
            opened.close()

    def forget(self) -> None:
        """Forget all that was seen."""
        for seen in (*self.came.values(), *self.left.values()):
            seen.clear()

    def raw(self, node: str, number: int) -> socket.socket:
        return self.lab.socket_factory(node)(socket.AF_INET6, socket.SOCK_RAW, number)

    def run(self, node: str, program: str, *arguments: str, text: str = "") -> str:
        found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        assert found, program
        status, printed = self.lab.namespace(node).run([found, *arguments], text)
        assert status == 0, printed
        return printed

    def rules(self, node: str, hook: str, *lines: str) -> None:
        rules = "\n".join(lines)
        table = f"table inet t {{ chain c {{ type filter hook {hook} priority 0\n{rules}\n}}\n}}\n"
        self.run(node, "nft", "-f", "-", text=table)

    def sysctls(self, node: str, **values: object) -> None:
        self.lab.namespace(node).set_sysctls({name.replace("__", "/"): each for name, each in values.items()})

    def send(self, number: int, payload: bytes, *, hops: int = 64, source: str = "") -> None:
        """Send from the client in a header of our own, which the kernel leaves as it is."""
        ends = IPv6Address(source or self.near).packed + IPv6Address(self.far).packed
        header = struct.pack("!IHBB", 6 << 28, len(payload), number, hops) + ends
        with self.raw("client", 255) as opened:
            opened.sendto(header + payload, (self.far, 0))

    def settle(self) -> None:
        """Wait until an echo has gone to the target and come back behind all else that is under way."""
        self._echoes += 1
        request = struct.pack("!BBHHH", 128, 0, 0, 0x4641, self._echoes)
        addresses = IPv6Address(self.near).packed, IPv6Address(self.far).packed
        summed = checksum(pseudo_header(*addresses, 58, len(request)) + request)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.send(58, request[:2] + summed.to_bytes(2, "big") + request[4:])
            until = time.monotonic() + 0.5
            while (left := until - time.monotonic()) > 0:
                select(list(self.taps.values()), (), (), left)
                self._read()
                if any(each[40] == 129 and each[44:48] == request[4:] for each in self.came["client"] if each[6] == 58):
                    return
        raise AssertionError("the path is gone: no echo came back")

    def await_packet(self, node: str, wanted: Callable[[bytes], bool]) -> bool:
        """Whether such a packet leaves a node within ten seconds."""
        deadline = time.monotonic() + 10
        while not any(map(wanted, self.left[node])):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            select([self.taps[node]], (), (), left)
            self._read()
        return True

    @staticmethod
    def next_packet(tap: socket.socket) -> tuple[bytes, Any] | None:
        """A packet of IPv6 that a tap holds, and what it tells of it; None: no more."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, address = tap.recvfrom(65535)
                if address[1] == ETH_P_IPV6:
                    return packet, address
        return None

    def _read(self) -> None:
        for node, tap in self.taps.items():
            while (seen := self.next_packet(tap)) is not None:
                packet, address = seen
                (self.left if address[2] == OUTGOING else self.came)[node].append(packet)

    def ask(self, *packets: tuple[int, bytes], hops: int = 64) -> list[Answer]:
        """Send these, and return the errors that have come to the client when all is quiet."""
        for place, (number, payload) in enumerate(packets, 1):
            self.send(number, payload, hops=hops)
            if place % FEW == 0:
                self.settle()
        self.settle()
        return self.answers()

    def answers(self) -> list[Answer]:
        """The errors about our own packets that have come to the client."""
        return [
            Answer(str(IPv6Address(each[8:24])), (each[40], each[41]), int.from_bytes(each[44:48], "big"), each[48:])
            for each in self.came["client"]
            if each[6] == 58 and each[40] in (1, 2, 3, 4) and MARK in each[48:] and each[48] >> 4 == 6
        ]

    def ours(self, node: str) -> list[bytes]:
        """Our own packets, and not quotes of them, that have come to a node."""
        return [each for each in self.came[node] if MARK in each and not (each[6] == 58 and each[48] >> 4 == 6)]

    def delivered(self, opened: socket.socket) -> list[bytes]:
        """What a socket has received."""
        found = []
        try:
            while True:
                found.append(opened.recv(65535))
        except BlockingIOError:
            return found
