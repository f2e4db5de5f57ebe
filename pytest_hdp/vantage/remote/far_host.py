"""A far host as a place with sockets: what `--hdp-agent=ssh=...`, `docker=...` and their like name."""

from __future__ import annotations

import atexit
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_hdp.untrusted.text import plain
from pytest_hdp.vantage.points import VantageError
from pytest_hdp.vantage.remote.launcher import NotStarted, start

if TYPE_CHECKING:
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.remote.access import Access
    from pytest_hdp.vantage.remote.client import RemoteStation

_LONGEST = 1000  # characters of a reason, much of which is the far end's
BUSY_PAUSES = (0.3, 0.6, 1.2, 2.4, 4.0)  # seconds before another try


class FarHost:
    """A host where a command gives us a Python. `peers`: addresses that may be sent to from there unasked.

    `family`: the version of IP that is all that is sent and seen there; None: either. `unprivileged`: it will do if no
    raw sockets may be opened there.
    """

    def __init__(
        self, access: Access, peers: tuple[str, ...] = (), family: Family | None = None, *, unprivileged: bool = False
    ) -> None:
        self._access = access
        self.terms = replace(access.terms, peers=peers, unprivileged=unprivileged)
        if family is not None:
            self.terms = replace(self.terms, families=(family.socket_family,))
        self._ready: RemoteStation | None = None
        self._trying: threading.Thread | None = None
        self._refused: VantageError | None = None

    def describe(self) -> str:
        """Name the host, as it was asked for."""
        return self._access.name

    def begin(self) -> None:
        """Have `connect` done meanwhile: many hosts are logged in to side by side."""
        if self._trying is None:
            self._trying = threading.Thread(target=self._try, name=f"login to {self.describe()}", daemon=True)
            self._trying.start()

    @property
    def pending(self) -> bool:
        """Whether that is still going on."""
        return self._trying is not None and self._trying.is_alive()

    def connect(self) -> None:
        """Log in and start the agent, for the next `station`. Raises VantageError, one line. Sends nothing else."""
        if self._trying is not None:
            self._trying.join()
            if self._refused is not None:
                raise self._refused
        self._connect()

    def _try(self) -> None:
        try:
            self._connect()
        except VantageError as error:
            self._refused = error

    def _connect(self) -> None:
        if self._ready is not None and self._ready.gone is None:
            return
        name = f"the agent {self.describe()}"
        try:
            self._ready = self._started(name)
        except NotStarted as error:
            raise VantageError(f"{name} can't be had: {plain(self._access.reason(error)[:_LONGEST])}") from None
        except FileNotFoundError:
            program = plain(self._access.command[0])
            raise VantageError(
                f"{name} can't be had: there is no program {program} here: {self._access.install}"
            ) from None
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            program = plain(self._access.command[0])
            raise VantageError(f"{name} can't be had: {program} can't be started: {error}") from None
        atexit.register(self._ready.close)

    def _started(self, name: str) -> RemoteStation:
        """Log in, and again where a host that has too many at a time ends it at once."""
        for pause in BUSY_PAUSES:
            try:
                return start(self._access.command, name, self.terms)
            except NotStarted as error:
                if not self._access.is_busy(error.printed):
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
        return start(self._access.command, name, self.terms)

    def route(self, target: str) -> tuple[str, str, int]:
        """As `Station.route`, asked of the one that the next `station` gives. Raises VantageError and OSError."""
        self.connect()
        assert self._ready is not None, "connect() raises or connects"
        return self._ready.route(target)

    @contextmanager
    def station(self) -> Iterator[RemoteStation]:
        """Give a station there; it ends, and everything there, with the context. Raises VantageError."""
        self.connect()
        station, self._ready = self._ready, None
        assert station is not None, "connect() raises or connects"
        try:
            with station:
                yield station
        finally:
            atexit.unregister(station.close)
