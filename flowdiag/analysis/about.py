"""What a report says of its own run: when, of what span, from which cluster and parsers, with which objects."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from flowdiag.analysis.cautions import cluster_names
from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.options import Selection
from flowdiag.analysis.state import State
from flowdiag.model.digits import is_digits
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ParserInfo, SnapshotInfo
from flowdiag.model.time import NS, rfc3339_or_none

__all__ = [
    "cluster_name",
    "created",
    "parsers",
    "policy_objects",
    "selection_counts",
    "snapshot_info",
    "window",
]

_STAMP = 11
"""Digits of a moment before the year 5000."""


def window(read: Evidence, selection: Selection) -> tuple[int | None, int | None]:
    """The span of the evidence that was asked for, nanoseconds; both ``None`` where it holds none of it."""
    since, until = read.first, read.last
    if selection.since is not None:
        since = selection.since if since is None else max(since, selection.since)
    if selection.until is not None:
        until = selection.until if until is None else min(until, selection.until)
    if since is not None and until is not None and since > until:
        return None, None
    return since, until


_UNNAMED = "default"
"""Cilium's name of a cluster that nobody named."""


def cluster_name(nodes: Iterable[str], snapshot: Snapshot | None) -> str | None:
    """The cluster's name, where the records name one and no other; else as Cilium's settings have it."""
    names = cluster_names(nodes)
    if names or snapshot is None:
        return names[0] if len(names) == 1 else None
    set_name = snapshot.config.get("cilium.cluster-name")
    return set_name if set_name and set_name != _UNNAMED else None


def created() -> int:
    """The time of the report: now, or SOURCE_DATE_EPOCH where it is set, so that output can be reproduced byte for byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(fixed) * NS if is_digits(fixed) and len(fixed) <= _STAMP else time.time_ns()


def parsers(read: Evidence) -> tuple[ParserInfo, ...]:
    """Who read the inputs, sorted by name."""
    from flowdiag.parserkit.registry import available

    points = available("flowdiag.parsers")
    infos = []
    for name in sorted({one.parser for one in read.inputs if one.parser}):
        point = points.get(name)
        dist = point.dist if point is not None else None
        infos.append(ParserInfo(name, dist.name if dist else None, dist.version if dist else None))
    return tuple(infos)


def snapshot_info(snapshot: Snapshot | None) -> SnapshotInfo:
    """When the objects were taken, and from which inputs they are."""
    if snapshot is None:
        return SnapshotInfo(None, None)
    return SnapshotInfo(rfc3339_or_none(snapshot.taken), ", ".join(snapshot.sources) or None)


def policy_objects(snapshot: Snapshot | None) -> Callable[[PolicyRef], PolicyObject | None]:
    """The object of a policy as the state has it."""
    objects = {policy.ref: policy for policy in snapshot.policies} if snapshot is not None else {}
    return objects.get


def selection_counts(state: State | None) -> Callable[[PolicyRef], int | None]:
    """How many live pods a policy selects; ``None`` for one that is not in the state."""

    def count(ref: PolicyRef) -> int | None:
        if state is None or state.policies.register.policy(ref) is None:
            return None
        return len(state.policies.register.selects(ref))

    return count


def pod_names(read: Evidence) -> set[tuple[str, str]]:
    """Pods that components' messages name: they may be gone from the state while records still have their interfaces."""
    fields = [seen.event.fields for seen in read.tally.logs]
    return {(each["namespace"], each["pod"]) for each in fields if "namespace" in each and "pod" in each}
