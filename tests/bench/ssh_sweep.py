"""How long a sweep takes with an agent behind SSH: a home NAT, 50 ms each way, 5 % loss, SSH through all of it.

    python tests/bench/ssh_sweep.py [ROUNDS [LOSS]]

As root. All numbers from 0 to 255, five rounds and more for the undecided, forward and in reverse; seconds from the
start of ssh to the agent's first word, from there to the last verdict, and both; and what the lab's truth contradicts.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel" / "ssh"))

from ssh_hosts import Hosts
from truth import faults, truth_of

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.stateful import Nat
from pytest_hdp.lab.topology import LabSpec
from pytest_hdp.lab.wires import Delay, Loss
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign.far_paths import path_with_agent
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.vantage.points import Host
from pytest_hdp.vantage.remote.specs import far_host

TARGET = "198.51.100.2"


def path(loss: float) -> LabSpec:
    return LabSpec("far", "a home NAT, 100 ms and loss", (Nat(), Delay(us=50_000), Loss(loss), Router()))


def sweep(agent: str, loss: float) -> None:
    """At the client: measure once."""
    trains = tuple(Train(number, direction) for direction in Direction for number in range(256))
    asked = replace(plan.Plan((), plan.REMOTE, seed=1), trains=trains)
    path_spec = path_with_agent(Host(), far_host("ssh", agent.removeprefix("ssh=")), TARGET, asked, None)
    began = time.perf_counter()
    path_spec.reach()
    ready = time.perf_counter()
    with path_spec.open() as opened:
        measured = Measurement(opened, asked)
        judgements = measured.run()
        done = time.perf_counter()
    lab = path(loss)
    wrong = [fault for train, found in judgements.items() for fault in faults(train, truth_of(lab, train), found)]
    unsure = sum(found.verdict == "inconclusive" for found in judgements.values())
    print(ready - began, done - ready, done - began, measured.rounds, len(wrong), unsure, flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        return sweep(sys.argv[2], float(sys.argv[3]))
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    loss = float(sys.argv[2]) if len(sys.argv) > 2 else 0.05
    print(f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} processors, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}; {rounds} sweeps of 512 trains, 100 ms, {loss:.0%} loss")
    rows = []
    for seed in range(rounds):
        with tempfile.TemporaryDirectory(prefix="hdp-ssh-") as folder:
            Path(folder).chmod(0o755)
            with Hosts(Path(folder), path(loss), seed=seed) as hosts:
                client = hosts.lab.namespace(hosts.lab.client)
                argv = [sys.executable, __file__, "--inside", hosts.agent(), str(loss)]
                status, printed = client.run(argv)
                assert status == 0, printed
        rows.append([float(each) for each in printed.split()])
        said = "login {:.2f} s, measured in {:.2f} s, together {:.2f} s, {:.0f} rounds, {:.0f} wrong, {:.0f} unsure"
        print(said.format(*rows[-1]), flush=True)
    login, measuring, both, *_ = zip(*rows, strict=True)
    for name, seconds in (("login", login), ("measuring", measuring), ("together", both)):
        print(f"{name:<10} median {statistics.median(seconds):5.2f} s, worst {max(seconds):5.2f} s")
    return None


if __name__ == "__main__":
    main()
