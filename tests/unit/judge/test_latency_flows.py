"""Equal-cost paths: what is said where one flow of UDP is not as fast as another, and no more than that."""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

import pytest

from pytest_hdp.judge.latency.differences import Level, Series, difference
from pytest_hdp.judge.latency.flows import nearest
from pytest_hdp.judge.latency.result import AGAIN, HDP, RAW_UDP, UDP, Gate, LatencyResult, Setup, Way, conclude
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction

FLOWS, ROUNDS = 16, 320
SETUP = Setup(
    path=PathInfo("target", "", "192.0.2.2", "198.51.100.2", None),
    direction=Direction.FORWARD,
    way=Way.ONE_WAY,
    protocol=253,
    rounds=ROUNDS,
    size=100,
    seed=1,
    gap_us=60.0,
    late_us=(1.0, 2.0),
    put_off=0,
    flows=FLOWS,
)


def measured(
    seed: int, hdp: float | None, ways: tuple[float, ...], *, added: float = 0.0, noise: float = 0.3
) -> list[Series]:
    """Each flow of UDP goes one of these ways, us longer; all of HDP one that is `hdp` longer, and `added` on top.

    `hdp`: None, if HDP has flows as well, by IPv6's labels.
    """
    chance = random.Random(seed)
    in_flows = (UDP, RAW_UDP) if hdp is not None else (UDP, RAW_UDP, HDP, "TCP-numbered")
    way_of = {kind: [chance.choice(ways) for _ in range(FLOWS)] for kind in in_flows}
    flows = [number % FLOWS for number in range(ROUNDS)]

    def one(label: str) -> Series:
        kind = label.removesuffix(AGAIN)
        longer = [way_of[kind][flow] if kind in way_of else hdp or 0 for flow in flows]
        longer = [each + added * (kind == HDP) for each in longer]
        times = [int(1000 * (100 + each + chance.expovariate(1 / noise))) for each in longer]
        with_ports = flows if kind in way_of else ()
        return Series(label, 253, times, [time + 20_000 for time in times], range(ROUNDS), with_ports)

    return [one(kind + again) for again in ("", AGAIN) for kind in (HDP, UDP, RAW_UDP, "TCP-numbered")]


def run(
    seed: int, hdp: float | None, ways: tuple[float, ...], *, margin: float = 100.0, added: float = 0.0
) -> LatencyResult:
    return conclude(replace(SETUP, margin_us=margin), measured(seed, hdp, ways, added=added))


@pytest.mark.parametrize(
    "ways",
    [(0.0, 200.0), (0.0, 0.0, 0.0, 200.0), (0.0, 100.0, 200.0), (0.0, 20.0, 70.0, 300.0), (0.0, 3.0)],
)
@pytest.mark.parametrize("taken", [0, -1])
@pytest.mark.night(but=["-1-ways4"])
def test_no_two_runs_contradict_each_other_whichever_way_hdp_takes(ways: tuple[float, ...], taken: int) -> None:
    results = [run(seed, ways[taken], ways, margin=100.0) for seed in range(10)]
    for result in results:
        found = result.against(RAW_UDP, Level.KERNEL)
        assert abs(found.median) < 0.3
        assert found.covers_zero
        assert result.valid
        assert "faster" not in result.sentence
        assert "slower" not in result.sentence
    assert len({result.gate for result in results}) == 1
    assert results[0].gate is (Gate.UNDECIDED if max(ways) > 100 else Gate.KEPT)


@pytest.mark.parametrize("added", [0.0, 5.0])
def test_labels_give_hdp_flows_of_its_own_and_the_truth_is_in_the_interval(added: float) -> None:
    for seed in range(10):
        result = run(seed, None, (0.0, 200.0), added=added)
        found = result.against(RAW_UDP, Level.KERNEL)
        assert (found.flows, found.of_a) == (FLOWS, FLOWS)
        assert abs(found.median - added) < 0.3, "of pairs that were hashed to the same way"
        assert found.low <= added <= found.high
        assert 199 < found.spread < 401
        assert "from the nearest of pairs of their flows, which differ by" in result.sentence
        assert result.gate is Gate.UNDECIDED
    alike = run(1, None, (0.0,), added=added)
    assert ("slower" in alike.sentence) is (added == 5.0)
    assert "flows" not in alike.sentence


