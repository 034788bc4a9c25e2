"""Parser of ``cilium monitor -o json``: one object a line, with policy verdicts as plain text among them.

Source of the forms: pkg/monitor/datapath_drop.go and datapath_trace.go (``DropNotifyToVerbose``,
``TraceNotifyToVerbose``) of Cilium 1.16; the L7 and agent objects from pkg/monitor/format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import msgspec

from flowdiag.parserkit import (
    L7,
    Block,
    Cause,
    Event,
    FlowEvent,
    ParseContext,
    Peer,
    Verdict,
    Witness,
    bounded,
    decode,
    has_long_number,
    icmp_from_name,
    iter_lines,
    line_warning,
    port_number,
    said_around,
    seek,
)
from flowdiag_parsers.cilium.agent_notices import notice
from flowdiag_parsers.cilium.carrier import Carrier, carrier
from flowdiag_parsers.cilium.connection import Packet, local_pod, peer_of
from flowdiag_parsers.cilium.monitor import CHATTER
from flowdiag_parsers.cilium.monitor_verbose import layer_fields, packet_of
from flowdiag_parsers.cilium.verdicts import L7_VERDICTS, NO_REASON, between, read_reason, reply_of

__all__ = ["CiliumMonitorJson"]

# {"cpu":"CPU 01:","type":"drop","mark":"0x61e8a2a1","reason":"Policy denied","source":423,"bytes":74,"srcLabel":24753,
# e.g. "dstLabel":24075,"dstID":0,"summary":{"ethernet":"...","ipv4":"...","tcp":"...","l2":{"src":"...","dst":"..."},
#  "l3":{"src":"10.0.0.1","dst":"10.0.0.2"},"l4":{"src":"41234","dst":"80"}}}                      1.16
_SNIFF = re.compile(
    rb'^\{(?=[^\n]{0,2000}"type": ?"(?:drop|trace|logRecord|agent|debug|capture|policy-verdict)")'
    rb'(?=[^\n]{0,2000}"(?:mark|srcLabel|observationPoint|subtype|cpu|l7Proto)":)',
    re.MULTILINE,
)
_LAYERS = {
    "ethernet": "Ethernet",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "tcp": "TCP",
    "udp": "UDP",
    "sctp": "SCTP",
    "icmpv4": "ICMPv4",
    "icmpv6": "ICMPv6",
}
_SILENT = frozenset({"debug", "capture", "recCapture", "trace-sock"})
"""Types of records that say nothing of a verdict (pkg/monitor/api)."""


class CiliumMonitorJson:
    """``cilium monitor -o json``."""

    name: ClassVar[str] = "cilium-monitor-json"
    summary: ClassVar[str] = "cilium monitor -o json, one object a line"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    carries: ClassVar[tuple[str, ...]] = ("cilium-monitor",)

    def sniff(self, head: bytes) -> float:
        """An object with a monitor type and one of the monitor's own keys is a mark."""
        words = (
            b'"mark":',
            b'"srcLabel":',
            b'"observationPoint":',
            b'"subtype":',
            b'"cpu":',
            b'"l7Proto":',
        )
        return 0.95 if seek(_SNIFF, head[:65_536], *words) else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:  # noqa: ARG002 - the protocol's signature
        """The type of a drop, the refusing words of L7 and of plain verdict lines, losses; escapes hide words."""
        return (
            b'"drop"',
            b'"Denied"',
            b"drop",
            b"action deny",
            b"action audit",
            b"verdict Denied",
            b"Lost ",
            b"\\u",
        )

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event a line."""
        # What reads the text form's lines is loaded where there are records: every parser is asked about every file.
        from flowdiag_parsers.cilium.monitor_lines import read_line

        final = block.data.count(b"\n") if block.last else -1
        for index, line in iter_lines(block):
            original = decode(line)
            text = original.strip()
            if not text:
                continue
            c = carrier(block.of_line(index), context, original, cut=index == final)
            if text[0] != "{":
                events = read_line(text, c)
                if events is not None:
                    yield from events
                elif index == final:
                    yield line_warning(
                        "truncated", "the last line is cut off", block.of_line(index), context, original
                    )
                elif not text.startswith(CHATTER) and not said_around(text):
                    said = "not a record of cilium monitor"
                    yield line_warning("foreign-line", said, block.of_line(index), context, original)
                continue
            try:
                body: Any = msgspec.json.decode(text)
                if has_long_number(text):
                    body = bounded(body)
            except (msgspec.DecodeError, RecursionError):
                code = "truncated" if index == final else "malformed-json"
                yield line_warning(code, "not a whole JSON object", block.of_line(index), context, original)
                continue
            known = _object(body, c)
            if known is None:
                said = f"a monitor record of unknown type: {str(body.get('type'))[:40]!r}"
                yield line_warning("unknown-record", said, block.of_line(index), context, original)
            else:
                yield from known


def _object(body: dict[str, Any], c: Carrier) -> Iterable[Event] | None:
    """Events of an object, none of what tells nothing of traffic; ``None`` where its type is not known."""
    kind = body.get("type")
    if not isinstance(kind, str):
        return None
    if kind in {"drop", "trace"}:
        return (_packet_event(body, c, dropped=kind == "drop"),)
    if kind == "agent":
        return notice(str(body.get("subtype") or "agent event"), _text(body.get("message")), c)
    if kind == "logRecord":
        return (_record_event(body, c),)
    return () if kind in _SILENT else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _packet_event(body: dict[str, Any], c: Carrier, *, dropped: bool) -> FlowEvent:
    packet = _packet(_dict(body.get("summary")))
    reason = body.get("reason")
    why = read_reason(reason) if dropped and isinstance(reason, str) and reason else NO_REASON
    why = between(why, packet.src, packet.dst)
    source, destination = _int(body.get("source")), _int(body.get("dstID"))
    point = str(body.get("observationPoint") or body.get("traceObservationPoint") or "")
    interface = body.get("ifindex") or body.get("Ifindex")
    name = str(interface) if isinstance(interface, int | str) and interface not in {0, "0", ""} else None
    outgoing = point.startswith("to-")
    return FlowEvent(
        line=c.line,
        at=c.at,
        time_source=c.time_source,
        node=c.node,
        raw=c.raw,
        src=peer_of(packet.src, packet.src_port, _label(body.get("srcLabel")), source, c.context),
        dst=peer_of(packet.dst, packet.dst_port, _label(body.get("dstLabel")), destination, c.context),
        protocol=packet.protocol,
        verdict=Verdict.DENIED if dropped else Verdict.ALLOWED,
        verdict_raw="drop" if dropped else None,
        cause=why.cause,
        reason=why.reason,
        reason_code=why.code,
        reason_raw=why.raw,
        is_reply=None
        if dropped
        else reply_of(str(body.get("state")), before_conntrack=point.startswith("from-")),
        tcp_flags=packet.tcp_flags,
        icmp=packet.icmp,
        interface_in=None if outgoing else name,
        interface_out=name if outgoing else None,
        witness=Witness.DROP if dropped else None,
    )


def _packet(summary: dict[str, Any]) -> Packet:
    """The dissected layers' text where it is whole, else the short ``l2``, ``l3`` and ``l4`` ends."""
    layers = {
        name: layer_fields(text) for key, name in _LAYERS.items() if isinstance(text := summary.get(key), str)
    }
    said = packet_of(layers)
    l2, l3, l4 = (_dict(summary.get(key)) for key in ("l2", "l3", "l4"))
    src, dst = _str(l3.get("src")) or _str(l2.get("src")), _str(l3.get("dst")) or _str(l2.get("dst"))
    icmp_text = summary.get("icmpv6") or summary.get("icmpv4")
    icmp = said.icmp
    if icmp is None and isinstance(icmp_text, str):
        icmp = icmp_from_name(icmp_text, v6="icmpv6" in summary)
    return Packet(
        said.src or src,
        said.src_port if said.src_port is not None else port_number(_int(l4.get("src"))),
        said.dst or dst,
        said.dst_port if said.dst_port is not None else port_number(_int(l4.get("dst"))),
        said.protocol,
        said.tcp_flags,
        icmp,
    )


