"""What is done inside a namespace: links, addresses and routes by `ip -batch`, rules by `nft`, checksums in software.

`ip -batch` and not a netlink library: it sets up a namespace in 3 ms, where importing one takes 120 ms.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hdp.lab.requirements import program, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.vantage.netns.supervisor import Namespace, Running

_SIOCETHTOOL = 0x8946
_ETHTOOL_GLINK = 0x0A
_ETHTOOL_STXCSUM = 0x17
_PATIENCE = 60.0
_GLANCE = 0.0005

_OFF = ("disable_ipv6", "accept_dad", "accept_ra", "autoconf")  # 0: used at once, and no addresses but a lab's own
# Set before any link exists, since new links copy `default`; hosts may have set other defaults for new namespaces.
SYSCTLS = {
    "ipv4/conf/all/rp_filter": 0,
    "ipv4/conf/default/rp_filter": 0,
    **{f"ipv6/conf/{scope}/{name}": 0 for scope in ("all", "default") for name in _OFF},
}
FORWARDING = {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1}
WITHOUT_IPV6 = {"ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1}
"""For where nobody has an address, so that nothing talks there of its own."""


def has_ipv6() -> bool:
    """Whether this kernel has IPv6: what is built has it then."""
    return Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").exists()


class Jobs:
    """Programs that run side by side in namespaces of one lab. `lab`: its name, for errors."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self._running: list[tuple[Running, int, str]] = []

    def ip(
        self,
        namespace: Namespace,
        lines: Iterable[str],
        descriptors: Sequence[int] = (),
        features: str = "a kernel with veth",
        ip_version: int = 4,
    ) -> None:
        """Run `ip -batch`; the descriptors are /proc/self/fd/3, 4 ... there. Raises LabUnavailable.

        `ip_version`: what lines are about that have no address by which to tell.
        """
        argv = [program("ip", self.lab), *(["-6"] if ip_version == 6 else ()), "-batch", "-"]
        self._start(namespace, argv, "\n".join(lines), features, descriptors)

    def nft(self, namespace: Namespace, ruleset: str, features: str) -> None:
        """Load a ruleset; `features`: what it needs of the kernel. Raises LabUnavailable."""
        self._start(namespace, [program("nft", self.lab), "-f", "-"], ruleset, features, ())

    def wait(self) -> None:
        """Wait for all of them. Raises LabUnavailable if one failed, once all have ended."""
        failed = None
        for running, output, features in self._running:
            status = running.wait()
            with os.fdopen(output, "rb") as printed:
                printed.seek(0)
                if status and failed is None:
                    failed = refused(self.lab, features, printed.read().decode(errors="replace"))
        self._running.clear()
        if failed:
            raise failed

    def _start(
        self, namespace: Namespace, argv: Sequence[str], text: str, features: str, descriptors: Sequence[int]
    ) -> None:
        inward, outward = os.memfd_create("input"), os.memfd_create("output")
        try:
            os.write(inward, text.encode())
            os.lseek(inward, 0, os.SEEK_SET)
            running = namespace.start(argv, (inward, outward, outward, *descriptors), cwd="/")
        except BaseException:
            os.close(outward)
            raise
        finally:
            os.close(inward)
        self._running.append((running, outward, features))


def checksum_in_software(opened: socket.socket, interface: str) -> None:
    """Have the kernel fill in checksums before a packet leaves: veth leaves that to a device that isn't there.

    Else a relay would pass on, and a tap would see, UDP with a checksum nobody ever completed. `opened`: any socket of
    the interface's namespace. Raises OSError.
    """
    _ethtool(opened, interface, _ETHTOOL_STXCSUM)


def notice_link(opened: socket.socket, interface: str) -> None:
    """Have the kernel see at once that both ends of a link are up; else its link watcher does, up to a second later.

    IPv6 takes no address into use before. To ask for the state is to have it looked at (ethtool_op_get_link in
    net/ethtool/ioctl.c). `opened`: any socket of the interface's namespace. Raises OSError.
    """
    _ethtool(opened, interface, _ETHTOOL_GLINK)


def _ethtool(opened: socket.socket, interface: str, command: int) -> None:
    value = array.array("I", [command, 0])
    request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
    fcntl.ioctl(opened.fileno(), _SIOCETHTOOL, request)


def await_address(opened: socket.socket, address: str) -> None:
    """Wait until a new IPv6 address is used: the kernel's own worker sees to that, whenever it comes to it.

    Until then the address is tentative, and what comes to it is dropped (addrconf_dad_begin in net/ipv6/addrconf.c,
    which is work for later even where nothing is to be detected). `opened`: an IPv6 socket of its
    namespace, which is bound to it.
    Raises OSError: EADDRNOTAVAIL, if it takes longer than any machine is busy.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            opened.bind((address, 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL or time.monotonic() > deadline:
                raise
            time.sleep(_GLANCE)
        else:
            return
