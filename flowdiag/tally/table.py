"""Distinct flows as numbers: ends and shapes are stored once, lanes are found by small keys."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Direction, Peer, Witness
from flowdiag.parserkit.placing import REFUSED
from flowdiag.parserkit.sink import FlowShape
from flowdiag.tally.batches import Batches
from flowdiag.tally.columns import UNIT, LaneColumns
from flowdiag.tally.lane import FlowLane, SpanLane
from flowdiag.tally.limits import Limits
from flowdiag.tally.notes import Note

__all__ = [
    "BITS",
    "EXACT",
    "FOLDED",
    "LANE_CODES",
    "POOLED",
    "REFUSED",
    "ParserShape",
    "Table",
    "lane_code",
    "lane_direction",
    "lane_witness",
]

BITS = 64
"""Bits of the hashes that decide what stays."""

EXACT, FOLDED, POOLED = 0, 1, 2
"""A flow kept as it is; one group's overflow; the overflow of groups."""

_DIRECTIONS: tuple[Direction | None, ...] = (None, Direction.INGRESS, Direction.EGRESS)
_WITNESSES: tuple[Witness | None, ...] = (None, Witness.DROP, Witness.VERDICT)
LANE_CODES = len(_DIRECTIONS) * len(_WITNESSES)
"""How many values `lane_code` can give, and so how many lanes a flow can have."""


class ParserShape(Struct, frozen=True, array_like=True):
    """A shape, and which parser's records have it."""

    parser: str
    shape: FlowShape


def lane_code(direction: Direction | None, witness: Witness | None) -> int:
    """Direction and witness as one small number; enums hash slowly, so they are compared."""
    way = 0 if direction is None else 3 if direction is Direction.INGRESS else 6
    return way + (0 if witness is None else 1 if witness is Witness.DROP else 2)


