"""Keeps the packets of a run for `capture.pcapng`: what the taps at both ends saw of our own, and who each one is.

Nothing of this exists unless a report is asked for. Strangers' packets are left out by the rule by which the ledger
leaves them out of the evidence. At most `MOST` packets are kept of a path, and of one packet `MOST_COPIES` at each
end: the first ones.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.evidence import Train
from pytest_hdp.measure.ledger.ledger import Ledger
from pytest_hdp.measure.ledger.probes import MOST_COPIES, SentProbe
from pytest_hdp.measure.ledger.quotes import read_error
from pytest_hdp.packet.view import view

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_hdp.measure.path.endpoints import Observer
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.vantage.receiving import Observation

MOST = 200_000
MOST_UNREAD = 4 << 20  # bytes of packets that nobody has looked at yet
SPOOL_EVERY = 0.2  # seconds between two writes to the spool while packets come
PACKET_OUTGOING = 4
UDP = 17
CONTROL, BY_HAND = "control", "by hand"
_SPOOLS = "capture-*.jsonl"


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """One packet at one tap. `time`: ns since the epoch; `data`: from the IP header on; `vantage`: "near" or "far".

    `path`: as in a result's record. `address`, `interface`: the tap's. `role`: what it was sent for ("probe", "locate",
    "first packet", "control", "by hand"). `icmp`: it is an ICMP error about such a packet. `index`, `round`, `protocol`
    (as asked for), `direction`, `form`, `chain`: of the packet that it is or is about. `changed`: what is not as sent.
    """

    path: dict[str, str | None]
    vantage: str
    address: str
    interface: str
    time: int
    outgoing: bool
    data: bytes
    role: str
    icmp: bool
    index: int
    round: int
    protocol: int
    direction: str
    form: str
    changed: str | None
    chain: str = ""


@dataclass(slots=True)
class Packets:
    """What was kept. `full`: the names of the paths of which there were more packets than are kept."""

    kept: list[CapturedPacket] = field(default_factory=list)
    full: set[str] = field(default_factory=set)


class Capture:
    """All packets of one process's run. `spool`: a folder to write them to as they come, for another process."""

    def __init__(self, spool: Path | None = None) -> None:
        self.spool = spool
        self._watchers: list[Watcher] = []
        self._packets = Packets()
        self._file: Path | None = None

    def watch(self, path: OpenPath) -> None:
        """Keep what is seen on this path from now on."""
        watcher = Watcher(self, path)
        path.witness = watcher
        path.subscribers.insert(0, watcher.observe)
        self._watchers.append(watcher)

    def packets(self) -> Packets:
        """Every packet so far, but for what went to the spool."""
        self.flush()
        return self._packets

    def flush(self) -> None:
        """Identify what came since the last time, and write it to the spool if there is one."""
        fresh = [kept for watcher in self._watchers for kept in watcher.drain()]
        full = {watcher.path.name.name for watcher in self._watchers if watcher.full} - self._packets.full
        self._packets.full |= full
        if self.spool is not None and (fresh or full):
            try:
                self._append(self.spool, "".join([*map(_line, fresh), *(json.dumps(name) + "\n" for name in full)]))
                return
            except OSError:  # a full disk must not spoil a verdict: from now on they are kept here, and handed over
                self.spool = None
        if self.spool is None:
            self._packets.kept += fresh

    def _append(self, folder: Path, text: str) -> None:
        """Add text to the spool, all of it or nothing. Raises OSError."""
        if self._file is None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = folder / _SPOOLS.replace("*", str(os.getpid()))
        with self._file.open("ab", buffering=0) as stream:
            whole = os.fstat(stream.fileno()).st_size
            data = text.encode("ascii")
            if stream.write(data) != len(data):
                stream.truncate(whole)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Watcher:
    """Sees what the taps of one path see."""

    def __init__(self, capture: Capture, path: OpenPath) -> None:
        self.path = path
        self._capture = capture
        self._ledger = Ledger(path.run_id)
        self._roles: dict[int, str] = {}
        self._seen: list[tuple[Observer, Observation]] = []
        self._unread = 0
        self._kept: list[CapturedPacket] = []
        self._copies: Counter[tuple[int, str]] = Counter()
        self._name = asdict(path.name)
        self._room = MOST
        self.full = False
        self._flushed = self.path.clock.monotonic()

    def sent(self, entry: SentProbe, role: str) -> None:
        """Remember a packet that is about to be sent."""
        self._ledger.add(entry)
        self._roles[entry.index] = role

    def sent_other(self, role: str, index: int, number: int, train: Train, hdp: bytes) -> None:
        """Remember the HDP packet of something that no ledger has: the control, or a packet sent by hand."""
        self.sent(SentProbe(index, number, train, hdp, 0, len(hdp)), role)

    def observe(self, observer: Observer, observation: Observation) -> None:
        """Keep what a tap saw, as long as there is room."""
        if observer.kind != "tap":
            return
        if not self._room:
            self.full = True
            return
        self._seen.append((observer, observation))
        self._unread += len(observation[3])
        if self._unread > MOST_UNREAD:
            self._read()
        if self._capture.spool is not None and self.path.clock.monotonic() > self._flushed + SPOOL_EVERY:
            self._capture.flush()

    def drain(self) -> list[CapturedPacket]:
        """Return what was seen since the last time and is ours."""
        self._read()
        kept, self._kept = self._kept, []
        self._flushed = self.path.clock.monotonic()
        return kept

    def _read(self) -> None:
        """Keep what is ours of what was seen."""
        seen, self._seen, self._unread = self._seen, [], 0
        for observer, observation in seen:
            kept = self._identified(observer, observation)
            if kept is None:
                continue
            self._copies[kept.index, kept.vantage] += 1
            if self._room and self._copies[kept.index, kept.vantage] <= MOST_COPIES:
                self._kept.append(kept)
                self._room -= 1
            else:
                self.full = True

    def _identified(self, observer: Observer, observation: Observation) -> CapturedPacket | None:
        _, when, kind, data, _, interface = observation
        packet = view(data)
        found = self._ledger.probe(when, packet, interface)
        if found is not None:
            entry, copy = found
            changed = copy.alike.change if copy.alike.tunnel is None else f"inside {copy.alike.tunnel}"
            control = self._roles[entry.index] in {CONTROL, BY_HAND}
            if control and kind == PACKET_OUTGOING and copy.alike.tunnel is None:
                entry.keep(entry.left, copy)  # nobody else notes it, and a short quote is recognised by it
        elif (about := read_error(self._ledger, when, packet)) is not None and "payload" not in about[1].changed:
            entry, changed = about[0], None
        else:
            return None
        train = entry.train
        return CapturedPacket(
            path=self._name,
            vantage="near" if observer.end is self.path.near else "far",
            address=observer.end.address,
            interface=interface,
            time=when,
            outgoing=kind == PACKET_OUTGOING,
            data=data,
            role=self._roles[entry.index],
            icmp=found is None,
            index=entry.index,
            round=entry.round,
            protocol=train.protocol,
            direction=train.direction.value,
            form=train.form.value,
            changed=changed,
            chain=train.chain,
        )


def spooled(folder: Path) -> Packets:
    """What the processes of one run wrote to their common spool; a line cut off in the middle is left out."""
    packets = Packets()
    for path in sorted(folder.glob(_SPOOLS)):
        add_text(packets, path.read_text(encoding="ascii"))
    return packets


def as_text(packets: Packets, vantage: str | None) -> str:
    """Return packets as text for another process; `vantage`: as whose."""
    kept = [replace(each, path=each.path | {"vantage": vantage}) for each in packets.kept]
    return "".join([*map(_line, kept), *(json.dumps(name) + "\n" for name in sorted(packets.full))])


def add_text(packets: Packets, text: str) -> None:
    """Add what another process wrote."""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            found: Any = json.loads(line)
            if isinstance(found, str):
                packets.full.add(found)
            else:
                packets.kept.append(CapturedPacket(**{**found, "data": base64.b64decode(found["data"])}))


def _line(kept: CapturedPacket) -> str:
    return json.dumps({**asdict(kept), "data": base64.b64encode(kept.data).decode()}) + "\n"
