"""Several targets in one run: each a group of its own, all of them in the time of one, each with its own observers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SUITES = TOP / "suites" / "internet"
SWEEP = str(SUITES / "test_sweep.py")

# four stock Linux hosts behind a router that drops GRE to the second
TOPOLOGY = """
set -e
mount -t tmpfs none /run
for n in client router s2 s3 s4 s5; do ip netns add $n; ip -n $n link set lo up; done
ip link add c netns client type veth peer name rc netns router
ip -n client addr add 192.0.2.2/24 dev c; ip -n client link set c up
ip -n router addr add 192.0.2.1/24 dev rc; ip -n router link set rc up
for n in 2 3 4 5; do
  ip link add s netns s$n type veth peer name r$n netns router
  ip -n router link set r$n up; ip -n router addr add 198.51.$n.1/24 dev r$n
  ip -n s$n addr add 198.51.$n.2/24 dev s; ip -n s$n link set s up; ip -n s$n route add default via 198.51.$n.1
done
ip -n client route add default via 192.0.2.1
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip netns exec router nft -f - <<'END'
table inet t { chain f { type filter hook forward priority 0; ip daddr 198.51.3.2 ip protocol 47 drop; }; }
END
"""
INVENTORY = """
[[target]]
name = "two"
address = "198.51.2.2"
agent = "netns=s2"
tags = ["watched", "even"]

[[target]]
name = "three"
address = "198.51.3.2"
agent = "netns=s3"
profile = "three.toml"
tags = ["watched"]

[[target]]
name = "four"
address = "198.51.4.2"
tags = ["even"]
"""
THREE = '[profile]\nname = "three"\n[[expect]]\nprotocols = "47"\nverdict = "lost"\ndirection = "forward"\n'


@dataclass
class Done:
    status: int
    printed: str
    records: list[dict]

    def spans(self) -> list[tuple[float, float]]:
        """When the first and the last probe to each target was sent, in seconds since 1970."""
        sent: dict[str, list[float]] = {}
        for each in self.records:
            began = datetime.fromisoformat(each["time"]).timestamp()
            sent.setdefault(each["path"]["name"], []).extend(began + probe["sent"] / 1e9 for probe in each["probes"])
        return [(min(times), max(times)) for times in sent.values()]

    def verdicts(self, **wanted: str) -> dict[tuple[str, int], str]:
        found = [each for each in self.records if all(each[name] == value for name, value in wanted.items())]
        return {(each["path"]["name"], each["protocol"]): each["verdict"] for each in found}


@pytest.fixture
def run(tmp_path: Path):
    """Run pytest beside the topology, which ends with it. `hosts.toml` is in its folder."""
    if subprocess.run(["unshare", "-rnm", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    (tmp_path / "hosts.toml").write_text(INVENTORY)
    (tmp_path / "three.toml").write_text(THREE)

    def start(*arguments: str) -> Done:
        report = tmp_path / "report"
        command = f'exec {sys.executable} -mpytest -pno:cacheprovider -pno:hypothesispytest --hdp-report={report} "$@"'
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        environment["PYTHONPATH"] = str(TOP)
        done = subprocess.run(
            [
                "unshare",
                "-rnmpf",
                "--kill-child",
                "--mount-proc",
                "bash",
                "-c",
                f"{TOPOLOGY}\n{command}",
                "bash",
                *arguments,
            ],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        results = report / "results.jsonl"
        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return Done(done.returncode, done.stdout + done.stderr, records)

    return start


HOSTS = ("--hdp-source=netns=client", "--hdp-inventory=hosts.toml")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_each_target_has_its_own_name_eyes_and_profile(run, workers):
    done = run(SWEEP, *HOSTS, "--hdp-protocols=47,253", "-v", *workers)
    assert done.status == 0, done.printed
    assert done.verdicts(direction="forward") == {
        ("two", 47): "delivered",
        ("two", 253): "delivered",
        ("three", 47): "lost",
        ("three", 253): "delivered",
        ("four", 47): "reached",
        ("four", 253): "reached",
    }
    assert {name for name, _ in done.verdicts(direction="reverse")} == {"two", "three"}
    assert "test_sweep[three-p047-gre-forward]" in done.printed
    assert "expecting three" in done.printed
    assert not any("vantage" in each["path"] for each in done.records)


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (("-m", "watched and not even"), {"three"}),
        (("-m", "even"), {"two", "four"}),
        (("-k", "three or four"), {"three", "four"}),
    ],
)
@pytest.mark.night
def test_tags_are_marks_and_names_are_in_the_ids(run, choice, left):
    done = run(SWEEP, str(SUITES / "test_control.py"), *HOSTS, "--hdp-protocols=253", *choice, "--strict-markers", "-v")
    assert done.status == 0, done.printed
    assert {name for name, _ in done.verdicts()} == left
    for name in left:
        assert f"test_control[{name}]" in done.printed
    assert done.printed.count("test_control[") == len(left)


@pytest.mark.night
@pytest.mark.long
def test_many_silent_targets_cost_the_time_of_one(run):
    """Stock Linux hosts, one ICMP error a second: four of them one after the other would take four times as long."""
    ten = ("--hdp-protocols=253,254,47,50,51,132,4,41,112,89", "--hdp-source=netns=client", "--hdp-locate=none")
    one = run(SWEEP, *ten, "--hdp-target=198.51.2.2")
    four = run(SWEEP, *ten, *(f"--hdp-target=198.51.{number}.2" for number in (2, 3, 4, 5)))
    assert (one.status, four.status) == (0, 0), four.printed
    assert len(four.verdicts()) == 4 * len(one.verdicts()) == 40
    verdicts = four.verdicts()
    assert verdicts.pop(("198.51.3.2", 47)) == "silent"
    assert set(verdicts.values()) == {"reached"}
    [(began, ended)] = one.spans()
    spans = four.spans()
    whole = max(last for _, last in spans) - min(first for first, _ in spans)
    assert whole < 2.5 * (ended - began), spans


def test_a_target_that_is_not_there_costs_the_others_nothing(run, tmp_path):
    (tmp_path / "hosts.toml").write_text(INVENTORY.replace('"netns=s2"', '"netns=nowhere"'))
    done = run(SWEEP, *HOSTS, "--hdp-protocols=253")
    assert done.status == 4, done.printed
    assert {name for name, _ in done.verdicts()} == {"three", "four"}
    assert "there is no network namespace 'nowhere'" in done.printed


@pytest.mark.night(but=["options0*", "options3*"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hdp-inventory=nowhere.toml",), "'nowhere.toml' can't be read"),
        (("--hdp-inventory=three.toml",), "three.toml:1: 'profile' is not [[target]]"),
        ((*HOSTS, "--hdp-agent=popen"), "an inventory names each target's own agent"),
        ((*HOSTS, "--hdp-target=two"), "'two' is not a numeric address"),
        ((*HOSTS, "--hdp-lab=home-nat"), "--hdp-lab has a source"),
    ],
)
def test_what_can_not_be_used_is_one_line_before_anything_is_sent(run, options, said):
    done = run(SWEEP, *options)
    assert (done.status, done.records) == (4, []), done.printed
    (line,) = [line for line in done.printed.splitlines() if line.startswith("ERROR")]
    assert said in line
