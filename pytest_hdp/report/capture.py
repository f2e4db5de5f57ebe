"""`capture.pcapng`: the run's own packets as the taps saw them, each with a comment that says whose it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_hdp import __version__
from pytest_hdp.packet import pcapng
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.judge.result import Result
    from pytest_hdp.measure.path.capture import CapturedPacket, Packets

MARK = "pytest-hdp"
"""What the comment of each packet begins with: `hdp.lua` knows our packets by it."""

_OF_A_TRAIN = frozenset({"probe", "locate", "first packet"})


_ROLES = {"locate": "looking for the hop"}


def key_of(path: Mapping[str, str | None], direction: str, form: str, protocol: int, chain: str = "") -> str:
    """What a result, a test and the packets of one train have in common; `path` as in a record."""
    named = {part: value for part, value in path.items() if part != "vantage" or value is not None}
    return json.dumps([named, direction, form, protocol, chain], sort_keys=True)


def train_key(result: Result) -> str:
    """The same, of a result."""
    train = result.judgement.train
    return key_of(asdict(result.path), train.direction, train.form, train.protocol, train.chain)


def capture(
    packets: Packets,
    verdicts: Mapping[str, str],
    tests: Mapping[str, str],
    *,
    command: str,
    system: str,
) -> bytes:
    """Return the whole file, packets in order of time. `verdicts` and `tests` (node ids) are by `train_key`."""
    ordered = sorted(packets.kept, key=lambda kept: kept.time)
    told = [safe(command), *(f"of path {safe(name)} the first packets only" for name in sorted(packets.full))]
    taps: dict[tuple[str, ...], int] = {}
    texts, said = _Texts(), _Said(verdicts, tests)
    blocks = [pcapng.section(application=f"{MARK} {__version__}", system=safe(system), comment="; ".join(told))]
    for kept in sorted(ordered, key=lambda kept: (texts.of(kept), kept.vantage != "near")):
        key = texts.of(kept), kept.vantage
        if key not in taps:
            taps[key] = len(taps)
            blocks.append(pcapng.interface(*_named(kept)))
    for kept in ordered:
        tap = taps[texts.of(kept), kept.vantage]
        blocks.append(pcapng.packet(tap, kept.time, kept.data, outgoing=kept.outgoing, comment=said.of(kept)))
    return b"".join(blocks)


class _Texts:
    """Paths as text, each made once: thousands of packets are of one path."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[object, str]] = {}  # by id, with the path, so that no other gets its id

    def of(self, kept: CapturedPacket) -> str:
        """The path of a packet."""
        if (known := self._made.get(id(kept.path))) is None:
            known = self._made[id(kept.path)] = kept.path, json.dumps(kept.path)
        return known[1]


def _named(kept: CapturedPacket) -> tuple[str, str]:
    """Name and description of the interface that stands for a tap."""
    kind, name, source, target = (safe(kept.path[part] or "") for part in ("kind", "name", "source", "target"))
    label = name if name == kind else f"{kind} {name}"
    if kept.path.get("vantage") is not None:
        label = f"{label} from {safe(kept.path['vantage'])}"
    described = f"{kept.vantage} end, {safe(kept.address)}, of the path {source} to {target}"
    if kind == "loopback":
        return label, f"{safe(kept.interface)}, where each packet is seen twice: outgoing and incoming"
    return f"{label} {kept.vantage}", described


class _Said:
    """What a packet's comment says of its train: begun and ended alike for all of its packets, and made once."""

    def __init__(self, verdicts: Mapping[str, str], tests: Mapping[str, str]) -> None:
        self._verdicts, self._tests = verdicts, tests
        self._made: dict[tuple[int, str, str, int, str], tuple[object, str, str, str]] = {}

    def of(self, kept: CapturedPacket) -> str:
        """One line: "pytest-hdp: TEST: delivered, probe, index 17, round 0, protocol 253, forward, bare"."""
        train = id(kept.path), kept.direction, kept.form, kept.protocol, kept.chain
        if (known := self._made.get(train)) is None:
            known = self._made[train] = self._of_train(kept)
        _, test, verdict, ended = known
        if kept.role not in _OF_A_TRAIN:
            test = verdict = ""
        changed = "" if kept.changed is None else f", {kept.changed} changed on the way"
        return f"{MARK}: {test}{verdict}{_role(kept)}, index {kept.index}, {_when(kept)}, {ended}{changed}"

    def _of_train(self, kept: CapturedPacket) -> tuple[object, str, str, str]:
        """The path, test and verdict with what parts them from the rest, and which train it is."""
        key = key_of(kept.path, kept.direction, kept.form, kept.protocol, kept.chain)
        test = f"{safe(self._tests[key])}: " if key in self._tests else ""
        verdict = f"{safe(self._verdicts[key])}, " if key in self._verdicts else ""
        return kept.path, test, verdict, f"protocol {kept.protocol}, {kept.direction}, {kept.chain or kept.form}"


def _role(kept: CapturedPacket) -> str:
    role = _ROLES.get(kept.role, kept.role)
    return f"ICMP error about: {role}" if kept.icmp else role


def _when(kept: CapturedPacket) -> str:
    if kept.role == "locate":
        return f"TTL {kept.round}"
    return f"round {kept.round}" if kept.round >= 0 else "before the first round"
