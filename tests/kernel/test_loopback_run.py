"""`pytest suites/loopback` as a user starts it, in network namespaces whose firewall rules are ours to make."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from pytest_hdp.vantage.kernel import knows_mptcp

TOP = Path(__file__).parents[2]
SWEEP = "suites/loopback/test_sweep.py"
NORMAL = {
    **dict.fromkeys(range(1, 256), "delivered"),
    **dict.fromkeys((-1, 0, 263), "refused_at_socket"),
    **dict.fromkeys(range(256, 263), "renumbered" if knows_mptcp() else "refused_at_socket"),
}


class Namespace:
    """Runs pytest in a fresh network namespace with loopback up and, if given, nft rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, rules: str, *arguments: str) -> list[str]:
        (self.folder / "rules.nft").write_text(rules)
        pytest_command = [sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest", *arguments]
        script = 'ip link set lo up && { [ ! -s "$0" ] || nft -f "$0"; } && exec "$@"'
        return ["unshare", "-rn", "sh", "-c", script, str(self.folder / "rules.nft"), *pytest_command]

    def run(self, *arguments: str, rules: str = "") -> tuple[int, str, dict[int, dict]]:
        """Exit status, what was printed, and the records by protocol number."""
        report = self.folder / "report"
        command = self.command(rules, f"--hdp-report={report}", f"--junitxml={self.folder / 'junit.xml'}", *arguments)
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=120, check=False)
        lines = (report / "results.jsonl").read_text().splitlines() if (report / "results.jsonl").exists() else []
        records = {record["protocol"]: record for record in map(json.loads, lines)}
        return done.returncode, done.stdout + done.stderr, records


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    if subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("privilege: neither root nor user namespaces")
    for variable in [name for name in os.environ if name.startswith(("HDP_", "PYTEST_"))]:
        monkeypatch.delenv(variable)
    return Namespace(tmp_path)


def verdicts(records: dict[int, dict]) -> dict[int, str]:
    return {number: record["verdict"] for number, record in records.items()}


@pytest.mark.night
def test_every_number_is_what_the_kernel_is_known_to_do(namespace):
    status, printed, records = namespace.run(SWEEP, "-v")
    assert (status, verdicts(records)) == (0, NORMAL), printed
    assert [records[n]["errno"] for n in (-1, 0, 263)] == ["EINVAL", "EPROTONOSUPPORT", "EINVAL"]
    if knows_mptcp():
        assert [records[n]["wire_protocol"] for n in range(256, 263)] == list(range(7))
    assert {record["outcome"] for record in records.values()} == {"passed", "xfailed"}
    assert "255 passed, 10 xfailed" in printed
    # terminal, table and JUnit file agree with the records
    table = (namespace.folder / "report" / "results.md").read_text()
    cases = ET.parse(namespace.folder / "junit.xml").getroot().iter("testcase")
    properties = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert {int(each["hdp_protocol"]): each["hdp_verdict"] for each in properties} == verdicts(records)
    for number, record in records.items():
        assert f"| {number} |" in table
        line = next(line for line in printed.splitlines() if f"test_sweep[p{number:03d}-" in line)
        assert record["verdict"] in line
    errnos = {int(each["hdp_protocol"]): each["hdp_errno"] for each in properties}
    assert (errnos[0], errnos[-1], errnos[253]) == ("EPROTONOSUPPORT", "EINVAL", "")


@pytest.mark.night
def test_without_expectations_refusals_fail(namespace):
    status, printed, _ = namespace.run(SWEEP, "--hdp-expect=none")
    assert status == 1
    assert "10 failed, 255 passed" in printed
    assert "Traceback" not in printed


RULES = """
table inet test {
  chain out { type filter hook output priority 0; ip protocol 47 drop; }
  chain in { type filter hook input priority 0; ip protocol 50 drop; }
}
"""


def test_firewall_rules_fail_their_numbers_and_no_other(namespace):
    status, printed, records = namespace.run(SWEEP, rules=RULES)
    assert status == 1
    assert verdicts(records) == {**NORMAL, 47: "refused_at_send", 50: "held_by_receiver"}, printed
    assert records[47]["errno"] == "EPERM"
    assert {n for n, record in records.items() if record["outcome"] == "failed"} == {47, 50}
    assert records[50]["arrived"] == records[50]["sent"] > 0 == records[50]["delivered"]


@pytest.mark.night
def test_a_receive_buffer_too_small_is_no_evidence_against_anybody(namespace):
    _, printed, records = namespace.run(SWEEP, "--hdp-buffer=1", "--hdp-rate=1000000", rules=RULES)
    for number, verdict in verdicts(records).items():
        truth = {**NORMAL, 47: "refused_at_send", 50: "held_by_receiver"}[number]
        assert verdict in {truth, "inconclusive"}, printed
    assert "inconclusive" in verdicts(records).values()


@pytest.mark.night
def test_measured_once_by_all_workers(namespace):
    status, printed, records = namespace.run(SWEEP, "-n", "3")
    assert (status, verdicts(records)) == (0, NORMAL), printed
    assert len({record["run"] for record in records.values()}) == 1
    assert len({record["control"]["sent"] for record in records.values() if record["sent"]}) == 1


NOISE = 200_000  # packets: more than one run lasts


@pytest.mark.night
def test_noise_under_the_same_numbers_changes_no_verdict(namespace):
    noise = [sys.executable, str(TOP / "tests" / "kernel" / "noise.py"), "--count", str(NOISE), "--seconds", "120"]
    script = 'ip link set lo up; "$@" & n=$!; '
    report = f"--hdp-report={namespace.folder}"
    script += (
        f"{sys.executable} -mpytest -q -pno:cacheprovider -pno:hypothesispytest {SWEEP} {report} || exit 1; wait $n"
    )
    command = ["unshare", "-rn", "sh", "-c", script, "sh", *noise]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (namespace.folder / "results.jsonl").read_text().splitlines()
    assert {r["protocol"]: r["verdict"] for r in map(json.loads, lines)} == NORMAL
    assert str(NOISE) in done.stdout
