"""Caches that somebody else owns, or that nobody can write, end no run; root's own are given back under sudo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SWEEP = "def test_it(hdp_probe): hdp_probe.check()"
PROPERTY = "from hypothesis import given, strategies as st\n@given(st.integers())\ndef test_property(n): pass"
STRICT = "[pytest]\nfilterwarnings = error\n"
READ_ONLY = 'mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind "$PWD" && cd "$PWD" && exec "$@"'
CALLER = (65534, 65533)


@pytest.fixture
def run(project, monkeypatch):
    """Run pytest with its caches, as a user does, behind a command if any."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)

    def start(*arguments: str, before: tuple[str, ...] = (), cwd: Path | None = None):
        command = [*before, sys.executable, "-m", "pytest", *project.loaded, "--color=no", *arguments]
        folder = cwd or project.pytester.path
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)

    return start


@pytest.fixture
def read_only():
    """What makes the folder that a command starts in one that nobody, root included, may write."""
    before = ("unshare", "-rm", "sh", "-c", READ_ONLY, "sh")
    if subprocess.run([*before, "true"], cwd=TOP, capture_output=True, check=False).returncode:
        pytest.skip("privilege: no unshare -rm")
    return before


@pytest.mark.parametrize(("workers", "strict"), [((), "ini"), (("-n", "2"), "option")], ids=["serial", "2 workers"])
@pytest.mark.night("2 workers")
def test_a_folder_that_nobody_may_write(project, run, read_only, tmp_path_factory, workers, strict):
    project.write(test_mine=SWEEP)
    if strict == "ini":
        project.pytester.makeini(STRICT)
    report = tmp_path_factory.mktemp("report")
    few = "--hdp-protocols=0-20"
    done = run(few, f"--hdp-report={report}", *workers, *(["-Werror"] if strict == "option" else []), before=read_only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 passed, 1 xfailed" in done.stdout
    assert "20 delivered" in done.stdout
    assert done.stdout.count("PytestCacheWarning: could not create cache path") in (1, 2)  # failures, and names
    assert "Traceback" not in done.stdout + done.stderr
    assert {"results.jsonl", "results.md", "report.html", "capture.pcapng"} <= {each.name for each in report.iterdir()}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_the_suites_where_nobody_may_write(run, read_only, workers):
    done = run("suites/loopback/test_payload.py", "-k", "plain", *workers, before=read_only, cwd=TOP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert "HypothesisWarning" not in done.stdout


@pytest.mark.night
def test_the_suites_in_a_strict_project_where_nobody_may_write(project, run, read_only):
    project.pytester.makeini(STRICT)
    done = run("--pyargs", "pytest_hdp.suites.loopback.test_payload", "-k", "any_length and plain", before=read_only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.night
@pytest.mark.parametrize(
    ("hook", "status"), [("pytest_sessionfinish(session)", 1), ("pytest_runtest_logfinish(nodeid)", 3)]
)
def test_a_warning_in_another_plugin_loses_nothing(project, run, hook, status):
    project.write(test_mine=SWEEP)
    project.pytester.makeini(STRICT)
    project.pytester.makeconftest(f"import warnings\ndef {hook}: warnings.warn('broken')")
    done = run("--hdp-report=out", "--hdp-protocols=47")
    assert done.returncode == status
    assert "UserWarning: broken" in done.stdout + done.stderr
    assert "loopback, 127.0.0.1" in done.stdout
    assert "1 train: 1 delivered" in done.stdout
    assert (project.pytester.path / "out" / "results.md").exists()


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    entries = [folder, *folder.rglob("*")]
    return {str(each.relative_to(folder)): (each.lstat().st_uid, each.lstat().st_gid) for each in entries}


@pytest.fixture
def callers(project, monkeypatch):
    """A project that belongs to who calls sudo."""
    if os.geteuid():
        pytest.skip("privilege: not root")
    monkeypatch.setenv("SUDO_UID", str(CALLER[0]))
    monkeypatch.setenv("SUDO_GID", str(CALLER[1]))
    os.chown(project.pytester.path, *CALLER)
    return project


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night("2 workers")
def test_under_sudo_nothing_of_roots_is_left(callers, run, workers):
    callers.write(test_mine=SWEEP, test_property=PROPERTY, helper="X = 1")
    callers.pytester.makeconftest("import helper")
    for each in callers.pytester.path.iterdir():
        os.chown(each, *CALLER)
    done = run("--hdp-protocols=47", *workers)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    found = owners(callers.pytester.path)
    assert {".pytest_cache/v/cache/nodeids", ".hypothesis", "__pycache__"} <= set(found)
    assert any("helper" in name for name in found if name.endswith(".pyc"))
    assert {owner for name, owner in found.items()} == {CALLER}


@pytest.mark.night
def test_in_roots_own_folder_nothing_changes_hands(callers, run):
    os.chown(callers.pytester.path, 0, 0)
    callers.write(test_mine=SWEEP)
    assert run("--hdp-protocols=47").returncode == 0
    assert set(owners(callers.pytester.path).values()) == {(0, 0)}


def test_the_command_leaves_nothing_of_roots(callers, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    copy = tmp_path / "pytest_hdp"
    program = (
        "import shutil, sys; from pathlib import Path\n"
        f"shutil.copytree({str(TOP / 'pytest_hdp')!r}, {str(copy)!r}, ignore=shutil.ignore_patterns('__pycache__'))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    for each in [tmp_path, copy, *copy.rglob("*")]:
        os.chown(each, *CALLER, follow_symlinks=False)
    run_it = [sys.executable, "-c", "import sys; from pytest_hdp.cli import main; sys.exit(main(['wireshark']))"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run(run_it, cwd=tmp_path, env=environment, capture_output=True, check=True)
    found = owners(tmp_path)
    assert "pytest_hdp/__pycache__" in found
    assert set(found.values()) == {CALLER}
