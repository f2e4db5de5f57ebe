"""`pytest suites/internet --hdp-lab=...` as a user starts it: labs of the catalogue and of the user's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab

TOP = Path(__file__).parents[2]
SWEEP = str(TOP / "suites" / "internet" / "test_sweep.py")
LABS = (TOP / "docs" / "labs.md").read_text(encoding="utf-8")


@dataclass
class Done:
    """A pytest run that has ended. `records` by lab, number and direction."""

    status: int
    printed: str
    records: dict[tuple[str, int, str], dict]
    all_records: list[dict]

    def verdicts(self, lab: str) -> dict[tuple[int, str], str]:
        return {key[1:]: record["verdict"] for key, record in self.records.items() if key[0] == lab}


@pytest.fixture
def run(tmp_path: Path):
    """Run pytest in a folder of the user's own, where the suites are named by their path."""
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        if "needs network namespaces" not in str(error):
            raise
        pytest.skip(f"privilege: {error}")

    def start(*arguments: str, before: tuple[str, ...] = ()) -> Done:
        report = tmp_path / "report"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        environment["PYTHONPATH"] = str(TOP)
        command = [
            *before, sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest",
            f"--hdp-report={report}",
        ]  # fmt: skip
        done = subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        results = report / "results.jsonl"
        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        by_key = {(each["path"]["name"], each["protocol"], each["direction"]): each for each in records}
        return Done(done.returncode, done.stdout + done.stderr, by_key, records)

    return start


def documented(language: str, mark: str) -> str:
    """The block of docs/labs.md in this language that has this in it."""
    (block,) = [each for each in re.findall(rf"```{language}\n(.*?)```", LABS, re.DOTALL) if mark in each]
    return block


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_a_lab_from_a_file_is_what_its_file_says(run, tmp_path, workers):
    (tmp_path / "office.toml").write_text(documented("toml", 'name = "office"'))
    # It loses packets, with 253 seldom so many that its share is open: which ones, its seed says.
    done = run(SWEEP, "--hdp-lab=office.toml", "--hdp-protocols=41,47,89,253", "--hdp-seed=1", *workers)
    assert done.status == 0, done.printed
    assert done.verdicts("office") == {
        (41, "forward"): "lost",
        (41, "reverse"): "delivered",
        (47, "forward"): "lost",
        (47, "reverse"): "lost",
        (89, "forward"): "rejected",
        (89, "reverse"): "delivered",
        (253, "forward"): "delivered",
        (253, "reverse"): "delivered",
    }, done.printed


@pytest.mark.night
def test_a_lab_from_a_class_is_what_its_class_says(run, tmp_path):
    (tmp_path / "boxes_of_mine.py").write_text(documented("python", "class OneWay"))
    done = run(SWEEP, "--hdp-lab=boxes_of_mine:OneWay", "--hdp-protocols=252,253", "-v")
    assert done.status == 0, done.printed
    assert done.verdicts("boxes_of_mine:OneWay") == {
        (252, "forward"): "delivered",
        (252, "reverse"): "delivered",
        (253, "forward"): "delivered",
        (253, "reverse"): "lost",
    }, done.printed
    assert "lab boxes_of_mine:OneWay" in done.printed


def test_a_lab_is_asked_by_both_versions(run):
    """A fragment behind a tracker is there as well: what the target says of the number inside is no word about it."""
    arguments = (
        "--hdp-lab=conntrack-only",
        "--hdp-ip-version=both",
        "--hdp-form=both",
        "--hdp-protocols=0,44,253",
        "-v",
    )
    done = run(SWEEP, *arguments)
    assert done.status == 0, done.printed
    records = done.all_records
    found = {(each["ip_version"], each["protocol"], each["form"], each["verdict"]) for each in records}
    assert found == {
        (4, 0, "bare", "reached"),
        (4, 44, "bare", "delivered"),
        (4, 253, "bare", "delivered"),
        (6, 0, "bare", "refused_at_socket"),
        (6, 0, "wellformed", "reached"),
        (6, 44, "bare", "lost"),
        (6, 44, "wellformed", "modified"),
        (6, 253, "bare", "delivered"),
    }, done.printed
    assert "p044-ipv6-frag-forward-wellformed-v6" in done.printed


def without(program: str) -> tuple[str, ...]:
    """What to put before a command so that this program can't be run: it is hidden in a mount namespace of our own."""
    script = 'mount --bind "$0" "$(readlink -f "$(command -v $1)")" && shift && exec "$@"'
    return ("unshare", "-rm", "sh", "-c", script, os.devnull, program)


