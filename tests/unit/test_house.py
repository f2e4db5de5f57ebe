"""The rooms of the house: who may import whom, read from the source, not from a run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

import pytest_hdp

PACKAGE = Path(pytest_hdp.__file__).parent
ROOMS = ["untrusted", "packet", "judge", "vantage", "lab", "measure", "report", "plugin", "cli"]
"""In the order in which data flows: a room imports only rooms before it."""

CHAMBERS = {
    "judge": ["expectations", "latency"],
    "measure": ["ledger", "path", "control", "location", "schedule", "experiments", "latency", "campaign"],
    "vantage": ["netns", "remote"],
    "report": ["page"],
}
"""Rooms within rooms, in the same order. What lies loose in a room belongs to no chamber: all of them may import it."""

AT_THE_TOP = {"__init__.py", "strategies.py"}
"""All that lies in no room: the version, and what users' own tests import."""

OF_PYTEST = "plugin"
"""The only room that imports pytest; what users load, the command `hdp` among it, must work without."""

PURE = {"untrusted", "packet", "judge"}
IMPURE = {"socket", "time", "select", "selectors", "asyncio", "threading", "subprocess", "pytest", "random"}
LAZY = {"scapy", "pyroute2", "execnet", "rich", "hypothesis", "xdist"}
"""Slow to import or not everywhere: only within functions, or in a module that exists for nothing else."""

OWN_MODULE = {"scapy": "scapy", "hypothesis": "strategies"}
"""What may be imported at the top of a module whose name says so."""

