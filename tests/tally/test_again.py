"""Events that are like ones before are told as if each had been made, one by one or together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.event import ChangeEvent, LogEvent, ObjectRef, TimeSource
from flowdiag.tally import Limits, Tally
from tests.tally.test_tally_laws import results

LIKE = [
    [LogEvent(line=1, at=1, message=word, signal="s") for word in "ab"],
    [LogEvent(line=1, at=1, message="quiet", signal=None)],
    [LogEvent(line=1, at=1, message="m", signal="t", time_source=TimeSource.INFERRED_YEAR)],
    [
        ChangeEvent(line=1, at=1, object=ObjectRef("Pod", None, "a", name), change="updated")
        for name in ("p", "q")
    ],
]
batches = st.lists(
    st.tuples(st.sampled_from(LIKE), st.lists(st.tuples(st.integers(0, 1), st.integers(0, 400)), min_size=1)),
    max_size=30,
)


@pytest.mark.parametrize("limits", [Limits(), Limits(logs=3, changes=2)], ids=["usual", "few"])
@settings(max_examples=40, deadline=None)
@given(found=batches, late=st.booleans())
def test_together_is_one_by_one(limits, found, late):
    """Also where the first ones are known already, and what comes is only counted."""
    each, single, together = Tally(limits), Tally(limits), Tally(limits)
    # Enough for a group to be full.
    several = [(like, [(0, at) for at in range(100)]) for like in LIKE] if late else []
    line = 0
    for like, places in [*several, *found]:
        some = [like[which % len(like)] for which, _ in places]
        ats = [1_000 + at for _, at in places]
        lines = list(range(line, line + len(places)))
        line += len(places)
        for event, at, number in zip(some, ats, lines, strict=True):
            each.count(replace(event, at=at, line=number, raw=f"{number}"), "p", "f")
            single.sink("p", "f").add_again(event, at, number, b"%d" % number)
        together.sink("p", "f").add_all_again(some, ats, lines, lambda at, lines=lines: b"%d" % lines[at])

    assert results(single) == results(each)
    assert results(together) == results(each)
