"""How far hosts are named: `ssh=`, `docker=`, `podman=`, `lxc=`, `kubectl=`, `command=`, and testinfra's URLs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from pytest_hdp.vantage.remote import commands, containers, pods, ssh
from pytest_hdp.vantage.remote.far_host import FarHost

if TYPE_CHECKING:
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.remote.access import Access

PARSERS: dict[str, Callable[[str], Access]] = {
    "ssh": ssh.parse,
    **{engine: partial(containers.parse, engine) for engine in containers.ENGINES},
    "kubectl": pods.parse,
    "command": commands.parse,
}
_OF_A_URL = {"namespace": "-n", "container": "-c", "context": "--context", "debug": "debug="}
_EXAMPLES = {"ssh": "ssh://USER@HOST:PORT", "kubectl": "kubectl://POD?namespace=NS&container=C"}
_URL = re.compile(r"([a-z]+)://([^/?#]*)/?(?:\?([^#]*))?")
_PLACE = re.compile(r"(?:([^@]*)@)?(\[[0-9A-Fa-f:.]+\]|[^-:@][^:@]*)(?::([0-9]{1,5}))?")


def plain(text: str) -> str:
    """A specification, with a URL of testinfra's turned into our spelling. Raises ValueError, one line."""
    how, slashes, _ = text.partition("://")
    if not slashes or how not in PARSERS or how == "command":
        return text
    found = _URL.fullmatch(text)
    if found is None or (found[3] is not None and how != "kubectl"):
        raise ValueError(f"{text!r} is not {_EXAMPLES.get(how, f'{how}://NAME')}")
    where = unquote(found[2])
    if how == "ssh":
        return f"ssh={shlex.join(_login(where, text))}"
    if how != "kubectl":
        return f"{how}={shlex.quote(where)}"
    words: list[str] = []
    for key, value in parse_qsl(found[3] or "", keep_blank_values=True):
        if key not in _OF_A_URL:
            raise ValueError(f"{text!r}: {key!r} is not one of {', '.join(_OF_A_URL)}")
        words += [f"{_OF_A_URL[key]}{value}"] if key == "debug" else [_OF_A_URL[key], value]
    return f"kubectl={shlex.join([*words, where])}"


def _login(where: str, text: str) -> list[str]:
    found = _PLACE.fullmatch(where)
    if found is None or found[1] == "":
        raise ValueError(f"{text!r} is not {_EXAMPLES['ssh']}")
    user, host, port = found.groups()
    destination = f"{user}@{host.strip('[]')}" if user else host.strip("[]")
    return [*(["-p", port] if port else []), destination]


def parse(how: str, text: str) -> Access:
    """Read what follows `how=`. Raises ValueError, one line; KeyError for no way of these."""
    return PARSERS[how](text)


def far_host(
    how: str, text: str, peers: tuple[str, ...] = (), family: Family | None = None, *, unprivileged: bool = False
) -> FarHost:
    """The far host that `how=text` names. Raises ValueError, one line."""
    return FarHost(parse(how, text), peers, family, unprivileged=unprivileged)
