"""`hdp listen` hears IPv6: all of it, one address, and beside IPv4; in a namespace whose only link is loopback."""

import json
import subprocess
import sys

import pytest

LISTEN = f"{sys.executable} -m pytest_hdp.cli listen"
SEND = f"{sys.executable} -m pytest_hdp.cli send"


def heard(listen, *targets, number=253, expected):
    """Start a listener, send to these addresses once it listens, and return what it printed."""
    sends = "\n".join(f"echo moo{at} | {SEND} {each} --protocol={number}" for at, each in enumerate(targets))
    script = f"""
ip link set lo up
exec 3< <({LISTEN} {listen} --count {expected} 2>&1)
while IFS= read -r line <&3; do case $line in *"listening under"*) break;; *) echo "$line" >&2;; esac; done
{sends} >/dev/null
cat <&3
"""
    done = subprocess.run(
        ["unshare", "-rn", "timeout", "60", "bash", "-c", script], capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines()


@pytest.mark.night(but=["253 --json-hears0"])
@pytest.mark.parametrize(
    ("listen", "hears"),
    [
        ("253 --json", ["::1", "127.0.0.1"]),
        ("253 --json --address ::", ["::1"]),
        ("253 --json --address ::1", ["::1"]),
        ("253 --json --address 0.0.0.0", ["127.0.0.1"]),
        ("253 --json --address 127.0.0.1", ["127.0.0.1"]),
    ],
)
def test_which_packets_are_shown(listen, hears):
    lines = heard(listen, "::1", "127.0.0.1", expected=len(hears))
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [each["ip"]["destination"] for each in told] == hears, lines
    assert all(each["ip"]["protocol"] == 253 and each["content"].startswith("moo") for each in told)


@pytest.mark.night(but=["253"])
@pytest.mark.parametrize("number", [44, 58, 253])
def test_what_the_header_of_ipv6_says_is_told(number):
    """Under 44, too, what came is what was sent: it is read by the fixed header alone."""
    lines = heard(f"{number}", "::1", number=number, expected=1)
    assert lines[0].startswith(f"::1 > ::1  protocol {number} ("), lines
    assert "  hop limit 64  label 00000  dscp 0  ecn 0  length 17" in lines[0]
    assert lines[1].startswith("  HDP 420 > 420  sent ")
    assert lines[2] == "  | moo0"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--address 2001:db8::1", "2001:db8::1 is no address of this host"),
        ("--address fe80::1", "fe80::1 needs its interface: fe80::1%eth0"),
        ("--address example.net", "is not an IPv4 address"),
        ("0 --address ::", "socket() refused 0 (hopopt)"),
    ],
)
def test_what_can_not_be_listened_to_is_said(arguments, says):
    script = f"ip link set lo up; timeout 60 {LISTEN} {arguments}"
    done = subprocess.run(["unshare", "-rn", "bash", "-c", script], capture_output=True, text=True, check=False)
    assert says in done.stderr
    assert done.returncode in (1, 2, 4)
    assert "Traceback" not in done.stderr
