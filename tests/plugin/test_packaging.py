"""The built wheel, installed somewhere else: plugin, suites, command."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(TOP)], check=True, timeout=300)
    (wheel,) = folder.glob("pytest_hdp-*.whl")
    venv.create(folder / "venv", with_pip=False)
    target = [*pip, "--python", str(folder / "venv" / "bin" / "python"), "install", "--no-compile", "--no-deps"]
    subprocess.run([*target, str(wheel)], check=True, timeout=300)
    (own,) = (folder / "venv").glob("lib/python*/site-packages")
    # what it depends on is where these tests have it; of that folder's own ".pth", the checkout's, none is read
    (own / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    shutil.copy(Path(sys.executable).with_name("pytest"), folder / "venv" / "bin" / "pytest")
    program = folder / "venv" / "bin" / "pytest"
    program.write_text(program.read_text().replace(sys.executable, str(folder / "venv" / "bin" / "python")))
    where = run(folder / "venv" / "bin" / "python", "-c", "import pytest_hdp; print(pytest_hdp.__file__)", cwd=folder)
    assert where.stdout.startswith(str(own)), where.stdout + where.stderr
    return folder / "venv" / "bin"


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.night
def test_suites_come_with_the_wheel(installed, tmp_path):
    done = run(installed / "pytest", "--pyargs", "pytest_hdp.suites.loopback.test_sweep", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 xfailed" in done.stdout


@pytest.mark.night
def test_plugin_is_there_without_being_asked_for(installed, tmp_path):
    (tmp_path / "test_mine.py").write_text("def test_moo(hdp_path): assert hdp_path.probe(253).verdict == 'delivered'")
    assert "1 passed" in run(installed / "pytest", cwd=tmp_path).stdout


@pytest.mark.night
def test_command_is_there(installed, tmp_path):
    assert run(installed / "hdp", "--version", cwd=tmp_path).stdout.startswith("pytest-hdp ")
    told = run(installed / "hdp", "wireshark", cwd=tmp_path).stdout
    assert Path(told.splitlines()[0].split(":  ")[1]).is_file()


@pytest.mark.night
def test_nothing_heavy_is_imported_until_needed(installed, tmp_path):
    heavy = ("scapy", "pyroute2", "execnet.gateway", "rich", "jsonschema", "pytest_hdp.measure", "pytest_hdp.lab")
    code = f"import sys, pytest_hdp.plugin; print([name for name in {heavy!r} if name in sys.modules])"
    assert run(installed / "python", "-c", code, cwd=tmp_path).stdout.strip() == "[]"
