"""Loss that the sweep itself makes, where many numbers share a limit: whether that is so, and the sentences about it.

A limit of one number at a time, a first packet that passes, chance: all of that is the same for a number wherever it
stands in the order of a round, and each round is shuffled. A limit that numbers share fills up between two rounds and
is spent by whatever comes first. So it is asked whether what came through stood at the front of its rounds more often
than a shuffle puts it there. That test is exact, and needs no model of the limit.

No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import counted, subject
from pytest_hdp.judge.result import SharedLimit
from pytest_hdp.judge.verdict import Place, Verdict

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement

ACCUSED = frozenset({Verdict.LOST, Verdict.FIRST_ONLY, Verdict.LOSSY, Verdict.HELD_BY_RECEIVER})
"""Verdicts that a limit shared by numbers may have made."""
MOST_ROUNDS = 24
"""Of so many rounds the order is looked at: more would take longer than they tell."""
LEAST_SPAN = 0.005
"""Seconds: in less than that one packet more or less makes thousands of a rate."""
LEAST_EARNED = 3
"""Packets that a limit has let through one by one, before that tells of its rate."""
NEAR = 1.4
"""A limit is told as "about" what came if it lets no more than so many times that through."""
SLOWER = 0.8
"""Of the rate that was found, so much is asked for: neither clock is the other's."""

_BY_A_LIMIT = ", by a limit shared by numbers: "

_FRONTS: tuple[Callable[[int, int], int], ...] = (
    lambda _sent, _came: 1,
    lambda _sent, came: came,
    lambda sent, _came: sent // 2,
)
"""What the front of a round is, by how many were sent in it and came through: three looks, and so three tests."""


