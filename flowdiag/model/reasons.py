"""Cilium's drop reasons: code, names, cause, and one line of meaning for people.

Codes and names follow pkg/monitor/api/drop.go and the enum ``DropReason`` of api/v1/flow/flow.proto,
Cilium 1.20 (``v1.20.0-pre.4``); the numbering of 130 to 207 has only grown since 1.0.
Codes below 130 are trace and metric reasons, not drops, and are left out, as is the unused 159.
Enum names do not always follow the printed text: 136, 161 and 181 are named after older meanings.
"""

from __future__ import annotations

import re

from msgspec import Struct

from flowdiag.model.event import Cause

__all__ = [
    "OF_NO_RULE",
    "REASONS",
    "ReasonInfo",
    "is_housekeeping",
    "logged_meaning",
    "meaning_of",
    "reason_by_code",
    "reason_by_text",
]


class ReasonInfo(Struct, frozen=True):
    """One reason why the datapath drops a packet."""

    code: int
    name: str
    """Enum name as Hubble's JSON carries it: ``POLICY_DENIED``."""
    text: str
    """What the text printers and ``cilium monitor`` write: ``Policy denied``."""
    cause: Cause
    meaning: str
    """One line for a reader who does not know the datapath."""


_P, _C, _F, _N = Cause.POLICY, Cause.CONFIGURATION, Cause.FAULT, Cause.NOISE

