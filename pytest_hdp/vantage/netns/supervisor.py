"""Network namespaces of our own, and sockets and programs in them, as root or as an ordinary user.

A child process owns them (`supervisor_main`): entering a user namespace is for a process with one thread, and
an ordinary user's process cannot enter the child's network namespaces, so sockets are opened there and handed
over. When the owner ends, however it ends, the child is killed, everything it started with it, and the kernel
takes down the namespaces with their links, rules and sysctls.
"""

from __future__ import annotations

import array
import contextlib
import errno
import json
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.vantage.interrupts import interrupts_later

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

_LARGEST_ANSWER = 1 << 16
_MOST_DESCRIPTORS = 250  # in one answer; the kernel passes 253 (SCM_MAX_FD)
_PATIENCE = 5.0  # seconds
_SCRIPT = Path(__file__).with_name("supervisor_main.py")


class NamespacesUnavailable(RuntimeError):  # noqa: N818
    """Raised where network namespaces may not be made. Its text: one line with the reason and what to do."""


@dataclass(slots=True)
class Running:
    """A program started in a namespace. `pid` is its number inside the supervisor's process namespace."""

    pid: int
    _told: int

    def wait(self) -> int:
        """Wait for its end: its exit status, minus the signal that killed it, or -9 if the supervisor died."""
        if self._told < 0:
            raise ValueError("already waited for")
        with os.fdopen(self._told, "rb") as told:
            self._told = -1
            return int(told.read() or -9)

    def fileno(self) -> int:
        """Return a descriptor that gets readable when the program has ended."""
        return self._told


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace. `descriptor` holds it: /proc/PID/fd/DESCRIPTOR is a path for nsenter --net."""

    supervisor: Supervisor
    number: int
    descriptor: int

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """socket(2) in this namespace, non-blocking and close-on-exec: a Station's `socket_factory`.

        Raises OSError with the kernel's errno.
        """
        if not -(2**31) <= protocol < 2**31:
            raise OSError(errno.EINVAL, f"protocol {protocol} is not a C int")
        (opened,) = self._open_some(family, kind, [protocol])
        if isinstance(opened, OSError):
            raise opened
        return opened

    def open_sockets(self, family: int, kind: int, protocols: Sequence[int]) -> list[socket.socket | OSError]:
        """As `open_socket` for each protocol, in as few requests as can be.

        Raises OSError: EMFILE, and then nothing is left open.
        """
        opened: list[socket.socket | OSError] = []
        try:
            for start in range(0, len(protocols), _MOST_DESCRIPTORS):
                opened += self._open_some(family, kind, protocols[start : start + _MOST_DESCRIPTORS])
        except BaseException:
            close_all(opened)
            raise
        return opened

    def _open_some(self, family: int, kind: int, protocols: Sequence[int]) -> list[socket.socket | OSError]:
        request = {"namespace": self.number, "family": family, "kind": kind, "protocols": list(protocols)}
        answer, descriptors = self.supervisor.ask("sockets", request)
        if len(descriptors) < answer["errnos"].count(0):  # the kernel leaves out what exceeds RLIMIT_NOFILE (unix(7))
            for each in descriptors:
                os.close(each)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        left = iter(descriptors)
        return [
            OSError(number, os.strerror(number)) if number else _adopted(family, kind, protocol, next(left))
            for protocol, number in zip(protocols, answer["errnos"], strict=True)
        ]

    def set_sysctls(self, values: Mapping[str, object]) -> list[str]:
        """Write files below /proc/sys/net ("ipv4/ip_forward": 1). Returns the names that this kernel lacks.

        Raises OSError: EPERM, EROFS, EINVAL.
        """
        texts = {name: str(value) for name, value in values.items()}
        answer, _ = self.supervisor.ask("write", {"namespace": self.number, "values": texts})
        return list(answer["missing"])

    def start(
        self,
        argv: Sequence[str],
        descriptors: Sequence[int] = (0, 1, 2),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Running:
        """Start a program here, its path in full; it has these descriptors as 0, 1, 2, 3 ...

        Raises OSError: ENOENT, EACCES.
        """
        told, telling = os.pipe()
        environment = dict(os.environ if env is None else env)
        request = {
            "namespace": self.number,
            "argv": list(argv),
            "env": environment,
            "cwd": cwd or str(Path.cwd()),
        }
        try:
            answer, _ = self.supervisor.ask("spawn", request, [telling, *descriptors])
        except BaseException:
            os.close(told)
            raise
        finally:
            os.close(telling)
        return Running(answer["pid"], told)

    def run(self, argv: Sequence[str], text: str = "") -> tuple[int, str]:
        """Run a program here with `text` as its standard input. Returns exit status and all it printed."""
        inward, outward = os.memfd_create("input"), os.memfd_create("output")
        try:
            os.write(inward, text.encode())
            os.lseek(inward, 0, os.SEEK_SET)
            status = self.start(argv, (inward, outward, outward)).wait()
            os.lseek(outward, 0, os.SEEK_SET)
            with os.fdopen(outward, "rb", closefd=False) as printed:
                return status, printed.read().decode(errors="replace")
        finally:
            os.close(inward)
            os.close(outward)


class Supervisor:
    """Owner's side of the supervisor process. Not thread-safe; a context manager.

    The thread that makes it must outlive it: the kernel takes that thread for the child's parent.
    `private`: it works in a user namespace of its own. `pid`: the process to be seen in the process list.
    Raises NamespacesUnavailable.
    """

    def __init__(self) -> None:
        with interrupts_later():
            self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._namespaces: list[Namespace] = []
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_SCRIPT), str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,  # nothing is written there: it ends when the process does
                )
            except BaseException:
                ours.close()
                raise
        self.pid = self._process.pid
        try:
            hello, _ = self._receive()
        except OSError as error:
            self.close()
            raise NamespacesUnavailable(_refusal(error)) from error
        except BaseException:
            self.close()
            raise
        self.private = bool(hello["private"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that runs in the namespaces, and them; nothing of it runs any more then.

        May be called again.
        """
        with interrupts_later():
            self._close()

    def _close(self) -> None:
        self._control.close()  # its process 1 ends with that, and the kernel ends all others before it is gone
        if self._process.returncode is None and not self._ended_in_time():
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        for each in self._namespaces:
            os.close(each.descriptor)
        self._namespaces.clear()

    def _ended_in_time(self) -> bool:
        assert self._process.stdout is not None
        ended = select.poll()  # not select(), which takes no descriptor above 1023
        ended.register(self._process.stdout, select.POLLIN)
        return bool(ended.poll(_PATIENCE * 1000))

    def namespace(self) -> Namespace:
        """Make a network namespace with nothing in it but a loopback interface that is down."""
        answer, (descriptor,) = self.ask("namespace", {})
        self._namespaces.append(Namespace(self, answer["namespace"], descriptor))
        return self._namespaces[-1]

    def ask(
        self, what: str, request: Mapping[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        """Send one request and wait for its answer and the descriptors beside it.

        Raises OSError: what was refused there; EPIPE if the supervisor died.
        """
        message = json.dumps({"do": what, **request}).encode()
        try:
            socket.send_fds(self._control, [message], list(descriptors))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise BrokenPipeError(errno.EPIPE, "the supervisor of the namespaces died") from error
        try:
            return self._receive()
        except KeyboardInterrupt:
            self.close()  # the answer would be taken for the next request's
            raise

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        content, descriptors = b"", array.array("i")
        room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * descriptors.itemsize)
        with contextlib.suppress(ConnectionResetError):  # socket.recv_fds() forgets its flags (CPython 3.11 to 3.13)
            content, beside, _, _ = self._control.recvmsg(_LARGEST_ANSWER, room, socket.MSG_CMSG_CLOEXEC)
            for _, _, passed in beside:
                descriptors.frombytes(passed)
        if not content:
            raise BrokenPipeError(errno.EPIPE, "the supervisor of the namespaces died")
        answer = json.loads(content)
        if "errno" in answer:
            raise OSError(answer["errno"], answer["error"])
        return answer, list(descriptors)


def _adopted(family: int, kind: int, protocol: int, descriptor: int) -> socket.socket:
    opened = socket.socket(family, kind, protocol, fileno=descriptor)
    opened.setblocking(False)
    return opened


def close_all(opened: Iterable[socket.socket | OSError]) -> None:
    """Close the sockets among them."""
    for each in opened:
        if isinstance(each, socket.socket):
            each.close()


def _refusal(error: OSError) -> str:
    reason = f"no network namespace: {error.strerror}"
    if error.errno in (errno.EINVAL, errno.ENOSYS):
        return f"{reason}; this kernel is built without one of CONFIG_NET_NS, CONFIG_PID_NS, CONFIG_USER_NS"
    if os.geteuid() == 0:
        return f"{reason}; root needs CAP_SYS_ADMIN (in a container: --cap-add SYS_ADMIN or --privileged)"
    return (
        f"{reason}; run as root, or let root allow user namespaces (where these exist): "
        "sysctl user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0"
    )
