"""`hdp send` to an IPv6 address, in a namespace whose only link is loopback."""

import subprocess
import sys

import pytest


def send(*arguments):
    command = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-m"]
    command += ["pytest_hdp.cli", "send", *arguments]
    return subprocess.run(command, input=b"moo", capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("::1", "--protocol=58,253"), 0, "253 (experimental-1): 1 sent"),
        (("0:0:0:0:0:0:0:1", "--udp"), 0, "1 sent"),
        (("::1", "--protocol=0"), 1, "0 (hopopt): refused at socket: EPROTONOSUPPORT"),
        (("2001:db8::1",), 1, "refused at send: ENETUNREACH"),
        (("fe80::1",), 2, "fe80::1 needs its interface: fe80::1%eth0"),
        (("::",), 2, "is not the address of one host"),
    ],
)
def test_what_became_of_it_is_said(arguments, status, says):
    done = send(*arguments)
    assert says in (done.stdout + done.stderr).decode()
    assert done.returncode in ({status} if status < 2 else {2, 4})
