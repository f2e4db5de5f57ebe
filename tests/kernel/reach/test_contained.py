"""Containers of Podman's as box and twin, whole runs: status 0 only where nothing gets out that may not."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from machine import TOP, Machine

pytestmark = pytest.mark.long

BOX, FAR = "192.0.2.18", "198.51.100.194"
PLACE = f"""
for each in sandbox sibling gate outside; do ip netns add $each; ip -n $each link set lo up; done
i=1
for each in sandbox sibling; do
  ip -n gate link add $each type veth peer name eth0 netns $each
  ip -n $each addr add 192.0.2.$((i*16+2))/28 dev eth0; ip -n $each link set eth0 up
  ip -n gate addr add 192.0.2.$((i*16+1))/28 dev $each; ip -n gate link set $each up
  ip -n $each route add default via 192.0.2.$((i*16+1)); i=$((i+1))
done
ip -n gate link add o type veth peer name eth0 netns outside
ip -n outside addr add {FAR}/26 dev eth0; ip -n outside link set eth0 up
ip -n gate addr add 198.51.100.193/26 dev o; ip -n gate link set o up
ip -n outside route add default via 198.51.100.193
ip netns exec gate sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
cd /
for each in sandbox sibling; do
  podman run -d --network ns:/run/netns/$each -v /usr:/usr:ro --name $each --cap-add NET_RAW \
    --rootfs /run/rootfs sleep 10000
done
"""
SLIRP = """
cd /
nsenter --net=/run/netns/sandbox podman run -d --network slirp4netns -v /usr:/usr:ro --name slirp --cap-add NET_RAW \
  --rootfs /run/rootfs sleep 10000
"""
PASTA = """
nsenter --net=/run/netns/sandbox setpriv --reuid=4720 --regid=4720 --clear-groups \\
  pasta --config-net -f -- sleep 10001 >/run/pasta.log 2>&1 &
