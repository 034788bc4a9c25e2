"""Counts in equal spans."""

from hypothesis import given
from hypothesis import strategies as st

from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS
from flowdiag.timeline.buckets import bucketize

BUCKETS = st.lists(
    st.builds(
        Bucket,
        st.integers(0, 90_000).map(lambda s: s * NS),
        st.sampled_from([NS, 60 * NS, 3600 * NS]),
        st.integers(1, 50),
    ),
    max_size=30,
)


@given(st.dictionaries(st.sampled_from(["p-1", "p-2"]), BUCKETS), BUCKETS, BUCKETS)
def test_the_spans_add_up(by_problem, unattributed, allowed):
    """No record is lost or counted twice, whatever the widths."""
    everything = [b for row in by_problem.values() for b in row] + unattributed + allowed
    if not everything:
        return
    since = min(b.start for b in everything)
    until = max(b.start + b.width for b in everything)
    buckets = bucketize(since, until, by_problem, unattributed, allowed)
    counts = buckets.counts

    for problem, row in by_problem.items():
        assert sum(b.count for b in row) == sum(counts.by_problem[problem])
    denied = [b for row in by_problem.values() for b in row] + unattributed
    assert sum(b.count for b in denied) == sum(counts.denied)
    assert sum(b.count for b in allowed) == sum(counts.allowed)
    assert len(counts.denied) <= 61


def test_without_times_there_are_no_spans():
    """Nobody knows when: no start, no width, no counts, and allowed stays unknown if it was not read."""
    buckets = bucketize(None, None, {"p-1": [Bucket(None, 0, 3)]}, [], None)

    assert (
        buckets.start,
        buckets.width_s,
        buckets.counts.denied,
        buckets.counts.allowed,
    ) == (None, None, (), None)
