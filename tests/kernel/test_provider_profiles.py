"""`--hdp-expect aws-nat-gateway`: documentation as a test, held against boxes that do what is stated, and others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab

TOP = Path(__file__).parents[2]
SWEEP = str(TOP / "suites" / "internet" / "test_sweep.py")
NUMBERS = "0,1,4,6,17,47,50,51,132,200,253"


def allowing(passes: str) -> str:
    return f'[[box]]\nkind = "router"\n[[box]]\nkind = "allowlist"\npasses = "{passes}"\n'


def dropping(numbers: str) -> str:
    rules = f"table ip x {{ chain f {{ type filter hook forward priority 0; ip protocol {{ {numbers} }} drop; }}; }}"
    return f'[[box]]\nkind = "router"\n[[box]]\nkind = "nftables"\nname = "drops"\nrules = "{rules}"\n'


# for each profile: a lab that does what is stated, one that does not, and the numbers in which that differs
CASES = {
    "aws-nat-gateway": ("aws-nat-gateway", "transparent", {0, 4, 47, 50, 51, 132, 200}),
    "aws-security-group": ("transparent", allowing("1,6,17,47"), {0, 4, 50, 51, 132, 200}),
    "azure-virtual-network": (dropping("4, 47"), dropping("4, 50"), {47, 50}),
    "digitalocean": ("allowlist", "vpn-friendly", {47, 50, 51}),
    "google-external-address": (allowing("1,6,17,47,50,51,132"), "vpn-friendly", {132}),
    "hetzner": (allowing("1,6,17,47,50"), "vpn-friendly", {51}),
    "vultr": ("vpn-friendly", allowing("1,6,17,47,50"), {51}),
}


@pytest.fixture
def sweep(tmp_path: Path):
    """Run the sweep through two labs, and return the exit status, what was printed, and the records by lab."""
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        if "needs network namespaces" not in str(error):
            raise
        pytest.skip(f"privilege: {error}")

    def run(*labs: str, options: tuple[str, ...]) -> tuple[int, str, dict[str, list[dict]]]:
        names = []
        for number, lab in enumerate(labs):
            name = lab
            if "[[box]]" in lab:
                name = f"lab{number}.toml"
                (tmp_path / name).write_text(lab)
            names.append(name)
        command = [
            sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest",
            SWEEP, f"--hdp-lab={','.join(names)}",
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
        done = subprocess.run(
            [*command, "--hdp-report=out", "--hdp-locate=none", *options],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(TOP)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found: dict[str, list[dict]] = {name.removesuffix(".toml"): [] for name in names}
        for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines():
            record = json.loads(line)
            found[record["path"]["name"]].append(record)
        return done.returncode, done.stdout + done.stderr, found

    return run


@pytest.mark.parametrize("profile", CASES)
@pytest.mark.night
def test_a_box_that_does_what_is_stated_is_as_expected_and_another_one_fails(sweep, profile):
    stated, other, differs = CASES[profile]
    options = (f"--hdp-expect={profile}", f"--hdp-protocols={NUMBERS}", "--hdp-form=both")
    status, printed, found = sweep(stated, other, options=options)
    assert status == 1, printed
    right, wrong = found.values()
    assert [(each["protocol"], each["form"], each["verdict"]) for each in right if each["outcome"] == "failed"] == []
    assert {each["protocol"] for each in wrong if each["outcome"] == "failed"} == differs
    assert any(each["outcome"] == "xfailed" for each in right) == (profile != "aws-security-group")
    assert any(each["outcome"] == "passed" and each["expected"] == "delivered" for each in right)
    for each in right:
        if each["protocol"] == 253:
            assert each["outcome"] == ("passed" if each["verdict"] == "delivered" else "skipped")
            assert each["expected"] is None


@pytest.mark.night
def test_a_whole_sweep_behind_the_box_exits_0(sweep):
    status, printed, found = sweep("aws-nat-gateway", options=("--hdp-expect=aws-nat-gateway",))
    assert status == 0, printed
    assert len(found["aws-nat-gateway"]) == 512


@pytest.mark.night
def test_a_rejection_is_as_stated_too(sweep):
    options = ("--hdp-expect=digitalocean", "--hdp-protocols=47,200", "-k", "forward")
    status, printed, found = sweep("reject", options=options)
    assert status == 0, printed
    assert {(each["verdict"], each["expected"], each["outcome"]) for each in found["reject"]} == {
        ("rejected", "rejected", "xfailed")
    }