until pgrep -fx 'sleep 10001' >/run/pasta.pid; do :; done
until nsenter -n -t "$(cat /run/pasta.pid)" ip route show default | grep -q via; do :; done
"""
RULES = "table ip p {{ chain c {{ type filter hook forward priority 0; {}; }}; }}"
SOME = "--hdp-protocols=6,17,47,132,253"
ALLOW = "--hdp-allow=tcp,udp"
FORMS = {"podman": "podman={}", "command": "command=podman exec -i --user=0 {} python3"}

Run = Callable[..., tuple[int, str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def place(podman: Machine) -> Machine:
    podman.shell(PLACE)
    return podman


@pytest.fixture
def run(place: Machine, tmp_path: Path) -> Run:
    """Under these rules of the gate, from one vantage point beside another one."""

    def start(rules: str, box: str, twin: str, *arguments: str) -> tuple[int, str, list[dict[str, Any]]]:
        place.shell(f"ip netns exec gate nft flush ruleset; ip netns exec gate nft '{RULES.format(rules)}'")
        started = place.start(
            sys.executable, "-mpytest", "-pno:cacheprovider", "-pno:hypothesispytest", str(TOP / "suites/containment"),
            f"--hdp-source={box}", f"--hdp-twin={twin}", "--hdp-agent=netns=outside", f"--hdp-report={tmp_path}",
            *arguments,
        )  # fmt: skip
        printed, _ = started.communicate(timeout=240)
        results = tmp_path / "results.jsonl"
        records = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        return started.returncode, printed, records

    return start


def words(records: list[dict[str, Any]]) -> dict[int, set[str]]:
    """What became of each number, in all its forms."""
    found: dict[int, set[str]] = {}
    for record in records:
        found.setdefault(record["protocol"], set()).add(record["containment"])
    return found


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.night("command")
def test_tcp_and_udp_alone(run: Run, form: str) -> None:
    drop = f"ip saddr {BOX} meta l4proto != {{ tcp, udp }} drop"
    status, printed, records = run(drop, form.format("sandbox"), form.format("sibling"), SOME, ALLOW)
    assert status == 0, printed
    assert words(records) == {
        6: {"allowed"}, 17: {"allowed"}, 47: {"contained"}, 132: {"contained"}, 253: {"contained"},
    }, printed  # fmt: skip
    assert "PROVEN of what was asked: nothing but 6, 17, which may, got out" in " ".join(printed.split())


@pytest.mark.night
def test_sctp_gets_out(run: Run) -> None:
    drop = f"ip saddr {BOX} meta l4proto != {{ tcp, udp, sctp }} drop"
    status, printed, records = run(drop, "podman=sandbox", "podman=sibling", SOME, ALLOW)
    assert (status, words(records)[132], words(records)[47]) == (1, {"leaked"}, {"contained"}), printed


@pytest.mark.night
def test_a_container_without_a_network(run: Run) -> None:
    status, printed, records = run("accept", "podman=box", "podman=sibling", SOME)
    assert (status, {*map(frozenset, words(records).values())}) == (0, {frozenset({"contained"})}), printed
    assert (
        "sendto() refuses it in the box (ENETUNREACH)" in " ".join(printed.split()) or "own kernel refuses" in printed
    )


@pytest.mark.night
def test_a_twin_that_is_shut_too_proves_nothing(run: Run) -> None:
    status, printed, records = run("drop", "podman=sandbox", "podman=sibling", SOME)
    assert (status, {*map(frozenset, words(records).values())}) == (1, {frozenset({"unproven"})}), printed


def test_a_box_that_is_not_there_is_not_proven(run: Run) -> None:
    status, printed, records = run("drop", "podman=bax", "podman=sibling", SOME)
    assert (status, records) == (4, []), printed
    assert "podman=bax" in printed


@pytest.mark.night
def test_a_box_that_may_open_no_raw_socket_is_asked_as_it_is(run: Run) -> None:
    """As Podman makes them: its kernel refuses the numbers, and what an ordinary socket may send is told."""
    status, printed, records = run("accept", "podman=lacks", "podman=sibling", SOME)
    found = words(records)
    assert (status, found[47], found[253]) == (1, {"contained"}, {"contained"}), printed
    assert found[17] == {"contained"}, printed
    assert found[6] == found[132] == {"unproven"}, printed
    by_number = {each["protocol"]: each["explanation"] for each in records}
    for number in (47, 253):
        assert "no right to raw sockets" in by_number[number], by_number[number]
    for number in (6, 132):
        assert "which was not tried" in by_number[number], by_number[number]


@pytest.mark.night
def test_a_stack_that_speaks_in_the_box_s_name_is_no_proof_of_tcp(run: Run, place: Machine) -> None:
    """slirp4netns opens connections of its own, from the host's address: nobody outside knows whose they are."""
    if shutil.which("slirp4netns") is None:
        pytest.skip("optional slirp4netns: apt install slirp4netns")
    place.shell(SLIRP)
    status, printed, records = run("accept", "podman=slirp", "podman=sibling", SOME)
    found = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert status == 1, printed
    assert (found[17, "wellformed"], found[6, "wellformed"]) == ("leaked", "unproven"), printed
    assert {found[number, "bare"] for number in (47, 132, 253)} == {"contained"}, printed
    assert "which is not its own address" in " ".join(printed.split()), printed


@pytest.mark.night
def test_a_stack_that_speaks_in_the_box_s_own_address_is_seen_by_its_connections(run: Run, place: Machine) -> None:
    """pasta copies the host's address: its connections come from the box's own, and have none of our bytes."""
    if shutil.which("pasta") is None:
        pytest.skip("optional pasta: apt install passt")
    place.shell(PASTA)
    box = f"netns=pid:{place.run('cat', '/run/pasta.pid').strip()}"
    status, printed, records = run("accept", box, "podman=sibling", SOME)
    place.shell("pkill -f '^pasta --config-net'")  # it would take a processor until all is over
    found = {(each["protocol"], each["form"]): each["containment"] for each in records}
    assert (status, found[6, "wellformed"]) == (1, "leaked"), printed
    assert found[17, "wellformed"] in {"leaked", "unproven"}, printed
    assert {found[number, "bare"] for number in (47, 132, 253)} == {"contained"}, printed
    assert "made connections to our port, without our bytes" in " ".join(printed.split()), printed
