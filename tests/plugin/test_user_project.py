"""The marker and the fixtures in a project of a user's own."""

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2]


def test_marker_makes_one_test_for_each_number(project):
    project.write(
        test_mine="""
        import pytest

        @pytest.mark.hdp(protocols="47,50-51,253")
        def test_passes_my_kernel(hdp_probe, hdp_protocol):
            assert hdp_probe.verdict == "delivered"
            assert hdp_protocol in (47, 50, 51, 253)
        """
    )
    result = project.run("-v")
    result.assert_outcomes(passed=4)
    for name in ("p047-gre", "p050-esp", "p051-ah", "p253-experimental-1"):
        result.stdout.re_match_lines([rf".*test_passes_my_kernel\[{name}\].*delivered"])


def test_keyword_selects_one_number(project):
    project.write(test_mine="def test_it(hdp_probe): hdp_probe.check()")
    project.run("-k", "p006").assert_outcomes(passed=1, deselected=255)


def test_protocols_option_chooses_and_narrows(project):
    project.write(
        test_mine="""
        import pytest

        def test_free(hdp_probe): hdp_probe.check()

        @pytest.mark.hdp(protocols="47,50")
        def test_fixed(hdp_probe): hdp_probe.check()

        @pytest.mark.hdp(default="1-3")
        def test_default(hdp_probe): hdp_probe.check()
        """
    )
    project.run("--hdp-protocols=47,132").assert_outcomes(passed=5, deselected=1)


def test_listener_and_sender_by_hand(project):
    project.write(
        test_mine="""
        def test_moo(hdp_listener, hdp_sender):
            listener = hdp_listener(47)
            hdp_sender(47).send(b"moo")
            packet = listener.receive(timeout=1)
            assert packet.content == b"moo" and packet.genuine and packet.protocol == 47

        def test_refused(hdp_listener):
            import pytest
            with pytest.raises(OSError, match="Protocol not supported"):
                hdp_listener(0)
        """
    )
    project.run().assert_outcomes(passed=2)


def test_path_sends_what_it_is_told(project):
    project.write(
        test_mine="""
        def test_moo(hdp_path):
            exchange = hdp_path.probe(47, content=b"moo", count=5, encoding="base128")
            assert exchange.verdict == "delivered"
            assert exchange.contents == (b"moo",) * 5
            assert exchange.result.judgement.sent == 5
        """
    )
    project.run().assert_outcomes(passed=1)


@pytest.mark.night
def test_hand_tests_beside_a_sweep_change_no_verdict(project):
    project.write(
        test_mine="""
        import pytest

        @pytest.mark.hdp(protocols="253")
        def test_first(hdp_probe): hdp_probe.check()

        def test_between(hdp_path, hdp_listener, hdp_sender):
            listener = hdp_listener(254)
            hdp_sender(254).send(b"x")
            assert listener.receive().content == b"x"
            assert hdp_path.probe(253).verdict == "delivered"

        @pytest.mark.hdp(protocols="1-255")
        def test_rest(hdp_probe): hdp_probe.check()
        """
    )
    project.run().assert_outcomes(passed=257)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("protocols='banana'", "banana"),
        ("protocol='1'", "takes no protocol"),
        ("direction='sideways'", "sideways"),
        ("form='round'", "round"),
    ],
)
def test_bad_marker_is_a_clear_error(project, marker, message):
    project.write(
        test_mine=f"""
        import pytest

        @pytest.mark.hdp({marker})
        def test_it(hdp_probe): hdp_probe.check()
        """
    )
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{message}*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_marker_without_its_fixtures_is_a_clear_error(project):
    project.write(test_mine="import pytest\n@pytest.mark.hdp(protocols='47')\ndef test_it(): pass\n")
    project.run().stdout.fnmatch_lines(["*uses neither hdp_probe nor hdp_protocol*"])


def test_without_tests_of_ours_nothing_is_shown(project):
    project.write(test_mine="def test_it(): pass")
    result = project.run()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*hdp:*")
    result.stdout.no_fnmatch_line("*IP protocol numbers*")


@pytest.mark.parametrize("page", ["README.md", "docs/writing-tests.md"])
def test_examples_in_the_documentation_run(project, page):
    blocks = project.examples(DOCS / page)
    assert blocks
    project.write(**{f"test_example_{number}": block for number, block in enumerate(blocks)})
    result = project.run()
    outcomes = result.parseoutcomes()
    assert result.ret == 0, result.stdout.str()
    assert outcomes["passed"] >= len(blocks)
