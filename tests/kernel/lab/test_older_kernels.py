"""What older kernels refuse when a lab is built, refused here by an `ip` that asks first."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Direct

# Up to Linux 6.12 at least a new link's name is looked for where the request comes from, and not where it is to be.
OLDER_IP = """#!/bin/sh
while read -r line || [ -n "$line" ]; do
  case $line in
    "link add "*)
      name=${line#link add }
      if %(ip)s link show "${name%%%% *}" >/dev/null 2>&1; then
        echo "RTNETLINK answers: File exists"
        exit 1
      fi
      ;;
  esac
  printf '%%s\\n' "$line" | %(ip)s "$@" || exit
done
"""


@pytest.fixture
def _older_ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("ip", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if real is None:
        pytest.skip("there is no program ip here: install iproute2")
    program = tmp_path / "ip"
    program.write_text(OLDER_IP % {"ip": real})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("_older_ip")
@pytest.mark.parametrize("name", ["transparent", "home-nat", "home-nat-loss-5", "carrier-grade"])
def test_no_name_is_taken_where_links_are_made(name: str, open_lab: Callable[..., Direct]):
    open_lab(name)
