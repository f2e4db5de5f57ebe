"""A path of two routers, for tests of what the kernel does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from wired import Wired

from pytest_hdp.lab.boxes import UNLIMITED
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab


@contextmanager
def path() -> Iterator[Wired]:
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usual)})  # each processor has a backlog of its own: packets would overtake each other
    try:
        with Lab(make("transparent").over(6)) as lab:
            for node in lab.layout.nodes:
                lab.namespace(node).set_sysctls(UNLIMITED)
            with closing(Wired(lab)) as wired:
                yield wired
    except LabUnavailable as error:
        pytest.skip(f"privilege: {error}")
    finally:
        os.sched_setaffinity(0, usual)


@pytest.fixture
def wired() -> Iterator[Wired]:
    """A path through two routers, for tests that change it. No ICMP is limited unless a test sets that back."""
    with path() as found:
        yield found


@pytest.fixture(scope="module")
def path_of_all() -> Iterator[Wired]:
    with path() as found:
        yield found


@pytest.fixture
def plain(path_of_all: Wired) -> Wired:
    """The same path for all tests of a module, which leave it as it is."""
    path_of_all.forget()
    return path_of_all
