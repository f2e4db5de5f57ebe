"""hdp.lua in tshark on packets that mean harm: every one is shown, none is an error of the script's, and it ends."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

import pytest_hdp
from pytest_hdp.packet import pcapng
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.report.capture import MARK

DISSECTOR = Path(pytest_hdp.__file__).parent / "report" / "hdp.lua"
PACKETS = 3000
PATIENCE = 120
LOOPBACK = {"source": "127.0.0.1", "destination": "127.0.0.1"}
COMMENTS = [
    f"{MARK}: heard by hdp listen, protocol 47, bare",
    f"{MARK}: ICMP error about probe 1, protocol 47, bare",
    f"{MARK}: control",
    f"{MARK}: probe 1, bare, and more",
    f"{MARK}: ",
    "of another program's",
]
STAMPS = [0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 1_700_000_000 * 10**9]
CONTENTS = [b"", b"moo", b"\xff\xfe\xed", b"\x1b[2J\n", b"a\0b", b"\xc3", b"x" * 1400]
ERRORS = [bytes((kind, code)) + bytes(6) for kind, code in ((3, 1), (11, 0), (12, 0), (8, 0))]


def hdp(chance: random.Random) -> bytes:
    """An HDP packet, or a part of one."""
    tag = b""
    if chance.random() < 0.6:
        index = chance.choice([0, 1, 2**24 - 1, 2**24, 2**32 - 1])
        tag = chance.randbytes(8) + index.to_bytes(4, "big") + chance.randbytes(16)
    whole = chance.randbytes(4) + chance.choice(STAMPS).to_bytes(8, "big") + tag + chance.choice(CONTENTS)
    return whole[: chance.randrange(len(whole) + 1)] if chance.random() < 0.4 else whole


def packet(chance: random.Random) -> bytes:
    """An IPv4 packet of any number, perhaps an ICMP error about another, perhaps damaged or cut off."""
    payload = hdp(chance)
    if chance.random() < 0.3:
        quoted = build_ipv4(hdp(chance), **LOOPBACK, protocol=chance.randrange(256))
        payload = chance.choice(ERRORS) + quoted[: chance.randrange(60)]
    elif chance.random() < 0.2:
        payload = chance.randbytes(8) + payload
    data = bytearray(
        build_ipv4(payload, **LOOPBACK, protocol=chance.choice([1, 4, 6, 17, 41, 47, chance.randrange(256)]))
    )
    if chance.random() < 0.1:
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.15 else data)


@pytest.mark.night(but=["2-TRUE"])
@pytest.mark.parametrize("every", ["FALSE", "TRUE"])
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_in_a_packet(tmp_path, seed, every):
    if shutil.which("tshark") is None:
        pytest.skip("program: tshark is not installed")
    chance = random.Random(seed)
    capture = tmp_path / "hostile.pcapng"
    blocks = [pcapng.section(application=MARK, system="", comment=""), pcapng.interface("lo", "")]
    for _ in range(PACKETS):
        comment = chance.choice(COMMENTS)
        blocks.append(pcapng.packet(0, chance.choice(STAMPS), packet(chance), outgoing=False, comment=comment))
    capture.write_bytes(b"".join(blocks))
    command = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-o", f"hdp.every:{every}", "-r", str(capture), "-V"]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    shown = done.stdout.decode(errors="replace")
    assert done.returncode == 0, done.stderr
    assert shown.count("\nFrame ") + shown.startswith("Frame ") == PACKETS
    assert "Lua Error" not in shown
    assert "HDP" in shown
