"""`hdp listen` and `hdp send` as the article's server and client: real processes, in a namespace of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import pytest_hdp
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.vantage.points import can_open_raw, can_unshare

TOP = Path(__file__).parents[2]
HDP = [sys.executable, "-m", "pytest_hdp.cli"]
COW = " ____\n< moo >\n ----\n   \\  ^__^\n"
HERE = "127.0.0.1"
DISSECTOR = Path(pytest_hdp.__file__).parent / "report" / "hdp.lua"


class Bench:
    """A network namespace with loopback up, in which `hdp` and other programs run."""

    def __init__(self, holder: int) -> None:
        self.enter = ["nsenter", "-t", str(holder), "-U", "--preserve-credentials", "-n", "--"]

    def run(self, *arguments: str, content: bytes | str = b"") -> subprocess.CompletedProcess:
        """Run `hdp` to its end."""
        given = content.encode() if isinstance(content, str) else content
        command = [*self.enter, *HDP, *arguments]
        done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False, cwd=TOP)
        assert b"Traceback" not in done.stderr
        return done

    @contextlib.contextmanager
    def listening(self, *arguments: str):
        """Run `hdp listen` until it says that it listens; whoever asks ends it."""
        command = [*self.enter, *HDP, "listen", *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP, env=environment
        ) as running:
            watchdog = threading.Timer(60, running.kill)
            watchdog.start()
            try:
                said = b""
                while b"listening under" not in said:
                    line = running.stderr.readline()
                    assert line, said
                    said += line
                running.said = said.decode()
                yield running
            finally:
                watchdog.cancel()
                running.kill()

    def python(self, program: str, *arguments: str) -> None:
        """Run a program that knows nothing of this project: a stranger's implementation."""
        subprocess.run([*self.enter, sys.executable, "-c", program, *arguments], check=True, timeout=30)


@pytest.fixture(scope="module")
def bench():
    if not (can_unshare() or can_open_raw()):
        pytest.skip("privilege: neither root nor user namespaces")
    script = "ip link set lo up && echo up && exec sleep infinity"
    with subprocess.Popen(["unshare", "-rn", "sh", "-c", script], stdout=subprocess.PIPE) as holder:
        try:
            if holder.stdout.readline() != b"up\n":
                pytest.skip("privilege: user namespaces are not allowed here")
            yield Bench(holder.pid)
        finally:
            holder.kill()


def lines_of(running: subprocess.Popen) -> list[str]:
    """What a listener printed until its end."""
    printed, said = running.communicate(timeout=30)
    running.said += said.decode()
    assert running.returncode == 0, running.said
    return printed.decode().splitlines()


def test_a_cow_from_one_terminal_to_the_other(bench):
    with bench.listening("255", "--count", "1") as listener:
        sent = bench.run("send", HERE, content=COW)
        lines = lines_of(listener)
    assert (sent.returncode, sent.stdout) == (0, b"255 (reserved): 1 sent, %d bytes of HDP\n" % (12 + len(COW)))
    assert lines[0].startswith("127.0.0.1 > 127.0.0.1  protocol 255 (reserved)  ttl 64  id ")
    assert re.fullmatch(r"  HDP 420 > 420  sent \d{4}-\d\d-\d\d [\d:.]+ UTC, [\d.]+ us before it arrived", lines[1])
    assert lines[2:] == [f"  | {line}" for line in COW.splitlines()]
    assert listener.said.endswith("1 packet\n")


def test_number_0_leaves_for_another_host_and_is_refused_on_loopback(in_namespaces):
    link = "ip link add near type veth peer name far && ip addr add 192.0.2.1/24 dev near && ip link set lo up"
    link += " && ip link set far up && ip link set near up"
    send = f"echo moo | {sys.executable} -m pytest_hdp.cli send"
    for address, said in {
        "192.0.2.2": "1 sent, 16 bytes of HDP",
        "192.0.2.1": "refused at socket: EPROTONOSUPPORT (Protocol not supported)",
        HERE: "refused at socket: EPROTONOSUPPORT (Protocol not supported)",
    }.items():
        done = in_namespaces(f"{link} && {send} {address} --protocol 0,253")
        assert done.stdout.splitlines() == [f"0 (hopopt): {said}", "253 (experimental-1): 1 sent, 16 bytes of HDP"]
        assert done.returncode == ("refused" in said), done.stderr


