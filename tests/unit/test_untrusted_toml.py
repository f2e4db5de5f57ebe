"""A document that somebody wrote: to find a key's line takes time that grows no faster than the document does."""

from __future__ import annotations

import time

from pytest_hdp.untrusted.toml import Document


def seconds(text: str) -> float:
    document = Document(text, "x", "target")
    took = []
    for _ in range(3):
        began = time.process_time()
        assert document.line("foo") == len(document.lines)
        took.append(time.process_time() - began)
    return min(took)


def test_a_line_of_blanks_is_read_once():
    assert seconds(" " * 40_000 + "\n[[target]]\nfoo=1") < 1


def test_a_key_of_a_table_and_one_in_brackets_is_found():
    assert seconds("[[target]]\n  'foo' = 1") < 1
    assert seconds("[[target]]\nx=1\n [[ foo ]]") < 1
