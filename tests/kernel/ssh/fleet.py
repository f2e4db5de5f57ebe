"""Several hosts on one segment, each with an sshd of its own, and a controller beside them."""

from __future__ import annotations

import os
from pathlib import Path

from managed import PATH, run
from ssh_hosts import SSH_CONFIG, Hosts, namespace_of, processes

from pytest_hdp.vantage.netns.supervisor import Namespace, Running, Supervisor

CONTROLLER = "198.51.100.1"


class Fleet(Hosts):
    """`count` hosts h1, h2 ... at 198.51.100.11, .12 ...; all end with the context."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.names = [f"h{number}" for number in range(1, count + 1)]
        self.addresses = {name: f"198.51.100.{10 + number}" for number, name in enumerate(self.names, 1)}
        self.known = (*self.names, *self.addresses.values())
        self.runs = 0
        self._sshd: dict[str, Running] = {}

    def __enter__(self) -> Fleet:
        self.write_files()
        hosts = "".join(f"Host {name}\n  HostName {address}\n" for name, address in self.addresses.items())
        (self.folder / "ssh_config").write_text(hosts + SSH_CONFIG.format(folder=self.folder))
        self.supervisor = Supervisor()
        try:
            self.switch = self.supervisor.namespace()
            run(self.switch, "ip link add br0 type bridge; ip link set br0 up; ip link set lo up")
            self._client = self._host("c", CONTROLLER)
            self.hosts = {name: self._host(name, address) for name, address in self.addresses.items()}
            self.serve_all()
        except BaseException:
            self.supervisor.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.close()

    @property
    def client(self) -> Namespace:
        return self._client

    def serve_at(self, name: str, *options: str) -> None:
        """Start the sshd of a host."""
        pid = [] if options else ["-o", f"PidFile={self.folder}/{name}.pid"]
        self._sshd[name] = self.start_sshd(self.hosts[name], *pid, *options)

    def serve_all(self) -> None:
        """Start the sshd of each host that has none."""
        for name in self.names:
            if name not in self._sshd:
                self.serve_at(name)

    def stop(self, name: str) -> None:
        """End the sshd of a host, and wait until it has ended."""
        run(self.hosts[name], f"kill $(cat {self.folder}/{name}.pid)")
        self._sshd.pop(name).wait()

    def agent_at(self, name: str) -> str:
        return f"ssh=-F {self.folder}/ssh_config root@{name}"

    def agent_of(self, name: str) -> int:
        """The process of the agent that is at a host."""
        (agent,) = self.processes_at(name, "an agent needs 3.8")
        return agent

    def processes_at(self, name: str, needle: str) -> list[int]:
        """The processes at a host whose command line holds this text."""
        here = os.fstat(self.hosts[name].descriptor).st_ino
        return [each for each in processes(needle) if namespace_of(each) == here]

    def inventory(self, **agents: str) -> str:
        """A file that names all hosts; `agents`: of some of them, in the place of the usual one, "" for none."""
        file = self.folder / "hosts.toml"
        tables = []
        for name, address in self.addresses.items():
            agent = agents.get(name, self.agent_at(name))
            tables.append(f'[[target]]\nname = "{name}"\naddress = "{address}"\n')
            tables += [f'agent = "{agent}"\n'] if agent else []
        file.write_text("".join(tables))
        return str(file)

    def _host(self, name: str, address: str) -> Namespace:
        host = self.supervisor.namespace()
        command = f"{PATH}ip link add {name} type veth peer name eth0 netns /proc/self/fd/3"
        assert self.switch.start(["/bin/sh", "-c", command], (0, 1, 2, host.descriptor)).wait() == 0
        run(self.switch, f"ip link set {name} master br0 up")
        run(host, f"ip addr add {address}/24 dev eth0; ip link set eth0 up; ip link set lo up")
        return host
