"""What a change of policies explains: isolation that began within seconds of it.

A change is the trigger of a problem only where nothing else isolates: every policy of the isolating set
was created just before the first refusal, or was changed then and the same connections passed before.
A policy that was there already would have refused without the change, so its problem stays by itself
(an allow policy that comes later is in the isolating set too, and is nobody's cause).

Only problems without a nearer cause are folded: where a rule misses by a mistake (a port, a label), the
mistake is what the reader mends.  One direction only: what closes egress does not explain ingress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowdiag.model.event import ObjectRef, Verdict
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ClockSkew
from flowdiag.model.time import NS, moment_text
from flowdiag.model.words import object_text, was
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.folded import Folded
from flowdiag.timeline.marks import ChangeMark

__all__ = ["WorkedBefore", "under_changes"]

WorkedBefore = Callable[[ProblemDraft, int], bool]
"""Whether all connections of a problem were seen to pass before an instant, in nanoseconds."""

_LOOKUPS = ("FD401", "FD402")
"""Refused lookups lead: without names nothing else is even tried."""
_ISOLATION = (*_LOOKUPS, "FD101", "FD102", "FD104")
_WITHIN_NS = 30 * NS
"""A connection that is used all the time fails within seconds, a scraped one within its interval."""
_CLOCK_NS = 2 * NS
"""creationTimestamp is cut to the second, and clocks differ."""


def under_changes(
    drafts: Sequence[ProblemDraft],
    changes: Sequence[ChangeMark],
    skews: Sequence[ClockSkew],
    worked_before: WorkedBefore,
) -> dict[int, Folded]:
    """Index of a problem to the first one that the same change of policies started."""
    triggers = {
        index: found
        for index, draft in enumerate(drafts)
        if (found := _triggers(draft, changes, skews, worked_before))
    }
    folded: dict[int, Folded] = {}
    causes: list[int] = []
    for index in sorted(triggers, key=lambda one: _rank(drafts[one], one)):
        finding = drafts[index].finding
        for cause in causes:
            shared = sorted(set(triggers[index]) & set(triggers[cause]))
            if shared and drafts[cause].finding.direction == finding.direction:
                folded[index] = Folded(cause, _why(shared, triggers[index]), beside=True)
                break
        else:
            causes.append(index)
    return folded


def _rank(draft: ProblemDraft, index: int) -> tuple[bool, int, int]:
    return (draft.finding.code not in _LOOKUPS, -draft.count, index)


def _triggers(
    draft: ProblemDraft, changes: Sequence[ChangeMark], skews: Sequence[ClockSkew], worked: WorkedBefore
) -> dict[PolicyRef, ChangeMark]:
    """The changes that put the isolating set in force; empty where some of it was in force before, or may be."""
    finding = draft.finding
    first, _ = draft.span
    if finding.code not in _ISOLATION or first is None:
        return {}
    if draft.connections[0].refusals[0].flow.distinct.verdict is not Verdict.DENIED:
        return {}
    apart = _apart(draft.recording, skews)
    if apart > _WITHIN_NS:
        return {}
    found: dict[PolicyRef, ChangeMark] = {}
    for ref in finding.isolating:
        near = [
            change
            for change in changes
            if change.object == ObjectRef(ref.kind, ref.group, ref.namespace, ref.name)
            and change.kind in ("created", "updated")
            and first - _WITHIN_NS <= change.at <= first + max(_CLOCK_NS, apart)
        ]
        created = [change for change in near if change.kind == "created"]
        # What did not exist cannot have refused; of what was only changed it has to be shown.
        shown = [
            change
            for change in near
            if change.kind == "updated" and first - change.at > apart and worked(draft, change.at)
        ]
        best = max(created or shown, key=lambda change: change.at, default=None)
        if best is None:
            return {}
        found[ref] = best
    return found


def _apart(nodes: set[str], skews: Sequence[ClockSkew]) -> int:
    """How far the clocks of these nodes are from others', nanoseconds, as far as it was seen."""
    own = {node.rpartition("/")[2] for node in nodes}
    offsets = [
        abs(skew.offset_s)
        for skew in skews
        if own & {skew.node.rpartition("/")[2], skew.reference.rpartition("/")[2]}
    ]
    return round(max(offsets, default=0.0) * NS)


def _why(shared: Sequence[PolicyRef], triggers: dict[PolicyRef, ChangeMark]) -> str:
    ref = shared[0]
    change = triggers[ref]
    name = object_text(ref)
    return (
        f"began within seconds of the same change: {name} {was(change.kind)} at {moment_text(change.at)}, and no "
        "older policy isolates here"
    )
