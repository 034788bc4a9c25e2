"""Which destinations are the cluster's DNS servers."""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.replayed import behind_all
from flowdiag.diagnose.signs import DNS_PORTS
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.spec import rule_at
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.objects import Pod, Service
from flowdiag.model.policy import DecidedBy

__all__ = [
    "CLOUD_RESOLVER",
    "DNS_PORTS",
    "LOCAL_CACHE_IPS",
    "dns_addresses",
    "dns_pods",
    "is_dns_server",
    "is_dns_traffic",
    "lookups_closed",
]

_OF_PORTS = ("ports", "protocols", "toServices")
"""Fields by which a rule of a baseline means some traffic alone."""
LOCAL_CACHE_IPS = frozenset({"169.254.20.10", "169.254.25.10", "fd00::10"})
"""Link-local addresses of NodeLocal DNSCache: the add-on's default, Kubespray's, the IPv6 example's."""

CLOUD_RESOLVER = "169.254.169.254"
"""Where Cloud DNS for GKE answers: kubelet makes it the pods' nameserver, and the DNS pods, if there are any, are not asked.

No selector means it (tektoncd/operator#4000, gke-labs/kube-agents#1140).
"""

# Labels of DNS pods: kubeadm and most clouds (k8s-app=kube-dns), CoreDNS charts, RKE2, OpenShift.
_DNS_LABELS = (
    ("k8s-app", "kube-dns"),
    ("k8s-app", "coredns"),
    ("k8s-app", "node-local-dns"),
    ("app.kubernetes.io/name", "coredns"),
    ("app.kubernetes.io/name", "rke2-coredns"),
    ("app", "coredns"),
    ("dns.operator.openshift.io/daemonset-dns", "default"),
)
_DNS_NAMES = frozenset(
    {"kube-dns", "coredns", "rke2-coredns-rke2-coredns", "dns-default", "node-local-dns", "kube-dns-upstream"}
)


def is_dns_traffic(case: Case) -> bool:
    """Whether the port is one that lookups use, over UDP or TCP."""
    return case.port in DNS_PORTS and case.protocol in ("UDP", "TCP")


def is_dns_server(case: Case) -> bool:
    """Whether the destination is a DNS server of the cluster and the port is one of its DNS ports."""
    if not is_dns_traffic(case):
        return False
    if case.flow.dst.ip == CLOUD_RESOLVER:
        return True
    ends = [case.flow.dst] + ([case.flow.via] if case.flow.via is not None else [])
    return any(_server(end) for end in ends) or (
        case.flow.dst.pod is not None
        and any(_dns_service(service) for service in case.context.services_of(case.flow.dst.pod))
    )


def lookups_closed(case: Case) -> DecidedBy | None:
    """The rule by which a baseline refuses lookups at the client, where it names no port: nobody meant lookups by it.

    ``None`` where the record names other policies: it was there.
    """
    decided = behind_all(case.context, case.end)
    if decided is None or case.direction is Direction.INGRESS or not is_dns_server(case):
        return None
    named = {hit.name for hit in case.recorded_denies if hit.name is not None}
    if named and decided.policy.name not in named:
        return None
    rule = rule_at(case, decided.place)
    return None if rule is None or any(rule.get(field) for field in _OF_PORTS) else decided


def dns_addresses(case: Case) -> list[str]:
    """Cluster addresses of the DNS Service that pods are told of, at which a node's cache listens too."""
    return sorted(
        ip
        for service in case.context.snapshot.services
        if service.labels.get("k8s-app") == "kube-dns" or service.name == "kube-dns"
        for ip in service.cluster_ips
    )


def dns_pods(case: Case) -> tuple[str, str, str]:
    """Namespace, key and value of a label of the DNS pods that are called; those of kubeadm's where they are not known."""
    pod = some_pod(case.context, case.flow.dst)
    if pod is not None and not pod.host_network:
        for key, value in _DNS_LABELS:
            if pod.labels.get(key) == value:
                return pod.namespace, key, value
    return "kube-system", "k8s-app", "kube-dns"


def _server(end: Endpoint) -> bool:
    if end.service is not None and _dns_service(end.service):
        return True
    if end.pod is not None and _dns_pod(end.pod):
        return True
    name = end.workload.name if end.workload is not None else end.name
    return name in _DNS_NAMES or any(
        (key.removeprefix("k8s:"), value) in _DNS_LABELS for key, value in end.identity_labels or ()
    )


def _dns_pod(pod: Pod) -> bool:
    return any(pod.labels.get(key) == value for key, value in _DNS_LABELS)


def _dns_service(service: Service) -> bool:
    return service.name in _DNS_NAMES or any(service.labels.get(key) == value for key, value in _DNS_LABELS)
