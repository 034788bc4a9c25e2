"""Decoding lines and counting them, many at a time: lines that the scanner does not know, or all if there is no scanner.

An endpoint is known by comparing its bytes with those last seen at its address, which is cheaper than hashing them.  A
line that does not fit the types of `json_hot` is read as `parse` reads it, so that both ways agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from flowdiag.parserkit import Block, FlowSink, ParseContext, canonical_ip, looks_like_reply
from flowdiag_parsers.hubble.json_codes import BARE, NO_END, SLOW, Codes, Laned, Refused
from flowdiag_parsers.hubble.json_events import line_events
from flowdiag_parsers.hubble.json_flow import dropped_code
from flowdiag_parsers.hubble.json_hot import ABSENT, Dns, Flow, Wrapper, bare_decoder, wrapped_decoder
from flowdiag_parsers.hubble.json_kinds import NONE, REFUSED, TCP, UDP, other_protocol
from flowdiag_parsers.hubble.json_learnt import learnt_in
from flowdiag_parsers.hubble.json_memory import SCALES
from flowdiag_parsers.hubble.json_retina import RETINA
from flowdiag_parsers.hubble.json_run import Lines, has_long_number, is_utf8

__all__ = ["FullReading"]

_MAX_NAME = 1_024
_COUNTED = b"_flow_count"
"""Stands in ``extensions`` of records that stand for several flows."""
_RETINA = RETINA.encode()


class _Refusals:
    """Records of a block that are counted in lanes."""

    def __init__(self) -> None:
        self.lanes: list[int] = []
        """This and the following lists are the columns that `FlowSink.hits` takes."""
        self.ats: list[int] = []
        self.ports: list[int] = []
        self.flags: list[int] = []
        self.places: list[int] = []
        self.texts: dict[int, tuple[Lines, int]] = {}
        """For each place: the lines that it counts in, and its index among these."""

    def add(self, lines: Lines, lanes: list[int], ats: list[int], ports: list[int], flags: list[int]) -> None:
        """Take in records of known lanes, one of each line."""
        self.lanes += lanes
        self.ats += ats
        self.ports += ports
        self.flags += flags
        self.places += lines.numbers
        self.texts |= {place: (lines, position) for position, place in enumerate(lines.numbers)}

    def text(self, place: int) -> bytes:
        """A record's line."""
        lines, position = self.texts[place]
        return lines[position]


