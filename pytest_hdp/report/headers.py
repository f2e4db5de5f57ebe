"""What passes behind IPv6 extension headers, told by the headers: a chain of them, and what became of each transport.

Each chain is a course of its own, since it has a control and a place of loss of its own. A reader asks about headers:
which of them pass, whatever stands behind, and where the others die.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.packet.chain import CHAINS, TRANSPORTS
from pytest_hdp.report import fields
from pytest_hdp.report.fields import OPEN, THROUGH
from pytest_hdp.report.letters import words
from pytest_hdp.report.path_picture import picture_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.result import Result

FEW = 8
"""So many chains have names in a line."""


def is_behind(group: Sequence[Result]) -> bool:
    """Return whether a course is that of transports behind extension headers."""
    return group[0].judgement.train.behind is not None


def parted(groups: Iterable[Sequence[Result]]) -> tuple[list[Sequence[Result]], list[list[Sequence[Result]]]]:
    """Return the courses without extension headers, and those with them: the chains of one path and direction each."""
    groups = list(groups)
    plain = [group for group in groups if not is_behind(group)]
    behind = [group for group in groups if is_behind(group)]
    return plain, list(alike(behind, lambda group: (group[0].path, group[0].judgement.train.direction)).values())


def merged(groups: Iterable[Sequence[Result]]) -> list[list[Result]]:
    """Return these courses, and in the place of those of one path and direction behind headers one with all of them."""
    found: dict[tuple[str, ...], list[Result]] = {}
    for group in groups:
        key = fields.course_key(group[0])
        key = (*key[:-2], "headers", group[0].judgement.train.direction) if is_behind(group) else key
        found.setdefault(key, []).extend(group)
    return list(found.values())


def are_controls(plain: Iterable[Sequence[Result]]) -> bool:
    """Return whether these courses are no more than what stands beside headers as their control, and got through."""
    return all(fields.protocol(each) in TRANSPORTS and each.verdict in THROUGH for group in plain for each in group)


def title(group: Sequence[Result], *, unicode: bool = True) -> str:
    """Return where and how those of one path and direction ran: "lab ..., forward, behind extension headers, IPv6"."""
    train = group[0].judgement.train
    where = fields.path_title(group[0].path, train.direction, unicode=unicode)
    return f"{where}, {train.direction}, behind extension headers, IPv6"


def name(group: Sequence[Result]) -> str:
    """Return the name of a course's chain: "dst64"; of one without headers nothing."""
    chain = group[0].judgement.train.behind
    return "" if chain is None else chain.name


def transports(group: Iterable[Result]) -> str:
    """Return what stands behind a chain, by name: "tcp, udp"."""
    return ", ".join(fields.keyword(each) or str(fields.protocol(each)) for each in group)


def fates(group: Sequence[Result]) -> list[str]:
    """Return what became of those of one course that did not get through: "lost between ...", each with its transports.

    Who is meant is left out where it is all of them.
    """
    course, told = picture_of(group), []
    for end in course.ends:
        if end.verdict in THROUGH:
            continue
        where = course.where(end)
        fate = f"{words(end.verdict)}{f' {where}' if where else ''}"
        those = [each for each in group if fields.protocol(each) in end.numbers]
        told.append(fate if len(those) == len(group) else f"{transports(those)} {fate}")
    return told


def counted(chains: Sequence[Sequence[Result]]) -> str:
    """Return "9 of 16 kinds of extension headers got through, 2 in part, 1 undecided"; of one kind its name."""
    how = Counter(map(_how, chains))
    if len(chains) == 1:
        chain = chains[0][0].judgement.train.behind
        return f"{'extension headers' if chain is None else chain.words} {_OF_ONE[_how(chains[0])]}"
    told = f"{how['all'] or 'none'} of {len(chains)} kinds of extension headers got through"
    for word, said in (("part", "in part"), ("open", "undecided")):
        told += f", {how[word]} {said}" if how[word] else ""
    return told


_OF_ONE = {"all": "got through", "part": "got through in part", "none": "did not get through", "open": "undecided"}


def _how(group: Sequence[Result]) -> str:
    verdicts = {each.verdict for each in group}
    if verdicts <= THROUGH:
        return "all"
    if verdicts & THROUGH:
        return "part"
    return "open" if verdicts <= OPEN else "none"


def headline(behind: Sequence[Sequence[Sequence[Result]]]) -> str:
    """Return the same of one path: once where both directions came to the same, else of each."""
    said = {chains[0][0].judgement.train.direction: counted(chains) for chains in behind}
    if len(set(said.values())) == 1:
        [told] = set(said.values())
        return told if len(said) == 1 else f"{told}, both ways"
    forward, reverse = said[Direction.FORWARD], said[Direction.REVERSE]
    return f"forward, {forward}; reverse, {reverse}"


def line(chains: Sequence[Sequence[Result]]) -> str:
    """Return where those of one direction ended: "9 of 16 kinds ... got through; dst64, dst256 lost between ..."."""
    told = [counted(chains)]
    for fate, those in alike(filter(fates, chains), lambda group: "; ".join(fates(group))).items():
        names = list(map(name, those))
        shown = ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
        told.append(f"{shown}: {fate}")
    return "; ".join(told)


def names(results: Iterable[Result]) -> str:
    """Return the chains that results are of, as they are asked: "hbh8, dst64, dst64 with tcp"."""
    found = {chain.name for each in results if (chain := each.judgement.train.behind) is not None}
    return ", ".join(sorted(found, key=list(CHAINS).index))


def what_stands_before(results: Iterable[Result]) -> str:
    """Return ", by themselves and behind 16 kinds of IPv6 extension headers," of a run that asked about any, or ""."""
    kinds = {train.chain.partition("/")[0] for each in results if (train := each.judgement.train).behind is not None}
    many = "" if len(kinds) == 1 else f"{len(kinds)} kinds of "
    return f", by themselves and behind {many}IPv6 extension headers," if kinds else ""
