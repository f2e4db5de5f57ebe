"""What is told of a limit that numbers share."""

import pytest

from pytest_hdp.report.limits import shared_limits
from pytest_hdp.report.story import story
from pytest_hdp.report.summary import surprises


@pytest.fixture
def limited(record):
    def limited(number, verdict="delivered", **limit):
        shared = {"rate": 9.87, "burst": 5, "interval": 0.1, "numbers": "2-5,47", "most": 11.0} | limit
        return record(number, verdict, shared_limit=shared)

    return limited


def test_one_sentence_for_a_course(limited, record):
    said = ["5 numbers share a limit of about 9.9 packets a second"]
    assert shared_limits([limited(47), limited(3, "inconclusive")]) == said
    slow = limited(47, rate=0.4, most=0.9)
    assert shared_limits([slow]) == ["5 numbers share a limit of less than one packet a second"]
    thin = limited(47, rate=400, most=None)
    assert shared_limits([thin, slow]) == ["5 numbers share a limit of at least 400 packets a second"]
    assert shared_limits([limited(47, numbers="47", rate=1234, most=1300)]) == [
        "1 number shares a limit of about 1200 packets a second"
    ]
    assert shared_limits([record(47)]) == []


def test_numbers_that_are_none_never_raise(limited):
    [said] = shared_limits([limited(47, numbers="\x1b[31m")])
    assert said.isprintable()


def test_the_terminal_and_the_page_say_so(limited):
    told = story([limited(47), limited(50)])
    assert any("share a limit of about 9.9 packets a second" in line for line in told.lines)
    lines = surprises([limited(47), limited(50)])
    text = " ".join("".join(part for part, _ in line) for line in lines)
    assert "share a limit of about 9.9 packets a second" in " ".join(text.split())
