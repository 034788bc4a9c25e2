"""Parser of Inspektor Gadget's ``trace_tcpdrop``: TCP packets that a node's kernel dropped.

Format: inspektor-gadget ``gadgets/trace_tcpdrop`` (v0.31 and later) and ``pkg/gadgets/trace/tcpdrop`` (to v0.40), JSON and columns.
In columns an end is an address, ``p/NAMESPACE/POD`` or ``s/NAMESPACE/SERVICE``, each with its port, and the reason may be cut off
at its beginning; the object around them (``k8s``) is the process in whose context it happened, and no end.
``src`` is the socket's own end and ``dst`` its peer's, whichever way the packet went (``program.bpf.c``); the flags are the packet's,
so that they and the socket's state tell the way where a connection begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    KERNEL_DROP,
    Block,
    Event,
    FlowEvent,
    Frame,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    decode,
    frame,
    from_nanos,
    instant_of,
    integer_of,
    is_ip,
    is_whole_drop,
    iter_lines,
    json_object,
    kernel_drop,
    object_of,
    port_number,
    seek,
    text_of,
    unfinished_line,
)

__all__ = ["GadgetTcpdrop"]

# {"dst":{"addr":"10.0.0.3","k8s":{"kind":"svc","name":"db","namespace":"data"},"port":5432,"proto":"TCP","version":4},"k8s":{...},
#  "reason":"SKB_DROP_REASON_NETFILTER_DROP","src":{...},"state":"tcp_syn_sent","tcpflags":"SYN","timestamp":"2026-..."}    v0.31
# {"k8s":{...},"timestamp":1767607200123456789,"type":"normal","ipversion":4,"src":{"addr":"10.0.0.2","port":1,"kind":"pod",
#  "namespace":"shop","podname":"web-1"},"dst":{...},"state":"SYN_SENT","tcpflags":"SYN","reason":"NETFILTER_DROP"}       v0.20 to v0.40
# the same, flat: "saddr":"10.0.0.2","sport":1,"daddr":"10.0.0.3","dport":80,"srcKind":"pod","srcNamespace":"shop"        before v0.20
_FLAGS = rb'"tcpflags"\s{0,4}:\s{0,4}"'
_OBJECT = re.compile(_FLAGS + rb'[^\n]{0,4000}"reason"|"reason"[^\n]{0,4000}' + _FLAGS)
# K8S.NODE         K8S.NAMESPACE  K8S.POD  K8s.CONTAINER  PID  COMM  IP  SRC                DST              STATE     TCPFLAGS  REASON
# minikube-docker  default        shell    shell          833  curl  4   p/default/shell:5  s/default/web:80 ESTABLISHED  ACK    NETFILTER_DROP
_HEADER = re.compile(rb"^\s{0,8}(?:K8[Ss]\.|RUNTIME\.|NODE )[^\n]{0,2000}\bTCPFLAGS +REASON\b", re.MULTILINE)
_END = r"(?:[pso]/)?[^\s/]{1,253}(?:/[^\s/]{1,253})?:\d{1,5}"
# What a connection's state, flags and a reason look like in a row; other tables have verdicts and protocols in capitals there.
_FLAG = "(?:SYN|ACK|FIN|RST|PSH|URG|ECE|CWR)"
_WHY = (
    r"(?P<state>tcp_[a-z0-9_]{3,12}|[A-Z][A-Z0-9_]{3,12})\s{1,80}"
    rf"(?P<flags>{_FLAG}(?:\|{_FLAG}){{0,7}})\s{{1,80}}(?P<reason>[A-Z0-9_…]{{3,60}})(?=\s|$)"
)
_ROW = re.compile(
    rf"(?:^|\s)(?P<src>{_END})\s{{1,80}}(?P<dst>{_END})\s{{1,80}}(?:[^\s]{{1,80}}\s{{1,80}}){{0,5}}?{_WHY}"
    r"(?:.{0,200}?\s(?P<at>\d{4}-\d\d-\d\dT\S{8,24}))?"
)
_ROW_END = re.compile(rf"\s{_WHY}")
_CUT = "…"
# What a column may leave of its beginning is told by its end.
_TOLD_BY_END = (
    "NETFILTER_DROP",
    "TC_INGRESS",
    "TC_EGRESS",
    "BPF_CGROUP_EGRESS",
    "NOT_SPECIFIED",
    "NO_SOCKET",
    "SOCKET_FILTER",
)
_SENT, _RECEIVED = ("syn_sent",), ("syn_recv", "new_syn_recv", "listen")
"""States in which a socket sends SYN, and SYN with ACK."""
_LEAST = 6
"""Characters that a reason's end must have to tell it."""


class GadgetTcpdrop:
    """TCP packets that the kernel dropped, with the pods at their ends."""

    name: ClassVar[str] = "gadget-tcpdrop"
    summary: ClassVar[str] = (
        "Inspektor Gadget trace_tcpdrop, JSON or columns: TCP packets that a node's kernel dropped"
    )
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """Flags beside a reason in an object, or the columns' header."""
        if seek(_OBJECT, head, b'"tcpflags"') is not None:
            return 0.9
        return 0.95 if seek(_HEADER, head, b"TCPFLAGS") is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Each record is a drop; in columns nothing but its form marks one."""
        return (b'"reason"',) if seek(_HEADER, head, b"TCPFLAGS") is None else None

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per drop."""
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            around, text = block.of_line(index), decode(line)
            if line.lstrip()[:1] == b"{":
                if b'"reason"' not in line:
                    continue
                record = json_object(line)
                if record is None:
                    shared = frame(around, context, text)
                    yield ParseWarning(
                        **shared, code="malformed-json", message="not a whole record of a drop"
                    )
                elif "tcpflags" in record:
                    node = text_of(object_of(record, "k8s"), "node") or text_of(record, "node")
                    yield from _of_object(record, frame(around, context, text, _instant(record), node=node))
                continue
            row = _ROW.search(text, 0, 4000)
            if row is not None:
                shared = frame(around, context, text, instant_of(row["at"]))
                if index == cut and row.end("reason") == len(text) and not is_whole_drop(row["reason"]):
                    yield ParseWarning(**shared, code="truncated", message="a drop whose reason is cut off")
                else:
                    yield from _of_row(row, shared)
            elif _ROW_END.search(text, 0, 4000) is not None:
                yield _without_ends(frame(around, context, text))


