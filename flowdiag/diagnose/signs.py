"""What a case looks like at first sight, so that only rules that can speak are asked.

A refusal meets some fifty rules, of which two or three have anything to do with it.  What nearly all of them ask first
is worked out once for a case, and the rules to ask are looked up by it.
"""

from __future__ import annotations

from flowdiag.model.policy import Condition

__all__ = ["API_PORTS", "DNS_PORTS", "LINKERD_PORT", "MESH_PORT", "MISSING", "OF_PORT", "Sign"]

DNS_PORTS = frozenset({53, 5353, 1053})
"""The Service's port, and the pod ports of OpenShift's dns-default (5353) and some CoreDNS charts (1053)."""
API_PORTS = (443, 6443)
"""Of the Service of the Kubernetes API, and of most API servers behind it."""
MESH_PORT = 15008
"""Where Istio's ambient mesh takes what it tunnels (HBONE)."""
LINKERD_PORT = 4143
"""Where Linkerd's proxy takes all calls of other meshed pods, whatever port was called."""


class Sign:
    """First sights as bits of an integer (an enum's arithmetic is too slow here)."""

    ANY = 0
    """Nothing is asked: the rule looks at every case."""
    EGRESS = 1 << 0
    """The source's side refused."""
    INGRESS = 1 << 1
    """The destination's side refused."""
    POLICY = 1 << 2
    """The record's reason may be a policy's; see `Case.not_policy`."""
    NOT_POLICY = 1 << 3
    DEFAULT = 1 << 4
    """`Case.default_denied`."""
    RULE = 1 << 5
    """`Case.denied_by_rule`."""
    OPEN = 1 << 6
    """The replay does not refuse on the side that the records name."""
    OTHER_OPEN = 1 << 7
    """The replay lets it pass on the other side."""
    HITS = 1 << 8
    """The record names policies."""
    REASON = 1 << 9
    """The record has a reason, and another than ``POLICY_DENIED``, which every policy gives."""
    NO_SYN = 1 << 10
    """No packet was seen to begin a connection."""
    L7 = 1 << 11
    """The record holds a request."""
    IDENTITY = 1 << 12
    """The record or the state tells an identity, its labels or a reserved word of one end."""
    POD_PEER = 1 << 13
    """`Case.pod_peer`."""
    LOOKUP = 1 << 14
    """The port is one that lookups use."""
    FROM_HOST = 1 << 15
    """The client is a node, is known by a reserved word, or has the address that Istio gives a node's probes."""
    BY_HOST = 1 << 16
    """The same of the refusing end."""
    HOST_PEER = 1 << 17
    """The refused end is a node, or a pod of which no address of its own is known."""
    OUTWARD = 1 << 18
    """The server is no known pod, node or Service."""
    UNDECIDED = 1 << 19
    """The verdict of the record is no refusal: audited, or only logged."""
    CILIUM = 1 << 20
    """The enforcer goes by identities: Cilium, or GKE's Dataplane V2."""
    MISSES_NAMESPACE = 1 << 21
    """`Case.missing_one` of that condition is not empty; so with the others."""
    MISSES_POD = 1 << 22
    MISSES_IP = 1 << 23
    MISSES_PORT = 1 << 24
    MISSES_PROTOCOL = 1 << 25
    PROXY = 1 << 26
    """The refusing or the refused end is Cilium's Ingress or Gateway proxy."""
    OWN_POD = 1 << 27
    """`Case.peer_pod`: the refused end is a pod with an address of its own."""
    NODE_PEER = 1 << 28
    """The refused end is a node, or is known by a reserved word."""
    CALICO = 1 << 29
    """Policies isolate the refusing end, and all of them are Calico's."""
    BY_NAME = 1 << 30
    """Some policy's egress goes by DNS names, or sends lookups through the proxy."""
    ALWAYS = 1 << 31
    """The agents are told to enforce on every endpoint, with or without a policy."""
    UNMANAGED = 1 << 32
    """The record says of an end that Cilium does not manage it."""
    ICMP = 1 << 33
    """It is a message of ICMP."""
    API_PORT = 1 << 34
    """The port is one of the Kubernetes API's."""
    MESH_PORT = 1 << 35
    """The port is that of Istio's tunnels, or of Linkerd's."""
    SELF = 1 << 36
    """Both ends have one name in one namespace."""
    SCRAPER = 1 << 37
    """The client collects metrics, by its labels or name."""
    METADATA = 1 << 38
    """The server's address is one at which clouds give metadata and credentials."""
    API_CLIENT = 1 << 39
    """The client is, or may be, the API server."""
    MISSES_SOCKET = 1 << 40
    """`Case.missing_socket` is not empty."""
    REST = 1 << 41
    """`Case.rest_denied`."""


MISSING = {
    Condition.NAMESPACE: Sign.MISSES_NAMESPACE,
    Condition.POD: Sign.MISSES_POD,
    Condition.IP: Sign.MISSES_IP,
    Condition.PORT: Sign.MISSES_PORT,
    Condition.PROTOCOL: Sign.MISSES_PROTOCOL,
}
"""Conditions that rules ask for by themselves."""

OF_PORT = {
    **dict.fromkeys(DNS_PORTS, Sign.LOOKUP),
    **dict.fromkeys(API_PORTS, Sign.API_PORT),
    MESH_PORT: Sign.MESH_PORT,
    LINKERD_PORT: Sign.MESH_PORT,
}
"""What a port says."""
