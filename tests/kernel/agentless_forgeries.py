"""A box on the path forges: does any verdict about a target without an agent change? 100,000 forgeries, two minutes.

    python tests/kernel/agentless_forgeries.py

Packets stay in network namespaces of its own. The box sees every probe, and does all that can be told from the truth:
errors in the target's and a router's name whose quotes are cut short, altered, without a tag, or with the tag of an
earlier probe of another number; packets of the same number from strangers and in the target's name; replays both ways;
resets and aborts with numbers that are not ours. What a box can do that copies a whole probe into an error in the
target's name is not among it: see docs/verdicts.md.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Form, Verdict
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.filters import Allowlist
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.measure import plan
from pytest_hdp.measure.path.endpoints import Endpoint
from pytest_hdp.measure.path.open_path import OpenPath
from pytest_hdp.measure.schedule.engine import Measurement
from pytest_hdp.vantage.station import Station

PASSES = frozenset({1, 17, 47, 50, 253})
REACHED = {Train(47), Train(50), Train(253), Train(1, form=Form.WELLFORMED)}
SILENT = {
    *(Train(number) for number in range(60, 80)),
    Train(6, form=Form.WELLFORMED),
    Train(132, form=Form.WELLFORMED),
}
SPEC = LabSpec("forged", "an allowlist, and a router before it that forges", (Router(), Allowlist(PASSES), Router()))

# Runs in the namespace of router1, sends to the two ends of its lab and nowhere else; ends by itself.
FORGER = r"""
import os, random, select, socket, struct, sys, time

client, target, router, most, each, stop = sys.argv[1:7]
most, each = int(most), int(each)
CLIENT, TARGET, ROUTER, STRANGER = map(socket.inet_aton, (client, target, router, "203.0.113.77"))
chance = random.Random(7)


def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def ip(source, destination, protocol, payload):
    size = 20 + len(payload)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, protocol, 0, source, destination) + payload


def error(source, kind, code, quote):
    message = struct.pack("!BBHI", kind, code, 0, 0) + quote
    return ip(source, CLIENT, 1, message[:2] + struct.pack("!H", total(message)) + message[4:])


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]


def forgeries(probe, earlier):
    number, tag = probe[9], probe.find(b"pytest-hdp") - 28
    other = chance.choice(earlier) if earlier else probe
    kind, code = chance.choice(((3, 2), (3, 2), (3, 3), (3, 13), (3, 1), (11, 0), (12, 0)))
    who = chance.choice((TARGET, TARGET, ROUTER, STRANGER))
    yield error(who, kind, code, probe[:28])
    yield error(who, kind, code, probe[: 20 + chance.randrange(0, max(1, tag + 27 - 20))])
    yield error(who, kind, code, flipped(probe, chance.randrange(tag, tag + 28)))
    yield error(who, kind, code, flipped(probe, chance.randrange(20, len(probe))))
    yield error(who, kind, code, probe[:tag] + bytes(28) + probe[tag + 28 :])
    yield error(who, kind, code, probe[:8] + flipped(probe[8:20], 1) + probe[20:])
    if other[9] != number:
        yield error(who, kind, code, probe[:20] + other[20:])
        yield error(who, kind, code, other[:9] + probe[9:10] + other[10:])
    yield ip(STRANGER, CLIENT, number, os.urandom(60))
    yield ip(TARGET, CLIENT, number, os.urandom(60))
    yield ip(TARGET, CLIENT, number, probe[20:])
    yield ip(TARGET, CLIENT, number, other[20:])
    yield ip(TARGET, CLIENT, 1, b"\0" + other[21:])
    yield ip(CLIENT, TARGET, other[9], other[20:]) if other[9] > 17 else probe
    guess = struct.pack("!HHIIBBHHH", 420, 420, 0, chance.getrandbits(32), 5 << 4, 0x14, 0, 0, 0)
    yield ip(TARGET, CLIENT, 6, guess)
    yield ip(TARGET, CLIENT, 132, struct.pack("!HHII", 420, 420, chance.getrandbits(32), 0) + bytes([6, 0, 0, 4]))
    yield ip(TARGET, CLIENT, 132, struct.pack("!HHII", 420, 420, 0, 0) + bytes([6, 1, 0, 4]))


tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
tap.bind(("inside", 0x0800))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
sent, heard, earlier, ending = 0, 0, [], time.monotonic() + 120
print("ready", flush=True)
while sent < most and time.monotonic() < ending and not os.path.exists(stop):
    if not select.select([tap], (), (), 0.2)[0]:
        continue
    probe, address = tap.recvfrom(65535)
    if address[2] != 0 or probe[12:20] != CLIENT + TARGET or b"pytest-hdp" not in probe or probe[20:22] == b"\x08\0":
        continue
    heard += 1
    for _ in range(each):
        for forged in forgeries(probe, earlier):
            try:
                raw.sendto(forged, (socket.inet_ntoa(forged[16:20]), 0))
                sent += 1
            except OSError:
                pass
    earlier = [*earlier[-63:], probe]
print(f"sent {sent} to {heard}", flush=True)
"""


@dataclass
class Outcome:
    """What came of some runs: forgeries, probes they were about, trains whose verdict was not the truth."""

    forged: int = 0
    probes: int = 0
    runs: int = 0
    verdicts: int = 0
    wrong: dict[str, str] = field(default_factory=dict)


def run(outcome: Outcome, *, most: int, each: int = 4) -> None:
    """Measure once through the lab, while the box forges `most` packets at most."""
    with Lab(SPEC) as lab:
        lab.namespace(lab.target).set_sysctls({"ipv4/icmp_ratemask": 0})
        measure_beside(outcome, lab, FORGER, "203.0.113.5", REACHED, SILENT, most=most, each=each)


def measure_beside(
    outcome: Outcome,
    lab: Lab,
    forger: str,
    router: str,
    reached: Set[Train],
    silent: Set[Train],
    *,
    most: int,
    each: int,
) -> None:
    """Ask for all trains while the forger, a program in router1, runs; `router`: in whose name it forges, too."""
    trains = tuple(sorted(reached | silent))
    with tempfile.TemporaryDirectory() as folder:
        heard, told = os.pipe()
        stop = Path(folder) / "stop"
        arguments = [lab.client_address, lab.target_address, router, str(most), str(each), str(stop)]
        started = lab.namespace("router1").start([sys.executable, "-c", forger, *arguments], (0, told, 2))
        os.close(told)
        with os.fdopen(heard) as says, Station(lab.socket_factory(lab.client)) as station:
            assert says.readline() == "ready\n"
            name = PathInfo("internet", "target", lab.client_address, lab.target_address, None)
            with OpenPath(name, Endpoint(station, lab.client_address, "eth0"), None) as path:
                found = Measurement(path, plan.Plan(trains, plan.AGENTLESS, seed=1, locate="none")).run()
            stop.touch()
            _, sent, _, probes = says.readline().split()
            started.wait()
    outcome.forged += int(sent)
    outcome.probes += int(probes)
    outcome.runs += 1
    outcome.verdicts += len(found)
    for train, judgement in found.items():
        if judgement.verdict is not (Verdict.REACHED if train in reached else Verdict.SILENT):
            outcome.wrong[str(train)] = judgement.explanation


def main(run: Callable[..., None]) -> int:
    """Run until 100,000 were forged."""
    outcome = Outcome()
    while outcome.forged < 100_000 and outcome.runs < 60:
        run(outcome, most=100_000 - outcome.forged)
    print(f"{outcome.forged} forgeries about {outcome.probes} probes, {outcome.runs} runs, {outcome.verdicts} verdicts")
    print(f"{len(outcome.wrong)} verdicts changed {json.dumps(outcome.wrong, indent=1) if outcome.wrong else ''}")
    return bool(outcome.wrong)


if __name__ == "__main__":
    sys.exit(main(run))
