"""Kubernetes Events about a packet that a pod lost: a refusal told to those who may not read the CNI's log.

Written by Cilium's agent (``--hubble-drop-events``, v1.16 to v1.20, ``pkg/hubble/dropeventemitter``), by hubble-drop-eventer, from
which that came, by Cisco ACI's aci-containers-host (``pkg/hostagent``, 5.0 and later), and by kube-iptables-tailer (v0.1 and later), which reads a rule's line and does not know what became of the packet.
All leave out what repeats within minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowdiag.parserkit import (
    POLICY_GROUPS,
    RESERVED_IDENTITIES,
    Cause,
    Direction,
    FlowEvent,
    Frame,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    port_number,
    protocol_name,
    reason_by_text,
)

__all__ = ["combined", "drop_of", "tells_of_drop"]

_COMBINED = "(combined from similar events): "
_IP = r"[0-9A-Fa-f.:]{2,45}"
_END = rf"(?:(?:(?P<namespace>[a-z0-9-]{{1,63}})/(?P<pod>[a-z0-9.-]{{1,253}})|(?P<word>[a-z][a-z0-9-]{{1,62}})) \((?P<ip>{_IP})\)|(?P<bare>{_IP}))"
# "Incoming packet dropped (policy_denied) from default/web-1 (10.0.0.1) TCP/443"                           Cilium v1.16
# "Outgoing packet dropped (policy_deny) to remote-node (192.0.2.8) ICMPv4. Denied by policies: CiliumNetworkPolicy/deny."   v1.19
# "Incoming packet dropped from default/web-1 (10.0.0.1) port 443/TCP"                                      hubble-drop-eventer
_DROPPED = re.compile(
    r"(?P<way>Incoming|Outgoing) packet dropped(?: \((?P<reason>[A-Za-z0-9_]{1,64})\))? (?:from|to) "
    + _END
    + r"(?: (?:(?P<named>TCP|UDP)/(?P<number>\d{1,5})|port (?P<port>\d{1,5})/(?P<protocol>\w{1,10})|(?:protocol )?(?P<alone>[A-Z]\w{2,10})))?"
    r" ?\.?(?: (?P<rest>.{0,1500}))?$"
)
_BY = re.compile(r"Denied by (?:clusterwide )?policies: (?P<names>[^.].{0,1000}?)\.(?= |$)")
# "Packet dropped when receiving traffic from 10.4.1.22", "... sending traffic to web (10.4.1.22) on port 12865/TCP"   v0.1.1
# "... receiving traffic from example-service-2 (IP: 192.0.2.22)."                                          v0.1.0
_TAILED = re.compile(
    rf"Packet dropped when (?P<way>receiving traffic from|sending traffic to) (?:\S{{1,253}} \((?:IP: )?(?P<ip>{_IP})\)|(?P<bare>{_IP}))"
    r"(?: on port (?P<port>\d{1,5})/(?P<protocol>\w{1,10}))?\.?$"
)

# reason "Acc-SEC_GROUP_IN_TABLE MISS(Security Drop)", message "IPv4 packet from 10.2.0.229 to default/web was dropped"    aci-containers 6.0
_OF_ACI = re.compile(
    rf"IPv[46] packet from (?:(?P<src>{_IP})|(?P<src_ns>[a-z0-9-]{{1,63}})/(?P<src_pod>[a-z0-9.-]{{1,253}}))"
    rf" to (?:(?P<dst>{_IP})|(?P<dst_ns>[a-z0-9-]{{1,63}})/(?P<dst_pod>[a-z0-9.-]{{1,253}})) was dropped$"
)
_ACI_REASON = re.compile(r"(?P<table>(?:Int|Acc)-[A-Z0-9_]{2,40}) (?P<word>MISS|DENY)\b")
_ACI_GROUPS = {"Acc-SEC_GROUP_IN_TABLE": Direction.INGRESS, "Acc-SEC_GROUP_OUT_TABLE": Direction.EGRESS}
# Contracts between endpoint groups, and what a port may send: settings of the network, no policies of the cluster.
_ACI_SETTINGS = {"Int-POL_TABLE": "aci-contract", "Int-PORT_SECURITY_TABLE": "aci-port-security"}


def tells_of_drop(message: str) -> bool:
    """Whether a message may tell of a packet that was lost."""
    return "packet dropped" in message[:60].lower() or _OF_ACI.match(message) is not None


def drop_of(
    reason: str, message: str, namespace: str | None, pod: str | None, shared: Frame
) -> FlowEvent | None:
    """The refusal that an Event's message tells of; ``None`` for any other message.

    Args:
        reason: as the Event has it.
        message: the same.
        namespace: of the pod that the Event is about.
        pod: its name.
        shared: what every event of the line has.
    """
    text = message.removeprefix(_COMBINED).strip()
    own = Peer(namespace=namespace, pod=pod)
    dropped = _DROPPED.match(text)
    if dropped is not None:
        return _dropped(dropped, own, shared)
    aci = _OF_ACI.match(text)
    if aci is not None:
        return _of_aci(aci, _ACI_REASON.match(reason), shared)
    tailed = _TAILED.match(text)
    if tailed is None:
        return None
    inward = tailed["way"].startswith("receiving")
    ends = _ends(
        own, Peer(ip=canonical_ip(tailed["ip"] or tailed["bare"])), port_number(tailed["port"]), inward=inward
    )
    return FlowEvent(
        **shared,
        **ends,
        protocol=protocol_name(tailed["protocol"]) if tailed["protocol"] else None,
        verdict=Verdict.LOGGED,
        verdict_raw="PacketDrop",
    )


def _of_aci(match: re.Match[str], why: re.Match[str] | None, shared: Frame) -> FlowEvent:
    """Both ends, by address or pod; neither protocol nor port.  The reason is the table that had no flow for it."""
    ends = {
        side: Peer(
            ip=canonical_ip(match[side]) if match[side] else None,
            namespace=match[f"{side}_ns"],
            pod=match[f"{side}_pod"],
        )
        for side in ("src", "dst")
    }
    cause: Cause | None = None
    reason = None
    if why is not None:
        cause, reason = Cause.FAULT, f"aci-{why['table'].lower().replace('_', '-').removesuffix('-table')}"
        if why["table"] in _ACI_GROUPS:
            cause, reason = Cause.POLICY, "default-deny" if why["word"] == "MISS" else "policy-denied"
        elif why["table"] in _ACI_SETTINGS:
            cause, reason = Cause.CONFIGURATION, _ACI_SETTINGS[why["table"]]
    return FlowEvent(
        **shared,
        src=ends["src"],
        dst=ends["dst"],
        direction=_ACI_GROUPS.get(why["table"]) if why is not None else None,
        verdict=Verdict.DENIED,
        verdict_raw="was dropped",
        cause=cause,
        reason=reason,
        reason_raw=why[0] if why is not None else None,
    )


def combined(message: str) -> bool:
    """Whether its count is also of Events with other messages."""
    return message.startswith(_COMBINED)


def _dropped(match: re.Match[str], own: Peer, shared: Frame) -> FlowEvent:
    word = match["word"]
    other = Peer(
        ip=canonical_ip(match["ip"] or match["bare"]),
        namespace=match["namespace"],
        pod=match["pod"],
        entity=word if word in RESERVED_IDENTITIES.values() else None,
    )
    protocol = match["named"] or match["protocol"] or match["alone"]
    said = match["reason"]
    reason = reason_by_text(said) if said is not None else None
    # hubble-drop-eventer gives no reason, and tells of every drop.
    cause: Cause | None = reason.cause if reason is not None else None
    return FlowEvent(
        **shared,
        **_ends(own, other, port_number(match["number"] or match["port"]), inward=match["way"] == "Incoming"),
        protocol=protocol_name(protocol.removesuffix("v4")) if protocol else None,
        verdict=Verdict.DENIED,
        verdict_raw="PacketDrop",
        cause=cause,
        reason=reason.name if reason is not None else said,
        reason_code=reason.code if reason is not None else None,
        reason_raw=said,
        policies=tuple(_denying(match["rest"] or "", own.namespace)),
    )


def _ends(own: Peer, other: Peer, port: int | None, *, inward: bool) -> dict[str, Any]:
    src, dst = (other, own) if inward else (own, other)
    # The port is the destination's, whichever end that is.
    called = Peer(ip=dst.ip, port=port, namespace=dst.namespace, pod=dst.pod, entity=dst.entity)
    return {
        "src": src,
        "dst": called,
        "direction": Direction.INGRESS if inward else Direction.EGRESS,
    }


def _denying(rest: str, namespace: str | None) -> Iterator[PolicyHit]:
    """Policies whose rule denied; those that merely apply to the pod are named as "Applied" and decide nothing."""
    for match in _BY.finditer(rest):
        for raw in re.split(r"[,\s]+", match["names"])[:32]:
            kind, _, name = raw.rpartition("/")
            if not name:
                continue
            wide = kind == "CiliumClusterwideNetworkPolicy" or "clusterwide" in match[0][:24]
            yield PolicyHit(
                kind=kind or None,
                group=POLICY_GROUPS.get(kind),
                namespace=None if wide else namespace,
                name=name,
                effect="deny",
                raw=raw,
            )
