"""Words that say nothing about whose cluster it is: schemas, protocols, enums, well-known keys.

Everything else that may be a name is replaced by `flowdiag.report.redact`.
"""

from __future__ import annotations

import re

__all__ = ["is_common", "is_common_group", "is_common_key"]

# Keys and enum values of the policy kinds' manifests (networking.k8s.io/v1, policy.networking.k8s.io,
# cilium.io/v2, projectcalico.org/v3) and of kubectl's output.
_SCHEMA = """
action allow anp apiGroup apiVersion app applyOnForward cidr cidrGroupRef cidrSet component conditions created
creationTimestamp default deny deleted description destination dns domain egress egressDeny enableDefaultDeny
endPort endpointSelector entities except exists except from fromCIDR fromCIDRSet fromEndpoints fromEntities
fromNodes fromRequires generation group groups headers host http icmp icmps ingress ingressDeny ipBlock items
kind kinds labels l7 log managedFields matchExpressions matchLabels matchName matchPattern metadata method name
namedPort namespace namespaceSelector namespaces nets networks nodeSelector none notNets notPorts notSelector
null operator order path pass pod podSelector pods policyTypes port portNumber portRange ports priority
protocol protocols resourceVersion role rules same selector serverNames service serviceAccountSelector services
source spec start end subject tier tiers to toCIDR toCIDRSet toEndpoints toEntities toFQDNs toGroups toNodes
toPorts toRequires toServices type types uid updated values version
In NotIn Exists DoesNotExist Allow Deny Pass Log Accept Ingress Egress
TCP UDP SCTP ICMP ICMPv6 ICMPv4 UDPLite ANY IPv4 IPv6 HTTP GET HEAD POST PUT DELETE PATCH OPTIONS
true false yes no on off v1 v2 v3 v1alpha1 v1alpha2 v1beta1 v1beta2 List
NetworkPolicy AdminNetworkPolicy BaselineAdminNetworkPolicy ClusterNetworkPolicy CiliumNetworkPolicy
CiliumClusterwideNetworkPolicy GlobalNetworkPolicy StagedNetworkPolicy StagedGlobalNetworkPolicy
StagedKubernetesNetworkPolicy CIDRGroup CiliumCIDRGroup NetworkSet GlobalNetworkSet HostEndpoint
Deployment StatefulSet DaemonSet ReplicaSet ReplicationController Job CronJob Pod Service Namespace Node
networkpolicy adminnetworkpolicy baselineadminnetworkpolicy clusternetworkpolicy ciliumnetworkpolicy
ciliumclusterwidenetworkpolicy globalnetworkpolicy deploy deployment statefulset daemonset replicaset cronjob sts
ds rs svc kubernetes local
world world-ipv4 world-ipv6 cluster host remote-node kube-apiserver health init unmanaged all reserved k8s any
"""

# Words of log lines: cilium monitor and agent, Calico's packet log and Felix, netfilter's LOG target.
_LOGS = """
addr address and at bytes calico-packet cluster cpu dport drop dropped dst endpoint error file flow flags for
forwarded from identity ifindex in info interface ip is kernel len level line log mac mark msg msgs net netfilter
node not of on orig-ip out packet packets policy policy-verdict proto reason seq sport src state time to tos ttl
unknown verdict warning window with xx denied allowed allow audit egress ingress direction match none L3-Only
L3-L4 L4-Only L3 L4 L7 DF SYN ACK FIN RST PSH URG IN OUT PHYSIN PHYSOUT SRC DST LEN TOS PREC TTL ID PROTO SPT DPT
WINDOW RES URGP MARK MAC MACSRC MACDST MACPROTO TC HOPLIMIT FLOWLBL CODE TYPE
"""

_COMMON = frozenset(_SCHEMA.split()) | frozenset(_LOGS.split())

# DROPPED, POLICY_DENIED, L3_L4, TRACE_TO_LXC: enum values of exports; and what has no letters at all.
_ENUM = re.compile(
    r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|DROPPED|FORWARDED|ERROR|AUDIT|REDIRECTED|TRACED|TRANSLATED|UNKNOWN"
)
_NUMBER = re.compile(r"[0-9]{1,9}|0x[0-9a-f]{1,8}|[^0-9A-Za-z\x80-\U0010ffff]*")
# 2026-03-17T14:03:13.850000000Z, 14:03:13.850
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[T ]?)?(?:\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?")

_KEYS = frozenset(
    [
        "app",
        "k8s-app",
        "tier",
        "component",
        "role",
        "version",
        "name",
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "batch.kubernetes.io/job-name",
        "projectcalico.org/namespace",
        "projectcalico.org/name",
        "projectcalico.org/orchestrator",
        "projectcalico.org/serviceaccount",
    ]
)
_KEY_PREFIXES = (
    "kubernetes.io/",
    "app.kubernetes.io/",
    "topology.kubernetes.io/",
    "node.kubernetes.io/",
    "io.kubernetes.pod.",
    "io.cilium.k8s.policy.",
    "io.cilium.k8s.namespace.labels.kubernetes.io/",
    "pod-security.kubernetes.io/",
)
_GROUPS = (
    ".k8s.io",
    ".cilium.io",
    "cilium.io",
    ".projectcalico.org",
    "projectcalico.org",
    "crd.antrea.io",
    "k8s.ovn.org",
)
_CORE_GROUPS = frozenset(
    {"", "apps", "batch", "networking.k8s.io", "discovery.k8s.io", "autoscaling", "policy"}
)


def is_common(word: str) -> bool:
    """A word of some schema, protocol or log format, a number or a time."""
    return (
        word in _COMMON
        or _ENUM.fullmatch(word) is not None
        or _NUMBER.fullmatch(word) is not None
        or _TIME.fullmatch(word) is not None
    )


def is_common_key(key: str) -> bool:
    """A label key that everybody has; prefixes of sources (``k8s:``) are looked through."""
    bare = key.partition(":")[2] if key.startswith(("k8s:", "any:", "reserved:")) else key
    return bare in _KEYS or bare.startswith(_KEY_PREFIXES)


def is_common_group(group: str) -> bool:
    """An API group of Kubernetes or a CNI."""
    return group in _CORE_GROUPS or group.endswith(_GROUPS)
