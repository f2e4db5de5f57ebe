"""How long a lab takes to build and to take down, and how much a relay carries.

    python tests/bench/lab_build.py [ROUNDS]

Medians and worst of ROUNDS (default 20) in milliseconds; packets a second through a wire that does nothing, offered by
one sender as fast as it can, in bounded bursts, and received at the target.
"""

from __future__ import annotations

import os
import platform
import socket
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.lab.wires import Delay, Wire

NAMES = ("transparent", "home-nat", "carrier-grade", "loss-5", "home-nat-loss-5")
BURST = 200
BURSTS = 300


def build(name: str, rounds: int) -> str:
    built, down = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        lab = Lab(make(name))
        lab.__enter__()
        stands = time.perf_counter()
        lab.close()
        built.append((stands - began) * 1000)
        down.append((time.perf_counter() - stands) * 1000)
    whole = [up + closed for up, closed in zip(built, down, strict=True)]
    return (
        f"{name:<16} built {statistics.median(built):6.1f}  down {statistics.median(down):6.1f}  "
        f"both {statistics.median(whole):6.1f}  worst {max(whole):6.1f} ms"
    )


def carry(spec: LabSpec) -> str:
    """Send bursts no larger than a receive buffer holds, and wait for the end of each."""
    payload = bytes(44)
    with Lab(spec) as lab:
        sender = lab.socket_factory(lab.client)(socket.AF_INET, socket.SOCK_RAW, 253)
        receiver = lab.socket_factory(lab.target)(socket.AF_INET, socket.SOCK_RAW, 253)
        receiver.settimeout(0.2)
        sender.setblocking(True)
        received = 0
        began = time.perf_counter()
        for _ in range(BURSTS):
            for _ in range(BURST):
                sender.sendto(payload, (lab.target_address, 0))
            try:
                for _ in range(BURST):
                    receiver.recv(100)
                    received += 1
            except TimeoutError:
                pass
        took = time.perf_counter() - began
    return f"{spec.name:<16} {received} of {BURST * BURSTS} carried, {received / took:,.0f} a second"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    print(f"Linux {platform.release()}, Python {platform.python_version()}, {os.cpu_count()} processors, ", end="")
    print(f"{'root' if os.geteuid() == 0 else 'ordinary user'}, load {os.getloadavg()[0]:.1f}")
    for name in NAMES:
        print(build(name, rounds), flush=True)
    router = Router()
    print(carry(LabSpec("no wire", "", (router, router))))
    print(carry(LabSpec("one wire", "", (router, Wire(), router))))
    print(carry(LabSpec("a delay of 20 us", "", (router, Delay(us=20), router))))


if __name__ == "__main__":
    main()
