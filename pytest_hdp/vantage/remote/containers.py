"""A container as a far host: `docker=NAME`, `podman=NAME`, `lxc=NAME`, and why it refuses an agent."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.vantage.remote.access import (
    OUR_WORDS,
    Remedies,
    Wanted,
    is_name,
    reason_of,
    split,
    wanted,
)
from pytest_hdp.vantage.remote.launcher import loader

if TYPE_CHECKING:
    from pytest_hdp.vantage.remote.access import Advice
    from pytest_hdp.vantage.remote.launcher import NotStarted, Terms

ENGINES = ("docker", "podman", "lxc")


@dataclass(frozen=True, slots=True)
class _Client:
    """A client's words, in which {} stands for the container: to run something in it as root, to list, start it ...

    `pid`: to tell the number of its first process.
    """

    run: str
    listing: str
    start: str
    resume: str
    pid: str

    def running(self, label: str) -> list[str]:
        return self.run.format(label).split()


def _like_docker(engine: str) -> _Client:
    """As root in the container: what its image runs as may open no raw sockets."""
    return _Client(
        f"{engine} exec -i --user=0 {{}}",
        f"{engine} ps -a",
        f"{engine} start {{}}",
        f"{engine} unpause {{}}",
        f"{engine} inspect -f '{{{{{{{{.State.Pid}}}}}}}}' {{}}",
    )


_LXC = _Client(
    "lxc-attach --clear-env -n {} --", "lxc-ls -f", "lxc-start -n {}", "lxc-unfreeze -n {}", "lxc-info -n {} -pH"
)
_LXD = _Client(
    "lxc exec --mode=non-interactive {} --",
    "lxc list",
    "lxc start {}",
    "lxc start {}",
    "lxc query /1.0/instances/{}/state | jq .pid",
)

# What the engines' clients say, in lower case, of each trouble.
_ABSENT = (
    "no such container",
    "no container with name or id",
    "not found: instance",
    "is not defined",
    "doesn't exist",
)
_STOPPED = (
    "is not running",
    "can only create exec sessions on running containers",
    "instance is not running",
)
_UNKNOWN = ("failed to get init pid",)  # lxc-attach tells one that has ended from one that never was in no way
_PAUSED = ("is paused", "container is frozen", "unpause the container")
_NO_DAEMON = ("cannot connect to the docker daemon", "error during connect", "cannot connect to podman", "dial unix")
_FORBIDDEN = ("permission denied while trying to connect", "got permission denied")
_NO_PYTHON = ("executable file", "no such file or directory")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of an engine. `label`: its name, after those of a remote of LXD's if it has one."""

    engine: str
    label: str
    words: Wanted

    @property
    def name(self) -> str:
        """As it was asked for."""
        return f"{self.engine}={self.label}"

    @property
    def terms(self) -> Terms:
        """What the agent may do there."""
        return self.words.terms

    @property
    def command(self) -> list[str]:
        """The client's command line."""
        return [*self._client.running(self.label), *loader(self.words.python)]

    @property
    def install(self) -> str:
        """What to do where there is no client."""
        if self.engine == "lxc":
            return "install LXC, or LXD's client, or write all of it: command='incus exec box -- python3'"
        return f"install {self.engine}'s client, or ask from a host that has it"

    @property
    def _client(self) -> _Client:
        if self.engine != "lxc":
            return _like_docker(self.engine)
        return _LXC if shutil.which("lxc-attach") and not shutil.which("lxc") else _LXD

    def is_busy(self, _: str) -> bool:
        """A client that is refused is not asked again."""
        return False

    def reason(self, error: NotStarted) -> str:
        """What is wrong and what to do."""
        remedies = Remedies(
            without_raw=f"may not be opened in it, it lacks NET_RAW: {self._allowing}, or {self._from_outside}",
            advice=self._advice,
            no_python=self._no_python,
            unanswered=f"does its daemon answer ({self._client.listing})?",
        )
        return reason_of(self.command[0], error, remedies)

    @property
    def _advice(self) -> Advice:
        return (
            (_FORBIDDEN, "you may not speak to its daemon: run pytest as root, or as a user of the daemon's group"),
            (_NO_DAEMON, "its daemon can't be reached: is it running?"),
            (_ABSENT, f"there is no such container, or it is another user's: {self._client.listing} tells yours"),
            (_PAUSED, f"it is paused: {self._client.resume.format(self.label)}"),
            (_UNKNOWN, f"it is not running, or there is none: {self._client.start.format(self.label)}"),
            (_STOPPED, f"it is not running: {self._client.start.format(self.label)}"),
            (_NO_PYTHON, self._no_python),
        )

    @property
    def _no_python(self) -> str:
        return (
            f"there is no {self.words.python} in it: install Python 3.8 or later, name it with python=PATH, "
            f"or {self._from_outside}"
        )

    @property
    def _allowing(self) -> str:
        if self.engine == "lxc":
            return "leave it out of lxc.cap.drop"
        return (
            "start it with --cap-add=NET_RAW, or be privileged in it as it is: "
            f'command="{self.engine} exec --privileged -i -u 0 {self.label} {self.words.python}"'
        )

    @property
    def _from_outside(self) -> str:
        """How its network is entered with the Python of the host."""
        return f"enter its network from the host, as root: netns=pid:$({self._client.pid.format(self.label)})"


def parse(engine: str, text: str) -> Container:
    """Read what follows `docker=`, `podman=` or `lxc=`. Raises ValueError, one line."""
    syntax = f"{engine}={OUR_WORDS} NAME"
    words = split(engine, text, syntax)
    asked = wanted(words)
    remote, colon, label = words[-1].rpartition(":") if words else ("", "", "")
    if len(words) != 1 or not is_name(label) or (colon and not (engine == "lxc" and is_name(remote))):
        raise ValueError(f"{engine}={text} names no container; it is {syntax}")
    return Container(engine, words[0], asked)
