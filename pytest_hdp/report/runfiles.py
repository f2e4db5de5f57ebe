"""The files of one run: `results.jsonl` as the records come; at the end table, capture, and, if asked for, profile."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_hdp.report.fields import UNMEASURED
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_hdp.judge.latency.result import LatencyResult
    from pytest_hdp.measure.path.capture import Packets
    from pytest_hdp.report.jsonl import LineWriter

CAPTURE = "capture.pcapng"
LATENCY = "latency.json"
GROWN = "is not complete"
"""Of a file that grew while tests ended; of one that is written whole or not at all: "was not written"."""


class RunFiles:
    """Writes what was asked for; what can't be written (a full disk) is said once in `troubles`, and ends no run.

    `report`: the folder for results, and `record`: the file for a profile, or None for neither. `made`: how this run
    was made ("command", "system", "version", "seed"), kept in the first line, so that the page can be made from it.
    """

    def __init__(self, report: Path | None, record: Path | None, made: dict[str, str] | None = None) -> None:
        self.troubles: list[str] = []
        self._made = made or {}
        self._report = report
        self._record = record
        self._writer: LineWriter | None = None

    def append(self, record: dict[str, Any]) -> None:
        """Append a record to `results.jsonl`, which is replaced by the first one."""
        if self._report is None or self.troubles:
            return
        path = self._report / "results.jsonl"
        with self._telling(path, GROWN):
            if self._writer is None:
                from pytest_hdp.report.jsonl import LineWriter

                self._writer = LineWriter(path)
                record = {**record, "made": self._made}
            self._writer.write(record)

    def finish(
        self,
        records: Sequence[dict[str, Any]],
        *,
        packets: Packets | None = None,
        tests: Mapping[str, str] | None = None,
        latency: Sequence[LatencyResult] = (),
        unmeasured: Sequence[str] = (),
    ) -> None:
        """Write everything whole, from one record of each train, and what the latency experiments found.

        `packets`: for the capture, which is not written where nothing was measured; `tests`: node ids by `train_key`;
        `unmeasured`: a line for each path that could not be measured. Where that is all, the files say so: an earlier
        run's would be taken for this one's.
        """
        if self._writer is not None:
            self._writer.close()
        made = {**self._made, UNMEASURED: "\n".join(unmeasured)} if unmeasured else self._made
        if self._report is not None and (records or unmeasured):
            from pytest_hdp.report.files import remove, write_whole
            from pytest_hdp.report.jsonl import write_lines
            from pytest_hdp.report.markdown import markdown
            from pytest_hdp.report.page.document import page
            from pytest_hdp.report.page.latency import histograms

            command, system = self._made.get("command"), self._made.get("system")
            if not latency:
                with self._telling(self._report / LATENCY) as path:
                    remove(path)  # an earlier run's, of which all else is replaced too
            with self._telling(self._report / "results.jsonl", GROWN) as path:
                write_lines(path, [*({**first, "made": made} for first in records[:1]), *records[1:]])
            with self._telling(self._report / "results.md") as path:
                write_whole(path, markdown(records, command=command, system=system, unmeasured=unmeasured))
            with self._telling(self._report / "report.html") as path:
                write_whole(path, page(records, [made], histograms=histograms(latency)))
        if self._record is not None and records:
            with self._telling(self._record) as path:
                _write_profile(path, records)
        if packets is not None and (packets.kept or records) and self._report is not None:
            self._write_capture(self._report / CAPTURE, records, packets, tests or {})
        elif unmeasured and self._report is not None:
            (self._report / CAPTURE).unlink(missing_ok=True)

    def _write_capture(
        self,
        path: Path,
        records: Sequence[dict[str, Any]],
        packets: Packets,
        tests: Mapping[str, str],
    ) -> None:
        from pytest_hdp.report.capture import capture, train_key
        from pytest_hdp.report.files import write_whole

        verdicts = {train_key(record): str(record["verdict"]) for record in records}
        with self._telling(path):
            made = {name: self._made.get(name, "") for name in ("command", "system")}
            write_whole(path, capture(packets, verdicts, tests, **made))

    @contextmanager
    def _telling(self, path: Path, what: str = "was not written") -> Iterator[Path]:
        try:
            yield path
        except OSError as error:
            known = any(trouble.startswith(f"{safe(path)} ") for trouble in self.troubles)
            if not known:
                self.troubles.append(f"{safe(path)} {what}: {error.strerror or error}")


def _write_profile(path: Path, records: Sequence[dict[str, Any]]) -> None:
    from pytest_hdp.judge.expectations.assess import record
    from pytest_hdp.judge.record import from_record
    from pytest_hdp.report.files import write_whole

    write_whole(path, record(list(map(from_record, records))))
