"""What is told of a limit that numbers share."""

import pytest

from pytest_hdp.report.limits import shared_limits
from pytest_hdp.report.story import story
from pytest_hdp.report.summary import surprises

PATH = {"kind": "netns", "name": "tokyo", "source": "192.0.2.2", "target": "198.51.100.2", "agent": "netns=far"}


def record(number, verdict="delivered", **limit):
    shared = {"rate": 9.87, "burst": 5, "interval": 0.1, "numbers": "2-5,47"} | limit
    return {
        "path": PATH, "direction": "forward", "form": "bare", "protocol": number, "keyword": "", "verdict": verdict,
        "outcome": "passed", "explanation": "why", "sent": 7, "arrived": 7, "delivered": 7, "shared_limit": shared,
    }  # fmt: skip


def test_one_sentence_for_a_course():
    said = ["5 numbers share a limit of about 9.9 packets a second"]
    assert shared_limits([record(47), record(3, "inconclusive")]) == said
    assert shared_limits([record(47, rate=0.4)]) == ["5 numbers share a limit of less than one packet a second"]
    assert shared_limits([record(47, numbers="47", rate=1234)]) == [
        "1 number shares a limit of about 1200 packets a second"
    ]
    assert shared_limits([{"protocol": 47}]) == []


@pytest.mark.parametrize("limit", [{"numbers": "\x1b[31m"}, {"numbers": 7}, {"rate": "fast"}, {"rate": None}])
def test_untrusted_fields_never_raise(limit):
    [said] = shared_limits([record(47, **limit)])
    assert said.isprintable()


def test_the_terminal_and_the_page_say_so():
    told = story([record(47), record(50)])
    assert any("share a limit of about 9.9 packets a second" in line for line in told.lines)
    lines = surprises([record(47), record(50)])
    text = " ".join("".join(part for part, _ in line) for line in lines)
    assert "share a limit of about 9.9 packets a second" in " ".join(text.split())
