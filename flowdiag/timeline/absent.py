"""Calls that stopped while something that they need was refused.  They leave no records; that these stop is the evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from flowdiag.model.flow import Flow
from flowdiag.model.time import NS, moment_text
from flowdiag.model.words import ABSENT, REFUSED_TOO, plural
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.ends import EndKey, end_key, end_name
from flowdiag.timeline.ports import DNS_PORTS

__all__ = ["Calls", "absent_calls"]

_GRACE_S = 60
"""Open connections and resolver caches outlive the refusal that long; allowed buckets are a minute wide."""
_MIN_RECORDS = 3
"""A call seen less often before has no rhythm whose stop would mean something."""
_MAX_CALLS = 8


class Calls:
    """What was called by which clients, other than DNS.

    Args:
        passed: flows that passed.
        refused: flows that were refused.
    """

    def __init__(self, passed: Iterable[Flow], refused: Iterable[Flow]) -> None:
        self._passed: dict[EndKey, dict[tuple[EndKey, str, int], list[Flow]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._refused: dict[tuple[EndKey, EndKey, int], list[Flow]] = defaultdict(list)
        for flow in passed:
            port = flow.distinct.port
            if port is not None and port not in DNS_PORTS:
                call = (end_key(flow.dst), flow.distinct.protocol or "", port)
                self._passed[end_key(flow.src)][call].append(flow)
        for flow in refused:
            if flow.distinct.port is not None:
                self._refused[(end_key(flow.src), end_key(flow.dst), flow.distinct.port)].append(flow)

    def of(self, source: EndKey) -> Iterable[tuple[tuple[EndKey, str, int], list[Flow]]]:
        """What of a source's calls passed: by destination, protocol and port, in order."""
        return sorted(self._passed.get(source, {}).items())

    def refused(self, source: EndKey, destination: EndKey, port: int) -> Sequence[Flow]:
        """What of a call was refused."""
        return self._refused.get((source, destination, port), ())


def absent_calls(
    problem: ProblemDraft, calls: Calls, until: int | None, refused_now: Callable[[Flow], bool | None]
) -> tuple[str, ...]:
    """Sentences about calls of the problem's sources that were seen before it and not during it.

    Only where the refusal lasted long enough to tell; a call that was itself refused meanwhile is
    not absent.

    Args:
        problem: lookups that were refused.
        calls: what its sources called besides.
        until: the evidence's end, nanoseconds.
        refused_now: whether the policies of that moment refuse such a flow, ``None`` where that is not known.
    """
    firsts: dict[EndKey, int] = {}
    lasts: dict[EndKey, int] = {}
    for connection in problem.connections:
        if connection.first is None or connection.last is None:
            continue
        source = connection.source
        firsts[source] = min(firsts.get(source, connection.first), connection.first)
        lasts[source] = max(lasts.get(source, connection.last), connection.last)
    sentences = []
    of_all = ((source, *call, flows) for source in sorted(firsts) for call, flows in calls.of(source))
    for source, destination, protocol, port, flows in of_all:
        begin, end = firsts[source] + _GRACE_S * NS, lasts[source]
        if end - begin < _GRACE_S * NS:
            continue
        tried = calls.refused(source, destination, port)
        if _seen(flows, begin, end) or _seen(tried, begin, end):
            continue
        before = [b for f in flows for b in f.buckets if b.start is not None and b.start < begin]
        if sum(bucket.count for bucket in before) < _MIN_RECORDS:
            continue
        last_before = max(
            (f.last if f.last is not None and f.last < begin else b.start + b.width)
            for f in flows
            for b in f.buckets
            if b.start is not None and b.start < begin
        )
        again = _again(_after(flows, end), _after(tried, end)) if until else ""
        judged = {refused_now(flow) for flow in flows} - {None} if not again else set()
        too = f"; {REFUSED_TOO}" if judged == {True} else ""
        sentences.append(
            f"{end_name(source)} -> {end_name(destination)} {port}/{protocol}: seen until about "
            f"{moment_text(min(last_before, begin))}, {ABSENT}{again}{too}"
        )
    if len(sentences) > _MAX_CALLS:
        rest = len(sentences) - _MAX_CALLS
        sentences = [
            *sentences[:_MAX_CALLS],
            f"and {plural(rest, 'more call that was', 'more calls that were')} absent meanwhile",
        ]
    return tuple(sentences)


def _after(flows: Sequence[Flow], end: int) -> int | None:
    """When such flows were seen first after a moment."""
    starts = (b.start for flow in flows for b in flow.buckets if b.start is not None and b.start > end)
    return min(starts, default=None)


def _again(passed: int | None, refused: int | None) -> str:
    """How it went on: a call that is tried again and refused itself is not seen again as it was.

    Of what passes the minute is known, of what is refused the second.
    """
    if refused is not None and (passed is None or refused < passed):
        let = f", let through from about {moment_text(passed)}" if passed is not None else ""
        return f", refused itself from {moment_text(refused)}{let}"
    return f", seen again from about {moment_text(passed)}" if passed is not None else ""


def _seen(flows: Sequence[Flow], begin: int, end: int) -> bool:
    return any(
        bucket.start is not None and bucket.start < end and bucket.start + bucket.width > begin
        for flow in flows
        for bucket in flow.buckets
    )
