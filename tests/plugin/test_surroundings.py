"""Full disks, foreign folders, few files, no privilege: one line says what to do, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from refusing import SWEEP, USAGE_ERROR, refused

ALL = "import pytest\n\n@pytest.mark.hdp(default='-1-263')\ndef test_it(hdp_probe): hdp_probe.check()\n"


@pytest.fixture
def run_in(project, monkeypatch):
    """Run pytest behind another command."""
    for variable in [name for name in os.environ if name.startswith(("HDP_", "PYTEST_"))]:
        monkeypatch.delenv(variable)

    def run(before: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        own = [
            sys.executable,
            "-m",
            "pytest",
            *project.loaded,
            "-p",
            "no:cacheprovider",
            "-pno:hypothesispytest",
            "-p",
            "no:rerunfailures",
            "--color=no",
        ]
        return subprocess.run(
            [*before, *own, *arguments],
            cwd=project.pytester.path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def may(*command: str) -> None:
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip(f"privilege: no {' '.join(command)}")


@pytest.mark.parametrize(("size", "workers"), [("60k", ()), ("300k", ("-n", "2"))], ids=["serial", "2 workers"])
@pytest.mark.night
def test_a_full_disk_ends_no_run_and_is_told(project, run_in, size, workers):
    may("unshare", "-rm")
    project.write(test_mine=ALL)
    project.pytester.mkdir("small")
    script = f'mount -t tmpfs -o size={size} none small && "$@"; status=$?; ls -A small; exit $status'
    done = run_in(["unshare", "-rm", "sh", "-c", script, "sh"], "--hdp-report=small", *workers)
    assert done.returncode == 3, done.stdout
    assert "255 passed, 10 xfailed" in done.stdout
    assert "255 delivered" in done.stdout
    assert "hdp: small/results.jsonl is not complete: No space left on device" in done.stdout
    assert "hdp: small/report.html was not written: No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert ".part" not in done.stdout


@pytest.mark.night
def test_a_folder_where_a_file_should_be(project, run_in):
    project.write(test_mine=SWEEP)
    project.pytester.mkdir("report").joinpath("results.jsonl").mkdir()
    done = run_in([], "--hdp-report=report")
    assert "hdp: report/results.jsonl is not complete: Is a directory" in done.stdout
    assert "1 passed" in done.stdout
    assert (project.pytester.path / "report" / "results.md").exists()


def test_an_earlier_report_is_replaced_and_no_link_in_it_is_followed(project, run_in):
    project.write(test_mine=SWEEP)
    precious = project.pytester.makefile(".txt", precious="mine")
    report = project.pytester.mkdir("report")
    for name in ("results.jsonl", "results.md"):
        (report / name).symlink_to(precious)
    run_in([], "--hdp-report=report")
    assert precious.read_text() == "mine"
    assert [len((report / name).read_text().splitlines()) for name in ("results.jsonl",)] == [1]


@pytest.mark.parametrize("option", ["--hdp-report=link", "--hdp-report=link/deeper", "--hdp-record=link/mine.toml"])
def test_a_folder_that_is_somebody_elses_link_is_refused(project, option):
    if os.geteuid():
        pytest.skip("privilege: not root, who alone can make a link somebody else's")
    project.write(test_mine=SWEEP)
    folder = project.pytester.mkdir("folder")
    link = project.pytester.path / "link"
    link.symlink_to(folder)
    os.chown(link, 65534, 65534, follow_symlinks=False)
    assert "a link in it is another user's" in refused(project, option)
    assert not list(folder.iterdir())


def test_files_written_under_sudo_are_given_back(project, run_in, monkeypatch):
    if os.geteuid():
        pytest.skip("privilege: not root")
    project.write(test_mine=SWEEP)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65533")
    assert run_in([], "--hdp-report=a/b", "--hdp-record=mine.toml").returncode == 0
    written = ["a", "a/b", "a/b/results.jsonl", "a/b/results.md", "a/b/report.html", "mine.toml"]
    owners = {(each.stat().st_uid, each.stat().st_gid) for each in map(project.pytester.path.joinpath, written)}
    assert owners == {(65534, 65533)}


@pytest.mark.parametrize("user", ["-1", "99999999999999"])
@pytest.mark.night("-1")
def test_odd_sudo_users_harm_nothing(project, run_in, monkeypatch, user):
    project.write(test_mine=SWEEP)
    monkeypatch.setenv("SUDO_UID", user)
    monkeypatch.setenv("SUDO_GID", user)
    assert run_in([], "--hdp-report=report").returncode == 0


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["serial", "worker"])
@pytest.mark.night
def test_too_few_open_files_are_told_before_the_first_test(project, run_in, workers):
    project.write(test_mine=ALL)
    done = run_in(["prlimit", "--nofile=256:256"], *workers)
    assert done.returncode == USAGE_ERROR, done.stdout
    assert "and this process may open 256: allow more (ulimit -n " in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "INTERNALERROR" not in done.stdout


def test_few_open_files_are_enough_for_few_numbers(project, run_in):
    project.write(test_mine=ALL)
    done = run_in(["prlimit", "--nofile=64:64"], "--hdp-protocols=250-256")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.night
def test_a_lab_that_would_open_too_many_files_is_told_too(project, run_in):
    project.write(test_mine=SWEEP)
    done = run_in(["prlimit", "--nofile=64:64"], "--hdp-lab=home-nat")
    assert done.returncode == USAGE_ERROR, done.stdout + done.stderr
    assert "and this process may open 64: allow more (ulimit -n " in done.stderr


@pytest.mark.parametrize("size", ["8k", "60k"])
@pytest.mark.night
def test_a_full_folder_for_temporary_files_loses_nothing(project, run_in, size):
    """Where workers can share neither results nor packets, each measures, and hands its packets over."""
    may("unshare", "-rm")
    project.write(test_mine=ALL)
    project.pytester.mkdir("small")
    script = f'mount -t tmpfs -o size={size} none small && TMPDIR=$PWD/small exec "$@"'
    done = run_in(["unshare", "-rm", "sh", "-c", script, "sh"], "-n", "2", "--hdp-report=report")
    assert done.returncode == 0, done.stdout
    assert "255 passed, 10 xfailed" in done.stdout
    assert len((project.pytester.path / "report" / "results.jsonl").read_text().splitlines()) == 265
    assert (project.pytester.path / "report" / "capture.pcapng").stat().st_size > 400_000


# A user namespace of our own, where no more of them are allowed, and a user who is not root and may do nothing.
FORBIDDEN = """
import ctypes, os, sys
user, group = os.geteuid(), os.getegid()
if ctypes.CDLL(None).unshare(0x50000000):
    sys.exit(77)
