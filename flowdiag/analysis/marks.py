"""What stands on a report's time axis: changes of objects, messages of components, gaps in the evidence."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.options import Selection
from flowdiag.cluster import cluster_changes, merge_changes
from flowdiag.model.event import GapEvent, LogEvent
from flowdiag.model.masking import masked
from flowdiag.model.objects import Snapshot
from flowdiag.model.time import NS
from flowdiag.timeline.marks import ChangeMark, GapMark, SignalMark

__all__ = ["Marks", "marks_of"]


class Marks(Struct, frozen=True):
    """What stands on the time axis beside the refusals."""

    changes: tuple[ChangeMark, ...]
    signals: tuple[SignalMark, ...]
    gaps: tuple[GapMark, ...]


def marks_of(read: Evidence, snapshot: Snapshot | None, selection: Selection) -> Marks:
    """Changes and messages up to an hour from the evidence (and from what was asked for), and gaps in that."""
    tally = read.tally
    logged = [(seen.input, seen.event) for seen in tally.changes]
    changes = merge_changes(cluster_changes(snapshot or Snapshot()), logged)
    since, until = read.first, read.last
    near = 3600 * NS

    def within(at: int) -> bool:
        if selection.since is not None and at < selection.since - near:
            return False
        if selection.until is not None and at > selection.until + near:
            return False
        if since is not None and at < since - near:
            return False
        return until is None or at <= until + near

    return Marks(
        changes=tuple(
            ChangeMark(at=c.at, kind=c.kind, object=c.object, by=c.by, text=c.text, what=c.what)
            for c in changes
            if within(c.at)
        ),
        signals=tuple(
            SignalMark(
                at=seen.event.at,
                signal=seen.event.signal or "",
                node=seen.event.node,
                text=_signal_text(seen.event),
            )
            for seen in tally.logs
            if seen.event.at is not None and within(seen.event.at)
        ),
        gaps=tuple(
            GapMark(
                node=seen.event.node,
                since=seen.event.at,
                until=seen.event.until,
                kind=seen.event.kind,
                lost=seen.event.lost,
            )
            for seen in tally.gaps
            if _meets(seen.event, selection, near)
        ),
    )


def _meets(gap: GapEvent, selection: Selection, near: int) -> bool:
    """Whether something of the time that was asked for may be missing by it.

    A line that says how many were lost says so some time after; a node that is not there any more is so until the end.
    """
    begin, end = gap.at, gap.until
    if end is None and (gap.lost is not None or gap.kind == "lost-events"):
        end = begin
    if selection.since is not None and end is not None and end < selection.since - near:
        return False
    return selection.until is None or begin is None or begin <= selection.until + near


_TELLING = (
    "resource",
    "policy_namespace",
    "policy",
    "ciliumNetworkPolicyName",
    "namespace",
    "pod",
    "k8sPodName",
    "endpointID",
    "identity",
    "dnsName",
    "ifaceName",
    "reason",
    "error",
)
"""Fields that say whom or what a message speaks of."""
_TEXT_CHARS = 240


def _signal_text(event: LogEvent) -> str:
    where = f" on {event.node}" if event.node else ""
    told = [f"{name}={event.fields[name]}" for name in _TELLING if event.fields.get(name)]
    told = [text for text in told if text.partition("=")[2] not in event.message]
    text = " ".join([masked(event.message)[:200], *(masked(one)[:100] for one in told)])
    return f"{event.signal}{where}: {text[:_TEXT_CHARS]}"