STRANGER = """
import socket, struct, sys
number, content = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
with socket.socket(socket.AF_INET, socket.SOCK_RAW, number) as opened:
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 0)
    opened.sendto(struct.pack("!HHQ", 1, 65535, 2**63) + content, ("127.0.0.1", 0))
"""


@pytest.mark.parametrize("content", [b"", b"moo", b"\x1b]0;owned\x07\xff\x00\r\n\x9b2J", "\u202eoom".encode() * 30])
def test_a_strangers_packet_is_shown_and_harms_no_terminal(bench, content):
    with bench.listening("--protocol", "201", "--count", "1") as listener:
        bench.python(STRANGER, "201", content.hex())
        lines = lines_of(listener)
    assert lines[1] == f"  HDP 1 > 65535  sent at {2**63} ns by a clock that is not ours"
    assert all(line.isprintable() for line in lines)
    assert ("moo" in "".join(lines[2:])) == (b"moo" in content)


def test_a_stranger_reads_what_we_send(bench):
    program = (
        "import socket, struct, subprocess, sys, time\n"
        "opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)\n"
        "opened.settimeout(20)\n"
        "before = time.time_ns()\n"
        "subprocess.run(sys.argv[1:], input=b'moo', check=True, stdout=subprocess.DEVNULL)\n"
        "data = opened.recv(65535)\n"
        "source, destination, stamp = struct.unpack('!HHQ', data[20:32])\n"
        "assert (source, destination, data[32:]) == (7, 9, b'moo'), data\n"
        "assert before < stamp < time.time_ns()\n"
    )
    bench.python(program, *HDP, "send", HERE, "--protocol", "gre", "--port", "9", "--source-port", "7")


@pytest.mark.parametrize("encoding", list(Encoding))
def test_both_ends_agree_on_an_encoding(bench, encoding):
    with bench.listening("255", "--count", "2", "--json", "--encoding", encoding) as listener:
        assert bench.run("send", HERE, "--count", "2", "--encoding", encoding, content=COW).returncode == 0
        told = [json.loads(line) for line in lines_of(listener)]
    assert [each["content"] for each in told] == [COW, COW]
    assert [each["encoding"] for each in told] == [encoding, encoding]
    assert told[0]["hdp"]["timestamp"] < told[1]["hdp"]["timestamp"]


def test_several_numbers_as_rows_of_the_articles_table(bench):
    with bench.listening("47,50-51,sctp", "--count", "4", "--table") as listener:
        sent = bench.run("send", HERE, "--protocol", "47,50,51,132", content="moo")
        lines = lines_of(listener)
    assert sent.stdout.decode().splitlines() == [
        f"{number} ({name}): 1 sent, 15 bytes of HDP"
        for number, name in ((47, "gre"), (50, "esp"), (51, "ah"), (132, "sctp"))
    ]
    assert lines[0].startswith("| Protocol Number | Source IP (Server) | Byte Sum (Server) |")
    assert [line.split(" | ")[:3] for line in lines[2:]] == [[f"| {n}", HERE, "35"] for n in (47, 50, 51, 132)]


