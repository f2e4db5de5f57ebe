"""Starting an agent through a command that gives a far Python's standard input and output: ssh, or one of the tests'.

execnet's protocol carries the sources there and the messages back. The command runs in a session of its own, so that
Ctrl-C at the terminal is for the controller alone, and asks nobody anything: neither there nor in a window.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_hdp.packet.family import FAMILIES
from pytest_hdp.vantage.interrupts import interrupts_later
from pytest_hdp.vantage.remote.channel import keep_alive
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.remote.messages import parse_text
from pytest_hdp.vantage.remote.pipes import NOISE, PipeChannel

BEAT = 5.0  # seconds between two words to an agent
SILENCE = 30  # seconds without a word from here, after which an agent ends
START_PATIENCE = 30.0  # seconds from the command's start to the agent's first word
OLDEST = (3, 8)
UNSTARTED = 45  # seconds in which an agent begins, and sets its own alarm, or its Python ends
_END_PATIENCE = 1.0
_ROOM = Path(__file__).parents[1]
SHIPPED = ("rtnetlink", "sockets", "receiving", "station", "kernel", "remote.preopened", "remote.agent")
_EXEC = "import sys;exec(sys.argv[1])"
BEGUN = "[hdp: the agent begins]"
"""What is printed first of all there: what stands before it is not ours, whatever it looks like."""
_BEGIN_PATIENCE = 3.0  # seconds in which our code begins there, behind what a shell's start-up files print

# Runs before anything else there, on whatever Python that is. No single quotes, no exclamation marks: see `loader`.
# To a container's first process the kernel delivers no signal that it does not handle, its own alarm neither, by which
# an agent ends: so that one has a child be the agent. An alarm is set here, too: a stream may be held open by others
# when whoever asked is gone.
_LOADER = f"""
sys.path[:] = [each for each in sys.path if each]
import os, socket
sys.stderr.write("{BEGUN}\\n")
sys.stderr.flush()
if sys.version_info < {OLDEST}:
    sys.exit("hdp: Python %d.%d is too old there, an agent needs {OLDEST[0]}.{OLDEST[1]} or later: "
             "name another one with python=PATH" % tuple(sys.version_info[:2]))
try:
    socket.socket(17, 2, 0).close()
except EnvironmentError:
    try:
        if os.geteuid() and len(sys.argv) < 3:
            os.execvp("sudo", ["sudo", "-n", sys.executable or "python3", "-SsEuc", "{_EXEC}", sys.argv[1], "sudo"])
    except EnvironmentError:
        sys.exit("hdp: raw sockets need root there, and there is no sudo: log in as root")
if os.getpid() == 1:
    child = os.fork()
    if child:
        null = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(null, each)
        os.waitpid(child, 0)
        os._exit(0)
