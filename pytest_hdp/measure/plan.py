"""What a measurement is asked to do: which trains, how many rounds, how fast."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.statistics import LEAST_SHARE
from pytest_hdp.packet.encoding import Encoding

DEFAULT_CONTENT = b"pytest-hdp: which IP protocol numbers get through?"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a kind of path is treated unless the user says otherwise.

    `rounds`: for every train. `most_rounds`: the cap for the undecided. `rate`: packets a second, at most.
    `spacing`: seconds from the end of one round to the start of the next, doubled for every further round of the
    undecided up to `widest`. `least_timeout`: seconds that a probe is waited for at least, whatever the control's
    round-trip time. `control`: control packets in each round.
    """

    rounds: int
    most_rounds: int
    rate: float
    spacing: float
    widest: float
    least_timeout: float
    control: int


LOOPBACK = Pace(rounds=3, most_rounds=16, rate=50_000, spacing=0.001, widest=0.02, least_timeout=0.02, control=4)
# So many rounds that the burst of a limit shows, which for xt_limit is five unless it is told otherwise; and so many
# controls that rounds without loss in them prove that a number is lost, among a thousand trains.
LAB = Pace(rounds=7, most_rounds=40, rate=20_000, spacing=0.02, widest=0.05, least_timeout=0.02, control=44)
# Over networks of others: well below what fills a queue, and rounds so far apart that a burst of loss hits one.
REMOTE = Pace(rounds=7, most_rounds=40, rate=4000, spacing=0.03, widest=0.03, least_timeout=0.1, control=44)
# Of a box and of its twin so many that both together tell a closed box from chance, among 600 trains, where the way
# loses one packet in ten.
CONTAINED = replace(LAB, rounds=32, control=6)
CONTAINED_FAR = replace(REMOTE, rounds=32, control=6)
AGENTLESS = Pace(rounds=5, most_rounds=20, rate=1000, spacing=1.0, widest=4.0, least_timeout=0.3, control=4)


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement. `timeout`: seconds to wait for one probe; None derives it from the control's round-trip time.

    `error_rate`: the chance, over the whole plan, of calling a train lost, first_only or lossy that is not.
    `locate`: climb the TTLs for "groups" of equal verdicts, "all" trains, or "none".
    `seed` shuffles the order inside each round. `least_share`: a train that is said to get through
    has a delivery probability above it, at 95 %; 0 for any. `unhurried`: time is no matter where a limit that numbers
    share lets only little through. `earlier`: how many seconds ago another run over the path ended, or went on, if one
    is known of: it may have used up what the target says in a time. `contain`: asked is whether anything leaves a box
    or comes in; of that `allow` may. `bound`: how small a probability of passing is to be excluded at 95 %, None: any.
    """

    trains: tuple[Train, ...]
    pace: Pace = LOOPBACK
    timeout: float | None = None
    content: bytes = DEFAULT_CONTENT
    encoding: Encoding = Encoding.PLAIN
    seed: int = 0
    error_rate: float = 1e-6
    locate: str = "groups"
    least_share: float = LEAST_SHARE
    unhurried: bool = False
    earlier: float | None = None
    contain: bool = False
    allow: tuple[int, ...] = ()
    bound: float | None = None

    @property
    def seconds(self) -> float:
        """How long the rounds that everyone gets take at least: those of a box, and of its twin."""
        rounds = self.pace.rounds * (2 if self.contain else 1)
        ways = len({train.direction for train in self.trains}) if self.contain else 1
        return rounds * (len(self.trains) / self.pace.rate + ways * self.pace.spacing)


def bounded(pace: Pace, bound: float) -> Pace:
    """Return a pace with so many rounds that none of them seen excludes a probability of passing at 95 %.

    With a tenth more than that, for what the way loses.
    """
    rounds = math.ceil(math.log(0.05) / math.log1p(-0.9 * bound))
    rounds = max(pace.rounds, rounds)
    return replace(pace, rounds=rounds, most_rounds=rounds)
