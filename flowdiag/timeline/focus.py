"""Which part of the time plots are of: where the denials are, without a stray record years away.

One record of another year makes every span so wide that an incident is one bar.  The counts for whoever reads the
data stay as they are (`flowdiag.timeline.buckets`); beside them stand those of the part, and what lies outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from flowdiag.model.report import Outside
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS, rfc3339

__all__ = ["Focus", "focus"]

_FAR_NS = 86_400 * NS
"""Records nearer than a day are never called stray."""
_TIMES = 20
"""How many times longer the whole time must be than its part; otherwise a plot of the whole shows the part well enough."""
_SHARE = 100
"""At most one record in so many is stray, or one alone."""


class Focus(Struct, frozen=True):
    """A part of the time, both ends in nanoseconds, and what is outside of it."""

    since: int
    until: int
    outside: tuple[Outside, ...]

    def of(self, buckets: Iterable[Bucket]) -> Iterator[Bucket]:
        """Those that lie in it."""
        return (
            one
            for one in buckets
            if one.start is not None and one.start <= self.until and one.start + one.width > self.since
        )


class _Moment(Struct, frozen=True):
    start: int
    end: int
    denied: int = 0
    allowed: int = 0


def focus(since: int, until: int, denied: Iterable[Bucket], allowed: Iterable[Bucket]) -> Focus | None:
    """Say what plots are to be of; ``None`` for all of it.

    Args:
        since: when the evidence begins, nanoseconds.
        until: when it ends.
        denied: counts of what was refused.
        allowed: counts of what passed.
    """
    if until - since <= _FAR_NS:
        return None
    moments = [_Moment(since, since), _Moment(until, until)]
    moments += [
        _Moment(one.start, one.start + one.width, denied=one.count) for one in denied if one.start is not None
    ]
    moments += [
        _Moment(one.start, one.start + one.width, allowed=one.count)
        for one in allowed
        if one.start is not None
    ]
    moments.sort(key=lambda one: (one.start, one.end))
    everything = _counts(moments)
    outside: list[list[_Moment]] = []
    gone = (0, 0)
    while (cut := _stray(moments, everything, gone)) is not None:
        moments, away, gone = cut
        outside.append(away)
    length = moments[-1].start - moments[0].start
    if not outside or length * _TIMES > until - since:
        return None
    strays = [_outside(away) for away in outside if any(_counts(away))]
    ends = max(one.end for one in moments)
    return Focus(
        max(since, moments[0].start), min(until, ends), tuple(sorted(strays, key=lambda one: one.first))
    )


def _stray(
    moments: list[_Moment], everything: tuple[int, int], gone: tuple[int, int]
) -> tuple[list[_Moment], list[_Moment], tuple[int, int]] | None:
    """Split at the widest gap into what stays and what is stray, with the sums of all strays by then.

    ``None`` where nothing is: all strays together are few, and what stays holds denials.
    """
    place, gap, end = 0, 0, moments[0].end
    for index, one in enumerate(moments[1:], start=1):
        if one.start - end > gap:
            place, gap = index, one.start - end
        end = max(end, one.end)
    if gap < _FAR_NS:
        return None
    away, kept = sorted((moments[:place], moments[place:]), key=_counts)
    denied, allowed = (before + count for before, count in zip(gone, _counts(away), strict=True))
    few = all(
        count <= max(1, whole // _SHARE) and (not count or 3 * count <= whole)
        for count, whole in zip((denied, allowed), everything, strict=True)
    )
    length = kept[-1].start - kept[0].start
    if not few or not _counts(kept)[0] or length > gap * _TIMES:
        return None
    return kept, away, (denied, allowed)


def _counts(moments: Iterable[_Moment]) -> tuple[int, int]:
    listed = list(moments)
    return sum(one.denied for one in listed), sum(one.allowed for one in listed)


def _outside(away: list[_Moment]) -> Outside:
    counted = [one for one in away if one.denied or one.allowed]
    return Outside(
        first=rfc3339(counted[0].start),
        last=rfc3339(max(one.start for one in counted)),
        count=sum(_counts(counted)),
    )
