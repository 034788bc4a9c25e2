"""Parser of ``hubble observe -o table`` (``tab``): aligned columns, at least three blanks apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    Event,
    FlowSink,
    LineEnvelope,
    LineForm,
    ParseContext,
    Record,
    decode,
    fold_forms,
    iter_lines,
    line_warning,
    said_around,
    seek,
)
from flowdiag_parsers.hubble.observe_event import clean, flow_event, lost_event, record_frame, split_verdict
from flowdiag_parsers.hubble.observe_time import QUICK_STAMP, STAMP, STAMP_BYTES, Clock
from flowdiag_parsers.hubble.observe_words import VERDICTS, believed, split_identity

__all__ = ["HubbleTable"]

# "TIMESTAMP             SOURCE              DESTINATION         TYPE                     VERDICT     SUMMARY"
# "TIMESTAMP             NODE   SOURCE       DESTINATION         TYPE                     VERDICT     SUMMARY"
# e.g. "Dec 18 17:10:40.696   [fd00::b]:37948     [fd00::c]:4240      Stale or unroutable IP   DROPPED     TCP Flags: SYN"
#                                                                        hubble 0.7 to 1.20; widths change per flush
_HEADER = re.compile(r"TIMESTAMP\s{2,}(?:NODE\s{2,})?SOURCE\s{2,}DESTINATION\s{2,}TYPE\s{2,}VERDICT\b")
# An envelope may have taken a stamp in RFC 3339 for its own: then a row begins with the next column.
_ROW = re.compile(rf"(?P<stamp>{STAMP})?(?P<rest>\s{{1,}}\S.*|\S+\s{{2,}}\S.*)")
_GAP = re.compile(r"\s{2,}")
# e.g. "Dec 18 17:10:41.000   HUBBLE_RING_BUFFER                EVENTS LOST   -   CPU(0) - 5", perhaps with a node before
_LOST = "EVENTS LOST"

_SNIFF_HEADER = re.compile(
    rb"^(?:\xef\xbb\xbf)?TIMESTAMP {2,}(?:NODE {2,})?SOURCE {2,}DESTINATION {2,}TYPE {2,}VERDICT",
    re.MULTILINE,
)
_SNIFF_ROW = re.compile(
    rb"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:|\d{4}-\d\d-\d\dT)\S{4,30} {2,}+\S+ {2,}+[^\n]{1,600}?(?<! ) {2,}+(?:"
    + "|".join(VERDICTS).encode()
    + rb")(?: {2,}|\s*$)",
    re.MULTILINE,
)
# Groups as `flowdiag.parserkit.line_form.GROUPS` has them; how wide the gaps are tells nothing.
_CELL = rb"(?:[^ \n:\[\x1b\x80-\xff]{1,500}|\[[0-9a-f:.]{2,45}\])"


@cache
def _form(node: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:" + STAMP_BYTES + rb"(?<=\d)Z? {2,80}(" + node + _CELL + rb")()(?::(\d{1,5}))?"
        rb" {2,80}("
        + _CELL
        + rb")(?::(\d{1,5}))? {2,80}([^ \n\x1b\x80-\xff][^\n\x1b\x80-\xff]{0,200}?) {2,80}([A-Z_]{5,20}(?: BY [^\n\x1b\x80-\xff]{1,500}?)?) {2,80}"
        rb"(?:TCP Flags: ([A-Z, ]{2,59}[A-Z]))?([^\n\x1b\x80-\xff]{0,2000})"
        rb"|([^\n]*))\n"
    )


@cache
def _quick(node: bytes) -> re.Pattern[bytes]:
    end = rb"(?:\[[^\]]{2,45}\]|[^:]{1,500})"
    return re.compile(
        rb"(?:"
        + QUICK_STAMP
        + rb"Z? {2,80}("
        + node
        + end
        + rb")():(\d{1,5}) {2,80}("
        + end
        + rb"):(\d{1,5}) {2,80}"
        rb"([^ ]{1,100}(?: [^ ]{1,100}){0,20}) {2,80}([A-Z_]{5,20}(?: BY [^ ]{1,300}(?: [^ ]{1,300}){0,20}|)) {2,80}"
        rb"(?:TCP Flags: ([A-Z, ]{2,59}[A-Z])|)(.{0,2000})"
        rb"|(.*))\n"
    )


_NODE, _QUICK_NODE = rb"[^ \n\x1b\x80-\xff]{1,300} {2,80}", rb"[^ ]{1,300} {2,80}"


class HubbleTable:
    """``hubble observe -o table``."""

    name: ClassVar[str] = "hubble-table"
    summary: ClassVar[str] = "hubble observe text, aligned columns (-o table)"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """The header is a mark, and so is a row with a verdict column where the header was cut away."""
        # JSON has the words, but no columns.
        words = [word.encode() for word in VERDICTS] if b"  " in head else []
        row = seek(_SNIFF_ROW, head[:65_536], *words) is not None
        if seek(_SNIFF_HEADER, head, b"TIMESTAMP "):
            return 0.97 if row else 0.9
        return 0.8 if row else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:  # noqa: ARG002 - the protocol's signature
        """The verdict words of a denial and an audit, and the loss row."""
        return (b"DROPPED", b"DENIED", b"AUDIT", b"EVENTS LOST")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event a row; peers stand as the packet went."""
        clock = Clock(context)
        final = block.data.count(b"\n") if block.last else -1
        for index, line in iter_lines(block):
            if line.strip():
                text = decode(line)
                yield from _row(text, block.of_line(index), context, clock, cut=index == final)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        clock, with_raw = Clock(context), structs.replace(context, keep_raw=True)

        def read(line: bytes, around: LineEnvelope, _: Record) -> Iterator[Event]:
            return _row(decode(line), around, with_raw, clock, cut=False)

        nodes = _has_nodes(block.data)
        pattern, quick = _form(_NODE if nodes else b""), _quick(_QUICK_NODE if nodes else b"")
        form = LineForm(pattern=pattern, quick=quick, clock=clock.start, read=read)
        fold_forms(self, block, context, sink, form)


