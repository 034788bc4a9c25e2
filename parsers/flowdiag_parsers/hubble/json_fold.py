"""The fast path: lines are decoded many at a time, endpoints are read once, records are counted.

Measured on exports of 2 KB a line: decoding runs of 64 KiB, which stay in a core's cache, is twice as
fast as in megabytes, and comparing an endpoint's bytes with those last seen at its address is cheaper
than hashing them.  What does not fit goes line by line through `parse`'s own reader, so that both ways
agree.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import astuple, replace

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    FlowShape,
    FlowSink,
    Icmp,
    Lane,
    ParseContext,
    Peer,
    PolicyHit,
    Verdict,
    cut_lines,
    flag_bits,
    looks_like_reply,
    named_peer,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_ends import read_end, service_name
from flowdiag_parsers.hubble.json_fields import canonical_ip
from flowdiag_parsers.hubble.json_flow import (
    VERDICTS,
    is_housekeeping,
    read_cause,
    read_direction,
    read_l4,
    why_denied,
    witness_of,
)
from flowdiag_parsers.hubble.json_hot import (
    ABSENT,
    KIND_FIELDS,
    Dns,
    Flow,
    Kind,
    Transport,
    Wrapper,
    bare_decoder,
    wrapped_decoder,
)
from flowdiag_parsers.hubble.json_policies import FIELDS, read_policies

__all__ = ["fold_lines"]

_RUN = 1 << 16
_NS = 1_000_000_000
_REFUSED = frozenset({"DROPPED", "AUDIT", "ERROR"})
_MAX_ENDS = 50_000
_MAX_LANES = 300_000
_MAX_SECONDS = 8192
_MAX_KINDS = 50_000
"""What is remembered is bounded; past it, it is forgotten and asked for again."""

_TCP, _UDP, _SCTP, _NONE = 6, 17, 132, 0
_PROTOCOLS = {_TCP: "TCP", _UDP: "UDP", _SCTP: "SCTP"}
_ICMP4, _ICMP6 = 1 << 20, 1 << 21
_decoder = msgspec.json.Decoder()
_OTHER_SIDE = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}


def fold_lines(block: Block, context: ParseContext, sink: FlowSink) -> None:
    """Count the records of a block of lines; `sink` gets what `parse` would yield."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        _Folding(block, context, sink).run()
    finally:
        if collecting:
            gc.enable()


class _Memory:
    """What is known of earlier blocks, for as long as the sink's numbers are good."""

    __slots__ = ("ends", "flags", "forms", "kind_fields", "kinds", "lanes", "peers", "seconds")

    def __init__(self) -> None:
        self.ends: dict[str | None, list[Any]] = {}
        """Address -> the two forms of its endpoint last seen: bytes, number, bytes, number."""
        self.forms: dict[tuple[str | None, bytes], int] = {}
        self.peers: list[Peer] = []
        """Our own numbers: an end without what stands beside it in the record."""
        self.lanes: dict[tuple[Any, ...], tuple[Lane, bool]] = {}
        self.kind_fields: list[Kind] = []
        self.kinds: dict[str | None, dict[tuple[Any, ...], int]] = {}
        """Node -> kind fields -> number, which is unique over all nodes."""
        self.seconds: dict[str, tuple[int, int]] = {}
        self.flags: dict[bytes, int] = {}

    def is_full(self) -> bool:
        """Whether it is time to forget; never within a block."""
        return (
            len(self.lanes) > _MAX_LANES
            or len(self.forms) > _MAX_ENDS
            or len(self.kind_fields) > _MAX_KINDS
            or len(self.seconds) > _MAX_SECONDS
            or len(self.flags) > _MAX_KINDS
        )


