"""Reading kube-network-policies' records: packets and their verdicts.

Format: kubernetes-sigs/kube-network-policies ``pkg/networkpolicy`` and ``pkg/dataplane``, v0.3 to v1.1.1, klog text or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowdiag.parserkit import (
    Direction,
    Event,
    Frame,
    LineEnvelope,
    LogEvent,
    ParseContext,
    ParseWarning,
    Verdict,
    frame,
    integer_of,
    json_object,
    object_of,
    protocol_name,
    read_klog,
    text_of,
)
from flowdiag_parsers.kindnet.streams import (
    UNNUMBERED,
    Packet,
    Stream,
    address_of,
    fill,
    flow_of,
    judged,
    open_packet,
)

__all__ = ["read_known", "read_line", "without_half"]

# '"Evaluating packet" id=9 direction="Egress" srcPod="default/frontend" dstPod="default/backend" packet=<'   v0.9
_FIELD = re.compile(
    r'(?:^| )(?P<key>[A-Za-z]{1,20})=(?:"(?P<quoted>(?:[^"\\]|\\.){0,400})"|(?P<bare>\S{1,400}))'
)
_MESSAGE = re.compile(r'"(?P<msg>(?:[^"\\]|\\.){1,400})"')
# "        [9] 10.0.1.3:40243 10.0.2.2:8080 TCP"          line after packet=<, any version
# "Evaluating packet [9] 10.0.1.3:40243 10.0.2.2:8080 TCP"   v0.3 to v0.6
# "        [9] 10.0.1.3:0 10.0.2.2:0 "   ICMP and all else that is none of TCP, UDP and SCTP: no protocol is said, ports are 0
_PACKET = re.compile(
    r"\[(?P<id>\d{1,10})\] (?P<src>[0-9A-Fa-f.:]{2,60}):(?P<sport>\d{1,5}) (?P<dst>[0-9A-Fa-f.:]{2,60}):(?P<dport>\d{1,5})"
    r"(?: (?P<proto>[A-Za-z0-9-]{1,16})|(?<=:0) ?\Z)"
)
# "[Packet 9] Egress NetworkPolicies: 1 Allowed: false"   v0.3 to v0.6
_OLD_STEP = re.compile(
    r"\[Packet (?P<id>\d{1,10})\] (?P<way>Egress|Ingress) NetworkPolicies: \d{1,6} Allowed: (?P<allowed>true|false)"
)
# "Finished syncing packet 9 took: 1.2ms accepted: false"   v0.1 to v0.6
_OLD_END = re.compile(
    r"Finished syncing packet (?P<id>\d{1,10}) took: \S{1,30} accepted: (?P<accepted>true|false)"
)
# '"Packet denied by egress policy" id=9' may be the beginning of a line about packet 95
_LAST_ID = re.compile(r" id=(?P<id>\d{1,10})\Z")
_WAYS = {"egress": Direction.EGRESS, "ingress": Direction.INGRESS}
_UNLIKE = ("TCP", "UDP", "SCTP")
_LEVELS = ("info", "warning", "error", "fatal")


def read_known(
    text: str,
    around: LineEnvelope,
    context: ParseContext,
    *,
    words: str,
    way: str,
    pods: tuple[str, str],
    src: tuple[str, str],
    dst: tuple[str, str],
    protocol: str,
) -> Iterator[Event]:
    """The event of a verdict's line whose packet is known by its words: addresses with their ports."""
    header = read_klog(text, context)
    if header is None:
        return
    lowered = words.lower()
    one = Packet(
        frame(around, context, text, header.at, source=header.time_source),
        address_of(*src),
        address_of(*dst),
        protocol_name(protocol),
        _WAYS.get(way.lower()),
        src_pod=pods[0],
        dst_pod=pods[1],
    )
    accepted = "accepted" in lowered
    told = _WAYS["egress"] if "egress" in lowered else _WAYS["ingress"]
    verdict = Verdict.ALLOWED if accepted else Verdict.DENIED
    yield flow_of(one, one.shared, verdict, None if accepted else told, words)


def read_line(text: str, stream: Stream, around: LineEnvelope, context: ParseContext) -> Iterator[Event]:
    """Events that a line completes."""
    if text.startswith("{"):
        record = json_object(text)
        if record is None:
            shared = frame(around, context, text)
            yield ParseWarning(**shared, code="malformed-json", message="not a whole record")
            return
        yield from _json_record(record, text, stream, around, context)
        return
    header = read_klog(text, context)
    if header is None:
        # The packet's own line, indented below the record that announced it.
        packet = _PACKET.search(text, 0, 200) if text[:1] in " \t" else None
        if packet is not None and stream.latest is not None:
            fill(stream, packet, stream.latest)
        return
    shared = frame(around, context, text, header.at, source=header.time_source)
    body = text[header.end :]
    stream.latest = None
    old = _PACKET.search(body, 0, 300) if body.startswith("Evaluating packet [") else None
    if old is not None:
        number = int(old["id"])
        yield from open_packet(stream, number, shared)
        fill(stream, old, number)
        return
    step = _OLD_STEP.search(body, 0, 200)
    if step is not None:
        found = stream.packets.get(int(step["id"]))
        if found is not None and step["allowed"] == "false":
            found.refused = _WAYS[step["way"].lower()]
        return
    end = _OLD_END.search(body, 0, 200)
    if end is not None:
        yield from judged(stream, int(end["id"]), shared, end[0], accepted=end["accepted"] == "true")
        return
    message = _MESSAGE.match(body)
    if message is None:
        yield _message(body, header.level, shared)
        return
    fields = {match["key"]: _value(match) for match in _FIELD.finditer(body, message.end(), 4000)}
    yield from _record(message["msg"], fields, stream, shared, header.level)


