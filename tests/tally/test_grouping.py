"""Columns of numbers, beside what the library says of them."""

from statistics import median

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.tally.distinct import _median
from flowdiag.tally.grouping import distinct


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.sampled_from([np.uint64, np.int64]))
def test_distinct_numbers_are_those_of_the_library(numbers, kind):
    """In order, each once, and of the same kind."""
    column = np.array([number % 2**63 for number in numbers], kind)
    found = distinct(np.concatenate((column, column[::2])))

    assert found.tolist() == np.unique(column).tolist()
    assert found.dtype == column.dtype


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=12))
def test_the_median_is_the_librarys(numbers):
    """Of an odd and of an even number."""
    assert _median(numbers) == median(numbers)
