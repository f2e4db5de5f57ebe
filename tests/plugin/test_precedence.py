"""Each option comes from the command line, else the environment, else the ini file."""

import pytest

SWEEP = "def test_it(hdp_probe): assert hdp_probe.verdict == 'delivered'"


@pytest.mark.parametrize(
    ("command", "environment", "ini", "expected"),
    [
        ("1-2", "1-3", "1-4", 2),
        (None, "1-3", "1-4", 3),
        (None, None, "1-4", 4),
        (None, None, None, 256),
    ],
)
def test_precedence(project, monkeypatch, command, environment, ini, expected):
    project.write(test_mine=SWEEP)
    if environment:
        monkeypatch.setenv("HDP_PROTOCOLS", environment)
    if ini:
        project.pytester.makeini(f"[pytest]\nhdp_protocols = {ini}\n")
    result = project.run("--co", "-q", *([f"--hdp-protocols={command}"] if command else []))
    assert sum("::test_it[" in line for line in result.stdout.lines) == expected
