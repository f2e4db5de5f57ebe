"""A target by itself, in a topology of somebody else's, asked by nmap and by us in one run: time, and wrong answers.

Printed (`pytest -s`) is how long each took, start included, also as a share of the target's ICMP budget, and how many
of those that it answers were missed. How long is no matter of pass or fail: a busy machine takes longer.

The target is a stock kernel: it answers 246 bare numbers with "unrecognized Next Header", ten a second after six.
"""

import json
import re
import sys

import pytest
from test_path6 import ALONE, SWEEP, TARGET, TOPOLOGY

ANSWERED = frozenset(range(256)) - {0, 6, 17, 43, 44, 58, 59, 60, 103, 136}
PACE = 0.1  # seconds between two errors of the target to one peer
SAVED_UP = 6
REST = 8  # seconds, in which it earns all of those again
AGAIN = f"sleep {REST}\n"


def closed_by_nmap(printed: str) -> int:
    """Of how many numbers nmap says that the target answered: "closed"."""
    not_shown = [int(count) for count in re.findall(r"(\d+) closed \S+ protocols", printed)]
    return sum(not_shown) + len(re.findall(r"(?m)^\d+\s+closed", printed))


@pytest.mark.night
def test_of_a_target_that_answers_ten_times_a_second_nobody_is_missed(in_namespaces, tmp_path):
    nmap = "ip netns exec client nmap -6 -sO -n -Pn -p 0-255"
    ours = f"{sys.executable} -mpytest -pno:cacheprovider -pno:hypothesispytest --hdp-report={tmp_path}/report"
    clock = "echo AT $(date +%s.%N)"
    steps = [TOPOLOGY]
    for speed in ("-T3", "-T4", "-T5"):
        steps += [clock, f"echo BEGIN{speed}", f"{nmap} {speed} {TARGET}", f"echo END{speed}", clock, AGAIN]
    steps += [clock, f"{ours} {SWEEP} {' '.join(ALONE)} || true", clock]
    done = in_namespaces("\n".join(steps), seconds=400)
    at = [float(each) for each in re.findall(r"AT (\S+)", done.stdout)]
    assert len(at) == 8, done.stdout + done.stderr
    budget = (len(ANSWERED) - SAVED_UP) * PACE
    for number, speed in enumerate(("-T3", "-T4", "-T5")):
        closed = closed_by_nmap(done.stdout.partition(f"BEGIN{speed}")[2].partition(f"END{speed}")[0])
        assert closed, done.stdout
        seconds = at[2 * number + 1] - at[2 * number]
        print(f"| nmap -6 -sO {speed} | {seconds:.1f} s | {seconds / budget:.2f} | {len(ANSWERED) - closed} |")
    records = [json.loads(line) for line in (tmp_path / "report/results.jsonl").read_text().splitlines()]
    wrong = [each["protocol"] for each in records if (each["verdict"] == "reached") != (each["protocol"] in ANSWERED)]
    seconds = at[7] - at[6]
    print(f"| pytest-hdp | {seconds:.1f} s | {seconds / budget:.2f} | {len(wrong)} |")
    assert len(records) == 256
    assert wrong == []
