"""Everything a parser needs, and the only room of flowdiag that a parser imports.

A parser is a class with the shape of `Parser`, registered under the entry point group
``flowdiag.parsers``; `flowdiag.parserkit.testing.assert_parser_contract` checks it.
"""

from flowdiag.model.event import (
    L7,
    Cause,
    ChangeEvent,
    Direction,
    Event,
    FlowEvent,
    GapEvent,
    Icmp,
    LogEvent,
    ObjectRef,
    ParseWarning,
    Peer,
    PolicyHit,
    TimeSource,
    Verdict,
    Witness,
    WorkloadRef,
)
from flowdiag.model.reasons import REASONS, ReasonInfo, is_housekeeping, reason_by_code, reason_by_text
from flowdiag.model.time import NS, from_datetime, parse_rfc3339, rfc3339
from flowdiag.parserkit.block import Block, Envelope, LineEnvelope, ParseContext
from flowdiag.parserkit.gopacket import icmp_from_name, is_mac, split_address
from flowdiag.parserkit.interfaces import WORKLOAD_PREFIXES, interface_name, is_workload_interface
from flowdiag.parserkit.lines import cut_lines, decode, iter_lines
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.sink import (
    TCP_FLAGS,
    FlowShape,
    FlowSink,
    Lane,
    flag_bits,
    looks_like_reply,
    named_peer,
)
from flowdiag.parserkit.yearless import MONTHS, yearless_instant

__all__ = [
    "L7",
    "MONTHS",
    "NS",
    "REASONS",
    "TCP_FLAGS",
    "WORKLOAD_PREFIXES",
    "Block",
    "Cause",
    "ChangeEvent",
    "Direction",
    "Envelope",
    "Event",
    "FlowEvent",
    "FlowShape",
    "FlowSink",
    "GapEvent",
    "Icmp",
    "Lane",
    "LineEnvelope",
    "LogEvent",
    "ObjectRef",
    "ParseContext",
    "ParseWarning",
    "Parser",
    "Peer",
    "PolicyHit",
    "ReasonInfo",
    "TimeSource",
    "Verdict",
    "Witness",
    "WorkloadRef",
    "cut_lines",
    "decode",
    "flag_bits",
    "from_datetime",
    "icmp_from_name",
    "interface_name",
    "is_housekeeping",
    "is_mac",
    "is_workload_interface",
    "iter_lines",
    "looks_like_reply",
    "named_peer",
    "parse_rfc3339",
    "reason_by_code",
    "reason_by_text",
    "rfc3339",
    "split_address",
    "yearless_instant",
]
