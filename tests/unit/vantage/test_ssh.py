"""What `--hdp-agent=ssh=...` takes, and what a far end may say."""

from __future__ import annotations

import ast
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote import launcher
from pytest_hdp.vantage.remote.channel import AgentGone
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.remote.specs import far_host
from pytest_hdp.vantage.remote.ssh import parse

VANTAGE = Path(launcher.__file__).parents[1]


def test_everything_that_ssh_takes_goes_to_ssh():
    login = parse("-p 2222 -i 'my key' -J jump -F config -o User=me root@host")
    assert login.destination == "root@host"
    command = login.command
    assert command[:10] == ["ssh", "-p", "2222", "-i", "my key", "-J", "jump", "-F", "config", "-o"]
    assert command[-3:-1] == ["--", "root@host"]
    assert command.index("BatchMode=yes") > command.index("User=me"), "ssh takes the first value: the user's"


def test_words_of_ours_come_first():
    login = parse("drop python=/opt/python3.8 budget=500 lifetime=60 me@host")
    assert (login.words, login.python) == (("me@host",), "/opt/python3.8")
    assert (login.terms.drop, login.terms.budget, login.terms.lifetime) == (True, 500, 60)
    assert shlex.split(login.command[-1])[0] == "/opt/python3.8"
    assert parse("drop").destination == "drop", "a host may be called so"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-p 22",
        "drop -v",
        "'unclosed host",
        "budget=x host",
        "budget=0 host",
        "lifetime=1e9 host",
        "''",
        "a\nb",
    ],
)
def test_what_names_no_host_is_one_line(text):
    with pytest.raises(ValueError, match=r"ssh=.*HOST|is not a whole number") as raised:
        parse(text)
    assert "\n" not in str(raised.value)


def test_the_loader_survives_any_shell():
    (word,) = {each for each in launcher.loader("python3") if "version_info" in each}
    assert not set(word) & set("'!\n"), "each means something to some login shell, even in quotes"


