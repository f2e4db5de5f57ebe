"""What a lab needs of this machine, and the one line that says what is missing."""

from __future__ import annotations

import os
import shutil

PROGRAMS = {"ip": "iproute2", "nft": "nftables"}
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


class LabUnavailable(RuntimeError):  # noqa: N818
    """Raised where a lab can't be built. Its text: one line that says which lab needs what."""


def program(name: str, lab: str) -> str:
    """Return the full path of a program, also where an ordinary user's PATH does not lead.

    Raises LabUnavailable.
    """
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)
    if found is None:
        package = PROGRAMS.get(name, name)
        raise LabUnavailable(f"lab {lab} needs the program {name}: install {package} (apt install {package})")
    return os.path.realpath(found) if name in PROGRAMS else found


def refused(lab: str, what: str, printed: str) -> LabUnavailable:
    """Return the error for a step that a program or the kernel refused; `printed`: what was said, of any length."""
    said = next((line.strip() for line in printed.splitlines() if line.strip()), "no reason given")
    return LabUnavailable(f"lab {lab} needs {what}: {said}")
