"""The README says what the program does."""

import re
from pathlib import Path

import pytest

from pytest_hdp.lab.requirements import PROGRAMS
from pytest_hdp.plugin.options import OPTIONS

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_every_option_is_in_the_table_in_its_own_words():
    for option in OPTIONS:
        metavar = option.metavar.replace("|", "\\|")
        assert f"| `--hdp-{option.name} {metavar}` | {option.help} |" in README


def test_the_first_screen_says_both_versions_of_ip():
    assert "over IPv4 and IPv6" in README.split("```")[0]
    assert "](docs/ipv6.md)" in README


def test_every_dependency_has_its_reason():
    project = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    block = project.split("\ndependencies = [")[1].split("]")[0]
    names = [line.strip().strip('",').split(">=")[0] for line in block.splitlines() if line.strip()]
    assert names
    for name in names:
        assert f"\n| {name} | " in README


@pytest.mark.parametrize("name", ["loopback", "tests"])
def test_a_command_runs_where_one_stands(name):
    block = README.split(f"<!-- command: {name} -->\n```sh\n")[1].split("```")[0]
    assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q -e ")
    assert "://" not in block
    assert "cd " not in block


def test_no_page_promises_an_address_of_ours():
    pages = [TOP / "README.md", TOP / "CONTRIBUTING.md", TOP / "pyproject.toml", *(TOP / "docs").rglob("*.*")]
    told = {page.name: page.read_text(encoding="utf-8") for page in pages if page.suffix in {".md", ".toml", ".yml"}}
    assert len(told) > 10
    ours = re.compile(r"github\.com/pytest-hdp|install pytest-hdp\b")
    assert [name for name, text in told.items() if ours.search(text)] == []


def test_the_packages_that_labs_need_are_named_with_the_command():
    (line,) = re.findall(r"^sudo apt install (.*)$", README, re.MULTILINE)
    assert set(line.split()) == {"python3-venv", *PROGRAMS.values()}