def test_every_number_that_the_kernel_gives(bench):
    with bench.listening("--all", "--json") as listener:
        sent = bench.run("send", HERE, "--all", content="moo")
        seen: set[int] = set()
        while len(seen) < 255:
            told = json.loads(listener.stdout.readline())
            if told["hdp"] is not None and told["content"] == "moo":
                seen.add(told["ip"]["protocol"])
        listener.send_signal(signal.SIGINT)
        lines_of(listener)
    assert seen == set(range(1, 256))
    said = sent.stdout.decode().splitlines()
    assert sent.returncode == 1
    assert said[0] == "0 (hopopt): refused at socket: EPROTONOSUPPORT (Protocol not supported)"
    assert len(said) == 256
    assert all(line.endswith(": 1 sent, 15 bytes of HDP") for line in said[1:])
    assert "hdp: socket() refused 0 (hopopt): Protocol not supported" in listener.said


def test_the_same_as_a_real_datagram(bench):
    with bench.listening("udp", "--count", "1") as listener:
        sent = bench.run("send", HERE, "--udp", "--port", "4200", content="moo")
        lines = lines_of(listener)
    port = re.fullmatch(
        r"17 \(udp, a datagram from port (\d+) to 4200\): 1 sent, 15 bytes of HDP\n", sent.stdout.decode()
    )
    assert port is not None
    assert lines[1] == f"  UDP {port[1]} > 4200"
    assert lines[2].startswith("  HDP 420 > 4200  sent ")
    assert lines[3:] == ["  | moo"]


def test_refusals_say_which_number_where_and_why(bench):
    rules = "table ip own { chain out { type filter hook output priority 0; ip protocol 250 drop; }; }"
    subprocess.run([*bench.enter, "nft", rules], check=True)
    done = bench.run("send", HERE, "--protocol=-1,0,249-250,256,263", content="moo")
    assert done.returncode == 1
    assert done.stdout.decode().splitlines() == [
        "-1 (out-of-range): refused at socket: EINVAL (Invalid argument)",
        "0 (hopopt): refused at socket: EPROTONOSUPPORT (Protocol not supported)",
        "249 (unassigned): 1 sent, 15 bytes of HDP",
        "250 (unassigned): refused at send: EPERM (a local firewall rule or IPsec policy does that)",
        "256 (out-of-range): 1 sent (the field has 8 bits: as 0), 15 bytes of HDP",
        "263 (out-of-range): refused at socket: EINVAL (Invalid argument)",
    ]


def test_nothing_to_listen_to_ends_at_once(bench):
    done = bench.run("listen", "0")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"hdp: socket() refused 0")


def test_ctrl_c_ends_a_listener_cleanly(bench):
    with bench.listening("255") as listener:
        listener.send_signal(signal.SIGINT)
        assert lines_of(listener) == []
    assert listener.said.splitlines()[-1] == "0 packets"


def test_a_reader_that_goes_away_ends_it_quietly(bench):
    with bench.listening("255") as listener:
        listener.stdout.close()
        bench.run("send", HERE, content="moo")
        assert listener.wait(timeout=30) == 1
        assert listener.stderr.read() == b""


