"""`results.md`: a headline, the surprises, the counts, and the article's table with verdict and place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.verdict import Direction, Outcome
from pytest_hdp.report import fields, headers
from pytest_hdp.report.checksums import is_stale
from pytest_hdp.report.doubles import often, times
from pytest_hdp.report.groups import by_course
from pytest_hdp.report.headline import missing
from pytest_hdp.report.letters import letter, words, words_for
from pytest_hdp.report.lines import text_of
from pytest_hdp.report.story import story
from pytest_hdp.report.summary import by_rung, surprises
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_hdp.judge.result import Result

NOTHING = "-"
UNFOLDED = 1_000_000
YES, NO = "\N{SALUTING FACE}", "\N{SHOCKED FACE WITH EXPLODING HEAD}"
"""The article's marks for a packet that got there, and one that did not."""

_SPECIAL = re.compile(r"[\\`*{}\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_INVISIBLE = "<!-- -->"
"""Parts a name from its "@" or "#", a scheme from its "//": GitHub links these even if they are escaped."""


def escaped(value: object) -> str:
    """Return any text as one line of Markdown that shows it literally, also within a cell of a table.

    No markup, HTML, link, mention, control character or line end in it takes effect.
    """
    text = safe(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"#(?=\w)|@", lambda found: found[0] + "\0", text)
    text = re.sub(r":(?=//)|\bwww(?=\.)", lambda found: found[0] + "\0", text, flags=re.IGNORECASE)
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\0", _INVISIBLE)


def code_block(text: str, language: str = "") -> list[str]:
    """Return a fenced block that `text` cannot end: its fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, safe(text, limit=10_000), fence]


def table(heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a table. `heads`: (title, whether it holds numbers) for each column. Cells are escaped."""
    lines = [f"| {' | '.join(title for title, _ in heads)} |"]
    lines.append(f"| {' | '.join('---:' if numeric else ':---' for _, numeric in heads)} |")
    lines += [f"| {' | '.join(escaped(cell) for cell in row)} |" for row in rows]
    return lines


HEADS = (
    ("Protocol Number", True),
    ("Keyword", False),
    ("Verdict", False),
    ("Place", False),
    ("Source IP (Server)", False),
    ("Byte Sum (Server)", True),
    ("Received (Server)", False),
    ("Succeeded (Client)", False),
    ("Byte sum (Client)", True),
    ("Failure reason (Client)", False),
    ("Time difference (us)", True),
)
"""The article's eight columns, with keyword, verdict and place after the number."""


def _row(result: Result) -> tuple[object, ...]:
    """Return the cells of one train, in the order of `HEADS`; "-" where nobody looked or nothing was seen."""
    judgement, (sent, _, _, delivered) = result.judgement, fields.observed(result)
    errno, place = fields.word(judgement.errno), judgement.place
    received = NOTHING if delivered is None else _share(delivered, sent)
    received += f", {often(count)}" if (count := times(result)) else ""
    received += ", checksum stale" if is_stale(result) else ""
    return (
        fields.protocol(result) if judgement.train.behind is None else judgement.train.chain,
        fields.keyword(result) or NOTHING,
        words(fields.finding(result), judgement.train.direction),
        place,
        _seen_source(result) if delivered else NOTHING,
        NOTHING,
        received,
        f"{YES} {sent} of {sent}" if sent and not errno else NO,
        NOTHING,
        f"{errno}, {place}" if errno else NOTHING,
        NOTHING if result.latency_us is None else f"{result.latency_us.median:.1f}",
    )


def _share(part: int, whole: int) -> str:
    """Return the article's mark and the counts: the salute only if all got there."""
    return f"{YES if part >= whole else NO} {part} of {whole}" if whole else NO


def _seen_source(result: Result) -> str:
    """Return the address that the receiver saw."""
    path, judgement = result.path, result.judgement
    own = path.target if judgement.train.direction is Direction.REVERSE else path.source
    return safe(judgement.nat.source or own or NOTHING)


def _control(results: Sequence[Result]) -> str:
    """Return how the control fared beside these trains."""
    controls = [(result.judgement.control_delivered, result.judgement.control_sent) for result in results]
    shares = [(through / sent, f"{through} of {sent}") for through, sent in controls if sent]
    if not shares:
        return "Control: none sent."
    worst, counts = min(shares)
    return "Control: all of it came through." if worst >= 1 else f"Control: at worst, {counts} came through."


def _counted(results: Sequence[Result]) -> list[str]:
    """Return the table of counts: verdict, outcome, how many, which numbers."""
    cells = alike(results, fields.cell)
    rows = [
        (
            words_for(cell[0], fields.ways(cells[cell])),
            cell[1],
            len(cells[cell]),
            fields.folded(map(fields.protocol, cells[cell])),
        )
        for cell in sorted(cells, key=by_rung)
    ]
    heads = (("Verdict", False), ("Outcome", False), ("Trains", True), ("Protocol numbers", False))
    return table(heads, rows)


def _matrix(results: Sequence[Result]) -> list[str]:
    """Return what passed behind which extension headers, and where the others died: a row for each chain."""
    columns = {fields.protocol(each): fields.subject(each) for each in results}
    rows = []
    for group in by_course(results):
        found = {fields.protocol(each): letter(*fields.cell(each)) for each in group}
        cells = [found.get(number, NOTHING) for number in sorted(columns)]
        rows.append((headers.name(group), *cells, "; ".join(headers.fates(group))))
    heads = [("Extension headers", False), *((columns[each], False) for each in sorted(columns)), ("Died", False)]
    return table(heads, rows)


def _worded(results: Sequence[Result]) -> list[str]:
    """Return a list of what failed or is open in these results, in sentences."""
    worth_words = [result for result in results if result.outcome in {Outcome.FAILED, Outcome.SKIPPED}]
    said = [f"- {escaped(text_of(line))}" for line in surprises(worth_words, width=UNFOLDED)[:-1]]
    return [*said, ""] if said else []


def headline(results: Sequence[Result], unmeasured: Iterable[str] = ()) -> str:
    """Return the run in one line: "265 trains, all as expected" or "3 of 265 trains not as expected"."""
    left_out = missing(unmeasured)
    wrong = sum(result.outcome == Outcome.FAILED for result in results)
    still_open = sum(result.outcome == Outcome.SKIPPED for result in results)
    trains = f"{len(results)} train{'' if len(results) == 1 else 's'}"
    if not results:
        return f"no train measured; {left_out}" if left_out else "no train measured"
    loss = f", and {told}" if (told := fields.control_loss(results)) else ""
    loss += f"; {left_out}" if left_out else ""
    if wrong:
        return f"{wrong} of {trains} not as expected{loss}"
    as_expected = "nothing unexpected" if still_open or left_out else "all as expected"
    as_expected += f", {still_open} open" if still_open else ""
    return f"{trains}, {as_expected}{loss}"


def brief(results: Iterable[Result], unmeasured: Iterable[str] = ()) -> str:
    """Return the run in a few lines of Markdown, to be pasted into an issue or a chat."""
    everything = [result for group in by_course(results) for result in group]
    told = story(everything, unmeasured)
    lines = [f"**{escaped(told.headline)}** {escaped(told.status)}{'.' if told.status else ''}", ""]
    lines += [f"- {escaped(line)}" for line in told.lines]
    lines += ["", *_counted(everything), ""]
    return "\n".join(lines)


def not_measured(lines: Iterable[str]) -> list[str]:
    """Return a section with a line for each path that could not be measured; nothing, if there is none."""
    said = [f"- {escaped(line)}" for line in lines]
    return ["## Not measured", "", *said, ""] if said else []


def markdown(
    results: Iterable[Result],
    *,
    command: str | None = None,
    system: str | None = None,
    unmeasured: Iterable[str] = (),
) -> str:
    """Return the whole of `results.md`: a summary ready to be pasted into an issue, then one table row a train.

    `command`: what repeats the run. `system`: the machine it ran on, in words. `unmeasured`: a line for each path that
    could not be measured.
    """
    groups, unmeasured = by_course(results), list(unmeasured)
    everything = [result for group in groups for result in group]
    lines = [f"# pytest-hdp: {escaped(headline(everything, unmeasured))}", ""]
    times = sorted(filter(None, (safe(result.time) for result in everything)))
    if times:
        lines += [escaped(f"Measured {times[0]}{f', on {system}' if system else ''}."), ""]
    if command:
        lines += [*code_block(command, "sh"), ""]
    lines += not_measured(unmeasured)
    if everything:
        lines += ["## In short", "", brief(everything, unmeasured)]
    for group in headers.merged(groups):
        behind = headers.is_behind(group)
        title = escaped(headers.title(group) if behind else fields.course_title(group[0]))
        lines += [f"## {title}", "", escaped(_control(group)), "", *_worded(group)]
        lines += [*_matrix(group), ""] if behind else []
        lines += [*_counted(group), ""] if len(groups) > 1 else []
        lines += [*table(HEADS, map(_row, group)), ""]
    return "\n".join(lines)
