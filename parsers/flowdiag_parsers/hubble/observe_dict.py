"""Parser of ``hubble observe -o dict``: a block of ``KEY: value`` lines per flow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from flowdiag.parserkit import (
    Block,
    Event,
    FlowSink,
    LineEnvelope,
    LineForm,
    ParseContext,
    decode,
    fold_forms,
    iter_lines,
    line_warning,
    said_around,
)
from flowdiag_parsers.hubble.observe_event import (
    clean,
    flow_event,
    lost_event,
    notice_event,
    record_frame,
    split_verdict,
)
from flowdiag_parsers.hubble.observe_time import STAMP, STAMP_BYTES, Clock
from flowdiag_parsers.hubble.observe_words import believed, split_identity

__all__ = ["HubbleDict"]

# e.g. "  TIMESTAMP: Jan  1 00:20:34.567"
# e.g. "       NODE: k8s1"                                        --print-node-name
# e.g. "     SOURCE: 1.1.1.1:31793"
# e.g. "DESTINATION: 2.2.2.2:8080"
# e.g. "       TYPE: policy-verdict:none EGRESS"
# "    VERDICT: DENIED BY my-policy (CiliumNetworkPolicy)"   1.20, --print-policy-names
# e.g. "    SUMMARY: TCP Flags: SYN"
# keys right-aligned to 11 columns, hubble 0.5 to 1.20; records parted by twelve dashes
_FIELD = re.compile(r" {0,10}(TIMESTAMP|NODE|SOURCE|DESTINATION|TYPE|VERDICT|SUMMARY|DETAILS):(?: (.*))?\s*")
_STAMP = re.compile(STAMP)
_SEPARATOR = re.compile(r"-{3,}\s*")
_SNIFF = re.compile(rb"^ {2}TIMESTAMP: [^\n]+\r?\n(?: {7}NODE: [^\n]+\r?\n)? {5}SOURCE:", re.MULTILINE)
_NOTICE = re.compile(rb"^ {2}TIMESTAMP: [^\n]+\r?\n(?: {7}NODE: [^\n]+\r?\n)? {7}TYPE:", re.MULTILINE)
# A whole record with its separator; groups as `flowdiag.parserkit.line_form.GROUPS` has them.
_CELL = rb"(?:[^ \n:\[\x1b\x80-\xff]{1,500}|\[[0-9a-f:.]{2,45}\])"


@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:  TIMESTAMP: "
        + STAMP_BYTES
        + rb"(?<=\d)Z?(\n(?:       NODE: [^\n\x1b\x80-\xff]{1,300}\n)?     SOURCE: "
        + _CELL
        + rb")()"
        rb"(?::(\d{1,5}))?(\nDESTINATION: " + _CELL + rb")(?::(\d{1,5}))?"
        rb"\n       TYPE: ([^\n\x1b\x80-\xff]{1,200})\n    VERDICT: ([^\n\x1b\x80-\xff]{1,1000})"
        rb"\n    SUMMARY: (?:TCP Flags: ([A-Z, ]{2,59}[A-Z]))?([^\n\x1b\x80-\xff]{0,2000})\n-{12}"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.  An end is its line up to the last colon.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:  TIMESTAMP: (.{15}(?:.{4}|))\.(\d{1,9})Z?(\n(?:       NODE: .{1,300}\n|)     SOURCE: .{1,500})():(\d{1,5})"
        rb"(\nDESTINATION: .{1,500}):(\d{1,5})\n       TYPE: (.{1,200})\n    VERDICT: (.{1,1000})"
        rb"\n    SUMMARY: (?:TCP Flags: ([A-Z, ]{2,59}[A-Z])|)(.{0,2000})\n-{12}"
        rb"|(.*))\n"
    )


class HubbleDict:
    """``hubble observe -o dict``."""

    name: ClassVar[str] = "hubble-dict"
    summary: ClassVar[str] = "hubble observe text, a block of keys a flow (-o dict)"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """The aligned TIMESTAMP and SOURCE keys are a mark."""
        if b"TIMESTAMP: " not in head:
            return 0.0
        return 0.97 if _SNIFF.search(head) else 0.9 if _NOTICE.search(head) else 0.0

    record_mark: ClassVar[bytes] = b"  TIMESTAMP: "
    """With which records begin; one that begins otherwise counts as a part of the record before it."""

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:  # noqa: ARG002 - the protocol's signature
        """The verdict words of a denial and an audit, and the loss record."""
        return (b"DROPPED", b"DENIED", b"AUDIT", b"EVENTS LOST")

    def record_start(self, line: bytes) -> bool:
        """A record begins with its time; anything else belongs to the record before it."""
        return line.lstrip().startswith(b"TIMESTAMP: ")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event a record, at the record's first line; peers stand as the packet went."""
        clock = Clock(context)
        fields: dict[str, str] = {}
        lines: list[str] = []
        around: LineEnvelope | None = None
        foreign: list[Event] = []
        for index, line in iter_lines(block):
            text = decode(line)
            shown = clean(text)
            if not shown.strip():
                continue
            match = _FIELD.fullmatch(shown)
            if match is None and _SEPARATOR.fullmatch(shown) is None:
                if said_around(shown):
                    continue
                said = "not a line of hubble observe -o dict"
                foreign.append(line_warning("foreign-line", said, block.of_line(index), context, text))
                if around is None:
                    yield foreign.pop()
                continue
            if match is None or match[1] in fields or match[1] == "TIMESTAMP":
                if around is not None:
                    yield from _record(fields, lines, around, context, clock, cut=False)
                yield from foreign
                fields, lines, around, foreign = {}, [], None, []
            if match is not None:
                around = around or block.of_line(index)
                fields[match[1]] = (match[2] or "").strip()
                lines.append(text)
        if around is not None:
            cut = block.last and not block.data.endswith(b"\n")
            if cut and lines[-1].lstrip().startswith("SUMMARY:"):
                fields["SUMMARY"] = believed(fields["SUMMARY"]) or ""
            elif cut and lines[-1].lstrip().startswith("VERDICT:"):
                fields["VERDICT"] = fields["VERDICT"].partition(" BY ")[0]
            cut = cut and "SUMMARY" not in fields
            yield from _record(fields, lines, around, context, clock, cut=cut)
        yield from foreign

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        clock = Clock(context).start
        form = LineForm(
            pattern=_form(), quick=_quick(), mark=self.record_mark, clock=clock, lines=6, raw_lines=5
        )
        fold_forms(self, block, context, sink, form)