def _record_event(body: dict[str, Any], c: Carrier) -> FlowEvent:
    """An L7 record; ends are local endpoint ids and identities."""
    word = str(body.get("verdict") or "")
    verdict = L7_VERDICTS.get(word, Verdict.UNKNOWN)
    response = body.get("flowType") == "Response"
    kind = str(body.get("l7Proto") or "l7").lower()
    asker = _end(body, "src", c)
    server = _end(body, "dst", c)
    http = _dict(body.get("http"))
    dns = _dict(body.get("dns"))
    code = _int(http.get("Code"))
    return FlowEvent(
        line=c.line,
        at=c.at,
        time_source=c.time_source,
        node=c.node,
        raw=c.raw,
        src=server if response else asker,
        dst=asker if response else server,
        protocol="TCP" if kind in ("http", "kafka") else None,
        verdict=verdict,
        verdict_raw=word or None,
        cause=Cause.POLICY if verdict is Verdict.DENIED else None,
        is_reply=response,
        l7=L7(
            kind=kind,
            type="response" if response else "request",
            method=_str(http.get("Method")),
            url=_url(_dict(http.get("URL"))),
            code=code or None,
            protocol=_str(http.get("Protocol")),
            query=(_str(dns.get("Query")) or "").removesuffix(".") or None,
        ),
    )


def _url(parts: dict[str, Any]) -> str | None:
    """``{"Scheme":"http","Host":"api","Path":"/v1"}``, a Go URL as its encoder writes it, as text."""
    host, path = _str(parts.get("Host")), _str(parts.get("Path")) or ""
    if host is None:
        return path[:2000] or None
    return f"{_str(parts.get('Scheme')) or 'http'}://{host}{path}"[:2000]


def _end(body: dict[str, Any], side: str, c: Carrier) -> Peer:
    namespace, pod = local_pod(_int(body.get(f"{side}EpID")), c.context)
    labels = body.get(f"{side}EpLabels")
    pairs = (
        tuple(
            sorted((k, v) for label in labels if isinstance(label, str) for k, _, v in [label.partition("=")])
        )
        if isinstance(labels, list)
        else ()
    )
    named = dict(pairs).get("k8s:io.kubernetes.pod.namespace")
    identity = _int(body.get(f"{side}Identity"))
    return Peer(namespace=namespace or named, pod=pod, identity=identity, labels=pairs or None)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _str(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _int(value: object) -> int | None:
    """Numbers come as numbers and as text; anything else is unknown."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        return int(value)
    return None


def _label(value: object) -> str | None:
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
