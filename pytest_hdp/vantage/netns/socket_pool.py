"""Sockets in a namespace of our own, many opened in one request: each request costs two changes of process."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pytest_hdp.vantage.netns.supervisor import close_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from pytest_hdp.vantage.netns.supervisor import Namespace


class Opener:
    """Opens sockets in a namespace, as many ahead as it is told of: a Station's `socket_factory`. A context manager."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._ahead: dict[tuple[int, int, int], socket.socket | OSError] = {}

    def __call__(self, family: int, kind: int, protocol: int) -> socket.socket:
        """As `Namespace.open_socket`; takes what was opened ahead."""
        ahead = self._ahead.pop((family, kind, protocol), None)
        if isinstance(ahead, OSError):
            raise ahead
        return ahead or self._namespace.open_socket(family, kind, protocol)

    def open_ahead(self, family: int, kind: int, protocols: Sequence[int]) -> None:
        """Open these at once, to be taken one by one. Raises OSError: EMFILE."""
        wanted = [each for each in protocols if -(2**31) <= each < 2**31 and (family, kind, each) not in self._ahead]
        opened = self._namespace.open_sockets(family, kind, wanted)
        self._ahead.update(((family, kind, number), each) for number, each in zip(wanted, opened, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close what nobody took."""
        close_all(self._ahead.values())
        self._ahead.clear()
