"""The experiment of extension headers takes part where it is asked for, and moves nothing elsewhere."""

import re
from pathlib import Path

import pytest

from pytest_hdp.judge.evidence import behind
from pytest_hdp.judge.result import Judgement, PathInfo, Result
from pytest_hdp.judge.verdict import Place, Verdict
from pytest_hdp.packet.chain import CHAINS
from pytest_hdp.plugin.boxes import ONLY_BOXES
from pytest_hdp.plugin.chains import BY_IPV4, NO_IPV6, UNSTATED, UNSTATED_HERE, parse_chains
from pytest_hdp.plugin.headers import control_of
from pytest_hdp.plugin.outcome import Observed

SUITE = Path(__file__).parents[2] / "suites/internet/test_extension_headers.py"
OTHER = "import pytest\n\n@pytest.mark.hdp(path='target', default='253')\ndef test_it(hdp_probe): hdp_probe.check()\n"
V6 = ("--hdp-lab=transparent", "--hdp-ip-version=6")


@pytest.fixture
def collected(project):
    project.write(test_extension_headers=SUITE.read_text(encoding="utf-8"), test_other=OTHER)

    def collect(*arguments):
        printed = project.run("--collect-only", "-q", *arguments).stdout.str()
        return re.findall(r"::(\S+)", printed), printed

    return collect


def test_in_a_run_of_all_by_ipv4_nothing_moves(collected):
    ids, printed = collected("--hdp-lab=transparent")
    assert ids == ["test_it[p253-experimental-1]"]
    assert "deselected" not in printed


def test_in_a_run_of_all_by_ipv6_it_is_left_out_and_that_is_told(collected):
    ids, printed = collected(*V6)
    assert ids == ["test_it[p253-experimental-1-v6]"]
    assert "2 deselected" in printed


def test_named_it_asks_all_chains_both_ways_beside_controls(collected):
    ids, _ = collected(*V6, "test_extension_headers.py")
    assert len(ids) == 2 * 4 * (1 + len(CHAINS))
    assert "test_behind_headers[p006-tcp-behind-dst64-forward-v6]" in ids
    assert "test_without_headers[p006-tcp-reverse-wellformed-v6]" in ids


def test_its_option_chooses_chains(collected):
    ids, _ = collected(*V6, "--hdp-extension-headers=dst8,frag")
    assert {each.partition("behind-")[2].partition("-")[0] for each in ids if "behind-" in each} == {"dst8", "frag8"}


def test_numbers_are_those_of_the_transports(collected):
    ids, _ = collected(*V6, "--hdp-extension-headers=all", "--hdp-protocols=17")
    assert {each.partition("[")[2].partition("-")[0] for each in ids if "behind" in each} == {"p017"}


def test_without_an_agent_one_way_only(collected):
    ids, _ = collected("--hdp-target=2001:db8::2", "test_extension_headers.py")
    assert len(ids) == 4 * (1 + len(CHAINS))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--hdp-lab=transparent",), NO_IPV6),
        (("--hdp-target=192.0.2.2",), NO_IPV6),
        (("--hdp-lab=allowlist", "--hdp-ip-version=6"), UNSTATED),
    ],
)
def test_where_nothing_can_be_asked_it_says_why(project, arguments, why):
    project.write(test_extension_headers=SUITE.read_text(encoding="utf-8"))
    printed = project.run("-rs", *arguments, "test_extension_headers.py").stdout.str()
    assert " ".join(why.split()) in " ".join(printed.split())
    assert "2 skipped" in printed


def test_a_list_is_read_in_the_order_of_the_experiment():
    assert parse_chains("frag, dst8,hbh8-dst8") == ("dst8", "frag8", "hbh8-dst8")
    assert parse_chains("all") == tuple(CHAINS)


@pytest.mark.parametrize("text", ["", "dst65", "dst,", "60", "dst-64", "all dst"])
def test_a_wrong_word_is_one_line_and_nothing_is_sent(project, text):
    done = project.run(f"--hdp-extension-headers={text}", *V6)
    assert done.ret == 4
    said = [line for line in done.stderr.lines if line.startswith("ERROR")]
    assert len(said) == 1
    assert "--hdp-extension-headers: " in said[0]
    assert "hbh, dst, rt, frag" in said[0]


