"""A tally as bytes, for sending it between processes."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from flowdiag.model.event import ChangeEvent, GapEvent, LogEvent, ParseWarning, Peer
from flowdiag.model.tally import DnsAnswer
from flowdiag.tally.collecting import uncollected
from flowdiag.tally.inputs import InputCounts
from flowdiag.tally.kept import KeptState
from flowdiag.tally.lane import FlowLane, LaneState
from flowdiag.tally.limits import Limits
from flowdiag.tally.table import ParserShape, Table

__all__ = ["TableState", "TallyState", "decode_tally", "encode_tally", "restore_table", "table_state"]

Place = tuple[int, int, int, int | None, int, int]


class TableState(Struct, frozen=True, array_like=True):
    """A `Table`."""

    peers: list[Peer]
    shapes: list[ParserShape]
    lanes: list[tuple[Place, LaneState]]
    bits: tuple[int, int, int]


class TallyState(Struct, frozen=True, array_like=True):
    """A `Tally`."""

    limits: Limits
    table: TableState
    inputs: dict[str, InputCounts]
    logs: KeptState[LogEvent]
    changes: KeptState[ChangeEvent]
    gaps: KeptState[GapEvent]
    warnings: KeptState[ParseWarning]
    answers: tuple[DnsAnswer, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(TallyState)


def encode_tally(state: TallyState) -> bytes:
    """MessagePack."""
    with uncollected():
        return _encoder.encode(state)


def decode_tally(data: bytes) -> TallyState:
    """What `encode_tally` encoded.

    Raises:
        msgspec.DecodeError: other bytes.
    """
    with uncollected():
        return _decoder.decode(data)


def table_state(table: Table) -> TableState:
    """All of a table."""
    with uncollected():
        lanes = [(place, lane.state()) for place, lane in table.lanes.items()]
    return TableState(
        table.peers,
        table.shapes,
        lanes,
        (table.exact_bits, table.folded_bits, table.text_bits),
    )


def restore_table(state: TableState, limits: Limits) -> Table:
    """The table that `state` was taken of."""
    table = Table(limits)
    for peer in state.peers:
        table.peer(peer)
    for whole in state.shapes:
        table.shape(whole.parser, whole.shape)
    with uncollected():
        for place, lane in state.lanes:
            table.lanes[place] = FlowLane.from_state(lane, table.unit(place[4]), limits)
    table.exact_bits, table.folded_bits, table.text_bits = state.bits
    return table
