"""A tally as a stream of messages, for sending it between processes.

The first message holds all but the lanes.  These follow, some thousands in a message, and then the lanes that are
columns, so that neither side has to hold the whole tally twice.  Each message is MessagePack behind its length in 8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import IO, Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from flowdiag.model.event import Peer
from flowdiag.model.tally import DnsAnswer
from flowdiag.tally.collecting import uncollected
from flowdiag.tally.columns import LaneColumns
from flowdiag.tally.exact import LaneKey
from flowdiag.tally.examples import NO_TEXT, Shelf, Text
from flowdiag.tally.inputs import InputCounts
from flowdiag.tally.lane import FlowLane, LaneFacts
from flowdiag.tally.limits import Limits
from flowdiag.tally.narrow import Form, received
from flowdiag.tally.notes import Note
from flowdiag.tally.sightings import SightingsState
from flowdiag.tally.table import ParserShape, Table

__all__ = ["TableState", "TallyState", "absorb_lanes", "read_state", "table_state", "write_tally"]


Labels = tuple[tuple[str, str], ...]


class Columns(Struct, array_like=True):
    """The lanes of a table as columns of numbers: an object per lane costs more than its counts."""

    levels: list[int]
    srcs: list[int]
    dsts: list[int]
    ports: list[int | None]
    shapes: list[int]
    codes: list[int]
    firsts: list[int]
    lasts: list[int]
    flags: list[int]
    shifts: list[int]
    sizes: list[int]
    """How many of `starts` and `counts` are a lane's."""
    starts: list[int]
    counts: list[int]
    facts: list[tuple[int, LaneFacts]]
    """By the lane's place in the columns."""
    shelves: list[tuple[bytes, tuple[int, ...]]]
    """Of these lanes' examples, as `Shelf.packed` gives them, but for those in messages before; numbered in their order."""


class ColumnsState(Struct, frozen=True, array_like=True):
    """`LaneColumns`; its columns follow one by one, as they are."""

    notes: list[Note]
    ways: list[tuple[int, int]]
    places: list[int]
    rows: list[Form]
    """The form of each piece; its keys and counts follow the other columns."""


class TableState(Struct, frozen=True, array_like=True):
    """A `Table` without its lanes."""

    peers: list[Peer]
    """Without their labels."""
    labels: list[Labels]
    """Each once: pods of a workload share them, and they are most of what is known of an end."""
    labelled: list[int]
    """Which of `labels` each end has; -1 for none."""
    shapes: list[ParserShape]
    bits: tuple[int, int, int, int, int]
    lanes: int
    """How many there are; messages of `CHUNK` of them follow."""


class TallyState(Struct, frozen=True, array_like=True):
    """A `Tally`."""

    limits: Limits
    table: TableState
    inputs: dict[str, InputCounts]
    sightings: SightingsState
    answers: tuple[DnsAnswer, ...]


_KINDS: tuple[str, ...] = ("<u8", "<i8", "<i8", "<u2", "u1", "<u8")
"""Of the columns: keys, first and last times, flags and shifts by lane; notes."""
CHUNK = 2_000
_SIZE = 8
_encoder = msgspec.msgpack.Encoder()


def write_tally(state: TallyState, table: Table, out: IO[bytes]) -> None:
    """All messages: `state`, whose table is `table`, and its lanes."""
    with uncollected():
        _put(out, state)
        rest = iter(table.lanes.items())
        shelves: dict[Shelf, int] = {}
        while some := list(islice(rest, CHUNK)):
            _put(out, _lanes_state(some, shelves))
        _put_columns(out, table.columns)


def read_state(stream: IO[bytes]) -> TallyState:
    """The first message.

    Raises:
        msgspec.DecodeError: other bytes, or a stream that was cut.
    """
    with uncollected():
        state: TallyState = _take(stream, TallyState)
    return state


def table_state(table: Table) -> TableState:
    """All of a table but its lanes."""
    numbers: dict[Labels, int] = {}
    labelled = [
        -1 if peer.labels is None else numbers.setdefault(peer.labels, len(numbers)) for peer in table.peers
    ]
    return TableState(
        [peer if peer.labels is None else replace(peer, labels=None) for peer in table.peers],
        list(numbers),
        labelled,
        table.shapes,
        (
            table.refused_bits,
            table.allowed_bits,
            table.folded_bits,
            table.allowed_folded_bits,
            table.text_bits,
        ),
        len(table.lanes),
    )


def absorb_lanes(table: Table, state: TableState, stream: IO[bytes]) -> int:
    """Add to `table` all of the one that `state` was taken of, its lanes from `stream`; returns lanes with facts.

    Raises:
        msgspec.DecodeError: other bytes, or a stream that was cut.
    """
    refused, allowed, folded, allowed_folded, text = state.bits
    table.refused_bits = min(table.refused_bits, refused)
    table.allowed_bits = min(table.allowed_bits, allowed)
    table.folded_bits = min(table.folded_bits, folded)
    table.allowed_folded_bits = min(table.allowed_folded_bits, allowed_folded)
    table.text_bits = min(table.text_bits, text)
    peers = [
        table.peer(peer if number < 0 else replace(peer, labels=state.labels[number]))
        for peer, number in zip(state.peers, state.labelled, strict=True)
    ]
    shapes = [table.shape(whole.parser, whole.shape) for whole in state.shapes]
    told = 0
    shelves: list[Shelf] = []
    with uncollected():
        for _ in range(0, state.lanes, CHUNK):
            columns: Columns = _take(stream, Columns)
            told += len(columns.facts)
            shelves += [Shelf(*packed) for packed in columns.shelves]
            _absorb(table, columns, peers, shapes, shelves)
        table.columns.absorb(_columns_of(stream, table.limits), peers, shapes)
    return told


