"""Parser of AWS VPC flow logs: a REJECT is a security group's or a network ACL's, never a NetworkPolicy's.

Format: VPC user guide, "Flow log records": version 2 has 14 blank-separated fields in a fixed order; custom formats have a
header line in files and need one here, as do tables with commas (Athena's answers).  Objects in JSON with the same fields, as
CloudWatch Logs Insights names them, are read too.  A record stands for a window of some minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import ClassVar

from msgspec.structs import replace

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    FlowSink,
    GapEvent,
    LineEnvelope,
    LineForm,
    ParseContext,
    ParseWarning,
    Peer,
    Record,
    Verdict,
    canonical_ip,
    decode,
    fold_forms,
    frame,
    from_epoch,
    iter_lines,
    lines_holding,
    port_number,
    protocol_name,
    seek,
)
from flowdiag_parsers.aws.vpc_fields import Columns, columns_of, record_in_json, record_of

__all__ = ["AwsVpcFlow"]

# "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
_DEFAULT: Columns = (
    [
        *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes"),
        *("start", "end", "action", "log-status"),
    ],
    False,
)  # fmt: skip
_SOURCES = (b"srcaddr", b"sourceaddress", b"srcAddr")
_MOST_HEADER = 2_000
_SNIFF = re.compile(
    rb"^[2-9] (?:\d{12}|unknown) eni-[0-9a-z]{1,20} (?:[0-9A-Fa-f.:]{2,45}|-) |^(?:[a-z0-9-]{3,40} ){0,30}(?:pkt-)?srcaddr (?:[a-z0-9-]{3,40} ){0,30}[a-z0-9-]{3,40}\s*$",
    re.MULTILINE,
)


# The line above with the groups of `flowdiag.parserkit.line_form.GROUPS`.  How many packets were accepted tells nothing; a
# port that is 0 is none, and a protocol that has none is given with zeros.
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(?=(?:[^\s\x80-\xff]{1,45} ){10}([1-9]\d{9}) \d{10} (?:ACCEPT|REJECT) OK\n)()"
        rb"[2-9] (?:\d{12}|unknown) eni-[0-9a-z]{1,20} ([0-9A-Fa-f.:]{2,45} [0-9A-Fa-f.:]{2,45})() "
        rb"(?:0|([1-9]\d{0,4}))() (?:0|([1-9]\d{0,4})) (?(5)(?=(?:6|17|132) ))(?(7)(?=(?:6|17|132) ))"
        rb"(\d{1,3}(?: \d{1,9}(?= \d{1,20} \d{10} \d{10} REJECT))?)"
        rb"(?: \d{1,20}){1,2} \d{10} \d{10} ([A-Z]{6})()() OK"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(?=[^ ]{1,2} [^ ]{7,12} [^ ]{5,24} [^ ]{2,45} [^ ]{2,45} [^ ]{1,5} [^ ]{1,5} [^ ]{1,3} [^ ]{1,20} [^ ]{1,20} ([1-9]\d{9}) \d{10} [AR])()"
        rb"[2-9] (?:\d{12}|unknown) eni-[0-9a-z]{1,20} ([^ ]{2,45} [^ ]{2,45})() "
        rb"(?:0|([1-9]\d{0,4}))() (?:0|([1-9]\d{0,4})) (?(5)(?=(?:6|17|132) ))(?(7)(?=(?:6|17|132) ))"
        rb"(\d{1,3}(?: \d{1,9}(?= \d{1,20} \d{10} \d{10} REJECT))?)"
        rb"(?: \d{1,20}){1,2} \d{10} \d{10} ((?:ACCEPT|REJECT))()() OK"
        rb"|(.*))\n"
    )


# {"srcAddr":"10.0.1.28","dstAddr":"203.0.113.7",...,"action":"REJECT"} of Insights
_SOURCE = re.compile(rb'"src_?[aA]ddr"\s{0,4}:\s{0,4}"')
_ACTION = re.compile(rb'"action"\s{0,4}:\s{0,4}"(?:ACCEPT|REJECT)"')
_VERDICTS = {"ACCEPT": Verdict.ALLOWED, "REJECT": Verdict.DENIED}
# ``reject-reason`` of version 8: a dash for what has no word of its own
_REASONS = {
    "-": "vpc-security-group-or-network-acl",
    "BPA": "vpc-block-public-access",
    "EC": "vpc-encryption-controls",
}
_FLOW_DIRECTIONS = {"ingress": Direction.INGRESS, "egress": Direction.EGRESS}


class AwsVpcFlow:
    """Flows at network interfaces of a VPC."""

    name: ClassVar[str] = "aws-vpc-flow"
    summary: ClassVar[str] = "AWS VPC flow log (security groups and network ACLs, not a NetworkPolicy)"
    cni: ClassVar[str | None] = None
    # A custom format's header names the columns of all lines below it.
    sequential: ClassVar[bool] = True
    document: ClassVar[bool] = False
    marks_state: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """Version, account and interface at the start of a line, a header with `srcaddr`, or an object with an action."""
        if seek(_SNIFF, head, b" eni-", b"srcaddr") is not None:
            return 0.93
        first = decode(head.lstrip(b"\n").partition(b"\n")[0][:_MOST_HEADER])
        if "," in first and columns_of(first) is not None:
            return 0.93
        return 0.9 if _ACTION.search(head) is not None and _SOURCE.search(head) is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Refusals by their word; SKIPDATA are records that AWS itself lost; a header has the source's column."""
        del head
        return (b"REJECT", b"SKIPDATA", *_SOURCES)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but of records in the default order read only the first of each kind."""
        whole = replace(context, keep_raw=True)
        if not _is_usual(block.data, context):
            for event in self.parse(block, whole):
                sink.add(event)
            return

        def read(line: bytes, around: LineEnvelope, _: Record) -> Iterator[Event]:
            text = decode(line)
            # An "address" that the quick pattern took may hold a tab, where reading finds two fields.
            yield from _cells(record_of(text, _DEFAULT), around, whole, text)

        form = LineForm(pattern=_form(), quick=_quick(), clock=_start, read=read, weighs=True)
        fold_forms(self, block, context, sink, form)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per record, a gap where AWS skipped records."""
        for index, line in iter_lines(block):
            text = decode(line)
            header = columns_of(text) if any(name in line for name in _SOURCES) else None
            if header is not None:
                context.memory["vpc-columns"] = header
                continue
            columns: Columns = context.memory.get("vpc-columns", _DEFAULT)
            said = record_in_json(line)
            if said is None:
                own = columns is not _DEFAULT or re.match(r"[2-9] (?:\d{12}|unknown) eni-", text) is not None
                if not text.strip() or not own:
                    continue
                said = record_of(text, columns)
            yield from _cells(said, block.of_line(index), context, text)