FOREIGN = {"_SubParsersAction", "_tmp_path_factory", "_tw", "_file", "_active_nodes", "_exit", "_esctable"}
"""Private names of argparse, pytest, xdist and os, for which these have no public ones."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "suites" not in path.relative_to(PACKAGE).parts)
TESTS = PACKAGE.parent / "tests"
OF_TESTS = sorted(TESTS.rglob("*.py"))

ARCHITECTURE = (PACKAGE.parent / "docs/architecture.md").read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str | None:
    first = path.relative_to(PACKAGE).parts[0]
    return first if first in ROOMS else None


def chamber_of(path: Path) -> str | None:
    parts = path.relative_to(PACKAGE).parts
    return parts[1] if len(parts) > 2 else None


def imported(tree: ast.AST) -> set[str]:
    """Return the dotted names of all modules imported in a tree; `from a import b` counts as a and as a.b."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def at_top(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield what runs when a module is imported: no function bodies, nothing under `if TYPE_CHECKING`."""
    todo: list[ast.stmt] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        yield node
        todo += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def imported_at_top(tree: ast.Module) -> set[str]:
    """Return the first names of what is imported when the module is."""
    plain = [node for node in at_top(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name.split(".")[0] for node in plain for name in imported(node)}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def each_of(paths: Iterable[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make one test of a rule about a module: it holds each of them against the rule, and names all that break it."""

    def decorate(rule: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            broken = []
            for path in paths:
                try:
                    rule(path)
                except AssertionError as error:
                    broken.append(f"{path.relative_to(PACKAGE.parent)}: {error}")
            assert not broken, "\n".join(broken)

        test.__doc__ = rule.__doc__
        return test

    return decorate


@each_of(MODULES)
def test_a_room_imports_only_rooms_above_it(module: Path) -> None:
    room = room_of(module)
    seen = ROOMS[: ROOMS.index(room if room is not None else "packet") + 1]
    allowed = {*seen, "__version__"}
    inside = {name.split(".")[1] for name in imported(parsed(module)) if name.startswith("pytest_hdp.")}
    assert inside <= allowed


def test_no_module_imports_one_that_imports_it():
    """Not for its types, nor within a function, nor around three corners either."""
    dotted = {".".join(("pytest_hdp", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in MODULES}
    graph = {name: (imported(parsed(path)) & dotted.keys()) - {name} for name, path in dotted.items()}
    while leaves := {name for name, needs in graph.items() if not needs}:
        graph = {name: needs - leaves for name, needs in graph.items() if name not in leaves}
    assert not graph, "these import each other, or what does"


@each_of(MODULES)
def test_a_chamber_imports_only_chambers_before_it(module: Path) -> None:
    room, chamber = room_of(module), chamber_of(module)
    order = CHAMBERS.get(room or "", [])
    later = order[order.index(chamber) + 1 :] if chamber in order else []
    assert chamber is None or chamber in order
    inside = {tuple(name.split(".")[1:3]) for name in imported(parsed(module)) if name.startswith("pytest_hdp.")}
    assert not {(room, each) for each in later} & inside


def test_nothing_lies_loose_at_the_top():
    assert {path.name for path in PACKAGE.glob("*.py")} == AT_THE_TOP


@each_of(MODULES)
def test_one_room_imports_pytest(module: Path) -> None:
    if room_of(module) != OF_PYTEST:
        assert not {name.split(".")[0] for name in imported(parsed(module))} & {"pytest", "_pytest", "pluggy"}


@each_of(MODULES)
def test_packet_and_judge_do_no_input_or_output(module: Path) -> None:
    if room_of(module) not in PURE:
        return
    tree = parsed(module)
    assert not {name.split(".")[0] for name in imported(tree)} & IMPURE
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & {"now", "utcnow", "today"}


@each_of(MODULES)
def test_what_is_slow_to_import_is_imported_when_needed(module: Path) -> None:
    own = {name for name, stem in OWN_MODULE.items() if stem in module.stem}
    assert not imported_at_top(parsed(module)) & (LAZY - own)


@each_of(MODULES)
def test_a_module_can_be_read_in_one_sitting(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").count("\n")
    assert lines <= 300


@each_of(OF_TESTS)
def test_a_module_of_tests_has_one_subject(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").count("\n")
    assert lines <= 400


@each_of(sorted((PACKAGE / "measure").rglob("*.py")))
def test_a_measurement_has_no_time_of_its_own(module: Path) -> None:
    """It asks its path's clock, and waits by that: so that a simulated world can have a time of its own."""
    tree = parsed(module)
    assert not {name.split(".")[0] for name in imported(tree)} & {"time", "selectors", "threading", "asyncio"}
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"select.epoll", "select.poll", "select.select"}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def defined(cls: ast.ClassDef) -> set[str]:
    """Return the names that a class's body defines, and those that its methods give to `self` or `cls`."""
    names: set[str] = set()
    for node in ast.walk(cls):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names |= {node.attr} if ast.unparse(node.value) in {"self", "cls"} else set()
    return names


def borrowed(tree: ast.Module) -> set[str]:
    """Return the private names of other classes and modules that a module uses; those of a base class are others'."""
    classes = [(node, defined(node)) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names if private(alias.name)}
        elif isinstance(node, ast.Attribute) and private(node.attr):
            within = [names for each, names in classes if each.lineno <= node.lineno <= (each.end_lineno or 0)]
            found |= {node.attr} if not any(node.attr in names for names in within) else set()
    return found


@each_of(MODULES)
def test_no_private_name_is_used_outside_its_class(module: Path) -> None:
    assert not borrowed(parsed(module)) - FOREIGN


@each_of(OF_TESTS)
def test_no_test_uses_a_private_name(module: Path) -> None:
    """What a test needs is public, so that what is private can change."""
    assert not borrowed(parsed(module)) - FOREIGN


def test_the_rule_of_private_names_sees_what_it_should():
    tree = ast.parse(
        "from a import _b, c\nclass D(E):\n    _f = 1\n    def _g(self):\n        self._h = self._f + d._g()\n"
        "        return self._of_base(c._i)\n"
    )
    assert borrowed(tree) == {"_b", "_of_base", "_i"}


def grouping(tree: ast.AST) -> list[int]:
    """Return the lines at which things are grouped by hand: `groups.setdefault(key, []).append(thing)`."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [each.lineno for each in calls if re.search(r"\.setdefault\(.*\[\]\)\.append$", ast.unparse(each.func))]


@each_of([path for path in MODULES if room_of(path) in {"report", "cli"}])
def test_what_people_read_is_grouped_in_one_way(module: Path) -> None:
    """By `judge/alike.py`, so that a table, a picture and a sentence never disagree about what belongs together."""
    assert not grouping(parsed(module))


def test_the_rule_of_grouping_sees_what_it_should():
    assert grouping(ast.parse("a = {}\na.setdefault(b, []).append(c)\nd.append(c)")) == [2]


def test_importing_the_plugin_imports_nothing_slow():
    program = "import sys, pytest_hdp.plugin; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & LAZY


def test_the_rule_sees_what_it_should():
    tree = ast.parse(
        "import a.b\nfrom c import d\nif TYPE_CHECKING:\n    import e\nelse:\n    import f\n"
        "try:\n    import g\nexcept ImportError:\n    import h\ndef run():\n    import i\n"
    )
    assert imported(tree) == {"a.b", "c", "c.d", "e", "f", "g", "h", "i"}
    assert imported_at_top(tree) == {"a", "c", "f", "g"}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+\.py)`", ARCHITECTURE))))
def test_a_file_that_the_page_of_the_house_names_is_there(name: str):
    folders = (PACKAGE.parent, PACKAGE, PACKAGE / "measure", PACKAGE / "packet")
    assert any((folder / name).is_file() for folder in folders)


def test_the_page_of_the_house_names_all_rooms_in_their_order():
    assert re.findall(r"^\| `pytest_hdp/(\w+)` \|", ARCHITECTURE, re.MULTILINE) == [*ROOMS, "suites"]
    assert re.findall(r"^\| `(\w+)/` \|", ARCHITECTURE, re.MULTILINE) == CHAMBERS["measure"]
