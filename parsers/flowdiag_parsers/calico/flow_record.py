"""One Calico flow record, levelled, as a `FlowEvent`."""

from __future__ import annotations

import re
from typing import Any

from flowdiag.parserkit import (
    Cause,
    Direction,
    FlowEvent,
    LineEnvelope,
    ParseContext,
    Peer,
    TimeSource,
    Verdict,
    bounded,
    from_epoch,
    parse_rfc3339,
)
from flowdiag_parsers.calico.flow_policies import Traces, read_traces

__all__ = ["flow_event", "instant", "integer", "interval_of"]

_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){1,5}")
"""``8,080``: Kibana's tables group the digits of a port too."""

# "start_time":"2026-03-02T10:00:00Z","end_time":"2026-03-02T10:00:15Z"   Whisker
# "start_time":1772445600,"end_time":1772445900                          Enterprise; "startTime":"1772445600" in protobuf JSON
_INTERVAL = re.compile(r'"(start|end)_?[tT]ime"\s{0,4}:\s{0,4}(?:"([^"]{1,40})"|(\d{1,19}))')

_VERDICTS = {
    "allow": Verdict.ALLOWED,
    "Allow": Verdict.ALLOWED,
    "deny": Verdict.DENIED,
    "Deny": Verdict.DENIED,
}
"""``Pass`` and anything else is unknown: the trace went on elsewhere."""

_PROTOCOLS = {
    "tcp": "TCP",
    "udp": "UDP",
    "sctp": "SCTP",
    "icmp": "ICMP",
    "icmp6": "ICMPv6",
    "icmpv6": "ICMPv6",
    "6": "TCP",
    "17": "UDP",
    "132": "SCTP",
    "1": "ICMP",
    "58": "ICMPv6",
}

_NETWORKS = {
    "pub": "public-network",
    "pvt": "private-network",
    "PUBLIC NETWORK": "public-network",
    "PRIVATE NETWORK": "private-network",
}
"""Ends that are no known endpoint.  ``pvt`` is only RFC 1918: CGNAT, link-local and all IPv6 count as
``pub``, so neither means the internet or the cluster."""

_TYPES = {
    "wep": "wep",
    "WorkloadEndpoint": "wep",
    "hep": "hep",
    "HostEndpoint": "hep",
    "ns": "set",
    "NetworkSet": "set",
    "net": "net",
    "Network": "net",
}


def flow_event(
    flat: dict[str, Any], around: LineEnvelope, context: ParseContext, raw: str | None
) -> FlowEvent:
    """Build the event of a levelled record (`flow_shape.level`, `flow_shape.is_flow`).

    The time is the start of the record's interval (Whisker: a bucket of 15 s or more), not a packet's.
    An allowed flow that staged policies would deny is `Verdict.AUDITED`.  A denial without a single
    packet is a stale record that Goldmane repeats (calico issue 13573): kept, with the cause noise.
    """
    traces = read_traces(flat.get("policies"))
    action = flat["action"]
    verdict = _VERDICTS.get(action, Verdict.UNKNOWN)
    cause: Cause | None = None
    reason: str | None = None
    if verdict is Verdict.DENIED:
        stale = _packets(flat) == 0
        cause = Cause.NOISE if stale else Cause.POLICY
        reason = "stale-zero-packets" if stale else _reason(traces)
    elif verdict is Verdict.ALLOWED and traces.would_deny:
        verdict, reason = Verdict.AUDITED, "staged-policy-would-deny"
    at, source = _time(flat, around, context)
    protocol = _protocol(flat.get("protocol", flat.get("proto")))
    host = _text(flat.get("host"))
    return FlowEvent(
        line=around.line,
        at=at,
        time_source=source,
        node=host or around.node or context.node,
        raw=raw,
        src=_peer(flat, "source", protocol),
        dst=_peer(flat, "dest", protocol),
        protocol=protocol,
        direction=_direction(flat["reporter"]),
        verdict=verdict,
        verdict_raw=action,
        cause=cause,
        reason=reason,
        policies=traces.enforced + traces.staged,
        count=max(1, integer(flat.get("num_flows")) or 1),
    )


def _reason(traces: Traces) -> str | None:
    hit = traces.decided_by
    if hit is None or hit.effect != "deny":
        return None
    if hit.kind == "Profile":
        return "no-profile-match"
    return "end-of-tier" if hit.rule == "end-of-tier" else "denied-by-rule"


