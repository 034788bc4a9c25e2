"""The algebra of statuses: new, known, gone, and new again."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdiag.history import compare

KEYS = st.sets(st.tuples(st.sampled_from("abcde"), st.integers(0, 1)))
RUNS = st.lists(st.tuples(KEYS, st.booleans()), max_size=12)


def life(runs, gone_after=1):
    """Verdicts of every run, as a history would keep them."""
    open_ = {}
    told = []
    for present, complete in runs:
        found = compare(open_, present, complete=complete, gone_after=gone_after)
        told.append(found)
        open_ = dict.fromkeys(present, 0) | dict(found.waiting)
    return told


@given(RUNS, st.integers(1, 3))
def test_every_problem_is_new_before_it_is_known_and_known_before_it_is_gone(runs, gone_after):
    """For each problem the statuses that are told are a walk: new, then known, then gone once, then new."""
    stories = {}
    for found in life(runs, gone_after):
        for word in ("new", "known", "gone"):
            for key in getattr(found, word):
                stories.setdefault(key, []).append(word)
    after = {None: {"new"}, "new": {"known", "gone"}, "known": {"known", "gone"}, "gone": {"new"}}
    for story in stories.values():
        before = None
        for word in story:
            assert word in after[before]
            before = word


@given(RUNS)
def test_what_a_run_shows_is_new_or_known_and_nothing_else(runs):
    """New and known share out the problems of a run; gone and waiting are none of them."""
    for (present, _), found in zip(runs, life(runs), strict=True):
        assert found.new | found.known == present
        assert not found.new & found.known
        assert not (found.gone | found.waiting.keys()) & present
        assert not found.gone & found.waiting.keys()


@given(RUNS)
def test_new_and_gone_balance(runs):
    """Each gone answers one new: at any time they differ by one where a problem is open, and by none else."""
    balance = Counter()
    for (present, complete), found in zip(runs, life(runs), strict=True):
        balance.update(found.new)
        balance.subtract(found.gone)
        assert set(balance.values()) <= {0, 1}
        if complete:
            assert {key for key, number in balance.items() if number} == present


@given(KEYS, KEYS)
def test_a_run_that_was_not_whole_calls_nothing_gone(before, present):
    """An absence that nobody looked for is no absence."""
    for absent in (0, 2):
        found = compare(dict.fromkeys(before, absent), present, complete=False)

        assert not found.gone
        assert found.waiting == dict.fromkeys(before - present, absent)


@pytest.mark.parametrize("gone_after", [1, 2, 3])
def test_gone_takes_so_many_whole_runs_in_a_row(gone_after):
    """A run in between that was not whole neither counts nor starts the count anew."""
    seen, absent, cut = ({("a", 0)}, True), (set(), True), (set(), False)
    runs = [seen, *[absent, cut] * 3]

    told = life(runs, gone_after)

    assert [place for place, found in enumerate(told) if found.gone] == [2 * gone_after - 1]
