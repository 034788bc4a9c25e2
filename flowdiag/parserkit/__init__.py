"""Everything a parser needs, and the only room of flowdiag that a parser imports.

A parser is a class with the shape of `Parser`, registered under the entry point group
``flowdiag.parsers``; `flowdiag.parserkit.testing.assert_parser_contract` checks it.
"""

from flowdiag.model.cilium import POLICY_GROUPS, RESERVED_IDENTITIES
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
from flowdiag.model.time import (
    NS,
    from_datetime,
    from_epoch,
    from_micros,
    from_nanos,
    instant_of,
    parse_rfc3339,
    rfc3339,
)
from flowdiag.parserkit.block import Block, Envelope, FileLines, LineEnvelope, ParseContext, part_of
from flowdiag.parserkit.chatter import said_around
from flowdiag.parserkit.framing import Frame, frame, line_warning
from flowdiag.parserkit.gopacket import icmp_from_name, is_mac, split_address
from flowdiag.parserkit.interfaces import WORKLOAD_PREFIXES, interface_name, is_workload_interface
from flowdiag.parserkit.json_records import (
    beheaded,
    bounded,
    chosen_objects,
    has_long_number,
    integer_of,
    json_lines,
    json_object,
    object_behind,
    object_of,
    text_of,
)
from flowdiag.parserkit.kernel_drops import KERNEL_DROP, is_whole_drop, kernel_drop
from flowdiag.parserkit.klog import KLOG_BYTES, Klog, read_klog
from flowdiag.parserkit.known_lines import PLAIN, Entry
from flowdiag.parserkit.line_form import (
    CLIENTS,
    GROUPS,
    LAST_PORT,
    NOTHING,
    Brief,
    Counted,
    LineForm,
    Reading,
    Record,
)
from flowdiag.parserkit.line_forms import fold_forms
from flowdiag.parserkit.lines import (
    LinesOf,
    count_lines,
    cut_lines,
    decode,
    finished,
    iter_lines,
    unfinished_line,
)
from flowdiag.parserkit.native import native
from flowdiag.parserkit.packets import canonical_ip, is_ip, port_number, protocol_name
from flowdiag.parserkit.placing import REFUSED, lane_of, place_event
from flowdiag.parserkit.protocol import Parser
from flowdiag.parserkit.quiet_lines import QuietForm, fold_quiet
from flowdiag.parserkit.replies import (
    TCP_FLAGS,
    flag_bits,
    flags_of_letters,
    looks_like_reply,
    port_kind,
    port_kinds,
)
from flowdiag.parserkit.search import holds, lines_holding
from flowdiag.parserkit.seconds import utc_second, zoned_second
from flowdiag.parserkit.sink import FlowShape, FlowSink, Lane, named_peer
from flowdiag.parserkit.sniffing import seek
from flowdiag.parserkit.yearless import MONTHS, yearless_instant

__all__ = [
    "CLIENTS",
    "GROUPS",
    "KERNEL_DROP",
    "KLOG_BYTES",
    "L7",
    "LAST_PORT",
    "MONTHS",
    "NOTHING",
    "NS",
    "PLAIN",
    "POLICY_GROUPS",
    "REASONS",
    "REFUSED",
    "RESERVED_IDENTITIES",
    "TCP_FLAGS",
    "WORKLOAD_PREFIXES",
    "Block",
    "Brief",
    "Cause",
    "ChangeEvent",
    "Counted",
    "Direction",
    "Entry",
    "Envelope",
    "Event",
    "FileLines",
    "FlowEvent",
    "FlowShape",
    "FlowSink",
    "Frame",
    "GapEvent",
    "Icmp",
    "Klog",
    "Lane",
    "LineEnvelope",
    "LineForm",
    "LinesOf",
    "LogEvent",
    "ObjectRef",
    "ParseContext",
    "ParseWarning",
    "Parser",
    "Peer",
    "PolicyHit",
    "QuietForm",
    "Reading",
    "ReasonInfo",
    "Record",
    "TimeSource",
    "Verdict",
    "Witness",
    "WorkloadRef",
    "beheaded",
    "bounded",
    "canonical_ip",
    "chosen_objects",
    "count_lines",
    "cut_lines",
    "decode",
    "finished",
    "flag_bits",
    "flags_of_letters",
    "fold_forms",
    "fold_quiet",
    "frame",
    "from_datetime",
    "from_epoch",
    "from_micros",
    "from_nanos",
    "has_long_number",
    "holds",
    "icmp_from_name",
    "instant_of",
    "integer_of",
    "interface_name",
    "is_housekeeping",
    "is_ip",
    "is_mac",
    "is_whole_drop",
    "is_workload_interface",
    "iter_lines",
    "json_lines",
    "json_object",
    "kernel_drop",
    "lane_of",
    "line_warning",
    "lines_holding",
    "looks_like_reply",
    "named_peer",
    "native",
    "object_behind",
    "object_of",
    "parse_rfc3339",
    "part_of",
    "place_event",
    "port_kind",
    "port_kinds",
    "port_number",
    "protocol_name",
    "read_klog",
    "reason_by_code",
    "reason_by_text",
    "rfc3339",
    "said_around",
    "seek",
    "split_address",
    "text_of",
    "unfinished_line",
    "utc_second",
    "yearless_instant",
    "zoned_second",
]
