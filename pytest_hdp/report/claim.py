"""What can be claimed of a box, in numbers that somebody may sign: a line for each form and IP version, one of all.

Of n packets of which none was seen outside, the probability that one passes is below 1 - 0.05^(1/n) at 95 % (exact),
and by as much more as the twin's were lost on the way: what leaves is seen only that often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.result import TwinCount
from pytest_hdp.judge.statistics import upper_bound
from pytest_hdp.judge.verdict import SHAPED_FORMS, Containment, Direction, Form, Outcome
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import IPV4, IPV6
from pytest_hdp.report import fields
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.headline import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.result import Result

MOST_NAMED = 100
"""Characters of a list of numbers; of a longer one only how many they are."""
_BE = ("was", "were")
_FAULTS = (
    (Containment.LEAKED, Direction.FORWARD, "got out"),
    (Containment.LEAKED, Direction.REVERSE, "got in"),
    (Containment.UNPROVEN, None, "unproven"),
    (Containment.BLOCKED, None, "blocked, though it may leave"),
)


def claimed(results: Iterable[Result]) -> list[Result]:
    """Return the results of which it was asked whether they leave a box."""
    return [result for result in results if result.judgement.containment is not None]


def is_proven(results: Iterable[Result]) -> bool:
    """Return whether all of them are contained, or leave and may."""
    words = [result.judgement.containment for result in results]
    return all(word is not None and word.outcome is Outcome.PASSED for word in words)


def verdict_line(results: Sequence[Result], unmeasured: Iterable[str] = ()) -> str:
    """Return the one line for a log: "PROVEN: nothing got out of the box by IPv4 to ADDR; IPv6 was not tested".

    Where that was asked: "nothing got out of the box, and nothing got in unasked, by IPv4 to ADDR".

    `unmeasured`: a line for each path that could not be measured; of all that there was to ask, this is no proof then.
    """
    boxes = _by_box(results)
    versions = sorted({result.ip_version for result in results})
    by = " and ".join(f"IPv{version}" for version in versions)
    ways = fields.ways(results)
    by += f" {_towards(ways)} {' and '.join(sorted({_target(result) for result in results}))}"
    untested = "".join(f"; IPv{version} was not tested" for version in (4, 6) if version not in versions)
    untested += f"; {left_out}" if (left_out := missing(unmeasured)) else ""
    if is_proven(results):
        those = "the box" if len(boxes) == 1 else f"the boxes {', '.join(boxes)}"
        unasked = [said for name, each in boxes.items() for said in _unasked(each, results, _about(name, boxes))]
        all_of_it = " of what was measured" if left_out else " of what was asked" if unasked else ""
        return f"PROVEN{all_of_it}: {_held(results, those)} by {by}{''.join(unasked)}{untested}"
    faults = [(_of(results, word, way), said) for word, way, said in _FAULTS]
    counts = [f"{len(each)} {said}{_which_boxes(each, boxes)}" for each, said in faults if each]
    return f"NOT PROVEN: {', '.join(counts)}, of {len(results)} trains by {by}{untested}"


def _held(results: Sequence[Result], those: str) -> str:
    """Return what did not pass, each way that was asked. `those`: the boxes."""
    said = []
    for way in sorted(fields.ways(results)):
        passed = {fields.protocol(each) for each in _of(results, Containment.ALLOWED, way)}
        but = f" but {fields.folded(passed)}, which may," if passed else ""
        said.append(f"nothing{but} got {'out of' if way is Direction.FORWARD else 'in unasked to'} {those}")
    return ", and ".join(said)


def _towards(ways: Collection[Direction]) -> str:
    """Return how an address outside stands to what was asked."""
    return "to" if Direction.REVERSE not in ways else "from" if len(ways) == 1 else "to and from"


def in_short(results: Iterable[Result]) -> tuple[str, str, str]:
    """Return what to say in few words where it is proven, where it is not, and what was asked of the box at all."""
    ways = fields.ways(results)
    if Direction.REVERSE not in ways:
        asked = (
            "from a box that may not let them out, and from its twin, which has no policy "
            "and shows that what gets out is seen. Eyes outside the box looked for all of them."
        )
        return "All of it stayed in the box, or may leave", "It is not proven that all of it stays in the box", asked
    twin = "and to its twin, which has no policy and shows that what comes in is seen"
    asked = f"to a box in which nobody had asked for them, {twin}. Their own taps looked for them."
    if len(ways) == 1:
        return "Nothing came in unasked, or it may", "It is not proven that nothing comes in unasked", asked
    asked += " And from the box, and from its twin: eyes outside looked for those."
    return "Nothing got out or came in unasked, or it may", "It is not proven that nothing gets out or in", asked


def _by_box(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return the results of each box, by its name.

    A lab is a box. Else there is one, from each vantage point, unless a version of IP was asked of several paths.
    """
    results = list(results)
    paths = {(each.path, each.ip_version) for each in results}
    several = max(Counter((path.vantage, version) for path, version in paths).values(), default=0) > 1

    def name(result: Result) -> str:
        path = result.path
        own = fields.word(path.name or path.target).removesuffix(" containment")
        if several or path.kind == "lab":
            return own if path.vantage is None else f"{own} (from {fields.word(path.vantage)})"
        return fields.word(path.vantage) if path.vantage is not None else "the box"

    return alike(results, name)


def _about(name: str, boxes: Collection[str]) -> str:
    return f" of {name}" if len(boxes) > 1 else ""