@pytest.mark.parametrize("name", launcher.SHIPPED)
def test_what_is_shipped_is_python_3_8_and_needs_nothing(name):
    source = (VANTAGE / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=launcher.OLDEST)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {each.name for each in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert node.module in sys.stdlib_module_names | {f"pytest_hdp.vantage.{each}" for each in launcher.SHIPPED}


class ScriptedChannel:
    """A channel whose far end is the test."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.say: Callable[[Any], None] = lambda _: None

    def send(self, item: object) -> None:
        self.sent.append(item)

    def setcallback(self, callback: Callable[[Any], Any], endmarker: object = None) -> None:
        self.say = callback


@pytest.fixture
def channel():
    return ScriptedChannel()


@pytest.fixture
def station(channel):
    with RemoteStation(channel, "the agent", lambda: None, lambda: "last words") as station:
        yield station


PACKET = b"\x45" + bytes(19) + b"payload"


@pytest.mark.parametrize(
    "observation",
    [
        (1, 2, 0, b"", "", ""),
        (1, 2, 0, PACKET[:20], "", ""),
        (1, 2, 0, b"\x44" + PACKET[1:], "", ""),
        (1, 2, 0, b"\x4f" + PACKET[1:], "", ""),
        (1, 2, 0, bytes(1 << 17), "", ""),
        (1, "2", 0, PACKET, "", ""),
        (1, 2, 0, PACKET.hex(), "", ""),
        (1, 2, 0, PACKET, None, ""),
        (True, 2, 0, PACKET, "", ""),
        (1, -1, 0, PACKET, "", ""),
        (1, 10**400, 0, PACKET, "", ""),
    ],
)
def test_what_is_no_packet_is_left_out(station, channel, observation):
    channel.say([("seen", [observation, (1, 2, 0, PACKET, "", "eth0")])])
    assert station.poll(1) == [(1, 2, 0, PACKET, "", "eth0")]
    assert station.gone is None


@pytest.mark.parametrize(
    "nonsense",
    [0, "text", [1], [("what",)], [("seen", 1)], [("seen", [(1, 2)])], [("seen", [()])], [("refused", 9, "EPERM")],
     [("answer", 1)], [("answer", [], 0, 0)], [("answer", "x", 0, 0)], [()]],
)  # fmt: skip
def test_nonsense_ends_the_connection(station, channel, nonsense):
    channel.say(nonsense)
    assert station.poll(1) == []
    assert station.gone == "what it says makes no sense"


def test_the_end_has_a_reason(station, channel):
    channel.say(None)
    station.poll(1)
    assert station.gone == "last words"
    station.send_later(1, b"x", "192.0.2.1", 0, type("Packet", (), {"errno": None, "sent_at": 0})())
    station.flush()
    with pytest.raises(OSError, match="the agent is gone: last words"):
        station.route("192.0.2.1")
    assert channel.sent == []


def test_a_burst_is_one_message(station, channel):
    packets = [type("Packet", (), {"errno": None, "sent_at": 0})() for _ in range(100)]
    for packet in packets:
        station.send_later(1, b"x", "192.0.2.1", 0, packet)
        station.pause(0.001)
    station.poll(0)
    assert len(channel.sent) == 1
    assert packets[99].sent_at == pytest.approx(99_000_000, abs=1000), "sent_at is when it is meant to be sent"
    number = channel.sent[0][2][1]
    channel.say([("refused", number, "EPERM")])
    station.poll(1)
    assert [packet.errno for packet in packets[:3]] == [None, "EPERM", None]


@pytest.fixture
def answering(station, channel, monkeypatch):
    """Have the far end answer each question with this errno and value."""

    def answer(number: object, value: object) -> RemoteStation:
        monkeypatch.setattr(
            channel, "send", lambda batch: channel.say([("answer", each[1], number, value) for each in batch])
        )
        return station

    return answer


@pytest.mark.parametrize(
    ("ask", "value"),
    [
        *(("open_ahead", value) for value in ([], None, 5, ["x"], [10**30], [[1]], [1, 2], [-1])),
        *(("datagram", value) for value in ("x", None, [], 1e400, 65536, -1)),
        *(("route", value) for value in (None, 5, ("192.0.2.1",), ("a", "b", 3), ("192.0.2.1", "eth0", "c"))),
        *(("route", (f"fe80::1%{zone}", "eth0", 1500)) for zone in ("\x1b[2J", "\u202e", "z" * 65)),
    ],
)
def test_an_answer_of_nonsense_ends_the_connection(answering, ask, value):
    station = answering(0, value)
    arguments = {"open_ahead": (2, 3, [253]), "datagram": ("192.0.2.1",), "route": ("192.0.2.1",)}
    with pytest.raises(AgentGone, match="the agent is gone: what it says makes no sense"):
        getattr(station, ask)(*arguments[ask])
    assert station.gone == "what it says makes no sense"


def test_the_far_ends_words_move_no_cursor(answering, channel):
    station = answering(0, ("192.0.2.1", "eth0\x1b[2J", 1500))
    assert station.route("192.0.2.1") == ("192.0.2.1", r"eth0\x1b[2J", 1500)
    answering(1, "no\n\x1b[2J" + "x" * 10_000)
    with pytest.raises(OSError, match=r"^\[Errno 1\] no\\n\\x1b\[2Jx{1,500}$"):
        station.datagram("192.0.2.1")
    channel.say([("gone", "bye\x1b[2J")])
    station.poll(1)
    assert station.gone == r"bye\x1b[2J"


def test_what_ssh_prints_moves_no_cursor(tmp_path, monkeypatch):
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nprintf 'no \\033[2J way\\n' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(VantageError, match=r"can't be had: no \\x1b\[2J way$"):
        far_host("ssh", "host").connect()
