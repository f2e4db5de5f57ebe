"""What all our own tests share: repeatable property tests in CI, programs that tests need, and a count of skips."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]
BRIEF = os.environ.get("TESTS_PROFILE") == "brief"
"""CI, as a second user: only what may depend on who runs it; fewer numbers and instants in some of that."""
collect_ignore = (
    [
        "unit",
        "browser",
        "world",
        "kernel/ssh",
        "kernel/reach",
        "kernel/lab/test_paths.py",
        "kernel/lab/test_uplinks.py",
        "kernel/lab/test_wires.py",
        "kernel/vantage/test_filters.py",
    ]
    + [
        f"kernel/ipv6/test_{name}.py"
        for name in [
            "facts_filters6",
            "facts_target6",
            "filters6",
            "headers6",
            "hdp6",
            "latency_labels6",
            "link_local6",
            "path6",
            "situations6",
        ]
    ]
    + [
        f"kernel/test_{name}.py"
        for name in [
            "agentless",
            "agentless_run",
            "aimed",
            "capture_run",
            "ci_command",
            "ci_workflow",
            "compositions",
            "containment",
            "containment_counts",
            "containment_fragments",
            "containment_gone",
            "containment_inward",
            "containment_rules",
            "control",
            "dissector",
            "extension_headers",
            "far_words",
            "first_packet",
            "hostile_far_end",
            "inventory",
            "lab_suite",
            "latency",
            "latency_coverage",
            "latency_equal_cost",
            "latency_paths",
            "latency_together",
            "leisure",
            "locate",
            "netns_path",
            "observers",
            "order",
            "places",
            "provider_profiles",
            "sandboxes",
            "second_source",
            "shared_limit",
            "strangers",
            "translators",
            "truth",
            "unmeasured",
            "vantage_points",
            "views_agree",
            "whose_word",
        ]
    ]
    + [
        f"plugin/test_{name}.py"
        for name in [
            "bad_input",
            "comparing_docs",
            "extension_headers",
            "failed_asserts",
            "grouping",
            "hints",
            "hostile",
            "latency",
            "needs",
            "options",
            "other_plugins",
            "packaging",
            "pytest_ways",
            "reports",
            "terminal",
            "user_project",
            "without_effect",
        ]
    ]
    if BRIEF
    else []
)

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True, max_examples=25)  # always the same
settings.register_profile("night", deadline=None, print_blob=True, max_examples=300)
settings.register_profile("here", deadline=None)
settings.register_profile("brief", settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("TESTS_PROFILE") or ("ci" if os.environ.get("CI") else "here"))


NIGHT = pytest.StashKey[int]()
"""How many tests were left out."""
PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ping": "iputils-ping",
}
"""Debian's package of each program whose package has another name."""
os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"  # where nft is


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("PYTEST_ADDOPTS", None)  # read by now; a run that a test starts would write the same JUnit file
    config.addinivalue_line("markers", "needs(*programs): skip the test where one of these programs is not installed")
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:  # a shell's background: what is started here would ignore it too
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    config.addinivalue_line(
        "markers",
        "night(*ids, but=()): a test that .ci/night runs, or whoever asks for such tests alone; with ids (as fnmatch"
        " takes them) only those of its parameters, with `but` all the others",
    )
    config.addinivalue_line("markers", "long: a test of ten seconds and more begins before all others, on its worker")


def pytest_sessionstart(session: pytest.Session) -> None:
    """In a fresh checkout, have pytest compile the tests once, before each worker would do it beside the others.

    Two processes share it; what they leave is what pytest's rewriting of `assert` keeps beside the modules.
    """
    tests = Path(__file__).parent
    fresh = not any((tests / "unit").glob("*/__pycache__/*-pytest-*.pyc"))
    kept = not sys.dont_write_bytecode and os.access(tests / "unit", os.W_OK)
    if not (fresh and kept and session.config.getoption("numprocesses", None)):
        return
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-pno:cacheprovider", "-pno:xdist"]
    halves = ["unit", "world"], ["kernel", "plugin", "browser"]
    started = [
        subprocess.Popen(
            [*collect, *(str(tests / each) for each in half)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for half in halves
    ]
    for each in started:
        each.wait()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take the mark `night` from parameters that it does not name: of some tests a commit needs one kind of each."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        given = item.callspec.id
        item.own_markers[:] = [
            mark for mark in item.own_markers if mark.name != "night" or _is_nights(given, *mark.args, **mark.kwargs)
        ]


def _is_nights(given: str, *ids: str, but: Sequence[str] = ()) -> bool:
    return any(fnmatchcase(given, each) for each in ids or "*") and not any(fnmatchcase(given, each) for each in but)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the night, and share out what takes long among the workers, as their first tests.

    Alone at the end, that would be waited for.
    """
    night = [item for item in items if item.get_closest_marker("night")]
    if len(night) < len(items):
        items[:] = [item for item in items if not item.get_closest_marker("night")]
        config.stash[NIGHT] = len(night)
        if night:
            config.hook.pytest_deselected(items=night)
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    together: dict[Path, list[pytest.Item]] = {}  # a file's have fixtures in common
    for item in items:
        if item.get_closest_marker("long"):
            together.setdefault(item.path, []).append(item)
    rest = iter([item for item in items if not item.get_closest_marker("long")])
    shares = [[item for each in islice(together.values(), at, None, workers) for item in each] for at in range(workers)]
    left, ordered = len(items), []
    for at, share in enumerate(shares):  # in parts as large as those that xdist's "worksteal" begins with
        size = left // (workers - at)
        ordered += [*share, *islice(rest, max(0, size - len(share)))]
        left -= size
    items[:] = [*ordered, *rest]


@pytest.fixture(autouse=True)
def _state_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test knows of a run that another one made, nor of one of the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, before any fixture is made, a test that needs a program which this machine does not have."""
    wanted = dict.fromkeys(program for marker in item.iter_markers("needs") for program in marker.args)
    missing = [PACKAGES.get(program, program) for program in wanted if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt install {' '.join(missing)}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell xdist's controller, which collects nothing."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["night"] = session.config.stash.get(NIGHT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Hear it from a worker."""
    node.config.stash[NIGHT] = getattr(node, "workeroutput", {}).get("night", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests did not run for want of a privilege ("privilege: ...") or a program ("needs ...: ...").

    "optional ...: ..." is what CI does not install, such as a daemon that edits the machine's own rules.
    """
    told = [report.longrepr for report in terminalreporter.stats.get("skipped", [])]
    reasons = [str(each[-1]).removeprefix("Skipped: ") for each in told if isinstance(each, tuple)]
    beginnings = [reason.partition(":")[0] for reason in reasons]
    counted = Counter(each for each in beginnings if each == "privilege" or each.startswith(("needs ", "optional ")))
    for beginning, count in sorted(counted.items()):
        terminalreporter.write_line(f"{beginning}: {count} tests did not run for want of it", yellow=True)
    if night := terminalreporter.config.stash.get(NIGHT, 0):
        terminalreporter.write_line(f"night: {night} tests are left to .ci/night, or to `pytest -m night tests`")
