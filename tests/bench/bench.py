"""How long it takes: prints Markdown tables of medians and ratios. Not a test: nothing here fails by the clock.

    python tests/bench/bench.py                      # everything but nmap in the lab: about three minutes
    python tests/bench/bench.py --only sweep build   # some of it: sweep, loopback, start, lab, build
    python tests/bench/bench.py --nmap-lab           # nmap through home-nat too: four to five minutes more
    python tests/bench/bench.py --old ../before      # another checkout against this one, command by command

Packets go to loopback, and to hosts inside network namespaces of its own. What is compared is run in turn, so that
whatever else the machine does falls on all alike, and a ratio is the median of the ratios within each turn.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

NUMBERS = range(-1, 264)
LABS = {"home-nat": "3 s", "allowlist": "3 s", "home-nat-loss-5": "5 s"}
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
NMAP = ["nmap", "-sO", "-n", "-Pn", "-p", "0-255"]
SILENT = frozenset({1, 2, 6, 17, 103, 136})
"""Numbers to which a Linux host without a listener sends no "protocol unreachable"."""

COMPILED = tempfile.TemporaryDirectory(prefix="hdp-bench-")
"""Where Python keeps what it has compiled, whatever it may write to elsewhere: the first run of each fills it."""

EMPTY = "import pytest\n\n@pytest.mark.parametrize('number', range({count}))\ndef test_nothing(number):\n    pass\n"
IMPORTING = """import sys, time
import pytest, _pytest.terminal, _pytest.runner
started = time.perf_counter()
import pytest_hdp.plugin
print(time.perf_counter() - started)"""


@dataclass
class Timings:
    """One row: seconds on the wall and of processor time, run by run. `reach`: what the median should be below."""

    what: str
    command: str = ""
    reach: str = ""
    against: Timings | None = None
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def lap(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)

    def process(self, argv: Sequence[str], cwd: Path = CHECKOUT, checkout: Path = CHECKOUT) -> str:
        """Run a program to its end, its processor time and that of all it waited for counted. Returns what it said.

        `checkout`: whose plugin it loads.
        """
        environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONPYCACHEPREFIX": COMPILED.name}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        running = subprocess.Popen(
            argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        printed = running.stdout.read().decode(errors="replace") if running.stdout else ""
        _, status, usage = os.wait4(running.pid, 0)
        self.wall.append(time.perf_counter() - started)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            raise SystemExit(f"{shlex.join(argv)} ended with {running.returncode}:\n{printed}")
        return printed

    def forget_first(self) -> None:
        """The first run filled the caches."""
        del self.wall[0], self.cpu[0]

    def cells(self) -> list[str]:
        return [
            self.what,
            said(statistics.median(self.wall)),
            f"{said(min(self.wall))} to {said(max(self.wall))}",
            said(statistics.median(self.cpu)),
            str(len(self.wall)),
            self._ratio(),
            self.reach,
            f"`{self.command}`" if self.command else "",
        ]

    def _ratio(self) -> str:
        if self.against is None:
            return ""
        ratios = [mine / other for mine, other in zip(self.wall, self.against.wall, strict=False)]
        return f"{statistics.median(ratios):.3g} x {self.against.what}"


def said(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else f"{seconds:.2f} s"


def table(title: str, rows: Iterable[Timings]) -> str:
    heads = ("what", "median", "min to max", "processor time", "n", "ratio", "to reach", "command")
    lines = [heads, ("---",) * len(heads), *(row.cells() for row in rows if row.wall)]
    return "\n".join([f"### {title}", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def sweep(options: argparse.Namespace) -> list[Timings]:
    """The sweep without pytest"""
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.verdict import Verdict
    from pytest_hdp.measure import plan
    from pytest_hdp.measure.campaign import path_specs
    from pytest_hdp.measure.schedule.engine import Measurement

    asked = plan.Plan(tuple(map(Train, NUMBERS)), plan.LOOPBACK)
    path_spec = path_specs.loopback(asked, None, buffer=None, expect_default=True)
    opening, closing = Timings("open the path"), Timings("close all sockets")
    measuring = Timings(f"measure {len(NUMBERS)} trains in 3 rounds and judge them", "Measurement.run()", "50 ms")
    for _ in range(1 + 5 * options.runs):
        context = path_spec.open()
        with opening.lap():
            path = context.__enter__()
        with measuring.lap():
            found = Measurement(path, asked).run()
        with closing.lap():
            context.__exit__(None, None, None)
        delivered = sum(judgement.verdict is Verdict.DELIVERED for judgement in found.values())
        if delivered != 255:
            raise SystemExit(f"{delivered} of 255 numbers were delivered on loopback: what is in the way?")
    rows = [opening, measuring, closing]
    for row in rows:
        row.forget_first()
    return rows


def loopback(options: argparse.Namespace) -> list[Timings]:
    """The loopback sweep as a whole process"""
    arguments = ["suites/loopback/test_sweep.py"]
    empty = Timings(f"{len(NUMBERS)} empty tests", "pytest test_nothing.py")
    nmap = Timings("nmap", shlex.join([*NMAP, "127.0.0.1"]))
    ours = Timings("the sweep", f"pytest {arguments[0]}", "1 x nmap", nmap)
    beside = Timings("the sweep", against=empty)
    both = Timings(
        "the sweep by IPv4 and IPv6", f"pytest {arguments[0]} --hdp-ip-version=both", "1.8 x by one", against=ours
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text(EMPTY.format(count=len(NUMBERS)))
        for _ in range(1 + options.runs):
            ours.process([*PYTEST, *arguments])
            both.process([*PYTEST, *arguments, "--hdp-ip-version=both"])
            empty.process([*PYTEST, "-p", "no:hdp", "test_nothing.py"], Path(folder))
            if shutil.which("nmap"):
                nmap.process([*NMAP, "127.0.0.1"])
    rows = [ours, empty, both, *([nmap] if nmap.wall else [])]
    for row in rows:
        row.forget_first()
    if not nmap.wall:
        ours.against = None
    beside.wall, beside.cpu = ours.wall, ours.cpu
    return [ours, beside, *rows[1:]]


def start(options: argparse.Namespace) -> list[Timings]:
    """What the plugin costs a pytest that does not use it"""
    entry_points = importlib.metadata.entry_points(group="pytest11", name="hdp")
    load = [] if entry_points else ["-p", "pytest_hdp.plugin"]
    without = Timings("one empty test without the plugin", "pytest -p no:hdp test_nothing.py")
    loaded = Timings("one empty test with the plugin", "pytest test_nothing.py", against=without)
    importing = Timings("import pytest_hdp.plugin, after pytest", "import pytest_hdp.plugin", "50 ms")
    added = Timings("what the plugin adds to it, turn by turn", reach="50 ms of processor time")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text(EMPTY.format(count=1))
        for _ in range(1 + 4 * options.runs):
            without.process([*PYTEST, "-p", "no:hdp", "test_nothing.py"], Path(folder))
            loaded.process([*PYTEST, *load, "test_nothing.py"], Path(folder))
            importing.wall[-1:] = [float(importing.process([sys.executable, "-c", IMPORTING]).splitlines()[-1])]
    for row in (without, loaded, importing):
        row.forget_first()
    importing.cpu = importing.wall
    added.wall = [with_it - alone for with_it, alone in zip(loaded.wall, without.wall, strict=True)]
    added.cpu = [with_it - alone for with_it, alone in zip(loaded.cpu, without.cpu, strict=True)]
    return [importing, added, loaded, without]


def lab(options: argparse.Namespace) -> list[Timings]:
    """A sweep through a lab, 256 numbers both ways in 5 rounds, as a whole process"""
    rows = []
    for name, reach in LABS.items():
        arguments = ["suites/internet/test_sweep.py", f"--hdp-lab={name}"]
        rows.append((Timings(name, shlex.join(["pytest", *arguments]), reach), arguments))
    for _ in range(1 + options.runs):
        for row, arguments in rows:
            row.process([*PYTEST, *arguments])
    for row, _ in rows:
        row.forget_first()
    found = [row for row, _ in rows]
    if options.nmap_lab and shutil.which("nmap"):
        found.append(nmap_in_lab(found[0]))
    return found


def nmap_in_lab(ours: Timings) -> Timings:
    """One scan of the same path from the same client; its wrong answers are counted against the lab's truth."""
    row = Timings("nmap", shlex.join(["hdp", "lab", "run", "home-nat", "--", *NMAP, "198.51.100.2"]))
    printed = row.process([sys.executable, "-m", "pytest_hdp.cli", *shlex.split(row.command)[1:]])
    answers = dict.fromkeys(range(256), "")
    ignored = re.search(r"Not shown: \d+ (\S+) protocols", printed)
    if ignored:
        answers = dict.fromkeys(range(256), ignored.group(1))
    answers |= {int(number): state for number, state in re.findall(r"(?m)^(\d+)\s+(\S+)", printed)}
    wrong = [number for number, state in answers.items() if number and state not in right_answers(number)]
    row.what = f"nmap ({len(wrong)} of 255 wrong)"
    ours.reach += f", {statistics.median(row.wall) / statistics.median(ours.wall):.0f} times faster than nmap"
    return row


