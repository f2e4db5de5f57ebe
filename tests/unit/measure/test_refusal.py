"""Which errors of opening a socket are about the protocol number."""

import errno
import os

import pytest

from pytest_hdp.measure.path.endpoints import PathUnavailable, refusal


@pytest.mark.parametrize("name", ["EINVAL", "EPROTONOSUPPORT", "EAFNOSUPPORT", "EPERM", "EACCES"])
def test_the_kernels_word_on_a_number(name):
    number = getattr(errno, name)
    assert refusal(OSError(number, os.strerror(number))) == name


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EPIPE", "ECONNRESET"])
def test_a_machine_out_of_something_refuses_no_number(name):
    number = getattr(errno, name)
    with pytest.raises(PathUnavailable, match="no socket can be opened"):
        refusal(OSError(number, os.strerror(number)))
