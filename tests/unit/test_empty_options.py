"""A variable of CI that is unset is empty text: no option takes that for a value, or for "not given"."""

import pytest

from pytest_hdp.plugin.options import OPTIONS


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_an_option_of_nothing_is_refused(option) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        option.parse("")
