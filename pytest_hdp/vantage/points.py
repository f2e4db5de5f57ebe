"""Places with sockets, and the ways to reach them: this host, a network namespace, a namespace of our own.

`with loopback_point().station() as station: ...`. Sockets stay in the namespace they were opened in, so a station
works in this process wherever its sockets are.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import os
import socket
import struct
from contextlib import AbstractContextManager, contextmanager
from errno import EADDRNOTAVAIL, EAFNOSUPPORT, ENAMETOOLONG, ENETUNREACH
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_hdp.packet.family import IPV6
from pytest_hdp.vantage.kernel import lacking
from pytest_hdp.vantage.netns.socket_pool import Opener
from pytest_hdp.vantage.netns.supervisor import NamespacesUnavailable, Supervisor
from pytest_hdp.vantage.sockets import open_socket
from pytest_hdp.vantage.station import Station

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from pytest_hdp.packet.family import Family

NAMED = Path("/run/netns")  # where ip-netns(8) keeps names
_MOST_NAMES = 10
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


class VantageError(Exception):
    """A place that can't be reached. The message is one line and says what to do."""


class VantagePoint(Protocol):
    """What every place offers."""

    def describe(self) -> str:
        """Name the place and the privilege used, for the header of a report."""

    def station(self) -> AbstractContextManager[Station]:
        """Give a station whose sockets are in this place, and close it afterwards."""


class Host:
    """Where this process is. Opening raw sockets takes CAP_NET_RAW."""

    def describe(self) -> str:
        """Name the place and the privilege used."""
        if os.geteuid() == 0:
            return "this host, as root"
        return "this host, with CAP_NET_RAW" if can_open_raw() else "this host, as an ordinary user"

    def station(self) -> Station:
        """Give a station in this process's network namespace."""
        return Station()


class Namespace:
    """A network namespace that others made: a name of `ip netns`, a path, `pid:1234`, or an open descriptor.

    It takes CAP_SYS_ADMIN, here and over the namespace. Raises VantageError, here and from `station`, if there is no
    such namespace or it may not be entered.
    """

    def __init__(self, spec: str | int) -> None:
        self._spec = spec
        self._name = spec if isinstance(spec, str) else f"descriptor {spec}"
        with self._entered():
            pass

    def describe(self) -> str:
        """Name the namespace."""
        return f"network namespace {self._name}"

    @contextmanager
    def station(self) -> Iterator[Station]:
        """Give a station in the namespace, which lives on while its sockets do."""
        with self._entered() as inside:

            def open_there(family: int, kind: int, protocol: int) -> socket.socket:
                return inside.submit(open_socket, family, kind, protocol).result()

            with Station(open_there) as station:
                yield station

    @contextmanager
    def _entered(self) -> Iterator[Executor]:
        """Keep one thread in the namespace: setns(2) moves only the calling thread, and takes 0.1 ms.

        So whatever happens, nothing else of this process is ever in the wrong namespace, and nobody has to get back.
        """
        from concurrent.futures import ThreadPoolExecutor

        descriptor = _open_namespace(self._spec)
        try:
            with ThreadPoolExecutor(max_workers=1) as inside:
                try:
                    inside.submit(_enter, descriptor).result()
                except PermissionError as error:
                    raise _not_allowed(self._name) from error
                except OSError as error:
                    raise VantageError(f"{self._name} is not a network namespace") from error
                yield inside
        finally:
            os.close(descriptor)


class PrivateNamespace:
    """A network namespace of our own with nothing in it but loopback, made for each station and gone with it.

    Takes no privilege where user namespaces are allowed. A child process opens the sockets; it dies with this one.
    """

    def describe(self) -> str:
        """Name the place and the privilege used."""
        return "private network namespace, no privilege needed"

    @contextmanager
    def station(self) -> Iterator[Station]:
        """Give a station in a new namespace. Raises VantageError where the system allows none."""
        with contextlib.ExitStack() as stack:
            try:
                namespace = stack.enter_context(Supervisor()).namespace()
                with namespace.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
                    bring_up(opened, "lo")
            except NamespacesUnavailable as error:
                raise VantageError(str(error)) from error
            except OSError as error:
                raise VantageError(f"no private network namespace: {error.strerror}; {how_to_allow()}") from error
            opener = stack.enter_context(Opener(namespace))
            yield stack.enter_context(Station(opener))


def loopback_point() -> VantagePoint:
    """Choose where to work with loopback: the host's own with CAP_NET_RAW, else a private one. Raises VantageError."""
    check_kernel()
    if can_open_raw():
        return Host()
    if can_unshare():
        return PrivateNamespace()
    raise VantageError(
        "raw sockets need CAP_NET_RAW, and this system allows no private network namespace: "
        f'run as root (sudo "$(command -v pytest)" ...), or {how_to_allow()}'
    )


