"""The one grouping."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_hdp.judge.alike import alike


@given(st.lists(st.integers()), st.integers(1, 5))
def test_nothing_is_lost_and_the_first_decides_the_order(numbers: list[int], modulus: int) -> None:
    groups = alike(numbers, lambda number: number % modulus)
    assert list(groups) == list(dict.fromkeys(number % modulus for number in numbers))
    assert groups == {rest: [each for each in numbers if each % modulus == rest] for rest in groups}