@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_is_shown_is_kept(bench, tmp_path, ended):
    path = tmp_path / "heard.pcapng"
    with bench.listening("47,255", "--write", str(path)) as listener:
        bench.run("send", HERE, "--protocol", "47,255", "--count", "3", content="moo")
        shown = 0
        while shown < 6:
            shown += listener.stdout.readline().strip() == b"| moo"
        listener.send_signal(ended)
        listener.wait(timeout=30)
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark: apt install tshark")
    fields = ("ip.proto", "hdp.dstport", "hdp.text", "frame.packet_flags_direction", "frame.time_epoch")
    wanted = [argument for name in fields for argument in ("-e", name)]
    read = ["tshark", "-X", f"lua_script:{DISSECTOR}", "-r", str(path), "-T", "fields", *wanted]
    rows = [
        line.split() for line in subprocess.run(read, capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    assert [row[:4] for row in rows] == [
        [number, "420", "moo", "0x00000001"] for number in ("47", "255") for _ in "abc"
    ]
    assert any(not row[4].endswith("000") for row in rows), "nanoseconds"


def test_a_file_that_is_there_is_not_overwritten(bench, tmp_path):
    path = tmp_path / "heard.pcapng"
    path.write_text("mine")
    done = bench.run("listen", "255", "--write", str(path))
    assert (done.returncode, path.read_text()) == (4, "mine")
    assert done.stderr.decode() == f"hdp: {path} exists already: give --write another name\n"


def test_too_few_open_files_are_told_before_anything_is_heard():
    done = subprocess.run(
        ["prlimit", "--nofile=64:64", sys.executable, "-m", "pytest_hdp.cli", "listen", "--all"],
        capture_output=True,
        text=True,
        cwd=TOP,
        check=False,
    )
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert "this process may open 64: allow more (ulimit -n 542), or name fewer numbers" in line


def test_what_is_kept_belongs_to_who_called_sudo(bench, tmp_path, monkeypatch):
    if os.geteuid():
        pytest.skip("privilege: needs root, to give files to another user")
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65533")
    program = (
        "import sys, types, pathlib; from pytest_hdp.cli import listen as cli_listen; "
        "options = types.SimpleNamespace(write=pathlib.Path(sys.argv[1]), all=False)\n"
        "with cli_listen.writer(options): pass"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.pcapng")], check=True, cwd=TOP)
    assert (tmp_path / "a.pcapng").stat().st_uid == 65534


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("listen 300-", "has no end"),
        ("listen banana", "names no protocol"),
        ("listen 999999", "too far out"),
        ("listen 250-256", "256 is not a protocol number (0-255)"),
        ("listen 263", "263 is not a protocol number"),
        ("listen -5", "-5 is not a protocol number"),
        ("listen 255 --all", "not allowed with"),
        ("listen 255 --protocol 254", "not allowed with"),
        ("listen --json --table", "not allowed with"),
        ("listen --count 0", "greater than 0"),
        ("listen --count -1", "greater than 0"),
        ("listen --count \u0663", "greater than 0"),
        ("listen --address x", "not an IPv4 address"),
        ("listen --address 192.0.2.77", "no address of this host"),
        ("listen --encoding rot13", "plain, base64, base128"),
        ("listen --write /nonexistent/a", "can't be written"),
        ("send", "ADDR"),
        ("send example.org", "not an IPv4 address"),
        ("send 127.0.0.1 --port 65536", "0 to 65535"),
        ("send 127.0.0.1 --count many", "greater than 0"),
        ("send 127.0.0.1 --udp --all", "not allowed with"),
        ("send 127.0.0.1 --udp --protocol 47", "not allowed with"),
        ("shout", "invalid choice"),
    ],
)
def test_bad_input_is_one_line_and_status_4(bench, arguments, said):
    done = bench.run(*arguments.split())
    assert (done.returncode, done.stdout) == (4, b"")
    (line,) = done.stderr.decode().splitlines()
    assert said in line


def test_content_that_no_packet_holds_is_refused(bench):
    assert bench.run("send", HERE, content=bytes(65504)).returncode == 4
    assert bench.run("send", HERE, content=bytes(65503)).returncode == 0


@pytest.mark.parametrize("arguments", [("listen", "255"), ("send", HERE)])
def test_without_the_right_one_line_says_what_to_do(arguments):
    dropped = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*dropped, *HDP, *arguments], input=b"", capture_output=True, timeout=30, check=False, cwd=TOP
    )
    assert done.returncode == 4
    assert re.fullmatch(
        r"hdp: raw sockets need root or CAP_NET_RAW: sudo .*hdp.* (listen|send) [\d.]+\n", done.stderr.decode()
    )


def test_the_dissector_is_where_it_says(tmp_path):
    done = subprocess.run([*HDP, "wireshark"], capture_output=True, text=True, check=True, cwd=TOP)
    assert str(DISSECTOR) in done.stdout
    assert DISSECTOR.is_file()
    (install,) = re.findall(r"^  mkdir -p (\S+) && cp (\S+) (\S+)$", done.stdout, re.MULTILINE)
    assert install[0] == install[2]
    assert install[1] == str(DISSECTOR)
