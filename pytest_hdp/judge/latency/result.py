"""What a latency experiment found, as plain data, and the sentence that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from pytest_hdp.judge.latency import gate as latency_gate
from pytest_hdp.judge.latency import validity as latency_validity
from pytest_hdp.judge.latency.differences import (
    ENOUGH,
    Difference,
    Histogram,
    Level,
    Series,
    Side,
    alike,
    difference,
    histogram,
    side,
    widened,
)
from pytest_hdp.judge.latency.gate import Compared, Gate
from pytest_hdp.judge.latency.validity import Conduct
from pytest_hdp.judge.latency.words import format_difference, whereabouts
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.untrusted.marks import SINCE

HDP = "HDP"
UDP = "UDP"
RAW_UDP = "raw-socket UDP"
"""The same datagram, from a raw socket as HDP is: so the network is all that differs (see `against_udp`)."""
AGAIN = " again"
"""Behind the label of a kind that is sent a second time in each round."""


class Way(StrEnum):
    """What a latency is: from one end to the other on one clock, or there and back without the far host's own time."""

    ONE_WAY = "one way"
    ROUND_TRIP = "round trip"


@dataclass(frozen=True, slots=True)
class Setup:
    """How it was measured. `size`: bytes of every packet, IP header included; `rounds`: after the warm-up.

    `gap_us`: between two packets, on average; `seed`: of the order and the gaps; `late_us`: median and 99th
    percentile of how late packets were sent after the time they were meant to be; `put_off`: rounds that began late,
    the host being busy with something else, or with another path's packets. `margin_us`: what HDP may be slower, None
    for any. `flows`: in how many flows, by source port, UDP was sent, and over IPv6 all, by flow label; numbers
    without either have one. `beside`: other hosts, measured at the same time.
    """

    path: PathInfo
    direction: Direction
    way: Way
    protocol: int
    rounds: int
    size: int
    seed: int
    gap_us: float
    late_us: tuple[float, float]
    put_off: int
    margin_us: Annotated[float | None, SINCE] = None
    flows: Annotated[int, SINCE] = 1
    beside: Annotated[int, SINCE] = 0


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """The result in one direction. `differences`: HDP minus each other kind, kernel and user level, at 95 %.

    `controls`: the same kind minus itself, sent twice in each round, with the stricter interval that decides `valid`.
    `trouble`: why it is not valid, or "". `enough`: whether enough pairs arrived to say anything.
    """

    setup: Setup
    sides: tuple[Side, ...]
    differences: tuple[Difference, ...]
    controls: tuple[Difference, ...]
    histograms: tuple[Histogram, ...]
    enough: bool
    trouble: str
    gate: Gate
    sentence: str

    @property
    def valid(self) -> bool:
        """Whether the measurement can be trusted."""
        return not self.trouble

    def against(self, label: str, level: Level) -> Difference:
        """HDP minus this kind. Raises KeyError."""
        for each in self.differences:
            if each.b == label and each.level is level:
                return each
        raise KeyError(label)


def conclude(setup: Setup, measured: Sequence[Series]) -> LatencyResult:
    """Judge series of the same rounds: HDP first, UDP among them, those sent twice named with AGAIN."""
    by_label = {series.label: series for series in measured}
    kinds = [series for series in measured if not series.label.endswith(AGAIN)]
    twice = [series for series in kinds if series.label + AGAIN in by_label]
    differences = _differences(by_label[HDP], kinds)
    controls = tuple(
        alike(series, by_label[series.label + AGAIN], level, len(twice) * len(Level))
        for series in twice
        for level in Level
    )
    main = against_udp(differences)
    sides = tuple(side(series) for series in kinds)
    enough = all(each.pairs >= ENOUGH for each in main.values())
    compared = {label: Compared(by_label[label], by_label.get(label + AGAIN)) for label in by_label}
    hdp, udp = compared[HDP], {level: compared[each.b] for level, each in main.items()}
    conduct = Conduct(setup.late_us[0], setup.gap_us, setup.beside)
    trouble = _too_few(setup, main, sides) or latency_validity.trouble(
        conduct,
        hdp,
        udp[Level.KERNEL],
        main[Level.KERNEL],
        [(each, _seen_at(each.level, setup)) for each in controls],
    )
    gate, about_gate = _gate(setup, hdp, udp, trouble=trouble, enough=enough)
    parts = [trouble, about_gate]
    if not trouble:
        lost = "" if about_gate else _loss_in_words(hdp, udp[Level.KERNEL])
        parts = [_sentence(setup, main), latency_validity.checked(conduct, hdp, udp[Level.KERNEL]), lost, about_gate]
    sentence = "; ".join(filter(None, parts))
    return LatencyResult(
        setup=setup,
        sides=sides,
        differences=differences,
        controls=controls,
        histograms=tuple(
            replace(histogram(each, level, sentence), label=f"{each.label}, {setup.direction}, {level} level")
            for level in Level
            for each in kinds
        ),
        enough=enough,
        trouble=trouble,
        gate=gate,
        sentence=sentence,
    )


