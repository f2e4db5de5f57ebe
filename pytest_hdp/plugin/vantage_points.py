"""pytest-xdist's workers: what the controlling process tells them, and whether each is a vantage point of its own.

Under `--dist each` every worker runs every test, from where it is: then it measures by itself, and its results bear its
name, the `id=` of its `--tx`. Under any other `--dist` the workers share one measurement, and are no vantage points.
"""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_hdp import __version__
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.plugin.options import Settings

BEGUN: pytest.StashKey[int] = pytest.StashKey()
"""How many vantage points were started."""

_SETTINGS = "hdp_settings"
_VERSION = "hdp_version"
VANTAGE = "hdp_vantage"
_SPEC = "hdp_spec"
_BRIEFED = "hdp_briefed"
REFUSED = "hdp_refused"
"""In what a worker leaves: why it refused to measure."""
_ERROR = re.compile(r"\w+(\.\w+)*Error: |-c: error: ")  # how Python ends a traceback, and argparse its usage
_OWN_MODEL = "execmodel=main_thread_only//"  # what xdist puts before the text of a --tx


def brief(node: Any, settings: Settings) -> None:
    """Tell an xdist worker this run's settings: a far one has neither our environment nor our files."""
    node.config.stash[BEGUN] = node.config.stash.get(BEGUN, 0) + 1
    node.workerinput[_VERSION] = __version__
    node.workerinput[_SETTINGS] = pickle.dumps(settings)
    if is_each(node.config):
        node.workerinput[VANTAGE] = str(node.gateway.id)
        node.workerinput[_SPEC] = raw(node.gateway.spec)


def keep_names(config: pytest.Config) -> None:
    """Let xdist start no second worker in a vantage point's place: it would bear another name, and try for ever."""
    if is_each(config) and config.getoption("maxworkerrestart", None) is None:
        config.option.maxworkerrestart = "0"


def unreachable(config: pytest.Config, error: Exception) -> str | None:
    """One line for what xdist ends in when a vantage point can't be started; None for any other error."""
    if not is_each(config) or not (isinstance(error, OSError) or type(error).__name__ == "HostNotFound"):
        return None
    specs = config.getoption("tx", None) or []
    begun = config.stash.get(BEGUN, 0)
    which = specs[begun] if begun < len(specs) else "one of the vantage points"
    return safe(f"--tx={which} can't be started ({error}): is the host there, may you log in, is its python= there?")


def raw(spec: Any) -> str:
    """A --tx as it was typed."""
    return str(spec).removeprefix(_OWN_MODEL)


def refused(node: Any) -> str | None:
    """Why a worker that has ended refused to measure, in a line; None if it did not."""
    told: str | None = getattr(node, "workeroutput", {}).get(REFUSED)
    return told


def unfit(node: Any, error: object) -> str | None:
    """One line for a vantage point that died before it was ready for tests, or where pytest found none of ours."""
    output = getattr(node, "workeroutput", {_BRIEFED: True})
    if error and not hasattr(node, "workerinfo") and "rerunfailures" in str(error):
        return "pytest-rerunfailures connects from there to this host's loopback, which is another: -p no:rerunfailures"
    if error and not hasattr(node, "workerinfo"):
        lines = [line.strip() for line in str(error).splitlines()]
        said = next((line for line in reversed(lines) if _ERROR.match(line)), "it died")
    elif output.get("exitstatus") == pytest.ExitCode.USAGE_ERROR and _BRIEFED not in output:
        said = "there is no such test there, and no pytest-hdp"  # which xdist does not tell: it is done with it
    else:
        return None
    python = node.gateway.spec.python or "python"
    return safe(
        f"{said}: it needs Python 3.11 or later with the same packages as here: "
        f"{python} -m pip install pytest-hdp=={__version__}"
    )


def is_each(config: pytest.Config) -> bool:
    """Whether each worker is a vantage point of its own."""
    return bool(config.getoption("dist", "no") == "each")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def briefed(config: pytest.Config) -> Settings | str:
    """The settings that a worker was told; one line if they are of another version of pytest-hdp."""
    config.workeroutput[_BRIEFED] = True  # type: ignore[attr-defined]
    told = config.workerinput.get(_VERSION)  # type: ignore[attr-defined]
    if told != __version__:
        return f"pytest-hdp {__version__} is installed there, and {told} here: install the same version"
    settings: Settings = pickle.loads(config.workerinput[_SETTINGS])  # type: ignore[attr-defined]  # noqa: S301 (xdist runs that process's code here anyway)
    return settings


def vantage_of(config: pytest.Config) -> str | None:
    """The name of the vantage point that this process is, if it is one of several."""
    name: str | None = getattr(config, "workerinput", {}).get(VANTAGE)
    return name


def vantage_of_report(report: pytest.TestReport) -> str | None:
    """The vantage point that a report came from, in the process that the user started."""
    name: str | None = getattr(getattr(report, "node", None), "workerinput", {}).get(VANTAGE)
    return name


def only_here(config: pytest.Config) -> list[str]:
    """The options that run a test again from this vantage point alone; none if there are not several."""
    spec = getattr(config, "workerinput", {}).get(_SPEC)
    return ["--dist=each", f"--tx={spec}"] if spec is not None else []


def named(config: pytest.Config, text: str) -> str:
    """A line about this process, which says of which vantage point it is where there are several."""
    name = vantage_of(config)
    return text if name is None else f"{name}: {text}"
