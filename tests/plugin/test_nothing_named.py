"""What wants a target, and none is named: one skip beside other tests; alone it measured nothing, and is refused."""

from __future__ import annotations

import pytest

NO_TARGET = "no target: give --hdp-lab=NAME, or --hdp-target=ADDR"
AWAY = "import pytest\n\n@pytest.mark.hdp(path='target', default='253')\ndef test_it(hdp_probe): hdp_probe.check()\n"
HERE = AWAY.replace("target", "loopback")
BOX = AWAY.replace("path='target'", "path='target', variant='containment'")


@pytest.mark.parametrize("others", [{}, {"test_box": BOX}], ids=["alone", "beside a box that nobody named"])
def test_alone_it_is_refused(project, others):
    project.write(test_away=AWAY, **others)
    assert refused_at_collection(project) == f"ERROR: {NO_TARGET}"


def refused_at_collection(project) -> str:
    result = project.run("-q", "--hdp-report=report")
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    (line,) = [line for line in result.stderr.lines if line.strip()]
    return line


@pytest.mark.parametrize("other", [HERE, "def test_of_the_users(): pass"], ids=["loopback", "no test of ours"])
def test_beside_others_it_is_a_skip(project, other):
    project.write(test_away=AWAY, test_other=other)
    result = project.run()
    assert result.ret == 0
    result.assert_outcomes(passed=1, skipped=1)
    assert f"1 skipped: {NO_TARGET}" in result.stdout.str()


def test_who_lets_pass_what_could_not_be_measured_lets_that_pass_too(project):
    project.write(test_away=AWAY)
    assert project.run("--hdp-unmeasured=skip").ret == 0
