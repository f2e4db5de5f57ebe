"""Somebody on the same wire answers every probe with replays, altered copies and forged errors: no verdict changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.vantage.kernel import knows_mptcp

TOP = Path(__file__).parents[2]
SWEEP = "suites/loopback/test_sweep.py"
MOST = 20_000

# Sees each probe arrive at lo of its own namespace, and sends to 127.0.0.1 there and nowhere else; ends by itself.
STRANGER = """
import signal, socket, struct, sys, time

most, kinds = int(sys.argv[1]), sys.argv[2].split(",")
here = socket.inet_aton("127.0.0.1")
sent, seen, heard = 0, set(), 0


def end(*_):
    print(f"{sent} sent to {heard} heard", flush=True)
    sys.exit()


def checked(message):
    total = sum(struct.unpack(f"!{len(message) // 2}H", message[: len(message) & ~1]))
    total += message[-1] << 8 if len(message) % 2 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + struct.pack("!H", ~total & 0xFFFF) + message[4:]


def packet(protocol, payload):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, here, here) + payload


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def answers(data):
    protocol, payload = data[9], data[20:]
    if "replay" in kinds:
        yield from (data, data)
    if "alter" in kinds:  # ports, timestamp, run, index, MAC, content
        yield from (flipped(data, 20 + at) for at in (1, 8, 13, 23, 30, len(payload) - 1))
        yield from (data[:40], packet(protocol, payload[:-5]), packet(protocol, payload + b"more"))
        yield packet(protocol % 255 + 1, payload)
    if "other run" in kinds:
        yield packet(protocol, payload[:12] + b"stranger" + payload[20:])
    if "icmp" in kinds:
        for kind, code in ((3, 2), (3, 3), (3, 4), (3, 10), (3, 13), (11, 0), (12, 0)):
            for quote in (data, data[:28], flipped(data, 55)):
                yield packet(1, checked(struct.pack("!BBHI", kind, code, 0, 0) + quote))


signal.signal(signal.SIGTERM, end)
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
tap.bind(("lo", 0x0800))
tap.settimeout(30)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
print("ready", flush=True)
while sent < most:
    data, address = tap.recvfrom(65535)
    if data[20:24] != struct.pack("!HH", 420, 420) or len(data) < 64 or data[20:] in seen:
        continue
    seen.add(data[20:])
    heard += 1
    for answer in answers(data):
        seen.add(answer[20:])
        try:
            raw.sendto(answer, ("127.0.0.1", 0))
        except PermissionError:
            continue  # this number is dropped here
        sent += 1
end()
"""

RULES = """
table inet test {
  chain out { type filter hook output priority 0; ip protocol 47 drop; }
  chain in { type filter hook input priority 0; ip protocol 50 drop; }
}
"""
TRUTH = {
    **dict.fromkeys(range(1, 256), "delivered"),
    **dict.fromkeys((-1, 0, 263), "refused_at_socket"),
    **dict.fromkeys(range(256, 263), "renumbered" if knows_mptcp() else "refused_at_socket"),
    47: "refused_at_send",
    50: "held_by_receiver",
}


@pytest.mark.parametrize("kinds", ["replay,alter,other run", "replay,alter,other run,icmp"])
@pytest.mark.night
def test_no_verdict_changes(tmp_path, kinds):
    if subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    (tmp_path / "stranger.py").write_text(STRANGER)
    (tmp_path / "rules.nft").write_text(RULES)
    script = f"""
        ip link set lo up && nft -f {tmp_path}/rules.nft || exit 9
        exec 3< <(exec {sys.executable} {tmp_path}/stranger.py {MOST} '{kinds}')
        stranger=$!; read -r said <&3; [ "$said" = ready ] || exit 9
        {sys.executable} -mpytest -q -pno:cacheprovider -pno:hypothesispytest {SWEEP} --hdp-seed=1 \\
            --hdp-report={tmp_path}
        status=$?; kill $stranger 2>/dev/null; cat <&3; exit $status
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
    done = subprocess.run(
        ["unshare", "-rn", "bash", "-c", script],
        cwd=TOP,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    records = {each["protocol"]: each for each in map(json.loads, lines)}
    # whoever sees our packets and speaks with the target's address can't be told from the target that rejects them
    truth = TRUTH | ({50: "rejected"} if "icmp" in kinds else {})
    assert {number: each["verdict"] for number, each in records.items()} == truth
    assert {number for number, each in records.items() if each["outcome"] == "failed"} == {47, 50}
    heard = int(done.stdout.rpartition("sent to ")[2].split()[0])
    assert heard > 100, done.stdout