class _Folding:
    """One block's way through."""

    def __init__(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        self._block = block
        # The slow way's examples want the text.
        self._context = replace(context, keep_raw=True)
        self._sink = sink
        kept = sink.memo.setdefault("hubble", {})
        memory = kept.get("memory")
        if memory is None or memory.is_full():
            memory = kept["memory"] = _Memory()
        self._memory: _Memory = memory
        self._cut_off = block.data.count(b"\n") if block.last and not block.data.endswith(b"\n") else -1
        self._records = 0
        self._first = 1 << 63
        self._last = -1

    def run(self) -> None:
        data = self._block.data
        bare = b'"flow"' not in data[:4096]
        start, index, size = 0, 0, len(data)
        while start < size:
            end = data.rfind(b"\n", start, start + _RUN) + 1
            if not end:
                end = data.find(b"\n", start + _RUN - 1) + 1 or size
            run = data[start:end]
            index += self._run(run, index, bare=bare)
            start = end
        if self._records:
            timed = self._last >= 0
            self._sink.seen(self._records, self._first if timed else None, self._last if timed else None)

    def _run(self, run: bytes, index: int, *, bare: bool) -> int:
        """Count the records of a run of lines, the first of which has `index`; returns how many lines."""
        count = run.count(b"\n") + (not run.endswith(b"\n"))
        flows: list[Flow | None]
        if _is_utf8(run):
            try:
                if bare:
                    flows = list(bare_decoder.decode_lines(run))
                else:
                    flows = [_unwrapped(item) for item in wrapped_decoder.decode_lines(run)]
            except (msgspec.DecodeError, RecursionError):
                flows = []
            if len(flows) == count:
                self._fold(flows, _Lines(run), index)
                return count
        self._line_by_line(run, index, bare=bare)
        return count

    def _line_by_line(self, run: bytes, index: int, *, bare: bool) -> None:
        lines = _Lines(run)
        for offset, line in enumerate(lines.all()):
            if not line or line.isspace():
                continue
            flow: Flow | None = None
            if _is_utf8(line):
                try:
                    flow = bare_decoder.decode(line) if bare else _unwrapped(wrapped_decoder.decode(line))
                except (msgspec.DecodeError, RecursionError):
                    flow = None
            self._fold([flow], lines, index + offset, offset=offset)

    def _slowly(self, line: bytes, index: int) -> None:
        from flowdiag_parsers.hubble.flow_json import parse_line

        if not line or line.isspace():
            return
        around = self._block.of_line(index)
        for event in parse_line(line, around, self._context, last=index == self._cut_off):
            self._sink.add(event)

    def _fold(self, flows: Sequence[Flow | None], lines: _Lines, index: int, offset: int = 0) -> None:
        """The loop that every record goes through; locals, and as little as can be."""
        memory = self._memory
        ends, lanes, seconds, flag_numbers = memory.ends, memory.lanes, memory.seconds, memory.flags
        first, last, records = self._first, self._last, 0
        keep = self._sink.keep
        node: str | None = None
        kinds: dict[tuple[Any, ...], int] | None = None
        answers: list[tuple[Dns, int]] = []
        for position, flow in enumerate(flows):
            if flow is None or flow.aggregate is not ABSENT:
                self._slowly(lines[position + offset], index + position)
                continue
            time = flow.time
            ip = flow.IP
            source, destination = flow.source, flow.destination
            if time is None or ip is None or source is ABSENT or destination is ABSENT:
                self._slowly(lines[position + offset], index + position)
                continue
            if kinds is None or flow.node_name != node:
                node = flow.node_name
                kinds = memory.kinds.get(node)
                if kinds is None:
                    if node is None:
                        self._slowly(lines[position + offset], index + position)
                        continue
                    kinds = memory.kinds[node] = {}
            # When.
            try:
                base, minute = seconds[time[:19]]
                at = base + int(time[20:29])
                if len(time) != 30:
                    at = -1
            except (KeyError, ValueError):
                at = -1
            if at < 0:
                at, minute = self._instant(time)
                if at < 0:
                    self._slowly(lines[position + offset], index + position)
                    continue
            # Who.
            address = ip.source
            forms = ends.get(address)
            if forms is None:
                src = self._end(address, source)
            elif forms[0] == source:
                src = forms[1]
            elif forms[2] == source:
                src = forms[3]
            else:
                src = self._end(address, source)
            address = ip.destination
            forms = ends.get(address)
            if forms is None:
                dst = self._end(address, destination)
            elif forms[0] == destination:
                dst = forms[1]
            elif forms[2] == destination:
                dst = forms[3]
            else:
                dst = self._end(address, destination)
            if src < 0 or dst < 0:
                self._slowly(lines[position + offset], index + position)
                continue
            # What.
            flags = 0
            l4 = flow.l4
            if l4 is None:
                protocol, sport, port = _NONE, None, None
            elif (tcp := l4.TCP) is not None:
                protocol, sport, port = _TCP, tcp.source_port, tcp.destination_port
                said = tcp.flags
                if said is not ABSENT:
                    raw = bytes(said)
                    known = flag_numbers.get(raw)
                    flags = self._flags(raw) if known is None else known
            elif (udp := l4.UDP) is not None:
                protocol, sport, port = _UDP, udp.source_port, udp.destination_port
            else:
                protocol, sport, port = _other_protocol(l4)
                if protocol < 0:
                    self._slowly(lines[position + offset], index + position)
                    continue
            l7 = flow.l7
            if l7 is not None and flow.verdict in _REFUSED:
                # A refused request's L7 part tells flows apart.
                self._slowly(lines[position + offset], index + position)
                continue
            fields = astuple(flow)[KIND_FIELDS:]
            kind = kinds.get(fields)
            if kind is None:
                kind = self._kind(kinds, fields)
            if kind < 0:
                self._slowly(lines[position + offset], index + position)
                continue
            is_reply = flow.is_reply
            if is_reply or (is_reply is None and looks_like_reply(flags, sport, port)):
                key = (dst, src, sport, kind, protocol, True)
                sport = port
            else:
                key = (src, dst, port, kind, protocol, False)
            found = lanes.get(key)
            if found is None:
                found = self._lane(key, node)
            # Count.
            lane, refused = found
            buckets = lane.buckets
            if refused:
                start = at // _NS
                buckets[start] = buckets.get(start, 0) + 1
                if len(buckets) > lane.limit:
                    lane.widen()
                keep(lane, at, sport or None, self._line(index + position), lines[position + offset])
            else:
                counted = buckets.get(minute)
                if counted is None:
                    buckets[minute] = 1
                    if len(buckets) > lane.limit:
                        lane.widen()
                else:
                    buckets[minute] = counted + 1
            lane.last = max(lane.last, at)
            lane.first = min(lane.first, at)
            if flags:
                lane.flags |= flags
            if l7 is not None and (dns := l7.dns) is not None and dns.ips and dns.query:
                answers.append((dns, at))
            last = max(last, at)
            first = min(first, at)
            records += 1
        self._first, self._last = first, last
        self._records += records
        for dns, at in answers:
            self._answer(dns, at)

    # -- what is new -------------------------------------------------------------------------------

    def _line(self, index: int) -> int:
        block = self._block
        return block.first_line + index if block.envelope is None else block.of_line(index).line

    def _instant(self, time: str) -> tuple[int, int]:
        """Nanoseconds and the second at which the minute starts; -1 where it is no usable time."""
        try:
            at = parse_rfc3339(time)
        except ValueError:
            return -1, 0
        second = at // _NS
        minute = second - second % 60
        if len(time) == 30 and time[-1] == "Z":
            self._memory.seconds[time[:19]] = (second * _NS, minute)
        return at, minute

    def _end(self, address: str | None, raw: Raw) -> int:
        """Our number of an endpoint at an address; -1 where its bytes are no object."""
        memory = self._memory
        whole = bytes(raw)
        number = memory.forms.get((address, whole))
        if number is None:
            try:
                end = _decoder.decode(whole)
            except (msgspec.DecodeError, RecursionError):
                return -1
            if not isinstance(end, dict):
                return -1
            number = len(memory.peers)
            # An empty address says as little as none.
            memory.peers.append(named_peer(read_end(end, ip=address or None)))
            memory.forms[address, whole] = number
        forms = memory.ends.get(address)
        if forms is None:
            memory.ends[address] = [Raw(whole), number, None, -1]
        else:
            memory.ends[address] = [Raw(whole), number, forms[0], forms[1]]
        return number

    def _flags(self, raw: bytes) -> int:
        bits = flag_bits(read_l4({"TCP": {"flags": _decoder.decode(raw)}})[2])
        self._memory.flags[raw] = bits
        return bits

    def _kind(self, kinds: dict[tuple[Any, ...], int], fields: tuple[Any, ...]) -> int:
        """Number of a kind of record; -1 for those that are read the slow way."""
        kind = Kind(*fields)
        memory = self._memory
        if kind.is_reply is None and kind.event_type is None and kind.traffic_direction is None:
            # A mask, or names in camelCase.
            number = -1
        elif kind.verdict in _REFUSED and (kind.event_type is None or kind.event_type.type is None):
            number = -1
        else:
            number = len(memory.kind_fields)
            memory.kind_fields.append(kind)
        kinds[fields] = number
        return number

    def _lane(self, key: tuple[Any, ...], node: str | None) -> tuple[Lane, bool]:
        """Open the lane of records like this one; `key` has the ends turned round already."""
        src, dst, port, number, code, turned = key
        memory, sink = self._memory, self._sink
        kind = memory.kind_fields[number]
        names, services = (
            [kind.source_names, kind.destination_names],
            [kind.source_service, kind.destination_service],
        )
        ends = [memory.peers[src], memory.peers[dst]]
        if turned:
            names.reverse()
            services.reverse()
        for side, service in enumerate(services):
            known = service_name(msgspec.to_builtins(service)) if service is not None else None
            if known is not None:
                ends[side] = replace(ends[side], service=known)
        verdict = VERDICTS.get(kind.verdict or "", Verdict.UNKNOWN)
        known_reason, reason, reason_code, reason_raw = why_denied(kind.drop_reason_desc, kind.drop_reason)
        event_type = kind.event_type.type if kind.event_type is not None else None
        cause = read_cause(verdict, known_reason, reason_code, event_type, l7=False)
        if cause is not None and is_housekeeping(reason_code, ends[0].ip, ends[1].ip):
            cause = Cause.NOISE
        direction = read_direction(kind.traffic_direction)
        if turned and kind.is_reply is None and direction is not None:
            direction = _OTHER_SIDE[direction]
        protocol, icmp = _protocol(code)
        shape = sink.shape(
            FlowShape(
                node=node,
                protocol=protocol,
                icmp=icmp,
                verdict=verdict,
                verdict_raw=kind.verdict,
                cause=cause,
                reason=reason,
                reason_code=reason_code,
                reason_raw=reason_raw,
                l7=None,
                turned=turned,
            )
        )
        lane = sink.lane(
            sink.peer(ends[0]),
            sink.peer(ends[1]),
            port or None,
            shape,
            direction,
            witness_of(event_type, drop_file=False),
        )
        policies = _policies(kind)
        if names[0] or names[1] or policies:
            sink.note(lane, src_names=_names(names[0]), dst_names=_names(names[1]), policies=policies)
        found = memory.lanes[key] = (lane, kind.verdict in _REFUSED)
        return found

    def _answer(self, dns: Dns, at: int) -> None:
        query = dns.query or ""
        name = query[:-1] if len(query) > 1 and query.endswith(".") else query
        ips = tuple(canonical_ip(ip) for ip in dns.ips or () if ip)
        self._sink.answer(name, ips, at, dns.ttl)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unwrapped(item: Wrapper) -> Flow | None:
    """The flow of a record, with what its wrapper says where it says nothing itself."""
    flow = item.flow
    if flow is not None:
        if flow.node_name is None:
            flow.node_name = item.node_name
        if flow.time is None:
            flow.time = item.time
    return flow


def _other_protocol(l4: Transport) -> tuple[int, int | None, int | None]:
    """Code and ports of what is neither TCP nor UDP; -1 for what the slow way has to name."""
    if l4.SCTP is not None:
        return _SCTP, l4.SCTP.source_port, l4.SCTP.destination_port
    if l4.ICMPv4 is not None:
        return _ICMP4 + (l4.ICMPv4.type << 8) + l4.ICMPv4.code, None, None
    if l4.ICMPv6 is not None:
        return _ICMP6 + (l4.ICMPv6.type << 8) + l4.ICMPv6.code, None, None
    return -1, None, None


def _protocol(code: int) -> tuple[str | None, Icmp | None]:
    if code >= _ICMP4:
        name, rest = ("ICMPv6", code - _ICMP6) if code >= _ICMP6 else ("ICMP", code - _ICMP4)
        return name, Icmp(rest >> 8, rest & 255)
    return _PROTOCOLS.get(code), None


def _policies(kind: Kind) -> tuple[PolicyHit, ...]:
    named = {field: getattr(kind, field) for field, _ in FIELDS}
    if not any(named.values()):
        return ()
    return read_policies(msgspec.to_builtins({field: list(found or ()) for field, found in named.items()}))


def _names(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return tuple(name.rstrip(".") or name for name in names if name) if names else None


class _Lines:
    """The lines of a run, cut apart when the first is asked for."""

    def __init__(self, run: bytes) -> None:
        self._run = run
        self._cut: list[bytes] | None = None

    def all(self) -> list[bytes]:
        """All of them, without their ends."""
        if self._cut is None:
            self._cut = cut_lines(self._run)
        return self._cut

    def __getitem__(self, index: int) -> bytes:
        return self.all()[index]
