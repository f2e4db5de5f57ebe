"""`hdp lab list` and `show`: what they print, and bad input. Nothing is built."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from pytest_hdp.cli import lab as command
from pytest_hdp.lab.catalogue import SANDBOXES, names


def hdp(*argv: str) -> int:
    parser = argparse.ArgumentParser(prog="hdp")
    command.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["lab", *argv])
    return int(args.run(args))


@pytest.mark.night
def test_list_has_every_lab_with_its_truth(capsys):
    assert hdp("list") == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [*names(), *SANDBOXES]
    assert "both ways: lost 0,2-5,7-16,18-255; delivered 1,6,17" in printed
    assert "    IPv4: contained 0-131,133-255; got out 132" in printed
    assert "delivered (leaked) 1,6,17,58,132,136" in printed
    assert "refused_at_send (EPERM) 0,2-5" in printed


def test_show_draws_the_path_in_order(capsys):
    assert hdp("show", "home-nat-loss-5") == 0
    printed = capsys.readouterr().out
    marks = ["client      192.0.2.2", "second", "router1", "# home-nat", "~ loss", "router2", "TTL 2", "target"]
    places = [printed.index(mark) for mark in marks]
    assert places == sorted(places)


def test_show_draws_what_stands_at_the_ends(capsys):
    assert hdp("show", "host-firewall") == 0
    printed = capsys.readouterr().out
    assert printed.index("target      198.51.100.2") < printed.index("# host-firewall")
    assert hdp("show", "sender-firewall") == 0
    printed = capsys.readouterr().out
    assert printed.index("client") < printed.index("# sender-firewall") < printed.index("router1")


def test_show_names_a_box_of_ones_own_once(tmp_path, capsys):
    lab = tmp_path / "office.toml"
    lab.write_text('[[box]]\nkind = "nftables"\nname = "office-firewall"\n')
    assert hdp("show", str(lab)) == 0
    assert "    # office-firewall: custom rules" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["show", "homenat"], "did you mean home-nat"),
        (["run", "homenat", "--", "true"], "did you mean home-nat"),
        (["run", "home-nat"], "which command?"),
        (["run", "home-nat", "--"], "which command?"),
        (["run", "--at", "moon", "home-nat", "--", "true"], "no node 'moon', but client, router1, router2, target"),
        (["run", "home-nat", "--at", "moon", "--", "true"], "no node 'moon', but client, router1, router2, target"),
        (["run", "home-nat", "--seed=7", "--at=moon", "true", "--at"], "no node 'moon', but client"),
        (["run", "home-nat", "--at", "moon"], "which command?"),
        (["show", "absent.toml"], "lab absent.toml: No such file"),
    ],
)
def test_bad_input_is_one_line_and_status_4(argv, said, capsys):
    assert hdp(*argv) == 4
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.count("\n") == 1
    assert said in printed.err


def test_a_reader_who_goes_away_is_no_error():
    program = (
        "import argparse, sys; from pytest_hdp.cli import lab as command; parser = argparse.ArgumentParser();"
        "command.add_parser(parser.add_subparsers()); args = parser.parse_args(['lab', 'list']);"
        "sys.exit(args.run(args))"
    )
    lister = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert lister.stdout is not None
    lister.stdout.close()
    _, printed = lister.communicate(timeout=30)
    assert not printed
