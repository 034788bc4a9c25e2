"""Which parts of an object are read: what no evaluator looks at is skipped while parsing.

A filter is ``KEEP`` (all of it), ``SKIP`` (the key stays, its value becomes None) or a mapping from
key to filter, with ``"*"`` for the keys it does not name (missing: ``KEEP``).  Sequences hand their
filter to every element.  Both YAML readers follow the same filters, so that their results agree.
"""

from __future__ import annotations

import re
from typing import Any, Final

from flowdiag.model.policy import CALICO_GROUPS

__all__ = [
    "CLUSTER_KINDS",
    "KEEP",
    "KUSTOMIZATION",
    "POLICY_KINDS",
    "POLICY_NAMES",
    "RAW_KINDS",
    "SETTINGS",
    "SKIP",
    "UNREAD_KINDS",
    "WORKLOAD_KINDS",
    "Filter",
    "filter_of",
    "is_policy_like",
    "is_wanted_kind",
]

KEEP: Final = None
SKIP: Final = False
Filter = Any
"""``KEEP``, ``SKIP`` or ``dict[str, Filter]``; the recursion is not worth a type of its own."""

WORKLOAD_KINDS = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
)

POLICY_KINDS: frozenset[tuple[str, str]] = frozenset(
    {
        ("networking.k8s.io", "NetworkPolicy"),
        ("extensions", "NetworkPolicy"),
        ("policy.networking.k8s.io", "AdminNetworkPolicy"),
        ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
        ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
        ("cilium.io", "CiliumNetworkPolicy"),
        ("cilium.io", "CiliumClusterwideNetworkPolicy"),
        ("k8s.cni.cncf.io", "MultiNetworkPolicy"),
        ("k8s.ovn.org", "EgressFirewall"),
        ("networking.k8s.aws", "PolicyEndpoint"),
        ("networking.k8s.aws", "ApplicationNetworkPolicy"),
        ("networking.k8s.aws", "ClusterNetworkPolicy"),
        ("networking.gke.io", "FQDNNetworkPolicy"),
        ("security.istio.io", "AuthorizationPolicy"),
        *(
            (group, kind)
            for group in CALICO_GROUPS
            for kind in (
                "NetworkPolicy",
                "GlobalNetworkPolicy",
                "StagedNetworkPolicy",
                "StagedGlobalNetworkPolicy",
                "StagedKubernetesNetworkPolicy",
            )
        ),
        *(
            (group, kind)
            for group in ("crd.antrea.io", "security.antrea.tanzu.vmware.com")
            for kind in ("NetworkPolicy", "ClusterNetworkPolicy")
        ),
    }
)
"""(group, kind): the kind alone is not enough, four groups have a ``NetworkPolicy``."""

POLICY_NAMES = frozenset(kind for _, kind in POLICY_KINDS) | {
    "Tier",
    "GlobalNetworkSet",
    "NetworkSet",
    "CiliumCIDRGroup",
    "List",
}
"""What a damaged text may call itself that could have decided something: policies, what they refer to, any list."""

