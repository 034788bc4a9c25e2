"""Rows of lanes by the minute, brought from one table to another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.tally import rows
from flowdiag.tally.packing import rows_of

LANES = 40
COUNTED = st.dictionaries(st.tuples(st.integers(0, LANES - 1), st.integers(0, 500)), st.integers(1, 300))


def made(counted, shifts):
    """Rows of lanes and minutes."""
    found = rows.Rows(10_000)
    if counted:
        lanes, minutes = (np.array(column, np.int64) for column in zip(*sorted(counted), strict=True))
        found.add(rows_of(lanes, minutes), np.array([counted[key] for key in sorted(counted)]), shifts)
    found.settle(shifts)
    return found


def told(found):
    """What the rows say, by lane and minute."""
    minutes, counts, sizes = found.of(np.arange(LANES))
    lanes = np.repeat(np.arange(LANES), sizes)
    return dict(zip(zip(lanes.tolist(), minutes.tolist(), strict=True), counts.tolist(), strict=True))


@pytest.mark.parametrize("run", [1, 7, 1 << 16])
@settings(max_examples=25)
@given(
    mine=COUNTED, theirs=COUNTED, order=st.permutations(range(LANES)), gone=st.sets(st.integers(0, LANES - 1))
)
def test_another_tables_rows_are_added_however_many_wait_together(run, mine, theirs, order, gone):
    """At the new numbers of their lanes, which have another order, and without those of lanes that are left out."""
    shifts = np.zeros(LANES, np.uint8)
    renumbered = np.array([-1 if lane in gone else order[lane] for lane in range(LANES)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_RUN", run)
        patch.setattr(rows, "_SPAN", 4)
        whole = made(mine, shifts)
        whole.absorb(made(theirs, shifts), renumbered, shifts)
        whole.settle(shifts)
        found = told(whole)

    expected = dict(mine)
    for (lane, minute), count in theirs.items():
        if lane not in gone:
            place = (order[lane], minute)
            expected[place] = expected.get(place, 0) + count
    assert found == expected