_TABLE: tuple[tuple[int, str, str, Cause, str], ...] = (
    (130, "INVALID_SOURCE_MAC", "Invalid source mac", _F, "sent with another MAC than the pod's own (old releases)"),
    (131, "INVALID_DESTINATION_MAC", "Invalid destination mac", _N, "not addressed to this node's MAC (old releases)"),
    (132, "INVALID_SOURCE_IP", "Invalid source ip", _C, "the pod sent with an address that is not its own"),
    (133, "POLICY_DENIED", "Policy denied", _P, "the end is isolated in this direction and no rule allows it"),
    (134, "INVALID_PACKET_DROPPED", "Invalid packet", _F, "the packet is malformed"),
    (135, "CT_TRUNCATED_OR_INVALID_HEADER", "CT: Truncated or invalid header", _F, "connection tracking met a cut or invalid transport header"),
    (136, "CT_MISSING_TCP_ACK_FLAG", "Fragmentation needed", _F, "larger than the path's MTU (before 1.14: a TCP packet without ACK)"),
    (137, "CT_UNKNOWN_L4_PROTOCOL", "CT: Unknown L4 protocol", _C, "connection tracking does not handle this protocol (GRE, ESP, IGMP ...)"),
    (138, "CT_CANNOT_CREATE_ENTRY_FROM_PACKET", "CT: Can't create entry from packet", _F, "no connection could be tracked from this packet (old releases)"),
    (139, "UNSUPPORTED_L3_PROTOCOL", "Unsupported L3 protocol", _N, "network protocol that is switched off, mostly IPv6 chatter where IPv6 is off"),
    (140, "MISSED_TAIL_CALL", "Missed tail call", _F, "a piece of the datapath was missing, usually while the agent was upgraded"),
    (141, "ERROR_WRITING_TO_PACKET", "Error writing to packet", _F, "the datapath could not change the packet"),
    (142, "UNKNOWN_L4_PROTOCOL", "Unknown L4 protocol", _C, "transport protocol that load balancing does not handle"),
    (143, "UNKNOWN_ICMPV4_CODE", "Unknown ICMPv4 code", _N, "ICMP code without a meaning here"),
    (144, "UNKNOWN_ICMPV4_TYPE", "Unknown ICMPv4 type", _N, "ICMP type without a meaning here"),
    (145, "UNKNOWN_ICMPV6_CODE", "Unknown ICMPv6 code", _N, "ICMPv6 code without a meaning here"),
    (146, "UNKNOWN_ICMPV6_TYPE", "Unknown ICMPv6 type", _N, "ICMPv6 type without a meaning here"),
    (147, "ERROR_RETRIEVING_TUNNEL_KEY", "Error retrieving tunnel key", _F, "an encapsulated packet came without its tunnel's metadata"),
    (148, "ERROR_RETRIEVING_TUNNEL_OPTIONS", "Error retrieving tunnel options", _F, "tunnel options were missing (old releases)"),
    (149, "INVALID_GENEVE_OPTION", "Invalid Geneve option", _F, "a Geneve option was invalid (old releases)"),
    (150, "UNKNOWN_L3_TARGET_ADDRESS", "Unknown L3 target address", _C, "nobody is known behind the address, often IPv6 neighbour discovery"),
    (151, "STALE_OR_UNROUTABLE_IP", "Stale or unroutable IP", _F, "the pod behind the address is gone; a client kept its old address"),
    (152, "NO_MATCHING_LOCAL_CONTAINER_FOUND", "No matching local container found", _F, "no pod of this node has the address (old releases)"),
    (153, "ERROR_WHILE_CORRECTING_L3_CHECKSUM", "Error while correcting L3 checksum", _F, "the IP checksum could not be rewritten"),
    (154, "ERROR_WHILE_CORRECTING_L4_CHECKSUM", "Error while correcting L4 checksum", _F, "the transport checksum could not be rewritten"),
    (155, "CT_MAP_INSERTION_FAILED", "CT: Map insertion failed", _F, "the connection tracking table is full"),
    (156, "INVALID_IPV6_EXTENSION_HEADER", "Invalid IPv6 extension header", _F, "the chain of IPv6 extension headers is broken"),
    (157, "IP_FRAGMENTATION_NOT_SUPPORTED", "IP fragmentation not supported", _C, "an IP fragment where fragments are not tracked"),
    (158, "SERVICE_BACKEND_NOT_FOUND", "Service backend not found", _C, "the Service has no ready backend"),
    (160, "NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT", "No tunnel/encapsulation endpoint (datapath BUG!)", _F, "no tunnel end is known for the destination's node"),
    (161, "FAILED_TO_INSERT_INTO_PROXYMAP", "NAT 46/64 not enabled", _C, "needs NAT between IPv4 and IPv6, which is off (old releases: proxy map full)"),
    (162, "REACHED_EDT_RATE_LIMITING_DROP_HORIZON", "Reached EDT rate-limiting drop horizon", _F, "over the pod's bandwidth limit"),
    (163, "UNKNOWN_CONNECTION_TRACKING_STATE", "Unknown connection tracking state", _F, "connection tracking gave no known answer"),
    (164, "LOCAL_HOST_IS_UNREACHABLE", "Local host is unreachable", _C, "the node itself cannot be reached from the pod"),
    (165, "NO_CONFIGURATION_AVAILABLE_TO_PERFORM_POLICY_DECISION", "No configuration available to perform policy decision", _F, "no policy was loaded yet (old releases)"),
    (166, "UNSUPPORTED_L2_PROTOCOL", "Unsupported L2 protocol", _N, "a frame that carries no IP (spanning tree, LLDP ...)"),
    (167, "NO_MAPPING_FOR_NAT_MASQUERADE", "No mapping for NAT masquerade", _F, "NAT has no entry for this reply, or no port is free for a new one"),
    (168, "UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE", "Unsupported protocol for NAT masquerade", _C, "masquerading does not handle this protocol"),
    (169, "FIB_LOOKUP_FAILED", "FIB lookup failed", _C, "the kernel has no route or no neighbour for the destination"),
    (170, "ENCAPSULATION_TRAFFIC_IS_PROHIBITED", "Encapsulation traffic is prohibited", _C, "a pod may not send tunnel packets of its own"),
    (171, "INVALID_IDENTITY", "Invalid identity", _F, "the packet carries an identity that is not valid here"),
    (172, "UNKNOWN_SENDER", "Unknown sender", _F, "nobody knows who sent the packet"),
    (173, "NAT_NOT_NEEDED", "NAT not needed", _N, "internal: address translation was not needed"),
    (174, "IS_A_CLUSTERIP", "Is a ClusterIP", _C, "a cluster IP was addressed from outside, which is switched off"),
    (175, "FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND", "First logical datagram fragment not found", _F, "a later fragment came without its first one"),
    (176, "FORBIDDEN_ICMPV6_MESSAGE", "Forbidden ICMPv6 message", _P, "an ICMPv6 message that pods may not send, by built-in rule"),
    (177, "DENIED_BY_LB_SRC_RANGE_CHECK", "Denied by LB src range check", _P, "the client is outside the Service's loadBalancerSourceRanges"),
    (178, "SOCKET_LOOKUP_FAILED", "Socket lookup failed", _F, "the proxy's socket was not found"),
    (179, "SOCKET_ASSIGN_FAILED", "Socket assign failed", _F, "the packet could not be given to the proxy's socket"),
    (180, "PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL", "Proxy redirection not supported for protocol", _C, "an L7 rule for a protocol that the proxy does not handle"),
    (181, "POLICY_DENY", "Policy denied by denylist", _P, "a rule says deny"),
    (182, "VLAN_FILTERED", "VLAN traffic disallowed by VLAN filter", _C, "a VLAN that is not let through on this device"),
    (183, "INVALID_VNI", "Incorrect VNI from VTEP", _C, "the VXLAN network id is not the configured one"),
    (184, "INVALID_TC_BUFFER", "Failed to update or lookup TC buffer", _F, "the datapath lost its scratch memory"),
    (185, "NO_SID", "No SID was found for the IP address", _C, "SRv6 knows no segment for the address"),
    (186, "MISSING_SRV6_STATE", "SRv6 state was removed during tail call", _F, "SRv6 lost its state on the way (old releases)"),
    (187, "NAT46", "L3 translation from IPv4 to IPv6 failed (NAT46)", _F, "translation from IPv4 to IPv6 failed"),
    (188, "NAT64", "L3 translation from IPv6 to IPv4 failed (NAT64)", _F, "translation from IPv6 to IPv4 failed"),
    (189, "AUTH_REQUIRED", "Authentication required", _P, "the policy wants mutual authentication, which was not complete"),
    (190, "CT_NO_MAP_FOUND", "No conntrack map found", _F, "the cluster's connection tracking table is missing"),
    (191, "SNAT_NO_MAP_FOUND", "No nat map found", _F, "the cluster's NAT table is missing"),
    (192, "INVALID_CLUSTER_ID", "Invalid ClusterID", _F, "the cluster id is out of range"),
    (193, "UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP", "Unsupported packet protocol for DSR encapsulation", _C, "direct server return cannot carry this protocol"),
    (194, "NO_EGRESS_GATEWAY", "No egress gateway found", _C, "an egress gateway policy matched, but no gateway node is there"),
    (195, "UNENCRYPTED_TRAFFIC", "Traffic is unencrypted", _P, "strict encryption is on and the packet would have gone in the clear"),
    (196, "TTL_EXCEEDED", "TTL exceeded", _N, "the hop limit ran out (traceroute, or a routing loop)"),
    (197, "NO_NODE_ID", "No node ID found", _F, "the other node is not known to encryption yet"),
    (198, "DROP_RATE_LIMITED", "Rate limited", _F, "over a rate limit of the datapath"),
    (199, "IGMP_HANDLED", "IGMP handled", _N, "taken in by multicast support, not lost"),
    (200, "IGMP_SUBSCRIBED", "IGMP subscribed", _N, "taken in by multicast support, not lost"),
    (201, "MULTICAST_HANDLED", "Multicast handled", _N, "copied to the subscribers; the original is dropped"),
    (202, "DROP_HOST_NOT_READY", "Host datapath not ready", _F, "the node's datapath was still being loaded"),
    (203, "DROP_EP_NOT_READY", "Endpoint policy program not available", _F, "the pod's policy was not loaded yet, or not any more"),
    (204, "DROP_NO_EGRESS_IP", "No Egress IP configured", _C, "the gateway node has no address for the egress gateway policy"),
    (205, "DROP_PUNT_PROXY", "Punt to proxy", _N, "handed to a proxy, not lost"),
    (206, "NO_DEVICE", "No device", _C, "no network device to send on"),
    (207, "DROP_FRAG_NOT_FOUND_WORLD", "First logical datagram fragment not found from world", _N, "a later fragment from outside came without its first one"),
)  # fmt: skip

