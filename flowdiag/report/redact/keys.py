"""Keys: which of them everybody has, and what stands behind them.

Behind a key of a log format stand words of the format, a line of text, a number or a name.
"""

from __future__ import annotations

import re

__all__ = [
    "is_common_group",
    "is_common_key",
    "is_count_key",
    "is_enum_key",
    "is_message_key",
    "is_name_key",
]

# Keys whose values are words of the format and no names, without case and joints: "traffic_direction":"EGRESS"
# (Hubble), "reporter":"Dst" (Calico), "disposition":"deny" (GKE), PROTO=TCP (netfilter), verdict=drop (OVN).
_ENUM_KEYS = frozenset(
    [
        "action",
        "apiversion",
        "auth",
        "category",
        "direction",
        "disposition",
        "dropreasondesc",
        "effect",
        "ethernettype",
        "family",
        "feature",
        "flowdirection",
        "flowtype",
        "flags",
        "nwfrag",
        "tcpflags",
        "ipversion",
        "kind",
        "l7proto",
        "level",
        "meter",
        "method",
        "observationpoint",
        "operator",
        "pktdroplatestdropcause",
        "pktdroplateststate",
        "policytypes",
        "prec",
        "priority",
        "proto",
        "protocol",
        "qtype",
        "qtypes",
        "rcode",
        "reason",
        "reporter",
        "res",
        "rrtypes",
        "scheme",
        "severity",
        "sourcetype",
        "destinationtype",
        "desttype",
        "state",
        "statechange",
        "status",
        "stream",
        "subtype",
        "stage",
        "summary",
        "resource",
        "sourcek8stype",
        "tos",
        "traceobservationpoint",
        "tracereason",
        "trafficdirection",
        "transport",
        "type",
        "types",
        "verb",
        "verdict",
        "workloadkind",
        "srck8stype",
        "dstk8stype",
        "srck8sownertype",
        "dstk8sownertype",
    ]
)
_MESSAGE_KEYS = frozenset(["msg", "message", "note", "log", "error", "textpayload", "networkevents", "event"])
"""Keys whose values are lines of text."""

# Keys whose numbers are no names, as above: "destination_port":"8080" (GKE), SPT=41022 LEN=60 (netfilter),
# policyRevision=41 (cilium-agent), nw_ttl=63 and n_packets=4 (OVS), "resourceVersion":"9120" (Kubernetes),
# "__REALTIME_TIMESTAMP" and "_PID" (journald), "num_events_lost":"37" (Hubble), "start":"1773756193" (VPC flow logs).
_COUNT_KEY = re.compile(
    r".*(?:ports?|bytes|packets?|pkts|counts?|counter|revision|identity|timestamp|datetime|duration|latency|ttl|seconds|cookie"
    r"|ifindex|priority|protocol|proto|lost|resourceversion|generation|verbosity)"
    r"|(?:endpoint|flow|peer|cluster|node|rule|acl|conn|connection|trace|span|request|process|thread|event)?id"
    r"|(?:tp|nw|ct|dl|ip|icmp|tcp|icmp6|tun|ipv6)(?:src|dst|mark|tos|ecn|state|zone|id|frag|flags?|type|code|version)"
    r"|(?:trust)?spt|dpt|len|length|size|tos|prec|window|res|urgp|mark|type|code|seq|ack|hoplimit|flowlbl|tc|index"
    r"|policyindex|ruleindex|num.*|n(?:packets|bytes)|table|reg\d{1,2}|metadata|pid|uid|gid|tid|ppid|euid|auid|facility"
    r"|syslogfacility|errno|level|time|timeunixnano|ts|start|end|offset|lineno|line|status|attempts?|retries|mtu|vni|spi"
    r"|(?:http|response|status|dropreason|reason|grpc)?(?:statuscode|code|status)|total|sum|at|first|last|ndots"
)
# "namespace":1234 as a table's export writes it, Namespace:1234 as Go prints a struct
_NAME_KEY = re.compile(
    r".*(?:namespace|podname|nodename|hostname|clustername|policyname|servicename|workload|workloadname)|pod|name|host|policy"
)

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


def is_enum_key(key: str) -> bool:
    """Whether what stands under a key are words of the format."""
    return _flat(key) in _ENUM_KEYS


def is_message_key(key: str) -> bool:
    """Whether what stands under a key is a line of text."""
    return _flat(key) in _MESSAGE_KEYS


def is_count_key(key: str) -> bool:
    """Whether a number that stands under a key is one: a port, a count, an identity, a time."""
    return _COUNT_KEY.fullmatch(_flat(key)) is not None


def is_name_key(key: str) -> bool:
    """Whether what stands under a key is a name, even where it is written as a number."""
    return _NAME_KEY.fullmatch(_flat(key)) is not None


def _flat(key: str) -> str:
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()


def is_common_key(key: str) -> bool:
    """A label key that everybody has; prefixes of sources (``k8s:``) are looked through."""
    bare = key.partition(":")[2] if key.startswith(("k8s:", "any:", "reserved:")) else key
    return bare in _KEYS or bare.startswith(_KEY_PREFIXES)


def is_common_group(group: str) -> bool:
    """An API group of Kubernetes or a CNI."""
    return group in _CORE_GROUPS or group.endswith(_GROUPS)
