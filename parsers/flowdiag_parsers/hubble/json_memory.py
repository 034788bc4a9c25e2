"""What the fast path remembers of earlier records: ends by their bytes, kinds, lanes, times.

Memory is bounded; when it is full, all is forgotten and learnt anew.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from flowdiag.parserkit import (
    Cause,
    Direction,
    FlowShape,
    FlowSink,
    Peer,
    canonical_ip,
    flag_bits,
    is_housekeeping,
    named_peer,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_codes import BARE, NO_END, SLOW, Code, Codes, LaneKey, Way
from flowdiag_parsers.hubble.json_ends import read_end
from flowdiag_parsers.hubble.json_flow import read_l4
from flowdiag_parsers.hubble.json_hot import Flow
from flowdiag_parsers.hubble.json_kinds import Kind, protocol_of, read_kind

__all__ = ["SCALES", "Memory"]

_NS = 1_000_000_000
SCALES = {21 + digits: 10 ** (9 - digits) for digits in range(1, 10)}
"""Length of ``2026-04-01T10:00:07.85Z`` -> nanoseconds of the last of its digits."""
_NEVER = 1 << 63
"""Nanoseconds past which a time is no 64-bit number: the year 2262."""
_MAX_ENDS = 50_000
_MAX_LANES = 65_536
_MAX_SECONDS = 65_536
_MAX_KINDS = 50_000
_MAX_FLAGS = 32
_MAX_END_BYTES = 64 << 20
_decoder = msgspec.json.Decoder()
_OTHER_SIDE = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}


class Memory:
    """Numbers and lanes that a sink gave; valid only with the sink that gave them."""

    __slots__ = (
        "_code_count",
        "_end_bytes",
        "_forms",
        "_kinds",
        "_known",
        "_minutes",
        "_numbers",
        "_outside",
        "_peers",
        "_served",
        "_ways",
        "codes",
        "ends",
        "flags",
        "lanes",
        "seconds",
    )

    def __init__(self) -> None:
        self.ends: dict[str, list[Any]] = {}
        """Address -> the two forms of its endpoint last seen: bytes, number, bytes, number."""
        self.lanes: dict[LaneKey, int] = {}
        self.codes: dict[str, Codes] = {}
        """By node, since a code belongs to one node: the kind fields of a record -> its code."""
        self.seconds: dict[str, int] = {}
        """``2026-04-01T10:00:07.`` -> its nanoseconds."""
        self.flags: list[tuple[Raw, int]] = []
        """The few forms of ``flags``; comparing bytes is cheaper than making them hashable."""
        self._forms: dict[tuple[str, bytes], tuple[bytes, int]] = {}
        """Address and bytes of an end -> the same bytes, as the only copy that is kept, and its number."""
        self._peers: dict[int, Peer] = {}
        """By the sink's number: an end without the service that the record names beside it."""
        self._outside: dict[bytes, Peer] = {}
        """Bytes of an end that is no pod's -> what they say, at the address that had them first."""
        self._served: dict[tuple[int, str], int] = {}
        self._kinds: dict[tuple[Any, ...], Kind] = {}
        """By the keys of `codes`, for all nodes."""
        self._numbers: dict[tuple[int, Kind], int] = {}
        """By protocol and kind: `Code.number`."""
        self._known: dict[tuple[str, int], Code] = {}
        """By node and number; also those of nodes that only the scanner met."""
        self._minutes: dict[str, int] = {}
        self._code_count = 0
        """How many codes there are, over all nodes; it is asked for each block."""
        self._ways = 0
        self._end_bytes = 0

    def form_of(self, address: str, whole: bytes) -> bytes:
        """Give the only copy that is kept of an end's bytes; `end` was asked about it before."""
        return self._forms[address, whole][0]

    def served_as(self, number: int, service: str) -> int:
        """Give the number of an end with the service beside it; `served` was asked about it before."""
        return self._served[number, service]

    def is_full(self) -> bool:
        """Whether it is time to forget; never within a block."""
        return (
            len(self._forms) > _MAX_ENDS
            or self._end_bytes > _MAX_END_BYTES
            or len(self._served) > _MAX_ENDS
            or self._code_count > _MAX_KINDS
            or len(self._known) > _MAX_KINDS
        )

    def instant(self, time: str) -> int:
        """Nanoseconds; -1 where it is no usable time."""
        minute = self._minutes.get(time[:17])
        scale = SCALES.get(len(time))
        plain = scale is not None and time[-1] == "Z" and time[19] == "." and time.isascii()
        if (
            scale is not None
            and plain
            and minute is not None
            and "00" <= time[17:19] <= "59"
            and (time[17:19] + time[20:-1]).isdigit()
        ):
            second = minute + int(time[17:19])
            at: int = second * _NS + int(time[20:-1]) * scale
        else:
            try:
                at = parse_rfc3339(time)
            except ValueError:
                return -1
            if at >= _NEVER:
                return -1
            second = at // _NS
            if plain:
                _remember(self._minutes, time[:17], second - second % 60)
        if plain:
            _remember(self.seconds, time[:20], second * _NS)
        return at

    def end(self, address: str, whole: bytes, sink: FlowSink) -> int:
        """Give the number of an end at an address; `whole` is its JSON. See `NO_END` and `BARE` for numbers below 0."""
        known = self._forms.get((address, whole))
        if known is None:
            peer = self._read(address, whole)
            if peer is None:
                return NO_END
            number = sink.peer(peer)
            self._peers[number] = peer
            if not _is_named(peer):
                number = BARE - number
            known = self._forms[address, whole] = (whole, number)
            self._end_bytes += len(whole)
        whole, number = known
        forms = self.ends.get(address)
        if forms is None:
            self.ends[address] = [Raw(whole), number, None, NO_END]
        else:
            self.ends[address] = [Raw(whole), number, forms[0], forms[1]]
        return number

    def _read(self, address: str, whole: bytes) -> Peer | None:
        """What an end's JSON says of it; ``None`` where that is no object.  Many addresses outside share theirs."""
        alike = self._outside.get(whole)
        if alike is not None:
            return replace(alike, ip=canonical_ip(address))
        try:
            end = _decoder.decode(whole)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not isinstance(end, dict):
            return None
        peer = named_peer(read_end(end, ip=address))
        if peer.pod is None:
            self._outside[whole] = peer
        return peer

    def flag_bits(self, raw: Raw) -> int:
        """Bits of TCP flags that were not seen in this form before."""
        whole = bytes(raw)
        bits = flag_bits(read_l4({"TCP": {"flags": _decoder.decode(whole)}})[2])
        if len(self.flags) < _MAX_FLAGS:
            self.flags.append((Raw(whole), bits))
        return bits

    def code(self, codes: Codes, key: tuple[Any, ...], protocol: int, flow: Flow) -> Code:
        """The code of a kind of record with its protocol, kept under `key`; `SLOW` for what is read the slow way."""
        self._code_count += 1
        # What a record says is the same at every node.
        kind = self._kinds.get(key)
        if kind is None:
            kind = read_kind(flow)
            if kind is None:
                codes[key] = SLOW
                return SLOW
            self._kinds[key] = kind
        # The same kind may be written in many ways: policies carry their revision.
        number = self._numbers.setdefault((protocol, kind), len(self._numbers))
        code = codes[key] = self.code_at(
            flow.node_name or "", Code(kind=kind, protocol=protocol, number=number)
        )
        return code

    def code_at(self, node: str, other: Code) -> Code:
        """Give the code at a node of the kind that `other` is the code of at another."""
        own = node, other.number
        code = self._known.get(own)
        if code is None:
            code = self._known[own] = Code(kind=other.kind, protocol=other.protocol, number=other.number)
        return code

    def way_of(self, code: Code, node: str, sink: FlowSink, *, turned: bool) -> Way:
        """How records of this code are counted, turned round or not."""
        way = code.turned if turned else code.straight
        return self.way(code, node, sink, turned=turned) if way is None else way

    def way(self, code: Code, node: str, sink: FlowSink, *, turned: bool) -> Way:
        """How records of this code are counted, kept in `code`."""
        kind = code.kind
        protocol, icmp = protocol_of(code.protocol)
        direction = kind.direction
        if turned and kind.is_reply is None and direction is not None:
            direction = _OTHER_SIDE[direction]
        ordinary = FlowShape(
            node=node,
            protocol=protocol,
            icmp=icmp,
            verdict=kind.verdict,
            verdict_raw=kind.verdict_raw,
            cause=kind.cause,
            reason=kind.reason,
            reason_code=kind.reason_code,
            reason_raw=kind.reason_raw,
            l7=None,
            turned=turned,
        )
        shape = noise = sink.shape(ordinary)
        if kind.reason_code is not None and kind.cause is not None:
            noise = sink.shape(replace(ordinary, cause=Cause.NOISE))
        order = slice(None, None, -1 if turned else 1)
        names, services = kind.names[order], kind.services[order]
        number: int | None = None
        if kind.reason_code is None:
            number = sink.kind(
                shape,
                direction,
                kind.witness,
                src_names=names[0],
                dst_names=names[1],
                policies=kind.policies,
            )
        self._ways += 1
        way = Way(
            key=self._ways,
            number=-1 if number is None else number,
            shapes=(shape, noise),
            direction=direction,
            names=names,
            services=services,
            has_services=any(service is not None for service in services),
        )
        if turned:
            code.turned = way
        else:
            code.straight = way
        return way

    def lane(self, key: LaneKey, code: Code, way: Way, sink: FlowSink) -> int:
        """Open the lane of records like this one; its number."""
        src, dst, port, _ = key
        kind = code.kind
        noise = kind.reason_code is not None and is_housekeeping(
            kind.reason_code, self._peers[src].ip, self._peers[dst].ip
        )
        src, dst = self.served(src, dst, way, sink)
        lane = sink.lane(src, dst, port or None, way.shapes[noise], way.direction, kind.witness)
        names = way.names
        if names[0] or names[1] or kind.policies:
            sink.note(lane, src_names=names[0], dst_names=names[1], policies=kind.policies)
        if len(self.lanes) >= _MAX_LANES:
            self.lanes.clear()
        number = self.lanes[key] = sink.number(lane)
        return number

    def served(self, src: int, dst: int, way: Way, sink: FlowSink) -> tuple[int, int]:
        """The ends with the services that the record names beside them."""
        services = way.services
        return self.served_end(src, services[0], sink), self.served_end(dst, services[1], sink)

    def served_end(self, number: int, service: str | None, sink: FlowSink) -> int:
        """The number of an end with the service beside it."""
        if service is None:
            return number
        found = self._served.get((number, service))
        if found is None:
            found = self._served[number, service] = sink.peer(replace(self._peers[number], service=service))
        return found


def _is_named(peer: Peer) -> bool:
    return peer.pod is not None or peer.identity is not None or peer.namespace is not None


def _remember(known: dict[str, Any], key: str, value: Any) -> None:
    if len(known) >= _MAX_SECONDS:
        known.clear()
    known[key] = value
