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
    Witness,
    flag_bits,
    is_housekeeping,
    looks_like_reply,
    named_peer,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_ends import read_end, service_name
from flowdiag_parsers.hubble.json_fields import canonical_ip
from flowdiag_parsers.hubble.json_flow import (
    VERDICTS,
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
    Named,
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
_MAX_SECONDS = 65_536
_MAX_KINDS = 50_000
_MAX_FLAGS = 32
"""What is remembered is bounded; past it, it is forgotten and asked for again."""
_SHORT = 64
"""No flow fits into a line of fewer bytes."""

_TCP, _UDP, _SCTP, _NONE = 6, 17, 132, 0
_PROTOCOLS = {_TCP: "TCP", _UDP: "UDP", _SCTP: "SCTP"}
_ICMP4, _ICMP6 = 1 << 20, 1 << 21
_KIND = 1 << 24
"""A kind's number times this, plus the protocol's, is one number for both."""
_Kinds = dict[tuple[Any, ...], tuple[int, int]]
"""Protocol and kind fields -> the codes of such records, as they are and turned round."""
_LaneKey = tuple[int, int, int | None, int]
_decoder = msgspec.json.Decoder()
_DOT = {ord("."): None}
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


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the kind fields of a record mean."""

    verdict: Verdict
    verdict_raw: str | None
    cause: Cause | None
    reason: str | None
    reason_code: int | None
    reason_raw: str | None
    is_reply: bool | None
    direction: Direction | None
    witness: Witness | None
    names: tuple[tuple[str, ...] | None, ...]
    services: tuple[str | None, ...]
    policies: tuple[PolicyHit, ...]


class _Variant(msgspec.Struct, frozen=True):
    """A kind with its protocol, turned round or not: what lanes need of it."""

    shape: int
    direction: Direction | None
    names: tuple[tuple[str, ...] | None, ...]
    services: tuple[str | None, ...]


class _Memory:
    """What is known of earlier blocks, for as long as the sink's numbers are good."""

    __slots__ = (
        "ends",
        "flags",
        "forms",
        "kind_fields",
        "kinds",
        "lanes",
        "minutes",
        "peers",
        "seconds",
        "sink_ends",
        "variants",
    )

    def __init__(self) -> None:
        self.ends: dict[str | None, list[Any]] = {}
        """Address -> the two forms of its endpoint last seen: bytes, number, bytes, number."""
        self.forms: dict[tuple[str | None, bytes], int] = {}
        self.peers: list[Peer] = []
        """Our own numbers: an end without what stands beside it in the record."""
        self.lanes: dict[_LaneKey, Lane] = {}
        self.kind_fields: list[_Kind] = []
        self.variants: dict[tuple[int, bool], _Variant] = {}
        self.sink_ends: dict[int, int] = {}
        self.kinds: dict[str | None, _Kinds] = {}
        """By node: a number is of one node."""
        self.seconds: dict[str, tuple[int, int]] = {}
        """``2026-04-01T10:00:07`` -> its nanoseconds, and the second at which its minute starts."""
        self.minutes: dict[str, int] = {}
        self.flags: list[tuple[Raw, int]] = []
        """The few forms of ``flags``; comparing bytes is cheaper than making them hashable."""

    def is_full(self) -> bool:
        """Whether it is time to forget; never within a block."""
        return (
            len(self.lanes) > _MAX_LANES or len(self.forms) > _MAX_ENDS or len(self.kind_fields) > _MAX_KINDS
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
        self._cut_off = len(_Lines(block.data)) - 1 if block.last and not block.data.endswith(b"\n") else -1
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
        lines = _Lines(run)
        count = len(lines)
        flows: list[Flow | None]
        # A blank line and two objects glued together would make up for each other in the count.
        if lines.are_long and _is_utf8(run):
            try:
                if bare:
                    flows = list(bare_decoder.decode_lines(run))
                else:
                    flows = [_unwrapped(item) for item in wrapped_decoder.decode_lines(run)]
            except (msgspec.DecodeError, RecursionError):
                flows = []
            if len(flows) == count:
                self._fold(flows, lines, index)
                return count
        self._line_by_line(lines, index, bare=bare)
        return count

    def _line_by_line(self, lines: _Lines, index: int, *, bare: bool) -> None:
        for offset in range(len(lines)):
            line = lines[offset]
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
        ends, lanes, seconds, known_flags = memory.ends, memory.lanes, memory.seconds, memory.flags
        first, last, records = self._first, self._last, 0
        keep = self._sink.keep
        node: str | None = None
        kinds: _Kinds | None = None
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
                    for form, bits in known_flags:
                        if form == said:
                            flags = bits
                            break
                    else:
                        flags = self._flags(bytes(said))
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
            is_reply = flow.is_reply
            event = flow.event_type
            if (
                event is None
                or flow.ingress_allowed_by is not None
                or flow.egress_allowed_by is not None
                or flow.drop_reason_desc is not None
                or flow.destination_names is not None
                or flow.source_names is not None
                or flow.source_service is not None
                or flow.destination_service is not None
                or flow.drop_reason is not None
                or flow.ingress_denied_by is not None
                or flow.egress_denied_by is not None
            ):
                rare = (protocol, astuple(flow)[KIND_FIELDS:])
                codes = kinds.get(rare)
                if codes is None:
                    codes = self._kind(kinds, rare, protocol, rare[1])
            else:
                # Nine records in ten: a few fields tell their kind, and hashing few is cheaper.
                fields = (protocol, flow.verdict, flow.traffic_direction, is_reply, event.type)
                codes = kinds.get(fields)
                if codes is None:
                    codes = self._kind(kinds, fields, protocol, astuple(flow)[KIND_FIELDS:])
            if not codes[0]:
                self._slowly(lines[position + offset], index + position)
                continue
            if is_reply or (is_reply is None and looks_like_reply(flags, sport, port)):
                # Turned round: the negative code says so.
                key = (dst, src, sport, codes[1])
                sport = port
            else:
                key = (src, dst, port, codes[0])
            lane = lanes.get(key)
            if lane is None:
                lane = self._lane(key, node)
                if lane is None:
                    self._slowly(lines[position + offset], index + position)
                    continue
                lane.first = min(lane.first, at)
            # Count.  What is behind a lane's attributes lies cold in memory: the fewer, the faster.
            buckets = lane.buckets
            if flow.verdict in _REFUSED:
                start = at // _NS
                buckets[start] = buckets.get(start, 0) + 1
                if len(buckets) > lane.limit:
                    lane.widen()
                keep(lane, at, sport or None, self._line(index + position), lines[position + offset])
            elif minute in buckets:
                buckets[minute] += 1
            else:
                buckets[minute] = 1
                if len(buckets) > lane.limit:
                    lane.widen()
            if at > lane.last:
                lane.last = at
            elif at < lane.first:
                lane.first = at
            if flags:
                lane.flags |= flags
            if l7 is not None and (dns := l7.dns) is not None and dns.ips and dns.query:
                answers.append((dns, at))
            if at > last:  # noqa: PLR1730 - a call of max costs ten times as much
                last = at
            if at < first:  # noqa: PLR1730 - as above
                first = at
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
        memory = self._memory
        plain = len(time) == 30 and time[29] == "Z"
        minute = memory.minutes.get(time[:17])
        if (
            minute is not None
            and plain
            and "00" <= time[17:19] <= "59"
            and time[17:29].translate(_DOT).isdigit()
        ):
            second = minute + int(time[17:19])
            at = second * _NS + int(time[20:29])
        else:
            try:
                at = parse_rfc3339(time)
            except ValueError:
                return -1, 0
            second = at // _NS
            minute = second - second % 60
            if plain:
                _remember(memory.minutes, time[:17], minute)
        if plain:
            _remember(memory.seconds, time[:19], (second * _NS, minute))
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
        if len(self._memory.flags) < _MAX_FLAGS:
            self._memory.flags.append((Raw(raw), bits))
        return bits

    def _kind(
        self, kinds: _Kinds, key: tuple[Any, ...], protocol: int, fields: tuple[Any, ...]
    ) -> tuple[int, int]:
        """Codes of a kind of record with its protocol, as it is and turned round, kept under `key`.

        Zeroes are for those that are read the slow way.
        """
        said = Kind(*fields)
        memory = self._memory
        event_type = said.event_type.type if said.event_type is not None else None
        if said.is_reply is None and said.event_type is None and said.traffic_direction is None:
            # A mask, or names in camelCase.
            code = 0
        elif said.verdict in _REFUSED and event_type is None:
            code = 0
        else:
            # Numbers of kinds start at one, so that every code has a sign.
            memory.kind_fields.append(_kind_of(said, event_type))
            code = len(memory.kind_fields) * _KIND + protocol
        codes = kinds[key] = (code, -code)
        return codes

    def _lane(self, key: _LaneKey, node: str | None) -> Lane | None:
        """Open the lane of records like this one; `key` has the ends turned round already.

        ``None`` where both ends are bare addresses: then interfaces count, which are not decoded here.
        """
        src, dst, port, code = key
        turned = code < 0
        number, protocol = divmod(abs(code), _KIND)
        memory, sink = self._memory, self._sink
        kind = memory.kind_fields[number - 1]
        source, destination = memory.peers[src], memory.peers[dst]
        if not (_is_named(source) or _is_named(destination)):
            return None
        noise = kind.reason_code is not None and is_housekeeping(kind.reason_code, source.ip, destination.ip)
        variant = memory.variants.get((code, noise))
        if variant is None:
            variant = self._variant(kind, protocol, node, turned=turned, noise=noise)
            memory.variants[code, noise] = variant
        services = variant.services
        lane = sink.lane(
            self._sink_end(src, source, services[0]),
            self._sink_end(dst, destination, services[1]),
            port or None,
            variant.shape,
            variant.direction,
            kind.witness,
        )
        names = variant.names
        if names[0] or names[1] or kind.policies:
            sink.note(lane, src_names=names[0], dst_names=names[1], policies=kind.policies)
        memory.lanes[key] = lane
        return lane

    def _sink_end(self, number: int, peer: Peer, service: str | None) -> int:
        """The sink's number of an end."""
        if service is not None:
            return self._sink.peer(replace(peer, service=service))
        numbers = self._memory.sink_ends
        found = numbers.get(number)
        if found is None:
            found = numbers[number] = self._sink.peer(peer)
        return found

    def _variant(self, kind: _Kind, code: int, node: str | None, *, turned: bool, noise: bool) -> _Variant:
        protocol, icmp = _protocol(code)
        direction = kind.direction
        if turned and kind.is_reply is None and direction is not None:
            direction = _OTHER_SIDE[direction]
        shape = FlowShape(
            node=node,
            protocol=protocol,
            icmp=icmp,
            verdict=kind.verdict,
            verdict_raw=kind.verdict_raw,
            cause=Cause.NOISE if noise and kind.cause is not None else kind.cause,
            reason=kind.reason,
            reason_code=kind.reason_code,
            reason_raw=kind.reason_raw,
            l7=None,
            turned=turned,
        )
        way = slice(None, None, -1 if turned else 1)
        return _Variant(self._sink.shape(shape), direction, kind.names[way], kind.services[way])

    def _answer(self, dns: Dns, at: int) -> None:
        query = dns.query or ""
        name = query[:-1] if len(query) > 1 and query.endswith(".") else query
        ips = tuple(canonical_ip(ip) for ip in dns.ips or () if ip)
        self._sink.answer(name, ips, at, dns.ttl)


def _remember(known: dict[str, Any], key: str, value: Any) -> None:
    if len(known) >= _MAX_SECONDS:
        known.clear()
    known[key] = value


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


def _kind_of(said: Kind, event_type: int | None) -> _Kind:
    verdict = VERDICTS.get(said.verdict or "", Verdict.UNKNOWN)
    known, reason, reason_code, reason_raw = why_denied(said.drop_reason_desc, said.drop_reason)
    lists = {field: getattr(said, field) for field, _ in FIELDS}
    policies: tuple[PolicyHit, ...] = ()
    if any(lists.values()):
        policies = read_policies(
            msgspec.to_builtins({field: list(found or ()) for field, found in lists.items()})
        )
    return _Kind(
        verdict=verdict,
        verdict_raw=said.verdict,
        cause=read_cause(verdict, known, reason_code, event_type, l7=False),
        reason=reason,
        reason_code=reason_code,
        reason_raw=reason_raw,
        is_reply=said.is_reply,
        direction=read_direction(said.traffic_direction),
        witness=witness_of(event_type, drop_file=False),
        names=(_names(said.source_names), _names(said.destination_names)),
        services=(_service(said.source_service), _service(said.destination_service)),
        policies=policies,
    )


def _service(service: Named | None) -> str | None:
    return service_name(msgspec.to_builtins(service)) if service is not None else None


def _is_named(peer: Peer) -> bool:
    return peer.pod is not None or peer.identity is not None or peer.namespace is not None


def _names(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return tuple(name.rstrip(".") or name for name in names if name) if names else None


class _Lines:
    """The lines of a run by number, without their ends; only those asked for are cut out.

    For long lines searching beats counting byte by byte.
    """

    __slots__ = ("_ends", "_run", "are_long")

    def __init__(self, run: bytes) -> None:
        ends, start, at, long = [], 0, run.find(b"\n"), True
        while at >= 0:
            if at - start < _SHORT:
                long = False
            ends.append(at)
            start = at + 1
            at = run.find(b"\n", start)
        if start < len(run):
            ends.append(len(run))
        self._run = run
        self._ends = ends
        self.are_long = long
        """Whether all but the last are long enough to hold a flow."""

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        start = self._ends[index - 1] + 1 if index else 0
        line = self._run[start : self._ends[index]]
        return line[:-1] if line.endswith(b"\r") else line