REASONS: dict[str, ReasonInfo] = {row[1]: ReasonInfo(*row) for row in _TABLE}
"""Every drop reason by its enum name."""

OF_NO_RULE = frozenset({"DENIED_BY_LB_SRC_RANGE_CHECK", "FORBIDDEN_ICMPV6_MESSAGE", "UNENCRYPTED_TRAFFIC"})
"""Reasons that come from settings and not from a rule of a policy: a Service's source ranges, and the agent's own."""

_BY_CODE = {info.code: info for info in REASONS.values()}
_BY_TEXT = {
    # Texts of older releases, where they differ; code 136 and 161 changed their meaning.
    "ct: missing tcp ack flag": REASONS["CT_MISSING_TCP_ACK_FLAG"],
    "failed to insert into proxymap": REASONS["FAILED_TO_INSERT_INTO_PROXYMAP"],
    **{info.name.lower(): info for info in REASONS.values()},
    **{info.text.lower(): info for info in REASONS.values()},
}

# "Policy denied (L3)", "Policy denied (L4)", "Policy denied (CIDR)"   cilium monitor up to 1.6
_OLD_POLICY = re.compile(r"policy denied \((?:l3|l4|cidr)\)")


_PROGRAM = "an eBPF program dropped it, as CNIs of that kind do by policy, and others by rules of their own"
# Reasons that parsers of other CNIs give where no policy of the cluster refused.
_WORDS = {
    "aci-contract": "no contract of ACI's allows it between the endpoint groups: no NetworkPolicy opens that",
    "aci-port-security": "ACI's port security refused an address that is not the sender's",
    "cloud-firewall-rule": "a firewall rule of the cloud's network refused it",
    "cloud-firewall-threat": "the firewall of the cloud's network took it for an attack (threat intelligence, intrusion detection)",
    "conntrack-add-drop": "the node's kernel could not begin to track the connection",
    "conntrack-invalid": "the node's firewall saw a packet of no connection that it tracks",
    "dhcp-broadcast": "a DHCP broadcast that Weave's controller never lets through",
    "host-firewall-block": "the node's own firewall (ufw) refused it",
    "host-firewall-drop": "the node's own firewall (firewalld) refused it",
    "host-firewall-reject": "the node's own firewall (firewalld) refused it",
    "iptable-nat-drop": "the node's kernel dropped it while it translated addresses",
    "iptable-rule-drop": "a rule of the node's iptables dropped it: a policy's or another one",
    "mesh-authorization-policy": "a service mesh's authorization policy refused it (RBAC), not a NetworkPolicy",
    "openstack-security-group": "an OpenStack security group refused it",
    "multicast-not-enabled": "OVN-Kubernetes drops multicast that the namespace does not ask for (annotation k8s.ovn.org/multicast-enabled)",
    "netfilter-drop": "a rule of the node's iptables or nftables dropped it: a policy's or another one",
    "network-encryption": "the virtual network's encryption refused what could not be encrypted",
    "network-isolation": "OVN-Kubernetes keeps user-defined networks apart: no policy opens that",
    "network-security-group": "a security rule of the Azure network refused it",
    "nsx-firewall-rule": "a rule of NSX's distributed firewall refused it: a NetworkPolicy's, which NCP wrote there, or an administrator's",
    "nsx-gateway-rule": "a rule of an NSX gateway's firewall refused it",
    "nsx-spoofguard": "NSX's SpoofGuard refused an address that is not the sender's",
    "nsx-state-mismatch": "NSX's distributed firewall saw a TCP packet of no connection that it tracks",
    "no-socket": "nobody listens on the port: the kernel of the receiving end dropped it",
    "policy-evaluation-error": "the enforcer failed while it evaluated its policies",
    "reverse-path-filter": "the node's reverse path filter: the way back would leave by another interface",
    "stale-zero-packets": "an old deny record that was exported again, without a packet",
    # Linux include/net/dropreason-core.h and net/openvswitch/drop.h
    "bpf-cgroup-egress": _PROGRAM,
    "explicit": "a flow of Open vSwitch says drop: a policy's of OVN or Antrea, or another one",
    "last-action": "Open vSwitch had no flow that lets it through: a policy of OVN or Antrea may be why",
    "not-specified": "the kernel dropped it and does not say why",
    "tc-egress": _PROGRAM,
    "tc-ingress": _PROGRAM,
    "xdp": _PROGRAM,
    "tcp-accept-basic": "a socket had no connection to accept",
    "tcp-close-basic": "a socket could not be closed as asked",
    "tcp-connect-basic": "the client's kernel refused to open the connection",
    "tcp-invalid-sequence": "the kernel dropped a TCP segment outside of the connection's window",
    "tcp-reset": "the kernel dropped what came with or after a reset of the TCP connection",
    "vpc-block-public-access": "the VPC's Block Public Access refused it: no traffic with the internet, whatever security groups say",
    "vpc-encryption-controls": "the VPC's encryption controls refused traffic that is not encrypted",
    "vpc-security-group-or-network-acl": "a security group or network ACL of the VPC refused it",
}


