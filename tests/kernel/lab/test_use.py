"""Labs as users meet them: as an ordinary user, without what they need, from the command line, of their own making."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_hdp
from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.lab import requirements
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab

OpenLab = "Callable[..., Direct]"
ROOT = Path(pytest_hdp.__file__).parents[1]
DOCUMENTATION = ROOT / "docs" / "labs.md"
STANDALONE = (
    "import argparse, sys; from pytest_hdp.cli import lab as command; parser = argparse.ArgumentParser();"
    "command.add_parser(parser.add_subparsers()); args = parser.parse_args(sys.argv[1:]); sys.exit(args.run(args))"
)
AS_A_USER = """
import os, socket
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.topology import Lab
assert os.geteuid() != 0
with Lab(make("home-nat-loss-5")) as lab:
    assert lab._supervisor.private
    receiver = lab.socket_factory(lab.target)(socket.AF_INET, socket.SOCK_RAW, 253)
    sender = lab.socket_factory(lab.client)(socket.AF_INET, socket.SOCK_RAW, 253)
    receiver.settimeout(0.2)
    for _ in range(50):
        sender.sendto(b"x" * 20, (lab.target_address, 0))
        try:
            print("source", socket.inet_ntoa(receiver.recv(100)[12:16]), lab.outside_address)
            break
        except TimeoutError:
            continue
    print("user inside", flush=True)
    assert lab.run("client", ["id", "-u"]) == 0
"""


@pytest.fixture
def python_for_all() -> tuple[str, dict[str, str], pwd.struct_passwd]:
    """An interpreter that user nobody may run, an environment in which it finds us, and that user."""
    if os.geteuid() != 0:
        pytest.skip("privilege: only root can become another user; run as an ordinary user all of these tests are that")
    user = pwd.getpwnam("nobody")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    check = "import sys, pytest_hdp.lab.catalogue; sys.exit(sys.version_info < (3, 11))"
    for each in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        if each is None:
            continue
        try:
            done = subprocess.run(
                [each, "-c", check],
                check=False,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                env=environment,
                cwd="/",
            )
        except PermissionError:
            continue
        if done.returncode == 0:
            return each, environment, user
    pytest.skip("privilege: no Python 3.11 or later here that user nobody may run")


def test_an_ordinary_user_has_the_same_labs(python_for_all: tuple[str, dict[str, str], pwd.struct_passwd]):
    python, environment, user = python_for_all
    done = subprocess.run(
        [python, "-c", AS_A_USER],
        check=False,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["source 203.0.113.5 203.0.113.5", "user inside", "0"]


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "ip").symlink_to(shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin") or "/nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(requirements, "_SYSTEM_PATH", str(tmp_path))
    with pytest.raises(LabUnavailable, match=r"^lab home-nat needs the program nft: install nftables") as caught:
        Lab(make("home-nat")).__enter__()
    assert "\n" not in str(caught.value)


def test_system_programs_are_found_without_their_folder_in_the_path(monkeypatch: pytest.MonkeyPatch, open_lab: OpenLab):
    open_lab("transparent")  # skips without privilege
    monkeypatch.setenv("PATH", "/bin")
    with Lab(make("allowlist")) as lab:
        assert lab.hops


NO_NAMESPACES = """
import ctypes, os, sys
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab
user, group = os.geteuid(), os.getegid()
if ctypes.CDLL(None).unshare(0x10000000):
    sys.exit(77)
for name, text in (("uid_map", f"0 {user} 1"), ("setgroups", "deny"), ("gid_map", f"0 {group} 1")):
    open("/proc/self/" + name, "w").write(text)
open("/proc/sys/user/max_net_namespaces", "w").write("0")  # of this user namespace, which ends with this process
try:
    Lab(make("home-nat")).__enter__()
except LabUnavailable as error:
    print(error)