def lane_direction(code: int) -> Direction | None:
    """The direction in a lane's code."""
    return _DIRECTIONS[code // 3]


def lane_witness(code: int) -> Witness | None:
    """The witness in a lane's code."""
    return _WITNESSES[code % 3]


class Table:
    """Ends, shapes and lanes.

    `lanes` is keyed by (level, source, destination, port, shape, code of direction and witness).  Lanes of allowed flows may be in `columns` instead, or for a while in both, and counts may wait in `batches`; after
    `join` every lane is in one place, with all of its counts.
    Refused flows with a hash of ``2 ** refused_bits`` and more are not kept exactly, and so on (see `bounds`).
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lane_type = FlowLane if limits.since is None and limits.until is None else SpanLane
        self.peers: list[Peer] = []
        self.shapes: list[ParserShape] = []
        self.lanes: dict[tuple[int, int, int, int | None, int, int], FlowLane] = {}
        self.columns = LaneColumns(limits)
        self.batches = Batches(limits)
        self.refused_bits = BITS
        self.allowed_bits = BITS
        self.folded_bits = BITS
        self.allowed_folded_bits = BITS
        self.text_bits = BITS
        self.cutoffs: dict[tuple[int, int, int], int] = {}
        """Of groups with a remainder (source, destination, shape): the greatest hash that one of their flows may have."""
        self._peer_numbers: dict[Peer, int] = {}
        self._shape_numbers: dict[ParserShape, int] = {}
        self._units: list[int] = []
        self._plain: list[int] = []

    def peer(self, peer: Peer) -> int:
        """The number of an end."""
        number = self._peer_numbers.get(peer)
        if number is None:
            number = self._peer_numbers[peer] = len(self.peers)
            self.peers.append(peer)
        return number

    def shape(self, parser: str, shape: FlowShape) -> int:
        """The number of a parser's shape."""
        whole = ParserShape(parser, shape)
        number = self._shape_numbers.get(whole)
        if number is None:
            number = self._shape_numbers[whole] = len(self.shapes)
            self.shapes.append(whole)
            self._units.append(1 if shape.verdict in REFUSED else UNIT)
            self._plain.append(number)
            plain = _plain(shape)
            if plain is not shape:
                self._plain[number] = self.shape(parser, plain)
        return number

    @property
    def numbered(self) -> int:
        """How many ends and shapes have a number, also those that no lane has any more."""
        return len(self.peers) + len(self.shapes)

    def unit(self, shape: int) -> int:
        """Base width of the buckets of a shape's lanes, seconds."""
        return self._units[shape]

    def lane(self, level: int, src: int, dst: int, port: int | None, shape: int, code: int) -> FlowLane:
        """The lane at this place, made if there is none.

        Text printers spell the two records of one refused packet differently (``DENIED`` and
        ``DROPPED``): both are counted in one shape, and the words stay with the lanes.
        """
        plain = self.counted_shape(shape, code)
        key = (level, src, dst, port, plain, code)
        lane = self.lanes.get(key)
        if lane is None:
            lane = self.lanes[key] = self._lane_type(self._units[plain], self.limits)
        self.note_words(lane, shape, plain)
        return lane

    def counted_shape(self, shape: int, code: int) -> int:
        """Give the shape under which lanes of this code count records of `shape`."""
        return shape if lane_witness(code) is None else self._plain[shape]

    def note_words(self, lane: FlowLane, shape: int, plain: int) -> None:
        """Note in a lane the vendor's spellings that records of `shape` have, and the shape they are counted under has not."""
        if plain != shape:
            words = self.shapes[shape].shape
            lane.note_words(words.verdict_raw, words.reason_raw)

    def kind(self, shape: int, code: int, note: Note) -> int | None:
        """What to append to `columns` for allowed records of this shape; ``None`` where they need a lane."""
        return None if self._units[shape] != UNIT else self.columns.kind(shape, code, note)

    def sort_in(self, pending: int = 0) -> None:
        """Bring what waits into order, where more than `pending` records do."""
        if self.columns.pending > pending:
            self.columns.sort_in()
        if len(self.batches) > pending:
            self.batches.sort_in()

    def join(self) -> None:
        """Bring every lane to one place, and what waits into order."""
        columns = self.columns
        columns.settle()
        self.batches.pour()
        if not len(columns):
            return
        keys = [key for key in self.lanes if key[0] == EXACT and self._units[key[4]] == UNIT]
        numbers = columns.find([key[1:] for key in keys])
        both = numbers[numbers >= 0]
        if not len(both):
            return
        met = (key for key, number in zip(keys, numbers.tolist(), strict=True) if number >= 0)
        for key, lane in zip(met, columns.lanes(both), strict=True):
            self.lanes[key].absorb(lane)
        columns.remove(both)

    def absorb(self, other: Table) -> None:
        """Add all lanes of `other`."""
        self.refused_bits = min(self.refused_bits, other.refused_bits)
        self.allowed_bits = min(self.allowed_bits, other.allowed_bits)
        self.folded_bits = min(self.folded_bits, other.folded_bits)
        self.allowed_folded_bits = min(self.allowed_folded_bits, other.allowed_folded_bits)
        self.text_bits = min(self.text_bits, other.text_bits)
        peers = [self.peer(peer) for peer in other.peers]
        shapes = [self.shape(whole.parser, whole.shape) for whole in other.shapes]
        other.batches.pour()
        for (level, src, dst, port, shape, code), lane in other.lanes.items():
            self.lane(level, peers[src], peers[dst], port, shapes[shape], code).absorb(lane)
        other.columns.settle()
        self.columns.absorb(other.columns, peers, shapes)


def _plain(shape: FlowShape) -> FlowShape:
    """Give `shape` without the vendor's spellings, where it is of a refusal whose reason is known."""
    if shape.verdict not in REFUSED or shape.reason is None:
        return shape
    if shape.verdict_raw is None and shape.reason_raw is None:
        return shape
    return replace(shape, verdict_raw=None, reason_raw=None)
