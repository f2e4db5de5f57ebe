"""The command that repeats one test."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pytest_hdp.plugin.collection import SETTINGS, case_of
from pytest_hdp.plugin.vantage_points import only_here
from pytest_hdp.plugin.without_effect import SHAPED, TWICE, unused

OWN = ("--hdp-protocols", "--hdp-seed", "--hdp-record", "--hdp-report")
"""What a repetition has its own of, or none."""
_SOURCE, _FORM = "--hdp-source", "--hdp-form"


def repeat_command(item: pytest.Item) -> str:
    """The command that repeats just this test, with this run's --hdp options."""
    settings = item.config.stash[SETTINGS]
    unfit = unused([item])
    own = [*OWN, *(f"--hdp-{name}" for name in unfit if name not in {TWICE, SHAPED})]
    options: list[str] = []
    arguments = iter(item.config.invocation_params.args)
    for argument in arguments:
        if argument.startswith("--hdp-"):
            given = [argument] if "=" in argument else [argument, next(arguments, "")]
            if SHAPED in unfit and SHAPED in settings.typed and given[0].startswith(_FORM):
                given = [f"{_FORM}={case.train.form}"] if (case := case_of(item)) is not None else []
            again = TWICE in unfit and argument.startswith(_SOURCE) and any(o.startswith(_SOURCE) for o in options)
            if not (again or argument.startswith(tuple(own))):
                options += given
    return shlex.join(["pytest", *only_here(item.config), *_test(item), *options, f"--hdp-seed={settings.seed}"])


def _test(item: pytest.Item) -> list[str]:
    """What names a test on the command line: a packaged suite's by its module, which is the same on every host."""
    suites = Path(__file__).parents[1] / "suites"
    if not item.config.getoption("pyargs") or not item.path.resolve().is_relative_to(suites.resolve()):
        return [item.nodeid]
    inside = item.path.resolve().relative_to(suites.resolve()).with_suffix("").parts
    return ["--pyargs", f"{'.'.join(('pytest_hdp.suites', *inside))}::{item.nodeid.partition('::')[2]}"]
