"""Starting an agent through a command that gives a far Python's standard input and output: ssh, or one of the tests'.

execnet carries the sources there and the messages back. The command runs in a session of its own, so that Ctrl-C at
the terminal is for the controller alone, and asks nobody anything: neither there nor in a window.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_hdp.vantage.interrupts import interrupts_later
from pytest_hdp.vantage.remote import SILENCE, RemoteStation

START_PATIENCE = 30.0  # seconds from the command's start to the agent's first word
OLDEST = (3, 8)
_END_PATIENCE = 1.0
_MOST_STDERR = 65536
_ROOM = Path(__file__).parent
_SHIPPED = ("station", "kernel", "ahead", "agent")
_EXEC = "import sys;exec(sys.argv[1])"

# Runs before anything else there, on whatever Python that is. No single quotes, no exclamation marks: see `loader`.
_LOADER = f"""
sys.path[:] = [each for each in sys.path if each]
import os, socket
if sys.version_info < {OLDEST}:
    sys.exit("hdp: Python %d.%d is too old there, an agent needs {OLDEST[0]}.{OLDEST[1]} or later: "
             "name another one with python=PATH" % tuple(sys.version_info[:2]))
try:
    socket.socket(17, 2, 0).close()
except EnvironmentError as error:
    if os.geteuid() == 0 or len(sys.argv) > 2:
        sys.exit("hdp: raw sockets may not be opened there, not even by root: %s" % error.strerror)
    try:
        os.execvp("sudo", ["sudo", "-n", sys.executable or "python3", "-SsEuc", "{_EXEC}", sys.argv[1], "sudo"])
    except EnvironmentError:
        sys.exit("hdp: raw sockets need root there, and there is no sudo: log in as root")
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

    `budget`: packets; `lifetime`, `silence`: seconds; `drop`: whether it gives up all privilege first.
    """

    peers: tuple[str, ...] = ()
    budget: int = 100_000
    lifetime: float = 3600.0
    silence: int = SILENCE
    drop: bool = False
    byteorder: str = sys.byteorder


class NotStarted(Exception):  # noqa: N818
    """Raised if there is no agent in the end. `status`: the command's exit status, None if it had none of its own.

    `printed`: its standard error.
    """

    def __init__(self, status: int | None, printed: str) -> None:
        super().__init__(printed)
        self.status = status
        self.printed = printed


def loader(python: str) -> list[str]:
    """The command that is to run there, as words."""
    return [python, "-SsEuc", _EXEC, f"exec({json.dumps(_LOADER)})"]


def start(command: Sequence[str], name: str, terms: Terms) -> RemoteStation:
    """Start an agent through a command that runs `loader` somewhere. `name`: what to call it in messages.

    Raises NotStarted; OSError if the command itself can't be started.
    """
    connection = _Connection(command)
    try:
        channel = connection.channel(terms)
    except BaseException:
        connection.close()
        raise
    return RemoteStation(channel, name, connection.close, connection.last_words)


class _Connection:
    """The command's process, and execnet's gateway over its pipes."""

    def __init__(self, command: Sequence[str]) -> None:
        self._stderr = os.memfd_create("stderr")
        self._gateway: Any = None
        self._channel: Any = None
        self._ready = False
        try:
            with interrupts_later():
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr,
                    start_new_session=True,
                    env={
                        **os.environ,
                        "SSH_ASKPASS_REQUIRE": "never",
                    },  # an ssh to a jump host has no BatchMode of ours
                )
        except BaseException:
            os.close(self._stderr)
            raise

    def channel(self, terms: Terms) -> Any:
        """The channel to an agent that is ready. Raises NotStarted."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._kill()

        watchdog = threading.Timer(START_PATIENCE, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            word, what = self._first_word(terms)
        except Exception as error:  # whatever execnet raises over a dead or foreign process
            if late.is_set():
                raise NotStarted(None, f"hdp: nothing answered within {START_PATIENCE:g} s") from None
            status = self._status()
            if isinstance(error, AssertionError):
                said = "hdp: something there prints before the agent starts: keep the shell's start-up files quiet"
                raise NotStarted(status, said) from None
            raised = _last_line(str(error)) if type(error).__name__ == "RemoteError" else ""
            raise NotStarted(status, self._printed() or raised) from None
        finally:
            watchdog.cancel()
        if word != "ready":
            raise NotStarted(None, f"hdp: {what}")
        self._ready = True
        return self._channel

    def _first_word(self, terms: Terms) -> tuple[str, object]:
        from execnet import XSpec
        from execnet.gateway import Gateway
        from execnet.gateway_base import Popen2IO, get_execmodel
        from execnet.gateway_bootstrap import bootstrap_exec

        class Pipes(Popen2IO):
            """What execnet calls an IO."""

            def __init__(self, process: subprocess.Popen[bytes]) -> None:
                super().__init__(process.stdin, process.stdout, get_execmodel("thread"))
                self._process = process

            def wait(self) -> int | None:
                return self._process.wait()

            def kill(self) -> None:
                self._process.kill()

        spec = XSpec("popen//id=hdp//execmodel=thread")
        pipes = Pipes(self._process)
        bootstrap_exec(pipes, spec)
        self._gateway = Gateway(pipes, spec)
        self._channel = self._gateway.remote_exec(_UNPACK)
        parents = [("pytest_hdp", ""), ("pytest_hdp.vantage", "")]
        sources = [(f"pytest_hdp.vantage.{each}", (_ROOM / f"{each}.py").read_text("utf-8")) for each in _SHIPPED]
        self._channel.send((asdict(terms), [*parents, *sources]))
        word, what = self._channel.receive(START_PATIENCE)
        return str(word), what

    def last_words(self) -> str:
        """Why it ended, in one line: what the agent's Python raised, or what the command printed or how it ended."""
        with contextlib.suppress(OSError, EOFError):
            try:
                self._channel.waitclose(_END_PATIENCE)
            except self._channel.RemoteError as error:
                return _last_line(str(error))
        status = self._status()
        return _last_line(self._printed()).removesuffix(".") or f"the connection ended (status {status})"

    def close(self) -> None:
        """End the command and with it the agent. May be called again."""
        if self._process.poll() is None:
            if self._ready:
                self._process.terminate()
            else:
                self._kill()
        self._status()
        if self._gateway is not None:
            self._gateway.join(_END_PATIENCE)
        else:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1

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

    def _printed(self) -> str:
        if self._stderr < 0:
            return ""
        return os.pread(self._stderr, _MOST_STDERR, 0).decode(errors="replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
