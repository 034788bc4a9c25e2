"""FD902."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from flowdiag.cluster.addresses import INSIDE
from flowdiag.diagnose.check import Check, Concern, Scene
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import WorkloadRef
from flowdiag.model.flow import Flow
from flowdiag.model.report import ReportEndpoint, Severity

__all__ = ["OpenToOutside"]

_INSIDE = (*INSIDE, ip_network("127.0.0.0/8"), ip_network("::1/128"))
_SHOWN = 5

_Subject = tuple[str, str, str]
"""(namespace, workload kind, workload name)."""


class OpenToOutside(Check):
    """A workload that no policy isolates receives traffic from outside the cluster.

    Signature:
        Allowed flows from an outside address to a pod that no policy isolates for ingress, and that no
        rule of an admin policy or tier decided about.

    Advice:
        Give the workload an ingress policy that names who may call it; what is meant to be open, such as
        an ingress controller, is accepted in .flowdiag.toml with a reason.

    Guard:
        Pods on the host's network are out of policies' reach.  A private address counts only where the
        record itself says world: it may be a node's, seen after source translation.  Silent without
        policies in the state.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-policies
    """

    code = "FD902"
    slug = "open-to-outside"
    severity = Severity.MEDIUM

    def look(self, scene: Scene) -> Iterator[Concern]:
        """See `Check.look`."""
        if not scene.snapshot.policies_read:
            return
        flows: dict[_Subject, list[Flow]] = defaultdict(list)
        isolated: dict[tuple[str, str], bool] = {}
        for flow in scene.allowed:
            pod = flow.dst.pod
            # A pod that is gone says nothing of how things stand.
            if pod is None or not pod.live or pod.host_network or not _outside(flow.src):
                continue
            if scene.namespaces and pod.namespace not in scene.namespaces:
                continue
            key = (pod.namespace, pod.name)
            if key not in isolated:
                isolated[key] = _isolated(scene, flow)
            if not isolated[key]:
                owner = pod.workload
                flows[
                    (pod.namespace, (owner.kind or "") if owner else "Pod", owner.name if owner else pod.name)
                ].append(flow)
        for subject, own in sorted(flows.items()):
            yield _concern(subject, own)


def _concern(subject: _Subject, flows: list[Flow]) -> Concern:
    namespace, kind, name = subject
    peers = sorted({_peer(flow.src) for flow in flows})
    ports = sorted({(flow.distinct.protocol or "", flow.distinct.port) for flow in flows}, key=repr)
    firsts = [flow.first for flow in flows if flow.first is not None]
    lasts = [flow.last for flow in flows if flow.last is not None]
    on = ", ".join(
        f"{port}/{protocol}" if port is not None else protocol for protocol, port in ports[:_SHOWN]
    )
    shown = ", ".join(peers[:_SHOWN]) + (f" and {len(peers) - _SHOWN} more" if len(peers) > _SHOWN else "")
    records = sum(flow.count for flow in flows)
    return Concern(
        key=subject,
        title=f"{namespace}/{name} takes calls from outside and no policy isolates it",
        summary=f"{records} allowed records from {shown} on {on}.",
        advice="Give it an ingress policy that names who may call; accept it with a reason in .flowdiag.toml "
        "if it is meant to be open.",
        source=ReportEndpoint(
            kind="external",
            name=peers[0] if len(peers) == 1 else None,
            ips=tuple(sorted({flow.src.ip for flow in flows if flow.src.ip})[:20]),
        ),
        destination=ReportEndpoint(
            kind="pod", namespace=namespace, name=name, workload=WorkloadRef(kind or None, name)
        ),
        protocol=ports[0][0] or None if len(ports) == 1 else None,
        port=ports[0][1] if len(ports) == 1 else None,
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        notes=(f"{records} allowed records from {shown} on {on}",),
    )


def _isolated(scene: Scene, flow: Flow) -> bool:
    """Whether anything decides about it, or whether that cannot be told."""
    found = scene.policies.evaluate(
        flow.src, flow.dst, flow.distinct.protocol, flow.distinct.port, icmp=flow.distinct.icmp
    )
    end = found.ingress
    return (
        end is None
        or end.allowed is not True
        or bool(end.isolated_by)
        or end.decided_by is not None
        or bool(end.unknown)
    )


def _outside(end: Endpoint) -> bool:
    if (end.entity or "").startswith("world"):
        return True
    if end.kind is not EndpointKind.EXTERNAL or not end.ip:
        return False
    try:
        address = ip_address(end.ip)
    except ValueError:
        return False
    return not any(address.version == known.version and address in known for known in _INSIDE)


def _peer(end: Endpoint) -> str:
    return (end.dns_names[0] if end.dns_names else None) or end.ip or end.entity or "outside"
