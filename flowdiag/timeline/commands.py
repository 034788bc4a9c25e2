"""Commands that confirm a finding on the cluster, ready to paste.

Names come from logs, which strangers write: every word is quoted for the shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from flowdiag.model.event import L7
from flowdiag.model.masking import masked
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ReportEndpoint

__all__ = ["confirm_commands"]

_EXEC_KINDS = {
    "Deployment": "deploy",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "ReplicaSet": "rs",
    "Job": "job",
    "Pod": "pod",
}
_RESOURCES = {
    ("networking.k8s.io", "NetworkPolicy"): "networkpolicy",
    ("cilium.io", "CiliumNetworkPolicy"): "ciliumnetworkpolicy",
    ("cilium.io", "CiliumClusterwideNetworkPolicy"): "ciliumclusterwidenetworkpolicy",
    ("policy.networking.k8s.io", "AdminNetworkPolicy"): "adminnetworkpolicy",
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"): "baselineadminnetworkpolicy",
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"): "clusternetworkpolicy",
}
_MAX_POLICIES = 3
_MAX_URL = 200
"""Longer ones are not put into a command: cut, they would ask for something else."""


def confirm_commands(
    source: ReportEndpoint,
    destination: ReportEndpoint,
    protocol: str | None,
    port: int | None,
    policies: Sequence[PolicyRef],
    *,
    address: str | None = None,
    service: str | None = None,
    l7: L7 | None = None,
) -> tuple[str, ...]:
    """What to run: the connection from inside the source, then the policies that isolate.

    Args:
        source: who was refused.
        destination: what was asked for.
        protocol: the transport.
        port: the port.
        policies: that isolate.
        address: what the records have for the destination, where its own addresses are not known (a Service's).
        service: what to ask in place of the destination, on whose own addresses nobody listens on that port.
        l7: the request that a proxy refused: the connection itself passes, so that to open one proves nothing.
    """
    commands = []
    target = service or _target(destination) or address
    pod = _exec_target(source)
    if pod is not None and target is not None:
        if l7 is None or l7.kind == "dns":
            probe = _probe(target, destination, protocol, port)
        else:
            probe = _request(l7, target, port)
        if probe is not None:
            commands.append(f"kubectl -n {_q(source.namespace or 'default')} exec {pod} -- {probe}")
            if source.pods:
                commands.append(
                    f"kubectl -n {_q(source.namespace or 'default')} debug {_q('pod/' + source.pods[0])} -it "
                    f"--image=nicolaka/netshoot -- {probe}"
                )
    for ref in policies[:_MAX_POLICIES]:
        resource = _RESOURCES.get((ref.group, ref.kind), f"{ref.kind.lower()}.{ref.group}")
        where = f"-n {_q(ref.namespace)} " if ref.namespace else ""
        # No host endpoint is named: none of them has a profile that would let it pass.
        verb, name = ("get", "-o yaml") if ref.kind == "HostEndpoint" else ("describe", _q(ref.name))
        commands.append(f"kubectl {where}{verb} {_q(resource)} {name}")
    return tuple(commands)


def _exec_target(end: ReportEndpoint) -> str | None:
    if end.kind != "pod" or end.workload is None or end.cluster:
        # kubectl would look for a pod of another cluster in this one.
        return None
    prefix = _EXEC_KINDS.get(end.workload.kind or "")
    if prefix is not None:
        return _q(f"{prefix}/{end.workload.name}")
    return _q(f"pod/{end.pods[0]}") if end.pods else None


def _target(end: ReportEndpoint) -> str | None:
    if end.kind == "service" and end.name and end.namespace:
        return f"{end.name}.{end.namespace}"
    if end.dns_names:
        return end.dns_names[0]
    if end.ips:
        return end.ips[0]
    return None


def _probe(target: str, end: ReportEndpoint, protocol: str | None, port: int | None) -> str | None:
    if port == 53 and protocol in ("UDP", "TCP"):
        server = end.ips[0] if end.ips else target
        tcp = "-vc " if protocol == "TCP" else ""
        return f"nslookup {tcp}kubernetes.default.svc.cluster.local {_q(server)}"
    if port is None:
        return None
    if protocol == "TCP":
        return f"nc -zvw3 {_q(target)} {port}"
    if protocol == "UDP":
        return f"nc -zuvw3 {_q(target)} {port}"
    return None


def _request(l7: L7, target: str, port: int | None) -> str | None:
    """Ask as was asked, to see the answer's status; without what may be secret, and only where it is HTTP."""
    url = masked(l7.url or "").partition("?")[0]
    if l7.kind != "http" or not l7.method or not url or len(url) > _MAX_URL:
        return None
    if url.startswith("/"):
        host = f"[{target}]" if ":" in target else target
        url = f"http://{host}{f':{port}' if port is not None else ''}{url}"
    return f"curl -sSI {_q(url)}" if l7.method == "HEAD" else f"curl -sSi -X {_q(l7.method)} {_q(url)}"


def _q(text: str) -> str:
    # A word that starts with a dash would be read as an option by the command behind it.
    return shlex.quote(text.lstrip("-") or "unnamed")
