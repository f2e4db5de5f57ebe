"""What was named and could not be measured at all ends the run with 4 and one line; the rest is measured."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_hdp.vantage.points import can_unshare

TOP = Path(__file__).parents[2]
SUITES = TOP / "suites" / "internet"
SWEEP, CONTROL = str(SUITES / "test_sweep.py"), str(SUITES / "test_control.py")

# a client with a link to each of two hosts, and no other route
TOPOLOGY = """
set -e
mount -t tmpfs none /run
ip link set lo up
for n in client b c; do ip netns add $n; ip -n $n link set lo up; done
i=100
for n in b c; do
  i=$((i + 1))
  ip link add to-$n netns client type veth peer name e netns $n
  ip -n client addr add 198.51.$i.1/24 dev to-$n; ip -n client link set to-$n up
  ip -n $n addr add 198.51.$i.2/24 dev e; ip -n $n link set e up
done
"""
DOWN = """
ip -n b link set e down
until ip -n client link show to-b | grep -q NO-CARRIER; do sleep 0.01; done
"""
# the other end is told a moment later, and forgets then whom it was asking for
NEAR = '[[target]]\nname = "near"\naddress = "198.51.102.2"\nagent = "netns=c"\ntags = ["mine"]\n'
EXPECTING = '[profile]\nname = "all-lost"\n[[expect]]\nprotocols = "253"\nverdict = "lost"\n'
CLIENT = "--hdp-source=netns=client"
HOSTS = (CLIENT, "--hdp-inventory=hosts.toml", "--hdp-protocols=253")


@dataclass(frozen=True)
class Gone:
    """A target that can't be measured: what it says in the inventory, what is done before, and why it can't."""

    address: str
    why: str
    agent: str = ""
    before: str = ""

    @property
    def table(self) -> str:
        return self.named("gone")

    def named(self, name: str) -> str:
        agent = f'agent = "{self.agent}"\n' if self.agent else ""
        return f'[[target]]\nname = "{name}"\naddress = "{self.address}"\n{agent}'


NO_ROUTE = Gone("203.0.113.77", "no route to 203.0.113.77 from network namespace client: Network is unreachable")
LINK_DOWN = Gone("198.51.101.2", "nothing came back, neither a control nor an answer", before=DOWN)
WAYS = {
    "no-route": NO_ROUTE,
    "no-route-with-agent": Gone(
        "203.0.113.78", NO_ROUTE.why.replace(NO_ROUTE.address, "203.0.113.78"), agent="netns=b"
    ),
    "link-down": LINK_DOWN,
    "link-down-with-agent": Gone("198.51.101.3", "all of 2 trains are inconclusive; ", agent="netns=b"),
    "another-hosts-agent": Gone(
        "198.51.101.9", "nothing that was sent to 198.51.101.9 came to the agent", agent="netns=b"
    ),
    "no-such-namespace": Gone("198.51.101.4", "there is no network namespace 'nope'", agent="netns=nope"),
    "nobody-to-log-in-to": Gone("198.51.101.5", "Connection refused", agent="ssh=-p 1 root@127.0.0.1"),
    "the-source-itself": Gone(
        "198.51.101.1", "198.51.101.1 is network namespace client itself: pytest suites/loopback"
    ),
}


@dataclass
class Done:
    status: int
    printed: str
    folder: Path

    @property
    def records(self) -> list[dict]:
        results = self.folder / "report" / "results.jsonl"
        return [json.loads(line) for line in results.read_text().splitlines()]

    @property
    def verdicts(self) -> set[tuple[str, str]]:
        return {(each["path"]["name"], each["verdict"]) for each in self.records}

    @property
    def words(self) -> str:
        return " ".join(self.printed.split())


@pytest.fixture
def run(tmp_path: Path):
    """Run pytest beside the topology, which ends with it; `hosts.toml` names a target that is there, and `gone`."""
    if subprocess.run(["unshare", "-rnm", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def start(*arguments: str, gone: Gone = NO_ROUTE, **variables: str) -> Done:
        (tmp_path / "hosts.toml").write_text(NEAR + gone.table)
        (tmp_path / "ways.toml").write_text(NEAR + "".join(each.named(name) for name, each in WAYS.items()))
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        usual = {name: value for name, value in usual.items() if not name.startswith("GITHUB_")}
        command = f'exec {sys.executable} -mpytest -pno:cacheprovider -pno:hypothesispytest --hdp-report=report "$@"'
        script = f"{TOPOLOGY}\n{gone.before}\n{command}"
        done = subprocess.run(
            ["unshare", "-rnmpf", "--kill-child", "--mount-proc", "bash", "-c", script, "bash", *arguments],
            cwd=tmp_path,
            env={**usual, "PYTHONPATH": str(TOP), "COLUMNS": "200", **variables},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Done(done.returncode, done.stdout + done.stderr, tmp_path)

    return start


@pytest.mark.needs("ssh")
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_one_line_for_each_and_status_4_and_the_other_path_is_measured(run, workers):
    """All ways in which a path can't be measured, in one run."""
    half_there = Gone("", "", before=f"ip -n b addr add {WAYS['link-down-with-agent'].address}/24 dev e\n{DOWN}")
    done = run(SWEEP, CLIENT, "--hdp-inventory=ways.toml", "--hdp-protocols=253", *workers, gone=half_there)
    assert done.status == 4, done.printed
    assert ("near", "delivered") in done.verdicts
    assert {verdict for name, verdict in done.verdicts if name in WAYS} <= {"inconclusive"}
    assert done.words.count("could not be measured") == len(WAYS), done.printed
    for name, gone in WAYS.items():
        assert f"hdp: {name} could not be measured: " in done.words
        told = done.words.partition(f"hdp: {name} could not be measured: ")[2].partition("hdp: ")[0]
        assert gone.why in told, name


