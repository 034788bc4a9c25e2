"""When what decides about a connection changed: the policies, and the labels of its own ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from flowdiag.analysis.replay import epochs
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import WorkloadRef
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot

__all__ = ["Moments"]


class Moments:
    """The instants at which flows are cut; those of policies concern every flow, those of labels who has them.

    Args:
        snapshot: the objects, with what is known of how they were before; ``None`` where none were read.
    """

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.of_policies = epochs(snapshot.policies) if snapshot is not None else ()
        self._spaces: dict[str, set[int]] = {}
        self._workloads: dict[tuple[str, WorkloadRef], set[int]] = defaultdict(set)
        self._relabelled = False
        self._merged: dict[frozenset[int], Sequence[int]] = {frozenset(): self.of_policies}
        if snapshot is None:
            return
        for name, namespace in snapshot.namespaces.items():
            if namespace.labels_before:
                self._spaces[name] = {change.until for change in namespace.labels_before}
        for pod in snapshot.pods:
            if pod.labels_before and pod.workload is not None and not pod.host_network:
                own = self._workloads[pod.namespace, pod.workload]
                own.update(change.until for change in pod.labels_before)
        self._relabelled = bool(self._spaces) or any(pod.labels_before for pod in snapshot.pods)

    def __bool__(self) -> bool:
        return bool(self.of_policies) or self._relabelled

    def of(self, flow: Flow) -> Sequence[int]:
        """The instants that concern a flow, sorted."""
        if not self._relabelled:
            return self.of_policies
        own = frozenset(self._of_end(flow.src) | self._of_end(flow.dst))
        known = self._merged.get(own)
        if known is None:
            known = self._merged[own] = sorted(own.union(self.of_policies))
        return known

    def _of_end(self, end: Endpoint) -> set[int]:
        pod = end.pod
        if pod is not None and pod.host_network:
            return set()  # policies see its node
        own = set(self._spaces.get(end.namespace or "", ()))
        if pod is not None:
            own.update(change.until for change in pod.labels_before)
        elif end.workload is not None and end.namespace is not None:
            own |= self._workloads.get((end.namespace, end.workload), set())
        return own
