"""Cluster objects from dumps, and who owned an address at a time.

`build_snapshot` reads and merges inputs; `Leases` answers for addresses in time; `Resolver` names both
ends of distinct flows; `resolve_end` reads what a person asks about; `cluster_changes` is what the
objects remember of their own history, `with_past` puts beside them what a log of changes holds.  This room knows nothing of policies' meaning.
"""

from typing import TYPE_CHECKING

from flowdiag.model.front import front_door

if TYPE_CHECKING:
    from flowdiag.cluster.changes import ClusterChange, cluster_changes, merge_changes
    from flowdiag.cluster.event_lists import listed_events
    from flowdiag.cluster.index import Backend, SnapshotIndex
    from flowdiag.cluster.leases import Leases, Span
    from flowdiag.cluster.manifests import Manifest, StateProblem, read_manifest
    from flowdiag.cluster.past import with_past
    from flowdiag.cluster.query import resolve_end, service_of, service_targets
    from flowdiag.cluster.resolve import Resolver
    from flowdiag.cluster.snapshot import build_snapshot, merge_manifests
    from flowdiag.cluster.state_sniff import sniff_state

__all__ = [
    "Backend",
    "ClusterChange",
    "Leases",
    "Manifest",
    "Resolver",
    "SnapshotIndex",
    "Span",
    "StateProblem",
    "build_snapshot",
    "cluster_changes",
    "listed_events",
    "merge_changes",
    "merge_manifests",
    "read_manifest",
    "resolve_end",
    "service_of",
    "service_targets",
    "sniff_state",
    "with_past",
]

__getattr__ = front_door(
    __name__,
    {
        "changes": ("ClusterChange", "cluster_changes", "merge_changes"),
        "index": ("Backend", "SnapshotIndex"),
        "leases": ("Leases", "Span"),
        "event_lists": ("listed_events",),
        "manifests": ("Manifest", "StateProblem", "read_manifest"),
        "past": ("with_past",),
        "query": ("resolve_end", "service_of", "service_targets"),
        "resolve": ("Resolver",),
        "snapshot": ("build_snapshot", "merge_manifests"),
        "state_sniff": ("sniff_state",),
    },
)
