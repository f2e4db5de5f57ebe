"""What a latency experiment found, as plain data, and the sentence that says it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_hdp.judge.latency import (
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
)
from pytest_hdp.judge.result import PathName
from pytest_hdp.judge.verdict import Direction

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


class Gate(StrEnum):
    """What a margin makes of a difference."""

    NONE = "no margin given"
    KEPT = "kept"
    UNDECIDED = "undecided"
    EXCEEDED = "exceeded"


@dataclass(frozen=True, slots=True)
class Setup:
    """How it was measured. `size`: bytes of every packet, IP header included; `rounds`: after the warm-up.

    `gap_us`: between two packets, on average; `seed`: of the order and the gaps; `late_us`: median and 99th percentile
    of how late packets were sent after the time they were meant to be; `put_off`: rounds that began late, the
    host being busy with something else. `margin_us`: what HDP may be slower, None for any.
    """

    path: PathName
    direction: Direction
    way: Way
    protocol: int
    rounds: int
    size: int
    seed: int
    gap_us: float
    late_us: tuple[float, float]
    put_off: int
    margin_us: float | None = None


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
    hdp = by_label[HDP]
    twice = [series for series in measured if series.label + AGAIN in by_label]
    kinds = [series for series in measured if not series.label.endswith(AGAIN)]
    differences = tuple(difference(hdp, other, level) for other in kinds if other is not hdp for level in Level)
    controls = tuple(
        alike(series, by_label[series.label + AGAIN], level, len(twice) * len(Level))
        for series in twice
        for level in Level
    )
    main = against_udp(differences)
    enough = all(each.pairs >= ENOUGH for each in main.values())
    trouble = _trouble(setup, main, controls, [side(series) for series in kinds])
    gate = _gate(main, setup.margin_us) if not trouble else Gate.NONE if setup.margin_us is None else Gate.UNDECIDED
    sentence = trouble or _sentence(setup, main, gate)
    return LatencyResult(
        setup=setup,
        sides=tuple(side(series) for series in kinds),
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
            told = "; ".join(_told(each, "", result.setup, subject=False) for each in (user, kernel))
            lines.append(f"{HDP} against {other} packets: {told}")
    return lines


def _side_in_words(each: Side) -> str:
    if each.user is None or each.kernel is None:
        return f"{each.label}: {each.arrived:,} of {each.sent:,} arrived"
    told = [
        f"{each.label}: median {each.user['median']:.1f} us and p99 {each.user['p99']:.1f} us at user level",
        f"{each.kernel['median']:.2f} and {each.kernel['p99']:.2f} us in the network",
        f"jitter {each.jitter_median or 0:.2f} us",
        f"{each.sent - each.arrived:,} of {each.sent:,} lost",
    ]
    if each.reordered:
        told.append(f"{each.reordered:,} reordered")
    if each.duplicated:
        told.append(f"{each.duplicated:,} duplicated")
    return ", ".join(told)


def _trouble(setup: Setup, main: dict[Level, Difference], controls: Sequence[Difference], sides: Sequence[Side]) -> str:
    for each in main.values():
        if each.pairs < ENOUGH:
            counts = ", ".join(
                f"{one.arrived:,} of {one.sent:,} {one.label}" for one in sides if one.label in {HDP, UDP}
            )
            seen = (
                ""
                if min(one.arrived for one in sides if one.label in {HDP, UDP}) < ENOUGH
                else f" and {_where(each, setup)} seen"
            )
            return f"too few pairs arrived{seen} to compare latencies: {counts} (at least {ENOUGH} pairs are needed)"
    for each in controls:
        if each.pairs >= ENOUGH and not each.covers_zero:
            return (
                f"not valid: {each.a}, measured twice, differs from itself by {_us(each.median, each)} us "
                f"{interval(each)} {_where(each, setup)}, which honest measurements do less than once in 10,000 runs"
            )
    return ""


def _gate(main: dict[Level, Difference], margin: float | None) -> Gate:
    if margin is None:
        return Gate.NONE
    if any(each.low > margin for each in main.values()):
        return Gate.EXCEEDED
    return Gate.KEPT if all(each.high <= margin for each in main.values()) else Gate.UNDECIDED


def _sentence(setup: Setup, main: dict[Level, Difference], gate: Gate) -> str:
    user, kernel = main[Level.USER], main[Level.KERNEL]
    told = [_told(user, f"{HDP} is", setup, subject=True), _told(kernel, "", setup, subject=False)]
    count = f" (n = {min(user.pairs, kernel.pairs):,} pairs)"
    return "; ".join(told) + count + _margin(setup.margin_us, gate)


def _told(each: Difference, verb: str, setup: Setup, *, subject: bool) -> str:
    where, bounds = _where(each, setup), interval(each)
    than = f" than {each.b}" if subject else ""
    if each.covers_zero:
        between = f" between {each.a} and {each.b}" if subject else ""
        return f"no difference{between} {where} {bounds}"
    word = "slower" if each.low > 0 else "faster"
    lead = f"{verb} " if verb else ""
    return f"{lead}{_us(abs(each.median), each)} us {word}{than} {bounds} {where}".replace("  ", " ")


def _where(each: Difference, setup: Setup) -> str:
    if each.level is Level.USER:
        return "at user level"
    return "in the network" if setup.way is Way.ONE_WAY else "in the network, there and back"


def _margin(margin: float | None, gate: Gate) -> str:
    if margin is None:
        return ""
    words = {
        Gate.KEPT: "within the margin of",
        Gate.EXCEEDED: "more than the margin of",
        Gate.UNDECIDED: "undecided against the margin of",
    }
    return f"; {words[gate]} {margin:g} us"


def interval(each: Difference) -> str:
    """The interval as "[0.19, 0.21]", microseconds."""
    return f"[{_us(each.low, each)}, {_us(each.high, each)}]"


def _us(value: float, of: Difference) -> str:
    """As many digits as the interval's width warrants, at most nanoseconds."""
    if not math.isfinite(value):
        return "?"
    width = of.high - of.low
    digits = 3 if width <= 0 else min(3, max(0, 1 - math.floor(math.log10(width))))
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