def _instant(record: dict[str, Any]) -> int | None:
    number = integer_of(record, "timestamp")
    if number is not None and number > 0:
        return from_nanos(str(number))
    return instant_of(text_of(record, "timestamp"))


def _of_object(record: dict[str, Any], shared: Frame) -> Iterator[Event]:
    src, dst = _end(record, "src"), _end(record, "dst")
    word = text_of(record, "reason")
    if word is None or src is None or dst is None:
        yield ParseWarning(**shared, code="malformed-flow", message="addresses or the reason are missing")
        return
    flags, state = text_of(record, "tcpflags") or "", text_of(record, "state") or ""
    yield from _flow(shared, src, dst, word, flags, state)


def _end(record: dict[str, Any], side: str) -> Peer | None:
    """One end by the names of any version; ``None`` where it has no address."""
    own = object_of(record, side)
    known = object_of(own, "k8s") or own
    ip = text_of(own, "addr") or text_of(record, f"{side[0]}addr")
    if ip is None or not is_ip(ip):
        return None
    port = integer_of(own, "port") if own else integer_of(record, f"{side[0]}port")
    kind = text_of(known, "kind") or text_of(record, f"{side}Kind")
    namespace = text_of(known, "namespace") or text_of(record, f"{side}Namespace")
    name = text_of(known, "name", "podname") or text_of(record, f"{side}Name")
    return _peer(ip, port_number(port), kind, namespace, name)


def _peer(
    ip: str | None, port: int | None, kind: str | None, namespace: str | None, name: str | None
) -> Peer:
    pod = kind == "pod" and namespace is not None and name is not None
    service = f"{namespace}/{name}" if kind == "svc" and namespace and name else None
    return Peer(
        ip=canonical_ip(ip) if ip is not None else None,
        port=port,
        namespace=namespace if pod else None,
        pod=name if pod else None,
        service=service,
    )


def _of_row(row: re.Match[str], shared: Frame) -> Iterator[Event]:
    src, dst = _cell(row["src"]), _cell(row["dst"])
    if src is None or dst is None:
        yield _without_ends(shared)
        return
    word = row["reason"]
    word = _whole(word) if word.startswith(_CUT) else word
    yield from _flow(shared, src, dst, word, row["flags"], row["state"])


def _without_ends(shared: Frame) -> ParseWarning:
    # p/shop/checkout-7d9f8b6c5d-…    a column that was too narrow
    return ParseWarning(**shared, code="no-ends", message="a drop whose ends are not whole: -o json has them")


def _whole(word: str) -> str:
    """``…ASON_NETFILTER_DROP`` and ``…TFILTER_DROP``: what is left of the prefix is taken off, or the name is told by its end."""
    end = word.strip(_CUT)
    for start in range(len(KERNEL_DROP)):
        if end.startswith(KERNEL_DROP[start:]):
            return end[len(KERNEL_DROP) - start :]
    return next((one for one in _TOLD_BY_END if len(end) >= _LEAST and one.endswith(end)), end)


def _cell(text: str) -> Peer | None:
    """``p/shop/web-1:45979``, ``s/shop/web:80``, ``o/192.0.2.7:443`` and ``192.0.2.7:443``."""
    host, _, number = text.rpartition(":")
    port = port_number(number)
    kind, slash, rest = host.partition("/")
    if not slash:
        return _peer(host.strip("[]"), port, None, None, None) if is_ip(host.strip("[]")) else None
    if kind == "o":
        return _peer(rest.strip("[]"), port, None, None, None) if is_ip(rest.strip("[]")) else None
    namespace, _, name = rest.partition("/")
    if kind not in ("p", "s") or not name:
        return None
    return _peer(None, port, "pod" if kind == "p" else "svc", namespace, name)


def _came_in(flags: tuple[str, ...], state: str) -> bool:
    """Whether a packet came from the socket's peer, as far as the handshake tells."""
    known = state.lower().removeprefix("tcp_")
    if "SYN" in flags:
        return known not in (_RECEIVED if "ACK" in flags else _SENT)
    return known in _SENT  # a socket that waits for an answer has sent nothing else


def _flow(
    shared: Frame, own: Peer, peer: Peer, word: str, flags_text: str, state: str
) -> Iterator[FlowEvent]:
    why = kernel_drop(word)
    if why is None:
        return
    cause, reason = why
    flags = tuple(flag for flag in flags_text[:60].split("|") if flag)
    src, dst = (peer, own) if state and _came_in(flags, state) else (own, peer)
    yield FlowEvent(
        **shared,
        src=src,
        dst=dst,
        protocol="TCP",
        verdict=Verdict.DENIED,
        verdict_raw="dropped",
        cause=cause,
        reason=reason,
        reason_raw=word.removeprefix(KERNEL_DROP),
        tcp_flags=flags or None,
    )
