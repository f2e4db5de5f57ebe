"""All that one test run measures: for each path the trains that its tests want, measured at the first one's asking."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.expectations.assess import assess
from pytest_hdp.judge.record import from_record, to_record
from pytest_hdp.judge.result import PathInfo, Result, Tool
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.measure.campaign.measured_once import measured_once
from pytest_hdp.measure.campaign.spec import PathSpec
from pytest_hdp.measure.latency.of_train import train_latency
from pytest_hdp.measure.path.endpoints import PathUnavailable
from pytest_hdp.measure.path.traffic import LINGERS, Traffic, lingering
from pytest_hdp.measure.plan import Plan
from pytest_hdp.measure.schedule.engine import Measurement, rounds_for
from pytest_hdp.measure.schedule.side_by_side import go_on_while, settle_beside
from pytest_hdp.packet.family import family_of
from pytest_hdp.packet.registry import lookup
from pytest_hdp.untrusted.marks import WrongValueError
from pytest_hdp.vantage.points import VantageError

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement
    from pytest_hdp.measure.path.capture import Capture
    from pytest_hdp.measure.path.confirmed import Confirmed
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.progress import OnProgress


@dataclass(slots=True)
class Campaign:
    """Measures each path once, and those of a group in `together` side by side, when the first of them is asked for.

    `share`: a folder that the processes of one test run share, None for a single one, or for one of several vantage
    points, which measures by itself; `vantage` is its name. `on_progress`: told how far a measurement got.
    `path_users`: for each path the tests to come that send over it themselves. `read`: those whose results tests want.
    `capture`: keeps the packets of every path, if anything does. `earlier`: for a path, how many seconds ago a run over
    it ended, where one is known of. `on_open`: told of each that was opened; `on_close`: when nothing more is sent.
    """

    share: Path | None = None
    vantage: str | None = None
    together: tuple[frozenset[str], ...] = ()
    run: str = ""
    on_progress: OnProgress | None = None
    specs: dict[str, PathSpec] = field(default_factory=dict)
    wanted: dict[str, set[Train]] = field(default_factory=dict)
    path_users: Counter[str] = field(default_factory=Counter)
    read: set[str] = field(default_factory=set)
    capture: Capture | None = None
    earlier: dict[str, float] = field(default_factory=dict)
    on_open: Callable[[str], None] | None = None
    on_close: Callable[[], None] | None = None
    _open: dict[str, OpenPath] = field(default_factory=dict)
    _names: dict[str, PathInfo] = field(default_factory=dict)
    _unavailable: dict[str, str] = field(default_factory=dict)
    _measurements: dict[str, Measurement] = field(default_factory=dict)
    _shared: dict[str, dict[Train, Result]] = field(default_factory=dict)
    _closers: dict[str, ExitStack] = field(default_factory=dict)
    _confirmed: dict[str, Confirmed] = field(default_factory=dict)
    _traffic: dict[tuple[str, str], Traffic] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    def want(self, key: str, train: Train) -> None:
        """Say before the first measurement that a train will be asked for."""
        self.wanted.setdefault(key, set()).add(train)

    def path(self, key: str) -> OpenPath:
        """Open a path, if it is not; it stays open until nobody needs it any more. Raises PathUnavailable."""
        if key in self._unavailable:
            raise PathUnavailable(self._unavailable[key])
        if key not in self._open:
            closer = ExitStack()
            try:
                self._open[key] = closer.enter_context(self.specs[key].open())
            except (PathUnavailable, VantageError) as error:
                self._unavailable[key] = str(error)
                raise PathUnavailable(str(error)) from None
            self._closers[key] = closer
            self._count_on(key, self._open[key])
            if self.on_open is not None:
                self.on_open(key)
            if self.capture is not None:
                self.capture.watch(self._open[key])
            self._names[key] = self._open[key].name
        return self._open[key]

    def name(self, key: str) -> PathInfo:
        """What a path is called in its results: with the addresses found, once it was opened."""
        return replace(self._names.get(key, self.specs[key].name), vantage=self.vantage)

    def tidy(self, key: str) -> None:
        """Close a path unless somebody may need it; once it is measured, what takes most files: a socket per number."""
        if self.capture is not None and self.capture.spool is not None:
            self.capture.flush()
        measured = key in self._shared or (key in self._measurements and self._measurements[key].done)
        if key in self._open and not self.path_users[key] and (measured or not self.wanted.get(key)):
            del self._open[key]
            self._closers.pop(key).close()
        if key in self._open and key in self._measurements and self._measurements[key].over:
            self._open[key].close_numbers()

    def known(self) -> list[Result]:
        """End every measurement early. Returns what is known by now, also what another process has measured."""
        return [*(result for found in self._shared.values() for result in found.values()), *self.stop()]

    def stop(self) -> list[Result]:
        """End every measurement early, and all at far hosts. Returns what is known by now, but for the inconclusive."""
        for path in self._open.values():
            path.leave_far_hosts()  # first, for to judge takes seconds
        known = [(key, each) for key, measured in self._measurements.items() for each in measured.stop().values()]
        return [self.conclude(key, each) for key, each in known if each.verdict is not Verdict.INCONCLUSIVE]

    def result(self, key: str, train: Train) -> Result:
        """The settled result of one train, measuring all that is wanted on its path if nobody has yet."""
        self.want(key, train)
        if key not in self._begun:
            self._begun.add(key)
            for before in self.specs[key].after:
                self.measure_first(before)
        if self.share is None:
            return self.conclude(key, self._settle(key, train))
        if train not in self._shared.get(key, {}) and key not in self._unavailable:
            self._take_measured_by_anyone(self.share, key)
        if key in self._unavailable:
            raise PathUnavailable(self._unavailable[key])
        return self._shared[key][train]

    def conclude(self, key: str, judgement: Judgement) -> Result:
        """A judgement as a result: when, where, and against what was expected."""
        spec = self.specs[key]
        judgement = spec.revise(judgement, self.name(key).source, lambda train: self.settled(spec.after[0], train))
        train = judgement.train
        expectation = spec.expect(train, judgement.verdict)
        outcome, _ = assess(judgement, expectation)
        stated = expectation if expectation is not None and expectation.stated else None
        expected = stated.verdict if stated is not None else None
        if expectation is not None and judgement.verdict in expectation.also and expectation.matches(judgement):
            expected = judgement.verdict
        told = self.lingers(key) if judgement.sent else None
        if told is not None and told not in judgement.explanation:
            judgement = replace(judgement, explanation=f"{judgement.explanation.rstrip('.')}; {told}.")
        return Result(
            run=self.run,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            path=self.name(key),
            ip_version=family_of(spec.name.target).version,
            keyword=lookup(train.protocol).keyword,
            judgement=judgement,
            expected=expected,
            outcome=outcome,
            latency_us=train_latency(self._measurements.get(key), train),
            expected_errno=stated.errno if stated is not None else None,
            expected_wire_protocol=stated.wire_protocol if stated is not None else None,
            earlier_run=self.earlier.get(key),
            tool=Tool(),
        )

    def message(self, key: str, result: Result) -> str:
        """What to tell of a result: why it was expected, or what was expected instead, or the explanation alone."""
        _, message = assess(result.judgement, self.specs[key].expect(result.judgement.train, result.verdict))
        return message or result.judgement.explanation

    def measure_first(self, key: str) -> None:
        """Measure all that is wanted on a path, if nobody has: an experiment that leaves states comes after it."""
        for train in sorted(self.wanted.get(key, ())) if key in self.read else ():
            with suppress(PathUnavailable):
                self.result(key, train)

    def lingers(self, key: str) -> str | None:
        """What to say of a run over a path whose states may still be there; None: there was none."""
        earlier = self.earlier.get(key)
        return lingering(earlier) if earlier is not None and earlier < LINGERS else None

    def settled(self, key: str, train: Train) -> Judgement | None:
        """What the measurement that tests read found of a train, if they read it."""
        return self.result(key, train).judgement if key in self.read and train in self.wanted.get(key, ()) else None

    def probe(self, key: str, plan: Plan) -> tuple[Measurement, Judgement]:
        """Measure one train by itself, now, over the path's open path."""
        path = self.path(key)
        measuring = Measurement(path, plan, strategy=rounds_for(path))  # as many as asked for, watched or not
        return measuring, measuring.judge_until_settled(plan.trains[0])

    def close(self) -> None:
        """Close every path that was opened."""
        if self.on_close is not None:
            self.on_close()
        self._open.clear()
        with ExitStack() as stack:
            for closer in self._closers.values():
                stack.push(closer)
            self._closers.clear()

    def _count_on(self, key: str, path: OpenPath) -> None:
        """A path opened once more has of what may go to an unconfirmed address what is left, and its past traffic."""
        if key in self._confirmed:
            path.confirmed = self._confirmed[key]
            path.confirmed.renew(path.own)
        self._confirmed[key] = path.confirmed
        if path.lab is None:  # a lab is built anew
            path.traffic = self._traffic.setdefault((path.name.source, path.name.target), path.traffic)

    def _measurement(self, key: str) -> Measurement:
        if key not in self._measurements:
            plan = replace(self._plan(key), earlier=self.earlier.get(key))
            self._measurements[key] = Measurement(self.path(key), plan, self.on_progress)
        return self._measurements[key]

    def _plan(self, key: str) -> Plan:
        return replace(self.specs[key].plan, trains=tuple(sorted(self.wanted[key])))

    def _measured_together(self, key: str) -> list[str]:
        """The paths that are measured side by side with this one, and this one, in a fixed order."""
        return sorted(next((group for group in self.together if key in group), {key}))

    def _settle(self, key: str, train: Train) -> Judgement:
        pending = self.specs[key].pending
        if pending():  # somebody there takes long to let us in: the others need not wait for that
            go_on_while(pending, self._going(self._measured_together(key)))
        if key not in self._measurements:
            self._end_others(key)
        measurement = self._measurement(key)
        return settle_beside(measurement, train, self._going(self._measured_together(key)))

    def _end_others(self, key: str) -> None:
        """Measure to the end what is begun on other paths: while it goes on it has a socket for each number open."""
        begun = sorted((set(self._open) & set(self._measurements)) - set(self._measured_together(key)))
        go_on_while(lambda: True, [self._measurements[each] for each in begun])
        for each in begun:
            self.tidy(each)

    def _going(self, keys: Iterable[str]) -> Iterator[Measurement]:
        """The measurements of these paths, begun; a path that can't be had is told to who asks for it."""
        for key in keys:
            with suppress(PathUnavailable):
                if not self.specs[key].pending():
                    yield self._measurement(key)

    def _take_measured_by_anyone(self, share: Path, key: str) -> None:
        """Measure a path and those beside it, unless another process has: then take what that one found."""
        keys = self._measured_together(key)
        plans = [(each, self._plan(each)) for each in keys]
        digest = hashlib.blake2b(repr((self.run, plans)).encode(), digest_size=12).hexdigest()
        for line in measured_once(share, digest, lambda: [found for each in keys for found in self._measured(each)]):
            spec = line["path"]
            if "unavailable" in line:
                self._unavailable[spec] = line["unavailable"]
                continue
            try:
                result = from_record(line["record"])
            except WrongValueError as error:
                raise RuntimeError(f"the shared measurement in {share} can't be read: {error}") from None
            self._shared.setdefault(spec, {})[result.judgement.train] = result

    def _measured(self, key: str) -> Iterator[dict[str, Any]]:
        """Every result of a path as a line for the other processes; one line if its path can't be had."""
        try:
            for train in self._plan(key).trains:
                yield {"path": key, "record": to_record(self.conclude(key, self._settle(key, train)))}
        except PathUnavailable as error:
            yield {"path": key, "unavailable": str(error)}
