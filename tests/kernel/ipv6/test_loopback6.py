"""`pytest suites/loopback --hdp-ip-version=...` as a user starts it, in network namespaces of our own."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pytest_hdp.vantage.kernel import knows_mptcp

TOP = Path(__file__).parents[3]
SWEEP = "suites/loopback/test_sweep.py"
NORMAL = {
    **dict.fromkeys(range(1, 256), ("delivered", None)),
    **dict.fromkeys((-1, 263), ("refused_at_socket", "EINVAL")),
    0: ("refused_at_socket", "EPROTONOSUPPORT"),
    **dict.fromkeys(range(256, 263), ("refused_at_send" if knows_mptcp() else "refused_at_socket", "EINVAL")),
}


@pytest.fixture
def run_in_mounts(run):
    """As `run`, with mounts of its own."""
    return partial(run, flags="-rnm")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs pytest where only loopback is up. Returns exit status, what was printed, and the records by version."""
    for variable in [name for name in os.environ if name.startswith(("HDP_", "PYTEST_"))]:
        monkeypatch.delenv(variable)

    def start(*arguments, before="", environment=(), flags="-rn"):
        report = tmp_path / "report"
        script = f'ip link set lo up && {before or "true"} && exec "$@"'
        command = ["unshare", flags, "sh", "-c", script, "sh", sys.executable, "-mpytest", "-pno:cacheprovider"]
        command += ["-pno:hypothesispytest", f"--hdp-report={report}", *arguments]
        told = dict(os.environ) | dict(environment)
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=300, check=False, env=told)
        lines = (report / "results.jsonl").read_text().splitlines() if (report / "results.jsonl").exists() else []
        found = {4: {}, 6: {}}
        for record in map(json.loads, lines):
            found[record["ip_version"]][record["protocol"]] = record
        return done.returncode, done.stdout + done.stderr, found

    return start


def verdicts(records):
    return {number: (record["verdict"], record["errno"]) for number, record in records.items()}


def test_every_number_over_ipv6_is_what_the_kernel_is_known_to_do(run):
    status, printed, found = run(SWEEP, "--hdp-ip-version=6", "-v")
    assert (status, found[4]) == (0, {}), printed
    assert verdicts(found[6]) == NORMAL, printed
    assert {(record["path"]["source"], record["path"]["target"]) for record in found[6].values()} == {("::1", "::1")}
    assert all("-v6]" in line for line in printed.splitlines() if "test_sweep[" in line)
    assert not any(record["modified"] for record in found[6].values())


@pytest.mark.night
def test_both_versions_in_one_run_and_no_id_of_ipv4_moves(run, tmp_path):
    status, printed, found = run(SWEEP, "-v", environment={"HDP_IP_VERSION": "both"})
    assert status == 0, printed
    assert verdicts(found[6]) == NORMAL
    assert len(found[4]) == 265
    _, alone, _ = run(SWEEP, "--co", "-q")
    ids = set(re.findall(r"test_sweep\[\S+\]", printed))
    four = set(re.findall(r"test_sweep\[\S+\]", alone))
    assert four == {each for each in ids if not each.endswith("-v6]")}
    assert {each.replace("]", "-v6]") for each in four} == ids - four


RULES = "nft 'table ip6 t { chain o { type filter hook output priority 0; meta l4proto 47 drop; }; \
chain i { type filter hook input priority 0; meta l4proto 50 drop; }; }'"


@pytest.mark.night
def test_a_rule_for_ipv6_alone_fails_its_number_there_alone(run):
    status, printed, found = run(SWEEP, "--hdp-ip-version=both", before=RULES)
    assert status == 1, printed
    expected = NORMAL | {47: ("refused_at_send", "EPERM"), 50: ("held_by_receiver", None)}
    assert verdicts(found[6]) == expected, printed
    assert {found[4][number]["verdict"] for number in range(1, 256)} == {"delivered"}
    grids = [line for line in printed.splitlines() if "loopback" in line]
    assert any("IPv6" in line for line in grids), printed


OFF = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"


def test_ipv6_switched_off_is_said_before_anything_is_sent(run):
    status, printed, found = run(SWEEP, "--hdp-ip-version=6", before=OFF)
    assert (status, found) == (4, {4: {}, 6: {}})
    assert "IPv6 is switched off on this host (net.ipv6.conf.all.disable_ipv6=1)" in printed
    assert "Traceback" not in printed


@pytest.mark.night
def test_of_both_versions_the_one_that_there_is_is_measured(run):
    status, printed, found = run(SWEEP, "--hdp-ip-version=both", before=OFF)
    assert (status, len(found[4]), found[6]) == (4, 265, {}), printed
    assert "IPv6 is switched off on this host" in printed


@pytest.mark.night(but=["arguments1*", "arguments8*"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hdp-ip-version=5"], "'5' is not one of 4, 6, both"),
        (["--hdp-target=fe80::1"], "fe80::1 needs its interface: fe80::1%eth0"),
        (["--hdp-target=::ffff:192.0.2.1"], "is IPv4 inside IPv6: write 192.0.2.1"),
        (["--hdp-target=ff02::1"], "is not the address of one host"),
        (["--hdp-target=::"], "is not the address of one host"),
        (["--hdp-target=2001:db8::2%eth0"], "only a link-local address has an interface"),
        (["--hdp-target=2001:db8::2", "--hdp-ip-version=4"], "2001:db8::2 is an IPv6 address, and --hdp-ip-version"),
        (["--hdp-target=192.0.2.1", "--hdp-ip-version=6"], "192.0.2.1 is an IPv4 address, and --hdp-ip-version"),
        (["--hdp-target=example.net"], "name the one you mean"),
    ],
)
def test_what_is_missing_is_said_in_one_line(run, arguments, says):
    status, printed, found = run("suites/internet/test_sweep.py", *arguments)
    assert (status, found) == (4, {4: {}, 6: {}})
    assert says in printed
    assert "Traceback" not in printed


HOSTS = """
printf '%s\\n' '2001:db8::2 Example.net other # third' '192.0.2.2 example.net' 'nonsense example.net' \
  '2001:db8::2 example.net' > /tmp/hosts.$$ && mount --bind /tmp/hosts.$$ /etc/hosts && rm /tmp/hosts.$$
"""


@pytest.mark.parametrize("name", ["example.net", "EXAMPLE.NET"])
@pytest.mark.night("EXAMPLE.NET")
def test_of_a_host_name_the_addresses_are_listed_and_nobody_is_asked(run_in_mounts, name):
    """By the host's own list of hosts: in a namespace without a way out a name server could not be asked either."""
    status, printed, found = run_in_mounts(
        "suites/internet/test_sweep.py", f"--hdp-target={name}", before=HOSTS.strip()
    )
    assert (status, found) == (4, {4: {}, 6: {}}), printed
    assert f"--hdp-target: {name} is 2001:db8::2 and 192.0.2.2: name the one you mean" in printed
    assert "Traceback" not in printed


@pytest.mark.night
def test_the_whole_suite_as_an_ordinary_user(run):
    """In a user namespace of one's own, as `unshare -rn` makes it: raw sockets there take no other privilege."""
    status, printed, _ = run("suites/loopback", "--hdp-ip-version=6", "--deselect=suites/loopback/test_latency.py")
    assert status == 0, printed
