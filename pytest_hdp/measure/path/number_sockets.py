"""The raw sockets of single numbers at a path's ends: one that listens and one that sends, opened once and kept."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import SHAPED_FORMS, Form
from pytest_hdp.measure.path.endpoints import Endpoint, Observer, PathUnavailable, refusal
from pytest_hdp.measure.path.senders import has_own_socket, sender_at
from pytest_hdp.packet.carrier import run_id_offsets
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.remote.channel import AgentGone
from pytest_hdp.vantage.station import Station

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_hdp.packet.family import Family


class NumberSockets:
    """By end and number; a name of an errno stands for a socket that was refused.

    `run_id`: all that those which listen see has it; `buffer`: bytes for what they receive, None for the system's.
    """

    def __init__(self, family: Family, run_id: bytes, buffer: int | None) -> None:
        self._family, self._run_id, self._buffer = family, run_id, buffer
        self._ends: dict[int, Endpoint] = {}
        self._senders: dict[tuple[int, int, Form | None], int | str] = {}
        self._listeners: dict[tuple[int, int], int | str] = {}
        self._programs: dict[tuple[int, ...], bytes] = {}

    def sender(self, end: Endpoint, protocol: int, form: Form, control: int, *, routed: bool) -> int | str:
        """The one that sends this number in this form. `control`: the end's UDP socket, where no raw one may be opened.

        Where a listener for it is open at the same end, that one sends: to open another takes as long as ten packets.
        """
        own = has_own_socket(end, protocol, form)
        key = (self._id(end), 0 if form in SHAPED_FORMS else protocol, form if own else None)
        if key not in self._senders:
            listening = self._listeners.get((id(end), protocol))
            if not own and isinstance(listening, int):
                self._senders[key] = listening
            else:
                self._senders[key] = sender_at(end, control, protocol, self._family, form, routed=routed)
        return self._senders[key]

    def listener(self, end: Endpoint, protocol: int, watch: Callable[[Endpoint, int, Observer], None]) -> int | str:
        """The one that receives this number. `watch`: told of it when it is opened."""
        key = (self._id(end), protocol)
        if key not in self._listeners:
            program, family = self._program(protocol), self._family.socket_family
            try:
                handle = end.station.listen(family, protocol, program, buffer=self._buffer)
            except OSError as error:
                self._listeners[key] = refusal(error)
            else:
                self._listeners[key] = handle
                watch(end, handle, Observer(end, "socket", protocol))
        return self._listeners[key]

    def open_ahead(self, receiving: Iterable[tuple[Endpoint, int]], sending: Iterable[tuple[Endpoint, int]]) -> None:
        """Open these in few requests, where each would else be one to another process. Raises PathUnavailable."""
        wanted: dict[int, set[int]] = {}
        for end, protocol in receiving:
            if (id(end), protocol) not in self._listeners:
                wanted.setdefault(self._id(end), set()).add(protocol)
        for end, protocol in sending:
            if (id(end), protocol, None) not in self._senders and (id(end), protocol) not in self._listeners:
                wanted.setdefault(self._id(end), set()).add(protocol)
        for key, protocols in wanted.items():
            try:
                self._ends[key].station.open_ahead(self._family.socket_family, socket.SOCK_RAW, sorted(protocols))
            except AgentGone as error:
                raise PathUnavailable(str(error.strerror)) from error

    def close(self, keep: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Close those that this process has, but for `keep`. Returns them by the end's id and handle, as `keep` is.

        Those of agents stay: one that has given up its privilege could not open them again.
        """
        held = {(key[0], handle) for each in (self._senders, self._listeners) for key, handle in each.items()}
        own = {end for end in self._ends if isinstance(self._ends[end].station, Station)}
        closed = [(end, handle) for end, handle in held - set(keep) if end in own and isinstance(handle, int)]
        for end, handle in closed:
            self._ends[end].station.discard(handle)
        self._senders = {key: handle for key, handle in self._senders.items() if (key[0], handle) not in closed}
        self._listeners = {key: handle for key, handle in self._listeners.items() if (key[0], handle) not in closed}
        return closed

    def _id(self, end: Endpoint) -> int:
        self._ends[id(end)] = end
        return id(end)

    def _program(self, protocol: int) -> bytes:
        """The filter of a raw socket, which sees this number alone. Each instruction costs 0.5 us to attach."""
        offsets = run_id_offsets(protocol, self._family)
        if offsets not in self._programs:
            self._programs[offsets] = bpf.assemble(bpf.matching(self._run_id, offsets, family=self._family, tap=False))
        return self._programs[offsets]
