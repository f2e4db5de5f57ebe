"""How far hosts are named: each form, testinfra's URLs, what is refused, and what is said when one can't be had."""

from __future__ import annotations

import pickle
import shlex
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from pytest_hdp.plugin.vantage_specs import VantageSpec, parse_vantage, vantage_point
from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote import containers, launcher
from pytest_hdp.vantage.remote.access import Access
from pytest_hdp.vantage.remote.far_host import FarHost
from pytest_hdp.vantage.remote.launcher import BEGUN, NotStarted
from pytest_hdp.vantage.remote.specs import PARSERS, parse

LOADER = launcher.loader("python3")


def access(text: str) -> Access:
    found = parse_vantage(text)
    assert found.is_far
    return parse(found.how, found.name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("docker=box", "docker exec -i --user=0 box"),
        ("docker=Box_1.a-b", "docker exec -i --user=0 Box_1.a-b"),
        ("docker://box", "docker exec -i --user=0 box"),
        ("podman=box", "podman exec -i --user=0 box"),
        ("podman://box", "podman exec -i --user=0 box"),
        ("kubectl=web-1", "kubectl exec -i web-1 --"),
        ("kubectl=-n shop -c app --context me@prod web-1",
         "kubectl exec -i --context=me@prod --namespace=shop --container=app web-1 --"),
        ("kubectl=--namespace=shop --container=app web-1", "kubectl exec -i --namespace=shop --container=app web-1 --"),
        ("kubectl=pod/web-1", "kubectl exec -i pod/web-1 --"),
        ("kubectl://web-1?namespace=shop&container=app", "kubectl exec -i --namespace=shop --container=app web-1 --"),
        ("kubectl://web-1?context=arn:aws:eks:x/y", "kubectl exec -i --context=arn:aws:eks:x/y web-1 --"),
        ("kubectl://web-1", "kubectl exec -i web-1 --"),
    ],
)  # fmt: skip
def test_what_runs_is_the_clients_own_command_line(text, words):
    assert access(text).command == [*words.split(), *LOADER]


@pytest.mark.parametrize("text", ["kubectl=-n shop debug=python:3-slim -c app web-1",
                                  "kubectl://web-1?namespace=shop&container=app&debug=python:3-slim"])  # fmt: skip
def test_a_debug_container_bears_a_name_of_its_own(text):
    found = access(text)
    names = set()
    for _ in range(2):
        command = found.command
        assert command[:6] == ["kubectl", "debug", "-i", "--quiet", "--namespace=shop", "--image=python:3-slim"]
        assert command[7:11] == ["--profile=netadmin", "--target=app", "web-1", "--"]
        assert command[11:] == LOADER
        names.add(command[6])
    assert len(names) == 2, "an ephemeral container's name can't be used again"


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        ({"lxc-attach"}, "lxc-attach --clear-env -n box --"),
        ({"lxc", "lxc-attach"}, "lxc exec --mode=non-interactive box --"),
        (set(), "lxc exec --mode=non-interactive box --"),
    ],
    ids=["LXC", "LXD", "neither"],
)
def test_lxc_is_whoever_is_installed(monkeypatch, installed, words):
    monkeypatch.setattr(containers.shutil, "which", lambda name: name if name in installed else None)
    for text in ("lxc=box", "lxc://box"):
        assert access(text).command == [*words.split(), *LOADER]


def test_ssh_by_its_url():
    for text, words in {
        "ssh://me@host:2222": ["-p", "2222", "me@host"],
        "ssh://host": ["host"],
        "ssh://me@[fe80::1]:22": ["-p", "22", "me@fe80::1"],
    }.items():
        assert parse_vantage(text) == VantageSpec("ssh", shlex.join(words))


def test_a_command_is_the_users_words_and_no_shells():
    found = access("command=docker exec -i 'my box' python3 $HOME `id` ; reboot")
    assert found.command[:-3] == ["docker", "exec", "-i", "my box", "python3", "$HOME", "`id`", ";", "reboot"]
    assert found.command[-3:-1] == ["-u", "-c"]