"""


def test_forbidden_namespaces_are_one_line_with_the_way_out():
    done = subprocess.run(
        [sys.executable, "-c", NO_NAMESPACES],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode == 77:
        pytest.skip("privilege: user namespaces are not allowed here")
    assert not done.stderr
    assert re.match(r"lab home-nat needs network namespaces: .*(CAP_SYS_ADMIN|sysctl)", done.stdout)
    assert done.stdout.count("\n") == 1


def test_rules_that_do_not_load_are_one_line_with_the_place(open_lab: OpenLab, tmp_path: Path):
    open_lab("transparent")  # skips without privilege
    path = tmp_path / "wrong.toml"
    path.write_text('[[box]]\nkind = "nftables"\nname = "mine"\nrules = """\ntable ip a {\n  nonsense\n}\n"""\n')
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(
        LabUnavailable, match=r"^lab wrong needs rules of box mine that nft takes: .*:2:3-10: "
    ) as caught:
        Lab(make(str(path))).__enter__()
    assert ":2:3-10: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_worked_example_of_the_documentation_does_what_it_says(open_lab: OpenLab, tmp_path: Path):
    text = re.findall(r"```toml\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "office.toml").write_text(text, encoding="utf-8")
    direct = open_lab(str(tmp_path / "office.toml"))
    numbers = (41, 47, 50, 89, 253)
    for direction in Direction:
        seen = direct.exchange(numbers, direction, count=60)
        for number in numbers:
            truth = direct.lab.expected(number, direction, Form.BARE)
            share = len(seen[number].arrived) / 60
            assert share == 0 if truth.ends else 0.8 < share <= 1
            errors = {(truth.icmp_from, *truth.icmp)} if truth.icmp else set()
            assert set(seen[number].icmp) == errors


@pytest.mark.needs("ping")
def test_the_python_examples_of_the_documentation(open_lab: OpenLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    box, use = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "oneway_in_docs.py").write_text(box, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    direct = open_lab("oneway_in_docs:OneWay")
    for direction in Direction:
        seen = direct.exchange([252, 253], direction)
        arrived = [len(seen[number].arrived) for number in (252, 253)]
        assert arrived == ([3, 3] if direction is Direction.FORWARD else [3, 0])
    subprocess.run([sys.executable, "-c", use], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)


def hdp(*argv: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run `hdp` as a user does; where the command has no `lab` yet, its parser alone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", STANDALONE, "lab", *argv]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=60, **more)  # type: ignore[call-overload, no-any-return]


@pytest.mark.needs("ping")
def test_a_command_runs_at_the_clients_end_with_our_streams(open_lab: OpenLab):
    open_lab("transparent")  # skips without privilege
    script = "cat; echo to stderr >&2; ping -c 1 $HDP_TARGET > /dev/null && pwd; exit 7"
    done = hdp("run", "home-nat", "--", "sh", "-c", script, input="from stdin\n", cwd="/usr")
    assert done.returncode == 7
    assert done.stdout == "from stdin\n/usr\n"
    assert done.stderr == "lab home-nat: 192.0.2.2 -> 198.51.100.2\nto stderr\n"


@pytest.mark.night
def test_a_command_may_run_elsewhere_and_be_killed_or_missing(open_lab: OpenLab):
    open_lab("transparent")  # skips without privilege
    assert (
        "192.0.2.130"
        in hdp("run", "--at", "second", "home-nat", "--", "sh", "-c", "PATH=$PATH:/sbin:/usr/sbin ip addr").stdout
    )
    assert hdp("run", "transparent", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + 15
    missing = hdp("run", "transparent", "--", "no-such-program")
    assert (missing.returncode, missing.stderr.splitlines()[-1]) == (127, "hdp: no such program: no-such-program")


def test_an_interrupt_is_the_commands_to_handle(open_lab: OpenLab):
    """Ctrl-C goes to every process of the terminal: here to the process group."""
    open_lab("transparent")  # skips without privilege
    script = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", STANDALONE, "lab", "run", "transparent", "--", "sh", "-c", script]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert running.stdout is not None
    with running.stdout as printed:
        assert printed.readline() == "ready\n"
        os.killpg(running.pid, 2)
        assert printed.readline() == "caught\n"
    assert running.wait(timeout=30) == 9


def test_a_node_can_be_entered_by_its_path(open_lab: OpenLab):
    lab = open_lab("transparent").lab
    if os.geteuid() != 0:
        pytest.skip("privilege: nsenter as an ordinary user needs the user namespace too")
    done = subprocess.run(
        ["nsenter", f"--net={lab.namespace_path('router1')}", "cat", "/proc/net/dev"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "inside" in done.stdout
    assert "outside" in done.stdout