def _put(out: IO[bytes], message: Struct) -> None:
    data = _encoder.encode(message)
    out.write(len(data).to_bytes(_SIZE, "little"))
    out.write(data)


def _take(stream: IO[bytes], kind: type[Any]) -> Any:
    return _decoder(kind).decode(_take_bytes(stream))  # type: ignore[arg-type]


@cache
def _decoder(kind: type[Any]) -> msgspec.msgpack.Decoder[Any]:
    """Make a decoder when the first tally arrives: that takes long, and a process that reads alone gets no tally."""
    return msgspec.msgpack.Decoder(kind)


def _take_bytes(stream: IO[bytes]) -> bytes:
    size = int.from_bytes(stream.read(_SIZE), "little")
    data = stream.read(size)
    if len(data) < size:
        raise msgspec.DecodeError("cut off")
    return data


def _lanes_state(some: Sequence[tuple[LaneKey, FlowLane]], shelves: dict[Shelf, int]) -> Columns:
    keys, lanes = [key for key, _ in some], [lane for _, lane in some]
    known = len(shelves)

    def number(text: Text) -> int:
        return -1 if text is NO_TEXT else shelves.setdefault(text.shelf, len(shelves))

    facts = [(place, lane.facts(number)) for place, lane in enumerate(lanes)]
    return Columns(
        levels=[key[0] for key in keys],
        srcs=[key[1] for key in keys],
        dsts=[key[2] for key in keys],
        ports=[key[3] for key in keys],
        shapes=[key[4] for key in keys],
        codes=[key[5] for key in keys],
        firsts=[lane.first for lane in lanes],
        lasts=[lane.last for lane in lanes],
        flags=[lane.flags for lane in lanes],
        shifts=[lane.shift for lane in lanes],
        sizes=[len(lane.buckets) for lane in lanes],
        starts=[start for lane in lanes for start in lane.buckets],
        counts=[count for lane in lanes for count in lane.buckets.values()],
        facts=[(place, found) for place, found in facts if found is not None],
        shelves=[shelf.packed() for shelf in islice(shelves, known, None)],
    )


def _absorb(
    table: Table, columns: Columns, peers: Sequence[int], shapes: Sequence[int], shelves: Sequence[Shelf]
) -> None:
    starts, counts = columns.starts, columns.counts
    known, new = table.lanes, table.lane
    lanes: list[FlowLane] = []
    at = 0
    for level, src, dst, port, shape, code, first, last, flags, shift, size in zip(
        columns.levels,
        columns.srcs,
        columns.dsts,
        columns.ports,
        columns.shapes,
        columns.codes,
        columns.firsts,
        columns.lasts,
        columns.flags,
        columns.shifts,
        columns.sizes,
        strict=True,
    ):
        key = (level, peers[src], peers[dst], port, shapes[shape], code)
        end = at + size
        lane = known.get(key)
        if lane is None:
            lane = new(*key)
            lane.buckets.update(zip(starts[at:end], counts[at:end], strict=True))
            lane.first, lane.last, lane.flags, lane.shift = first, last, flags, shift
        else:
            lane.add(zip(starts[at:end], counts[at:end], strict=True), shift)
            lane.first = min(lane.first, first)
            lane.last = max(lane.last, last)
            lane.flags |= flags
        lanes.append(lane)
        at = end
    for place, facts in columns.facts:
        lanes[place].add_facts(facts, shelves)


def _put_columns(out: IO[bytes], columns: LaneColumns) -> None:
    pieces = columns.rows.pieces
    forms = [piece.form() for piece in pieces]
    _put(out, ColumnsState(columns.notes.all, columns.ways, columns.places, forms))
    whole: list[NDArray[Any]] = [
        *(columns.keys, columns.firsts, columns.lasts, columns.flags, columns.shifts, columns.notes.told),
        *(column for piece in pieces for column in (piece.keys, piece.counts)),
    ]
    for column in whole:
        out.write(column.nbytes.to_bytes(_SIZE, "little"))
        out.write(column.astype(column.dtype.newbyteorder("<"), copy=False).data.cast("B"))


def _columns_of(stream: IO[bytes], limits: Limits) -> LaneColumns:
    """Make columns that are to be absorbed, and to which nothing can be added."""
    read = LaneColumns(limits)
    state: ColumnsState = _take(stream, ColumnsState)
    read.notes.all, read.ways, read.places = state.notes, state.ways, state.places
    read.keys, read.firsts, read.lasts, read.flags, read.shifts, read.notes.told = (
        np.frombuffer(_take_bytes(stream), dtype=kind) for kind in _KINDS
    )
    read.rows.pieces = [received(form, _take_bytes(stream), _take_bytes(stream)) for form in state.rows]
    return read
