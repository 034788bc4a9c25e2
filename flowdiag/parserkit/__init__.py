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
from flowdiag.model.time import NS, from_datetime, parse_rfc3339, rfc3339
from flowdiag.parserkit.block import Block, Envelope, LineEnvelope, ParseContext
from flowdiag.parserkit.gopacket import icmp_from_name, is_mac, split_address
from flowdiag.parserkit.interfaces import WORKLOAD_PREFIXES, interface_name, is_workload_interface
from flowdiag.parserkit.lines import cut_lines, decode, iter_lines
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.yearless import MONTHS, yearless_instant

__all__ = [
    "L7",
    "MONTHS",
    "NS",
    "WORKLOAD_PREFIXES",
    "Block",
    "Cause",
    "ChangeEvent",
    "Direction",
    "Envelope",
    "Event",
    "FlowEvent",
    "GapEvent",
    "Icmp",
    "LineEnvelope",
    "LogEvent",
    "ObjectRef",
    "ParseContext",
    "ParseWarning",
    "Parser",
    "Peer",
    "PolicyHit",
    "TimeSource",
    "Verdict",
    "Witness",
    "WorkloadRef",
    "cut_lines",
    "decode",
    "from_datetime",
    "icmp_from_name",
    "interface_name",
    "is_mac",
    "is_workload_interface",
    "iter_lines",
    "parse_rfc3339",
    "rfc3339",
    "split_address",
    "yearless_instant",
]
