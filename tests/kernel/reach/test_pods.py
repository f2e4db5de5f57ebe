"""Pods, by a stand-in that takes kubectl's own command line and cuts its output; the real client where there is one."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest
from machine import USUAL, Machine
from runs import NUMBERS, Runs

from pytest_hdp.vantage.remote.launcher import SILENCE

CASES = {
    "kubectl=client": ("ready, None",),
    "kubectl=--context lab client": ("ready, None",),
    "kubectl=-n shop -c app server": ("ready, None",),
    "kubectl://server?namespace=shop&container=app": ("ready, None",),
    "kubectl=-n shop debug=python:3-slim -c app server": ("ready, None",),
    "kubectl=server": ("there is no such pod", "kubectl get pods -A"),
    "kubectl=-n shop -c other server": ("there is no such container in it", "kubectl describe --namespace=shop"),
    "kubectl=--context prod client": ("kubectl knows no such context",),
}  # fmt: skip


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a kubectl."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "kubectl"
    stand_in = Path(__file__).with_name("kubectl_stand_in.py")
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S {stand_in} "$@"\n')
    script.chmod(0o755)
    return folder


def test_each_pod_gives_an_agent_or_a_line(runs: Runs, programs: Path):
    said = runs.machine.connected(*CASES, PATH=f"{programs}:{USUAL}")
    for spec, parts in CASES.items():
        for part in parts:
            assert part in said[spec], (spec, said[spec])
    spec = "kubectl=client"
    (without,) = runs.machine.connected(spec, PATH=f"{programs}:{USUAL}", WITHOUT_PYTHON="1").values()
    assert "there is no python3 in it: put a container that has one beside it, debug=python:3-slim" in without
    spec = "kubectl=debug=python:3-slim client"
    assert runs.machine.connected(spec, PATH=f"{programs}:{USUAL}", WITHOUT_PYTHON="1") == {spec: "ready, None"}


def test_from_a_pod_to_another_one(runs: Runs, programs: Path):
    done = runs.sweep("kubectl=client", "kubectl=-n shop debug=python:3-slim server", PATH=f"{programs}:{USUAL}")
    runs.check_truth(done)


@pytest.mark.night
@pytest.mark.long
def test_a_stream_that_is_cut_ends_with_status_0_and_is_noticed(runs: Runs, programs: Path):
    """Amid the rounds. What is not known by then is inconclusive; what runs in the pod ends by itself."""
    began = time.monotonic()
    many = ("--hdp-count=200", "--hdp-rate=500")
    done = runs.sweep("netns=client", "kubectl=-n shop server", *many, PATH=f"{programs}:{USUAL}", CUT_AFTER="60000")
    assert done.status in {1, 4}, done.printed
    lost = [record for record in done.records.values() if record["verdict"] == "inconclusive"]
    assert lost, done.printed
    for record in lost:
        assert "the agent kubectl=-n shop server is gone: the connection ended (status 0)" in record["explanation"]
    assert runs.raw_sockets("server") > len(NUMBERS), "the node holds its end of the stream"
    while runs.raw_sockets("server"):
        assert time.monotonic() - began < SILENCE + 30, "it lives on"
        time.sleep(0.2)


@pytest.mark.night
def test_a_stream_that_is_cut_before_the_agent_is_there(runs: Runs, programs: Path):
    done = runs.sweep("netns=client", "kubectl=-n shop server", PATH=f"{programs}:{USUAL}", CUT_AFTER="1")
    assert (done.status, done.records) == (4, {}), done.printed
    assert "kubectl ended with status 0, and no Python answered" in done.printed
    for each in runs.machine.processes("an agent needs 3.8"):  # it would end by itself: see tests/kernel/ssh
        runs.machine.run("kill", str(each), fine=False)


def test_the_real_client_takes_what_we_write(machine: Machine):
    """There is no cluster in this machine: it says so once it has read all of its command line."""
    if shutil.which("kubectl") is None:
        pytest.skip("optional kubectl: install Kubernetes' client")
    specs = ("kubectl=-n shop -c app web", "kubectl=debug=python:3-slim -n shop -c app web", "kubectl=web")
    for spec, said in machine.connected(*specs, KUBECONFIG="/dev/null").items():
        assert "can't be had: the cluster can't be reached" in said, (spec, said)
