"""Rows in few bytes say what they said in many."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.tally.narrow import narrowed, received
from flowdiag.tally.packing import rows_of

LANE = st.one_of(st.integers(0, 40), st.integers(0, (1 << 21) - 1))
MINUTE = st.one_of(st.integers(29_583_720, 29_583_760), st.integers(0, (1 << 32) - 1))
COUNT = st.one_of(st.integers(1, 255), st.integers(1, (1 << 63) - 1))
NEAR = st.tuples(
    st.integers(1000, 1040), st.integers(29_583_720, 29_583_760), st.sampled_from([1, 255, 256, 70_000])
)
TABLES = st.one_of(st.lists(NEAR, max_size=30), st.lists(st.tuples(LANE, MINUTE, COUNT), max_size=30))


def columns(table):
    lanes, minutes, counts = (
        np.array(column, np.int64) for column in (zip(*sorted(table), strict=True) if table else ([], [], []))
    )
    return rows_of(lanes, minutes), counts


@given(TABLES, st.lists(LANE, max_size=5))
def test_nothing_is_lost(table, asked):
    """Rows and counts are the same, all or some of them, here and where they were sent; lanes begin where they did."""
    rows, counts = columns(table)
    lanes = np.array([*asked, *(lane for lane, _, _ in table)], np.int64)
    some = np.arange(0, len(rows), 2)

    first = narrowed(rows, counts)
    sent = received(first.form(), first.keys.tobytes(), first.counts.tobytes())

    for narrow in (first, sent):
        assert len(narrow) == len(rows)
        assert narrow.rows().tolist() == rows.tolist()
        assert narrow.counted().tolist() == counts.tolist()
        assert narrow.rows(some).tolist() == rows[some].tolist()
        assert narrow.counted(slice(1, 3)).tolist() == counts[1:3].tolist()
        expected = np.searchsorted(rows, rows_of(lanes, np.zeros_like(lanes)))
        assert narrow.begin(lanes).tolist() == expected.tolist()


@given(st.lists(NEAR, min_size=1))
def test_rows_near_each_other_take_a_third_at_most(table):
    """Some lanes of some minutes: 4 bytes and as many as the largest count needs."""
    rows, counts = columns(table)

    narrow = narrowed(rows, counts)

    assert narrow.keys.itemsize == 4
    assert narrow.counts.itemsize == {1: 1, 255: 1, 256: 2, 70_000: 4}[int(counts.max())]
