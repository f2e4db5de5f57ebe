"""The ends of a path: where its sockets are, what each is for, and what it means that one can't be opened."""

from __future__ import annotations

from dataclasses import dataclass
from errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EALREADY,
    EBADF,
    ECONNRESET,
    EHOSTUNREACH,
    EMFILE,
    ENETUNREACH,
    ENFILE,
    ENOBUFS,
    ENODEV,
    ENOMEM,
    EPIPE,
    errorcode,
)
from typing import TYPE_CHECKING

from pytest_hdp.judge.evidence import EXTENSION_OF
from pytest_hdp.judge.verdict import SHAPED_FORMS, Form
from pytest_hdp.packet.family import IPV4, IPV6, family_of
from pytest_hdp.vantage.remote.channel import AgentGone
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.rtnetlink import is_link_local

if TYPE_CHECKING:
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.station import Station


@dataclass(slots=True, eq=False)
class Endpoint:
    """One end of a path: its station, the address it has, and the interface by which most leaves (None: not known).

    Its tap watches all interfaces: by policy, or by equal-cost routes, some may leave or come by another one.

    `bind`: the address of the control's socket, if that is another one: then a translator before the end puts the
    target's address on, and `address` is the end's own as far as it is known. `station` may be at a far host, where
    packets are sent a while after they were handed over, and what is seen comes back a while later. `called`: its name
    for those who read what it saw. `raw`: whether raw sockets may be opened there; None: it may be that they may not.
    """

    station: Station | RemoteStation
    address: str
    interface: str | None
    bind: str | None = None
    called: str = ""
    raw: bool | None = True

    @property
    def zoned(self) -> str:
        """The address with the interface that it is good for, if it is link-local and that is known."""
        return f"{self.address}%{self.interface}" if is_link_local(self.address) and self.interface else self.address

    @property
    def remote(self) -> RemoteStation | None:
        """The station, if it is at a far host."""
        return self.station if isinstance(self.station, RemoteStation) else None


@dataclass(frozen=True, slots=True)
class Observer:
    """What an open socket is for: `kind` is "tap", "socket", "control" or "answers"; `protocol` of a "socket"."""

    end: Endpoint
    kind: str
    protocol: int | None = None


class PathUnavailable(Exception):  # noqa: N818
    """A path that can't be opened here, or is gone. Its text: one line that says what it needs."""


def no_route(source: str, target: str, error: OSError) -> PathUnavailable:
    """What to raise where the source's kernel knows no way to the target, or none that answers come back by."""
    if error.errno in {EADDRINUSE, EADDRNOTAVAIL, EALREADY}:
        return PathUnavailable(f"at {source}, {error.strerror}")
    if error.errno == ENODEV:
        return PathUnavailable(f"there is no interface {target.partition('%')[2]} at {source}")
    return PathUnavailable(f"no route to {target} from {source}: {error.strerror}")


def near_end(near: Station | RemoteStation, target: str, source: str) -> Endpoint:
    """The end that sends to the target first. Raises PathUnavailable: see `no_route`.

    What is sent to a link-local address leaves by the interface that its zone names, whichever address that is.
    """
    try:
        address, interface, _ = near.route(target)
        end = Endpoint(near, address, interface)
        if "%" in target:
            near.send_from(end.zoned)
    except OSError as error:
        raise no_route(source, target, error) from None
    return end


def refuse_itself(end: Endpoint, target: str, source: str) -> None:
    """Raise PathUnavailable where the way from an end to the target leaves no host: nothing is to be learnt."""
    if end.address == target or end.interface == "lo":
        raise PathUnavailable(f"{target} is {source} itself: pytest suites/loopback measures that")


def open_sender(end: Endpoint, protocol: int, family: Family, *, routed: bool, form: Form = Form.BARE) -> int:
    """Open a raw socket that sends this number from an end. Raises OSError with the errno of socket().

    No kernel has a raw socket for 0. Over an IPv4 path (`routed`) it is sent all the same, in a header of our own; on
    loopback what socket() says is what is asked for. By IPv6 0 is the number of a header: only well-formed it is sent.
    Fragments, and options, are of our own making: over IPv4 in a header of our own, over IPv6 in one of its extensions.
    """
    if form in SHAPED_FORMS:
        if family is IPV4:
            return end.station.sender_with_header(family.socket_family)
        return end.station.sender(family.socket_family, EXTENSION_OF[form])
    if protocol == 0 and (form is Form.WELLFORMED if family is IPV6 else routed):
        return end.station.sender_of_zero(family.socket_family)
    return end.station.sender(family.socket_family, protocol)


# what says something of this machine or of the way to the sockets, and nothing of a protocol number
_NOT_THE_NUMBERS = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM, EPIPE, ECONNRESET, EBADF})


def refusal(error: OSError) -> str:
    """The name of the errno with which socket() refused a number. Raises PathUnavailable if it is no such refusal."""
    if isinstance(error, AgentGone):
        raise PathUnavailable(str(error.strerror)) from error
    if error.errno is None or error.errno in _NOT_THE_NUMBERS:
        raise PathUnavailable(f"no socket can be opened: {error.strerror or error}") from error
    return errorcode.get(error.errno, str(error.errno))


def far_end(far: Station | RemoteStation, target: str) -> Endpoint:
    """The end that the target's address leads to. Raises OSError.

    If the host owns the address, that is what it sends from. If not, a translator may put it on: then the control's
    socket takes what comes to any address of the host, and its own is the one to which the first packet comes; until
    then, the one from which the host would send.
    """
    try:
        handle, _ = far.datagram(target)
    except OSError as error:
        if error.errno != EADDRNOTAVAIL or is_link_local(target):
            raise
        return Endpoint(far, _own_address(far, target), None, bind=family_of(target).anywhere)
    far.discard(handle)
    return Endpoint(far, target, None)


def _own_address(far: Station | RemoteStation, target: str) -> str:
    """What the host would send from; any address if it has no route there. Raises OSError: AgentGone."""
    try:
        return far.route(target)[0]
    except OSError as error:
        if error.errno in (ENETUNREACH, EHOSTUNREACH):
            return family_of(target).anywhere
        raise
