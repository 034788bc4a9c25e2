"""One decoded Hubble flow to one event, nothing inferred and nothing joined."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flowdiag.parserkit import (
    L7,
    Cause,
    Direction,
    FlowEvent,
    Icmp,
    ReasonInfo,
    TimeSource,
    Verdict,
    Witness,
    canonical_ip,
    is_housekeeping,
    reason_by_code,
    reason_by_text,
)
from flowdiag_parsers.hubble.json_ends import read_end, service_name
from flowdiag_parsers.hubble.json_fields import integer, mapping, pick, port_number, text, texts
from flowdiag_parsers.hubble.json_policies import read_policies
from flowdiag_parsers.hubble.json_retina import retina_reason

__all__ = [
    "VERDICTS",
    "dropped_code",
    "read_cause",
    "read_direction",
    "read_flow",
    "read_l4",
    "why_denied",
    "witness_of",
]

# flow.proto, enum Verdict; before 1.10 audited packets were recorded as FORWARDED (cilium #14785)
_VERDICT_NAMES = (
    "VERDICT_UNKNOWN",
    "FORWARDED",
    "DROPPED",
    "ERROR",
    "AUDIT",
    "REDIRECTED",
    "TRACED",
    "TRANSLATED",
)
VERDICTS: dict[str, Verdict] = {
    "FORWARDED": Verdict.ALLOWED,
    "DROPPED": Verdict.DENIED,
    "ERROR": Verdict.ERROR,
    "AUDIT": Verdict.AUDITED,
    "REDIRECTED": Verdict.REDIRECTED,
}
"""Verdicts with a meaning of their own; TRACED, TRANSLATED and what later releases add are unknown."""

_DIRECTIONS: dict[Any, Direction] = {
    "INGRESS": Direction.INGRESS,
    "EGRESS": Direction.EGRESS,
    1: Direction.INGRESS,
    2: Direction.EGRESS,
}
# pkg/monitor/api: type of the datapath's message
_EVENT_DROP = 1
_EVENT_VERDICT = 5
_WITNESSES = {_EVENT_DROP: Witness.DROP, _EVENT_VERDICT: Witness.VERDICT}

# drop codes of the datapath begin here (bpf/lib/common.h); Retina has drop events with numbers of its own
_FIRST_CODE, _LAST_CODE = 130, 255

_PORTED = ("TCP", "UDP", "SCTP")
_CODES = 1 << 31
"""``drop_reason_desc`` is an enum, 32 bits wide."""
_ICMP = {"ICMPv4": "ICMP", "ICMPv6": "ICMPv6"}
# The order in which Hubble's own printer lists flags.
_FLAGS = ("SYN", "ACK", "RST", "FIN", "PSH", "URG", "ECE", "CWR", "NS")
_L7_TYPES = {1: "request", 2: "response", 3: "sample", "REQUEST": "request", "RESPONSE": "response"}


def read_verdict(value: Any) -> tuple[Verdict, str | None]:
    """The verdict and its enum name; a number is named, an unknown one stays as written."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = _VERDICT_NAMES[value] if 0 <= value < len(_VERDICT_NAMES) else str(value)
    if not isinstance(value, str) or not value:
        return Verdict.UNKNOWN, None
    return VERDICTS.get(value, Verdict.UNKNOWN), value[:64]


def read_direction(value: Any) -> Direction | None:
    """``INGRESS`` or 1, ``EGRESS`` or 2; anything else says nothing."""
    return _DIRECTIONS.get(value) if isinstance(value, str | int) else None


@lru_cache(maxsize=4096)
def why_denied(
    description: str | int | None, code: int | None
) -> tuple[ReasonInfo | None, str | None, int | None, str | None]:
    """What ``drop_reason_desc`` and the older ``drop_reason`` say together.

    Returns:
        The known reason, its name (one that only a later release knows stays as written), its code,
        and what the record wrote.
    """
    if isinstance(description, int):
        code, description = (description if 0 < description < _CODES else code), None
    if description == "DROP_REASON_UNKNOWN":
        description = None
    if description is not None:
        # A name of a later release may stand for a number that is known: numbers keep their meaning.
        known = reason_by_text(description) or reason_by_code(code or 0)
        if known is None:
            return None, description[:128], code or None, description[:128]
        return known, known.name, known.code, description[:128]
    if not code:
        return None, None, None, None
    known = reason_by_code(code)
    return known, known.name if known is not None else None, code, str(code)


