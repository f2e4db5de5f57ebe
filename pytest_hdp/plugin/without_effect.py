"""An option that was typed and that none of the collected tests can use: refused in one line, before anything is sent.

A gate that nobody passes through is open. What the environment or an ini file says may serve several suites, and is
not held against one of them; nor is what -k or -m leave out, or --lf, which runs what failed of an earlier choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pytest

from pytest_hdp.judge.verdict import SHAPED_FORMS
from pytest_hdp.plugin.boxes import CONTAINMENT
from pytest_hdp.plugin.chains import HEADERS
from pytest_hdp.plugin.collection import LOOPBACK, SETTINGS, asked_of, path_key_of
from pytest_hdp.plugin.marker import marked
from pytest_hdp.plugin.options import Settings

TWICE = "source twice"
"""What stands for the second of two sources, which fewer tests can use than the first."""
SHAPED = "form of fragments or options"
"""What stands for forms that are asked of boxes alone."""


@dataclass(frozen=True, slots=True)
class _Use:
    """`by`: whether a test can use an option; `asks`: what such a test does; `there`: where there are some."""

    by: Callable[[pytest.Item], bool]
    asks: str
    there: str


def _leaves_this_kernel(item: pytest.Item) -> bool:
    key = path_key_of(item)
    return bool(asked_of(item)) if key is None else not key.startswith(LOOPBACK)


def _starts_elsewhere(item: pytest.Item) -> bool:
    return (path_key_of(item) or "").partition("#")[2].startswith(("unsolicited", "second"))


def _measures_latency(item: pytest.Item) -> bool:
    return "hdp_latency" in getattr(item, "fixturenames", ())


_ON_A_PATH = _Use(_leaves_this_kernel, "sends to a target or through a lab", "suites/internet")
_LATENCY = _Use(_measures_latency, "measures latency", "suites/internet/test_latency.py")
_BOX = _Use(lambda item: marked(item).get("variant") == CONTAINMENT, "asks what leaves a box", "suites/containment")
_USES = {
    **dict.fromkeys(("target", "inventory", "agent", "source", "lab"), _ON_A_PATH),
    **dict.fromkeys(("latency-margin", "latency-pairs"), _LATENCY),
    **dict.fromkeys(("twin", "witness", "allow", "bound", "direction", SHAPED), _BOX),
    TWICE: _Use(
        _starts_elsewhere,
        "starts from a second host, which takes an agent at the target",
        "suites/internet/test_nat.py with --hdp-agent",
    ),
    "needs": _Use(lambda item: bool(marked(item).get("needs")), "asks what has to pass", "suites/cloud/test_needs.py"),
    "extension-headers": _Use(
        lambda item: marked(item).get("variant") == HEADERS,
        "asks about extension headers",
        "suites/internet/test_extension_headers.py",
    ),
}


def typed(config: pytest.Config, settings: Settings) -> tuple[str, ...]:
    """Which of these options stand on the command line itself. `settings`: what they say."""
    arguments = Counter(str(argument).partition("=")[0] for argument in config.invocation_params.args)
    found = {name for name in _USES if arguments[f"--hdp-{name}"]}
    found |= {TWICE} if arguments["--hdp-source"] > 1 else set()
    shaped = any(form in SHAPED_FORMS for form in settings.form or ())
    found |= {SHAPED} if arguments["--hdp-form"] and shaped else set()
    return tuple(name for name in _USES if name in found)


def unused(items: Iterable[pytest.Item], names: Iterable[str] = tuple(_USES)) -> list[str]:
    """Return those of the options that none of these tests can use."""
    items = list(items)
    return [name for name in names if not any(map(_USES[name].by, items))]


def misfit(config: pytest.Config, items: Sequence[pytest.Item]) -> str | None:
    """Return the line about a typed option that no test of those that were collected can use, or None."""
    if not items or config.getoption("lf", default=False):
        return None
    idle = unused(items, config.stash[SETTINGS].typed)
    return _line(idle[0]) if idle else None


def _line(name: str) -> str:
    use = _USES[name]
    return f"--hdp-{name}: none of these tests {use.asks}; {use.there} does"
