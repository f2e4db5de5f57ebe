"""A run in a few sentences, for somebody who has never heard of the project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import Direction, Form, Outcome, Verdict
from pytest_hdp.report import fields, headers
from pytest_hdp.report.checksums import stale_checksums
from pytest_hdp.report.claim import claimed, claims, in_short, is_proven, verdict_line
from pytest_hdp.report.doubles import doubles
from pytest_hdp.report.fields import OPEN, THROUGH
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.headline import advice, missing, of_several
from pytest_hdp.report.letters import words
from pytest_hdp.report.limits import shared_limits
from pytest_hdp.report.path_picture import picture_of
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Result

_PLACES = {
    "loopback": "within one machine, from socket to socket",
    "netns": "from one network namespace to another",
    "internet": "over a real network",
}
"""Where a run's packets went, by the kind of its path; a lab has a name that tells more."""
SEVERAL = 6
"""Of so many paths at most, each gets a sentence."""
LONGEST_LIST = 80
"""Characters of a list of numbers that still reads as one."""

_FATES: dict[str, str] = {
    Verdict.REFUSED_AT_SOCKET: "{n} refused by the sender's own kernel",
    Verdict.REFUSED_AT_SEND: "{n} refused when sent, by the sender's own kernel or firewall",
    Verdict.HELD_BY_SENDER: "{n} never left the sender",
    Verdict.RENUMBERED: "{n} left under another number",
    Verdict.REJECTED: "{n} rejected with an ICMP error",
    Verdict.LOST: "{n} lost on the path",
    Verdict.FIRST_ONLY: "{n} stopped after the first packet",
    Verdict.LOSSY: "{n} lost far more packets than the control",
    Verdict.HELD_BY_RECEIVER: "{n} arrived and were held back by the receiver's kernel or firewall",
    Verdict.MODIFIED: "{n} arrived with their bytes changed",
    Verdict.SILENT: "{n} brought no answer",
    Verdict.INCONCLUSIVE: "{n} inconclusive",
}


@dataclass(frozen=True, slots=True)
class Story:
    """`headline`: what happened. `lines`: where, a sentence a course. `status`: held against expectations.

    `introduction`: what was done; `glossary`: what the words mean that the lines use; `advice`: what one can do.
    """

    headline: str
    lines: tuple[str, ...]
    status: str
    surprised: bool
    introduction: str = ""
    glossary: str = ""
    advice: tuple[str, ...] = ()


def story(results: Iterable[Result], unmeasured: Iterable[str] = ()) -> Story:
    """Return what a run says; nothing in it is longer than a screen, whatever was measured.

    `unmeasured`: a line for each path that could not be measured; where there is one not all is as expected.
    """
    groups, unmeasured = by_course(results), list(unmeasured)
    left_out = missing(unmeasured)
    if not groups:
        return Story("No train was measured.", (), "", surprised=bool(left_out))
    if asked := claimed(result for group in groups for result in group):
        return _of_box(asked, unmeasured)
    headline = _headline(groups)
    if loss := fields.control_loss(result for group in groups for result in group):
        headline = f"{headline.rstrip('.')}; {loss}."
    if left_out:
        headline = f"{headline.rstrip('.')}; {left_out}."
    alone = len({group[0].path for group in groups}) == 1
    lines = _lines(groups, alone=alone)
    if len(lines) > SEVERAL:
        lines[SEVERAL:] = [f"And {len(lines) - SEVERAL} more, below."]
    everything = [result for group in groups for result in group]
    status, surprised = _status(everything, whole=not left_out)
    introduction, glossary = _introduction(everything), _glossary(everything)
    return Story(headline, tuple(lines), status, surprised, introduction, glossary, advice(groups))


def _headline(groups: Sequence[Sequence[Result]]) -> str:
    """Return what happened: of numbers, and of extension headers where these were asked about."""
    plain, behind = headers.parted(groups)
    if not behind or len({group[0].path for group in groups}) > 1:
        return _of_numbers(groups)
    told = headers.headline(behind)
    if headers.are_controls(plain):
        return f"{told[:1].upper()}{told[1:]}."
    return f"{_of_numbers(plain).rstrip('.')}; {told}."


def _of_numbers(groups: Sequence[Sequence[Result]]) -> str:
    told = list(dict.fromkeys(_sentence(group) for group in groups))
    return f"{told[0]}." if len(told) == 1 else _of_several(groups)


