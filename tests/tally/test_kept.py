"""What is kept of events is what sorting all of them keeps, however many come and in whatever order."""

import random

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.model.event import LogEvent
from flowdiag.tally.kept import Kept, Sighting


@given(st.integers(0, 1 << 32), st.integers(1, 4), st.integers(0, 400))
def test_a_full_group_takes_only_what_comes_before_its_last(seed, most, many):
    """Events behind the last one kept are counted and no more, until something is forgotten."""
    dice = random.Random(seed)  # noqa: S311 - test data
    kept: Kept[LogEvent] = Kept(most)
    events = [
        Sighting(
            "in",
            "p",
            LogEvent(line=dice.randrange(50), at=dice.choice([None, dice.randrange(90)]), message=str(n)),
        )
        for n in range(many)
    ]
    for number, event in enumerate(events):
        if number == many // 2:
            kept.state()
        kept.add("a", event)

    def order(one):
        return (-1 if one.event.at is None else one.event.at, one.event.line)

    assert [order(one) for one in kept.sorted()] == sorted(map(order, events))[:most]
    assert kept.counts["a"] == many
    kept.forget(45)
    left = kept.sorted()
    late = Sighting("in", "p", LogEvent(line=99, at=99, message="late"))
    kept.add("a", late)

    assert kept.sorted() == (*left, late)[:most]
