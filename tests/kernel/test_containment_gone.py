"""Somebody dies while a box is asked: what nobody may have seen is no proof, whoever it is that is gone."""

import json
import runpy
from pathlib import Path

import pytest

BOXES = runpy.run_path(str(Path(__file__).with_name("test_containment.py")))
LONG = ("--hdp-count=1000", "--hdp-protocols=47,132,253")
PYTHON = "command=ip netns exec {} python3"
DYING = "command=ip netns exec {} timeout -s KILL 5 python3"


@pytest.mark.long
@pytest.mark.parametrize("gone", ["box", "server", "twin"])
@pytest.mark.night
def test_whoever_is_gone_nothing_is_proven(run_beside, tmp_path: Path, gone: str):
    """The box is shut, and would be proven if all of them lived: 2,000 rounds take longer than the dying one lives."""
    spec = {name: (DYING if name == gone else PYTHON).format(name) for name in ("box", "server", "twin")}
    status, printed, _ = run_beside(
        f"{BOXES['TOPOLOGY']}\n{BOXES['CLOSED']}", BOXES["SUITE"], f"--hdp-source={spec['box']}",
        f"--hdp-twin={spec['twin']}", f"--hdp-agent={spec['server']}", f"--hdp-target={BOXES['FAR']}", *LONG,
    )  # fmt: skip
    assert status in {1, 4}, printed
    results = tmp_path / "report" / "results.jsonl"
    records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    assert {each["containment"] for each in records} <= {"unproven"}, printed
    assert "containment: PROVEN" not in BOXES["told"](printed)
    assert "is gone" in BOXES["told"](printed), printed


# kills the observers when 30 packets of no control have come from the twin: by then the box has sent all of its own
WATCH = f"""
cat >/run/agent.sh <<'END'
echo $$ >/run/agent.pid
exec ip netns exec server python3 "$@"
END
cat >/run/watch.py <<'END'
import os, signal, socket
tap = socket.socket(17, 2, socket.htons(0x0800))
seen = 0
while seen < 30:
    packet = tap.recv(2048)
    seen += packet[9] == 253 and packet[12:16] == socket.inet_aton("{BOXES["TWIN"]}")
os.kill(int(open("/run/agent.pid").read()), signal.SIGKILL)
END
ip netns exec server python3 /run/watch.py &
"""


@pytest.mark.night
def test_eyes_that_are_gone_while_the_twin_sends_prove_nothing(run_beside, tmp_path: Path):
    """Of the box they saw all, which is nothing, and of its twin enough: what they had not told yet nobody knows."""
    status, printed, _ = run_beside(
        f"{BOXES['TOPOLOGY']}\n{BOXES['CLOSED']}\n{WATCH}", BOXES["SUITE"], "--hdp-source=netns=box",
        "--hdp-twin=netns=twin", "--hdp-agent=command=sh /run/agent.sh", f"--hdp-target={BOXES['FAR']}",
        "--hdp-count=60", "--hdp-protocols=253",
    )  # fmt: skip
    assert status == 1, printed
    (record,) = map(json.loads, (tmp_path / "report" / "results.jsonl").read_text().splitlines())
    assert record["containment"] == "unproven", printed
    assert "is gone" in BOXES["told"](printed), printed
