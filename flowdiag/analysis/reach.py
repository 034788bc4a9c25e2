"""Who can reach a workload, and what it can reach, by port: exactly, over the state and the outside ranges."""

from __future__ import annotations

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.query import resolve_end
from flowdiag.model.errors import InputError
from flowdiag.policy.matrix import Matrix, merged, outside_ranges, texts
from flowdiag.report.reach_view import Reach, ReachResult

__all__ = ["reach"]


def reach(asker: Asker, workload: str) -> ReachResult:
    """Every workload and outside range that can reach `workload` or be reached by it.

    Raises:
        InputError: nothing in the state is called so, or it is no workload.
    """
    matrix = Matrix(asker.snapshot, asker.policies, inferred=True)
    name = _name(asker, matrix, workload)
    inbound, outbound = [], []
    closed_in = closed_out = 0
    for other in matrix.workloads:
        if other == name:
            continue
        if ports := texts(matrix.between(other, name)):
            inbound.append(Reach(peer=other, ports=ports))
        else:
            closed_in += 1
        if ports := texts(matrix.between(name, other)):
            outbound.append(Reach(peer=other, ports=ports))
        else:
            closed_out += 1
    for version in (4, 6):
        ranges = outside_ranges([asker.policies], version)
        for one, ports_of in merged((one, matrix.from_outside(one, name)) for one in ranges):
            if ports := texts(ports_of):
                inbound.append(Reach(peer=one.text, ports=ports))
        for one, ports_of in merged((one, matrix.to_outside(name, one)) for one in ranges):
            if ports := texts(ports_of):
                outbound.append(Reach(peer=one.text, ports=ports))
    return ReachResult(
        workload=name,
        inbound=tuple(inbound),
        outbound=tuple(outbound),
        inbound_closed=closed_in,
        outbound_closed=closed_out,
    )


def _name(asker: Asker, matrix: Matrix, workload: str) -> str:
    if workload in matrix.workloads:
        return workload
    ends = resolve_end(workload, asker.snapshot, asker.leases, asker.index)
    wanted = {(end.namespace, end.name) for end in ends}
    for name, pods in matrix.workloads.items():
        if any((pod.namespace, pod.name) in wanted for pod in pods):
            return name
    for end in ends:
        owner = end.pod.workload if end.pod is not None else None
        if owner is not None and f"{end.namespace}/{owner.name}" in matrix.workloads:
            return f"{end.namespace}/{owner.name}"
    raise InputError(
        f"{workload} is no workload that policies reach",
        hint="pods on the host's network are their node; write namespace/name of a Deployment or another owner",
    )