@pytest.mark.parametrize("how", ["docker", "podman", "lxc", "kubectl", "ssh"])
def test_words_of_ours_come_before_the_name(how):
    found = access(f"{how}=drop python=/opt/python3.8 budget=500 lifetime=60 box")
    assert (found.terms.drop, found.terms.budget, found.terms.lifetime) == (True, 500, 60)
    assert "/opt/python3.8" in " ".join(found.command)
    assert found.name == f"{how}=box"
    assert access(f"{how}=drop").name == f"{how}=drop", "one may be called so"


BAD = [
    "docker", "docker=", "docker=--privileged", "docker=-i box", "docker=a b", "docker=box;id", "docker=$(id)",
    "docker=a/b", "docker=r:box", "podman=-l", "podman= ", "podman=a\nb", "podman='box", "lxc=-n", "lxc=a:-b", "lxc=:",
    "docker=budget=0 box", "docker=budget=5", "docker=python= box", "docker=x=y box",
    "kubectl=", "kubectl=-n shop", "kubectl=-n -x web", "kubectl=--kubeconfig=/x web", "kubectl=-n web",
    "kubectl=--rm web",
    "kubectl=-c A_B web", "kubectl=--context -x web", "kubectl=debug= web", "kubectl=debug=-x web",
    "kubectl=web -n shop",
    "kubectl=deploy/-x", "kubectl=node/worker", "kubectl=debug=python:3-slim node/worker", "kubectl=Web",
    "command=", "command= ", "command='x", "command=-x", "command=''", "command=a\nb",
    "docker://", "docker://-x", "docker://a/b", "docker://a?b=c", "docker://a%20b", "docker://%2dx", "podman://a#b", "lxc://",
    "kubectl://", "kubectl://web?user=x", "kubectl://web?namespace=-x", "kubectl://web?namespace=", "kubectl://?namespace=x",
    "ssh://", "ssh://@host", "ssh://me@host:port", "ssh://host:123456", "ssh://me@-oProxyCommand=x", "ssh://-oProxyCommand=x",
    "command://x", "netns://x", "netns=", "popen=x", "http://x", "", "ssh=",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_names_nobody_is_one_line(text):
    with pytest.raises(ValueError, match=r".") as raised:
        parse_vantage(text)
    assert "\n" not in str(raised.value)
    said = str(raised.value)
    assert "is not " in said or "; it is " in said or " is no " in said, said


def test_a_name_never_becomes_an_option():
    """Of what is taken, nothing between the client's own words and its end begins with a dash unless we wrote it."""
    for text in ("docker=box", "kubectl=-n a -c b --context c d", "lxc=box"):
        command = access(text).command
        before = command[: len(command) - len(LOADER)]
        ours = ("-i", "--user=0", "--namespace=", "--container=", "--context=", "--mode=", "--clear-env", "-n", "--")
        assert not [word for word in before if word.startswith("-") and not word.startswith(ours)]


def test_a_spot_travels_to_other_processes_and_names_a_place():
    for text in ("docker=box", "kubectl=-n shop web", "command=podman exec -i box python3", "ssh://me@host:22"):
        found = parse_vantage(text)
        assert pickle.loads(pickle.dumps(found)) == found
        assert isinstance(vantage_point(found, ("198.51.100.2",)), FarHost)


def test_the_program_fits_where_it_has_to_go():
    """Linux takes 128 KiB in a word, and proxies before a Kubernetes API 8 KiB in a URL, where kubectl puts it."""
    for words in (LOADER, ["-u", "-c", launcher.program()]):
        assert len(urlencode([("command", word) for word in words])) < 6000


def test_the_program_is_the_loader():
    """It says that it has begun, and waits for a line; without one it ends."""
    done = subprocess.run(
        [sys.executable, "-u", "-c", launcher.program()],
        input="print(1+1)\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.startswith(BEGUN), done
    assert done.stdout == "2\n" or "raw sockets" in done.stderr or "sudo" in done.stderr


NO_CONTAINER = 'Error: no container with name or ID "box" found: no such container'
LATER = f"Warning: x\n{BEGUN}\n"
REASONS = [
    ("podman=box", 125, NO_CONTAINER, ("there is no such container", "podman ps -a", NO_CONTAINER)),
    ("docker=box", 1, "Error response from daemon: No such container: box", ("no such container", "docker ps -a")),
    ("docker=box", 1, "Error response from daemon: container abc is not running", ("not running", "docker start box")),
    ("docker=box", 1, "Error response from daemon: Container box is paused, unpause the container before exec",
     ("docker unpause box",)),
    ("docker=box", 1, "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
     ("daemon can't be reached",)),
    ("docker=box", 1, "permission denied while trying to connect to the Docker daemon socket at unix:///x: dial unix",
     ("you may not speak to its daemon",)),
    ("docker=box", 126, 'OCI runtime exec failed: exec: "python3": executable file not found in $PATH: unknown',
     ("there is no python3 in it", "netns=pid:$(docker inspect -f '{{.State.Pid}}' box)")),
    ("podman=box", 1, f"{LATER}hdp: raw sockets may not be opened there, not even by root: Operation not permitted",
     ("lacks NET_RAW", "--cap-add=NET_RAW", 'command="podman exec --privileged -i -u 0 box python3"', "netns=pid:")),
    ("podman=box", 1, f"{LATER}hdp: Python 3.6 is too old there", ("Python 3.6 is too old there",)),
    ("lxc=box", 1, "lxc-attach: box: attach.c: get_attach_context: Failed to get init pid",
     ("it is not running, or there is none",)),
    ("kubectl=web", 1, 'Error from server (NotFound): pods "web" not found', ("no such pod", "get pods -A")),
    ("kubectl=web", 1, "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?",
     ("the cluster can't be reached",)),
    ("kubectl=web", 1, 'error: context "prod" does not exist', ("kubectl config get-contexts",)),
    ("kubectl=web", 1, 'Error from server (BadRequest): container x is not valid for pod web', ("no such container",)),
    ("kubectl=web", 127, "command terminated with exit code 127", ("no python3 in it", "debug=python:3-slim")),
    ("kubectl=web", 1, f"{LATER}hdp: raw sockets need root there, and there is no sudo: log in as root",
     ("NET_RAW", "debug=python:3-slim")),
    ("kubectl=debug=alpine web", 1, 'exec: "python3": executable file not found in $PATH',
     ("there is no python3 in alpine",)),
    ("command=sh box", 127, "sh: 0: cannot open box: No such file", ("there is no Python 3.8+ at its end",)),
    ("command=sh box", 3, "", ("sh ended with status 3, and no Python answered",)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "status", "printed", "parts"), REASONS)
def test_why_there_is_no_agent_and_what_to_do(text, status, printed, parts):
    said = access(text).reason(NotStarted(status, printed))
    for part in parts:
        assert part in said, said
    assert "\n" not in said


@pytest.mark.parametrize("how", sorted(PARSERS))
def test_a_client_that_is_not_installed(monkeypatch, tmp_path, how):
    monkeypatch.setenv("PATH", str(tmp_path))
    host = vantage_point(parse_vantage(f"{how}=box"))
    assert isinstance(host, FarHost)
    with pytest.raises(VantageError, match=r"can't be had: there is no program [\w-]+ here: install") as raised:
        host.connect()
    assert "\n" not in str(raised.value)


def test_a_client_that_hangs_is_waited_for_and_ended(monkeypatch, tmp_path):
    """As one does whose daemon takes the connection and never answers; with all that it started."""
    script, pids = tmp_path / "docker", tmp_path / "pids"
    script.write_text(f"#!/bin/sh\n/bin/sleep 1000 &\necho $$ $! >{pids}\nwait\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(launcher, "START_PATIENCE", 0.5)
    host = vantage_point(parse_vantage("docker=box"))
    assert isinstance(host, FarHost)
    with pytest.raises(VantageError, match=r"nothing answered within 0.5 s: does its daemon answer \(docker ps -a\)\?"):
        host.connect()
    deadline = time.monotonic() + 10
    while any(alive(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return "Z" not in (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
