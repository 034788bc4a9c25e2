"""Parser of what Istio's ztunnel refused or waited for in vain, by its access log.

Format: istio/ztunnel's access log of 1.22 to 1.31, text and JSON (``LOG_FORMAT=json``).  The ztunnel of the destination's node says
``connection closed due to policy rejection``, and from 1.24 on by which policy; that of the source's node repeats it as an
HTTP status, which is not counted again: no NetworkPolicy refused these.  Where a tunnel to port 15008 was not answered, the
ztunnel of the source's node says that it timed out, from 1.23 on with "maybe a NetworkPolicy is blocking": whether one did, the
record does not know.  Connections that went through are passed over.
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
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    decode,
    frame,
    instant_of,
    iter_lines,
    json_object,
    seek,
    split_address,
    text_of,
)

__all__ = ["Ztunnel"]

_MARK = b"connection closed due to policy "
_LOST_MARK = b"deadline has elapsed"
# error="connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed"           1.23 and later
# error="io error: deadline has elapsed"                                                                           1.22
_LOST = re.compile(
    r"(?:connection timed out, maybe a NetworkPolicy is blocking HBONE port \d{1,5}|io error): deadline has elapsed$"
)
_TUNNELS = 15008
"""Where a mesh's proxies take tunnels (HBONE)."""
# 2026-01-05T10:00:10.194689Z  error  access  connection complete  src.addr=10.244.1.6:42020 src.workload="reviews-1" ...
#  dst.addr=10.244.1.9:15008 dst.hbone_addr=10.244.1.9:9080 ... direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms"
#  error="connection closed due to policy rejection: explicitly denied by: shop/deny-reviews"                      1.24, tabs between
_TEXT = re.compile(rb"\baccess\s{1,20}connection complete\s{1,20}src\.addr=")
# {"level":"error","time":"2026-01-05T10:00:10.302146Z","scope":"access","message":"connection complete","src.addr":"10.244.1.13:52252",...}
_JSON = re.compile(rb'"scope": ?"access", ?"message": ?"connection complete"')
_HEAD = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT[\d:.]{8,18}Z)\s{1,20}[a-z]{4,5}\s{1,20}access\s")
_PAIR = re.compile(r'(?:^|\s)([a-z][a-z_.]{1,40})=(?:"((?:[^"\\]|\\.){0,4000})"|(\S{1,400}))')
# ": allow policies exist, but none allowed"   ": explicitly denied by: shop/deny-reviews"   (nothing, to 1.23)   1.24
_BY = re.compile(r": explicitly denied by: (?P<ns>[^/\s]{1,63})/(?P<name>\S{1,300})$")
# What istiod makes of a PeerAuthentication; the first stands for whichever is STRICT without a port of its own.
_ANY_STRICT, _CONVERTED = "istio_converted_static_strict", "converted_peer_authentication_"
_DIRECTIONS = {"inbound": Direction.INGRESS, "outbound": Direction.EGRESS}


class Ztunnel:
    """Connections of an ambient mesh that a policy of the mesh refused, and tunnels that were not answered."""

    name: ClassVar[str] = "istio-ztunnel"
    summary: ClassVar[str] = (
        "Istio ztunnel access log: connections refused by mesh policies (not a NetworkPolicy), tunnels that timed out"
    )
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    passes_over: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """Its access lines are a mark, whatever became of the connections."""
        found = seek(_TEXT, head, b"connection complete") or seek(_JSON, head, b"connection complete")
        return 0.95 if found else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Every refusal says so, and every tunnel that was not answered."""
        del head
        return (_MARK, _LOST_MARK)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per refusal, and per tunnel that was not answered."""
        for index, line in iter_lines(block):
            refused = _MARK in line
            if not refused and _LOST_MARK not in line:
                continue
            around, text = block.of_line(index), decode(line)
            record = json_object(line) if line.lstrip()[:1] == b"{" else None
            head = _HEAD.search(text, 0, 400)
            fields: dict[str, Any] = (
                record
                if record is not None
                else {key: quoted or bare for key, quoted, bare in _PAIR.findall(text)}
            )
            stamp = text_of(fields, "time") if record is not None else head and head["at"]
            shared = frame(around, context, text, instant_of(stamp))
            if refused:
                yield _flow(fields, shared)
            elif (lost := _lost(fields, shared)) is not None:
                yield lost


def _flow(fields: dict[str, Any], shared: Frame) -> Event:
    error = text_of(fields, "error")
    # What a tunnel carries has the port that was called; the tunnel's own is 15008.
    source, destination = text_of(fields, "src.addr"), text_of(fields, "dst.hbone_addr", "dst.addr")
    if error is None or source is None or destination is None:
        return ParseWarning(**shared, code="truncated", message="the refused connection is cut off")
    return FlowEvent(
        **shared,
        src=_end(fields, "src", source),
        dst=_end(fields, "dst", destination),
        protocol="TCP",
        direction=_DIRECTIONS.get(text_of(fields, "direction") or ""),
        verdict=Verdict.DENIED,
        verdict_raw=error,
        # Every network policy let the connection through, as far as the node's proxy.
        cause=Cause.CONFIGURATION,
        reason="mesh-authorization-policy",
        policies=_hits(error),
    )


def _lost(fields: dict[str, Any], shared: Frame) -> Event | None:
    """A tunnel that was not answered; ``None`` for whatever else took too long."""
    error, destination = text_of(fields, "error"), text_of(fields, "dst.addr")
    source, direction = text_of(fields, "src.addr"), text_of(fields, "direction")
    if error is None or _LOST.match(error) is None or direction != "outbound":
        return None
    if source is None or destination is None or split_address(destination)[1] != _TUNNELS:
        return None
    # Nobody knows at which end its packets were lost, and by what.
    return FlowEvent(
        **shared,
        src=_end(fields, "src", source),
        dst=_end(fields, "dst", destination),
        protocol="TCP",
        verdict=Verdict.DENIED,
        verdict_raw=error,
        reason="tunnel-timed-out",
    )


def _hits(error: str) -> tuple[PolicyHit, ...]:
    """Nobody is named where no ALLOW policy matched, nor by ztunnel before 1.24."""
    by = _BY.search(error)
    if by is None:
        return ()
    namespace: str | None = by["ns"]
    kind, name = "AuthorizationPolicy", by["name"]
    if name == _ANY_STRICT:
        kind, namespace, name = "PeerAuthentication", None, None
    elif name.startswith(_CONVERTED):
        kind, name = "PeerAuthentication", name.removeprefix(_CONVERTED)
    return (
        PolicyHit(
            kind=kind,
            group="security.istio.io",
            namespace=namespace,
            name=name,
            effect="deny",
            raw=f"{by['ns']}/{by['name']}",
        ),
    )


def _end(fields: dict[str, Any], side: str, address: str) -> Peer:
    host, port = split_address(address)
    return Peer(
        ip=canonical_ip(host),
        port=port,
        namespace=text_of(fields, f"{side}.namespace"),
        pod=text_of(fields, f"{side}.workload"),
    )
