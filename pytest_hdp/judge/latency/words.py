"""A difference between two kinds of packets in words, with its interval and as many digits as that warrants."""

from __future__ import annotations

import math

from pytest_hdp.judge.latency.differences import Difference, Level

EQUAL = 2.5
"""Microseconds: an interval that goes no further from 0 is called no difference. One of twice as much is not in it."""


def format_difference(each: Difference, where: str, *, subject: bool) -> str:
    """Return what is known of it. `subject`: name both sides, as a sentence's first part does."""
    bounds = interval(each)
    by, flows = f"{us(each.spread, each)} us", "pairs of their flows" if each.of_a > 1 else "UDP's own flows"
    if not each.covers_zero:
        word = "slower" if each.low > 0 else "faster"
        lead = f"{each.a} is " if subject else ""
        than = f" than {each.b}" if subject else ""
        beyond = f", beyond the {by} by which {flows} differ" if each.spread else ""
        return f"{lead}{us(abs(each.median), each)} us {word}{than} {bounds} {where}{beyond}"
    if each.spread:
        nearest = f"{us(each.median, each)} us {bounds} from the nearest of {flows}"
        known = f"not told apart {where}: {nearest}, which differ by {by}"
    elif max(-each.low, each.high) <= EQUAL:
        return f"no difference{f' between {each.a} and {each.b}' if subject else ''} {where} {bounds}"
    else:
        known = f"not told apart {where} {bounds}"
    return f"{each.a} and {each.b} are {known}" if subject else known


def whereabouts(level: Level, *, there_and_back: bool) -> str:
    """Where a level's times are taken."""
    if level is Level.USER:
        return "at user level"
    return "in the network, there and back" if there_and_back else "in the network"


def interval(each: Difference) -> str:
    """The interval as "[0.19, 0.21]", microseconds."""
    return f"[{us(each.low, each)}, {us(each.high, each)}]"


def us(value: float, of: Difference) -> str:
    """As many digits as the interval's width warrants, at most nanoseconds."""
    if not math.isfinite(value):
        return "?"
    width = of.high - of.low
    digits = 3 if width <= 0 else min(3, max(0, 1 - math.floor(math.log10(width))))
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
