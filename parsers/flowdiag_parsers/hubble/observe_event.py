"""From one printed record to one event, the same for every printer of ``hubble observe``."""

from __future__ import annotations

import re

from flowdiag.parserkit import (
    Cause,
    Event,
    FlowEvent,
    Frame,
    GapEvent,
    LineEnvelope,
    LogEvent,
    ParseContext,
    frame,
    is_housekeeping,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_others import SIGNALS
from flowdiag_parsers.hubble.observe_time import Clock
from flowdiag_parsers.hubble.observe_words import VERDICTS, read_end, read_kind, read_summary

__all__ = ["clean", "flow_event", "lost_event", "notice_event", "record_frame", "split_verdict"]

# "\x1b[31mDROPPED\x1b[0m"   --color always
_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
# "❓ [0] ", "✅ [12] ", "❌ [3] "   the connectivity test of cilium-cli
_MARKED = re.compile(r"[^\x00-\x7f]{1,4} {1,2}\[\d{1,9}\] ")
# e.g. "DENIED BY my-policy (CiliumNetworkPolicy)"   --print-policy-names
_VERDICT = re.compile(rf"({'|'.join(VERDICTS)})(?: BY (.{{1,4000}}))?")
# "CPU(3) 12", "CPU(3) - 12 (first: 2025-01-02T03:04:05Z, last: 2025-01-02T03:04:06Z)"   1.19
_LOST = re.compile(
    r"(?:CPU\((?P<cpu>[^()]{1,12})\) (?:- )?)?(?P<count>\d{1,18})"
    r"(?: \(first: (?P<first>[^,()]{1,40}), last: (?P<last>[^,()]{1,40})\))?"
)


def clean(text: str) -> str:
    """Without colours and without the mark that a test run put before the line."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if text[:1] > "\x7f":
        marked = _MARKED.match(text)
        if marked is not None:
            return text[marked.end() :]
    return text


def split_verdict(text: str) -> tuple[str, str | None] | None:
    """Verdict word and policy names of a VERDICT column; ``None`` where it is no verdict."""
    match = _VERDICT.fullmatch(text)
    return None if match is None else (match[1], match[2])


def record_frame(
    text: str | None,
    around: LineEnvelope,
    context: ParseContext,
    clock: Clock,
    stamp: str | None,
    node: str | None,
) -> Frame:
    """What every event of a record has in common; `stamp` and `node` are as the record says, `text` as for `frame`."""
    at, time_source = clock.read(stamp, around)
    return frame(around, context, text, at, source=time_source, node=node)


def flow_event(
    shared: Frame,
    *,
    source: tuple[str, str | None],
    destination: tuple[str, str | None],
    kind: str,
    verdict: str,
    by: str | None,
    summary: str | None,
    is_reply: bool | None,
) -> FlowEvent:
    """Build the event; `source` and `destination` are (text, identity) as the packet went."""
    said = read_summary(summary, kind)
    meaning = read_kind(kind, verdict, by, said.authenticated)
    if is_reply is False:
        # Clients before hubble 0.6 print every known direction as "->", answers too.
        if "-response" in kind:
            is_reply = True
        elif said.tcp_flags is not None and {"SYN", "ACK"} <= set(said.tcp_flags):
            is_reply = None
    src, dst = read_end(*source), read_end(*destination)
    cause = meaning.cause
    if is_housekeeping(meaning.reason_code, src.ip, dst.ip):
        cause = Cause.NOISE
    return FlowEvent(
        **shared,
        src=src,
        dst=dst,
        protocol=said.protocol,
        direction=meaning.direction,
        verdict=meaning.verdict,
        verdict_raw=verdict,
        cause=cause,
        reason=meaning.reason,
        reason_code=meaning.reason_code,
        reason_raw=meaning.reason_raw,
        is_reply=is_reply,
        tcp_flags=said.tcp_flags,
        icmp=said.icmp,
        l7=said.l7,
        policies=meaning.policies,
        witness=meaning.witness,
    )


def lost_event(text: str, source: str | None, context: ParseContext, shared: Frame) -> Event:
    """``CPU(3) 12``: events that this node's Hubble lost; `source` is the queue that lost them."""
    match = _LOST.search(text)
    until = None
    if match is not None and match["last"]:
        try:
            until = parse_rfc3339(match["last"], context.zone)
        except ValueError:  # another time format, or none: the record's own time stays
            until = None
    return GapEvent(
        **shared,
        kind="lost-events",
        lost=int(match["count"]) if match is not None else None,
        until=until,
        message=source or None,
    )


def notice_event(kind: str, details: str, shared: Frame) -> Event:
    """An agent or debug event among the flows: ``POLICY_UPDATED (labels: [...], revision: 5, count: 1)``."""
    return LogEvent(
        **shared,
        component="hubble",
        message=kind,
        fields={"details": details} if details else {},
        signal=SIGNALS.get(kind),
    )