def check_kernel() -> None:
    """Raises VantageError if this kernel lacks what every measurement rests on, wherever its sockets are."""
    lack = lacking()
    if lack is not None:
        raise VantageError(f"this kernel lacks {lack}")


_SWITCHED_OFF = "IPv6 is switched off on this host (net.ipv6.conf.all.disable_ipv6=1): run with --hdp-ip-version=4"


def check_usable(station: Station, family: Family) -> None:
    """Raise VantageError, one line, where a station's kernel has no such IP, or its loopback can't be used."""
    try:
        station.route(family.loopback)
        handle, _ = station.datagram(family.loopback)
        station.discard(handle)
    except OSError as error:
        raise VantageError(lacking_ip(family, error)) from None


def lacking_ip(family: Family, error: OSError) -> str:
    """Say in one line why an IP version can't be used here, by the errno of the first socket that needs it."""
    if error.errno == EAFNOSUPPORT:
        return f"this kernel has no {family.name} (EAFNOSUPPORT): run with --hdp-ip-version=4"
    if error.errno in {EADDRNOTAVAIL, ENETUNREACH} and family is IPV6:
        return _SWITCHED_OFF
    return f"no {family.name} on loopback: {error.strerror}"


def can_open_raw() -> bool:
    """Whether this process may open raw and packet sockets here."""
    for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 253), (socket.AF_PACKET, socket.SOCK_DGRAM, 0)):
        try:
            open_socket(family, kind, protocol).close()
        except OSError:
            return False
    return True


@functools.cache
def can_unshare() -> bool:
    """Whether a private network namespace can be had and raw sockets opened in it. Tried once, for real."""
    try:
        with PrivateNamespace().station() as station:
            station.sender(socket.AF_INET, 253)
    except (VantageError, OSError):
        return False
    return True


# What forbids user namespaces, each with the value that allows them: user_namespaces(7), and Debian's and Ubuntu's own.
_FORBIDDING = (
    ("user.max_user_namespaces", "0", "10000"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def how_to_allow(settings: Path = Path("/proc/sys")) -> str:
    """What lets ordinary users have namespaces on this system."""
    changes = []
    for name, forbidding, allowing in _FORBIDDING:
        with contextlib.suppress(OSError):
            if (settings / name.replace(".", "/")).read_text().strip() == forbidding:
                changes.append(f"{name}={allowing}")
    if changes:
        return f"allow user namespaces: sudo sysctl {' '.join(changes)}"
    return "allow user namespaces, which a container's seccomp profile or a security module forbids here"


def _enter(descriptor: int) -> None:
    """Move the calling thread into a network namespace. Raises OSError: EPERM; EINVAL if it is no such namespace."""
    if _libc.setns(descriptor, _CLONE_NEWNET) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open_namespace(spec: str | int) -> int:
    """Open what stands for a namespace: a new descriptor. Raises VantageError."""
    if isinstance(spec, int):
        try:
            return os.dup(spec)
        except OSError as error:
            raise VantageError(f"descriptor {spec} is not open") from error
    process = spec.removeprefix("pid:")
    if process != spec:
        if not (process.isascii() and process.isdecimal()):
            raise VantageError(f"{spec!r}: after pid: comes the number of a process")
        path, missing = Path(f"/proc/{process}/ns/net"), f"there is no process {process}"
    elif "/" in spec:
        path, missing = Path(spec), f"there is no file {spec}"
    else:
        path, missing = NAMED / spec, f"there is no network namespace {spec!r}; {_names()}"
    if spec in {"", ".", ".."}:
        raise VantageError(missing)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        raise VantageError(missing) from None
    except PermissionError as error:
        raise _not_allowed(spec) from error
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            raise VantageError(missing) from None
        raise VantageError(f"{path} can't be opened: {error.strerror}") from error


def _names() -> str:
    try:
        names = sorted(each.name for each in NAMED.iterdir())
    except OSError:
        names = []
    if not names:
        return f"{NAMED} has none (make one: sudo ip netns add NAME)"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{NAMED} has {', '.join(names[:_MOST_NAMES])}{more}"


def _not_allowed(name: str) -> VantageError:
    if os.geteuid() == 0:
        return VantageError(
            f"network namespace {name} may not be entered, not even by this root: see user_namespaces(7)"
        )
    return VantageError(f'network namespace {name} may not be entered: run as root (sudo "$(command -v pytest)" ...)')


def bring_up(opened: socket.socket, interface: str) -> None:
    """Bring an interface of the socket's namespace up: netdevice(7). Raises OSError."""
    request = struct.pack("16sh22x", interface.encode(), 0)
    answer = fcntl.ioctl(opened.fileno(), _SIOCGIFFLAGS, request)
    (flags,) = struct.unpack_from("h", answer, 16)
    fcntl.ioctl(opened.fileno(), _SIOCSIFFLAGS, struct.pack("16sh22x", interface.encode(), flags | _IFF_UP))
