"""What else stands on the time axis: changes, signals of components, gaps in the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.model.event import ObjectRef, Verdict
from flowdiag.model.report import Problem, ProblemChange, TimelineEntry
from flowdiag.model.time import NS, rfc3339
from flowdiag.model.words import plural

__all__ = ["ChangeMark", "GapMark", "SignalMark", "in_time", "near_changes", "timeline"]

BEFORE_S = 600
"""Changes this long before a first denial stand beside the problem."""
AFTER_S = 5
"""Clocks of nodes and the API server disagree by some seconds."""
ENDED_S = 60
"""Changes this long after the last denial may have ended it."""

_MAX_CHANGES = 6
_MAX_MARKS = 500


class ChangeMark(Struct, frozen=True, kw_only=True):
    """Something changed in the cluster.  `at` is nanoseconds."""

    at: int
    kind: str
    """``created``, ``updated``, ``deleted``, ``labelled``, ``started`` ..."""
    object: ObjectRef
    by: str | None
    text: str
    what: str | None = None
    """Old and new in words, where a log has them; `text` holds it too."""


class SignalMark(Struct, frozen=True, kw_only=True):
    """A component said something that matters."""

    at: int
    signal: str
    node: str | None
    text: str


class GapMark(Struct, frozen=True, kw_only=True):
    """Evidence is missing; ends are nanoseconds or unknown."""

    node: str | None
    since: int | None
    until: int | None
    kind: str
    lost: int | None


def in_time(
    changes: Sequence[ChangeMark], first: int | None, last: int | None, interval: int = 0
) -> list[ChangeMark]:
    """Changes near the start, or within its first interval, or the end of a problem, whatever they changed."""
    if first is None:
        return []
    return [change for change in changes if _starts(change, first, interval) or _ends(change, last)]


def _starts(change: ChangeMark, first: int, interval: int) -> bool:
    return first - BEFORE_S * NS <= change.at <= first + max(AFTER_S * NS, interval)


def _ends(change: ChangeMark, last: int | None) -> bool:
    return last is not None and last - AFTER_S * NS <= change.at <= last + ENDED_S * NS


def near_changes(
    changes: Sequence[ChangeMark],
    objects: set[ObjectRef],
    namespaces: set[str],
    first: int | None,
    last: int | None,
    *,
    isolated: bool,
    refusing: AbstractSet[str | None],
    interval: int,
) -> tuple[ProblemChange, ...]:
    """Changes that may have started or ended a problem: those before its start first, nearest first.

    Args:
        changes: all of the run.
        objects: whose changes count before the start: the problem's policies, its ends' workloads and
            namespaces.
        namespaces: the ends' own; a policy that changed there as the problem ended counts too, as it was
            none of the problem's policies while it lasted.
        first: the first denial, nanoseconds.
        last: the last one.
        isolated: the policies that isolate or refused are known, so that others of the namespace are none of them.
        refusing: namespaces of the ends that refused, where a policy that was deleted may have admitted.
        interval: how long after its moment what a record counts may be.
    """
    if first is None:
        return ()
    near = []
    for change in changes:
        known = change.object in objects
        here = change.object.kind.endswith("NetworkPolicy") and change.object.namespace in {None, *namespaces}
        # Where the policies that isolate an end are not known, any policy of its namespace may be one.
        # One that is gone is none of them, and may be what let it pass.
        gone = change.kind == "deleted" and change.object.namespace in refusing
        suspected = known or (here and (not isolated or gone))
        started = suspected and _starts(change, first, interval)
        if started or (_ends(change, last) and (known or here)):
            near.append((not started, abs(change.at - first), change))
    near.sort(key=lambda item: (item[0], item[1], item[2].kind, repr(item[2].object)))
    return tuple(
        ProblemChange(
            at=rfc3339(change.at),
            kind=change.kind,
            object=change.object,
            delta_s=round((change.at - first) / NS, 3),
            what=change.what,
        )
        for _, _, change in near[:_MAX_CHANGES]
    )


def timeline(
    problems: Sequence[Problem],
    changes: Sequence[ChangeMark],
    signals: Sequence[SignalMark],
    gaps: Sequence[GapMark],
    span: tuple[int | None, int | None],
    explained: Mapping[tuple[int, str], str],
) -> tuple[TimelineEntry, ...]:
    """Every mark within the evidence's span (and a little before), in time order.

    Args:
        problems: as the report ranks them.
        changes: all of the run.
        signals: messages of components.
        gaps: missing evidence.
        span: the evidence's.
        explained: time and text of the messages that explain a problem, to its id.
    """
    entries: list[TimelineEntry] = []
    for problem in problems:
        if problem.explained_by is not None or problem.verdict == Verdict.LOGGED:
            continue
        if problem.first is not None:
            entries.append(TimelineEntry(problem.first, "first-denial", problem.id, problem.title))
        if problem.last is not None and problem.last != problem.first:
            entries.append(TimelineEntry(problem.last, "last-denial", problem.id, problem.title))
    since, until = span
    for change in changes:
        if since is not None and change.at < since - BEFORE_S * NS:
            continue
        if until is not None and change.at > until + BEFORE_S * NS:
            continue
        entries.append(TimelineEntry(rfc3339(change.at), "change", None, change.text))
    entries.extend(
        TimelineEntry(rfc3339(signal.at), "signal", explained.get((signal.at, signal.text)), signal.text)
        for signal in signals
    )
    for gap in gaps:
        if gap.since is not None:
            where = f" on {gap.node}" if gap.node else ""
            lost = f": {plural(gap.lost, 'record')}" if gap.lost is not None else ""
            entries.append(TimelineEntry(rfc3339(gap.since), "gap", None, f"{gap.kind}{where}{lost}"))
    entries.sort(key=lambda entry: (entry.at, entry.kind, entry.problem or "", entry.text))
    # Denials are the story; where the axis is too full, other marks give way from the far end.
    if len(entries) > _MAX_MARKS:
        ranked = sorted(entries, key=lambda e: (not e.kind.endswith("-denial"), e.problem is None))
        entries = sorted(ranked[:_MAX_MARKS], key=lambda e: (e.at, e.kind, e.problem or "", e.text))
    return tuple(entries)