def _lines(groups: Sequence[Sequence[Result]], *, alone: bool) -> list[str]:
    """Return a sentence for each course; of all chains of extension headers one way, one, and none of their control."""
    plain, behind = headers.parted(groups)
    known = {chains[0][0].path for chains in behind}
    return [
        *(_line(each, alone=alone) for each in plain if each[0].path not in known or not headers.are_controls([each])),
        *(f"{_title(chains[0], alone=alone)}: {headers.line(chains)}." for chains in behind),
    ]


def _title(group: Sequence[Result], *, alone: bool) -> str:
    """Return which course it is. `alone`: there is only one path, and the page names it elsewhere."""
    behind = headers.is_behind(group)
    if not alone:
        return headers.title(group) if behind else fields.course_title(group[0])
    nodes = picture_of(group).nodes
    way = f"{group[0].judgement.train.direction}, behind extension headers" if behind else fields.course(group[0])
    return f"{way[:1].upper()}{way[1:]}, {nodes[0].name} \u2192 {nodes[-1].name}"


def _of_box(results: Sequence[Result], unmeasured: Sequence[str]) -> Story:
    """Return the story of a box: what may be claimed of it. Other paths of the same run are in the grids below."""
    proven = is_proven(results) and not unmeasured
    headline = f"{verdict_line(results, unmeasured)}."
    fine, doubtful, asked = in_short(results)
    status, sent = fine if proven else doubtful, _introduction(results).partition(", and watched")[0]
    introduction = f"{sent}: {asked}"
    return Story(headline, tuple(claims(results)), status, not proven, introduction, _glossary(results))


def _introduction(results: Sequence[Result]) -> str:
    numbers = {fields.protocol(result) for result in results if fields.in_header(result)}
    under = "one of these numbers" if len(numbers) == 1 else f"{len(numbers)} of these numbers"
    controlled = any(result.judgement.control_sent for result in results)
    control = ", and ordinary ones beside them as a control" if controlled else ""
    return (
        "Every IP packet names what it carries by a protocol number from 0 to 255: 6 is TCP, 17 is UDP. "
        f"This run sent packets under {under}{headers.what_stands_before(results)} {_through_what(results)}{control}, "
        "and watched where they ended."
    )


def _through_what(results: Sequence[Result]) -> str:
    paths = {result.path for result in results}
    if len(paths) != 1:
        return f"over {len(paths)} paths"
    [path] = paths
    if path.kind == "lab":
        return f"through {safe(path.name)}, a network emulated on one machine (a lab)"
    return _PLACES.get(path.kind, "over one path")


def _glossary(results: Sequence[Result]) -> str:
    trains = [result.judgement.train for result in results]
    used = {train.direction for train in trains} | {train.form for train in trains}
    said = [
        (Direction.REVERSE, "Forward is from the source to the target, reverse the way back."),
        (Form.BARE, "Bare: the data follows the IP header directly."),
        (Form.WELLFORMED, "Wellformed: it stands inside what the number promises (a UDP datagram, a GRE header)."),
        (Form.FRAGMENTED, "Fragmented: that, in two fragments, both of which bear our tag."),
        (Form.OPTIONS, "Options: that, behind options of IP that say nothing."),
    ]
    terms = [sentence for word, sentence in said if word in used]
    if any(train.behind is not None for train in trains):
        terms.append(
            "Extension headers stand between the IPv6 header and what it carries: hbh64 are hop-by-hop options of 64 "
            "bytes, dst destination options, rt a routing header, frag a fragment header."
        )
    return " ".join([*terms, "A train: all packets of one number, one way."])


def _in_header(group: Sequence[Result]) -> Sequence[Result]:
    """Return the trains whose number fits the header; all, if none does."""
    return [each for each in group if fields.in_header(each)] or group


def _through(group: Sequence[Result]) -> int:
    return sum(result.verdict in THROUGH for result in group)


def _undecided(group: Sequence[Result]) -> int:
    """Return how many are left open where nothing is known to have got through; then "0 got through" says too much."""
    return 0 if _through(group) else sum(result.verdict in OPEN for result in group)


def _sentence(group: Sequence[Result]) -> str:
    """Return "6 of 255 protocol numbers got through; 249 stopped after the first packet"."""
    group = _in_header(group)
    through, total = _through(group), len(group)
    fates = Counter(each.verdict for each in group if each.verdict not in THROUGH)
    if total == 1:
        name = f"Protocol {fields.subject(group[0])}"
        return f"{name} got through" if through else f"{name}: {words(group[0].verdict)}"
    if through == total:
        return f"All {total} protocol numbers got through"
    begin = f"{through or 'None'} of {total} protocol numbers got through"
    if undecided := _undecided(group):
        begin = f"What becomes of {undecided} of {total} protocol numbers is open"
    parts = [_fate(verdict, count) for verdict, count in fates.most_common(2)]
    rest = sum(fates.values()) - sum(count for _, count in fates.most_common(2))
    return "; ".join([begin, ", ".join([*parts, *([f"{rest} ended otherwise"] if rest else [])])])