@pytest.mark.night(but=["no route"])
@pytest.mark.parametrize("gone", [NO_ROUTE, LINK_DOWN], ids=["no route", "link down"])
def test_alone_it_is_the_same_and_everything_is_written(run, tmp_path, gone):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "results.jsonl").write_text("an earlier run's\n")
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    arguments = (CLIENT, f"--hdp-target={gone.address}", "--hdp-protocols=253", "--junitxml=junit.xml")
    done = run(SWEEP, *arguments, gone=gone, **github)
    assert done.status == 4, done.printed
    line = f"{gone.address} could not be measured: "
    assert f"hdp: {line}" in done.words
    assert f"::warning title=not measured::{line}" in done.printed
    for written in ("report/results.md", "report/report.html", "summary.md"):
        assert line in (tmp_path / written).read_text(), written
    found = [
        each.get("value") for each in ET.parse(tmp_path / "junit.xml").iter("property") if "unm" in each.get("name")
    ]
    assert [each.startswith(line) for each in found] == [True]
    assert len(done.records) == (0 if gone is NO_ROUTE else 1)
    assert all(line in each["made"]["unmeasured"] for each in done.records)


@pytest.mark.night
def test_the_page_that_is_made_again_says_it_too(run, tmp_path):
    run(SWEEP, *HOSTS)
    again = [sys.executable, "-m", "pytest_hdp.cli", "report", str(tmp_path / "report"), "-o", str(tmp_path / "again")]
    subprocess.run(again, env={**os.environ, "PYTHONPATH": str(TOP)}, check=True)
    for written in ("results.md", "report.html"):
        assert f"gone could not be measured: {NO_ROUTE.why}" in (tmp_path / "again" / written).read_text()


def test_a_test_that_failed_is_1(run, tmp_path):
    (tmp_path / "lost.toml").write_text(EXPECTING)
    done = run(SWEEP, *HOSTS, "--hdp-expect=lost.toml")
    assert done.status == 1, done.printed
    assert f"gone could not be measured: {NO_ROUTE.why}" in done.words


@pytest.mark.night
def test_ctrl_c_is_2(run, tmp_path):
    stop = "import os, signal\n\n\ndef test_stop():\n    os.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "test_stop.py").write_text(stop)
    after = "import pytest\n\n\n@pytest.mark.hdp(path='target', protocols='253')\ndef test_more(hdp_probe): pass\n"
    (tmp_path / "test_then.py").write_text(after)
    done = run(SWEEP, "test_stop.py", "test_then.py", *HOSTS)
    assert done.status == 2, done.printed
    assert ("near", "delivered") in done.verdicts
    assert "hdp: the rest of the run could not be measured: it was interrupted, and " in done.words
    assert f"hdp: gone could not be measured: {NO_ROUTE.why}" in done.words


@pytest.mark.parametrize("how", ["option", "environment", "ini"])
@pytest.mark.night("ini", "environment")
def test_it_may_be_a_skip(run, tmp_path, how):
    given, variables = (), {}
    if how == "option":
        given = ("--hdp-unmeasured=skip",)
    elif how == "environment":
        variables = {"HDP_UNMEASURED": "skip"}
    else:
        (tmp_path / "pytest.ini").write_text("[pytest]\nhdp_unmeasured = skip\n")
        given = ("-c", "pytest.ini")
    done = run(SWEEP, *HOSTS, *given, **variables)
    assert done.status == 0, done.printed
    assert f"gone could not be measured: {NO_ROUTE.why}" in done.words


def test_another_word_is_refused_in_one_line(run):
    done = run(SWEEP, *HOSTS, "--hdp-unmeasured=never")
    assert done.status == 4
    (line,) = [line for line in done.printed.splitlines() if line.startswith("ERROR")]
    assert "--hdp-unmeasured: 'never' is not one of error, skip" in line


@pytest.mark.night(but=["choice0-0"])
@pytest.mark.parametrize(
    ("choice", "status"),
    [
        (("-k", "near"), 0),
        (("-m", "mine"), 0),
        (("-k", "gone"), 4),
        (("-k", "nothing_of_that_name"), 5),
        (("--collect-only",), 0),
        (("-k", "gone", "-qq"), 4),
    ],
)
def test_only_what_selected_tests_are_about_is_missed(run, choice, status):
    done = run(SWEEP, *HOSTS, *choice)
    assert done.status == status, done.printed
    assert ("gone could not be measured" in done.words) is (status == 4)


