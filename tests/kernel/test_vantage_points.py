"""`pytest --dist each`: several vantage points in one run, each measuring for itself, over xdist's own wires."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.metadata import distribution
from pathlib import Path

import pytest

from pytest_hdp import __version__

TOP = Path(__file__).parents[2]
PACKAGE = TOP / "pytest_hdp"

ALONE = "-pno:cacheprovider -pno:hypothesispytest -pno:rerunfailures"
"""Workers of the last connect to the loopback of the host that began: not theirs."""

# two hosts and a target around a router that lets no GRE through from paris
TOPOLOGY = """
set -e
mount -t tmpfs none /run
for n in paris tokyo router target; do ip netns add $n; ip -n $n link set lo up; done
i=1
for n in paris tokyo target; do
  i=$((i + 1))
  ip link add e netns $n type veth peer name $n netns router
  ip -n router link set $n up; ip -n router addr add 198.51.$i.1/24 dev $n
  ip -n $n addr add 198.51.$i.2/24 dev e; ip -n $n link set e up; ip -n $n route add default via 198.51.$i.1
done
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip netns exec router nft -f - <<'END'
table inet t { chain f { type filter hook forward priority 0; ip saddr 198.51.2.2 ip protocol 47 drop; }; }
END
"""
SWEEP = ("--pyargs", "pytest_hdp.suites.internet.test_sweep", "--hdp-target=198.51.4.2", "--hdp-locate=none")


class Run:
    """A pytest run beside the topology, which ends with it."""

    def __init__(self, folder: Path, unshare: tuple[str, ...]) -> None:
        self.folder = folder
        self.unshare = unshare

    def __call__(
        self,
        *arguments: str,
        before: str = "",
        at: str = "target",
        expect: int | None = None,
        option: str = "--hdp-report=report",
    ):
        report = self.folder / "report"
        shutil.rmtree(report, ignore_errors=True)
        pytest_command = f'ip netns exec {at} {sys.executable} -m pytest {ALONE} {option} "$@"'
        script = f"{TOPOLOGY}\n{before}\n{pytest_command}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        environment |= {"PYTHONPATH": str(TOP), "COLUMNS": "200"}
        done = subprocess.run(
            ["unshare", *self.unshare, "bash", "-c", script, "bash", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.printed = done.stdout + done.stderr
        assert expect is None or done.returncode == expect, self.printed
        results = report / "results.jsonl"
        self.records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return {(each["path"].get("vantage"), each["protocol"]): each["verdict"] for each in self.records}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    if subprocess.run(["unshare", "-rnm", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Run(tmp_path, ("-rnmpf", "--kill-child", "--mount-proc"))


def place(name: str) -> str:
    """A --tx that starts its worker in a namespace of the topology."""
    return f"--tx=popen//python=ip netns exec {name} {sys.executable}//id={name}"


EACH = ("--dist=each", place("paris"), place("tokyo"))


@pytest.mark.night
def test_each_vantage_point_measures_for_itself_and_is_named(run):
    found = run(*EACH, *SWEEP, "--hdp-protocols=47,253", "--junitxml=junit.xml", expect=0)
    assert found == {
        ("paris", 47): "silent",
        ("paris", 253): "reached",
        ("tokyo", 47): "reached",
        ("tokyo", 253): "reached",
    }
    sources = {each["path"]["vantage"]: each["path"]["source"] for each in run.records}
    assert sources == {"paris": "198.51.2.2", "tokyo": "198.51.3.2"}
    assert len({each["run"] for each in run.records}) == 1
    for name, source in sources.items():
        assert f"internet 198.51.4.2 from {name}, {source} -> 198.51.4.2" in run.printed.replace("\u2192", "->")
        assert re.search(rf"^hdp: {name}: .* to 198\.51\.4\.2.* 2 trains", run.printed, re.MULTILINE)
    cases = (run.folder / "junit.xml").read_text()
    assert (cases.count("<testcase"), cases.count("vantage&quot;: &quot;paris")) == (4, 2)
    compare_tells_the_vantage_points_apart(run.folder)


def test_a_vantage_point_that_can_not_measure_is_named_and_the_other_one_measures(run):
    no_route = "ip -n tokyo route del default"
    found = run(*EACH, *SWEEP, "--hdp-protocols=253", before=no_route, expect=4)
    assert found == {("paris", 253): "reached"}
    assert run.printed.count("could not be measured") == 1
    assert "hdp: tokyo: 198.51.4.2 could not be measured: no route to 198.51.4.2 from this host" in run.printed


def compare_tells_the_vantage_points_apart(folder: Path) -> None:
    lines = (folder / "report" / "results.jsonl").read_text()
    (folder / "after.jsonl").write_text(lines.replace('"verdict": "silent"', '"verdict": "reached"'))
    command = [sys.executable, "-m", "pytest_hdp.cli", "compare", "report", "after.jsonl", "--strict"]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(TOP)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "from paris" in done.stdout
    assert "from tokyo" not in done.stdout


@pytest.mark.night
def test_settings_from_the_environment_and_files_reach_every_vantage_point(run):
    """Options of files and the environment are read once, by the process that the user started."""
    (run.folder / "mine.toml").write_text(
        '[profile]\nname = "mine"\n[[expect]]\nprotocols = "253"\nverdict = "lost"\nreason = "so it is"\n'
    )
    (run.folder / "hosts.toml").write_text(
        '[[target]]\nname = "far"\naddress = "198.51.4.2"\nprofile = "mine.toml"\ntags = ["rented"]\n'
    )
    other = run.folder / "elsewhere"  # to which xdist copies pytest: into / as root only, and there it would stay
    other.mkdir()
    elsewhere = tuple(f"{each}//chdir={other}" for each in EACH[1:])
    before = "export HDP_PROTOCOLS=253 HDP_INVENTORY=hosts.toml"
    suite = ("--pyargs", "pytest_hdp.suites.internet.test_sweep", "--hdp-locate=none", "-m", "rented")
    found = run("--dist=each", *elsewhere, *suite, before=before, expect=1)
    assert found == {("paris", 253): "reached", ("tokyo", 253): "reached"}
    assert "expected lost, got reached" in run.printed
    assert re.search(r"^FAILED .* - from paris: ", run.printed, re.MULTILINE)


@pytest.mark.night
def test_a_failure_says_how_to_repeat_it_from_there(run):
    run(*EACH, *SWEEP, "--hdp-protocols=253", "--hdp-expect=linux-loopback", expect=1)
    (command,) = re.findall(r"^  (pytest .*id=paris.*)$", run.printed, re.MULTILINE)
    arguments = shlex.split(command)[1:]
    assert run(*arguments, expect=1) == {("paris", 253): "reached"}


@pytest.mark.night
def test_a_vantage_point_that_may_not_measure_costs_itself_alone(run):
    only_tokyo = "--hdp-source=netns=pid:$p"
    before = f'ip netns exec tokyo sleep 60 & p=$!; trap "kill $p" EXIT; set -- "$@" "{only_tokyo}"'
    # in a process namespace of its own, paris has no such process
    paris = f"--tx=popen//python=unshare -pf --mount-proc {sys.executable}//id=paris"
    found = run("--dist=each", paris, place("tokyo"), *SWEEP, "--hdp-protocols=253", before=before, expect=4)
    assert found == {("tokyo", 253): "reached"}
    lost(run, "paris", "there is no process")


@pytest.fixture
def over_ssh(tmp_path: Path):
    """A run whose vantage points are hosts with an sshd, in namespaces: `start` is the script that starts them."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if os.geteuid() != 0:
        pytest.skip("privilege: an sshd that lets one in is root's")
    if sshd is None or shutil.which("ssh") is None:
        pytest.skip("needs openssh-server: apt install openssh-server")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / key], check=True)
    (tmp_path / "sshd_config").write_text(
        f"HostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\nPidFile none\n"
    )
    host_key = (tmp_path / "host.pub").read_text()
    (tmp_path / "known").write_text(f"198.51.2.2 {host_key}198.51.3.2 {host_key}")
    (tmp_path / "ssh_config").write_text(
        f"Host paris\n HostName 198.51.2.2\nHost tokyo\n HostName 198.51.3.2\nHost *\n User root\n"
        f" IdentityFile {tmp_path}/user\n UserKnownHostsFile {tmp_path}/known\n BatchMode yes\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    start = f"""
mkdir -p /run/sshd
for n in paris tokyo; do ip netns exec $n {sshd} -D -e -f {tmp_path}/sshd_config 2>sshd-$n.log & done
trap 'kill $(jobs -p)' EXIT
for a in 198.51.2.2 198.51.3.2; do
  until ip netns exec target bash -c "exec 3<>/dev/tcp/$a/22" 2>/dev/null; do sleep 0.05; done
done
"""
    return Run(tmp_path, ("-nmpf", "--kill-child", "--mount-proc")), start


def far(folder: Path, name: str, path: Path = TOP) -> str:
    python = f"env PYTHONPATH={path} {sys.executable}"
    return f"--tx=ssh={name}//ssh_config={folder}/ssh_config//chdir={folder}/at-{name}//python={python}//id={name}"


@pytest.mark.night
def test_two_hosts_behind_ssh(over_ssh):
    run, start = over_ssh
    hosts = (far(run.folder, "paris"), far(run.folder, "tokyo"))
    found = run("--dist=each", *hosts, *SWEEP, "--hdp-protocols=47,253", before=start, expect=0)
    assert found == {
        ("paris", 47): "silent",
        ("paris", 253): "reached",
        ("tokyo", 47): "reached",
        ("tokyo", 253): "reached",
    }


@pytest.mark.night
def test_another_version_there_is_one_line(over_ssh):
    run, start = over_ssh
    other = run.folder / "other"
    shutil.copytree(PACKAGE, other / "pytest_hdp", symlinks=False)
    (other / "pytest_hdp" / "__init__.py").write_text('"""Of another time."""\n\n__version__ = "0.0.9"\n')
    hosts = (far(run.folder, "paris", other), far(run.folder, "tokyo"))
    found = run("--dist=each", *hosts, *SWEEP, "--hdp-protocols=253", before=start, expect=4)
    assert found == {("tokyo", 253): "reached"}
    lost(run, "paris", f"pytest-hdp 0.0.9 is installed there, and {__version__} here")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("python=env PYTHONPATH=", "python=no-such-python PYTHONPATH="), "id=tokyo can't be started"),
        (("ssh=tokyo", "ssh=tokio"), "id=tokyo can't be started"),
    ],
    ids=["no Python", "no such host"],
)
@pytest.mark.night
def test_a_host_that_cannot_be_started_is_one_line(over_ssh, change, said):
    run, start = over_ssh
    hosts = (far(run.folder, "paris"), far(run.folder, "tokyo").replace(*change))
    found = run("--dist=each", *hosts, *SWEEP, "--hdp-protocols=253", "--junitxml=junit.xml", before=start, expect=4)
    assert found == {("paris", 253): "reached"}
    lost(run, "tokyo", said)
    suite = ET.parse(run.folder / "junit.xml").getroot().find("testsuite")
    assert [suite.get(name) for name in ("tests", "skipped")] == ["2", "1"]
    assert "tokyo not measured" in (run.folder / "report" / "results.md").read_text()


def only(folder: Path, *packages: str) -> Path:
    """An environment with these of ours alone."""
    for package in packages:
        found = distribution(package)
        for top in {each.parts[0] for each in found.files or () if each.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


PYTEST_ALONE = ("pytest", "pytest-xdist", "execnet", "pluggy", "iniconfig", "packaging", "pygments")
# what is over there has ended, with nothing collected, before xdist tells it to begin
ENDED_BEFORE = """
import time
def pytest_xdist_node_collection_finished(node, ids):
    deadline = time.monotonic() + 30
    while not (ids or node.channel.isclosed()) and time.monotonic() < deadline:
        time.sleep(0.01)
"""
IN_ENVIRONMENT = "export HDP_TARGET=198.51.4.2 HDP_PROTOCOLS=253 HDP_LOCATE=none HDP_REPORT=report\n"


@pytest.mark.parametrize(
    ("packages", "says", "options"),
    [
        ((), "No module named 'pluggy'", True),
        (PYTEST_ALONE, "unrecognized arguments: --hdp-", True),
        (PYTEST_ALONE, "no such test there, and no pytest-hdp", False),
    ],
    ids=["bare", "pytest alone", "pytest alone, no option of ours"],
)
@pytest.mark.night
def test_a_host_without_the_packages_is_one_line(over_ssh, packages, says, options):
    """xdist would print a traceback, or nothing at all and call it a success."""
    run, start = over_ssh
    (run.folder / "env").mkdir()
    python = f"env PYTHONPATH={only(run.folder / 'env', *packages)} {sys.executable} -S"
    bare = far(run.folder, "tokyo").replace(f"env PYTHONPATH={TOP} {sys.executable}", python)
    each = ("--dist=each", far(run.folder, "paris"), bare, *SWEEP[:2])
    if options:
        found = run(*each, *SWEEP[2:], "--hdp-protocols=253", before=start, expect=4)
    else:
        (run.folder / "conftest.py").write_text(ENDED_BEFORE)
        found = run(*each, before=IN_ENVIRONMENT + start, expect=4, option="")
    assert found == {("paris", 253): "reached"}
    lost(run, "tokyo", says)
    lost(run, "tokyo", f"pip install pytest-hdp=={__version__}")


def lost(run: Run, name: str, why: str) -> None:
    """One line says why a vantage point did not measure."""
    assert "Traceback" not in run.printed
    assert not [line for line in run.printed.splitlines() if line.startswith("ERROR")], run.printed
    words = " ".join(run.printed.split())
    assert words.count(f"hdp: {name} could not be measured from") == 1, run.printed
    assert why in words.partition(f"hdp: {name} could not be measured from")[2], run.printed


def test_where_no_vantage_point_can_be_started_nothing_is_run(run):
    none = tuple(f"--tx=popen//python=no-such-python{number}//id=at{number}" for number in range(2))
    assert run("--dist=each", *none, *SWEEP, "--hdp-protocols=253", expect=4) == {}
    errors = [line for line in run.printed.splitlines() if "can't be started" in line]
    assert len(errors) == 2, run.printed
    assert "Traceback" not in run.printed


DYING = """
import os, signal


def test_first():
    pass


def test_die():
    if os.environ.get("PYTEST_XDIST_WORKER") == "paris":
        os.kill(os.getpid(), signal.SIGKILL)


def test_last():
    pass
"""


@pytest.mark.night
def test_a_vantage_point_that_dies_costs_what_it_had_still_to_do(run):
    """And the others are not shut down with it, as xdist would."""
    (run.folder / "test_dying.py").write_text(DYING)
    names = (place("paris"), place("tokyo"), place("router"))
    found = run("--dist=each", *names, *SWEEP, "test_dying.py", "--hdp-protocols=253", "--junitxml=junit.xml", expect=4)
    assert found == {(name, 253): "reached" for name in ("paris", "tokyo", "router")}
    lost(run, "paris", "2 of 4 tests did not run")
    suite = ET.parse(run.folder / "junit.xml").getroot().find("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["12", "0", "0", "2"]
