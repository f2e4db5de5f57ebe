"""Prints the lowest version of each dependency that pyproject.toml allows, as constraints for pip. Standard library."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def main() -> None:
    """Print a line NAME==VERSION for each requirement that has a lower bound."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for group in project["project"]["optional-dependencies"].values():
        requirements += group
    for requirement in requirements:
        bound = re.match(r"([\w.-]+)(?:\[[^]]*])?\s*>=\s*([\w.]+)", requirement)
        if bound is None:
            raise SystemExit(f"pyproject.toml: {requirement} has no lower bound")
        print(f"{bound[1]}=={bound[2]}")


if __name__ == "__main__":
    main()
