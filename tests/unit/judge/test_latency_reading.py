"""At user level: who loses more waits in a shorter line to be read, and is not faster for that."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pytest_hdp.judge.latency.differences import Level, Series
from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP, Gate, LatencyResult, conclude

from .test_latency_flows import SETUP

ROUNDS = 400
SOME_OF_UDP = {UDP: 0.2, RAW_UDP: 0.2}
READING = 10_000  # ns that reading one packet takes


def read_in_turn(seed: int, lost: dict[str, float], together: int, margin: float | None = None) -> LatencyResult:
    """So many rounds always wait together; of these one packet of each kind is read in turn, in an order drawn."""
    chance = random.Random(seed)
    kinds = (HDP, UDP, RAW_UDP)
    labels = [kind + again for kind in kinds for again in ("", AGAIN)]
    kernel: dict[str, list[int | None]] = {label: [None] * ROUNDS for label in labels}
    user: dict[str, list[int | None]] = {label: [None] * ROUNDS for label in labels}
    for first in range(0, ROUNDS, together):
        lines: dict[str, list[tuple[str, int]]] = {kind: [] for kind in kinds}
        for number in range(first, first + together):
            for label in chance.sample(labels, len(labels)):
                kind = label.removesuffix(AGAIN)
                if chance.random() >= lost.get(kind, 0.0):
                    lines[kind].append((label, number))
        now = 0
        while any(lines.values()):
            turn = [kind for kind in kinds if lines[kind]]
            for kind in chance.sample(turn, len(turn)):
                label, number = lines[kind].pop(0)
                now += READING + chance.randrange(200)
                kernel[label][number] = 50_000 + chance.randrange(100)
                user[label][number] = 55_000 + now

    def series(label: str) -> Series:
        order = [number for number, time in enumerate(kernel[label]) if time is not None]
        return Series(label, 253, kernel[label], user[label], order)

    return conclude(replace(SETUP, rounds=ROUNDS, margin_us=margin), [series(label) for label in labels])


@pytest.mark.parametrize("together", [1, 4, 20])
@pytest.mark.parametrize(
    "lost", [{HDP: 0.5}, {HDP: 0.2}, SOME_OF_UDP], ids=["half of HDP", "some of HDP", "some of UDP"]
)
def test_a_shorter_line_is_not_a_faster_protocol(together: int, lost: dict[str, float]) -> None:
    for seed in range(8):
        found = read_in_turn(seed, lost, together)
        assert found.against(UDP, Level.USER).covers_zero, found.sentence
        assert " faster at user level" not in found.sentence
        assert "loses more" in found.sentence


def test_of_what_both_lose_alike_as_much_is_told_as_of_what_nobody_loses() -> None:
    for seed in range(8):
        found = read_in_turn(seed, {HDP: 0.2, **SOME_OF_UDP}, 4)
        hdp, udp = (next(each for each in found.sides if each.label == label) for label in (HDP, UDP))
        assert min(hdp.sent - hdp.arrived, udp.sent - udp.arrived) > 0
        assert "loses more" not in found.sentence
        at_user = found.against(UDP, Level.USER)
        assert at_user.high - at_user.low < 3 * READING, "no wider than the places in a line of four rounds"


def test_the_tail_of_a_shorter_line_is_neither_kept_nor_exceeded() -> None:
    found = read_in_turn(1, SOME_OF_UDP, 20, margin=10.0)
    assert found.gate is Gate.UNDECIDED, found.sentence
    assert "p99 at user level" in found.sentence