def test_the_spread_between_flows_of_one_protocol_stands_beside_the_difference() -> None:
    result = run(1, 200.0, (0.0, 200.0))
    found = result.against(RAW_UDP, Level.KERNEL)
    assert found.flows == FLOWS
    assert found.spread == pytest.approx(200, abs=1)
    assert "of UDP's own flows, which differ by 200 us" in result.sentence
    other = result.against("TCP-numbered", Level.KERNEL)
    assert other.high - other.low > 2 * 199, "a number without ports may go either way too"
    assert result.gate is Gate.UNDECIDED


@pytest.mark.parametrize("taken", [0.0, 200.0])
def test_five_microseconds_among_ways_that_differ_are_never_called_none(taken: float) -> None:
    for seed in range(10):
        result = run(seed, taken, (0.0, 200.0), added=5.0)
        assert "no difference" not in result.sentence
        found = result.against(RAW_UDP, Level.KERNEL)
        assert found.low <= 5 <= found.high
        assert found.median == pytest.approx(5, abs=0.5)


def test_what_exceeds_the_spread_is_a_difference() -> None:
    result = run(1, 900.0, (0.0, 200.0))
    assert result.gate is Gate.EXCEEDED
    assert "slower than UDP" in result.sentence
    assert "beyond the 200 us by which UDP's own flows differ" in result.sentence


def test_one_way_is_measured_nearly_as_precisely_as_without_flows() -> None:
    covered, widths = 0, []
    for seed in range(60):
        series = {each.label: each for each in measured(seed, 0.0, (0.0,), added=5.0)}
        found = difference(series[HDP], series[RAW_UDP], Level.KERNEL)
        plain = difference(series[HDP], replace(series[RAW_UDP], flows=()), Level.KERNEL)
        widths.append((found.high - found.low) / (plain.high - plain.low))
        covered += found.low <= 5 <= found.high
    assert covered >= 54
    assert 1 <= statistics.median(widths) < 4


def test_the_nearest_flow_alone_would_be_too_near() -> None:
    chance = random.Random(4)
    by_flow = {flow: [chance.gauss(10 if flow < 8 else 500, 5) for _ in range(12)] for flow in range(16)}
    chosen, spread = nearest(by_flow)
    assert chosen <= frozenset(range(8))
    assert len(chosen) >= 5
    assert spread == pytest.approx(490, abs=5)


def test_a_wide_interval_is_no_statement_that_there_is_nothing() -> None:
    series = measured(1, 0.0, (0.0,), noise=400.0)
    result = conclude(SETUP, series)
    assert "no difference" not in result.sentence
    assert "HDP and UDP are not told apart at user level [" in result.sentence


@pytest.mark.parametrize("longer", [0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 100.0, 300.0])
@pytest.mark.night(but=["45.0", "100.0"])
def test_the_interval_covers_the_truth_also_where_flows_hardly_differ_for_sure(longer: float) -> None:
    """Noise hides half of it: an interval of the flows that seem alike would be off, and narrow."""
    runs, covered = 80, 0
    for seed in range(runs):
        chance = random.Random(seed)
        hdp = chance.choice((0.0, longer))
        series = {each.label: each for each in measured(seed, hdp, (0.0, longer), added=5.0, noise=100.0)}
        found = difference(series[HDP], series[RAW_UDP], Level.KERNEL)
        covered += found.low <= 5 <= found.high
    assert covered >= 0.87 * runs


@pytest.mark.night(but=["ways1-0.0", "ways0-5.0"])
@pytest.mark.parametrize("added", [0.0, 5.0])
@pytest.mark.parametrize("ways", [(0.0,), (0.0, 50.0, 200.0)])
def test_jitter_that_goes_on_from_packet_to_packet_is_no_protocols(ways: tuple[float, ...], added: float) -> None:
    """Each packet's delay is like that of the one before, tens of microseconds up and down over a hundred of them."""
    runs, covered = 20, 0
    for seed in range(runs):
        chance, state = random.Random(seed), 0.0
        kinds = measured(seed, chance.choice(ways), ways, added=added)
        drifting: dict[str, list[int | None]] = {each.label: [] for each in kinds}
        for number in range(ROUNDS):
            for each in chance.sample(kinds, len(kinds)):
                state = 0.99 * state + chance.gauss(0, 2)
                drifting[each.label].append((each.kernel[number] or 0) + int(1000 * abs(state)))
        result = conclude(SETUP, [replace(each, kernel=drifting[each.label]) for each in kinds])
        found = result.against(RAW_UDP, Level.KERNEL)
        covered += found.low <= added <= found.high
        assert not (added and "no difference in the network" in result.sentence)
    assert covered >= 0.87 * runs
