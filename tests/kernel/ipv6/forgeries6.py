"""As agentless_forgeries.py, over IPv6: 100,000 forgeries by a box on the path, and no verdict changes.

    python tests/kernel/ipv6/forgeries6.py

Packets stay in network namespaces of its own. There is no IP-ID, so the tag is all that a quote is known by: forged are
errors of every kind, with every pointer, in the target's, a router's and a stranger's name, whose quotes are cut short
before the tag ends, altered, without a tag, with another number's tag, or behind extension headers that were not sent;
packets of the same number, echo replies and resets with bytes that are not ours; and replays both ways.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agentless_forgeries import Outcome, main, measure_beside

from pytest_hdp.judge.evidence import Train, behind
from pytest_hdp.judge.verdict import Form
from pytest_hdp.lab.boxes import Router
from pytest_hdp.lab.filters import Allowlist
from pytest_hdp.lab.topology import Lab, LabSpec
from pytest_hdp.packet.chain import CHAINS

PASSES = frozenset({1, 17, 47, 50, 60, 253})  # where rules pass ICMP, that is 58 over IPv6
REACHED = {
    *(Train(number) for number in (47, 50, 253)),
    Train(58, form=Form.WELLFORMED),
    *(behind(CHAINS["dst24"], transport) for transport in (17, 58, 253)),
}
SILENT = {
    *(Train(number) for number in range(61, 81)),
    Train(6, form=Form.WELLFORMED),
    Train(132, form=Form.WELLFORMED),
    behind(CHAINS["dst24"], 6),  # it gets there, and what answers does not come back
    behind(CHAINS["rt24"], 253),
}
SPEC = LabSpec("forged", "an allowlist, and a router before it that forges", (Router(), Allowlist(PASSES), Router()))

# Runs in the namespace of router1, sends to the two ends of its lab and nowhere else; ends by itself.
FORGER = r"""
import os, random, select, socket, struct, sys, time

client, target, router, most, each, stop = sys.argv[1:7]
most, each = int(most), int(each)
named = (client, target, router, "2001:db8:77::7")
CLIENT, TARGET, ROUTER, STRANGER = (socket.inet_pton(socket.AF_INET6, each) for each in named)
chance = random.Random(7)


def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def ip(source, destination, number, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), number, 64) + source + destination + payload


def icmp(source, kind, code, rest, body):
    message = struct.pack("!BBHI", kind, code, 0, rest) + body
    pseudo = source + CLIENT + struct.pack("!II", len(message), 58)
    return ip(source, CLIENT, 58, message[:2] + struct.pack("!H", total(pseudo + message)) + message[4:])


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]


def forgeries(probe, earlier):
    number, tag = probe[6], probe.find(b"pytest-hdp") - 28
    other = chance.choice(earlier) if earlier else probe
    kind, code = chance.choice(((4, 1), (4, 1), (4, 0), (4, 2), (1, 4), (1, 1), (1, 0), (1, 3), (3, 0), (2, 0)))
    rest = chance.choice((6, 40, 42, 48, 0)) if kind == 4 else 1280 if kind == 2 else 0
    who = chance.choice((TARGET, TARGET, ROUTER, STRANGER))
    told = lambda quote: icmp(who, kind, code, rest, quote)
    yield told(probe[:48])
    yield told(probe[: 40 + chance.randrange(0, max(1, tag + 27 - 40))])
    yield told(flipped(probe, chance.randrange(tag, tag + 28)))
    yield told(flipped(probe, chance.randrange(40, len(probe))))
    yield told(probe[:tag] + bytes(28) + probe[tag + 28 :])
    yield told(probe[:6] + b"\x3c" + probe[7:40] + bytes([number, 0, 1, 4, 0, 0, 0, 0]) + probe[40:])
    if other[6] != number:
        yield told(probe[:40] + other[40:])
        yield told(other[:6] + probe[6:7] + other[7:])
    yield ip(STRANGER, CLIENT, number, os.urandom(60))
    yield ip(TARGET, CLIENT, number, os.urandom(60))
    yield ip(TARGET, CLIENT, number, probe[40:])
    yield ip(TARGET, CLIENT, number, other[40:])
    yield icmp(TARGET, 129, 0, 0, flipped(probe, tag)[48:])
    yield icmp(TARGET, 129, 0, 0, os.urandom(60))
    yield ip(CLIENT, TARGET, other[6], other[40:]) if other[6] > 60 else probe
    guess = struct.pack("!HHIIBBHHH", 420, 420, 0, chance.getrandbits(32), 5 << 4, 0x14, 0, 0, 0)
    yield ip(TARGET, CLIENT, 6, guess)
    yield ip(TARGET, CLIENT, 132, struct.pack("!HHII", 420, 420, chance.getrandbits(32), 0) + bytes([6, 0, 0, 4]))


tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
tap.bind(("inside", 0x86DD))
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
sent, heard, earlier, ending = 0, 0, [], time.monotonic() + 120
print("ready", flush=True)
while sent < most and time.monotonic() < ending and not os.path.exists(stop):
    if not select.select([tap], (), (), 0.2)[0]:
        continue
    probe, address = tap.recvfrom(65535)
    if address[2] != 0 or probe[8:40] != CLIENT + TARGET or b"pytest-hdp" not in probe:
        continue
    heard += 1
    for _ in range(each):
        for forged in forgeries(probe, earlier):
            try:
                raw.sendto(forged, (socket.inet_ntop(socket.AF_INET6, forged[24:40]), 0))
                sent += 1
            except OSError:
                pass
    earlier = [*earlier[-63:], probe]
print(f"sent {sent} to {heard}", flush=True)
"""


def run(outcome: Outcome, *, most: int, each: int = 4) -> None:
    """Measure once through the lab, while the box forges `most` packets at most."""
    with Lab(SPEC.over(6)) as lab:
        lab.namespace(lab.target).set_sysctls({"ipv6/icmp/ratemask": 255})
        router = lab.layout.hops()[1].address
        measure_beside(outcome, lab, FORGER, router, REACHED, SILENT, most=most, each=each)


if __name__ == "__main__":
    sys.exit(main(run))