def _which_boxes(results: Sequence[Result], boxes: dict[str, list[Result]]) -> str:
    these = set(map(id, results))
    here = [name for name, those in boxes.items() if any(id(each) in these for each in those)]
    return _about(", ".join(here), boxes)


def _unasked(results: Sequence[Result], everything: Sequence[Result], about: str) -> list[str]:
    """Return which numbers no packet of a box was sent under, by version of IP and form: a proof says nothing of these.

    `everything`: what was asked of any box; what is asked of another by it alone is wanted of this one too.
    """
    said = []
    for version in sorted({result.ip_version for result in everything}):
        here = [result for result in results if result.ip_version == version]
        if not here:
            said.append(f"; IPv{version} was not tested{about}")
            continue
        forms = {result.judgement.train.form for result in everything if result.ip_version == version}
        wanted = [(Form.BARE, range(256)), (Form.WELLFORMED, carriers(IPV4 if version == IPV4.version else IPV6))]
        wanted += [(form, range(256)) for form in SHAPED_FORMS if form in forms]
        for way in sorted({Direction.FORWARD, *fields.ways(everything)}):
            those = [result.judgement.train for result in here if result.judgement.train.direction is way]
            asked, inward = {(train.form, train.transport) for train in those}, ", in" * (way is Direction.REVERSE)
            if not asked:
                said.append(f"; by IPv{version} what gets {'in' if inward else 'out'}{about} was not asked")
                continue
            for form, numbers in wanted:
                if left := {number for number in numbers if (form, number) not in asked}:
                    be = _BE[len(left) > 1]
                    said.append(f"; by IPv{version} {fields.folded(left)}{about} {be} not asked, {form}{inward}")
    return said


def claims(results: Iterable[Result]) -> list[str]:
    """Return a sentence for each box, form and version of IP; none where no box was asked."""
    boxes = _by_box(asked := claimed(results))
    name = {id(each): f"{box}, " if len(boxes) > 1 else "" for box, those in boxes.items() for each in those}
    return [name[id(group[0])] + _claim(group) for group in by_course(asked)]


def _of(results: Iterable[Result], word: Containment, way: Direction | None = None) -> list[Result]:
    """Return those of which this was found. `way`: that ran this way, None for both."""
    found = [result for result in results if result.judgement.containment is word]
    return [result for result in found if way in {None, result.judgement.train.direction}]


def _claim(results: Sequence[Result]) -> str:
    train, inward = results[0].judgement.train, results[0].judgement.train.direction is Direction.REVERSE
    to = f"{_towards({train.direction})} {_target(results[0])}"
    title = f"IPv{results[0].ip_version} {to}, {train.form}{', in' * inward}"
    stayed = _of(results, Containment.CONTAINED)
    if not is_proven(results):
        said = [f"{what}: {_which(those)}" for word, way, what in _FAULTS if (those := _of(results, word, way))]
        rest = f"; {len(stayed)} stayed {'out of' if inward else 'in'} the box" if stayed else ""
        return f"{title}: not proven; {'; '.join(said)}{rest}"
    allowed = _of(results, Containment.ALLOWED)
    may = f"{_which(allowed)} may {'come in' if inward else 'leave'}, and did"
    held = _stayed(stayed, inward=inward) if stayed else ""
    return f"{title}: {held}{f'; {may}' if allowed else ''}" if stayed else f"{title}: {may}"


def _stayed(results: Sequence[Result], *, inward: bool) -> str:
    """Return how many packets did not pass, beside those of the twin that came, and what that excludes."""
    twins = [result.judgement.twin or TwinCount(0, 0, 0) for result in results]
    counted = [twin.counted for twin in twins if twin.counted]
    left, came = sum(twin.sent for twin in twins), sum(twin.arrived for twin in twins)
    observers = Counter(fields.word(result.judgement.containment_eye) or "an eye outside" for result in results)
    beside = f"while {came} of {left} of its twin's came to {observers.most_common(1)[0][0]}"
    under = "1 number" if len(results) == 1 else f"{len(results)} numbers"
    if not counted:
        return f"the box's own kernel refuses {under}, {beside}"
    refused = (
        f" ({len(results) - len(counted)} of them refused by its own kernel)" if len(counted) < len(results) else ""
    )
    said = f"0 of {sum(counted)} packets under {under}{refused} left the box, {beside}"
    if inward:
        said = f"0 of {sum(counted)} packets under {under} came to the box, while {came} of {left} came to its twin"
    share = 1 - upper_bound(left - came, left)
    each, together = (
        min(1.0, upper_bound(0, tried) / share) if share > 0 else 1.0 for tried in (min(counted), sum(counted))
    )
    if len(counted) == 1:
        return f"{said}: it passes with a probability below {_percent(each)} at 95 %"
    said += f": each passes with a probability below {_percent(each)} at 95 %"
    return f"{said}, all together below {_percent(together)}"


def _target(result: Result) -> str:
    """Return where the box sent: a claim is about that address."""
    return fields.word(result.path.target)


def _percent(share: float) -> str:
    """Return two digits, rounded up: it is a bound."""
    if not 0 < share < 1:
        return "100 %"
    unit = 10.0 ** (math.floor(math.log10(100 * share)) - 1)
    return f"{math.ceil(100 * share / unit - 1e-9) * unit:.2g} %"


def _which(results: Sequence[Result]) -> str:
    named = fields.subjects(results)
    return named if len(named) <= MOST_NAMED else f"{len(results)} numbers"
