"""The latency statistics against enumeration, drawn resamples and simulated truth; and what the sentence says."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.latency.differences import (
    ENOUGH,
    SHARES,
    Level,
    Series,
    clock_step,
    difference,
    histogram,
    median_interval,
    percentile,
    percentiles,
    reordered,
    side,
)
from pytest_hdp.judge.latency.record import from_record, to_record
from pytest_hdp.judge.latency.result import AGAIN, HDP, UDP, Gate, LatencyResult, Setup, Way, conclude, in_words
from pytest_hdp.judge.result import PathInfo
from pytest_hdp.judge.verdict import Direction
from pytest_hdp.untrusted.marks import WrongValueError

SETUP = Setup(
    path=PathInfo("lab", "somewhere", "192.0.2.2", "198.51.100.2", None),
    direction=Direction.FORWARD,
    way=Way.ONE_WAY,
    protocol=253,
    rounds=1000,
    size=100,
    seed=1,
    gap_us=60.0,
    late_us=(1.0, 2.0),
    put_off=0,
)


def series(label: str, kernel: Sequence[int | None], user: Sequence[int | None] | None = None) -> Series:
    order = [number for number, time in enumerate(kernel) if time is not None]
    return Series(label, 17 if label.startswith(UDP) else 253, kernel, kernel if user is None else user, order)


def noise(seed: int, count: int = 1000, add: int = 0) -> list[int | None]:
    chance = random.Random(seed)
    return [add + int(chance.lognormvariate(8, 0.5)) for _ in range(count)]


def concluded(
    setup: Setup = SETUP, *, user: int = 0, kernel: int = 0, again: int = 0, count: int = 1000
) -> LatencyResult:
    """HDP so many ns slower than UDP; and the second UDP so many slower than the first."""
    shared = noise(1, count)

    def both(label: str, seed: int, at_user: int, in_kernel: int) -> Series:
        jitter = random.Random(seed)
        steps = [jitter.randrange(-20, 21) for _ in shared]
        return series(
            label,
            [time + in_kernel + step for time, step in zip(shared, steps, strict=True)],
            [time + 5000 + at_user + step for time, step in zip(shared, steps, strict=True)],
        )

    return conclude(
        setup,
        [
            both(HDP, 2, user, kernel),
            both(UDP, 3, 0, 0),
            both(HDP + AGAIN, 4, user, kernel),
            both(UDP + AGAIN, 5, again, 0),
        ],
    )


@pytest.mark.parametrize("n", [3, 4, 5, 6])
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_ranks_are_the_percentiles_of_all_resamples(n: int, confidence: float) -> None:
    tail = (1 - confidence) / 2
    low, high = median_interval(n, confidence)
    lower_medians = sorted(sorted(draw)[(n - 1) // 2] for draw in itertools.product(range(n), repeat=n))
    share = [sum(each <= rank for each in lower_medians) / n**n for rank in range(n)]
    assert share[low] > tail
    assert low == 0 or share[low - 1] <= tail
    assert high == n - 1 - low


def test_drawn_resamples_agree() -> None:
    values = sorted(int(random.Random(5).gauss(0, 1000)) for _ in range(400))
    chance = random.Random(6)
    medians = sorted(statistics.median(chance.choices(values, k=400)) for _ in range(4000))
    low, high = median_interval(400)
    assert abs(values[low] - medians[100]) < 25
    assert abs(values[high] - medians[3899]) < 25


def test_few_values_bound_little() -> None:
    assert median_interval(1) == (0, 0)
    assert median_interval(3) == (0, 2)


def test_ten_thousand_pairs_are_bounded_in_the_middle_percents() -> None:
    low, high = median_interval(10_000)
    assert 4890 < low < 4910
    assert high - low == pytest.approx(1.96 * math.sqrt(10_000), rel=0.02)


@pytest.mark.parametrize(
    "draw",
    [
        lambda chance: chance.gauss(0, 100),
        lambda chance: chance.lognormvariate(3, 1) - math.exp(3),
        lambda chance: chance.choice((-1, 0, 0, 0, 1)),
    ],
    ids=["normal", "skewed", "ties"],
)
def test_a_95_percent_interval_covers_the_truth_in_95_of_100(draw: Callable[[random.Random], float]) -> None:
    chance = random.Random(7)
    runs, covered = 1000, 0
    for _ in range(runs):
        pairs = sorted(draw(chance) for _ in range(200))
        low, high = median_interval(len(pairs))
        covered += pairs[low] <= 0 <= pairs[high]
    assert covered / runs > 0.935


def counted(count: int, step: float, real: Callable[[], float], chance: random.Random) -> list[int | None]:
    """Durations as a clock shows them that counts in steps, both of its readings rounded down to nanoseconds."""
    starts = [1_000_000 + step * chance.random() + 60_000 * number for number in range(count)]
    return [int((start + real()) // step * step) - int(start // step * step) for start in starts]


@pytest.mark.parametrize("step", [1.0, 10.01, 41.7, 1000.0])
def test_what_lies_within_a_step_of_the_clock_is_not_ruled_out(step: float) -> None:
    chance, runs, covered = random.Random(3), 200, 0
    for _ in range(runs):
        truth = chance.uniform(-1.5, 1.5) * step
        a = series("a", counted(300, step, lambda truth=truth: 25.5 * step + truth + chance.random(), chance))
        b = series("b", counted(300, step, lambda: 25.5 * step + chance.random(), chance))
        found = difference(a, b, Level.KERNEL)
        covered += found.low <= truth / 1000 <= found.high
        assert found.high - found.low < 5 * (step + 1) / 1000
    assert covered / runs > 0.95


def test_the_step_of_a_clock_is_read_off_its_times() -> None:
    assert clock_step([370, 380, 381, 390, 391, 400, 410, 411, 450, None]) == 11
    assert clock_step([*range(300, 400), 500]) in {2, 201}
    assert clock_step([2000, 3000, 7000, 3000]) == 1001
    assert clock_step([None, 5]) == clock_step([]) == 2


def test_a_pair_counts_whole_or_not_at_all() -> None:
    found = difference(series("a", [5000, None, 9000, 4000]), series("b", [1000, 1000, None, 2000]), Level.KERNEL)
    assert (found.pairs, found.median) == (2, 3.0)


def test_drift_that_hits_both_cancels() -> None:
    drift = [number * 1000 for number in range(500)]
    found = difference(series("a", [7 + each for each in drift]), series("b", drift), Level.KERNEL)
    assert found.median == 0.007
    assert 0 < found.high - found.low < 0.02  # the steps of the clock, and nothing of the drift


def test_nothing_arrived_is_no_number() -> None:
    found = difference(series("a", [None]), series("b", [1]), Level.KERNEL)
    assert found.pairs == 0
    assert math.isnan(found.median)
    assert not found.covers_zero


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), st.floats(0, 1))
def test_percentiles_are_values_that_occurred(values: list[int], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(each <= found for each in values) >= share * len(values)


def test_percentiles_by_name() -> None:
    assert percentiles([None]) is None
    found = percentiles([number * 1000 for number in range(1, 101)])
    assert found is not None
    assert list(found) == [name for name, _ in SHARES]
    assert (found["min"], found["median"], found["p99"], found["max"]) == (1, 50, 99, 100)


@pytest.mark.parametrize(
    ("order", "late"), [((), 0), ((0, 1, 2), 0), ((1, 0, 2), 1), ((2, 0, 1), 2), ((0, 2, 2, 1, 1), 1), ((0, 0), 0)]
)
def test_reordering_as_rfc_4737_counts(order: tuple[int, ...], late: int) -> None:
    assert reordered(order) == late


def test_a_side_counts_loss_and_copies_and_the_spread_of_arrivals() -> None:
    found = side(Series("a", 253, [1000, None, 1500, 1400, 1400], [9000] * 5, (0, 2, 2, 4, 3)))
    assert (found.sent, found.arrived, found.duplicated, found.reordered) == (5, 4, 1, 1)
    assert (found.jitter_median, found.jitter_p99) == (0.0, 0.1)


@given(st.lists(st.integers(-5, 10**12)))
def test_a_histogram_loses_nothing_and_its_bins_hold_what_they_say(times: list[int]) -> None:
    bins = histogram(series("a", times), Level.KERNEL).bins
    assert sum(count for _, _, count in bins) == len(times)
    assert all(start < end for start, end, _ in bins)
    for start, end, count in bins[1:]:
        inside = [time for time in times if start * 1000 * 0.9999 <= time <= end * 1000 * 1.0001]
        assert len(inside) >= count


def test_the_sentence_of_a_difference_at_user_level_alone() -> None:
    found = concluded(user=202)
    assert found.valid
    assert found.sentence.startswith("HDP is 0.2")
    assert " us slower than UDP [0." in found.sentence
    assert "] at user level; no difference in the network [" in found.sentence
    assert found.sentence.endswith("(n = 1,000 pairs)")


def test_the_sentence_of_none() -> None:
    assert concluded().sentence.startswith("no difference between HDP and UDP at user level [")


def test_the_sentence_of_a_faster_one_there_and_back() -> None:
    found = concluded(replace(SETUP, way=Way.ROUND_TRIP), user=-3000, kernel=-3000)
    assert "HDP is 3 us faster than UDP [-3" in found.sentence
    assert "in the network, there and back" in found.sentence


def test_exact_equality_is_an_interval_of_the_clocks_steps() -> None:
    same = noise(1)
    found = conclude(SETUP, [series(HDP, same), series(UDP, same)])
    assert found.sentence == (
        "no difference between HDP and UDP at user level [-0.003, 0.003]; "
        "no difference in the network [-0.003, 0.003] (n = 1,000 pairs)"
    )


@pytest.mark.parametrize(
    ("slower", "margin", "gate"),
    [(5000, 1.0, Gate.EXCEEDED), (5000, 5.0, Gate.UNDECIDED), (5000, 9.0, Gate.KEPT), (-5000, 1.0, Gate.KEPT)],
)
def test_a_margin_is_exceeded_only_by_the_whole_interval(slower: int, margin: float, gate: Gate) -> None:
    found = concluded(replace(SETUP, margin_us=margin), user=slower)
    assert found.gate is gate
    assert f"margin of {margin:g} us" in found.sentence


def test_a_margin_within_the_interval_is_undecided_on_whichever_side_the_median_is() -> None:
    slow = 10 * [500_000]  # as slow as the other's: it is the median that is asked about
    hdp, udp = series(HDP, [*range(0, 20_000, 100), *slow]), series(UDP, [0] * 200 + slow)
    found = difference(hdp, udp, Level.KERNEL)
    for margin in (found.median - 0.1, found.median + 0.1):
        assert found.low < margin < found.high
        assert conclude(replace(SETUP, margin_us=margin), [hdp, udp]).gate is Gate.UNDECIDED


def test_a_margin_holds_in_the_network_too() -> None:
    assert concluded(replace(SETUP, margin_us=1.0), kernel=5000).gate is Gate.EXCEEDED


def test_the_same_thing_that_differs_from_itself_is_no_valid_measurement() -> None:
    found = concluded(replace(SETUP, margin_us=1.0), user=5000, again=300)
    assert not found.valid
    assert found.enough
    assert "UDP, measured twice, differs from itself" in found.sentence
    assert found.gate is Gate.UNDECIDED


def test_too_few_pairs_say_nothing() -> None:
    found = concluded(count=ENOUGH - 1)
    assert not found.valid
    assert not found.enough
    assert f"{ENOUGH - 1} of {ENOUGH - 1} HDP" in found.sentence


def test_honest_measurements_are_called_invalid_less_than_once_in_a_hundred() -> None:
    """At 95 %, one of four comparisons would mislead in 19 of 100 runs."""
    invalid = 0
    for run in range(150):
        measured = [
            series(label, noise(4 * run + number, 120))
            for number, label in enumerate((HDP, UDP, HDP + AGAIN, UDP + AGAIN))
        ]
        invalid += not conclude(SETUP, measured).valid
    assert invalid <= 2


def test_what_the_sentence_leaves_out_names_both_sides_with_their_jitter() -> None:
    hdp, udp = in_words(concluded())
    assert hdp.startswith("HDP: median ")
    assert udp.startswith("UDP: median ")
    assert "jitter" in hdp
    assert "0 of 1,000 lost" in hdp


def test_a_record_comes_back_as_it_was() -> None:
    for result in (concluded(user=202), concluded(count=3)):
        back = from_record(json.loads(json.dumps(to_record(result), allow_nan=False)))
        assert isinstance(back, LatencyResult)
        assert repr(back) == repr(result)  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.pop("sides"), "sides is missing"),
        (lambda r: r.update(sentence=3), "sentence is not a text"),
        (lambda r: r.update(gate="open"), "gate is not one of"),
        (lambda r: r["setup"].update(seed=True), "setup.seed is not a whole number"),
        (lambda r: r["setup"].update(late_us=[1]), "setup.late_us is not a list of 2"),
        (lambda r: r["histograms"][0]["bins"].append([1, 2]), "is not a list of 3"),
        (lambda r: r["sides"][0].update(kernel=[]), "sides[0].kernel is not a JSON object"),
        (lambda r: r["differences"][0].update(low=10**400), "low is not a number"),
        (lambda r: r.update(enough=1), "enough is not true or false"),
    ],
)
def test_a_wrong_record_is_one_line(change: Callable[[dict], object], said: str) -> None:
    record = json.loads(json.dumps(to_record(concluded())))
    change(record)
    with pytest.raises(WrongValueError, match=re.escape(said)):
        from_record(record)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(json_values, st.sampled_from(sorted(to_record(concluded(count=3)))))
def test_reading_raises_nothing_else(value: object, field: str) -> None:
    for record in (value, {**to_record(concluded(count=3)), field: value}):
        with contextlib.suppress(WrongValueError):
            from_record(record)