def _has_nodes(data: bytes) -> bool:
    """Whether the first row with a verdict has it one column further on; other rows are read."""
    for line in data[:65_536].split(b"\n")[:200]:
        match = _ROW.fullmatch(clean(decode(line)))
        if match is None or match["stamp"] is None:
            continue
        columns = _GAP.split(match["rest"].strip(), maxsplit=6)
        for offset in (0, 1):
            if len(columns) > 3 + offset and split_verdict(columns[3 + offset]) is not None:
                return offset == 1
    return False


def _row(
    original: str, around: LineEnvelope, context: ParseContext, clock: Clock, *, cut: bool
) -> Iterator[Event]:
    text = clean(original)
    match = None if _HEADER.match(text) else _ROW.fullmatch(text)
    if match is None:
        if cut:
            yield line_warning("truncated", "the last line is cut off", around, context, original)
        elif _HEADER.match(text) is None and not said_around(text):
            yield line_warning(
                "foreign-line", "not a row of hubble observe -o table", around, context, original
            )
        return
    stamp, rest = match["stamp"], match["rest"]
    columns = _GAP.split(rest.strip(), maxsplit=6)
    if any(column.startswith(_LOST) for column in columns[:3]):
        before, _, lost = rest.partition(_LOST)
        words = before.split()
        source = next((word for word in words if word.isupper() and "_" in word), None)
        node = words[0] if words and words[0] != source else None
        shared = record_frame(original, around, context, clock, stamp, node)
        yield lost_event(lost.lstrip(" -"), source, context, shared)
        return
    for offset in (0, 1):  # a NODE column stands in between, or none
        verdict = split_verdict(columns[3 + offset]) if len(columns) > 3 + offset else None
        if verdict is None:
            continue
        summary = "  ".join(columns[4 + offset :]) or None
        yield flow_event(
            record_frame(original, around, context, clock, stamp, columns[0] if offset else None),
            source=split_identity(columns[offset]),
            destination=split_identity(columns[offset + 1]),
            kind=columns[offset + 2],
            verdict=verdict[0],
            by=verdict[1],
            summary=believed(summary) if cut else summary,
            is_reply=None,
        )
        return
    if cut:
        yield line_warning("truncated", "the last line is cut off", around, context, original)
    elif stamp is None:
        yield line_warning("foreign-line", "not a row of hubble observe -o table", around, context, original)
    else:
        yield line_warning("malformed-record", "columns are missing", around, context, original)
