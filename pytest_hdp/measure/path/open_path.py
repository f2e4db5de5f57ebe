"""An open path: the stations at its ends, and the sockets that a measurement needs there, opened once and kept."""

from __future__ import annotations

import secrets
import select
from collections import deque
from collections.abc import Callable, Iterable
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Self

from pytest_hdp.judge.verdict import SHAPED_FORMS, Direction, Form
from pytest_hdp.measure.path.confirmed import HELD_BACK, Confirmed, Numbered
from pytest_hdp.measure.path.endpoints import Endpoint, Observer
from pytest_hdp.measure.path.number_sockets import NumberSockets
from pytest_hdp.measure.path.senders import open_tap
from pytest_hdp.measure.path.traffic import Traffic
from pytest_hdp.packet.carrier import RUN_ID_IN_UDP, run_id_places
from pytest_hdp.packet.family import family_of
from pytest_hdp.packet.tag import RUN_ID_SIZE, Tagger
from pytest_hdp.vantage import bpf
from pytest_hdp.vantage.clock import SYSTEM, Clock
from pytest_hdp.vantage.remote.client import RemoteStation
from pytest_hdp.vantage.station import Station

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.result import PathInfo
    from pytest_hdp.lab.topology import Lab
    from pytest_hdp.measure.ledger.probes import Recorder
    from pytest_hdp.vantage.receiving import Observation

TAP_BUFFER = 16 << 20
MOST_INBOX, MOST_INBOX_BYTES = 10_000, 2048  # packets that somebody has not taken yet, and bytes of one