@pytest.mark.parametrize("control", [Verdict.INCONCLUSIVE, Verdict.LOST])
def test_what_its_control_did_not_pass_either_is_a_skip_that_says_so(control):
    def observed(verdict, train):
        judgement = Judgement(train, verdict, Place.UNKNOWN, "", final=True)
        path = PathInfo("internet", "there", "2001:db8::1", "2001:db8:b::2", "agent")
        return Observed(Result("run", "now", path, 6, "", judgement, None, verdict.outcome), "none of 7 arrived")

    train = behind(CHAINS["dst64"], 17)
    with pytest.raises(pytest.skip.Exception) as skipped:
        observed(Verdict.LOST, train).check_beside(observed(control, control_of(train)))
    told = "without the headers, so it tells nothing of them: none of 7 arrived"
    assert str(skipped.value) == f"{control} {told}"


@pytest.mark.parametrize(
    ("arguments", "left_out", "why"),
    [
        (("--hdp-target=2001:db8::2", "--hdp-target=192.0.2.2"), "192.0.2.2", BY_IPV4),
        (("--hdp-lab=transparent", "--hdp-lab=allowlist", "--hdp-ip-version=6"), "allowlist-v6", UNSTATED_HERE),
        (("--hdp-lab=transparent", "--hdp-lab=sandbox-closed", "--hdp-ip-version=6"), "sandbox-closed-v6", ONLY_BOXES),
    ],
)
def test_a_named_path_that_drops_out_is_a_skip_with_the_reason(collected, project, arguments, left_out, why):
    ids, _ = collected(*arguments, "test_extension_headers.py")
    assert len(ids) > 2
    assert [each for each in ids if "p0" not in each and "p253" not in each] == [
        f"test_without_headers[{left_out}]",
        f"test_behind_headers[{left_out}]",
    ]
    chosen = [f"test_extension_headers.py::test_{name}_headers[{left_out}]" for name in ("without", "behind")]
    done = project.run("-rs", *arguments, *chosen)
    assert "2 skipped" in done.stdout.str()
    assert " ".join(why.split()) in " ".join(done.stdout.str().split())
    assert done.ret == 4, "nothing was measured of a path that is named"


def test_a_target_that_has_addresses_of_both_versions_drops_out_of_nothing(collected, pytester):
    table = '[[target]]\nname = "both"\naddress = "{}"\n'
    pytester.makefile(".toml", hosts="".join(map(table.format, ("192.0.2.2", "2001:db8::2"))))
    ids, _ = collected("--hdp-inventory=hosts.toml", "test_extension_headers.py")
    assert len(ids) == 4 * (1 + len(CHAINS))


def test_chains_without_the_variant_are_refused(project):
    project.write(test_own="import pytest\n@pytest.mark.hdp(chains=True)\ndef test_it(hdp_probe): hdp_probe.check()\n")
    done = project.run(*V6)
    assert "chains=True needs variant='headers'" in done.stdout.str()
    assert done.ret == 2


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["one", "workers"])
def test_its_option_is_refused_where_nothing_asks_that(project, workers):
    project.write(test_other=OTHER)
    done = project.run("--hdp-extension-headers=all", *V6, *workers)
    assert done.ret == 4
    assert [line for line in done.stderr.lines if line.strip()] == [
        "ERROR: --hdp-extension-headers: none of these tests asks about extension headers; "
        "suites/internet/test_extension_headers.py does"
    ]


def test_its_option_is_not_refused_where_its_tests_are_only_deselected(collected):
    ids, _ = collected("--hdp-extension-headers=all", *V6, "-k", "test_it")
    assert ids == ["test_it[p253-experimental-1-v6]"]


def test_the_command_that_repeats_another_test_has_not_its_option(project):
    failing = OTHER.replace("default='253'", "protocols='44', form='wellformed'")
    project.write(test_extension_headers=SUITE.read_text(encoding="utf-8"), test_other=failing)
    chosen = ("--hdp-extension-headers=dst8", "--hdp-lab=frag-drop", "--hdp-ip-version=6", "-k", "test_it")
    printed = project.run(*chosen, "--hdp-expect=none").stdout.str()
    (repeat,) = re.findall(r"pytest 'test_other.*--hdp-seed.*", printed)
    assert "extension-headers" not in repeat
