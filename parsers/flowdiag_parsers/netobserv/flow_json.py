"""Parser of NetObserv's flow records: flat JSON, one object a line.

Format: netobserv/flowlogs-pipeline and netobserv-ebpf-agent (key set varies by features); from Loki the labels are put
back before.  A flow's dropped packets are not a dropped flow: of five packets one may be lost to TCP alone, and only
some causes are a policy's.  ``NetworkEvents`` is the one OVN source that names policy and pods together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    Frame,
    Icmp,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    WorkloadRef,
    canonical_ip,
    frame,
    integer_of,
    json_lines,
    kernel_drop,
    protocol_name,
    text_of,
)
from flowdiag_parsers.netobserv.network_events import hits_of

__all__ = ["NetobservFlow"]

# {"SrcAddr":"10.128.0.29","SrcPort":1234,"DstAddr":"10.129.0.26","DstPort":5678,"Proto":6,"TimeFlowStartMs":1709742328660,
#  "PktDropPackets":1,"PktDropLatestDropCause":"SKB_DROP_REASON_TCP_INVALID_SEQUENCE",...}   NetObserv 1.3 to 1.9
_SNIFF = re.compile(rb'"TimeFlow(?:Start|End)Ms"\s{0,4}:')

_FIREWALL = "egress-firewall"
# Words of the agent's own OVN map: a policy's refusal without the policy's name.
_POLICY_CAUSES = {
    "NetworkPolicy": "policy-denied",
    "NetpolNamespace": "default-deny",
    "NetpolNode": "policy-denied",
    "AdminNetworkPolicy": "admin-tier-deny",
    "BaselineAdminNetworkPolicy": "baseline-tier-deny",
    "EgressFirewall": _FIREWALL,
}
# OVN lets multicast through only where a namespace's annotation (k8s.ovn.org/multicast-enabled) asks for it, and keeps
# user-defined networks apart: no policy opens either.
_BUILT_IN_CAUSES = {
    "MulticastNS": "multicast-not-enabled",
    "MulticastCluster": "multicast-not-enabled",
    "UDNIsolation": "network-isolation",
}
_VSWITCH = "OVS_DROP_"
_MACS = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_TCP_BITS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
_PODS = "Pod"


class NetobservFlow:
    """Flows of OpenShift Network Observability, with drops and network events."""

    name: ClassVar[str] = "netobserv-flow"
    summary: ClassVar[str] = "NetObserv flow records, one JSON object per line (file, Loki, console export)"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The flow's own time keys beside its addresses."""
        if _SNIFF.search(head) is None:
            return 0.0
        return 0.95 if b'"SrcAddr"' in head or b'"DstAddr"' in head else 0.5

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """A refusal has dropped packets or an event that says so; agents without these features write neither key."""
        del head
        return (b"PktDrop", b"NetworkEvents")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per record."""
        for line in json_lines(block, context, b'"SrcAddr"'):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            start = integer_of(record, "TimeFlowStartMs", "TimeFlowEndMs")
            at = start * 1_000_000 if start is not None and 0 < start < 1 << 43 else None
            yield _flow(record, frame(around, context, text, at))


def _flow(record: dict[str, Any], shared: Frame) -> Event:
    src, dst = text_of(record, "SrcAddr"), text_of(record, "DstAddr")
    if src is None or dst is None:
        return ParseWarning(**shared, code="malformed-flow", message="addresses are missing")
    number = integer_of(record, "Proto")
    protocol = protocol_name(str(number)) if number is not None else None
    hits = hits_of(record.get("NetworkEvents"))
    verdict, cause, reason = _judged(record, hits)
    kind = integer_of(record, "IcmpType")
    flags = record.get("Flags")
    # The interface's direction (FlowDirection) is not the policy's; only the event that decided has that.
    deciding = "deny" if verdict is Verdict.DENIED else "allow"
    ways = {way for hit, way in hits if way is not None and hit.effect == deciding}
    if reason == _FIREWALL:
        ways = {"egress"}
    return FlowEvent(
        **shared,
        src=_end(record, "Src", src),
        dst=_end(record, "Dst", dst),
        protocol=protocol,
        direction=Direction(ways.pop()) if len(ways) == 1 else None,
        verdict=verdict,
        verdict_raw=text_of(record, "PktDropLatestDropCause"),
        cause=cause,
        reason=reason,
        reason_raw=text_of(record, "PktDropLatestDropCause") if reason is not None else None,
        tcp_flags=_flags(flags) if protocol == "TCP" else None,
        icmp=Icmp(kind, integer_of(record, "IcmpCode"))
        if kind is not None and protocol in ("ICMP", "ICMPv6")
        else None,
        policies=tuple(hit for hit, _ in hits),
        # Those that passed of the same flow (Packets less PktDropPackets) are no refusals; Sampling is no count of either.
        count=max(integer_of(record, "PktDropPackets") or 1, 1) if verdict is Verdict.DENIED else 1,
    )


def _judged(
    record: dict[str, Any], hits: tuple[tuple[PolicyHit, str | None], ...]
) -> tuple[Verdict, Cause | None, str | None]:
    effects = {hit.effect for hit, _ in hits}
    dropped = integer_of(record, "PktDropPackets")
    said = text_of(record, "PktDropLatestDropCause") or ""
    if "deny" in effects:
        denied = [hit for hit, _ in hits if hit.effect == "deny"]
        built_in = {_BUILT_IN_CAUSES.get(hit.raw or "") if hit.kind is None else None for hit in denied}
        if None not in built_in:
            return Verdict.DENIED, Cause.CONFIGURATION, min(filter(None, built_in))
        ruled = any(hit.kind is not None and hit.rule is None for hit in denied)
        return Verdict.DENIED, Cause.POLICY, "policy-rule-denied" if ruled else "default-deny"
    if dropped:
        policy = _POLICY_CAUSES.get(said)
        if policy is not None and "allow" not in effects:
            return Verdict.DENIED, Cause.POLICY, policy
        return Verdict.DENIED, *_other_cause(said)
    if "allow" in effects or dropped == 0:
        return Verdict.ALLOWED, None, None
    return Verdict.UNKNOWN, None, None


def _other_cause(said: str) -> tuple[Cause | None, str | None]:
    """The kernel's and Open vSwitch's reasons; a firewall's drop may be anybody's rule."""
    if said.startswith(_VSWITCH):
        word = said.removeprefix(_VSWITCH)
        return None if word in ("EXPLICIT", "LAST_ACTION", "METER") else Cause.FAULT, _reason(word)
    if said in _BUILT_IN_CAUSES:
        return Cause.CONFIGURATION, _BUILT_IN_CAUSES[said]
    if said in _POLICY_CAUSES or said in ("", "Unknown"):
        return None, _reason(said)
    return kernel_drop(said) or (None, None)


def _reason(word: str) -> str | None:
    return word.lower().replace("_", "-") or None


def _end(record: dict[str, Any], side: str, ip: str) -> Peer:
    kind, name = text_of(record, f"{side}K8S_Type"), text_of(record, f"{side}K8S_Name")
    namespace = text_of(record, f"{side}K8S_Namespace")
    owner = text_of(record, f"{side}K8S_OwnerName")
    mac = text_of(record, f"{side}Mac")
    pod = name if kind == _PODS or (kind is None and namespace is not None) else None
    service = f"{namespace}/{name}" if kind == "Service" and namespace and name else None
    port = integer_of(record, f"{side}Port")
    return Peer(
        ip=canonical_ip(ip),
        port=port if port is not None and 0 < port < 65_536 else None,
        mac=mac.lower() if mac is not None and _MACS.fullmatch(mac) else None,
        namespace=namespace,
        pod=pod,
        node=name if kind == "Node" else None,
        service=service,
        workload=WorkloadRef(text_of(record, f"{side}K8S_OwnerType"), owner)
        if owner and kind not in ("Service", "Node")
        else None,
    )


def _flags(value: object) -> tuple[str, ...] | None:
    """A bit field, or names since NetObserv 1.8."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return tuple(name for bit, name in enumerate(_TCP_BITS) if value >> bit & 1) or None
    if isinstance(value, list):
        return tuple(str(name)[:10].upper() for name in value[:10] if isinstance(name, str)) or None
    return None
