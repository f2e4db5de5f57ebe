"""The room's own rule: bytes, no I/O."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_hdp.packet

ROOM = Path(pytest_hdp.packet.__file__).parent
FORBIDDEN = {"socket", "time", "datetime", "pytest", "os", "select", "subprocess", "pyroute2", "rich", "execnet"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_a_module_imports_no_socket_clock_or_pytest_and_no_room_below(path: Path) -> None:
    names = imported(path)
    forbidden = FORBIDDEN if path.stem == "scapy_layer" else FORBIDDEN | {"scapy", "hypothesis"}
    assert not {name.split(".")[0] for name in names} & forbidden
    ours = {name for name in names if name.startswith("pytest_hdp")}
    assert all(name.startswith("pytest_hdp.packet") for name in ours)


def test_importing_the_room_is_cheap() -> None:
    code = (
        "import sys; import pytest_hdp.packet.carrier, pytest_hdp.packet.numbers, pytest_hdp.packet.tag\n"
        "heavy = {'scapy', 'hypothesis', 'pytest', 'socket', 'difflib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-S", "-c", code], check=True, timeout=60, cwd=ROOM.parent.parent)