@pytest.mark.night
def test_without_nft_only_the_labs_that_need_it_are_skipped(run):
    done = run(SWEEP, "--hdp-lab=transparent,home-nat,loss-5", "--hdp-protocols=253", "-rs", before=without("nft"))
    assert done.status == 4, done.printed
    assert {key[0] for key in done.records} == {"transparent", "loss-5"}, done.printed
    assert "lab home-nat needs the program nft: install nftables" in done.printed


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "2 workers"])
@pytest.mark.night
def test_without_ip_no_lab_is_measured(run, workers):
    arguments = ("--hdp-lab=transparent,loss-5", "--hdp-protocols=253", *workers)
    done = run(SWEEP, *arguments, before=without("ip"))
    assert (done.status, done.records) == (4, {}), done.printed
    printed = " ".join(done.printed.split())
    for lab in ("transparent", "loss-5"):
        line = f"hdp: {lab} could not be measured: lab {lab} needs the program ip: install iproute2"
        assert printed.count(line) == 1, done.printed
    assert run(SWEEP, *arguments, "--hdp-unmeasured=skip", before=without("ip")).status == 0


@pytest.mark.night
def test_a_setting_that_the_kernel_does_not_take_is_named(run, tmp_path):
    (tmp_path / "x.toml").write_text('[[box]]\nkind="nftables"\nname="y"\nsysctls={"ipv4/ip_forward"="banana"}\n')
    done = run(SWEEP, "--hdp-lab=x.toml", "--hdp-protocols=253", "-rs")
    assert "lab x needs the settings ipv4/ip_forward = banana of box y: [Errno 22]" in done.printed


@pytest.mark.night
def test_many_labs_in_one_run_are_not_all_open_at_once(run):
    """Each sweep takes 510 sockets; with 900 files only one at a time can be open."""
    labs = ["transparent", "allowlist", "host-firewall"]
    limited = ("prlimit", "--nofile=640:640")
    arguments = (f"--hdp-lab={','.join(labs)}", "--hdp-locate=none", "-rs")
    done = run(str(TOP / "suites" / "internet" / "test_control.py"), SWEEP, *arguments, before=limited)
    assert done.status == 0, done.printed[-3000:]
    assert {lab: len(done.verdicts(lab)) for lab in labs} == dict.fromkeys(labs, 512)
    assert "skipped" not in done.printed


@pytest.mark.night
def test_notes_say_of_which_lab_they_are(run):
    suite = str(TOP / "suites" / "internet" / "test_the_first_packet.py")
    done = run(suite, "--hdp-lab=transparent,allowlist")
    assert done.status == 0, done.printed
    printed = " ".join(done.printed.split())
    assert "note: transparent: 253 (experimental-1), forward: 24 of 24 arrived as sent" in printed
    assert "note: allowlist: 253 (experimental-1), forward: " in printed


@pytest.mark.night
def test_why_a_lab_was_skipped_is_said_without_being_asked_for(run):
    done = run(SWEEP, "--hdp-lab=home-nat", "--hdp-protocols=47,253", before=without("nft"))
    said = "home-nat could not be measured: lab home-nat needs the program nft: install nftables"
    assert said in " ".join(done.printed.split())


def test_without_a_target_it_says_what_to_give(run):
    done = run(SWEEP, "-q")
    assert done.status == 4
    assert "ERROR: no target: give --hdp-lab=NAME, or --hdp-target=ADDR" in done.printed


@pytest.mark.night
def test_workers_show_the_header_that_one_process_shows(run):
    done = run(SWEEP, "--hdp-lab=transparent", "--hdp-protocols=253", "--hdp-seed=7", "-n", "2")
    assert re.search(r"^hdp: Linux \S+ \S+, seed 7$", done.printed, re.MULTILINE)
    assert re.search(r"^hdp: \S+ to 198\.51\.100\.2 \(transparent\), 2 trains", done.printed, re.MULTILINE)


@pytest.mark.night
def test_each_experiment_of_the_nat_suite_has_results_of_its_own(run):
    """An answer comes back in, an unasked packet does not, and the second host is a third path: none hides another."""
    done = run(str(TOP / "suites" / "internet"), "--hdp-lab=home-nat", "--hdp-protocols=253", "-k", "sweep or nat")
    assert done.status == 0, done.printed
    assert {key: record["verdict"] for key, record in done.records.items()} == {
        ("home-nat", 253, "forward"): "delivered",
        ("home-nat", 253, "reverse"): "delivered",
        ("home-nat unsolicited", 253, "reverse"): "lost",
        ("home-nat second", 253, "forward"): "lost",
    }, done.printed
    assert "4 trains: 2 lost (expected), 2 delivered" in done.printed


@pytest.mark.night
def test_many_labs_in_one_run_need_no_more_files_than_one(run):
    """A measurement of several suites is not left half done, a socket for each number open, while others go on."""
    suites = [str(TOP / "suites" / "internet" / f"test_{each}.py") for each in ("nat", "sweep")]
    labs = "--hdp-lab=transparent,allowlist,vpn-friendly"
    done = run(*suites, labs, "--hdp-protocols=0-39", before=("prlimit", "--nofile=210:210"))
    assert done.status == 0, done.printed
    assert {key[0] for key in done.records} >= {"transparent", "allowlist", "vpn-friendly"}