class FullReading:
    """Of one block, whose records are counted in a sink with what the blocks before taught."""

    def __init__(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        self._block = block
        # Events that are added one by one need the record's text, for examples.
        self._context = replace(context, keep_raw=True)
        self._sink = sink
        self._learnt = learnt_in(sink)
        self._memory = self._learnt.memory
        self._refusals = _Refusals()
        self._records = 0
        self._first = 1 << 63
        self._last = -1

    def _read(self, run: bytes, lines: Lines, *, bare: bool) -> None:
        """Count the records of some lines, which stand in `run` one behind the other."""
        count = len(lines)
        if lines.are_objects and is_utf8(run):
            try:
                flows = _flows(run, bare=bare)
            except (msgspec.DecodeError, RecursionError):
                flows = []
            if len(flows) == count:
                self._fold(flows, lines, bare=bare)
                return
        for offset in range(count):
            line = lines[offset]
            if not line or line.isspace():
                continue
            flows = []
            if is_utf8(line) and not has_long_number(line):
                try:
                    flows = _flows(line, bare=bare)
                except (msgspec.DecodeError, RecursionError):
                    flows = []
            self._fold(flows if len(flows) == 1 else [None], lines, offset, bare=bare)

    def _slowly(self, lines: Lines, position: int) -> None:
        line = lines[position]
        if not line or line.isspace():
            return
        block = self._block
        # Only the last line of the input can lack its newline, and only the last run has it.
        cut_off = block.last and lines.is_cut_off(position)
        for event in line_events(line, block.of_line(lines.numbers[position]), self._context, last=cut_off):
            self._sink.add(event)

    def _fold(self, flows: Sequence[Flow | None], lines: Lines, offset: int = 0, *, bare: bool) -> None:
        """Count records that were decoded.

        This is the loop that every such record goes through.  It keeps what it needs in locals, and calls as little as
        possible, since a call would cost as much as the rest of an iteration.

        Args:
            flows: of consecutive ones of `lines`; ``None`` for those that did not fit.
            lines: the lines.
            offset: of the first of `flows` among `lines`.
            bare: lines are flows, without a wrapper.
        """
        memory, sink = self._memory, self._sink
        # To append a number to a list takes a third of the time that it takes with an array.
        srcs: list[int] = []
        dsts: list[int] = []
        ports: list[int] = []
        kinds: list[int] = []
        ats: list[int] = []
        bits_of: list[int] = []
        laned: list[Refused] = []
        ends, seconds, known_flags = memory.ends, memory.seconds, memory.flags
        first, last, records = self._first, self._last, 0
        node: str | None = None
        codes: Codes = {}
        teaching = self._learnt.teaching
        for position, flow in enumerate(flows, offset):
            if flow is None or flow.aggregate is not ABSENT:
                self._slowly(lines, position)
                continue
            if flow.extensions is not ABSENT and _says_more(flow):
                self._slowly(lines, position)
                continue
            time, ip = flow.time, flow.IP
            source, destination = flow.source, flow.destination
            if time is None or ip is None or source is ABSENT or destination is ABSENT:
                self._slowly(lines, position)
                continue
            if flow.node_name != node or node is None:
                node = flow.node_name
                if not node:
                    # A flow's name may be empty where its wrapper has one.
                    node = None
                    self._slowly(lines, position)
                    continue
                known = memory.codes.get(node)
                if known is None:
                    known = memory.codes[node] = {}
                codes = known
            # When.
            try:
                fraction = time[20:-1]
                # Go leaves out zeroes at the end of a fraction, so one record in ten has fewer digits.
                at = seconds[time[:20]] + int(fraction) * SCALES[len(time)]
                if time[-1] != "Z" or not (fraction.isdigit() and time.isascii()):
                    at = -1
            except (KeyError, ValueError):
                at = -1
            if at < 0:
                at = memory.instant(time)
                if at < 0:
                    self._slowly(lines, position)
                    continue
            # Who.
            address = ip.source
            if not address or not ip.destination:
                # Ends without an address are told apart by their MAC addresses, which are not decoded here.
                self._slowly(lines, position)
                continue
            forms = ends.get(address)
            if forms is None:
                src = memory.end(address, bytes(source), sink)
            elif forms[0] == source:
                src = forms[1]
            elif forms[2] == source:
                src = forms[3]
            else:
                src = memory.end(address, bytes(source), sink)
            address = ip.destination
            forms = ends.get(address)
            if forms is None:
                dst = memory.end(address, bytes(destination), sink)
            elif forms[0] == destination:
                dst = forms[1]
            elif forms[2] == destination:
                dst = forms[3]
            else:
                dst = memory.end(address, bytes(destination), sink)
            straight = src, dst
            if src < 0 or dst < 0:
                # Only the address is known of an end.  Where that is so of both, interfaces tell them apart, which
                # are not decoded here.
                if NO_END in (src, dst) or (src < 0 and dst < 0):
                    self._slowly(lines, position)
                    continue
                if src < 0:
                    src = BARE - src
                else:
                    dst = BARE - dst
            # What.
            flags = 0
            l4 = flow.l4
            if l4 is None:
                protocol, sport, port = NONE, None, None
            elif (tcp := l4.TCP) is not None:
                protocol, sport, port = TCP, tcp.source_port, tcp.destination_port
                said = tcp.flags
                if said is not ABSENT:
                    for form, bits in known_flags:
                        if form == said:
                            flags = bits
                            break
                    else:
                        flags = memory.flag_bits(said)
            elif (udp := l4.UDP) is not None:
                protocol, sport, port = UDP, udp.source_port, udp.destination_port
            else:
                protocol, sport, port = other_protocol(l4)
                if protocol < 0:
                    self._slowly(lines, position)
                    continue
            l7, verdict, is_reply, event = flow.l7, flow.verdict, flow.is_reply, flow.event_type
            refused = verdict in REFUSED
            if (
                verdict == "DROPPED"
                and event is not None
                and flow.drop_reason is None
                and flow.drop_reason_desc is None
            ):
                flow.drop_reason = dropped_code(event.type, event.sub_type)
            if l7 is not None and (refused or _is_long(l7.dns)):
                # A refused request's L7 part tells flows apart, and a name over all bounds is cut.
                self._slowly(lines, position)
                continue
            if (
                event is not None
                and flow.egress_allowed_by is ABSENT
                and flow.ingress_allowed_by is ABSENT
                and flow.drop_reason_desc is None
                and flow.destination_names is ABSENT
                and flow.source_names is ABSENT
                and flow.destination_service is ABSENT
                and flow.source_service is ABSENT
                and flow.drop_reason is None
                and flow.egress_denied_by is ABSENT
                and flow.ingress_denied_by is ABSENT
            ):
                # Most records come here: a few fields tell their kind.
                kind: tuple[object, ...] = (protocol, verdict, flow.traffic_direction, is_reply, event.type)
            else:
                kind = (protocol, *_kind_of(flow))
            code = codes.get(kind)
            if code is None:
                code = memory.code(codes, kind, protocol, flow)
            if code is SLOW:
                self._slowly(lines, position)
                continue
            turned = is_reply or (is_reply is None and looks_like_reply(flags, sport, port))
            if turned:
                src, dst, port, sport = dst, src, sport, port
                way = code.turned
                if way is None:
                    way = memory.way(code, node, sink, turned=True)
            else:
                way = code.straight
                if way is None:
                    way = memory.way(code, node, sink, turned=False)
            # Count.
            number = way.number
            if number >= 0 and way.has_services:
                src, dst = memory.served(src, dst, way, sink)
            if teaching is not None:
                teaching.teach(flow, lines.whole(position), at, straight, code, way, flags, bare=bare)
            if number >= 0:
                srcs.append(src)
                dsts.append(dst)
                ports.append(port or -1)
                kinds.append(number)
                ats.append(at)
                bits_of.append(flags)
            else:
                laned.append((position, at, src, dst, port or 0, sport or 0, Laned(code, way, flags)))
            if l7 is not None and not refused and (dns := l7.dns) is not None and dns.ips and dns.query:
                self._answer(dns.query, dns.ips, dns.ttl, at)
            if at > last:  # noqa: PLR1730 - as above
                last = at
            if at < first:  # noqa: PLR1730 - as above
                first = at
            records += 1
        self._first, self._last = first, last
        self._records += records
        waiting = sink.waiting
        waiting.srcs.fromlist(srcs)
        waiting.dsts.fromlist(dsts)
        waiting.ports.fromlist(ports)
        waiting.kinds.fromlist(kinds)
        waiting.ats.fromlist(ats)
        waiting.flags.fromlist(bits_of)
        self._count(laned, lines)

    def _count(self, records: list[Refused], lines: Lines) -> list[int]:
        """Put records with those that are counted in lanes, what was refused, audited or failed; the lane of each."""
        memory, sink, refusals = self._memory, self._sink, self._refusals
        lanes, numbers = memory.lanes, lines.numbers
        found = []
        for position, at, src, dst, port, other_port, kind in records:
            key = (src, dst, port, kind.way.key)
            lane = lanes.get(key)
            if lane is None:
                lane = memory.lane(key, kind.code, kind.way, sink)
            place = numbers[position]
            found.append(lane)
            refusals.ats.append(at)
            refusals.ports.append(other_port or -1)
            refusals.flags.append(kind.flags)
            refusals.places.append(place)
            refusals.texts[place] = lines, position
        refusals.lanes += found
        return found

    def _answer(self, query: str, ips: tuple[str, ...], ttl: int | None, at: int) -> None:
        name = query[:-1] if len(query) > 1 and query.endswith(".") else query
        self._sink.answer(name, tuple([canonical_ip(ip) for ip in ips if ip]), at, ttl)


def _says_more(flow: Flow) -> bool:
    """Whether the record stands for many, or has a reason that is not Cilium's, by what others added to it."""
    added = bytes(flow.extensions)
    return _COUNTED in added or (flow.verdict == "DROPPED" and _RETINA in added)


def _is_long(dns: Dns | None) -> bool:
    return dns is not None and dns.query is not None and len(dns.query) > _MAX_NAME


def _flows(run: bytes, *, bare: bool) -> list[Flow | None]:
    """The flows of lines, with what their wrappers say where they say nothing themselves.

    Raises:
        msgspec.DecodeError: a line that is no object, or none that fits.
    """
    if bare:
        # An object with both is read as a wrapper.
        return [flow if flow.flow is ABSENT else None for flow in bare_decoder.decode_lines(run)]
    records = wrapped_decoder.decode_lines(run)
    return [
        flow
        if (flow := item.flow) is None or (flow.node_name is not None and flow.time is not None)
        else _filled(flow, item)
        for item in records
    ]


def _filled(flow: Flow, around: Wrapper) -> Flow:
    if flow.node_name is None:
        flow.node_name = around.node_name
    if flow.time is None:
        flow.time = around.time
    return flow


def _kind_of(flow: Flow) -> tuple[object, ...]:
    """All fields that tell kinds of records apart, hashable."""
    event = flow.event_type
    return (
        flow.verdict,
        flow.traffic_direction,
        flow.is_reply,
        None if event is None else event.type,
        event is None,
        flow.drop_reason,
        flow.drop_reason_desc,
        bytes(flow.source_names) if flow.source_names is not ABSENT else None,
        bytes(flow.destination_names) if flow.destination_names is not ABSENT else None,
        bytes(flow.source_service) if flow.source_service is not ABSENT else None,
        bytes(flow.destination_service) if flow.destination_service is not ABSENT else None,
        bytes(flow.egress_allowed_by) if flow.egress_allowed_by is not ABSENT else None,
        bytes(flow.ingress_allowed_by) if flow.ingress_allowed_by is not ABSENT else None,
        bytes(flow.egress_denied_by) if flow.egress_denied_by is not ABSENT else None,
        bytes(flow.ingress_denied_by) if flow.ingress_denied_by is not ABSENT else None,
    )
