"""Vantage points behind SSH: what a host's root leaves there, and what stops one while it measures."""

from __future__ import annotations

import os
import select
import socket
import sys

import pytest
from fleet import Fleet
from managed import run
from ssh_hosts import SUDO_USER, TOP, Done

TARGET = "--hdp-target=198.51.100.13"  # h3
SUITE = ("--pyargs", "pytest_hdp.suites.internet.test_sweep", "--hdp-protocols=253", "--hdp-locate=none", TARGET)


@pytest.fixture(scope="module")
def fleet(fleet_of) -> Fleet:
    return fleet_of(3)


def vantage(fleet: Fleet, name: str, user: str = "root", python: str = "", more: str = "") -> str:
    python = f"{python}env PYTHONPATH={TOP} {sys.executable}"
    return f"--tx=ssh={user}@{name}//ssh_config={fleet.folder}/ssh_config//python={python}//id={name}{more}"


def each(fleet: Fleet, *vantages: str, reruns: str = "-pno:rerunfailures") -> Done:
    return fleet.run("--dist=each", *vantages, *SUITE, reruns, env={"COLUMNS": "200"})


@pytest.mark.night
def test_under_sudo_nothing_of_roots_is_left_in_a_home(fleet: Fleet):
    home, root = fleet.folder / "home", fleet.folder / "root"
    for folder in (home, root, fleet.folder / "work"):  # what is written below /root is kept in these two
        folder.mkdir()
    os.chown(home, 4711, 4711)
    passwd = fleet.folder / "passwd"
    lines = [
        line.replace(":/:", f":{home}:") if SUDO_USER in line else line for line in passwd.read_text().splitlines()
    ]
    passwd.write_text("\n".join(lines) + "\n")
    fleet.stop("h1")
    fleet.serve_at("h1")
    done = each(fleet, vantage(fleet, "h1", SUDO_USER, "sudo -n "))
    assert done.status == 0, done.printed
    assert [found.name for found in home.iterdir() if found.stat().st_uid == 0] == []
    assert (root / "pyexecnetcache" / "_pytest").is_dir()


@pytest.mark.night
def test_what_rerunfailures_does_to_far_vantage_points_is_told(fleet: Fleet):
    chdir = f"//chdir={fleet.folder}/at-h1"
    done = each(fleet, vantage(fleet, "h1", more=chdir), reruns="-prerunfailures")
    assert done.status == 4, done.printed
    assert "h1 could not be measured from: pytest-rerunfailures connects from there" in " ".join(done.printed.split())


@pytest.mark.night
@pytest.mark.long
def test_a_way_to_a_vantage_point_that_vanishes_ends_it_and_not_the_others(fleet: Fleet):
    """No packet comes through any more, and nothing is closed: ssh finds out, and the rest is measured."""
    names = [vantage(fleet, name, more=f"//chdir={fleet.folder}/at-{name}") for name in ("h1", "h2")]
    slow = ("--hdp-count=10", "--hdp-rate=1")
    _, wait = fleet.start("--dist=each", *names, *SUITE, *slow, "-pno:rerunfailures", env={"COLUMNS": "200"})
    tap = fleet.hosts["h3"].open_socket(socket.AF_INET, socket.SOCK_RAW, 253)
    with tap:
        source = ""
        while source != fleet.addresses["h1"]:
            assert select.select([tap], (), (), 30)[0], "h1 did not begin"
            source = tap.recvfrom(2048)[1][0]
    run(
        fleet.switch,
        "nft 'table bridge b { chain c { type filter hook forward priority 0; iifname h1 oifname c drop; "
        "iifname c oifname h1 drop; }; }'",
    )
    try:
        done = wait()
    finally:
        run(fleet.switch, "nft flush ruleset")
    assert done.status == 4, done.printed
    said = " ".join(done.printed.split())
    assert "h1 could not be measured from to the end" in said
    assert "1 of 1 tests did not run" in said
    assert {record["path"]["vantage"] for record in done.records.values()} == {"h2"}