def _differences(hdp: Series, kinds: Sequence[Series]) -> tuple[Difference, ...]:
    """HDP minus each other kind; what flows of UDP differ by, no two numbers without ports can be told apart by."""
    found = [difference(hdp, other, level) for other in kinds if other is not hdp for level in Level]
    spread = {level: each.spread for level, each in against_udp(found).items()}
    return tuple(each if each.b in {UDP, RAW_UDP} else widened(each, spread[each.level]) for each in found)


def _gate(setup: Setup, hdp: Compared, udp: dict[Level, Compared], *, trouble: str, enough: bool) -> tuple[Gate, str]:
    """What the margin makes of it, and the words for it. Too few pairs may be HDP's loss, which is no way to pass."""
    if setup.margin_us is None:
        return Gate.NONE, ""
    where = {level: _seen_at(level, setup) for level in Level}
    if not trouble:
        checks = latency_gate.check(hdp, udp, setup.margin_us, where)
        return latency_gate.verdict(checks), latency_gate.in_words(checks, setup.margin_us)
    lost = latency_gate.loss(hdp, udp[Level.KERNEL])
    if not enough and lost.gate is Gate.EXCEEDED:
        return lost.gate, latency_gate.in_words([lost], setup.margin_us)
    return Gate.UNDECIDED, ""


def _loss_in_words(hdp: Compared, udp: Compared) -> str:
    for one, other in ((hdp, udp), (udp, hdp)):
        lost = latency_gate.loss(one, other)
        if lost.gate is Gate.EXCEEDED:
            return f"{HDP if one is hdp else UDP} loses more: {lost.told.removeprefix('loss ')}"
    return ""


def against_udp(differences: Sequence[Difference]) -> dict[Level, Difference]:
    """HDP minus UDP, by level: at user level from a UDP socket, in the network from a raw one, as HDP is sent."""
    raw = any(each.b == RAW_UDP for each in differences)  # old results have none
    return {
        each.level: each for each in differences if each.b == (RAW_UDP if raw and each.level is Level.KERNEL else UDP)
    }


def in_words(result: LatencyResult) -> list[str]:
    """What the sentence leaves out, a line each: both sides by themselves, and HDP against the other kinds."""
    lines = [_side_in_words(each) for each in result.sides if each.label in {HDP, UDP}]
    for other in dict.fromkeys(each.b for each in result.differences if each.b != UDP):
        user, kernel = result.against(other, Level.USER), result.against(other, Level.KERNEL)
        if min(user.pairs, kernel.pairs) >= ENOUGH:
            said = "; ".join(
                format_difference(each, _seen_at(each.level, result.setup), subject=False) for each in (user, kernel)
            )
            lines.append(f"{HDP} against {other} packets: {said}")
    return lines


def _side_in_words(each: Side) -> str:
    if each.user is None or each.kernel is None:
        return f"{each.label}: {each.arrived:,} of {each.sent:,} arrived"
    words = [
        f"{each.label}: median {each.user['median']:.1f} us and p99 {each.user['p99']:.1f} us at user level",
        f"{each.kernel['median']:.2f} and {each.kernel['p99']:.2f} us in the network",
        f"jitter {each.jitter_median or 0:.2f} us",
        f"{each.sent - each.arrived:,} of {each.sent:,} lost",
    ]
    if each.reordered:
        words.append(f"{each.reordered:,} reordered")
    if each.duplicated:
        words.append(f"{each.duplicated:,} duplicated")
    return ", ".join(words)


def _too_few(setup: Setup, main: dict[Level, Difference], sides: Sequence[Side]) -> str:
    for each in main.values():
        if each.pairs < ENOUGH:
            counts = ", ".join(
                f"{one.arrived:,} of {one.sent:,} {one.label}" for one in sides if one.label in {HDP, UDP}
            )
            seen = (
                ""
                if min(one.arrived for one in sides if one.label in {HDP, UDP}) < ENOUGH
                else f" and {_seen_at(each.level, setup)} seen"
            )
            lost = [one for one in sides if one.label == UDP and 2 * one.arrived < one.sent]
            slower = "; UDP is lost as well: send slower, with --hdp-rate" if lost else ""
            few = f"too few pairs arrived{seen} to compare latencies: {counts} (at least {ENOUGH} pairs are needed)"
            return few + slower
    return ""


def _sentence(setup: Setup, main: dict[Level, Difference]) -> str:
    user, kernel = main[Level.USER], main[Level.KERNEL]
    parts = [format_difference(each, _seen_at(each.level, setup), subject=each is user) for each in (user, kernel)]
    return "; ".join(parts) + f" (n = {min(user.pairs, kernel.pairs):,} pairs)"


def _seen_at(level: Level, setup: Setup) -> str:
    return whereabouts(level, there_and_back=setup.way is Way.ROUND_TRIP)
