"""Older versions of objects, from logs of changes that hold the whole object (audit logs, Weave's EVENT lines).

A dump holds the last version of each object.  A log of changes with bodies says what held before: such
versions of policies are put beside the present one, each with the span in which it held, and labels of
namespaces and pods get their past.  If what held between two known versions is
not known, the later one stands for that time, too, and its `PolicyObject.valid_from` says from when on it is certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.cluster.meta import as_map, as_time, read_meta, string_map
from flowdiag.cluster.policies import last_spec_write, read_policy
from flowdiag.cluster.wanted import CLUSTER_KINDS, POLICY_KINDS
from flowdiag.model.event import ChangeEvent
from flowdiag.model.objects import LabelChange, Namespace, Origin, Pod, PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.model.time import NS

__all__ = ["with_earlier", "with_past"]

_SLACK_NS = 10 * NS
"""An object whose creation stamp is older than its "created" record by more was only met again (an agent's start)."""

_SAME_NS = 2 * NS
"""Stamps of one change in an object (whole seconds) and in a log differ by less than this."""

_Key = tuple[str, str, str | None, str]
"""(group, kind, namespace, name)."""
_Labelled = TypeVar("_Labelled", Namespace, Pod)


class _Change(Struct, frozen=True):
    at: int
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    origin: Origin


class _Span(Struct):
    """What an object was between two changes; ends are nanoseconds, ``None`` is open."""

    since: int | None
    until: int | None
    body: dict[str, Any] | None
    absent: bool
    origin: Origin | None = None


def with_earlier(snapshot: Snapshot) -> Snapshot:
    """`snapshot` with the older versions of policies that other dumps hold, where it is known until when they held.

    That is so where the newer spec was written once since (its generation is the next one), and managedFields tell
    when.  Of the others `Snapshot.earlier` is all that is known.
    """
    dated: dict[PolicyRef, PolicyObject] = {}
    for old in snapshot.earlier:
        versions = [policy for policy in snapshot.policies if policy.ref == old.ref]
        if len(versions) != 1 or old.generation is None or versions[0].generation != old.generation + 1:
            continue
        written = last_spec_write(versions[0].managed)
        if written is not None and (old.created is None or written > old.created):
            dated[old.ref] = replace(old, valid_until=written)
    if not dated:
        return snapshot
    present = (
        replace(policy, since=dated[policy.ref].valid_until) if policy.ref in dated else policy
        for policy in snapshot.policies
    )
    return replace(snapshot, policies=(*dated.values(), *present))


def with_past(snapshot: Snapshot, events: Iterable[tuple[str, ChangeEvent]]) -> Snapshot:
    """`snapshot` with what `events` tell of how its objects were before.

    Args:
        snapshot: the objects as they were dumped.
        events: (input, event) of the logs; those without a time or on other kinds tell nothing here.
    """
    logged: dict[_Key, list[_Change]] = defaultdict(list)
    for name, event in events:
        ref = event.object
        if event.at is not None and ref.name is not None:
            change = _Change(event.at, event.change, event.before, event.after, Origin(name, event.line))
            namespace = None if ref.kind in CLUSTER_KINDS else ref.namespace
            logged[(ref.group or "", ref.kind, namespace, ref.name)].append(change)
    told = {
        key: sorted(changes, key=lambda one: (one.at, one.origin.input, one.origin.line or 0))
        for key, changes in logged.items()
        if any(one.before is not None or one.after is not None for one in changes)
    }
    if not told:
        return snapshot
    # For a policy in the log, the log is complete, and what two dumps tell is a part of it.
    dumped = tuple(
        policy
        for policy in snapshot.policies
        if policy.valid_until is None
        or (policy.ref.group, policy.ref.kind, policy.ref.namespace, policy.ref.name) not in told
    )
    if len(dumped) < len(snapshot.policies):
        snapshot = replace(snapshot, policies=dumped)
    return replace(
        snapshot,
        policies=_policies(snapshot, told),
        namespaces={
            name: _relabelled(one, told.get(("", "Namespace", None, name), ()))
            for name, one in snapshot.namespaces.items()
        },
        pods=tuple(_relabelled(one, _pod_changes(one, told)) for one in snapshot.pods),
    )


def _spans(changes: Sequence[_Change]) -> list[_Span]:
    """Give what held between the changes, oldest first; a span whose content is not known has no body."""
    spans = [_Span(None, None, None, absent=False)]
    for change in changes:
        last = spans[-1]
        last.until = change.at
        if change.before is not None:
            last.body, last.origin = change.before, change.origin
        elif change.kind == "created" and _is_new(change) and last.body is None:
            last.absent = True
        spans.append(_Span(change.at, None, change.after, change.kind == "deleted", change.origin))
    return spans


def _is_new(change: _Change) -> bool:
    if change.after is None:
        return False
    created = as_time(as_map(change.after.get("metadata")).get("creationTimestamp"))
    return created is None or change.at - created <= _SLACK_NS


# --- policies ---------------------------------------------------------------------------------------


def _policies(snapshot: Snapshot, told: Mapping[_Key, Sequence[_Change]]) -> tuple[PolicyObject, ...]:
    present: dict[PolicyRef, list[PolicyObject]] = defaultdict(list)
    for policy in snapshot.policies:
        present[policy.ref].append(policy)
    older: list[PolicyObject] = []
    newer: list[PolicyObject] = []
    held: dict[int, PolicyObject] = {}
    for (group, kind, namespace, name), changes in sorted(told.items(), key=lambda item: repr(item[0])):
        if (group, kind) not in POLICY_KINDS or _told_twice(group, present, told, (kind, namespace, name)):
            continue
        ref = PolicyRef(kind, group, namespace, name)
        versions = _Versions(ref, _spans(changes), present.get(ref, ()), snapshot.taken)
        older += versions.older
        newer += versions.newer
        held |= versions.held
    # Lookups by name take the last of a name, which is the latest version.
    return (*older, *(held.get(id(policy), policy) for policy in snapshot.policies), *newer)


def _told_twice(
    group: str,
    present: Mapping[PolicyRef, object],
    told: Mapping[_Key, object],
    rest: tuple[str, str | None, str],
) -> bool:
    """Calico's API server stores what it is sent once more, in the group of its CRDs (Calico v3.29)."""
    if not group.startswith("crd."):
        return False
    plain = group.removeprefix("crd.")
    return (plain, *rest) in told or any(ref.group == plain for ref in present)


class _Versions:
    """The versions of one policy in time.

    Args:
        ref: whose.
        spans: what is told of it.
        present: its objects in the dump; several where it has several specs.
        taken: when it was dumped, if known.
    """

    def __init__(
        self, ref: PolicyRef, spans: Sequence[_Span], present: Sequence[PolicyObject], taken: int | None
    ) -> None:
        self.older: list[PolicyObject] = []
        self.newer: list[PolicyObject] = []
        self.held: dict[int, PolicyObject] = {}
        """The dumped objects with the span in which they held, by ``id()``."""
        place = _place_of(spans, present, taken)
        unknown: tuple[int | None] | None = None
        """Since when it has been something that nobody told; ``None`` where the span before is known."""
        for index, span in enumerate(spans):
            since = unknown[0] if unknown is not None else span.since
            loose = unknown is not None
            unknown = None
            if index == place:
                self.held = {id(one): _held(one, since, span, loose=loose) for one in present}
            elif span.body is not None:
                found = [_held(one, since, span, loose=loose) for one in _read(ref, span.body, span.origin)]
                (self.newer if place is not None and index > place else self.older).extend(found)
            elif not span.absent:
                unknown = (since,)


def _place_of(spans: Sequence[_Span], present: Sequence[PolicyObject], taken: int | None) -> int | None:
    """In which span the dumped object stands: by the dump's time, else by its content, else in the last."""
    if not present:
        return None
    begun = [
        index
        for index, span in enumerate(spans)
        if not span.absent and (taken is None or span.since is None or span.since <= taken)
    ]
    created = max((one.created for one in present if one.created is not None), default=None)
    last = spans[-1]
    if not begun or (last.absent and created is not None and last.since is not None and created > last.since):
        # Made anew after the log's last word.
        return len(spans) - 1
    if taken is not None:
        return begun[-1]
    latest = spans[begun[-1]].body
    if latest is None or as_map(latest.get("spec")) == present[0].spec:
        return begun[-1]
    alike = [
        index
        for index in begun
        if (body := spans[index].body) and as_map(body.get("spec")) == present[0].spec
    ]
    return alike[-1] if alike else begun[-1]


def _held(policy: PolicyObject, since: int | None, span: _Span, *, loose: bool) -> PolicyObject:
    """`policy` as it held in `span`.

    Its content is certain from the span's own beginning on; where it also stands for a time before that
    (`loose`), or was dumped after a change that the log does not have, its own stamps say from when on.
    """
    sure = policy.valid_from
    if span.since is not None and (sure is None or not (loose or sure > span.since + _SAME_NS)):
        sure = span.since
    return replace(policy, since=since, valid_from=sure, valid_until=span.until)


def _read(ref: PolicyRef, body: dict[str, Any], origin: Origin | None) -> list[PolicyObject]:
    api = body.get("apiVersion")
    meta = replace(read_meta(body.get("metadata")), name=ref.name, namespace=ref.namespace)
    return read_policy(
        body,
        ref.group,
        ref.kind,
        # Weave's agent leaves it out.
        api if isinstance(api, str) else f"{ref.group}/v1",
        meta,
        origin or Origin(""),
    )


# --- labels -----------------------------------------------------------------------------------------


def _pod_changes(pod: Pod, told: Mapping[_Key, Sequence[_Change]]) -> Sequence[_Change]:
    """Changes of this very pod: a StatefulSet's pod of the same name before it was another."""
    if pod.template or pod.kind != "Pod":
        return ()
    return [
        change
        for change in told.get(("", "Pod", pod.namespace, pod.name), ())
        if (pod.created is None or change.at >= pod.created - _SLACK_NS)
        and pod.uid in (None, _uid(change.before) or pod.uid)
        and pod.uid in (None, _uid(change.after) or pod.uid)
    ]


def _uid(body: dict[str, Any] | None) -> str | None:
    uid = as_map((body or {}).get("metadata")).get("uid")
    return uid if isinstance(uid, str) else None


def _relabelled(one: _Labelled, changes: Sequence[_Change]) -> _Labelled:
    """With the labels that held until each change, where they are known and others than those after it."""
    if not changes:
        return one
    spans = _spans(changes)
    labels = [
        string_map(as_map(span.body.get("metadata")).get("labels")) if span.body is not None else None
        for span in spans
    ]
    before = tuple(
        LabelChange(span.until, held)
        for span, held in zip(spans[:-1], labels[:-1], strict=True)
        if span.until is not None and held is not None
    )
    return replace(one, labels_before=before) if before else one
