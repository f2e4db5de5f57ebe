"""The far side of a `Supervisor`: a process that owns network namespaces and does in them what it is asked to.

Run as a script, without site-packages: `python -I -S supervisor_main.py DESCRIPTOR OWNER_PID`. The descriptor
is a Unix sequential-packet socket; a request and its answer are one JSON object each, with descriptors beside.
It makes its own user namespace only where it may not make network namespaces without. What serves is process
1 of a process namespace: when it dies the kernel kills everything started from it, and with the last descriptor
the namespaces, links and rules go too.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
from typing import Any

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_LARGEST_REQUEST = 1 << 18
_MOST_DESCRIPTORS = 32
_OUT_OF_THE_WAY = 64
_IGNORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE)

_libc = ctypes.CDLL(None, use_errno=True)

Answer = tuple[dict[str, Any], list[int]]


def main() -> int:
    """Enter the namespaces, leave one process to serve and wait for it. Returns the exit status."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    for each in _IGNORED:
        signal.signal(each, signal.SIG_IGN)  # Ctrl-C is the owner's to act on; it ends us when it is done
    try:
        private = _enter_namespaces()
        _die_with_parent()
    except OSError as error:
        control.send(json.dumps({"errno": error.errno, "error": str(error.strerror)}).encode())
        return 1
    if os.getppid() != int(sys.argv[2]):
        return 1
    alive, held = os.pipe()
    child = os.fork()
    if child:
        control.close()
        os.waitpid(child, 0)
        return 0
    os.close(held)
    _die_with_parent()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):  # the owner died, perhaps with an answer unread
        control.send(json.dumps({"private": private}).encode())
        Server(control, alive).serve()
    return 0


def _enter_namespaces() -> bool:
    """Whether a user namespace had to be made. Raises OSError: EPERM, ENOSPC where the system forbids it."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _CLONE_NEWNET | _CLONE_NEWPID)
    except PermissionError:
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID)
        for name, text in (("uid_map", f"0 {user} 1"), ("setgroups", "deny"), ("gid_map", f"0 {group} 1")):
            _write(f"/proc/self/{name}", text)
        return True
    return False


def _die_with_parent() -> None:
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)


def _call(name: str, *arguments: int) -> int:
    result = int(getattr(_libc, name)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


class Server:
    """Serves requests until the owner's socket or the waiting parent is gone."""

    def __init__(self, control: socket.socket, alive: int) -> None:
        self._control = control
        self._alive = alive
        self._namespaces: list[int] = []
        self._running: dict[int, int] = {}  # process: descriptor that is told how it ended

    def serve(self) -> None:
        """Answer requests, collect the dead."""
        wakeup, written = os.pipe()
        for each in (wakeup, written):
            os.set_blocking(each, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        waiting = select.poll()
        for each in (self._control.fileno(), self._alive, wakeup):
            waiting.register(each, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in waiting.poll()}
            if wakeup in ready:
                os.read(wakeup, 4096)
                self._collect()
            if self._alive in ready or (self._control.fileno() in ready and not self._answer()):
                return

    def _answer(self) -> bool:
        request, given = self._receive()
        if not request:
            return False
        answer: dict[str, Any]
        passed: list[int] = []
        try:
            asked = json.loads(request)
            answer, passed = getattr(self, "do_" + asked.pop("do"))(given, **asked)
        except OSError as error:
            answer = {"errno": error.errno or errno.EIO, "error": error.strerror or str(error)}
        socket.send_fds(self._control, [json.dumps(answer).encode()], passed)
        for each in given + passed:
            os.close(each)
        return True

    def _receive(self) -> tuple[bytes, list[int]]:
        given = array.array("i")
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * given.itemsize)
        # Not socket.recv_fds(), which forgets its flags: programs started here would inherit what is given for others.
        request, beside, _, _ = self._control.recvmsg(_LARGEST_REQUEST, room, socket.MSG_CMSG_CLOEXEC)
        for _, _, passed in beside:
            given.frombytes(passed)
        return request, list(given)

    def _collect(self) -> None:
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            told = self._running.pop(process, None)
            if told is not None:
                with contextlib.suppress(BrokenPipeError):
                    os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
                os.close(told)

    def _go(self, namespace: int) -> None:
        _call("setns", self._namespaces[namespace], _CLONE_NEWNET)

    def do_namespace(self, given: list[int]) -> Answer:
        """Make a network namespace; one descriptor of it is handed over, another kept."""
        _call("unshare", _CLONE_NEWNET)
        self._namespaces.append(os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        return {"namespace": len(self._namespaces) - 1}, [os.dup(self._namespaces[-1])]

    def do_sockets(self, given: list[int], namespace: int, family: int, kind: int, protocols: list[int]) -> Answer:
        """socket(2) there for each protocol, with exactly these numbers. In the answer: each one's errno, or 0."""
        self._go(namespace)
        errnos: list[int] = []
        opened: list[int] = []
        for protocol in protocols:
            try:
                opened.append(_call("socket", family, kind | socket.SOCK_CLOEXEC, protocol))
                errnos.append(0)
            except OSError as error:
                errnos.append(error.errno or errno.EIO)
        return {"errnos": errnos}, opened

    def do_write(self, given: list[int], namespace: int, values: dict[str, str]) -> Answer:
        """Write files below /proc/sys/net of a namespace. The names that do not exist there come back."""
        self._go(namespace)
        missing = []
        for name, value in values.items():
            try:
                _write("/proc/sys/net/" + name, value)
            except FileNotFoundError:
                missing.append(name)
        return {"missing": missing}, []

    def do_spawn(self, given: list[int], namespace: int, argv: list[str], env: dict[str, str], cwd: str) -> Answer:
        """Start a program. Given: where its end is told, then what it has as descriptors 0, 1, 2, 3 ..."""
        self._go(namespace)
        # Out of the way first, so that no dup2 overwrites what a later one still needs.
        high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY) for each in given]
        actions = [(os.POSIX_SPAWN_DUP2, have, want) for want, have in enumerate(high[1:])]
        try:
            os.chdir(cwd)
            process = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsigdef=_IGNORED)
            self._running[process] = os.dup(high[0])
        finally:
            os.chdir("/")
            for each in high:
                os.close(each)
        return {"pid": process}, []


if __name__ == "__main__":
    sys.exit(main())
