"""The files of one run: `results.jsonl` as the results come; at the end table, capture, and, if asked for, profile."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.not_measured import not_measured
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.judge.result import Made, Result
    from pytest_hdp.measure.path.capture import Packets
    from pytest_hdp.report.jsonl import LineWriter

NOT_ENDED = not_measured("the rest of the run", "it was ended from outside before it could write all")
"""Said by `results.jsonl` as long as it grows, and so by what a run leaves that was killed."""
CAPTURE = "capture.pcapng"
LATENCY = "latency.json"
GROWN = "is not complete"
"""Of a file that grew while tests ended; of one that is written whole or not at all: "was not written"."""


class RunFiles:
    """Writes what was asked for; what can't be written (a full disk) is said once in `troubles`, and ends no run.

    What is left as it was, since it would be replaced by less, is said in `kept`, and is no trouble.
    `report`: the folder for results, and `record`: the file for a profile, or None for neither. `made`: how this run
    was made, kept in the first line, so that the page can be made from it.
    """

    def __init__(self, report: Path | None, record: Path | None, made: Made) -> None:
        self.troubles: list[str] = []
        self.kept: list[str] = []
        self._made = made
        self._report = report
        self._record = record
        self._writer: LineWriter | None = None
        self._lines: dict[int, tuple[Result, str]] = {}

    def append(self, result: Result, record: Mapping[str, Any] | None = None) -> None:
        """Append a result to `results.jsonl`, replaced by the first one: that line says that more follows.

        `record`: the result's, where somebody has made it already.
        """
        if self._report is None or self.troubles:
            return
        from pytest_hdp.report.jsonl import LineWriter, line_of, line_of_record

        path = self._report / "results.jsonl"
        with self._telling(path, GROWN):
            if self._writer is None:
                self._writer = LineWriter(path)
                self._writer.write(line_of(replace(result, made=replace(self._made, unmeasured=NOT_ENDED))))
                return
            line = line_of(result) if record is None else line_of_record(record)
            self._lines[id(result)] = result, line  # kept, so that no other gets its id
            self._writer.write(line)

    def _line(self, result: Result) -> str:
        from pytest_hdp.report.jsonl import line_of

        return self._lines[id(result)][1] if id(result) in self._lines else line_of(result)

    def finish(
        self,
        results: Sequence[Result],
        *,
        packets: Packets | None = None,
        tests: Mapping[str, str] | None = None,
        latency: Sequence[LatencyResult] = (),
        unmeasured: Sequence[str] = (),
    ) -> None:
        """Write everything whole, from one result of each train, and what the latency experiments found.

        `packets`: for the capture, which is not written where nothing was measured; `tests`: node ids by `train_key`;
        `unmeasured`: a line for each path that could not be measured. Where that is all, the files say so: an earlier
        run's would be taken for this one's.
        """
        if self._writer is not None:
            self._writer.close()
        made = replace(self._made, unmeasured="\n".join(unmeasured)) if unmeasured else self._made
        if self._report is not None and (results or unmeasured):
            from pytest_hdp.report.files import remove, write_whole
            from pytest_hdp.report.jsonl import line_of
            from pytest_hdp.report.markdown import markdown
            from pytest_hdp.report.page.document import page
            from pytest_hdp.report.page.latency import histograms

            if not latency:
                with self._telling(self._report / LATENCY) as path:
                    remove(path)  # an earlier run's, of which all else is replaced too
            with self._telling(self._report / "results.jsonl", GROWN) as path:
                first = [line_of(replace(each, made=made)) for each in results[:1]]
                write_whole(path, "".join([*first, *map(self._line, results[1:])]))
            with self._telling(self._report / "results.md") as path:
                text = markdown(results, command=made.command, system=made.system, unmeasured=unmeasured)
                write_whole(path, text)
            with self._telling(self._report / "report.html") as path:
                write_whole(path, page(results, [made], histograms=histograms(latency)))
        if self._record is not None and results:
            self._write_profile(self._record, results, whole=not unmeasured)
        if packets is not None and (packets.kept or results) and self._report is not None:
            self._write_capture(self._report / CAPTURE, results, packets, tests or {})
        elif unmeasured and self._report is not None:
            from pytest_hdp.report.files import remove

            with self._telling(self._report / CAPTURE) as path:
                remove(path)

    def _write_profile(self, path: Path, results: Sequence[Result], *, whole: bool) -> None:
        """Write the profile, but leave one that is there if this run did not measure all that it was asked."""
        from pytest_hdp.judge.expectations.recorded import record
        from pytest_hdp.report.files import write_whole

        with self._telling(path):
            if not whole and path.exists():
                self.kept.append(f"{safe(path)} is left as it was: not all was measured")
                return
            write_whole(path, record(results, whole=whole))

    def _write_capture(
        self,
        path: Path,
        results: Sequence[Result],
        packets: Packets,
        tests: Mapping[str, str],
    ) -> None:
        from pytest_hdp.report.capture import capture, train_key
        from pytest_hdp.report.files import write_whole

        verdicts = {train_key(result): str(result.verdict) for result in results}
        with self._telling(path):
            command, system = self._made.command or "", self._made.system or ""
            write_whole(path, capture(packets, verdicts, tests, command=command, system=system))

    @contextmanager
    def _telling(self, path: Path, what: str = "was not written") -> Iterator[Path]:
        try:
            yield path
        except OSError as error:
            known = any(trouble.startswith(f"{safe(path)} ") for trouble in self.troubles)
            if not known:
                self.troubles.append(f"{safe(path)} {what}: {error.strerror or error}")
