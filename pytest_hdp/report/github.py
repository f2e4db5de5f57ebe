"""What GitHub shows of a run: the job's summary, and at most one annotation for each verdict.

A step's summary above 1024 KiB is refused, and ten annotations of a kind are shown
(https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hdp.judge.alike import alike
from pytest_hdp.judge.verdict import Containment, Outcome, Verdict
from pytest_hdp.report import fields
from pytest_hdp.report.claim import claimed, is_proven, verdict_line
from pytest_hdp.report.expected import expected_and_got
from pytest_hdp.report.letters import words_for
from pytest_hdp.report.summary import by_rung
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.judge.result import Result

LARGEST = 1024 * 1024
MOST = 10
CUT = "\n\nCut here: GitHub takes no more than 1 MiB. All of it is in results.md.\n"


def job_summary(markdown: str, already: int = 0) -> str:
    """Return what may be appended to a summary of `already` bytes: cut at a line, with a sentence, if need be."""
    room = LARGEST - already
    whole = markdown.encode("utf-8", "backslashreplace")
    if len(whole) <= room:
        return whole.decode("utf-8")
    room -= len(CUT.encode())
    if room <= 0:
        return ""
    return whole[:room].rpartition(b"\n")[0].decode("utf-8", "ignore") + CUT


def append_summary(
    path: Path, results: Sequence[Result], unmeasured: Sequence[str] = (), latencies: Sequence[LatencyResult] = ()
) -> str | None:
    """Append the run's summary to the file that GitHub shows. Returns what went wrong, in a line, or None."""
    from pytest_hdp.report.markdown import brief, escaped, markdown, not_measured

    try:
        already = path.stat().st_size if path.exists() else 0
        missing = "\n".join(not_measured(unmeasured))
        said = [
            f"- {escaped(f'{each.setup.path.name}, {each.setup.direction}: {each.sentence}')}" for each in latencies
        ]
        told = brief(results, unmeasured) if results or not said else ""
        told += "\n".join(["## Latency", "", *said, ""]) if said else ""
        text = job_summary(
            f"{told}\n{missing}\n"
            f"<details><summary>Every number</summary>\n\n{markdown(results, unmeasured=unmeasured)}\n</details>\n\n",
            already,
        )
        with path.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError as error:
        return f"GITHUB_STEP_SUMMARY ({safe(path)}) can't be written: {error.strerror or error}"
    return None


def commands(results: Iterable[Result], unmeasured: Sequence[str] = ()) -> list[str]:
    """Return workflow commands: for paths that could not be measured, and for verdicts that were not expected.

    There is one for each such verdict, with its numbers and one reason.
    """
    results = list(results)
    wrong = alike((result for result in results if result.outcome == Outcome.FAILED), fields.finding)
    verdicts = sorted(wrong, key=lambda verdict: by_rung((verdict, Outcome.FAILED)))[:MOST]
    missing = [f"::warning title=not measured::{_message(line)}" for line in unmeasured[:MOST]]
    if asked := claimed(results):
        kind = "notice" if is_proven(asked) and not unmeasured else "error"
        missing = [f"::{kind} title=containment::{_message(verdict_line(asked, unmeasured))}", *missing]
    return [*missing, *(_annotation(verdict, wrong[verdict]) for verdict in verdicts)]


def _annotation(verdict: Verdict | Containment, results: Sequence[Result]) -> str:
    first = results[0]
    said = f"{fields.subjects(results)}: {expected_and_got(first)}: {fields.reason(first)}"
    title = (
        f"{len(results)} protocol number{'' if len(results) == 1 else 's'} {words_for(verdict, fields.ways(results))}"
    )
    return f"::warning title={_property(title)}::{_message(said)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