def _record(
    fields: dict[str, str],
    lines: list[str],
    around: LineEnvelope,
    context: ParseContext,
    clock: Clock,
    *,
    cut: bool,
) -> Iterator[Event]:
    text = "\n".join(lines) if context.keep_raw else None
    stamp = fields.get("TIMESTAMP")
    if stamp is not None and _STAMP.fullmatch(stamp) is None:
        stamp = None
    kind = fields.get("TYPE", "")
    shared = record_frame(text, around, context, clock, stamp, fields.get("NODE"))
    if kind == "EVENTS LOST":
        summary = fields.get("SUMMARY", "")
        yield lost_event(summary, fields.get("SOURCE"), context, shared)
        return
    verdict = split_verdict(fields.get("VERDICT", ""))
    if verdict is not None and "SOURCE" in fields and "DESTINATION" in fields:
        yield flow_event(
            shared,
            source=split_identity(fields["SOURCE"]),
            destination=split_identity(fields["DESTINATION"]),
            kind=kind,
            verdict=verdict[0],
            by=verdict[1],
            summary=fields.get("SUMMARY"),
            is_reply=None,
        )
    elif cut:
        yield line_warning("truncated", "the last record is cut off", around, context, text)
    elif kind and "VERDICT" not in fields:
        details = fields.get("DETAILS") or fields.get("SUMMARY", "")
        yield notice_event(kind, details, shared)
    else:
        yield line_warning(
            "malformed-record", "source, destination or verdict is missing", around, context, text
        )
