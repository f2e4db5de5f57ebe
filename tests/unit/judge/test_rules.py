"""No rule of judgement changes unseen: the verdicts on a fixed set of evidence have a digest for each rules' number.

Where this fails, a verdict, a place, or when a train has had enough changed for evidence that stayed the same.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_hdp.judge import inference
from pytest_hdp.judge.evidence import (
    Circumstances,
    IcmpReport,
    Observers,
    Probe,
    Reply,
    RoundControl,
    Sighting,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.result import RULES
from pytest_hdp.judge.statistics import LEAST_SHARE
from pytest_hdp.measure import plan

DIGESTS = {2: {7: "c66a5e8868bb7134", 29: "331f467769ff2f67"}}
"""By the rules' number, and by one in how many. Rules before these were in no digest."""

ME, ROUTER, TARGET = "192.0.2.2", "100.64.0.1", "198.51.100.2"
NAMES = {"source": ME, "target": TARGET}
NUMBERS = (132, 253, 17, 47, 0)
OBSERVERS = (
    Observers(),
    Observers(delivered=False),
    Observers(arrived=False, delivered=False),
    Observers(left=False),
)
ROUNDS = 7
CONTROLS = ((12,) * ROUNDS, (12, 11, 12, 7, 12, 9, 12), (0,) * ROUNDS, (12, 0, 12, 12, 0, 12, 12))
ERRORS = ((ROUTER, 3, 13), (ROUTER, 11, 0), (TARGET, 3, 2), (TARGET, 3, 3), (TARGET, 3, 13))


def fates(number: int, index: int) -> tuple[Probe, ...]:
    """What may become of one probe, each once."""
    at = index * 1_000_000_000
    seen = Sighting(at + 1, number, True, ME, TARGET, 62)
    damaged = replace(seen, genuine=False, changed=("payload",))
    nothing = Probe(index, index, at)
    left = replace(nothing, left=(seen,))
    came = replace(left, arrived=(seen,))
    return (
        nothing,
        replace(nothing, errno="EPERM"),
        replace(nothing, errno="ENOBUFS"),
        replace(nothing, left=(replace(seen, protocol=4),)),
        left,
        *(replace(left, icmp=(IcmpReport(at + 2, *error, True),)) for error in ERRORS),
        replace(left, icmp=(IcmpReport(at + 2, *ERRORS[0], False),)),
        replace(left, replies=(Reply(at + 4, TARGET, 62, "TCP RST", "our sequence number"),)),
        replace(left, carried=(17,)),
        came,
        replace(came, icmp=(IcmpReport(at + 2, *ERRORS[-1], True),)),
        replace(left, arrived=(damaged,), delivered=(damaged,)),
        replace(came, delivered=(seen,)),
    )


PATTERNS = ("aaaaaaa", "abbbbbb", "aaaaaab", "abababa", "aabaaaa", "ababaaa", "baaaaaa")


def evidence(one_in: int) -> Iterator[tuple[TrainEvidence, Circumstances]]:
    """One in so many of each two fates, in each order, seen by each set of observers, beside each control."""
    kinds = range(len(fates(0, 0)))
    turns = itertools.cycle(itertools.product(NUMBERS, (False, True), (None, "the agent is gone"), (False, True)))
    every = itertools.product(kinds, kinds, PATTERNS, OBSERVERS, CONTROLS)
    for first, second, pattern, observers, came in itertools.islice(every, None, None, one_in):
        number, more, gone, firewall = next(turns)
        probes = [fates(number, at)[first if letter == "a" else second] for at, letter in enumerate(pattern)]
        control = [RoundControl(at, 12, each, 12) for at, each in enumerate(came)]
        yield (
            TrainEvidence(Train(number), None, tuple(probes)),
            Circumstances(
                tuple(control), observers, more_rounds=more, agent_gone=gone, names=NAMES, minimum_count=5,
                firewall_says_port=firewall,
            ),
        )  # fmt: skip


def digest(one_in: int) -> str:
    found = hashlib.blake2b(digest_size=8)
    for each in evidence(one_in):
        judgement = judge(*each)
        found.update(f"{judgement.verdict} {judgement.place} {judgement.final}\n".encode())
    for pace in (plan.LOOPBACK, plan.LAB, plan.REMOTE, plan.AGENTLESS):
        found.update(f"{pace.rounds} {pace.most_rounds}\n".encode())
    found.update(f"{LEAST_SHARE}\n".encode())
    return found.hexdigest()


@pytest.mark.night("7")
@pytest.mark.parametrize("one_in", [7, 29])
def test_a_rule_that_changes_raises_the_rules_number(one_in: int) -> None:
    now = digest(one_in)
    assert now == DIGESTS.get(RULES, {}).get(one_in), (
        f"the verdicts are not those of rules {RULES} any more: raise RULES in pytest_hdp/judge/result.py, unless no "
        f"version with rules {RULES} is out yet; say in docs/verdicts.md what changed, and put {now!r} into DIGESTS"
    )


@pytest.mark.parametrize(("name", "value"), [("SUSPICIOUS", 0.2), ("COMMON", 0.9)])
@pytest.mark.night
def test_the_digest_notices_another_threshold(monkeypatch: pytest.MonkeyPatch, name: str, value: float) -> None:
    monkeypatch.setattr(inference, name, value)
    assert digest(29) != DIGESTS[RULES][29]