def right_answers(number: int) -> set[str]:
    """What nmap may say of a number in home-nat: the target refuses what reaches it, but for a few numbers."""
    from pytest_hdp.judge.verdict import BOTH_FORMS, Direction, Verdict
    from pytest_hdp.lab.catalogue import make

    right: set[str] = set()
    for form in BOTH_FORMS:  # which of the two nmap sends depends on the number and on its version
        truth = make("home-nat").expected(number, Direction.FORWARD, form)
        if truth.verdict is not Verdict.DELIVERED:
            right |= {"open|filtered", "filtered"}
        elif number in SILENT:
            right |= {"open", "open|filtered"}
        else:
            right.add("closed")
    return right


def build(options: argparse.Namespace) -> list[Timings]:
    """Labs built and taken down"""
    from pytest_hdp.lab.catalogue import make
    from pytest_hdp.lab.topology import Lab

    rows = []
    for name in LABS:
        up, down = Timings(f"{name}, built"), Timings(f"{name}, taken down")
        both = Timings(f"{name}, both", f"with Lab(make({name!r})): pass", "500 ms")
        for _ in range(1 + options.runs):
            standing = Lab(make(name))
            with both.lap():
                with up.lap():
                    standing.__enter__()
                with down.lap():
                    standing.close()
        for row in (up, down, both):
            row.forget_first()
            rows.append(row)
    return rows