# Words of rules that only log, where it is known what is behind such lines: not Calico's Log rules, which the policies
# at hand can tell.
_LOGGED = {
    # k3s-io/k3s#9032
    "policy-chain-without-refusal": (
        "one policy's chain did not match, and the rule that refuses left no line: another policy may have accepted it, "
        "k3s v1.27.7 to the releases of February 2024 logged packets that passed, or a rate limit swallowed the line; "
        "a denial here is possibly false"
    ),
    # ufw(8): its FORWARD chain logs before the chains behind it (a CNI's own) accept
    "ufw-block-forwarded": (
        "ufw only logs what it does not forward itself, and a rule behind (flannel's, a CNI's) may accept it; a denial here "
        "is possibly false"
    ),
}


def logged_meaning(reason: str | None) -> str | None:
    """What lines that only log with this normalised reason come from; ``None`` where a Log rule of a policy wrote them."""
    return _LOGGED.get(reason or "")


def meaning_of(reason: str | None) -> str | None:
    """One line on a normalised reason of any parser; ``None`` where nothing is known of it."""
    info = REASONS.get(reason or "")
    return info.meaning if info is not None else _WORDS.get(reason or "")


def reason_by_code(code: int) -> ReasonInfo | None:
    """The reason with this number; ``None`` below 130 (no drops) and for numbers of later releases."""
    return _BY_CODE.get(code)


def reason_by_text(text: str) -> ReasonInfo | None:
    """The reason with this printed text or enum name, any case; ``None`` where it is not known."""
    folded = text.strip().lower()
    found = _BY_TEXT.get(folded)
    if found is None and _OLD_POLICY.fullmatch(folded):
        return REASONS["POLICY_DENIED"]
    return found


# Drops 132 and 150 between such addresses are neighbour discovery and MLD, which every cluster has; nothing is wrong.
_HOUSEKEEPING_CODES = frozenset({132, 150})
_HOUSEKEEPING = ("fe8", "fe9", "fea", "feb", "ff02:", "ff01:")


def is_housekeeping(code: int | None, src: str | None, dst: str | None) -> bool:
    """Whether a drop by this code between these addresses (canonical text) is IPv6 housekeeping, so noise."""
    if code not in _HOUSEKEEPING_CODES:
        return False
    return (src or "").startswith(_HOUSEKEEPING) or (dst or "").startswith(_HOUSEKEEPING)
