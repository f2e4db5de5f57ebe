"""The README says what the program does."""

from pathlib import Path

from pytest_hdp.options import OPTIONS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_every_option_is_in_the_table_in_its_own_words():
    for option in OPTIONS:
        metavar = option.metavar.replace("|", "\\|")
        assert f"| `--hdp-{option.name} {metavar}` | {option.help} |" in README


def test_every_dependency_has_its_reason():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    block = project.split("\ndependencies = [")[1].split("]")[0]
    names = [line.strip().strip('",').split(">=")[0] for line in block.splitlines() if line.strip()]
    assert names
    for name in names:
        assert f"\n| {name} | " in README