def without_half(text: str, stream: Stream) -> str:
    """A line that may have been cut off, without a protocol or an id that may be the beginning of another."""
    packet = _PACKET.search(text, 0, 300)
    if packet is not None and packet.end("proto") == len(text) and packet["proto"] not in _UNLIKE:
        return text[: packet.start("proto")]
    last = _LAST_ID.search(text)
    if last is not None and any(
        str(number).startswith(last["id"]) and str(number) != last["id"] for number in stream.packets
    ):
        return text[: last.start()]
    return text


def _value(match: re.Match[str]) -> str:
    return match["quoted"] if match["quoted"] is not None else match["bare"]


def _json_record(
    record: dict[str, Any], text: str, stream: Stream, around: LineEnvelope, context: ParseContext
) -> Iterator[Event]:
    # {"ts":1752314032257.8,"caller":"networkpolicy/engine.go:1","msg":"Evaluating packet","v":2,"id":9,"direction":"Egress",
    #  "srcPod":"default/frontend","dstPod":"default/backend","packet":{"ID":9,"Family":"IPv4","SrcIP":"10.0.1.3",...}}   v0.9
    shared = frame(around, context, text, _millis(record.get("ts")))
    message = text_of(record, "msg") or ""
    packet = object_of(record, "packet")
    fields = {key: str(value)[:400] for key, value in record.items() if isinstance(value, str | int)}
    if packet and "id" not in fields:
        fields["id"] = str(integer_of(packet, "ID") or "")
    if message == "Evaluating packet" and packet:
        number = _number(fields.get("id"))
        if number is not None:
            yield from open_packet(stream, number, shared)
            one = stream.packets[number]
            one.protocol = protocol_name(text_of(packet, "Proto") or "")
            one.src = address_of(text_of(packet, "SrcIP"), integer_of(packet, "SrcPort"))
            one.dst = address_of(text_of(packet, "DstIP"), integer_of(packet, "DstPort"))
    level = "error" if "err" in record else "info"
    yield from _record(message, fields, stream, shared, level)


def _record(
    message: str, fields: dict[str, str], stream: Stream, shared: Frame, level: str
) -> Iterator[Event]:
    number = _number(fields.get("id"))
    if message == "Evaluating packet":
        # v0.7 and v0.8: the id stands in the indented text only
        number = UNNUMBERED if number is None else number
        if number not in stream.packets or stream.packets[number].shared["line"] != shared["line"]:
            yield from open_packet(stream, number, shared)
        one = stream.packets[number]
        one.way = _WAYS.get(fields.get("direction", "").lower())
        one.src_pod, one.dst_pod = fields.get("srcPod"), fields.get("dstPod")
        stream.latest = number
        return
    lowered = message.lower()
    if number is not None and lowered.startswith("packet denied by"):
        way = _WAYS["egress"] if "egress" in lowered else _WAYS["ingress"] if "ingress" in lowered else None
        yield from judged(stream, number, shared, message, accepted=False, way=way)
    elif number is not None and lowered.startswith("packet accepted by"):
        yield from judged(stream, number, shared, message, accepted=True)
    elif number is not None and lowered in ("egress networkpolicies", "ingress networkpolicies"):
        found = stream.packets.get(number)
        if found is not None and fields.get("allowed", "").lower() == "false":
            found.refused = _WAYS[lowered.split()[0]]
    elif lowered.startswith("finished syncing packet"):
        verdict = fields.get("verdict", "").lower()
        # v0.9 and later says "Packet denied" before; then the packet is judged and forgotten already.
        if number is not None and number in stream.packets and verdict in ("drop", "accept"):
            yield from judged(stream, number, shared, f"{message} {verdict}", accepted=verdict == "accept")
    else:
        # '"Egress pipeline evaluation failed" err="..." id=9', then "Finished syncing packet" alone   v0.9
        if number is not None and number in stream.packets and lowered.endswith("pipeline evaluation failed"):
            stream.packets[number].failed = True
        yield _message(message, level, shared, fields)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 11 else None


def _millis(value: object) -> int | None:
    """``ts`` is milliseconds since the epoch, with a fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 7e12:
        return None
    return round(value * 1000) * 1000


def _message(body: str, level: str, shared: Frame, fields: dict[str, str] | None = None) -> LogEvent:
    return LogEvent(
        **shared,
        level=level if level in _LEVELS else None,
        component="kube-network-policies",
        message=body[:2000],
        fields=fields or {},
        signal="agent-started" if body.startswith("Starting kube-network-policies") else None,
    )
