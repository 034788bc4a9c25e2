"""Which objects of an audit log matter to connectivity, and what their kinds are called.

An audit record names the resource in the plural (``networkpolicies``), and the same plural exists in several API groups.
"""

from __future__ import annotations

__all__ = ["kind_of", "matters"]

_NETWORKING = "networking.k8s.io"
_CALICO = ("projectcalico.org", "crd.projectcalico.org")
_ANTREA = "crd.antrea.io"
_ADMIN = "policy.networking.k8s.io"

_KINDS: dict[tuple[str, str], str] = {
    (_NETWORKING, "networkpolicies"): "NetworkPolicy",
    (_ADMIN, "adminnetworkpolicies"): "AdminNetworkPolicy",
    (_ADMIN, "baselineadminnetworkpolicies"): "BaselineAdminNetworkPolicy",
    (_ADMIN, "clusternetworkpolicies"): "ClusterNetworkPolicy",
    ("cilium.io", "ciliumnetworkpolicies"): "CiliumNetworkPolicy",
    ("cilium.io", "ciliumclusterwidenetworkpolicies"): "CiliumClusterwideNetworkPolicy",
    ("cilium.io", "ciliumcidrgroups"): "CiliumCIDRGroup",
    (_ANTREA, "networkpolicies"): "NetworkPolicy",
    (_ANTREA, "clusternetworkpolicies"): "ClusterNetworkPolicy",
    (_ANTREA, "tiers"): "Tier",
    (_ANTREA, "groups"): "Group",
    (_ANTREA, "clustergroups"): "ClusterGroup",
    ("k8s.ovn.org", "egressfirewalls"): "EgressFirewall",
    ("networking.gke.io", "fqdnnetworkpolicies"): "FQDNNetworkPolicy",
    ("networking.k8s.aws", "applicationnetworkpolicies"): "ApplicationNetworkPolicy",
    ("networking.k8s.aws", "clusternetworkpolicies"): "ClusterNetworkPolicy",
    ("security.istio.io", "authorizationpolicies"): "AuthorizationPolicy",
    ("security.istio.io", "peerauthentications"): "PeerAuthentication",
    ("", "namespaces"): "Namespace",
    ("", "pods"): "Pod",
    ("", "services"): "Service",
    ("", "replicationcontrollers"): "ReplicationController",
    ("apps", "deployments"): "Deployment",
    ("apps", "statefulsets"): "StatefulSet",
    ("apps", "daemonsets"): "DaemonSet",
    ("batch", "cronjobs"): "CronJob",
    ("batch", "jobs"): "Job",
    **{
        (group, plural): kind
        for group in _CALICO
        for plural, kind in (
            ("networkpolicies", "NetworkPolicy"),
            ("globalnetworkpolicies", "GlobalNetworkPolicy"),
            ("stagednetworkpolicies", "StagedNetworkPolicy"),
            ("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy"),
            ("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy"),
            ("tiers", "Tier"),
            ("networksets", "NetworkSet"),
            ("globalnetworksets", "GlobalNetworkSet"),
            ("hostendpoints", "HostEndpoint"),
            ("profiles", "Profile"),
            ("felixconfigurations", "FelixConfiguration"),
        )
    },
}
"""ReplicaSets are left out: their Deployment's change is the one that somebody made."""

_IGNORED_SUBRESOURCES = (
    "status",
    "finalize",
    "binding",
    "eviction",
    "exec",
    "log",
    "portforward",
    "attach",
    "proxy",
    "token",
)


def kind_of(group: str, resource: str) -> str | None:
    """``NetworkPolicy`` for ``networkpolicies`` of this group; ``None`` where the resource does not matter."""
    return _KINDS.get((group, resource))


def matters(group: str, resource: str, subresource: str | None) -> bool:
    """Whether a write to this resource may change who talks to whom."""
    return (group, resource) in _KINDS and (subresource or "") not in _IGNORED_SUBRESOURCES
