"""The capture as Wireshark's own programs read it, with and without our dissector."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import pytest_hdp
from pytest_hdp.measure.path.capture import CapturedPacket, Packets
from pytest_hdp.packet.hdp import Header
from pytest_hdp.packet.ip import build_ipv4
from pytest_hdp.packet.tag import Tagger
from pytest_hdp.report.capture import capture, key_of

DISSECTOR = Path(pytest_hdp.__file__).parent / "report" / "hdp.lua"
HDP_FIELDS = ("hdp.srcport", "hdp.dstport", "hdp.timestamp", "hdp.tag.run", "hdp.tag.index", "hdp.text")
WITH_LUA = ("-X", f"lua_script:{DISSECTOR}")
RUN = b"run id 8"
SENT = 1_795_539_936_000_000_123
PATH = {"kind": "lab", "name": "home-nat", "source": "192.0.2.2", "target": "198.51.100.2", "agent": "netns=target"}
LOOPBACK = {"kind": "loopback", "name": "loopback", "source": "127.0.0.1", "target": "127.0.0.1", "agent": None}


def probe(index: int = 7, content: bytes = b"moo") -> bytes:
    header = Header(420, 421, SENT).pack()
    return header + Tagger(bytes(32), RUN).make_tag(253, index, header, content) + content


def kept(number: int = 253, payload: bytes | None = None, **changes) -> CapturedPacket:
    data = build_ipv4(
        probe() if payload is None else payload, source="192.0.2.2", destination="198.51.100.2", protocol=number & 255
    )
    usual = CapturedPacket(
        path=PATH,
        vantage="near",
        address="192.0.2.2",
        interface="eth0",
        time=SENT + 500,
        outgoing=True,
        data=data,
        role="probe",
        icmp=False,
        index=7,
        round=0,
        protocol=number,
        direction="forward",
        form="bare",
        changed=None,
    )
    return replace(usual, **changes)


class Shark:
    """Runs tshark on a capture; whatever it complains about fails the test."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "capture.pcapng"

    def write(
        self,
        packets: list[CapturedPacket],
        verdicts=None,
        tests=None,
        command: str = "pytest",
        full: tuple[str, ...] = (),
    ) -> None:
        content = capture(
            Packets(packets, set(full)), verdicts or {}, tests or {}, command=command, system="Linux 6.18"
        )
        self.path.write_bytes(content)

    def run(self, *arguments: str) -> str:
        command = ["tshark", "-r", str(self.path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        complaints = [line for line in done.stderr.splitlines() if line.strip() and "Running as user" not in line]
        assert (done.returncode, complaints) == (0, []), done.stderr
        return done.stdout

    def fields(self, *names: str, more: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        arguments = [argument for name in names for argument in ("-e", name)]
        printed = self.run(*more, "-T", "fields", "-E", "separator=|", *arguments)
        return [tuple(line.split("|")) for line in printed.splitlines()]


@pytest.fixture
def shark(tmp_path: Path) -> Shark:
    return Shark(tmp_path)


@pytest.mark.needs("tshark")
def test_each_packet_says_whose_it_is_and_where_it_was_seen(shark):
    key = key_of(PATH, "forward", "bare", 253)
    shark.write(
        [
            kept(vantage="far", outgoing=False, time=SENT + 900),
            kept(time=SENT + 501),
            kept(17, role="control", form="wellformed", round=-1, time=SENT + 400),
            kept(role="locate", round=3, time=SENT + 1000, changed="payload"),
        ],
        {key: "lost"},
        {key: "test_a.py::test_sweep[p253]"},
    )
    rows = shark.fields("frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction", "frame.comment")
    control = "pytest-hdp: control, index 7, before the first round, protocol 17, forward, wellformed"
    test, train = "pytest-hdp: test_a.py::test_sweep[p253]: lost", "protocol 253, forward, bare"
    assert rows == [
        ("1795539936.000000523", "lab home-nat near", "0x00000002", control),
        ("1795539936.000000624", "lab home-nat near", "0x00000002", f"{test}, probe, index 7, round 0, {train}"),
        ("1795539936.000001023", "lab home-nat far", "0x00000001", f"{test}, probe, index 7, round 0, {train}"),
        (
            "1795539936.000001123",
            "lab home-nat near",
            "0x00000002",
            f"{test}, looking for the hop, index 7, TTL 3, {train}, payload changed on the way",
        ),
    ]


@pytest.mark.needs("tshark")
def test_the_file_says_who_wrote_it_and_names_its_interfaces(shark):
    shark.write(
        [kept(), kept(path=LOOPBACK, address="127.0.0.1", interface="lo")],
        command="pytest suites 'a b'",
        full=("home-nat",),
    )
    told = subprocess.run(["capinfos", str(shark.path)], capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in told.splitlines()]
    assert f"Capture application: pytest-hdp {pytest_hdp.__version__}" in lines
    assert "Capture oper-sys:    Linux 6.18" in lines
    assert "Capture comment:     pytest suites 'a b'; of path home-nat the first packets only" in lines
    assert "File timestamp precision:  nanoseconds (9)" in lines
    assert "File encapsulation:  Raw IP" in lines
    assert {"Name = lab home-nat near", "Name = loopback"} <= set(lines)


HOSTILE = "a.py::test[\x00\x1b]0;owned\x07\r\n\u202e\ud800" + "x" * 3000 + "é" * 90_000


@pytest.mark.needs("tshark")
def test_hostile_names_are_harmless(shark):
    path = {**PATH, "name": HOSTILE, "source": "\x1b[2J\x00"}
    key = key_of(path, "forward", "bare", 253)
    shark.write([kept(path=path)], {key: "\x1b[31mlost\x00"}, {key: HOSTILE}, command=HOSTILE)
    assert b"\x1b" not in shark.path.read_bytes().replace(probe(), b"")
    ((comment, interface),) = shark.fields("frame.comment", "frame.interface_name")
    comment, interface = (text.replace(r"\\", "\\") for text in (comment, interface))  # tshark doubles it since 4.4
    assert comment.startswith(r"pytest-hdp: a.py::test[\x00\x1b]0;owned\x07\r\n\u202e\ud800xxx")
    assert "\\x1b[31mlost\\x00, probe" in comment
    assert interface.startswith(r"lab a.py::test[\x00\x1b]")
    assert "malformed" not in shark.run("-q", "-z", "expert").lower()


@pytest.mark.needs("tshark")
def test_our_probes_are_shown_as_hdp_under_every_number(shark):
    shark.write([kept(number, time=SENT + number) for number in range(256)])
    rows = shark.fields("ip.proto", *HDP_FIELDS, more=WITH_LUA)
    assert [int(row[0]) for row in rows] == list(range(256))
    for _, source, target, stamp, run, index, text in rows:
        assert (source, target, run, index, text) == ("420", "421", RUN.hex(), "7", "moo")
        assert "17:05:36.000000123" in stamp
    assert "malformed" not in shark.run(*WITH_LUA, "-q", "-z", "expert").lower()


def not_ours(shark: Shark) -> None:
    """Take our mark out of the comments: anybody's capture."""
    shark.path.write_bytes(shark.path.read_bytes().replace(b"pytest-hdp: ", b"somebody:   "))


@pytest.mark.needs("tshark")
def test_elsewhere_hdp_is_what_nothing_else_claims(shark):
    shark.write([kept(number, time=SENT + number) for number in (6, 47, 132, 199, 253, 254, 255)])
    not_ours(shark)
    rows = shark.fields("ip.proto", "frame.protocols", more=WITH_LUA)
    stacks = {int(number): stack.split(":") for number, stack in rows}
    for number, usual in ((6, "tcp"), (47, "gre"), (132, "sctp")):
        assert usual in stacks[number]
        assert "hdp" not in stacks[number]
    assert {stacks[number][-1] for number in (199, 253, 254, 255)} == {"hdp"}


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("asked", [("-o", "hdp.every:TRUE"), ("-d", "ip.proto==47,hdp")])
def test_a_number_with_a_dissector_of_its_own_is_hdp_when_asked(shark, asked):
    shark.write([kept(47)])
    not_ours(shark)
    ((port, text),) = shark.fields("hdp.dstport", "hdp.text", more=(*WITH_LUA, *asked))
    assert (port, text) == ("421", "moo")


@pytest.mark.needs("tshark")
def test_strangers_hdp_has_no_tag(shark):
    shark.write([kept(253, Header(420, 421, SENT).pack() + b"moo" * 20)])
    not_ours(shark)
    ((port, index, text),) = shark.fields("hdp.dstport", "hdp.tag.index", "hdp.text", more=WITH_LUA)
    assert (port, index, text) == ("421", "", "moo" * 20)


@pytest.mark.needs("tshark")
def test_no_payload_breaks_the_dissector(shark):
    payloads = (b"", b"\x01", bytes(11), bytes(12), b"\xff" * 39, b"\xff" * 600)
    shark.write([kept(number, payload) for number in (1, 6, 253) for payload in payloads])
    assert "Lua Error" not in shark.run(*WITH_LUA, "-V")


@pytest.mark.needs("tshark")
def test_the_quote_in_an_icmp_error_is_shown_as_hdp(shark):
    quoted = kept().data
    error = kept(1, b"\x03\x02\x00\x00\x00\x00\x00\x00" + quoted, icmp=True, protocol=253)
    shark.write([error, replace(error, protocol=1)])
    for kind, index, stack in shark.fields("icmp.type", "hdp.tag.index", "frame.protocols", more=WITH_LUA):
        assert (kind, index) == ("3", "7")
        assert stack.endswith("hdp")


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("port", [53, 9, 443, 4789, 5000, 52115], ids=str)
def test_a_datagram_of_the_control_is_shown_as_hdp(shark, port):
    datagram = (5000).to_bytes(2, "big") + port.to_bytes(2, "big") + (8 + len(probe())).to_bytes(2, "big") + bytes(2)
    shark.write([kept(17, datagram + probe(), role="control", form="wellformed")])
    ((source, index, text),) = shark.fields("udp.srcport", "hdp.tag.index", "hdp.text", more=WITH_LUA)
    assert (source, index, text) == ("5000", "7", "moo")
