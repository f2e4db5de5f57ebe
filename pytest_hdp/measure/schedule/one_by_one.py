"""Asking silent numbers one by one, where numbers spend a limit for each other: by a rest no limit explains a silence.

Be it a box's limit or the target's ICMP errors: who let nothing through after a rest had less than one left then, and
earns less than one in so long. So of two answers within that time behind the silence, one was there before.
`icmp_budget.certainly_there` asks so; here questions are spaced so that it can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.measure.path.waiting import Waiting, answered, pause
from pytest_hdp.measure.schedule.crowding import is_usual
from pytest_hdp.measure.schedule.icmp_budget import ANSWERS_BEHIND
from pytest_hdp.measure.schedule.silence import over

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.measure.ledger.probes import SentProbe
    from pytest_hdp.measure.schedule.asking import Asking

WAITS = 5.0  # times as long as an answer is waited for is rested, at least
BEHIND = (0.35, 0.7)  # of the rest: when what is known to be answered is asked behind the silence
LONGER = 1.5  # so much longer is rested where it was not answered
LONGEST = 10.0  # seconds of rest
BARREN = 12  # questions in a row that bring no silence that counts, and no answer, before it ends


def ask_one_by_one(asking: Asking, chance: random.Random, until: float) -> Waiting[None]:
    """Ask each of which nothing is known yet alone, again and again, while that teaches; until this time at most.

    That is for what may spend a limit for others, and for what was asked among others in vain, be that why it may.
    Where the target answers nothing but what no such limit is for, nothing would be told by it.
    """
    clock, rest = asking.know.clock, WAITS * asking.wait
    left, known = asking.know.open_trains(), asking.reference_probe
    if not left or known is None or is_usual(known):
        return
    asking.add_unanswered(left)
    if not asking.crowding.suspected:
        asking.crowding.suspected = True
        asking.silences.clear()  # none counts but of what is asked alone
    barren = 0  # where others spend the target's errors all the time, no silence ever counts
    while asking.unanswered and clock.monotonic() < until and barren < BARREN:
        before = asking.silences.total(), len(asking.unanswered)
        rest = max(rest, WAITS * asking.wait)
        least = min(asking.silences[each] for each in asking.unanswered)
        train = chance.choice([each for each in asking.unanswered if asking.silences[each] == least])
        yield from pause(clock, rest)
        if not (yield from _ask_alone(asking, train, rest)):
            if rest >= LONGEST:
                return
            rest = min(LONGEST, LONGER * rest)
        barren = 0 if before != (asking.silences.total(), len(asking.unanswered)) else barren + 1


def ask_behind_others(asking: Asking, trains: Sequence[Train]) -> Waiting[list[SentProbe]]:
    """Ask what the target answers right behind these: do they spend what it needs to get there?

    Returns what the target answered.
    """
    reference = asking.reference_probe
    assert reference is not None, "nothing else can be tested by"
    entries, _ = yield from asking.ask_together([*trains, reference])
    last = entries[-1]
    if passed := asking.by_target(last):
        asking.crowding.test(passed=passed)
    else:
        more, _ = yield from asking.ask_together([reference] * ANSWERS_BEHIND)
        entries = [*entries, *more]
        if asking.could_answer(last, asking.spoke()):
            asking.crowding.test(passed=asking.by_target(last))
    return [each for each in entries if asking.by_target(each)]


def _ask_alone(asking: Asking, train: Train, rest: float) -> Waiting[bool]:
    """Ask it, and what is known to be answered behind it. Whether all was answered that had to be."""
    clock, path, reference = asking.know.clock, asking.know.path, asking.reference_probe
    asked = asking.ask(train)
    entries = [asked]
    yield from answered(path, asking.wait, lambda: over(asked))
    for share in () if over(asked) else BEHIND:
        yield from pause(clock, asking.sent[asked.index].first + share * rest - clock.monotonic())
        assert reference is not None, "without one nobody is asked alone"
        entries.append(asking.ask(reference))
        yield from answered(path, asking.wait, lambda: over(entries[-1]))
        if not over(entries[-1]):
            break
    asking.conclude(entries)
    return over(asked) or asked.errno is not None or (len(entries) > len(BEHIND) and over(entries[-1]))
