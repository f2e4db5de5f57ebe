"""A small share of what `simulate.py` does in full: sweeps over lossy paths, no packets, no wrong verdict."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.judge.verdict import Verdict


@pytest.fixture(scope="module")
def simulation() -> Any:
    """The script as a module: it lies beside this test, and is no part of the package."""
    spec = importlib.util.spec_from_file_location("hdp_simulate", Path(__file__).with_name("simulate.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.night(but=["0.05-50-20", "0.01-0-100"])
@pytest.mark.parametrize(("loss", "burst", "sweeps"), [(0.01, 0, 100), (0.05, 0, 100), (0.2, 0, 60), (0.05, 50, 20)])
def test_no_wrong_verdict(simulation: Any, loss: float, burst: int, sweeps: int) -> None:
    tally = simulation.simulate(simulation.Setting(loss, burst), sweeps)
    assert tally.wrong == 0, tally.verdicts
    assert tally.verdicts.total() == 256 * sweeps
    assert tally.verdicts[Verdict.DELIVERED] >= 255.5 * sweeps, "and hardly any that is undecided at the cap"
    # a pass takes 4 of 5, 5 of 7, 15 of 40: by so many looks none may be wrong in more than 5 % of cases
    assert tally.probes <= (1650 if loss > 0.1 else 1500) * sweeps, "and few further probes: 1280 are sent in any case"


def test_a_careless_error_rate_is_seen(simulation: Any) -> None:
    """Ask for an error rate that means nothing, and wrong verdicts come: so the simulation would show them."""
    assert simulation.simulate(simulation.Setting(0.2, error_rate=1e5), 20).wrong > 0


def test_the_losses_are_those_asked_for(simulation: Any) -> None:
    dice = random.Random(3)
    for loss, burst in ((0.05, 50), (0.2, 10)):
        setting = simulation.Setting(loss, burst)
        lost = sum(len(simulation.burst_losses(288, setting, dice)) for _ in range(3000)) / (288 * 3000)
        assert lost == pytest.approx(loss, rel=0.1)
    variants = simulation.Variants(simulation.Setting(0.2))
    ways = variants.draw(20_000, dice)
    assert all(not all(way) for way in ways)
    assert sum(way.count(False) for way in ways) / len(ways) == pytest.approx(1 / (1 - 0.8**5), rel=0.02)
