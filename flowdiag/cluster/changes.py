"""What changed in the cluster and when, as far as the objects themselves and the logs tell.

Without an audit log an object remembers its creation, the last write of each writer (managedFields)
and, while it goes away, its deletion.  Earlier writes are lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from flowdiag.cluster.differences import difference_text, written_text
from flowdiag.model.event import ChangeEvent, ObjectRef
from flowdiag.model.objects import ManagedWrite, Origin, PolicyObject, Snapshot
from flowdiag.model.time import NS

__all__ = ["ClusterChange", "cluster_changes", "merge_changes"]

_SAME_NS = 2 * NS
"""Stamps of one change in an object (whole seconds) and in a log differ by less than this."""


class ClusterChange(Struct, frozen=True, kw_only=True):
    """One change on the time axis."""

    at: int
    kind: str
    """``created``, ``updated``, ``deleted``, ``labels``, ``rollout`` or ``pod-start``."""
    object: ObjectRef
    by: str | None = None
    """The writer: a field manager, or a user where a log names one."""
    text: str
    what: str | None = None
    """Old and new in words, where the log has both; `text` ends with it."""
    input: str | None = None
    line: int | None = None


def cluster_changes(snapshot: Snapshot) -> list[ClusterChange]:
    """Every change that the snapshot's objects remember, by time."""
    found = [*_policies(snapshot), *_labels(snapshot), *_rollouts(snapshot), *_pods(snapshot)]
    return sorted(set(found), key=_order)


def merge_changes(
    changes: Iterable[ClusterChange], events: Iterable[tuple[str, ChangeEvent]]
) -> list[ClusterChange]:
    """`changes` with those from logs, each once; a log's record of a change (it knows who) wins.

    Args:
        changes: from `cluster_changes`.
        events: (input, event) of the logs; events without a time cannot stand on the axis and are left out.
    """
    logged: list[ClusterChange] = []
    seen: dict[tuple[str, str | None, str | None, str], list[int]] = {}
    last: dict[ObjectRef, dict[str, Any]] = {}
    """The newest body of each object, for logs whose records hold the new one alone."""
    timed = ((event.at, name, event) for name, event in events if event.at is not None)
    for at, name, event in sorted(timed, key=lambda one: (one[0], one[1], one[2].line)):
        ref = event.object
        known = last.pop(ref, None)
        before = event.before if event.before is not None else known
        if event.after is not None:
            last[ref] = event.after
        told = event.after is not None or event.change == "deleted"
        what = difference_text(ref.kind, before, event.after) if told else None
        if what is None and before is None and event.written is not None:
            what = written_text(ref.kind, event.written)
        by = f" by {event.by}" if event.by else ""
        logged.append(
            ClusterChange(
                at=at,
                kind=event.change,
                object=ref,
                by=event.by,
                text=f"{_name(ref)} {event.change}{by}" + (f": {what}" if what else ""),
                what=what,
                input=name,
                line=event.line,
            )
        )
        seen.setdefault((ref.kind, ref.namespace, ref.name, event.change), []).append(at)
    kept = []
    for change in changes:
        kind = "updated" if change.kind == "labels" else change.kind
        stamps = seen.get((change.object.kind, change.object.namespace, change.object.name, kind), ())
        if not any(abs(at - change.at) < _SAME_NS for at in stamps):
            kept.append(change)
    heard = [change for change in _heard_once(logged) if not _is_creation(change, kept)]
    return sorted({*kept, *heard}, key=_order)


def _is_creation(change: ClusterChange, known: Iterable[ClusterChange]) -> bool:
    """An agent hears of a new object as of an update, right after the object's own creation stamp."""
    return change.kind == "updated" and any(
        each.kind == "created" and each.object == change.object and 0 <= change.at - each.at < _SAME_NS
        for each in known
    )


def _heard_once(logged: Iterable[ClusterChange]) -> list[ClusterChange]:
    """Keep the first of the records of one change, which the agent of every node writes to its own log."""
    kept: list[ClusterChange] = []
    last: dict[tuple[object, ...], ClusterChange] = {}
    for change in sorted(logged, key=_order):
        key = (change.kind, change.object, change.by)
        known = last.get(key)
        if known is not None and known.input != change.input and change.at - known.at < _SAME_NS:
            continue
        last[key] = change
        kept.append(change)
    return kept


