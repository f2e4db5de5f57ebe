"""The owner's side of relay processes: see `relay` for what runs there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hdp.lab.requirements import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hdp.vantage.netns.supervisor import Namespace

_RELAY = str(Path(__file__).with_name("relay.py"))


class RelayProcess:
    """A relay process; it dies with the namespaces."""

    def __init__(self, wires: Namespace, configuration: Mapping[str, object], features: str) -> None:
        self._features = features
        inward, go = os.pipe()
        said, saying = os.pipe()
        self._go, self._said = go, os.fdopen(said, "rb")
        argv = [sys.executable, "-I", "-S", _RELAY, json.dumps(configuration)]
        try:
            os.close(wires.start(argv, (inward, saying, saying), cwd="/").fileno())
        finally:
            os.close(inward)
            os.close(saying)

    def go(self) -> None:
        """Tell it that its interfaces are up."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._go, b"go\n")

    def wait(self, lab: str) -> None:
        """Wait until it carries. Raises LabUnavailable with what it said if it ended instead."""
        first = self._said.readline()
        if first != b"ready\n":
            raise refused(lab, self._features, (first + self._said.read()).decode(errors="replace"))

    def close(self) -> None:
        """Close our ends of its pipes."""
        os.close(self._go)
        self._said.close()