def dropped_code(event_type: int | None, sub_type: int | None) -> int | None:
    """The reason's code that the type of a drop event holds.

    Field masks may keep no other: Cilium's own example of one, "all information except pod labels", names neither
    ``drop_reason`` nor ``drop_reason_desc``.
    """
    is_code = event_type == _EVENT_DROP and sub_type is not None and _FIRST_CODE <= sub_type <= _LAST_CODE
    return sub_type if is_code else None


def read_cause(
    verdict: Verdict, known: ReasonInfo | None, code: int | None, event_type: int | None, *, l7: bool
) -> Cause | None:
    """Why a denied record was denied, as far as it says; addresses are looked at by `is_housekeeping`."""
    if verdict is not Verdict.DENIED:
        return None
    if known is not None:
        return known.cause
    if code is not None:
        return None
    # A refused request has no drop reason (pkg/hubble/parser/seven); a policy verdict speaks for itself.
    return Cause.POLICY if l7 or event_type == _EVENT_VERDICT else None


def read_flow(
    flow: dict[str, Any],
    *,
    line: int,
    at: int | None,
    time_source: TimeSource,
    node: str | None,
    raw: str | None,
) -> FlowEvent:
    """The event of one flow object; every field of it may be absent."""
    verdict, verdict_raw = read_verdict(pick(flow, "verdict"))
    description = pick(flow, "drop_reason_desc")
    if isinstance(description, bool) or not isinstance(description, str | int):
        description = None
    number = integer(flow, "drop_reason")
    event = mapping(flow, "event_type") or {}
    event_type = integer(event, "type")
    if verdict is Verdict.DENIED and description is None and number is None:
        number = dropped_code(event_type, integer(event, "sub_type"))
    known, reason, code, reason_raw = why_denied(description, number)
    extensions = mapping(flow, "extensions")
    l7 = read_l7(flow)
    addresses = mapping(flow, "IP") or {}
    source_ip, destination_ip = text(addresses, "source"), text(addresses, "destination")
    macs = mapping(flow, "ethernet") or {}
    protocol, ports, flags, icmp = read_l4(mapping(flow, "l4"))
    cause = read_cause(verdict, known, code, event_type, l7=l7 is not None)
    if cause is not None and is_housekeeping(
        code, canonical_ip(source_ip or ""), canonical_ip(destination_ip or "")
    ):
        cause = Cause.NOISE
    if verdict is Verdict.DENIED and (seen := retina_reason(extensions, reason)) is not None:
        (reason, cause, reason_raw), code = seen, None
    is_reply = pick(flow, "is_reply")
    interface = mapping(flow, "interface") or {}
    return FlowEvent(
        line=line,
        at=at,
        time_source=time_source,
        node=node,
        raw=raw,
        src=read_end(
            mapping(flow, "source") or {},
            ip=source_ip,
            port=ports[0],
            mac=text(macs, "source"),
            service=service_name(mapping(flow, "source_service")),
            names=texts(flow, "source_names"),
        ),
        dst=read_end(
            mapping(flow, "destination") or {},
            ip=destination_ip,
            port=ports[1],
            mac=text(macs, "destination"),
            service=service_name(mapping(flow, "destination_service")),
            names=texts(flow, "destination_names"),
        ),
        protocol=protocol,
        direction=read_direction(pick(flow, "traffic_direction")),
        verdict=verdict,
        verdict_raw=verdict_raw,
        cause=cause,
        reason=reason,
        reason_code=code,
        reason_raw=reason_raw,
        is_reply=is_reply if isinstance(is_reply, bool) else None,
        tcp_flags=flags,
        icmp=icmp,
        l7=l7,
        policies=read_policies(flow, code),
        interface_in=text(interface, "name"),
        count=_count(mapping(flow, "aggregate") or extensions),
        witness=witness_of(event_type, drop_file=mapping(flow, "file") is not None),
    )


