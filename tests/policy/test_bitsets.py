"""Places as bits: narrow and wide sets read and write the same."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.policy.bitsets import bits_of, packed, packed_runs
from flowdiag.policy.shortlist import Shortlist


@given(st.sets(st.integers(0, 9_000), max_size=40))
def test_what_is_written_is_read(places):
    """In ascending order, whatever the width."""
    mask = packed(list(places))

    assert mask == sum(1 << place for place in places)
    assert list(bits_of(mask)) == sorted(places)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_runs_that_touch_become_one(steps):
    """Gaps and lengths of runs; empty runs count nothing."""
    runs, at = [], 0
    for gap, length in steps:
        at += gap
        runs.append((at, at + length))
        at += length

    assert packed_runs(runs) == sum(1 << place for low, high in runs for place in range(low, high))


def test_tokens_that_no_end_shows_cost_no_bits():
    """As many conjunctions with a token of their own: each had a number as wide as its place, 100 MB in all."""
    count = 40_000
    wanted = [(frozenset({("range", number)}),) for number in range(count)]
    tracemalloc.start()
    try:
        listed = Shortlist(wanted, [1] * count)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 40 << 20
    assert listed.levels([("range", 7)]) == {(0, 1): 1 << 7, (1, 1): (1 << count) - 1 - (1 << 7)}
