"""A run that is refused: one line, status 4, no traceback."""

from __future__ import annotations

import re

import pytest

SWEEP = "import pytest\n\n@pytest.mark.hdp(default='253')\ndef test_it(hdp_probe): hdp_probe.check()\n"


USAGE_ERROR = 4


SHORT = 2200  # characters of a line at most, whatever was in the file


def shown(result: pytest.RunResult) -> str:
    """All that was printed, which a terminal must not obey and a reader be able to read."""
    printed = result.stdout.str() + result.stderr.str()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", printed), ascii(printed)
    return printed


def refused(project, *arguments: str) -> str:
    """Run, see it refused in one short line before anything is collected, and return the line."""
    own = (*project.loaded, "-pno:cacheprovider", "-pno:hypothesispytest", "--color=no")
    result = project.pytester.runpytest_inprocess(*own, *arguments)  # five times as fast as a process of its own
    assert result.ret == USAGE_ERROR, shown(result)[-2000:]
    (line,) = [line for line in shown(result).splitlines() if line.strip()]
    assert len(line) < SHORT
    return line
