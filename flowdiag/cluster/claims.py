"""When a pod holds its addresses, and which end an address is, by those who claim it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from flowdiag.model.endpoint import Endpoint, EndpointKind, KnownBy
from flowdiag.model.objects import Pod, Service
from flowdiag.model.time import moment_text

__all__ = ["ALWAYS", "Claim", "claim_of", "gone_end", "hinted_end", "pod_end", "pods_end", "service_end"]


class Claim(Struct, frozen=True):
    """A pod holds an address in ``[start, end)``; `weak` where it only may (finished, or being deleted)."""

    pod: Pod
    start: int | None
    end: int | None
    weak_from: int | None

    def holds(self, at: int | None) -> bool:
        """Whether it may hold the address then; ``None`` is no known time."""
        if at is None:
            return True
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    def weak(self, at: int | None) -> bool:
        """Whether it stands behind a claim that is sure then."""
        if at is None:
            # At no known time a pod that ended, or is about to, stands behind one that lives.
            return self.weak_from is not None or not self.pod.live
        return self.weak_from is not None and at >= self.weak_from


ALWAYS = -(1 << 62)
"""The instant from which on a pod that ended at an unknown time may have lost its addresses."""


def claim_of(pod: Pod) -> Claim:
    """When a pod holds its addresses."""
    # The kubelet sees a pod (startTime) before its sandbox gets an address; both stamps are cut to seconds.
    starts = [at for at in (pod.created, pod.started) if at is not None]
    start = max(starts, default=None)
    if not pod.live:
        if pod.finished is not None:
            return Claim(pod, start, pod.finished + 1_000_000_000, None)
        return Claim(pod, start, None, ALWAYS)
    return Claim(pod, start, None, pod.deleted)


def pod_end(pod: Pod, ip: str | None, known_by: KnownBy, note: str | None = None) -> Endpoint:
    """A pod of the state, at one of its addresses."""
    return Endpoint(
        kind=EndpointKind.POD,
        namespace=pod.namespace,
        name=pod.name,
        ip=ip,
        pod=pod,
        workload=pod.workload,
        workload_inferred=pod.workload_inferred,
        known_by=known_by,
        note=note,
    )


def pods_end(address: str, pods: Sequence[Pod]) -> Endpoint:
    """The pod that has an address, or what is known where several claim it."""
    names = tuple(sorted({f"{pod.namespace}/{pod.name}" for pod in pods}))
    first = pods[0]
    if len(names) == 1:
        # A WorkloadEndpoint and a Pod of one name are one pod: the Pod object knows more.
        best = next((pod for pod in pods if pod.kind == "Pod"), first)
        sure = best.live or best.finished is not None
        note = None if sure else f"pod is {best.phase}; it may have lost the address"
        return pod_end(best, address, KnownBy.ADDRESS, note)
    if len({(pod.namespace, pod.workload) for pod in pods}) == 1:
        return Endpoint(
            kind=EndpointKind.WORKLOAD,
            namespace=first.namespace,
            ip=address,
            workload=first.workload,
            workload_inferred=first.workload_inferred,
            known_by=KnownBy.ADDRESS,
            candidates=names,
            note="several pods of the workload claim the address",
        )
    return Endpoint(
        kind=EndpointKind.UNKNOWN, ip=address, candidates=names, note="address claimed by several pods"
    )


def service_end(service: Service, address: str, note: str | None) -> Endpoint:
    """A Service that has an address."""
    return Endpoint(
        kind=EndpointKind.SERVICE,
        namespace=service.namespace,
        name=service.name,
        ip=address,
        service=service,
        known_by=KnownBy.ADDRESS,
        note=note,
    )


def gone_end(address: str, claims: Iterable[Claim]) -> Endpoint:
    """Give the end for an address that pods of the state have, but not at that time."""
    parts = []
    names = []
    for claim in claims:
        name = f"{claim.pod.namespace}/{claim.pod.name}"
        names.append(name)
        if claim.end is not None:
            parts.append(f"was {name} until {moment_text(claim.end - 1_000_000_000)}")
        else:
            parts.append(f"now {name}")
    return Endpoint(
        kind=EndpointKind.UNKNOWN,
        ip=address,
        candidates=tuple(sorted(set(names))),
        note=f"owner unknown at that time ({'; '.join(parts[:3])})",
    )


def hinted_end(address: str, names: Sequence[str]) -> Endpoint:
    """Pods that other objects put at an address, as ``namespace/name``."""
    if len(names) > 1:
        return Endpoint(
            kind=EndpointKind.UNKNOWN,
            ip=address,
            candidates=tuple(names),
            note="address claimed by several pods",
        )
    namespace, _, name = names[0].partition("/")
    return Endpoint(
        kind=EndpointKind.POD,
        namespace=namespace,
        name=name,
        ip=address,
        known_by=KnownBy.ADDRESS,
        note="known only from the endpoints of a Service or the CNI",
    )
