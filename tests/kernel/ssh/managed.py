"""A target that is reached by ssh on a way of its own: a management address, and a jump host before it."""

from __future__ import annotations

import socket
from pathlib import Path

from ssh_hosts import Hosts

from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.vantage.netns.supervisor import Namespace

JUMP, MANAGEMENT = "10.8.0.2", "10.77.0.2"
# the client's own end of the way to the jump host, and the jump host's of the way to the target
CLIENT_SIDE, JUMP_SIDE = "10.8.0.1", "10.77.0.1"


class Managed(Hosts):
    """The client reaches the jump host's sshd, and only the jump host the target's, at an address of its own.

    Nothing else goes that way: the client has no route to the management address, and the jump host forwards nothing.
    """

    login = MANAGEMENT

    def __init__(self, folder: Path, lab: str | LabSpec = "home-nat", seed: int = 1) -> None:
        super().__init__(folder, lab, seed)
        self.known += (JUMP, MANAGEMENT)

    @property
    def jump(self) -> Namespace:
        return self._jump

    def serve(self) -> None:
        client, target = (self.lab.namespace(node) for node in (self.lab.client, self.lab.target))
        self._jump = client.supervisor.namespace()
        run(self._jump, "ip link set lo up")
        for there, name, address, back, beside in (
            (client, "vpn0", CLIENT_SIDE, "inside", JUMP),
            (target, "mgmt0", MANAGEMENT, "outside", JUMP_SIDE),
        ):
            command = f"ip link add {back} type veth peer name {name} netns /proc/self/fd/3"
            start = self._jump.start(["/bin/sh", "-c", PATH + command], (0, 1, 2, there.descriptor))
            assert start.wait() == 0
            run(there, f"ip addr add {address}/30 dev {name}; ip link set {name} up")
            run(self._jump, f"ip addr add {beside}/30 dev {back}; ip link set {back} up")
        self.start_sshd(self._jump, "-o", f"ListenAddress={JUMP}")
        self.start_sshd(target, "-o", f"ListenAddress={MANAGEMENT}")

    def through(self, options: str = "", user: str = "root", words: str = "") -> str:
        """An agent by way of the jump host."""
        return self.agent(user, words, f"-J root@{JUMP} {options}")

    def tap_at_jump(self) -> socket.socket:
        """All that comes to the jump host from now on, from the IP header on."""
        tap = self._jump.open_socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        tap.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE: read at the end
        return tap


PATH = "PATH=$PATH:/usr/sbin:/sbin; "


def run(where: Namespace, script: str) -> str:
    """Run a shell script in a namespace, and return what it printed."""
    status, printed = where.run(["/bin/sh", "-ec", PATH + script])
    assert status == 0, printed
    return printed