PARTS = (sweep, loopback, start, lab, build)
AS_LONG = 1.05
"""How many times as long as before a command may take, at an equal count of rounds."""


def before(options: argparse.Namespace) -> list[Timings]:
    """An older checkout and this one, in turn"""
    sweeping = "suites/internet/test_sweep.py"
    commands = {
        "loopback": ["suites/loopback"],
        "the loopback sweep alone": ["suites/loopback/test_sweep.py"],
        **{f"{name}, 5 rounds": [sweeping, f"--hdp-lab={name}", "--hdp-count=5"] for name in LABS},
    }
    rows = []
    for what, arguments in commands.items():
        now = Timings(what, shlex.join(["pytest", *arguments]), f"{AS_LONG} x before", Timings("before"))
        for _ in range(1 + options.runs):
            for row, checkout in ((now.against, options.old), (now, CHECKOUT)):
                assert row is not None
                row.process([*PYTEST, *arguments], checkout, checkout)
        for row in (now, now.against):
            assert row is not None
            row.forget_first()
            rows.append(row)
    return rows


def main() -> None:
    names = [part.__name__ for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PART", help=", ".join(names))
    parser.add_argument(
        "--runs", type=int, default=7, help="of whole processes (default 7); quick ones are run oftener"
    )
    parser.add_argument("--nmap-lab", action="store_true", help="nmap through home-nat too, once: 200 to 280 s")
    parser.add_argument("--old", type=Path, metavar="CHECKOUT", help="compare it with this one, and nothing else")
    options = parser.parse_args()
    options.old = options.old and options.old.resolve()
    versions = f"{platform.python_implementation()} {platform.python_version()}"
    pytests = f"pytest {importlib.metadata.version('pytest')}"
    load = os.getloadavg()[0]
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, {versions}, {pytests}, load {load:.1f}\n")
    for part in PARTS if options.old is None else (before,):
        if part is before or part.__name__ in options.only:
            print(table((part.__doc__ or "").strip(), part(options)), flush=True)


if __name__ == "__main__":
    main()
