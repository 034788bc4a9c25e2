"""What the fast path knows of earlier records: ends by their bytes, kinds, lanes, times.

What is remembered is bounded; past it, it is forgotten and asked for again.
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
    Lane,
    Peer,
    flag_bits,
    is_housekeeping,
    named_peer,
    parse_rfc3339,
)
from flowdiag_parsers.hubble.json_ends import read_end
from flowdiag_parsers.hubble.json_flow import read_l4
from flowdiag_parsers.hubble.json_hot import Flow
from flowdiag_parsers.hubble.json_kinds import Kind, protocol_of, read_kind

__all__ = ["Codes", "LaneKey", "Memory"]

_NS = 1_000_000_000
_MAX_ENDS = 50_000
_MAX_LANES = 300_000
_MAX_SECONDS = 65_536
_MAX_KINDS = 50_000
_MAX_FLAGS = 32
_KIND = 1 << 24
"""A kind's number times this, plus the protocol's, is one number for both."""

LaneKey = tuple[int, int, int | None, int]
"""Source, destination and port, turned round for a reply; code of kind and protocol, negative for a reply."""
Codes = dict[tuple[Any, ...], int]
"""Protocol and kind fields -> the code of such records; 0 for those that are read the slow way."""

_decoder = msgspec.json.Decoder()
_DOT = {ord("."): None}
_OTHER_SIDE = {Direction.INGRESS: Direction.EGRESS, Direction.EGRESS: Direction.INGRESS}


class _Variant(msgspec.Struct, frozen=True):
    """A kind with its protocol, turned round or not: what lanes need of it."""

    shape: int
    direction: Direction | None
    names: tuple[tuple[str, ...] | None, ...]
    services: tuple[str | None, ...]


class Memory:
    """Good for as long as the sink's numbers are."""

    __slots__ = (
        "_forms",
        "_keys",
        "_kind_numbers",
        "_kinds",
        "_minutes",
        "_peers",
        "_sink_ends",
        "_variants",
        "codes",
        "ends",
        "flags",
        "lanes",
        "seconds",
    )

    def __init__(self) -> None:
        self.ends: dict[str | None, list[Any]] = {}
        """Address -> the two forms of its endpoint last seen: bytes, number, bytes, number."""
        self.lanes: dict[LaneKey, Lane] = {}
        self.codes: dict[str, Codes] = {}
        """By node: a code is of one node."""
        self.seconds: dict[str, tuple[int, int]] = {}
        """``2026-04-01T10:00:07`` -> its nanoseconds, and the second at which its minute starts."""
        self.flags: list[tuple[Raw, int]] = []
        """The few forms of ``flags``; comparing bytes is cheaper than making them hashable."""
        self._forms: dict[tuple[str | None, bytes], int] = {}
        self._peers: list[Peer] = []
        """Our own numbers: an end without what stands beside it in the record."""
        self._sink_ends: dict[int, int] = {}
        self._kinds: list[Kind] = []
        self._kind_numbers: dict[tuple[str, Kind], int] = {}
        """From one on, so that every code has a sign."""
        self._variants: dict[tuple[int, bool], _Variant] = {}
        self._minutes: dict[str, int] = {}
        self._keys = 0

    def is_full(self) -> bool:
        """Whether it is time to forget; never within a block."""
        return len(self.lanes) > _MAX_LANES or len(self._forms) > _MAX_ENDS or self._keys > _MAX_KINDS

    def instant(self, time: str) -> tuple[int, int]:
        """Nanoseconds and the second at which the minute starts; -1 where it is no usable time."""
        minute = self._minutes.get(time[:17])
        plain = len(time) == 30 and time[29] == "Z"
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
                _remember(self._minutes, time[:17], minute)
        if plain:
            _remember(self.seconds, time[:19], (second * _NS, minute))
        return at, minute

    def end(self, address: str | None, raw: Raw) -> int:
        """Our number of an endpoint at an address; -1 where its bytes are no object."""
        whole = bytes(raw)
        number = self._forms.get((address, whole))
        if number is None:
            try:
                end = _decoder.decode(whole)
            except (msgspec.DecodeError, RecursionError):
                return -1
            if not isinstance(end, dict):
                return -1
            number = len(self._peers)
            # An empty address says as little as none.
            self._peers.append(named_peer(read_end(end, ip=address or None)))
            self._forms[address, whole] = number
        forms = self.ends.get(address)
        if forms is None:
            self.ends[address] = [Raw(whole), number, None, -1]
        else:
            self.ends[address] = [Raw(whole), number, forms[0], forms[1]]
        return number

    def flag_bits(self, raw: Raw) -> int:
        """Bits of TCP flags that were not seen in this form before."""
        whole = bytes(raw)
        bits = flag_bits(read_l4({"TCP": {"flags": _decoder.decode(whole)}})[2])
        if len(self.flags) < _MAX_FLAGS:
            self.flags.append((Raw(whole), bits))
        return bits

    def code(self, codes: Codes, key: tuple[Any, ...], protocol: int, flow: Flow) -> int:
        """The code of a kind of record with its protocol, kept under `key`; 0 for what is read the slow way."""
        self._keys += 1
        kind = read_kind(flow)
        if kind is None:
            codes[key] = 0
            return 0
        # The same kind may be written in many ways: policies carry their revision.
        own = (flow.node_name or "", kind)
        number = self._kind_numbers.get(own)
        if number is None:
            self._kinds.append(kind)
            number = self._kind_numbers[own] = len(self._kinds)
        code = codes[key] = number * _KIND + protocol
        return code

    def lane(self, key: LaneKey, node: str, sink: FlowSink) -> Lane | None:
        """Open the lane of records like this one.

        ``None`` where both ends are bare addresses: then interfaces count, which are not decoded here.
        """
        src, dst, port, code = key
        turned = code < 0
        number, protocol = divmod(abs(code), _KIND)
        kind = self._kinds[number - 1]
        source, destination = self._peers[src], self._peers[dst]
        if not (_is_named(source) or _is_named(destination)):
            return None
        noise = kind.reason_code is not None and is_housekeeping(kind.reason_code, source.ip, destination.ip)
        variant = self._variants.get((code, noise))
        if variant is None:
            variant = _variant(kind, protocol, node, sink, turned=turned, noise=noise)
            self._variants[code, noise] = variant
        services = variant.services
        lane = sink.lane(
            self._sink_end(src, services[0], sink),
            self._sink_end(dst, services[1], sink),
            port or None,
            variant.shape,
            variant.direction,
            kind.witness,
        )
        names = variant.names
        if names[0] or names[1] or kind.policies:
            sink.note(lane, src_names=names[0], dst_names=names[1], policies=kind.policies)
        self.lanes[key] = lane
        return lane

    def _sink_end(self, number: int, service: str | None, sink: FlowSink) -> int:
        """The sink's number of an end."""
        if service is not None:
            return sink.peer(replace(self._peers[number], service=service))
        found = self._sink_ends.get(number)
        if found is None:
            found = self._sink_ends[number] = sink.peer(self._peers[number])
        return found


def _variant(kind: Kind, number: int, node: str, sink: FlowSink, *, turned: bool, noise: bool) -> _Variant:
    protocol, icmp = protocol_of(number)
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
    return _Variant(sink.shape(shape), direction, kind.names[way], kind.services[way])


def _is_named(peer: Peer) -> bool:
    return peer.pod is not None or peer.identity is not None or peer.namespace is not None


def _remember(known: dict[str, Any], key: str, value: Any) -> None:
    if len(known) >= _MAX_SECONDS:
        known.clear()
    known[key] = value