def _fate(verdict: Verdict, count: int) -> str:
    return _FATES.get(verdict, "{n} " + words(verdict)).replace("{n}", str(count))


def _of_several(groups: Sequence[Sequence[Result]]) -> str:
    """Return what several courses have come to: of one path in numbers, of several by what broke where."""
    paths = len({group[0].path for group in groups})
    groups = [_in_header(group) for group in groups]
    if paths > 1:
        return of_several(groups)
    decided = [group for group in groups if not _undecided(group)]
    if not decided:
        return "What becomes of most protocol numbers is open on this path."
    ways = [f"{_through(group)} of {len(group)} {group[0].judgement.train.direction}" for group in groups]
    if len(groups) == 2 and ways[0] != ways[1]:
        return f"Protocol numbers that got through: {', '.join(ways)}."
    shares = sorted((_through(group), len(group)) for group in decided)
    (least, _), (most, total) = shares[0], shares[-1]
    amount = f"{least} of {total}" if least == most else f"{least} to {most} of {total}"
    return f"{amount} protocol numbers got through on this path."


def _line(group: Sequence[Result], *, alone: bool) -> str:
    """Return where one course ended: "Forward, bare: 6 of 255 got through; 249 lost on the path, between ..."."""
    inside = _in_header(group)
    course = picture_of(inside)
    fates = []
    for end in sorted(course.ends, key=lambda end: -end.count):
        if end.verdict not in THROUGH:
            place = course.where(end)
            elsewhere = any(each.verdict == end.verdict and course.where(each) for each in course.ends)
            if not place and elsewhere:
                place = f"hop unknown{_which_few(end.numbers)}"
            fates.append(f"{_fate(end.verdict, end.count)}{f', {place}' if place else ''}")
    undecided = _undecided(inside)
    through = f"{undecided or _through(inside)} of {len(inside)} {'undecided' if undecided else 'got through'}"
    through += "" if undecided else _which([each for each in inside if each.verdict in THROUGH], len(inside))
    more = f"; and {len(fates) - 3} other fates" if len(fates) > 3 else ""
    more += "".join(f"; {said}" for said in (*doubles(inside), *stale_checksums(inside), *shared_limits(inside)))
    if len(inside) < len(group):
        more += f"; {_outside([each for each in group if not fields.in_header(each)])}"
    return f"{_title(inside, alone=alone)}: {'; '.join([through, *fates[:3]])}{more}."


def _which(results: Sequence[Result], total: int) -> str:
    """Return " (1, 6, 17)" where that is short and tells something: not of all, and not of most."""
    numbers = fields.folded(map(fields.protocol, results))
    return f" ({numbers})" if 0 < len(results) < total / 2 and len(numbers) <= LONGEST_LIST / 2 else ""


def _which_few(numbers: Sequence[int]) -> str:
    return f" ({fields.folded(numbers)})" if len(numbers) <= 4 else ""


def _outside(results: Sequence[Result]) -> str:
    fates = Counter(each.verdict for each in results)
    told = ", ".join(_fate(verdict, count) for verdict, count in fates.most_common(3))
    numbers = "1 number" if len(results) == 1 else f"{len(results)} numbers"
    return f"of {numbers} that no header can hold, {told}"


def _status(results: Sequence[Result], *, whole: bool) -> tuple[str, bool]:
    wrong = [result for result in results if result.outcome == Outcome.FAILED]
    if wrong:
        behind = all(result.judgement.train.behind is not None for result in wrong)
        numbers = headers.names(wrong) if behind else fields.subjects(wrong)
        which = f": {numbers}" if len(numbers) <= LONGEST_LIST else ""
        held = any(result.expected is not None for result in wrong)
        return f"{len(wrong)} of {len(results)} {'not as expected' if held else 'did not get through'}{which}", True
    still_open = sum(result.outcome == Outcome.SKIPPED for result in results)
    if not whole:
        undecided = f", {still_open} of {len(results)} undecided" if still_open else ""
        return f"Not all was measured; nothing unexpected in what was{undecided}", True
    if still_open:
        return f"Nothing unexpected; {still_open} of {len(results)} undecided", False
    known = sum(result.outcome == Outcome.XFAILED for result in results)
    return ("Everything as expected" if known else "Nothing unexpected"), False