import signal
signal.signal(signal.SIGALRM, signal.SIG_DFL)
signal.alarm({UNSTARTED})
exec(eval(sys.stdin.readline()))
"""

# Runs there through execnet, which puts `channel` there.
_UNPACK = """
import sys, types
terms, sources = channel.receive()
for name, source in sources:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
sys.modules[name].serve(channel, terms)
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agent may do. `peers`: addresses to send to; one more is added when the controller names it.

    `budget`: packets; `lifetime`, `silence`: seconds; `drop`: whether it gives up all privilege first, once it has
    opened what may be wanted of sockets of these `families`: 500 of each, where many a host allows 1024 files.
    `unprivileged`: it is wanted though it may open no raw sockets.
    """

    peers: tuple[str, ...] = ()
    budget: int = 100_000
    lifetime: float = 3600.0
    silence: int = SILENCE
    drop: bool = False
    unprivileged: bool = False
    families: tuple[int, ...] = tuple(each.socket_family for each in FAMILIES)
    byteorder: str = sys.byteorder


class NotStarted(Exception):  # noqa: N818
    """Raised if there is no agent in the end. `status`: the command's exit status, None if it had none of its own.

    `why`: one line, if that is known here; `printed`: the standard error before our code began there, and `own` what
    came after that; `begun`: whether it did begin.
    """

    def __init__(self, status: int | None, printed: str = "", why: str = "") -> None:
        super().__init__(why or printed)
        self.status = status
        self.why = why
        self.printed, begun, self.own = printed.rpartition(BEGUN)
        self.begun = bool(begun)
        if not begun:
            self.printed, self.own = self.own, ""


def loader(python: str) -> list[str]:
    """The command that is to run there, as words."""
    return [python, "-SsEuc", _EXEC, f"exec({json.dumps(_LOADER)})"]


def program() -> str:
    """The same as one word, for a Python that is given it after -c."""
    words = json.dumps([f"exec({json.dumps(_LOADER)})"])
    return f"import sys;sys.argv[1:]={words};exec(sys.argv[1])"


def start(command: Sequence[str], name: str, terms: Terms) -> RemoteStation:
    """Start an agent through a command that runs `loader` somewhere. `name`: what to call it in messages.

    Raises NotStarted; OSError if the command itself can't be started.
    """
    connection = _Connection(command)
    atexit.register(connection.close)  # it may be started in a thread that nobody waits for any more
    try:
        channel = connection.channel(terms)
    except BaseException:
        connection.close()
        raise
    finally:
        atexit.unregister(connection.close)
    station = RemoteStation(channel, name, connection.close, connection.last_words)
    beating = (channel, station.ended, BEAT)
    threading.Thread(target=keep_alive, args=beating, name="hdp agent's heartbeat", daemon=True).start()
    return station


class _Connection:
    """The command's process, and the channel over its pipes."""

    def __init__(self, command: Sequence[str]) -> None:
        self._ready = False
        with interrupts_later():
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                bufsize=0,
                env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},  # an ssh to a jump host has no BatchMode of ours
            )
        try:
            self._channel = PipeChannel(self._process)
        except BaseException:
            self._kill()
            raise

    def channel(self, terms: Terms) -> PipeChannel:
        """The channel to an agent that is ready. Raises NotStarted."""
        try:
            word, what = self._first_word(terms)
        except TimeoutError:
            printed, failed = self._channel.printed(), self._channel.failed
            raise NotStarted(None, printed, failed or f"nothing answered within {START_PATIENCE:g} s") from None
        except (OSError, EOFError, TypeError, ValueError):
            raise self._not_started() from None
        if word != "ready":
            raise NotStarted(None, self._channel.printed(), parse_text(what))
        self._ready = True
        return self._channel

    def _first_word(self, terms: Terms) -> Any:
        """Send everything there, and return what is answered: a pair, if it is an agent."""
        deadline = time.monotonic() + START_PATIENCE
        self._channel.start(_UNPACK, deadline)
        parents = [(each, "") for each in ("pytest_hdp", "pytest_hdp.vantage", "pytest_hdp.vantage.remote")]
        files = {each: _ROOM / f"{each.replace('.', '/')}.py" for each in SHIPPED}
        sources = [(f"pytest_hdp.vantage.{each}", file.read_text("utf-8")) for each, file in files.items()]
        self._channel.send((asdict(terms), [*parents, *sources]))
        return self._channel.receive(deadline)

    def _not_started(self) -> NotStarted:
        """Why there is no agent: what it sent or raised, or what the command printed before it ended."""
        self._channel.ended.wait(_END_PATIENCE)
        failed = self._channel.failed
        if failed == NOISE:
            return self._noise()
        if failed and not self._channel.raised:
            return NotStarted(None, self._channel.printed(), failed)
        status = self._status()
        return NotStarted(status, self._channel.printed(), failed)

    def _noise(self) -> NotStarted:
        """Something else than an agent speaks: before our code begins all the same, or in its place."""
        deadline = time.monotonic() + _BEGIN_PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline and BEGUN not in self._channel.printed():
            time.sleep(0.02)
        printed = self._channel.printed()
        if BEGUN in printed:
            return NotStarted(self._process.poll(), printed, NOISE)
        return NotStarted(self._process.poll(), f"{printed}\n{self._channel.noise}")  # Docker complains there, too

    def last_words(self) -> str:
        """Why it ended, in one line: what the agent's Python raised, or what the command printed or how it ended."""
        self._channel.ended.wait(_END_PATIENCE)
        if self._channel.failed:
            return self._channel.failed
        status = self._status()
        return (
            _last_line(self._channel.printed().replace(BEGUN, "")).removesuffix(".")
            or f"the connection ended (status {status})"
        )

    def close(self) -> None:
        """End the command and with it the agent. May be called again."""
        if self._process.poll() is None:
            if self._ready:
                self._process.terminate()
            else:
                self._kill()
        self._status()
        self._channel.close(_END_PATIENCE)

    def _status(self) -> int:
        try:
            return self._process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            self._kill()
            return self._process.wait()

    def _kill(self) -> None:
        """With all that it started: of an ssh that ends like this, the one to the jump host would live on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
