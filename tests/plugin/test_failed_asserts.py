"""A test with an `assert` of its own, as README shows one: when it fails, the evidence is there, in words."""

import pytest

READMES = """
import pytest

@pytest.mark.hdp(protocols="0,253")
def test_it(hdp_probe):
    assert hdp_probe.verdict == "delivered"
"""


def test_the_evidence_is_below_the_traceback(project):
    project.write(test_it=READMES)
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "hdp_probe = <Observed 0 forward bare: refused_at_socket (EPROTONOSUPPORT)>",
            "E *assert 'refused_at_socket' == 'delivered'",
            "*- what became of the packets -*",
            "protocol 0 (HOPOPT): socket() refused the number with EPROTONOSUPPORT, so",
            "  verdict    refused at socket (EPROTONOSUPPORT), but the test failed",
            "  pytest 'test_it.py::test_it[[]p000-hopopt[]]' --hdp-seed=*",
            "FAILED (refused_at_socket) test_it.py::test_it*",
            "0 (HOPOPT): refused at socket (EPROTONOSUPPORT), but the test failed: *",
        ]
    )
    assert "Result(" not in result.stdout.str()
    assert "got refused" not in result.stdout.str()


def test_of_packets_sent_by_hand_too(project):
    project.write(
        test_it="def test_it(hdp_path):\n    exchange = hdp_path.probe(253)\n    assert exchange.verdict == 'lost'\n"
    )
    project.run().stdout.fnmatch_lines(
        [
            "E *assert 'delivered' == 'lost'",
            "*- what became of the packets -*",
            "protocol 253 (experimental-1): 1 of 1 arrived*",
        ]
    )


@pytest.mark.parametrize("broken", ["raise ValueError('mine')", "pytest.fail('mine')", "assert 0"])
def test_a_delivery_is_not_called_the_failure(project, broken):
    project.write(
        test_it=f"import pytest\n\n@pytest.mark.hdp(protocols='253')\ndef test_it(hdp_probe):\n    {broken}\n"
    )
    printed = project.run().stdout.str()
    assert "FAILED (delivered) test_it.py" in printed
    assert "253 (experimental-1): delivered, but the test failed: " in printed


def test_an_errno_that_differs_is_named_on_both_sides(project):
    project.write(test_it="import pytest\n@pytest.mark.hdp(protocols='0')\ndef test_it(hdp_probe): hdp_probe.check()\n")
    project.pytester.makefile(
        ".toml",
        mine="[profile]\nname='mine'\n[[expect]]\nprotocols='0'\nverdict='refused_at_socket'\nerrno='EPERM'\n",
    )
    printed = " ".join(project.run("--hdp-expect=mine.toml").stdout.str().split())
    said = "expected refused at socket (EPERM), got refused at socket (EPROTONOSUPPORT)"
    assert printed.count(said) == 2