RAW_KINDS = frozenset(
    {
        "APIService",
        "CiliumCIDRGroup",
        "CiliumClusterwideEnvoyConfig",
        "CiliumEgressGatewayPolicy",
        "CiliumEndpoint",
        "CiliumEndpointSlice",
        "CiliumEnvoyConfig",
        "CiliumIdentity",
        "CiliumLocalRedirectPolicy",
        "CiliumNode",
        "ClusterGroup",
        "ClusterNetworkSet",
        "ConfigMap",
        "Egress",
        "EgressIP",
        "FelixConfiguration",
        "GlobalNetworkSet",
        "Group",
        "HostEndpoint",
        "IPPool",
        "Ingress",
        "KubeControllersConfiguration",
        "MutatingWebhookConfiguration",
        "Network",
        "NetworkSet",
        "PodMonitor",
        "Profile",
        "ServiceAccount",
        "ServiceMonitor",
        "Tier",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds kept whole as `RawObject`.  Secrets are never among them."""

KUSTOMIZATION = ("kustomize.config.k8s.io", "Kustomization")
"""(group, kind) of what says how manifests are to be changed before they are applied; Flux' Kustomization is another."""

UNREAD_KINDS = ("flowdiag.dev", "UnreadKinds")
"""(group, kind) of the note that `flowdiag collect` lays beside objects: kinds that it was refused."""

CLUSTER_KINDS = frozenset(
    {
        "APIService",
        "AdminNetworkPolicy",
        "BaselineAdminNetworkPolicy",
        "CiliumCIDRGroup",
        "CiliumClusterwideEnvoyConfig",
        "CiliumClusterwideNetworkPolicy",
        "CiliumEgressGatewayPolicy",
        "CiliumEndpointSlice",
        "CiliumIdentity",
        "CiliumNode",
        "ClusterGroup",
        "ClusterNetworkPolicy",
        "ClusterNetworkSet",
        "Egress",
        "EgressIP",
        "FelixConfiguration",
        "GlobalNetworkPolicy",
        "GlobalNetworkSet",
        "HostEndpoint",
        "IPPool",
        "KubeControllersConfiguration",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Network",
        "Node",
        "Profile",
        "StagedGlobalNetworkPolicy",
        "Tier",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds without a namespace."""

_POLICY_NAMES = frozenset(kind for _, kind in POLICY_KINDS)
_TYPED = frozenset({"Endpoints", "EndpointSlice", "Namespace", "Node", "Pod", "Service", "WorkloadEndpoint"})
_WANTED = _TYPED | WORKLOAD_KINDS | RAW_KINDS | _POLICY_NAMES | {KUSTOMIZATION[1]}

_META: Filter = {
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": SKIP},
    "managedFields": {"fieldsV1": {"f:metadata": {"*": SKIP}, "*": SKIP}},
}
# Headers, paths and commands of probes hold credentials and decide nothing here.
_PROBED: Filter = {"port": KEEP, "*": SKIP}
_PROBE: Filter = {
    "grpc": _PROBED,
    "httpGet": _PROBED,
    "periodSeconds": KEEP,
    "tcpSocket": _PROBED,
    "*": SKIP,
}
_CONTAINERS: Filter = {
    "livenessProbe": _PROBE,
    "name": KEEP,
    "ports": KEEP,
    "readinessProbe": _PROBE,
    "restartPolicy": KEEP,
    "startupProbe": _PROBE,
    "*": SKIP,
}
SETTINGS = frozenset({"NETWORK_POLICY_ENFORCING_MODE"})
"""Environment variables of agents that change what policies mean; values of others are nobody's business."""
_POD_SPEC: Filter = {
    "containers": _CONTAINERS,
    "hostNetwork": KEEP,
    "initContainers": _CONTAINERS,
    "nodeName": KEEP,
    "serviceAccount": KEEP,
    "serviceAccountName": KEEP,
    "*": SKIP,
}
_CONTAINER_STATUS: Filter = {"state": {"terminated": {"finishedAt": KEEP, "*": SKIP}, "*": SKIP}, "*": SKIP}
_POD: Filter = {
    "metadata": _META,
    "spec": _POD_SPEC,
    "status": {
        "containerStatuses": _CONTAINER_STATUS,
        "hostIP": KEEP,
        "hostIPs": KEEP,
        "phase": KEEP,
        "podIP": KEEP,
        "podIPs": KEEP,
        "startTime": KEEP,
        "*": SKIP,
    },
}
_TEMPLATE: Filter = {"metadata": _META, "spec": _POD_SPEC}
_WORKLOAD: Filter = {
    "metadata": _META,
    "spec": {
        "jobTemplate": {"metadata": _META, "spec": {"template": _TEMPLATE, "*": SKIP}},
        "template": _TEMPLATE,
        "*": SKIP,
    },
    "status": SKIP,
}
# Agents are DaemonSets.
_AGENT_SPEC: Filter = {
    **_POD_SPEC,
    "containers": {**_CONTAINERS, "env": {"name": KEEP, "value": KEEP, "*": SKIP}},
}
_DAEMON_SET: Filter = {
    **_WORKLOAD,
    "spec": {"template": {**_TEMPLATE, "spec": _AGENT_SPEC}, "*": SKIP},
}
_NODE: Filter = {
    "metadata": _META,
    "spec": {"podCIDR": KEEP, "podCIDRs": KEEP, "*": SKIP},
    "status": {"addresses": KEEP, "*": SKIP},
}
_EVENT: Filter = {"metadata": {"creationTimestamp": KEEP, "name": KEEP, "namespace": KEEP, "*": SKIP}}
# Of what these hold nothing is read; a key of a certificate, or a token among a scrape's parameters, may be in it.
_ENVOY: Filter = {"metadata": _META, "spec": {"resources": SKIP}}
_SCRAPED: Filter = {"port": KEEP, "targetPort": KEEP, "*": SKIP}
_MONITOR: Filter = {
    "metadata": _META,
    "spec": {
        "endpoints": _SCRAPED,
        "namespaceSelector": KEEP,
        "podMetricsEndpoints": _SCRAPED,
        "selector": KEEP,
        "*": SKIP,
    },
}
_DEFAULT: Filter = {"metadata": _META}
_BY_KIND: dict[str, Filter] = {
    "Event": _EVENT,
    "Pod": _POD,
    "Node": _NODE,
    "CiliumClusterwideEnvoyConfig": _ENVOY,
    "CiliumEnvoyConfig": _ENVOY,
    "PodMonitor": _MONITOR,
    "ServiceMonitor": _MONITOR,
    **dict.fromkeys(WORKLOAD_KINDS, _WORKLOAD),
    "DaemonSet": _DAEMON_SET,
}


def filter_of(kind: str | None) -> Filter:
    """What to read of an object of this kind; an unknown kind is read whole but for its bookkeeping."""
    return _BY_KIND.get(kind or "", _DEFAULT)


def is_wanted_kind(kind: str | None) -> bool:
    """False only where the kind is known and nothing in flowdiag reads it."""
    return kind is None or kind in _WANTED or kind.endswith("List") or is_policy_like(kind)


_POLICY_LIKE = re.compile(r"[A-Za-z]{0,60}?network-?polic(?:y|ies)", re.IGNORECASE)


def is_policy_like(kind: str) -> bool:
    """Whether a kind is a network policy by its name: another enforcer's, or a known one that is misspelt."""
    return _POLICY_LIKE.fullmatch(kind) is not None
