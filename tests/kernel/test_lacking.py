"""On a kernel that lacks something, each command works or ends at once, with one line that says what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.vantage.points import can_unshare

TOP = Path(__file__).parents[2]
LACKING = str(Path(__file__).with_name("lacking.py"))
LOOPBACK = ("suites/loopback/test_sweep.py", "suites/loopback/test_refusals.py")
NAT = ("suites/internet/test_sweep.py", "--hdp-lab=home-nat", "--hdp-protocols=47,253")
WIRE = ("suites/internet/test_sweep.py", "--hdp-lab=loss-5", "--hdp-protocols=47,253")
TARGET = ("suites/internet/test_sweep.py", "--hdp-target=198.51.100.2", "--hdp-protocols=253")
WITHOUT_CAPABILITIES = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []

pytestmark = pytest.mark.skipif(not can_unshare(), reason="privilege: neither root nor user namespaces")


class Done:
    """A command that has ended."""

    def __init__(self, command: list[str]) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        environment["PYTHONPATH"] = str(TOP)
        done = subprocess.run(
            command, cwd=TOP, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        self.status, self.printed = done.returncode, done.stdout + done.stderr

    @property
    def words(self) -> str:
        """What was printed, however the lines were folded."""
        return " ".join(self.printed.split())


def run_pytest(lack: str, *arguments: str, before: tuple[str, ...] = ()) -> Done:
    options = ("-q", "-p", "no:cacheprovider")
    return Done([*before, sys.executable, LACKING, lack, sys.executable, "-m", "pytest", *options, *arguments])


def run_hdp(lack: str, *arguments: str, before: tuple[str, ...] = ()) -> Done:
    return Done([*before, sys.executable, LACKING, lack, sys.executable, "-m", "pytest_hdp.cli", *arguments])


@pytest.mark.night
@pytest.mark.parametrize("lack", ["raw256", "pidfd,ipv6,nft"])
def test_loopback_is_as_expected_without(lack):
    done = run_pytest(lack, *LOOPBACK)
    assert done.status == 0, done.printed
    refused = 10 if "raw256" in lack else 3
    assert f"265 trains: {refused} refused at socket (expected)" in done.words


@pytest.mark.night
@pytest.mark.parametrize("arguments", [NAT, WIRE], ids=["NAT", "wire"])
def test_labs_are_built_without(arguments):
    done = run_pytest("raw256,pidfd,ipv6", *arguments)
    assert done.status == 0, done.printed
    assert "All as expected. 4 trains" in done.words


@pytest.mark.night(but=["packet loopback"])
@pytest.mark.parametrize(
    ("lack", "line", "arguments"),
    [
        ("packet", "packet sockets, which see", LOOPBACK),
        ("packet", "packet sockets, which see", WIRE),
        ("packet", "packet sockets, which see", TARGET),
        ("meminfo", "SO_MEMINFO, which", LOOPBACK),
    ],
    ids=["packet loopback", "packet lab", "packet target", "meminfo loopback"],
)
def test_what_everything_rests_on_is_missed_before_anything_runs(lack, line, arguments):
    done = run_pytest(lack, *arguments)
    assert (done.status, done.printed.count("ERROR")) == (4, 1), done.printed
    assert f"ERROR: this kernel lacks {line}" in done.printed
    assert len(done.printed.splitlines()) < 8, done.printed


@pytest.mark.parametrize(
    ("lack", "lab", "line"),
    [
        ("packet", "loss-5", "lab loss-5 needs a kernel with packet sockets with a receive ring: Address family not"),
        ("nft", "home-nat", "lab home-nat needs a kernel with connection tracking and nftables masquerade: "),
        ("netns", "transparent", "this kernel is built without one of CONFIG_NET_NS"),
    ],
)
def test_a_lab_that_cannot_be_had_says_so_in_a_line(lack, lab, line):
    done = run_hdp(lack, "lab", "run", lab, "--", "true")
    assert done.status == 3, done.printed
    assert line in done.printed
    assert len(done.printed.splitlines()) == 1, done.printed


@pytest.mark.night(but=["userns"])
@pytest.mark.parametrize("lack", ["userns", "userns_max"])
def test_an_ordinary_user_without_user_namespaces_is_told_what_to_allow(lack):
    lab = run_hdp(lack, "lab", "run", "transparent", "--", "true", before=tuple(WITHOUT_CAPABILITIES))
    assert (lab.status, len(lab.printed.splitlines())) == (3, 1), lab.printed
    loopback = run_pytest(lack, *LOOPBACK, before=tuple(WITHOUT_CAPABILITIES))
    assert (loopback.status, loopback.printed.count("ERROR")) == (4, 1), loopback.printed
    assert "allow user namespaces" in loopback.words


def test_listening_without_counters_is_refused_before_it_begins():
    done = run_hdp("meminfo", "listen", "253", "--count=1")
    assert (done.status, len(done.printed.splitlines())) == (4, 1), done.printed
    assert "this kernel lacks SO_MEMINFO" in done.printed


def test_the_wrapper_refuses():
    """Did it refuse nothing, all of the above would hold of an ordinary kernel alone."""
    ask = "from pytest_hdp.vantage.kernel import features, lacking; print(features(), lacking())"
    for lack, told in (("raw256,packet", "frozenset() packet sockets"), ("pidfd", "frozenset({'mptcp'}) None")):
        assert told in Done([sys.executable, LACKING, lack, sys.executable, "-c", ask]).printed
