"""Meet far ends that mean harm, one after the other, and print as JSON what came of each."""

from __future__ import annotations

import json
import os
import socket
import sys
import time

from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote.channel import AgentGone
from pytest_hdp.vantage.remote.specs import far_host

PATIENCE = 15.0


def meet(kind: str) -> str:
    os.environ["HOSTILE"] = kind
    try:
        with far_host("ssh", "far").station() as station:
            ends = time.monotonic() + PATIENCE
            while station.gone is None and time.monotonic() < ends:
                try:
                    station.discard(station.sender(socket.AF_INET, 253))
                except AgentGone:
                    break
            return str(station.gone)
    except VantageError as error:
        return str(error)


print(json.dumps({kind: meet(kind) for kind in sys.argv[1:]}))
