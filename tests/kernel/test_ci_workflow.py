"""docs/ci/hdp.yml as it stands, from the checkout to the summary, three nights: sudo, paths and exit statuses are real.

All that it touches below /etc, /opt, /usr/local/sbin and /var/lib is in a mount namespace of the test's own.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.long

TOP = Path(__file__).parents[2]
CI = TOP / "docs" / "ci"
PAGE = (CI.parent / "ci.md").read_text(encoding="utf-8")
STEPS = yaml.safe_load((CI / "hdp.yml").read_text(encoding="utf-8"))["jobs"]["measure"]["steps"]

# the runner's host, and two targets on a link each; what a package or an administrator would put there
HOST = """
set -e
mount --make-rprivate /
mount -t tmpfs none /run
cp -a /etc {folder}/etc; mount --bind {folder}/etc /etc
for each in /opt /var/lib /usr/local/sbin; do mount -t tmpfs none $each; done
mkdir -p /opt/hdp/bin /opt/hdp/empty /etc/hdp /var/lib/hdp/empty
echo 'root ALL=(ALL) ALL' >/etc/sudoers; rm -rf /etc/sudoers.d; chmod 440 /etc/sudoers
install -m 0755 {ci}/hdp-measure /usr/local/sbin/hdp-measure
cat >/opt/hdp/bin/hdp <<'END'
#!/bin/sh
PYTHONPATH={top} exec {python} -m pytest_hdp.cli "$@"
END
cat >/opt/hdp/bin/pytest <<'END'
#!/bin/sh
PYTHONPATH={top} exec {python} -P -m pytest -pno:hypothesispytest --hdp-protocols=6,47,132,253 \\
    -k 'sweep or control' "$@"
END
chmod 755 /opt/hdp/bin/*
ip link set lo up
for i in 1 2; do
  ip netns add h$i; ip -n h$i link set lo up
  ip link add to$i type veth peer name eth0 netns h$i
  ip addr add 198.51.$i.1/24 dev to$i; ip link set to$i up
  ip -n h$i addr add 198.51.$i.2/24 dev eth0; ip -n h$i link set eth0 up
  printf '[[target]]\\nname = "h%d"\\naddress = "198.51.%d.2"\\nagent = "netns=h%d"\\n' $i $i $i >>/etc/hdp/hosts.toml
done
"""
ALWAYS_DIFFERENT = "ip netns exec h2 nft 'table ip own { chain c { type filter hook input priority 0; %s drop; }; }'\n"
NIGHTS = {
    "same": "",
    "changed": "nft 'table ip o { chain c { type filter hook output priority 0; oifname to1 ip protocol 47 drop; }; }'",
    "outage": "nft delete table ip o; ip -n h2 link set eth0 down",
}


def recording() -> str:
    """How docs/ci.md says to record what is normal."""
    (block,) = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "--hdp-record=" in block]
    return block


def job(night: str) -> str:
    """A shell script that does a job's steps as a runner does, and notes the exit status of each."""
    lines = [f"mkdir -p $work/{night}/temp; cd $work/{night}; failed="]
    for number, step in enumerate(STEPS):
        if "checkout" in step.get("uses", ""):
            command = "cp -r $work/repository/. ."
        elif "upload-artifact" in step.get("uses", ""):
            paths = step["with"]["path"].replace("${{ runner.temp }}", "$RUNNER_TEMP").split()
            command = f"for each in {' '.join(paths)}; do ls $each/*; done"
        else:
            once = "suites.loopback" in step["run"] and night != "same"  # this kernel is the same each night
            command = "mkdir $RUNNER_TEMP/hdp; touch $RUNNER_TEMP/hdp/results.jsonl" if once else step["run"]
        due = "true" if step.get("if") == "always()" else '[ -z "$failed" ]'
        given = f"GITHUB_ACTIONS=true RUNNER_TEMP=$work/{night}/temp GITHUB_STEP_SUMMARY=$work/{night}/summary-{number}"
        lines.append(
            f"if {due}; then {given} bash -e -c {shlex.quote(command)} >$work/{night}/log-{number} 2>&1"
            f" </dev/null; s=$?; else s=skipped; fi; [ $s = 0 ] || failed=1; echo $s >$work/{night}/status-{number}"
        )
    return "\n".join(lines)


class Jobs:
    """What came of each night's job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def statuses(self, night: str) -> list[str]:
        return [(self.folder / night / f"status-{number}").read_text().strip() for number in range(len(STEPS))]

    def log(self, night: str) -> str:
        return "\n".join(each.read_text() for each in sorted((self.folder / night).glob("log-*")))

    def summary(self, night: str) -> str:
        return "\n".join(each.read_text() for each in sorted((self.folder / night).glob("summary-*")))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Jobs:
    if os.geteuid() != 0:
        pytest.skip("privilege: a host that others may not see is set up as root")
    if shutil.which("sudo") is None:
        pytest.skip("needs sudo: apt install sudo")
    folder = tmp_path_factory.mktemp("jobs")
    host = HOST.format(folder=folder, ci=CI, top=TOP, python=sys.executable)
    first = "mkdir -p $work/repository/hdp; cp /var/lib/hdp/first/results.jsonl $work/repository/hdp/"
    nights = "\n".join(f"{before}\n{job(night)}" for night, before in NIGHTS.items())
    script = f"{host}\n{ALWAYS_DIFFERENT % 'ip protocol 132'}\n({recording()}) || true\nset +e\n{first}\n{nights}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HDP_", "PYTEST_"))}
    done = subprocess.run(
        ["unshare", "-nmpf", "--kill-child", "--mount-proc", "bash", "-c", script],
        env={**environment, "work": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (folder / "outage" / "status-0").exists(), done.stdout + done.stderr
    return Jobs(folder)


def named(*statuses: int) -> list[str]:
    """Of checkout, kernel, targets, what was measured, what changed, artifact."""
    return list(map(str, statuses))


@pytest.mark.night
def test_a_night_like_the_first_is_green(jobs: Jobs):
    assert jobs.statuses("same") == named(0, 0, 0, 0, 0, 0), jobs.log("same")
    summary = jobs.summary("same")
    assert "nothing changed in 16 trains" in summary
    assert "Everything as expected" in summary
    assert "ot measured" not in summary


@pytest.mark.night
def test_a_change_is_red_and_is_all_that_is_told(jobs: Jobs):
    assert jobs.statuses("changed") == named(0, 0, 1, 0, 1, 0), jobs.log("changed")
    summary = jobs.summary("changed")
    assert "1 of 16 trains changed" in summary
    assert "1 of 16 not as expected: 47 (GRE)" in summary
    assert "ot measured" not in summary


@pytest.mark.night
def test_an_outage_is_red_and_no_change(jobs: Jobs):
    assert jobs.statuses("outage") == named(0, 0, 1, 0, 3, 0), jobs.log("outage")
    assert "FAILED test_control.py::test_control[h2]" in jobs.log("outage")  # a test that failed is a 1
    assert jobs.log("outage").count("FAILED test_") == 1
    summary = jobs.summary("outage")
    assert "evidence gone: h2" in summary
    assert "h2 could not be measured" in summary
    assert "h2 not measured" in summary
    assert "as expected" not in summary.lower()
