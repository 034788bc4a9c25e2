"""Names of Cilium's FQDN rules, held against the expression that Cilium would search by."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.policy.compile.cilium_names import NamePattern

_CHARACTER = "[-a-z0-9_]"


def as_cilium(pattern):
    """The expression for a pattern (``pkg/fqdn/matchpattern``, ToAnchoredRegexp); names end in a dot there."""
    pattern = pattern.lower()
    if re.fullmatch(r"\*+\.?", pattern):
        return rf"(?:{_CHARACTER}+[.])+|[.]"
    head, rest = "", pattern if pattern.endswith(".") else f"{pattern}."
    if several := re.match(r"\*{2,}\.", rest):
        head, rest = rf"{_CHARACTER}+(?:[.]{_CHARACTER}+)*[.]", rest[several.end() :]
    return head + re.sub(r"\*+", lambda _: f"{_CHARACTER}*", rest.replace(".", "[.]"))


LABELS = st.text("ab", min_size=1, max_size=3)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.lists(
    st.one_of(LABELS, st.text("aB*", min_size=1, max_size=4), st.sampled_from(("*", "**", "***"))),
    min_size=1,
    max_size=4,
).map(".".join)


@given(PATTERNS, NAMES, st.booleans(), st.booleans())
def test_a_pattern_means_the_names_that_cilium_finds(pattern, name, dot, other_dot):
    """With or without the last dot of either."""
    found = NamePattern(pattern + "." * dot, exact=False).holds(name + "." * other_dot)

    assert found is (re.fullmatch(as_cilium(pattern + "." * dot), f"{name}.") is not None)


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("***.example.com", "a.b.example.com", True),
        ("***.example.com", "example.com", False),
        ("***", "a.b", True),
        ("**.", "a.b", True),
        ("*.example.com", "a.b.example.com", False),
        ("**a.example.com", "b.a.example.com", False),
    ],
)
def test_stars_in_a_row_are_as_two(pattern, name, meant):
    """As a first label alone they stand for any number of labels, elsewhere for one star."""
    assert NamePattern(pattern, exact=False).holds(name) is meant
