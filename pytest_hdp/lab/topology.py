"""A lab: the path of a specification, built of network namespaces, there for as long as it is open."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import socket
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab import batch
from pytest_hdp.lab.boxes import USUAL, Box, Traffic, Where
from pytest_hdp.lab.layout import Layout, layout
from pytest_hdp.lab.namespaces import (
    FORWARDING,
    SYSCTLS,
    WITHOUT_IPV6,
    Jobs,
    await_address,
    checksum_in_software,
    has_ipv6,
    notice_link,
)
from pytest_hdp.lab.relays import RelayProcess
from pytest_hdp.lab.requirements import LabUnavailable, program, refused
from pytest_hdp.lab.versions import VERSIONS
from pytest_hdp.lab.wires import Wire
from pytest_hdp.vantage.interrupts import interrupts_later
from pytest_hdp.vantage.netns.supervisor import NamespacesUnavailable, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from pytest_hdp.judge.result import Hop
    from pytest_hdp.lab.nodes import Link, Port
    from pytest_hdp.lab.truth import Truth
    from pytest_hdp.vantage.netns.supervisor import Namespace


@dataclass(frozen=True, slots=True)
class LabSpec:
    """A lab by name: what stands between client and target, in order. Build it with `Lab(spec)`."""

    name: str
    description: str
    boxes: tuple[Box, ...]
    ip_version: int = 4

    def over(self, ip_version: int) -> LabSpec:
        """Return the same lab, whose addresses and truth are those of this version of IP. What is built has both."""
        return replace(self, ip_version=ip_version)

    @property
    def has_twin(self) -> bool:
        """Whether it is a box beside its twin, of which `suites/containment` asks what gets out."""
        return any(box.contains for box in self.boxes)

    @property
    def layout(self) -> Layout:
        """Where everything is. Raises ValueError if the boxes make no path."""
        return layout(self.boxes).over(self.ip_version)

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Truth about a train of this number, from end to end."""
        return self.layout.expected(protocol, direction, form, traffic)