for name, text in (("uid_map", f"1000 {user} 1"), ("setgroups", "deny"), ("gid_map", f"1000 {group} 1")):
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
with open("/proc/sys/user/max_user_namespaces", "w") as file:
    file.write("0")
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def forbidden(run_in):
    """Run pytest where neither raw sockets nor namespaces are to be had."""
    before = [sys.executable, "-c", FORBIDDEN]
    if subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("privilege: no user namespace to forbid them in")
    return lambda *arguments: run_in(before, *arguments)


@pytest.mark.parametrize("arguments", [[], ["-n", "1"], ["--hdp-lab=home-nat"]], ids=["serial", "worker", "lab"])
@pytest.mark.night(but=["lab"])
def test_missing_privilege_is_one_line_before_the_first_test(project, forbidden, arguments):
    project.write(test_mine=ALL)
    done = forbidden(*arguments)
    assert done.returncode == USAGE_ERROR, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert line.startswith("ERROR: raw sockets need CAP_NET_RAW")
    assert 'sudo "$(command -v pytest)"' in line
    assert "sudo sysctl user.max_user_namespaces=10000" in line
    assert "INTERNALERROR" not in done.stdout


@pytest.mark.night
def test_collecting_and_other_tests_need_no_privilege(project, forbidden):
    project.write(test_mine=ALL, test_other="def test_other(): pass")
    collected = forbidden("--collect-only", "-q")
    assert (collected.returncode, "266 tests collected" in collected.stdout) == (0, True), collected.stderr
    assert forbidden("test_other.py", "-n", "1").returncode == 0
