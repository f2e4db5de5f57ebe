"""Run at a client: log in by each specification given, all at the same time, and print what came of each as JSON."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote.specs import far_host, plain


def connect(spec: str) -> str:
    how, _, name = plain(spec).partition("=")
    try:
        with far_host(how, name).station() as station:
            return f"ready, {station.gone}"
    except VantageError as error:
        return str(error)


with ThreadPoolExecutor(len(sys.argv)) as pool:
    print(json.dumps(dict(zip(sys.argv[1:], pool.map(connect, sys.argv[1:]), strict=True))))
