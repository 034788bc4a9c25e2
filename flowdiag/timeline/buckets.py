"""Counts in equal spans of time, for every plot and for whoever reads the JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flowdiag.model.report import BucketCounts, Buckets
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS, rfc3339

__all__ = ["bucketize"]

_LADDER_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800)
_WANTED = 60
"""Spans that a plot can show; the width is the first of the ladder that gives at most so many."""
_MAX_NODES = 50
"""Nodes with a row of their own."""


def bucketize(
    since: int | None,
    until: int | None,
    by_problem: Mapping[str, Iterable[Bucket]],
    unattributed: Iterable[Bucket],
    allowed: Iterable[Bucket] | None,
    by_node: Mapping[str, Sequence[Bucket]] | None = None,
) -> Buckets:
    """Cut ``[since, until]`` into equal spans and count.

    Records without a time are in no span, so the sums may stay below the totals.
    A wide bucket is spread evenly over the spans it covers, its remainder to the earliest.
    """
    if since is None or until is None:
        return Buckets(None, None, BucketCounts((), None if allowed is None else (), {}))
    width_s = next((w for w in _LADDER_S if (until - since) // (w * NS) < _WANTED), _LADDER_S[-1])
    width = width_s * NS
    start = since // width * width
    number = (until - start) // width + 1
    denied = [0] * number
    rows: dict[str, tuple[int, ...]] = {}
    for problem, buckets in sorted(by_problem.items()):
        row = _row(buckets, start, width, number, since, until)
        rows[problem] = tuple(row)
        denied = [a + b for a, b in zip(denied, row, strict=True)]
    other = _row(unattributed, start, width, number, since, until)
    denied = [a + b for a, b in zip(denied, other, strict=True)]
    return Buckets(
        start=rfc3339(start),
        width_s=float(width_s),
        counts=BucketCounts(
            denied=tuple(denied),
            allowed=None if allowed is None else tuple(_row(allowed, start, width, number, since, until)),
            by_problem=rows,
            by_node={
                node: tuple(_row(buckets, start, width, number, since, until))
                for node, buckets in _busiest(by_node or {})
            },
        ),
    )


def _busiest(by_node: Mapping[str, Sequence[Bucket]]) -> list[tuple[str, Sequence[Bucket]]]:
    ranked = sorted(by_node.items(), key=lambda item: (-sum(bucket.count for bucket in item[1]), item[0]))
    return sorted(ranked[:_MAX_NODES])


def _row(buckets: Iterable[Bucket], start: int, width: int, number: int, since: int, until: int) -> list[int]:
    row = [0] * number
    wide: dict[tuple[int, int], int] = {}
    for bucket in buckets:
        at = bucket.start
        if at is None:
            continue
        span = bucket.width
        place, within = divmod(at - start, width)
        if at >= since and at + span <= until and within + span <= width:
            # Most lie within one span, and inside of what is shown.
            row[place] += bucket.count
        else:
            wide[at, span] = wide.get((at, span), 0) + bucket.count
    for (at, span), count in sorted(wide.items()):
        low = max(0, (max(at, since) - start) // width)
        high = min(number - 1, (min(at + max(span, 1) - 1, until) - start) // width)
        if high <= low:
            row[min(max(low, 0), number - 1)] += count
            continue
        share, rest = divmod(count, high - low + 1)
        for index in range(low, high + 1):
            row[index] += share + (index - low < rest)
    return row
