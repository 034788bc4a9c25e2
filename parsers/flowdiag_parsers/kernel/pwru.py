"""Parser of pwru's output: a line for each function of the kernel that a packet went through, of which some drop it.

Format: cilium/pwru ``internal/pwru/output.go``, v0.0.3 to v1.0.11, text and JSON (``--output-json``).  Only drops are taken: of
the other lines none says what became of the packet.  The addresses are there with ``--output-tuple``, which is the default
since v1.0; a time is only there with ``--timestamp absolute``, in the node's zone and without one.
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
    integer_of,
    is_ip,
    iter_lines,
    json_object,
    kernel_drop,
    object_of,
    parse_rfc3339,
    port_number,
    protocol_name,
    seek,
    text_of,
)

__all__ = ["Pwru"]

# SKB                CPU PROCESS          NETNS      MARK/x        IFACE       PROTO  MTU   LEN   TUPLE FUNC                    v1.0
# 0xffff00001603cae8 1   ~r/bin/curl:8493 4026531840 0               0         0x0800 1500  60    10.0.2.15:54448->192.0.2.1:80(tcp:SYN)
#  kfree_skb_reason(SKB_DROP_REASON_NETFILTER_DROP)              one line; the flags since v1.0.9; sk_skb_reason_drop since Linux 6.11
# 0xff180162daa02ae0      0  [curl(3381789)] kfree_skb_reason(SKB_DROP_REASON_NETFILTER_DROP) 10.0.2.15:54448->192.0.2.1:80(tcp)   v0.0.9
_FUNCTIONS = r"(?:kfree_skb_reason|sk_skb_reason_drop)"
_DROP = re.compile(rf"\b{_FUNCTIONS}\((?P<reason>SKB_[A-Z0-9_]{{2,60}})\)")
# "kfree_skb_reason (6)"   where the kernel's types do not name its reasons, whose numbers differ from version to version; and
# "kfree_skb" before Linux 5.17, which had no reasons
_UNNAMED = re.compile(rf"\b(?:{_FUNCTIONS} ?\(\d{{1,10}}\)|(?<!\w)kfree_skb(?=\(tc\)|\s|$))")
_TUPLE = re.compile(
    r"(?:^| )(?P<src>[0-9.]{7,15}|\[[0-9a-fA-F:.]{2,45}\]):(?P<sport>\d{1,5})->(?P<dst>[0-9.]{7,15}|\[[0-9a-fA-F:.]{2,45}\]):(?P<dport>\d{1,5})"
    r"\((?P<protocol>[a-z0-9]{0,10})(?::(?P<flags>[A-Z|,]{3,40}))?\)"
)
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}) {1,4}0x[0-9a-f]")
_LINE = re.compile(r"(?:\S{23} {1,4})?0x[0-9a-f]{8,16} ")
_SNIFF = re.compile(
    rb"^(?:TIME +)? *SKB +CPU +PROCESS\b"
    rb"|^(?:\S{23} +)?0x[0-9a-f]{8,16} +\d{1,4} +\S[^\n]{1,400}\b(?:kfree_skb_reason|sk_skb_reason_drop)\(SKB_"
    rb'|^\{"skb":"0x[0-9a-f]{4,16}",',
    re.MULTILINE,
)
_MARKS = (b"kfree_skb", b"sk_skb_reason_drop")


class Pwru:
    """Packets that the kernel dropped while pwru followed them."""

    name: ClassVar[str] = "pwru"
    summary: ClassVar[str] = "pwru's output, text or JSON: packets that a node's kernel dropped, and why"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    passes_over: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """Its header, a line of a drop, or an object that begins with the packet's address."""
        return 0.95 if seek(_SNIFF, head, b"SKB", b'{"skb"') is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The functions that drop."""
        del head
        return _MARKS

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per drop."""
        for index, line in iter_lines(block):
            if not any(mark in line for mark in _MARKS):
                continue
            around, text = block.of_line(index), decode(line)
            if line.lstrip()[:1] == b"{":
                record = json_object(line)
                shared = frame(around, context, text, _instant(text_of(record or {}, "time"), context))
                if record is None:
                    yield ParseWarning(
                        **shared, code="malformed-json", message="not a whole record of a drop"
                    )
                else:
                    yield from _of_object(record, shared)
                continue
            found = _DROP.search(text, 0, 2000)
            if found is None:
                if "(SKB_" in text[:2000]:
                    shared = frame(around, context, text)
                    yield ParseWarning(**shared, code="truncated", message="not a whole line of a drop")
                elif _UNNAMED.search(text, 0, 2000) is not None and _LINE.match(text) is not None:
                    yield _without_reason(frame(around, context, text))
                continue
            stamp = _STAMP.match(text)
            shared = frame(around, context, text, _instant(stamp[1] if stamp else None, context))
            ends = _TUPLE.search(text, 0, 2000)
            if ends is None:
                yield _without_ends(shared)
                continue
            flags = re.split(r"[|,]", ends["flags"]) if ends["flags"] else ()
            yield from _flow(
                shared,
                found["reason"],
                (ends["src"].strip("[]"), int(ends["sport"])),
                (ends["dst"].strip("[]"), int(ends["dport"])),
                ends["protocol"],
                tuple(flag for flag in flags if flag),
            )


