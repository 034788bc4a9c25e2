"""Who can reach a workload, and what it can reach, by port: exactly, over the state and the outside ranges."""

from __future__ import annotations

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.query import resolve_end
from flowdiag.model.errors import InputError
from flowdiag.policy.audit import AS_ENFORCED
from flowdiag.policy.matrix import Matrix, merged, outside_ranges, texts
from flowdiag.policy.openness import Ports
from flowdiag.policy.ports import NO_PORTS
from flowdiag.report.reach_view import Reach, ReachResult

__all__ = ["reach"]

_APART = (
    "pods in another network than this workload are listed as unknown where policies let them pass: nothing passes between "
    "networks that OVN-Kubernetes gives namespaces of their own, but where a ClusterNetworkConnect, a router outside, a node "
    "port or a load balancer leads across"
)


def reach(asker: Asker, workload: str) -> ReachResult:
    """Every workload and outside range that can reach `workload` or be reached by it, or perhaps can.

    Raises:
        InputError: nothing in the state is called so, or it is no workload.
    """
    sure = Matrix(asker.snapshot, asker.policies, inferred=True)
    perhaps = Matrix(asker.snapshot, asker.policies, inferred=True, unknown=True)
    name = _name(asker, sure, workload)
    others = [other for other in sure.workloads if other != name]
    inbound = [_row(other, sure.between(other, name), perhaps.between(other, name)) for other in others]
    outbound = [_row(other, sure.between(name, other), perhaps.between(name, other)) for other in others]
    outside_in: list[Reach | None] = []
    outside_out: list[Reach | None] = []
    for version in (4, 6):
        ranges = outside_ranges([asker.policies], version)
        both = ((one, (sure.from_outside(one, name), perhaps.from_outside(one, name))) for one in ranges)
        outside_in += [_row(one.text, *ports) for one, ports in merged(both)]
        both = ((one, (sure.to_outside(name, one), perhaps.to_outside(name, one))) for one in ranges)
        outside_out += [_row(one.text, *ports) for one, ports in merged(both)]
    return ReachResult(
        workload=name,
        inbound=tuple(row for row in [*inbound, *outside_in] if row is not None),
        outbound=tuple(row for row in [*outbound, *outside_out] if row is not None),
        inbound_closed=inbound.count(None),
        outbound_closed=outbound.count(None),
        notes=(
            *([AS_ENFORCED] if asker.audits_only else []),
            *(
                [_APART]
                if any(sure.apart(name, other) or sure.apart(other, name) for other in others)
                else []
            ),
        ),
    )


def _row(peer: str, sure: Ports, perhaps: Ports) -> Reach | None:
    """What is open and what may be; None where all is closed."""
    if not perhaps:
        return None
    unknown = {protocol: ports - sure.get(protocol, NO_PORTS) for protocol, ports in perhaps.items()}
    return Reach(peer=peer, ports=texts(sure), unknown=texts(unknown))


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