def _packets(flat: dict[str, Any]) -> int | None:
    """Packets both ways, ``None`` where the record does not count them."""
    counts = [integer(flat.get(key)) for key in ("packets_in", "packets_out")]
    if flat.get("from_protobuf"):
        counts = [count or 0 for count in counts]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == 2 else None


def _peer(flat: dict[str, Any], end: str, protocol: str | None) -> Peer:
    name = _text(flat.get(f"{end}_name"))
    aggregated = _text(flat.get(f"{end}_name_aggr"))
    namespace = _text(flat.get(f"{end}_namespace"))
    kind = _TYPES.get(str(flat.get(f"{end}_type")))
    pod = node = entity = None
    shown = name or aggregated
    if shown in _NETWORKS or kind == "net":
        entity = _NETWORKS.get(shown or "")
        namespace = None
    elif kind == "hep":
        # A host endpoint's own name is the object's; aggregated it is the node's (Whisker gives only that).
        node = aggregated or name
        namespace = None
    elif kind == "set" or (kind is None and namespace is None):
        # A network set; or, in Whisker, which says no type, a network set or a node: the name is all there is.
        entity = shown
    else:
        pod = shown
    port = integer(flat.get(f"{end}_port"))
    service = None
    if end == "dest":
        service_name = _text(flat.get("dest_service_name"))
        service_namespace = _text(flat.get("dest_service_namespace"))
        service = f"{service_namespace}/{service_name}" if service_name and service_namespace else None
    return Peer(
        ip=_text(flat.get(f"{end}_ip")),
        port=port if port and 0 < port < 65_536 and protocol not in ("ICMP", "ICMPv6") else None,
        namespace=namespace,
        pod=pod,
        node=node,
        service=service,
        entity=entity,
        labels=_labels(flat.get(f"{end}_labels")),
        dns_names=_names(flat.get(f"{end}_domains")),
    )


def _labels(value: Any) -> tuple[tuple[str, str], ...] | None:
    """Whisker writes one string joined by `` | ``, Goldmane a list, Enterprise ``{"labels": [...]}``, Kibana's CSV ``, ``."""
    if isinstance(value, dict):
        value = value.get("labels")
    if isinstance(value, str):
        value = value.split(" | " if " | " in value else ", ")
    if not isinstance(value, list):
        return None
    pairs = {str(item).partition("=")[::2] for item in value if item}
    return tuple(sorted(pairs)) or None


def _names(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(sorted({str(name) for name in value if name})) or None


def _direction(reporter: str) -> Direction | None:
    """Who reported: the source's egress check or the destination's ingress check; a forwarder has neither."""
    words = {word.strip().lower() for word in reporter.split(",")}
    if "src" in words:
        return Direction.EGRESS
    return Direction.INGRESS if "dst" in words else None


def _protocol(value: Any) -> str | None:
    if value is None or isinstance(value, bool) or value == "":
        return None
    text = str(value)
    return _PROTOCOLS.get(text.lower(), text)


def _time(flat: dict[str, Any], around: LineEnvelope, context: ParseContext) -> tuple[int | None, TimeSource]:
    for key in ("start_time", "@timestamp", "end_time"):
        at = instant(flat.get(key), context)
        if at is not None:
            return at, TimeSource.RECORD
    return around.at, around.time_source


def instant(value: Any, context: ParseContext) -> int | None:
    """RFC 3339 text, or epoch seconds or milliseconds as a number or as digits (protobuf JSON)."""
    if isinstance(value, str) and not value.isdecimal():
        try:
            return parse_rfc3339(value, context.zone)
        except ValueError:
            return None
    number = integer(value)
    if number is None or number <= 0:
        return None
    seconds, millis = divmod(number, 1000) if number > 100_000_000_000 else (number, 0)
    return from_epoch(seconds, millis * 1_000_000)


_NOWHERE = ParseContext(input="")


def interval_of(record: str) -> int | None:
    """How long the interval is that a record counts, nanoseconds, by its text; ``None`` where it does not say both ends."""
    ends = {match[1]: instant(match[2] or match[3], _NOWHERE) for match in _INTERVAL.finditer(record)}
    start, end = ends.get("start"), ends.get("end")
    return end - start if start is not None and end is not None and end > start else None


def integer(value: Any) -> int | None:
    """A whole number: as such, as a float without a fraction, or as digits (Kibana's tables: ``8,080``)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        number: int | None = bounded(value)
        return number
    if isinstance(value, str) and len(value) < 20 and value.isascii():
        if value.isdecimal():
            return int(value)
        return int(value.replace(",", "")) if _GROUPED.fullmatch(value) is not None else None
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value not in ("", "-") else None