def test_if_none_can_be_had_nothing_is_sent(run, tmp_path):
    (tmp_path / "two.toml").write_text('[[target]]\naddress = "198.51.101.2"\nagent = "netns=nope"\n')
    done = run(SWEEP, CLIENT, "--hdp-inventory=two.toml", "--hdp-protocols=253")
    assert done.status == 4
    assert "ERROR: there is no network namespace 'nope'" in done.printed
    assert not (tmp_path / "report" / "results.jsonl").exists()


@pytest.mark.night
def test_a_target_that_no_test_is_about_needs_no_privilege(tmp_path):
    """Nothing is sent to the address: without CAP_NET_RAW nothing can be."""
    if not can_unshare():
        pytest.skip("privilege: no private network namespace")
    own_namespaces = "--bounding-set=-all,+setfcap"  # what it takes to map uid 0: user_namespaces(7)
    without = ["setpriv", own_namespaces, "--inh-caps=-all"] if os.geteuid() == 0 else []
    loopback = str(TOP / "suites" / "loopback" / "test_sweep.py")

    def start(*suites: str) -> subprocess.CompletedProcess[str]:
        arguments = ["-pno:cacheprovider", "-pno:hypothesispytest", "--hdp-protocols=253", *suites]
        return subprocess.run(
            [*without, sys.executable, "-m", "pytest", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(TOP), "HDP_TARGET": "198.51.101.2"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    done = start(loopback)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 delivered" in done.stdout
    done = start(loopback, SWEEP)
    assert done.returncode == 4
    assert "ERROR: sending to 198.51.101.2 requires CAP_NET_RAW" in done.stderr


@pytest.mark.night
def test_control_fails_where_none_came_through_and_contradicts_nobody(run):
    done = run(CONTROL, SWEEP, CLIENT, "--hdp-target=198.51.101.2", "--hdp-protocols=253", gone=LINK_DOWN)
    assert done.status == 1, done.printed
    nothing_came = "no path to 198.51.101.2: none of 1[0-9] control packets came through; 198.51.101.1 answered"
    assert re.search(nothing_came, done.words), done.printed
    assert "no control was sent" not in done.words
    assert "198.51.101.2 could not be measured: " in done.words


@pytest.mark.night
def test_an_experiment_that_no_path_suits_measured_nothing(run):
    done = run(str(SUITES / "test_nat.py"), CLIENT, "--hdp-target=198.51.102.2", "--hdp-protocols=253")
    assert done.status == 4, done.printed
    assert "198.51.102.2 could not be measured: this test needs an agent at the target" in done.words


MARKED = """
import pytest

@pytest.mark.skip(reason="not today")
@pytest.mark.hdp(path="target")
def test_marked(hdp_probe): hdp_probe.check()

@pytest.mark.hdp(path="target")
def test_of_mine(hdp_path): pytest.skip("no time")
"""


@pytest.mark.night
def test_who_marks_a_test_to_be_skipped_wants_nothing_measured(run, tmp_path):
    (tmp_path / "test_mine.py").write_text(MARKED)
    arguments = (CLIENT, "--hdp-target=198.51.102.2", "--hdp-agent=netns=c", "--hdp-protocols=253")
    assert run("test_mine.py", *arguments, "-k", "marked").status == 0
    done = run("test_mine.py", *arguments)
    assert done.status == 4, done.printed
    assert "198.51.102.2 could not be measured: no time" in done.words


@pytest.mark.night
def test_silence_is_a_measurement(run):
    """The target answers for 254 alone, so 253 is known to be silent."""
    rules = "table inet t { chain i { type filter hook input priority 0; ip protocol 253 drop; }; }"
    silent = Gone("198.51.101.2", "", before=f"ip netns exec b nft '{rules}'")
    done = run(SWEEP, CLIENT, "--hdp-target=198.51.101.2", "--hdp-protocols=253", gone=silent)
    assert (done.status, done.verdicts) == (0, {("198.51.101.2", "silent")}), done.printed


@pytest.mark.night
def test_when_all_evidence_is_gone_the_comparison_says_so(run, tmp_path):
    arguments = (SWEEP, CLIENT, "--hdp-target=198.51.101.2", "--hdp-protocols=253,254")
    assert run(*arguments).status == 0
    (tmp_path / "report").rename(tmp_path / "first")
    assert run(*arguments, gone=LINK_DOWN).status == 4
    compare = [sys.executable, "-m", "pytest_hdp.cli", "compare", str(tmp_path / "first"), str(tmp_path / "report")]
    done = subprocess.run(compare, env={"PYTHONPATH": str(TOP)}, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1] == ("no evidence either way in any of 2 trains, evidence gone: 198.51.101.2")
