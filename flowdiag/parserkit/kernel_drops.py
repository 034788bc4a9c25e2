"""The kernel's reasons for dropping a packet: whether a policy may be behind one.

Format: ``enum skb_drop_reason`` of Linux 5.17 and later (``include/net/dropreason-core.h``), and ``enum ovs_drop_reason`` of 6.6 and
later (``net/openvswitch/drop.h``).
"""

from __future__ import annotations

from flowdiag.model.event import Cause

__all__ = ["KERNEL_DROP", "is_whole_drop", "kernel_drop"]

KERNEL_DROP = "SKB_DROP_REASON_"
"""How the enumeration's names begin."""
_OVS_DROP = "OVS_DROP_"
"""And those of Open vSwitch's, whose names some tools give whole: ``openvswitch/OVS_DROP_LAST_ACTION``."""
_NONE = ("SKB_CONSUMED", "SKB_NOT_DROPPED_YET", "CONSUMED", "NOT_DROPPED_YET")
"""Values of the enumeration that are no drop."""
# A rule of netfilter, or an eBPF program: of them CNIs make their policies, and others their firewalls.  And no reason at all.
_ANYBODY = (
    "NETFILTER_DROP",
    "TC_INGRESS",
    "TC_EGRESS",
    "XDP",
    "BPF_CGROUP_EGRESS",
    "NOT_SPECIFIED",
    "SOCKET_FILTER",
    # Open vSwitch's own, of its flows: OVN's ACLs and whatever else OVN has no flow for.
    "LAST_ACTION",
    "EXPLICIT",
    "EXPLICIT_WITH_ERROR",
)
_CONFIGURATION = (
    "NO_SOCKET",
    "IP_INNOROUTES",
    "IP_OUTNOROUTES",
    "IP_RPFILTER",
    "NEIGH_",
    "XFRM_POLICY",
    "IPV6DISABLED",
)
_NOISE = (
    "TCP_",
    "SOCKET_BACKLOG",
    "SOCKET_RCVBUFF",
    "PROTO_MEM",
    "DUP_FRAG",
    "UNHANDLED_PROTO",
    "OTHERHOST",
    "PKT_TOO_SMALL",
)


def kernel_drop(word: str) -> tuple[Cause | None, str] | None:
    """Cause and reason of a drop; ``None`` where the packet was not dropped.

    Args:
        word: a name of the enumeration, with or without its prefix.
    """
    if word in _NONE:
        return None
    name = word.removeprefix(KERNEL_DROP).removeprefix(_OVS_DROP)
    if name.isdigit():
        return None, "not-specified"  # a number that the tool had no name for, Open vSwitch's for example
    reason = name.lower().replace("_", "-")
    if name in _ANYBODY:
        return None, reason
    if name.startswith(_CONFIGURATION):
        return Cause.CONFIGURATION, reason
    return (Cause.NOISE if name.startswith(_NOISE) else Cause.FAULT), reason


def is_whole_drop(word: str) -> bool:
    """Whether what stands at the end of a line that may have been cut off is a whole name, as far as any is known here."""
    return word.removeprefix(KERNEL_DROP).removeprefix(_OVS_DROP) in (*_ANYBODY, "NO_SOCKET")