def _cells(
    said: Mapping[str, str] | None, around: LineEnvelope, context: ParseContext, text: str
) -> Iterator[Event]:
    if said is None:
        shared = frame(around, context, text)
        yield ParseWarning(**shared, code="truncated", message="not as many fields as the format has")
        return
    yield from _record(said, around, context, text)


def _record(
    said: Mapping[str, str], around: LineEnvelope, context: ParseContext, text: str
) -> Iterator[Event]:
    start, end = _seconds(said.get("start")), _seconds(said.get("end"))
    shared = frame(around, context, text, start)
    status = said.get("log-status")
    if status == "SKIPDATA":
        yield GapEvent(**shared, kind="lost-events", until=end, message="AWS skipped records here")
    elif status != "NODATA":
        src = said.get("pkt-srcaddr", "-")
        dst = said.get("pkt-dstaddr", "-")
        src = said.get("srcaddr", "-") if src == "-" else src
        dst = said.get("dstaddr", "-") if dst == "-" else dst
        verdict = _VERDICTS.get(said.get("action", ""), Verdict.UNKNOWN)
        denied = verdict is Verdict.DENIED
        why = said.get("reject-reason", "-")
        protocol = protocol_name(said.get("protocol", "-"))
        yield FlowEvent(
            **shared,
            src=Peer(ip=_address(src), port=_port(said.get("srcport"), protocol)),
            dst=Peer(ip=_address(dst), port=_port(said.get("dstport"), protocol)),
            protocol=protocol,
            direction=_FLOW_DIRECTIONS.get(said.get("flow-direction", "")),
            verdict=verdict,
            verdict_raw=said.get("action"),
            cause=Cause.CONFIGURATION if denied else None,
            reason=_REASONS.get(why) if denied else None,
            reason_raw=why if denied and why != "-" else None,
            # Each refused packet is an attempt; an accepted connection has as many as it likes.
            count=_packets(said.get("packets", "")) if denied else 1,
        )


def _is_usual(data: bytes, context: ParseContext) -> bool:
    """Whether the columns are the default ones all along."""
    if context.memory.get("vpc-columns", _DEFAULT) != _DEFAULT:
        return False
    places = lines_holding(data, _SOURCES)
    lines = data.split(b"\n") if places else []
    return all(columns_of(decode(lines[place])) in (None, _DEFAULT) for place in places)


def _start(text: bytes, enveloped: bool) -> int | None:
    del enveloped
    return from_epoch(int(text))


def _seconds(text: str | None) -> int | None:
    return from_epoch(int(text)) if text and text.isascii() and text.isdigit() and len(text) < 12 else None


def _address(text: str) -> str | None:
    return None if text == "-" else canonical_ip(text)


def _port(text: str | None, protocol: str | None) -> int | None:
    return port_number(text) if protocol in ("TCP", "UDP", "SCTP") else None


def _packets(text: str) -> int:
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 10 else 1
