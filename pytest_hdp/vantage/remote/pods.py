"""A pod as a far host: `kubectl=...`, by a container of its own or by one that `debug=IMAGE` puts beside it."""

from __future__ import annotations

import re
import secrets
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_hdp.vantage.remote.access import (
    OUR_WORDS,
    Remedies,
    Wanted,
    reason_of,
    split,
    wanted,
)
from pytest_hdp.vantage.remote.launcher import loader

if TYPE_CHECKING:
    from pytest_hdp.vantage.remote.access import Advice
    from pytest_hdp.vantage.remote.launcher import NotStarted, Terms

SYNTAX = f"kubectl={OUR_WORDS} [-n NAMESPACE] [-c CONTAINER] [--context CONTEXT] [debug=IMAGE] POD"
_LABEL = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_OPTIONS = {
    "-n": "namespace",
    "--namespace": "namespace",
    "-c": "container",
    "--container": "container",
    "--context": "context",
}
_TAKES = {
    "namespace": re.compile(_LABEL),
    "container": re.compile(_LABEL),
    "context": re.compile(r"[^-\s]\S{0,252}"),
    "debug": re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}"),
}
_POD = re.compile(rf"((pods?|po)/)?{_LABEL}")
_BESIDE = "python:3-slim"

# What kubectl says, in lower case, of each trouble.
_NO_CLUSTER = ("was refused - did you specify", "unable to connect to the server", "couldn't get current server api")
_NO_CONTEXT = ("context was not found", "error: context ", "no configuration has been provided")
_ABSENT = ("pods ", "not found")
_FORBIDDEN = ("is forbidden", "you must be logged in", "unauthorized")
_NO_PYTHON = ("executable file", "no such file or directory", "exit code 127", "exit code 126")
_STOPPED = ("container not found", "cannot exec into a container in a completed pod", "is not running", "not created")
_NO_SUCH_CONTAINER = ("is not valid for pod",)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that kubectl reaches. `options`: namespace, container, context and debug, those that were given."""

    pod: str
    words: Wanted
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As it was asked for."""
        namespace = self.options.get("namespace")
        return f"kubectl=-n {namespace} {self.pod}" if namespace else f"kubectl={self.pod}"

    @property
    def terms(self) -> Terms:
        """What the agent may do there."""
        return self.words.terms

    @property
    def command(self) -> list[str]:
        """The command line of kubectl; all that it prints of its own goes to the standard error, or is left out."""
        given = self.options
        where = [f"--{each}={given[each]}" for each in ("context", "namespace") if each in given]
        inside = given.get("container")
        there = ["--", *loader(self.words.python)]
        if "debug" not in given:
            container = [f"--container={inside}"] if inside else []
            return ["kubectl", "exec", "-i", *where, *container, self.pod, *there]
        target = [f"--target={inside}"] if inside else []
        beside = [f"--image={given['debug']}", f"--container=hdp-{secrets.token_hex(4)}", "--profile=netadmin"]
        return ["kubectl", "debug", "-i", "--quiet", *where, *beside, *target, self.pod, *there]

    @property
    def install(self) -> str:
        """What to do where there is no kubectl."""
        return "install kubectl"

    def is_busy(self, _: str) -> bool:
        """A kubectl that is refused is not asked again."""
        return False

    def reason(self, error: NotStarted) -> str:
        """What is wrong and what to do."""
        again = "is the image being pulled? Try again" if "debug" in self.options else "does it answer by hand?"
        remedies = Remedies(
            without_raw=f"may not be opened in it, it lacks root or NET_RAW: {self._allowing}",
            advice=self._advice,
            no_python=self._no_python,
            unanswered=f"{again}: {shlex.join(self._by_hand)}",
        )
        return reason_of("kubectl", error, remedies)

    @property
    def _by_hand(self) -> list[str]:
        where = [word for each in ("context", "namespace") if each in self.options for word in self._where(each)]
        return ["kubectl", "describe", *where, "pod", self.pod.rpartition("/")[2]]

    def _where(self, option: str) -> tuple[str, ...]:
        return (f"--{option}={self.options[option]}",)

    @property
    def _advice(self) -> Advice:
        return (
            (_NO_CONTEXT, "kubectl knows no such context: see kubectl config get-contexts"),
            (_NO_CLUSTER, "the cluster can't be reached: see kubectl cluster-info"),
            (_FORBIDDEN, "the cluster does not let you: see kubectl auth can-i create pods/exec"),
            (_NO_SUCH_CONTAINER, f"there is no such container in it: see {shlex.join(self._by_hand)}"),
            (_STOPPED, f"it is not running: see {shlex.join(self._by_hand)}"),
            (_NO_PYTHON, self._no_python),
            (_ABSENT, "there is no such pod: see kubectl get pods -A, and give its namespace with -n"),
        )

    @property
    def _no_python(self) -> str:
        image = self.options.get("debug")
        if image is not None:
            return f"there is no {self.words.python} in {image}: debug={_BESIDE} has one"
        return (
            f"there is no {self.words.python} in it: put a container that has one beside it, debug={_BESIDE}, "
            "or name it with python=PATH"
        )

    @property
    def _allowing(self) -> str:
        if "debug" in self.options:
            return "the namespace's pod security has to allow NET_RAW, see kubectl describe namespace"
        return (
            f"put a container that has it beside it, debug={_BESIDE}, or give it one: "
            "securityContext.capabilities.add: [NET_RAW]"
        )


def parse(text: str) -> Pod:
    """Read what follows `kubectl=`. Raises ValueError, one line."""
    words = split("kubectl", text, SYNTAX)
    mine: list[str] = []
    given: dict[str, str] = {}
    while len(words) > 1:
        option, equals, value = words[0].partition("=")
        taken = 1
        if option in _OPTIONS and not equals:
            value, taken = words[1], 2
        elif not equals or (option not in _OPTIONS and option != "debug"):
            mine.append(words.pop(0))
            continue
        field_name = _OPTIONS.get(option, option)
        if not _TAKES[field_name].fullmatch(value):
            raise ValueError(f"kubectl={text}: {value!r} is no {_called(field_name)}; it is {SYNTAX}")
        given[field_name] = value
        del words[:taken]
    asked = wanted(mine)
    if mine:
        raise ValueError(f"kubectl={text}: {mine[0]!r} is no option of it; it is {SYNTAX}")
    if not words or not _POD.fullmatch(words[0]):
        raise ValueError(f"kubectl={text} names no pod; it is {SYNTAX}")
    return Pod(words[0], asked, given)


def _called(option: str) -> str:
    return "image" if option == "debug" else option
