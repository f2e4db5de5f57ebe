"""`hdp wireshark`: where the dissector is, and how to use it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

DISSECTOR = Path(__file__).parents[1] / "report" / "hdp.lua"
USUAL_FOLDER = "~/.local/lib/wireshark/plugins"
_FOLDER = re.compile(r"^Personal Lua Plugins:\s+(\S.*)$", re.MULTILINE)


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add `wireshark` to the subparsers of `hdp`."""
    parser = subparsers.add_parser("wireshark", help="a dissector for HDP: where it is, and where to put it")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the dissector's place and the commands that use it."""
    script, folder = shlex.quote(str(DISSECTOR)), shlex.quote(_personal_folder())
    print(f"the dissector for HDP:  {DISSECTOR}")
    print("\nto have it in Wireshark and tshark from now on:")
    print(f"  mkdir -p {folder} && cp {script} {folder}")
    print("\nor for once:")
    print(f"  tshark -X lua_script:{script} -r capture.pcapng")
    print(f"  wireshark -X lua_script:{script} capture.pcapng")
    print("\nshow as HDP what another dissector claims, one number or all:")
    print("  tshark -d ip.proto==47,hdp ...        (in Wireshark: Analyze > Decode As)")
    print("  tshark -o hdp.every:TRUE ...          (in Wireshark: Edit > Preferences > Protocols > HDP)")
    print("\nfields to filter by: hdp.srcport, hdp.dstport, hdp.timestamp, hdp.tag.run, hdp.tag.index, hdp.text")
    return 0


def _personal_folder() -> str:
    """The folder that this user's Wireshark reads; where there is none yet, the usual one. Under sudo: root's."""
    for program in ("tshark", "wireshark"):
        if (found := shutil.which(program)) is None:
            continue
        try:
            told = subprocess.run(
                [found, "-G", "folders"], capture_output=True, text=True, timeout=20, check=False, env={**os.environ}
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            continue
        if (match := _FOLDER.search(told)) is not None:
            return match[1].strip()
    return str(Path(USUAL_FOLDER).expanduser())