def witness_of(event_type: int | None, *, drop_file: bool) -> Witness | None:
    """Which of a packet's records this is; `drop_file` says that it names a source line of the datapath."""
    if event_type is None:
        # Field masks leave the type out; only drops carry the source line (1.17).
        return Witness.DROP if drop_file else None
    return _WITNESSES.get(event_type)


def _count(aggregate: dict[str, Any] | None) -> int:
    """Flows that an aggregated record stands for (exporter ``aggregationOptions``, 1.19); at least itself.

    AKS' exporter counts in ``extensions`` (read so by microsoft/Docker-Provider, 2025), where others have other things.
    """
    if aggregate is None:
        return 1
    names = ("ingress_flow_count", "egress_flow_count", "unknown_direction_flow_count")
    return sum(max(integer(aggregate, name) or 0, 0) for name in names) or 1


def read_l4(
    l4: dict[str, Any] | None,
) -> tuple[str | None, tuple[int | None, int | None], tuple[str, ...] | None, Icmp | None]:
    """Protocol, ports, TCP flags, ICMP type and code of ``l4``; zeroes are left out of the record."""
    for name in _PORTED:
        part = mapping(l4 or {}, name)
        if part is not None:
            ports = (port_number(part, "source_port"), port_number(part, "destination_port"))
            said = mapping(part, "flags") if name == "TCP" else None
            flags = tuple(flag for flag in _FLAGS if said.get(flag) is True) if said is not None else None
            return name, ports, flags or None, None
    for name, protocol in _ICMP.items():
        part = mapping(l4 or {}, name)
        if part is not None:
            return protocol, (None, None), None, Icmp(integer(part, "type") or 0, integer(part, "code") or 0)
    # VRRP, IGMP (1.19), and what comes after them
    other = next((name for name, part in sorted((l4 or {}).items()) if isinstance(part, dict)), None)
    return other[:32] if other is not None else None, (None, None), None, None


def read_l7(flow: dict[str, Any]) -> L7 | None:
    """HTTP, DNS or Kafka as the proxy saw it; ``None`` for L3/L4 flows."""
    l7 = mapping(flow, "l7")
    if l7 is None:
        return None
    way = pick(l7, "type")
    kind: str | None = None
    if isinstance(way, str):
        kind = _L7_TYPES.get(way, way.lower()[:32])
    elif isinstance(way, int):
        kind = _L7_TYPES.get(way)
    latency = integer(l7, "latency_ns")
    http, dns, kafka = mapping(l7, "http"), mapping(l7, "dns"), mapping(l7, "kafka")
    if http is not None:
        return L7(
            kind="http",
            type=kind,
            latency_ns=latency,
            method=text(http, "method"),
            url=text(http, "url"),
            protocol=text(http, "protocol"),
            code=integer(http, "code") or None,
        )
    if dns is not None:
        query, cnames, ips = text(dns, "query"), texts(dns, "cnames"), texts(dns, "ips")
        return L7(
            kind="dns",
            type=kind,
            latency_ns=latency,
            query=_name(query) if query is not None else None,
            qtypes=texts(dns, "qtypes"),
            # A response without a code is NOERROR: zero is left out.
            rcode=integer(dns, "rcode") or (0 if kind == "response" else None),
            ips=tuple(canonical_ip(ip) for ip in ips) if ips else None,
            ttl=integer(dns, "ttl"),
            cnames=tuple(_name(cname) for cname in cnames) if cnames else None,
        )
    if kafka is not None:
        words = (text(kafka, "api_key"), text(kafka, "topic"))
        return L7(
            kind="kafka",
            type=kind,
            latency_ns=latency,
            code=integer(kafka, "error_code"),
            summary=" ".join(word for word in words if word is not None) or None,
        )
    return L7(kind="unknown", type=kind, latency_ns=latency)


def _name(name: str) -> str:
    return name[:-1] if len(name) > 1 and name.endswith(".") else name
