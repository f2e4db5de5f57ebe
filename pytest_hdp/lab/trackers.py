"""Which protocols the running kernel's connection tracking knows by their headers: tried once, in a namespace.

They come and go: DCCP's tracker left with Linux 6.17, UDP-Lite's with 7.1, and each may be left out of a build.
"""

from __future__ import annotations

import functools
import socket

from pytest_hdp.lab.boxes import DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE, filter_chain
from pytest_hdp.lab.namespaces import Jobs
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.vantage.netns.supervisor import NamespacesUnavailable, Supervisor

WITH_TRACKERS = frozenset({ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDPLITE})
"""The numbers whose headers some Linux checks; GRE's tracker takes any."""
_COMMON_TODAY = WITH_TRACKERS - {DCCP}
_LOOPBACK = "127.0.0.1"
_NO_HEADER = bytes(64)


@functools.cache
def checked_numbers() -> frozenset[int]:
    """Return the numbers whose headers this kernel's tracker checks: what fails there is `invalid`, and has no state.

    Zeros are no header of any of them. Where no lab with connection tracking can be built, nobody is translated
    either, and what most kernels do today is returned.
    """
    try:
        with Supervisor() as supervisor:
            return _tried(supervisor)
    except (LabUnavailable, NamespacesUnavailable, OSError):
        return _COMMON_TODAY


def _tried(supervisor: Supervisor) -> frozenset[int]:
    """Send zeros under each number to loopback, where a firewall drops what is invalid: sendto() then says EPERM."""
    namespace = supervisor.namespace()
    jobs = Jobs("with connection tracking")
    jobs.nft(namespace, filter_chain("output", "ct state invalid drop"), "a kernel with connection tracking")
    jobs.ip(namespace, ["link set lo up"])
    jobs.wait()
    checked = set()
    for number in WITH_TRACKERS:
        with namespace.open_socket(socket.AF_INET, socket.SOCK_RAW, number) as sender:
            try:
                sender.sendto(_NO_HEADER, (_LOOPBACK, 0))
            except PermissionError:
                checked.add(number)
    return frozenset(checked)
