"""Ends that few rules are about, and that their names or addresses give away: worked out once per end, not per refusal."""

from __future__ import annotations

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.context import Context
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Pod

__all__ = ["METADATA", "PROBES_OF_AMBIENT", "api_client", "is_scraper"]

PROBES_OF_AMBIENT = frozenset({"169.254.7.127", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff"})
"""What Istio's ambient mode (istio-cni, HOST_PROBE_SNAT_IP) makes the source of the kubelet's probes."""
METADATA = {
    "169.254.169.254": "the cloud's instance metadata",
    "fd00:ec2::254": "the cloud's instance metadata",
    "169.254.170.2": "the ECS task credentials",
    "169.254.170.23": "the EKS pod identity agent",
    "fd00:ec2::23": "the EKS pod identity agent",
    "169.254.169.252": "the GKE metadata server",
}
"""Addresses at which clouds give metadata and credentials."""
_SCRAPERS = ("prometheus", "vmagent", "grafana-agent", "alloy", "otel-collector", "opentelemetry-collector")
_TUNNELS = ("konnectivity-agent",)
"""Pods through which a managed control plane reaches into the cluster (GKE, AKS)."""
_SERVER_ENTITIES = ("kube-apiserver", "host", "remote-node")


def is_scraper(end: Endpoint) -> bool:
    """Whether an end collects metrics, by its labels or name."""
    names = [end.workload.name if end.workload is not None else end.name or ""]
    if end.pod is not None:
        names.extend(end.pod.labels.get(key, "") for key in ("app", "app.kubernetes.io/name"))
    return any(name.startswith(_SCRAPERS) for name in names if name)


@cached_per_run
def api_client(context: Context, end: Endpoint) -> bool | None:
    """Whether the end is the API server: surely, perhaps (a node), or not (``None``)."""
    if end.entity == "kube-apiserver" or (end.ip is not None and end.ip in context.api_addresses):
        return True
    if end.kind is EndpointKind.NODE and context.api_addresses and end.name is not None:
        own = {ip for ip, name in context.node_ips.items() if name == end.name}
        agents = any(_tunnels(pod) for pod in context.host_pods(end.name, end.ip))
        return False if agents or own & context.api_addresses else None
    if end.kind is EndpointKind.NODE or end.entity in _SERVER_ENTITIES:
        return False
    if end.pod is not None and (end.pod.host_network or _tunnels(end.pod)):
        return False
    # Flow logs that gather pods name the workload alone.
    named = end.pod is None and end.workload is not None and end.workload.name in _TUNNELS
    return False if named else None


def _tunnels(pod: Pod) -> bool:
    """Whether a managed control plane reaches in through the pod."""
    return pod.labels.get("k8s-app") in _TUNNELS or pod.labels.get("app") in _TUNNELS