def front_loaded(rounds: Iterable[Sequence[bool]]) -> tuple[float, float]:
    """Return how likely a shuffle puts as many of those that came at the front, and the least that this could be.

    `rounds`: for each, in the order of sending, whether a number's packet came through. Where all came, or none, the
    order tells nothing; if there are no others, both are 1.
    """
    telling = [each for each in rounds if 0 < sum(each) < len(each)]
    if len(telling) > MOST_ROUNDS:
        telling = [*telling[: MOST_ROUNDS // 2], *telling[-MOST_ROUNDS // 2 :]]
    found = [_tails(telling, front) for front in _FRONTS]
    least_of = tuple(min(1.0, len(found) * min(each)) for each in zip(*found, strict=True))
    return least_of[0], least_of[1]


def _tails(rounds: Sequence[Sequence[bool]], front: Callable[[int, int], int]) -> tuple[float, float]:
    """Probability of at least as many at the front as there were, and of as many as there could have been."""
    seen = most = 0
    chances = [1.0]
    for each in rounds:
        sent, came = len(each), sum(each)
        size = max(1, front(sent, came))
        seen += sum(each[:size])
        most += min(size, came)
        chances = _added(chances, _hypergeometric(sent, came, size))
    return math.fsum(chances[seen:]), math.fsum(chances[most:])


def _hypergeometric(sent: int, came: int, size: int) -> list[float]:
    """Probabilities of 0, 1, 2 ... of `came` among the first `size` of `sent`, in random order."""
    ways = math.comb(sent, came)
    return [math.comb(size, k) * math.comb(sent - size, came - k) / ways for k in range(min(size, came) + 1)]


def _added(first: Sequence[float], second: Sequence[float]) -> list[float]:
    """The distribution of a sum of two."""
    total = [0.0] * (len(first) + len(second) - 1)
    likely = [(at, chance) for at, chance in enumerate(second) if chance > 0]
    for at, chance in enumerate(first):
        if chance > 0:
            for more, other in likely:
                total[at + more] += chance * other
    return total


def both(first: float, second: float) -> float:
    """Return what two independent tests say together (Fisher's method; Statistical Methods for Research Workers)."""
    product = first * second
    return product * (1 - math.log(product)) if product > 0 else 0.0


def burst_of(came: Iterable[bool]) -> int:
    """Return how many came through before the first that did not."""
    count = 0
    for each in came:
        if not each:
            break
        count += 1
    return count


def rate_of(sent: Sequence[tuple[float, bool]]) -> float:
    """Return how many a second came through while it was spent: between the first and the last that did not.

    `sent`: when, in seconds, and whether it came. The true rate is no lower, but for what chance loses.
    """
    gone = [time for time, came in sent if not came]
    if not gone or gone[-1] - gone[0] < LEAST_SPAN:
        return 0.0
    between = sum(came for time, came in sent if gone[0] < time < gone[-1])
    return max(0, between - 1) / (gone[-1] - gone[0])  # one may have been saved up, but for a little


def closest_of(sent: Sequence[tuple[float, bool]]) -> float:
    """Return the least time between two that came: a limit that saves up but one earns another in that."""
    times = [time for time, came in sent if came]
    return min((later - time for time, later in pairwise(times)), default=math.inf)


def rates_while_spent(sent: Sequence[tuple[float, bool]], closest: float) -> tuple[float, float]:
    """Return how many a second a limit lets through at least and at most: by `rate_of`, and while it was always spent.

    `sent`: as for `rate_of`; `closest`: as of all that was ever sent. At each loss a limit has less than one. So from a
    loss to another it has earned what came between, but for one, unless it was full meanwhile, and earned no more. If
    it saves up two, it was not where never more than one came between two losses. If but one, it may have been from the
    last loss before each that came until this. Infinity: it was never spent long enough to tell.
    """
    came, seconds, full = _longest_while_spent(sent)
    if came < LEAST_EARNED or seconds < LEAST_SPAN:
        return rate_of(sent), math.inf
    most = (came + 1) / (seconds - full)
    return max(rate_of(sent), (came - 1) / seconds), (came + 1) / seconds if closest * most < 1 else most


def _longest_while_spent(sent: Sequence[tuple[float, bool]]) -> tuple[int, float, float]:
    """Of the stretch in which most came: how many, its seconds, and those between a loss and the next that came."""
    best, came, began, last = (0, 0.0, 0.0), 0, 0.0, -math.inf
    full, between = 0.0, list[float]()
    for time, passed in sent:
        if passed:
            between.append(time - last)
            continue
        if len(between) > 1 or last == -math.inf:
            began, came, full = time, 0, 0.0
        else:
            came, full = came + len(between), full + sum(between)
            best = max(best, (came, time - began, full))
        last = time
        between.clear()
    return best


def rate_after_rest(before: Sequence[tuple[float, bool]], after: Sequence[tuple[float, bool]], rest: float) -> float:
    """Return how many a second a limit lets through at least, by what came first after a rest; 0 for unknown.

    `before`, `after`: as for `rate_of`, each in order; `rest`: seconds that it took at least. If the last packet before
    it was lost, less than one was saved up then. Else nobody knows how many were.
    """
    came = burst_of(came for _, came in after)
    if not before or before[-1][1] or came < 2:
        return 0.0
    return (came - 1) / max(rest, after[came - 1][0] - before[-1][0])


def steady_rate(sent: Sequence[tuple[float, bool]]) -> float:
    """Return how many a second came of what was sent evenly, faster than the limit lets through; 0 for unknown.

    `sent`: as for `rate_of`. What was saved up comes first, so it is counted from a loss on: from the last one
    before another packet came the limit has earned all that came, but for one.
    """
    first = next((time for time, came in sent if not came), math.inf)
    later = [time for time, came in sent if came and time > first]
    began = max((time for time, came in sent if not came and later and time <= later[0]), default=0.0)
    if len(later) < LEAST_EARNED or later[-1] - began < LEAST_SPAN:
        return 0.0
    return (len(later) - 1) / (later[-1] - began)


def limit_text(limit: SharedLimit, count: int) -> str:
    """Return "28 numbers share a limit of about 190 packets a second, burst 5"."""
    return f"{sharing_text(limit, count)}, burst {limit.burst}"


def sharing_text(limit: SharedLimit, count: int) -> str:
    """Return "28 numbers share a limit of about 190 packets a second"."""
    sharing = f"{counted(count, 'number')} {'shares' if count == 1 else 'share'}"
    return f"{sharing} a limit of {rate_text(limit)}"


def rate_text(limit: SharedLimit) -> str:
    """Return "about 190 packets a second"; "at least", where the sender itself may have been slower than the limit."""
    if limit.most is not None and limit.most < 1:
        return "less than one packet a second"
    if limit.most is not None and limit.most <= NEAR * limit.rate:
        return f"about {_number(limit.rate)} packets a second"
    least = rounded_down(limit.rate, 2)
    return f"at least {least:g} packets a second" if least else "an unknown rate"


def rounded_down(value: float, digits: int) -> float:
    """So many digits of it, and never more than it is."""
    shown = float(f"{value:.{digits}g}")
    if shown <= value:
        return shown
    return float(f"{shown - 10.0 ** (math.floor(math.log10(value)) - digits + 1):.{digits}g}")


def _number(value: float) -> str:
    """Two digits of it, for the others are not known."""
    return f"{float(f'{value:.2g}'):g}"


def passed_alone(whole: Judgement, alone: Judgement, limit: SharedLimit, count: int, asked: int) -> Judgement:
    """The judgement of one that gets through where the others of its limit leave it alone.

    `whole`: by all of its probes, `alone`: by those `asked` ones that were sent at the limit's pace.
    """
    came, of_all = (each.arrived if alone.verdict is Verdict.REACHED else each.delivered for each in (alone, whole))
    lost, meanwhile = whole.sent - of_all, max(0, asked - came)
    by_sweep = f"{lost - meanwhile} of them " if meanwhile else ""
    said = (
        f"{subject(whole.train)}: {f'{came} of {asked}' if meanwhile else asked} sent {_pace(limit)} came as sent; "
        f"{lost} of all {whole.sent} were lost, {by_sweep}while the sweep sent faster: {limit_text(limit, count)}."
    )
    return replace(
        whole, verdict=alone.verdict, place=alone.place, explanation=said, final=True, bound=None, shared_limit=limit
    )


def left_open(whole: Judgement, limit: SharedLimit, count: int) -> Judgement:
    """The judgement of one of which nobody knows whether it gets through by itself."""
    pace = math.floor(SLOWER * limit.rate)
    advice = f"; --hdp-rate={pace} asks all of them at a pace that it lets through" if pace >= 1 else ""
    return replace(_maybe(whole, f"{_BY_A_LIMIT}{limit_text(limit, count)}{advice}"), shared_limit=limit)


def maybe_limited(whole: Judgement, count: int) -> Judgement:
    """The judgement of one of so many of which nobody can tell whether they share a limit."""
    return _maybe(whole, f"{_BY_A_LIMIT}what came through of {counted(count, 'number')} tells too little of that")


def came_late(whole: Judgement) -> Judgement:
    """The judgement of one that may be lost only since others were asked before it, and had filled a table of flows."""
    why = (
        ": others, which were asked before, came through, and hardly any behind them ever, as where a table of flows "
        "is full; ten minutes later it may be empty, and --hdp-protocols asks for fewer"
    )
    return _maybe(whole, why)


def _maybe(whole: Judgement, why: str) -> Judgement:
    said = (
        f"{subject(whole.train)}: {whole.sent - whole.delivered} of {whole.sent} did not come through, and that may be "
        f"the sweep's own doing{why}."
    )
    return replace(whole, verdict=Verdict.INCONCLUSIVE, place=Place.UNKNOWN, explanation=said, final=True, bound=None)


def lost_alone(whole: Judgement, limit: SharedLimit, asked: int) -> Judgement:
    """The judgement of one that dies, whether others of its rounds meet a limit or not."""
    said = (
        f"{whole.explanation.rstrip('.')}; nor did any of {asked} sent {_pace(limit)}, at which others came through "
        "that share a limit; where it died was not looked for, so as not to meet that."
    )
    return replace(whole, explanation=said, final=True)


def _pace(limit: SharedLimit) -> str:
    return f"at a pace of {_number(1 / limit.interval)} a second" if limit.interval else "alone"