class OpenPath:
    """Stations and sockets from `near` to `far`. On loopback both ends are the same; without an agent `far` is None.

    `buffer`: receive buffer of each socket in bytes; None keeps the system's. Everything seen is filtered in the
    kernel by this path's run id. `lab`: the lab it runs through, if it is emulated. `witness`: keeps its packets.
    `confirmed`: where the far end may send to; `traffic`: what was sent. `token`: gives bytes that nobody can foretell.
    `others`: ends with taps only: witnesses, and where a `twin` is (`beside`). `fragments`: taps see later ones.
    """

    def __init__(
        self,
        name: PathInfo,
        near: Endpoint,
        far: Endpoint | None,
        *,
        others: tuple[Endpoint, ...] = (),
        fragments: bool = False,
        buffer: int | None = None,
        clock: Clock = SYSTEM,
        token: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.name, self.near, self.far, self.others = name, near, far, others
        self.twin: OpenPath | None = None
        self.family = family_of(name.target)
        self.buffer, self.clock, self._fragments = buffer, clock, fragments
        self.lab: Lab | None = None
        self.witness: Recorder | None = None
        self.run_id = token(RUN_ID_SIZE)
        self.tagger = Tagger(token(32), self.run_id)
        self.observers: dict[tuple[int, int], Observer] = {}
        self.subscribers: list[Callable[[Observer, Observation], None]] = []
        self._inboxes: dict[tuple[int, int], deque[Observation]] = {}
        self._numbers = NumberSockets(self.family, self.run_id, buffer)
        self._indices = count(1)
        self._drops: dict[tuple[int, int], int] = {}
        self._ends = [*([near] if far is None or far is near else [near, far]), *others]
        self._remote = [end.remote for end in self._ends if end.remote is not None]
        # what a kernel elsewhere calls its own may be a stranger's here
        self.own = frozenset({name.target} if self._remote else {name.target, near.address})
        self.confirmed, self.traffic = Confirmed(self.own), Traffic()
        self._waiter = clock.waiter()
        for end in self._ends:
            self._waiter.register(end.station.fileno(), select.EPOLLIN)
            self._open_tap(end)
        self.controls = {id(end): self._open_control(end) for end in self._ends if end not in others}
        if far is not None and far is not near and far.bind is None:
            far.station.send_from(far.address)  # its routes may prefer another: then no NAT takes it for an answer

    @property
    def routed(self) -> bool:
        """Whether there are hops to ask: not on loopback."""
        return self.far is not self.near

    @property
    def shared_clock(self) -> bool:
        """Whether one kernel stamps at both ends, since this process has the sockets: not with an agent."""
        return self.far is not None and all(isinstance(end.station, Station) for end in self._ends)

    @property
    def gone(self) -> str | None:
        """Why an agent at one of the ends is not there any more, if one is gone."""
        return next((f"{each.name} is gone: {each.gone}" for each in self._remote if each.gone is not None), None)

    @property
    def lag(self) -> float:
        """Seconds that it takes at least to have something done at an end that is far away, and to be told."""
        return max((each.lag for each in self._remote), default=0.0)

    def next_index(self) -> int:
        """A probe index that this path has not used yet."""
        return next(self._indices)

    def with_near(self, name: PathInfo, near: Endpoint) -> OpenPath:
        """The same path from one of the `others`, under the very same observers, run id and indices."""
        path = copy(self)
        path.name, path.near, path.traffic = name, near, Traffic()
        path.controls = {**self.controls, id(near): self._open_control(near)}
        return path

    def sender_end(self, direction: Direction) -> Endpoint:
        """The end that sends in this direction."""
        end = self.near if direction is Direction.FORWARD else self.far
        if end is None:
            raise ValueError("without an agent there is no reverse direction")
        return end

    def receiver_end(self, direction: Direction) -> Endpoint | None:
        """The end with observers that receives in this direction, if there is one."""
        return self.far if direction is Direction.FORWARD else self.near

    def sender(self, direction: Direction, protocol: int, form: Form = Form.BARE) -> int | str:
        """Handle of the raw socket that sends this protocol, or the name of the errno with which socket() refused."""
        end = self.sender_end(direction)
        return self._numbers.sender(end, protocol, form, self.controls[id(end)][0], routed=self.routed)

    def listener(self, direction: Direction, protocol: int) -> int | str | None:
        """Handle of the receiver's raw socket for this protocol, or the errno's name; None without observers there."""
        end = self.receiver_end(direction)
        return self._numbers.listener(end, protocol, self.watch) if end is not None and 0 <= protocol <= 255 else None

    def open_ahead(self, trains: Iterable[Train]) -> None:
        """Open the sockets of all these trains in few requests. Raises PathUnavailable."""
        trains = list(trains)
        receiving = [(end, each.protocol) for each in trains if (end := self.receiver_end(each.direction)) is not None]
        bare = [each for each in trains if each.protocol and each.form not in SHAPED_FORMS]
        self._numbers.open_ahead(receiving, [(self.sender_end(each.direction), each.protocol) for each in bare])

    def close_numbers(self) -> None:
        """Close the sockets of single numbers that this process has; who wants one again has it opened again."""
        for each in self._numbers.close({(end, control) for end, (control, _) in self.controls.items()}):
            self.observers.pop(each, None)
            self._drops.pop(each, None)

    def send(self, end: Endpoint, handle: int, data: bytes, address: str, packet: Numbered, port: int = 0) -> None:
        """Send one packet from an end; `packet.errno` is set if it is refused there, if that is far away, later."""
        if end is not self.near and not self.confirmed.take(address, packet.index):
            packet.errno = HELD_BACK
        elif isinstance(end.station, RemoteStation):
            end.station.send_later(handle, data, address, port, packet)
        else:
            packet.errno = end.station.send(handle, data, address, port)

    def ask(self) -> Callable[[], bool]:
        """Ask far ends to say when all handed over is done, seen and counted; what is returned says if they have."""
        asked = [(station, station.ask()) for station in self._remote]
        return lambda: all(station.answered(token) for station, token in asked)

    def sync(self) -> None:
        """Wait until the far ends have done all that was handed over, looking meanwhile."""
        done = self.ask()
        while not done():
            self.look(1.0)

    def learn_address(self, end: Endpoint, address: str) -> None:
        """Take it from a packet that arrived which of its addresses a translator leads to, for all that it answers."""
        if end.bind is not None and address != self.name.target:
            end.address = address
            end.station.send_from(address)

    def came_back(self, index: int) -> None:
        """Take note that a packet which the far end sent has arrived at the near one, byte for byte."""
        if (address := self.confirmed.came_back(index)) and self.far is not None and self.far.remote is not None:
            self.far.remote.came_back(address)

    def watch(self, end: Endpoint, handle: int, observer: Observer) -> None:
        """Hand what a socket at an end sees to the subscribers, as seen by this observer."""
        self.observers[id(end), handle] = observer

    def fileno(self) -> int:
        """A descriptor that is readable when something was seen at either end."""
        return self._waiter.fileno()

    def flush(self) -> None:
        """Hand over to far ends what is to be done there."""
        for station in self._remote:
            station.flush()

    def wait(self, timeout: float) -> None:
        """Wait `timeout` seconds at most until something was seen."""
        if timeout > 0:
            self._waiter.poll(timeout)

    def look(self, timeout: float) -> None:
        """Hand whatever was seen at either end to the subscribers, waiting `timeout` seconds at most for the first."""
        self.flush()
        if not self._waiter.poll(max(timeout, 0)):
            return
        for end in self._ends:
            for observation in end.station.poll(0):
                key = (id(end), observation[0])
                if (inbox := self._inboxes.get(key)) is not None:
                    if len(inbox) < MOST_INBOX and len(observation[3]) <= MOST_INBOX_BYTES:
                        inbox.append(observation)
                elif (observer := self.observers.get(key)) is not None:
                    for subscriber in self.subscribers:
                        subscriber(observer, observation)

    def deliver_to(self, end: Endpoint, handle: int, inbox: deque[Observation]) -> None:
        """Put what a socket opened by somebody else sees into their inbox, whoever looks at the path's sockets."""
        self._inboxes[id(end), handle] = inbox

    def forget(self, end: Endpoint, handle: int) -> None:
        """Close a socket that somebody else opened at one of the ends."""
        self._inboxes.pop((id(end), handle), None)
        end.station.discard(handle)

    def new_drops(self) -> list[Observer]:
        """The observers that dropped packets for want of buffer since this was last asked; far ones, until `ask`."""
        dropped = []
        for end in self._ends:
            for handle, total in end.station.drops().items():
                key = (id(end), handle)
                if total > self._drops.get(key, 0) and key in self.observers:
                    dropped.append(self.observers[key])
                self._drops[key] = total
        return dropped

    def leave_far_hosts(self) -> None:
        """End the agents. What they have told holds: they are not gone of themselves."""
        leaving = [each for each in self._remote if each.gone is None]
        self._remote = [each for each in self._remote if each not in leaving]
        for station in leaving:
            station.close()

    def close(self) -> None:
        """Close the sockets at both ends."""
        self._waiter.close()
        for end in self._ends:
            end.station.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_tap(self, end: Endpoint) -> None:
        places, to = run_id_places(self.family), self.name.target
        program = bpf.matching(self.run_id, places, family=self.family, icmp_errors_to=to, fragments=self._fragments)
        if (tap := open_tap(end, program, self.buffer or TAP_BUFFER)) is not None:
            self.watch(end, tap, Observer(end, "tap"))

    def _open_control(self, end: Endpoint) -> tuple[int, int]:
        program = bpf.matching_datagram(self.run_id, (RUN_ID_IN_UDP,))
        handle, port = end.station.datagram(end.bind or end.address, 0, program)
        self.watch(end, handle, Observer(end, "control"))
        return handle, port