def _order(change: ClusterChange) -> tuple[int, str, str, str, str, str, int]:
    ref = change.object
    return (
        change.at,
        change.kind,
        ref.kind,
        ref.namespace or "",
        ref.name or "",
        change.input or "",
        change.line or 0,
    )


def _name(ref: ObjectRef) -> str:
    return f"{ref.kind} {ref.namespace + '/' if ref.namespace else ''}{ref.name or ''}".rstrip()


def _change(
    at: int,
    kind: str,
    ref: ObjectRef,
    done: str,
    origin: Origin | None,
    by: str | None = None,
    what: str | None = None,
) -> ClusterChange:
    return ClusterChange(
        at=at,
        kind=kind,
        object=ref,
        by=by,
        text=f"{_name(ref)} {done}" + (f" by {by}" if by else "") + (f": {what}" if what else ""),
        what=what,
        input=origin.input if origin else None,
        line=origin.line if origin else None,
    )


def _writes(
    managed: tuple[ManagedWrite, ...], part: str, created: int | None
) -> Iterator[tuple[int, str | None]]:
    """Give the writes of one part of an object after its creation, which is itself a write."""
    for write in managed:
        if write.at is None or part not in write.fields or write.subresource:
            continue
        if created is None or write.at > created + NS:
            yield write.at, write.manager


def _policies(snapshot: Snapshot) -> Iterator[ClusterChange]:
    for policy in snapshot.policies:
        if policy.valid_until is not None:
            # An earlier version, which is known from a log, as are its changes.
            continue
        ref = ObjectRef(policy.ref.kind, policy.ref.group, policy.ref.namespace, policy.ref.name)
        if policy.created is not None:
            first = next((write.manager for write in policy.managed if write.at == policy.created), None)
            yield _change(policy.created, "created", ref, "created", policy.origin, first)
        if policy.generation != 1:
            for at, by in _writes(policy.managed, "spec", policy.created):
                yield _change(
                    at, "updated", ref, "spec written", policy.origin, by, _rewritten(snapshot, policy, at)
                )
        if policy.deleted is not None:
            yield _change(policy.deleted, "deleted", ref, "being deleted", policy.origin)


def _rewritten(snapshot: Snapshot, policy: PolicyObject, at: int) -> str | None:
    """Old and new in words, where another dump holds the version that was in force until then."""
    if policy.since != at:
        return None
    old = next((one for one in snapshot.policies if one.ref == policy.ref and one.valid_until == at), None)
    if old is None:
        return None
    return difference_text(policy.ref.kind, {"spec": old.spec}, {"spec": policy.spec})


def _labels(snapshot: Snapshot) -> Iterator[ClusterChange]:
    for namespace in snapshot.namespaces.values():
        ref = ObjectRef("Namespace", "", None, namespace.name)
        if namespace.created is not None:
            yield _change(namespace.created, "created", ref, "created", namespace.origin)
        for at, by in _writes(namespace.managed, "labels", namespace.created):
            yield _change(at, "labels", ref, "labels written", namespace.origin, by)
    for pod in snapshot.pods:
        if pod.template:
            continue
        ref = ObjectRef(pod.kind, "", pod.namespace, pod.name)
        for at, by in _writes(pod.managed, "labels", pod.created):
            yield _change(at, "labels", ref, "labels written", pod.origin, by)


def _rollouts(snapshot: Snapshot) -> Iterator[ClusterChange]:
    for one in snapshot.workloads:
        if one.created is None:
            continue
        if one.kind == "ReplicaSet" and one.owner is not None:
            ref = ObjectRef(one.owner.kind or "Deployment", "apps", one.namespace, one.owner.name)
            yield _change(one.created, "rollout", ref, f"rolled out ({one.name})", one.origin)
        elif one.kind not in ("Job", "ReplicaSet"):
            group = (
                "batch" if one.kind == "CronJob" else "" if one.kind == "ReplicationController" else "apps"
            )
            ref = ObjectRef(one.kind, group, one.namespace, one.name)
            yield _change(one.created, "created", ref, "created", one.origin)


def _pods(snapshot: Snapshot) -> Iterator[ClusterChange]:
    for pod in snapshot.pods:
        if pod.template:
            continue
        ref = ObjectRef(pod.kind, "", pod.namespace, pod.name)
        started = pod.started if pod.started is not None else pod.created
        if started is not None:
            yield _change(started, "pod-start", ref, "started", pod.origin)
        if pod.deleted is not None:
            yield _change(pod.deleted, "deleted", ref, "being deleted", pod.origin)