class Lab:
    """A lab that stands while this context manager is open, and not a moment longer than this process.

    `client`, `target` and `second_client` (None where no box translates) are the names of nodes; `client_address`
    and `target_address` where they are reached, `outside_address` the one under which the target knows the client.
    All that is of the specification's version of IP; what is built speaks both. `hops`: the routers by TTL. `seed`: of
    all chance in the boxes.
    Raises LabUnavailable on entering: one line that says which lab needs what.
    """

    client = "client"
    target = "target"

    def __init__(self, spec: LabSpec, *, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed
        self.layout = spec.layout
        self.boxes = spec.boxes
        self.second_client = "second" if self.layout.second_link else None
        self.target_address = self.layout.target_address
        self.client_address = self.layout.client_address
        self.outside_address = self.layout.outside_address
        self.hops: list[Hop] = self.layout.hops()
        self._supervisor: Supervisor | None = None
        self._namespaces: dict[str, Namespace] = {}
        self._relays: list[RelayProcess] = []

    def __enter__(self) -> Self:
        for needed in ("ip", "nft") if any(box.rules for box in self.boxes) else ("ip",):
            program(needed, self.spec.name)
        try:
            with interrupts_later():
                self._supervisor = Supervisor()
                self._build(self._supervisor)
        except NamespacesUnavailable as error:
            raise LabUnavailable(f"lab {self.spec.name} needs network namespaces: {error}") from error
        except OSError as error:
            self.close()
            raise refused(self.spec.name, "links between network namespaces", str(error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the lab down, with everything that runs in it. May be called again."""
        with interrupts_later():
            for relay in self._relays:
                relay.close()
            self._relays.clear()
            self._namespaces.clear()
            if self._supervisor is not None:
                self._supervisor.close()
                self._supervisor = None

    def expected(self, protocol: int, direction: Direction, form: Form, traffic: Traffic = USUAL) -> Truth:
        """Truth about a train of this number, from end to end."""
        return self.layout.expected(protocol, direction, form, traffic)

    def socket_factory(self, node: str) -> Callable[[int, int, int], socket.socket]:
        """What opens sockets at this node: `Station(lab.socket_factory(lab.client))`. KeyError: no such node."""
        return self._namespaces[node].open_socket

    def namespace(self, node: str) -> Namespace:
        """The namespace of a node, or of all wires ("wires"). KeyError if there is none."""
        return self._namespaces[node]

    @property
    def pid(self) -> int:
        """The process that holds the namespaces, for `nsenter --user --target PID` as an ordinary user."""
        if self._supervisor is None:
            raise ValueError("this lab is not open")
        return self._supervisor.pid

    def namespace_path(self, node: str) -> str:
        """A file that is this node's namespace, for `nsenter --net=PATH`, as long as this process has the lab open."""
        return f"/proc/{os.getpid()}/fd/{self._namespaces[node].descriptor}"

    def run(self, node: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Run a command at a node with this process's standard streams, and wait for it.

        `env`: added to this process's environment, beside HDP_TARGET, the target's address. Returns the exit
        status, or minus the signal. Raises OSError: ENOENT if there is no such program.
        """
        found = shutil.which(argv[0])
        if found is None:
            raise FileNotFoundError(2, "no such program", argv[0])
        environment = {**os.environ, "HDP_TARGET": self.target_address, **(env or {})}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return self._namespaces[node].start([found, *argv[1:]], env=environment).wait()

    def _build(self, supervisor: Supervisor) -> None:
        usual, over6 = self.layout.over(4), self.layout.over(6)
        links, ipv6 = usual.all_links, has_ipv6()
        nodes = [*self.layout.nodes, *(["second"] if self.second_client else [])]
        nodes += ["uplink"] if self.layout.uplink else []
        if any(link.wires for link in links):
            nodes.append("wires")
        for node in nodes:
            self._namespaces[node] = supervisor.namespace()
            self._set_sysctls(node)
        self._start_relays()  # a Python takes time to start: meanwhile the rest is built
        jobs = Jobs(self.spec.name)
        for node, box in self._placed():
            if rules := box.rules + (box.rules6 if ipv6 else ""):
                jobs.nft(self._namespaces[node], rules, box.features)
        self._add_links(jobs, links, supervisor.namespace())
        jobs.wait()
        layouts = (usual, over6)[: 1 + ipv6]
        self._address(jobs, nodes, layouts)
        if (uplink := self.layout.uplink) is not None:
            for each in layouts:
                lines = uplink.settings(each.client_address, each.ip_version)
                jobs.ip(self._namespaces[self.client], lines, (), uplink.features, each.ip_version)
            jobs.wait()
        self._set_sysctls_of_boxes()
        for relay in self._relays:
            relay.go()
        for relay in self._relays:
            relay.wait(self.spec.name)

    def _address(self, jobs: Jobs, nodes: Sequence[str], layouts: Sequence[Layout]) -> None:
        """Give all nodes their addresses, neighbours and routes, of IPv4 and, if there is a second layout, of IPv6."""
        usual, *others = layouts
        if not self._has_ipv6():
            others = []
        with contextlib.ExitStack() as opened:
            bound: list[tuple[Port, socket.socket]] = []
            for node in nodes:
                for port in batch.ports(node, layouts[-1].all_links):
                    family = socket.AF_INET6 if others else socket.AF_INET
                    each = self._namespaces[node].open_socket(family, socket.SOCK_DGRAM, 0)
                    bound.append((port, opened.enter_context(each)))
                    checksum_in_software(each, port.interface)
                jobs.ip(self._namespaces[node], batch.settings(node, usual))
            jobs.wait()
            for port, each in bound:
                notice_link(each, port.interface)
            for node in nodes:
                lines = itertools.chain(
                    batch.activation(node, usual.all_links), *(batch.settings6(node, over) for over in others)
                )
                jobs.ip(self._namespaces[node], lines)
            jobs.wait()
            for port, each in bound if others else ():
                await_address(each, port.address)

    def _has_ipv6(self) -> bool:
        """Whether this kernel has IPv6: without it a lab is of IPv4 alone."""
        try:
            self._namespaces[self.client].open_socket(socket.AF_INET6, socket.SOCK_DGRAM, 0).close()
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                return False
            raise
        return True

    def _placed(self) -> Iterator[tuple[str, Box]]:
        """The boxes that are not on a wire, with their nodes."""
        at = {Where.CLIENT: self.client, Where.TARGET: self.target, Where.BESIDE: "uplink"}
        routers = iter(self.layout.nodes[1:-1])
        for box in self.boxes:
            if box.where is Where.ROUTER:
                yield next(routers), box
            elif box.where is not Where.WIRE:
                yield at[box.where], box

    def _set_sysctls(self, node: str) -> None:
        more = {batch.WIRES: WITHOUT_IPV6, "client": {}, "target": {}, "second": {}}.get(node, FORWARDING)
        values = {**SYSCTLS, **more}
        try:
            self._namespaces[node].set_sysctls(values)
        except OSError as error:
            raise refused(self.spec.name, "settings per namespace", str(error)) from error

    def _set_sysctls_of_boxes(self) -> None:
        for node, box in self._placed():
            try:
                self._namespaces[node].set_sysctls(box.sysctls)
            except OSError as error:
                told = ", ".join(f"{name} = {value}" for name, value in box.sysctls.items())
                raise refused(self.spec.name, f"the settings {told} of box {box.name}", str(error)) from error

    def _add_links(self, jobs: Jobs, links: Sequence[Link], where: Namespace) -> None:
        """Make all veth pairs with one program, each end right where it belongs.

        It runs where no interface is ever made: kernels up to 6.12 at least refuse a name that is taken in the
        namespace of who asks, and not in the one that the interface is for (__rtnl_newlink in net/core/rtnetlink.c).
        """
        descriptors = {name: number for number, name in enumerate(self._namespaces, 3)}
        jobs.ip(where, batch.link_lines(links, descriptors), [each.descriptor for each in self._namespaces.values()])

    def _start_relays(self) -> None:
        """Start a relay for each box on a wire. It may speak for the nodes beyond, over either version of IP."""
        both = zip(*(self.layout.over(each).links for each in VERSIONS), strict=True)
        for number, links in enumerate(both):
            for place, box in enumerate(links[0].wires):
                name = batch.wire_name(number, place)
                configuration = {
                    "left": f"{name}l",
                    "right": f"{name}r",
                    "seed": f"{self.seed}/{number}/{place}",
                    "left_addresses": [link.left.address for link in links],
                    "right_addresses": [link.right.address for link in links],
                    "behaviours": [box.behaviour] if isinstance(box, Wire) and box.behaviour else [],
                }
                self._relays.append(RelayProcess(self._namespaces["wires"], configuration, box.features))