def _of_object(record: dict[str, Any], shared: Frame) -> Iterator[Event]:
    # {"skb":"0xffff00001603cae8","cpu":1,"process":"curl:8493","func":"kfree_skb_reason(SKB_DROP_REASON_NETFILTER_DROP)",
    #  "tuple":{"saddr":"10.0.2.15","daddr":"192.0.2.1","sport":54448,"dport":80,"proto":6,"flags":"SYN"}}     v1.0, one line
    found = _DROP.search(text_of(record, "func") or "", 0, 400)
    if found is None:
        if _UNNAMED.fullmatch(text_of(record, "func") or "") is not None:
            yield _without_reason(shared)
        return
    ends = object_of(record, "tuple")
    src, dst = (text_of(ends, "saddr") or "").strip("[]"), (text_of(ends, "daddr") or "").strip("[]")
    if not (is_ip(src) and is_ip(dst)):
        yield _without_ends(shared)
        return
    number = integer_of(ends, "proto")
    flags = re.split(r"[|,]", (text_of(ends, "flags") or "")[:60])
    yield from _flow(
        shared,
        found["reason"],
        (src, integer_of(ends, "sport")),
        (dst, integer_of(ends, "dport")),
        str(number) if number is not None else "",
        tuple(flag for flag in flags if flag),
    )


def _without_reason(shared: Frame) -> ParseWarning:
    return ParseWarning(
        **shared,
        code="no-reason",
        message="the kernel let go of a packet without a reason that pwru could name: it may have been dropped",
    )


def _without_ends(shared: Frame) -> ParseWarning:
    return ParseWarning(
        **shared,
        code="no-ends",
        message="a drop without addresses: pwru writes them with --output-tuple",
    )


def _flow(
    shared: Frame,
    word: str,
    source: tuple[str, int | None],
    target: tuple[str, int | None],
    protocol: str,
    flags: tuple[str, ...],
) -> Iterator[FlowEvent]:
    why = kernel_drop(word)
    if why is None or not (is_ip(source[0]) and is_ip(target[0])):
        return
    cause, reason = why
    transport = protocol_name(protocol)
    ports = transport in ("TCP", "UDP", "SCTP")
    yield FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(source[0]), port=port_number(source[1]) if ports else None),
        dst=Peer(ip=canonical_ip(target[0]), port=port_number(target[1]) if ports else None),
        protocol=transport,
        verdict=Verdict.DENIED,
        verdict_raw="dropped",
        cause=cause,
        reason=reason,
        reason_raw=word.removeprefix(KERNEL_DROP),
        tcp_flags=flags or None,
    )


def _instant(text: str | None, context: ParseContext) -> int | None:
    """``2026-01-05T10:00:00.123``, in the node's zone; counts of nanoseconds since the node's start are no time."""
    if text is None:
        return None
    try:
        return parse_rfc3339(text, context.zone)
    except (ValueError, OverflowError):
        return None
