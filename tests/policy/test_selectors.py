"""Label selectors of one label, which are read by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.policy.selectors import SelectorError, read_selector

VALUES = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.none())


@given(key=st.one_of(st.text(max_size=8), st.integers()), value=VALUES)
def test_one_label_alone_is_read_as_beside_others(key, value):
    """The short way of most selectors says what the long one does."""
    assert read_selector({"matchLabels": {key: value}}) == read_selector(
        {"matchLabels": {key: value}, "matchExpressions": []}
    )


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"matchLabels": {"app": ["web"]}}, "matchLabels app is not a string"),
        ({"matchLabels": ["app"]}, "matchLabels is not an object"),
        ({"matchLabel": {"app": "web"}}, "selector field matchLabel is not known"),
        ({"other": 1, "also": 2, "matchLabels": {}}, "selector field also is not known"),
    ],
)
def test_what_is_no_selector_is_said(raw, said):
    """In words, and of several strange fields the first by name."""
    with pytest.raises(SelectorError, match=said):
        read_selector(raw)
