"""Changes of objects that a problem may come of: those of its policies, namespaces and workloads, near its time."""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.model.event import Cause, ObjectRef
from flowdiag.model.policy import PolicyRef
from flowdiag.model.reasons import OF_NO_RULE
from flowdiag.model.report import ProblemChange
from flowdiag.model.tally import DistinctFlow
from flowdiag.timeline.drafts import ProblemDraft
from flowdiag.timeline.ends import end_namespace
from flowdiag.timeline.marks import ChangeMark, in_time, near_changes

__all__ = ["changes_of"]


def changes_of(
    draft: ProblemDraft,
    changes: Sequence[ChangeMark],
    first: int | None,
    last: int | None,
    interval: int = 0,
) -> tuple[ProblemChange, ...]:
    """The changes beside a problem that lasted from `first` to `last`; records stand for `interval` each, nanoseconds."""
    timely = in_time(changes, first, last, interval)
    if not timely:
        return ()
    return near_changes(
        timely,
        _objects(draft),
        _namespaces(draft),
        first,
        last,
        isolated=_isolation_known(draft),
        refusing=_refusing(draft),
        interval=interval,
    )


def _objects(draft: ProblemDraft) -> set[ObjectRef]:
    """Objects whose changes matter to the problem: its policies, the ends' namespaces and workloads."""
    objects: set[ObjectRef] = set()
    for connection in draft.connections:
        finding = connection.finding
        refs: list[PolicyRef] = [*finding.isolating, *(rule.policy for rule in finding.nearest)]
        if finding.decided_by is not None:
            refs.append(finding.decided_by.policy)
        objects.update(ObjectRef(ref.kind, ref.group, ref.namespace, ref.name) for ref in refs)
        for key in (connection.source, connection.destination):
            namespace = end_namespace(key)
            if namespace is not None:
                objects.add(ObjectRef("Namespace", "", None, namespace))
            if key[0] == "pod" and key[2]:
                groups = ("apps", "batch", "")
                objects.update(ObjectRef(key[2], group, namespace, key[3]) for group in groups)
    return objects


def _isolation_known(draft: ProblemDraft) -> bool:
    """Whether it is known which policies refused it; it is, too, where no policy did."""
    return all(
        connection.finding.isolating
        or connection.finding.decided_by is not None
        or not _of_rules(connection.refusals[0].flow.distinct)
        for connection in draft.connections
    )


def _of_rules(refused: DistinctFlow) -> bool:
    """Whether the record's reason may be a rule's of some policy."""
    return refused.cause is Cause.POLICY and refused.reason not in OF_NO_RULE


def _refusing(draft: ProblemDraft) -> frozenset[str | None]:
    """Namespaces of the ends whose rules refused."""
    if draft.finding.direction is None or not _namespaces(draft):
        return frozenset()
    ends = (c.source if draft.finding.direction == "egress" else c.destination for c in draft.connections)
    return frozenset(map(end_namespace, ends)) - {None}


def _namespaces(draft: ProblemDraft) -> set[str]:
    """Whose policies may have begun or ended it: none where no rule refused."""
    if all(c.refusals[0].flow.distinct.reason in OF_NO_RULE for c in draft.connections):
        return set()
    ends = [key for c in draft.connections for key in (c.source, c.destination)]
    return {namespace for key in ends if (namespace := end_namespace(key)) is not None}
