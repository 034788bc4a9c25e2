"""How kinds of records are counted, by node, protocol and direction, and which numbers stand for ends."""

from __future__ import annotations

from typing import Any

import msgspec

from flowdiag.parserkit import Direction
from flowdiag_parsers.hubble.json_kinds import Kind

__all__ = ["BARE", "NO_END", "SLOW", "Code", "Codes", "Family", "LaneKey", "Laned", "Refused", "Way"]

NO_END = -1
"""Stands for bytes that are not an endpoint."""
BARE = -2
"""An end of which only the address is known is given as this minus its number, and so is negative."""

LaneKey = tuple[int, int, int, int]
"""Source, destination and port (0 for none), turned round for a reply; `Way.key`."""


class Way(msgspec.Struct, gc=False):
    """How records of one code are counted, either turned round (replies) or as they are."""

    key: int
    """Tells ways apart."""
    number: int
    """The number that `FlowSink.kind` gave; -1 where records are counted in lanes."""
    shapes: tuple[int, int]
    """Numbers of two shapes: for ordinary refusals, and for IPv6 housekeeping, which the ends tell."""
    direction: Direction | None
    names: tuple[tuple[str, ...] | None, ...]
    services: tuple[str | None, ...]
    has_services: bool


class Code(msgspec.Struct, gc=False):
    """A kind of record with its protocol, of one node."""

    kind: Kind
    protocol: int
    number: int
    """The same at every node."""
    straight: Way | None = None
    turned: Way | None = None


class Family(msgspec.Struct, gc=False, frozen=True):
    """Records of one kind at any node, turned round or not, with one set of TCP flags."""

    code: Code
    """Of one of the nodes."""
    turned: bool
    flags: int


class Laned(msgspec.Struct, gc=False, frozen=True):
    """Records of one way and one set of TCP flags, which go to lanes one by one."""

    code: Code
    way: Way
    flags: int


Refused = tuple[int, int, int, int, int, int, Laned]
"""Position among the lines, nanoseconds, source, destination, port, the other port (0 for none), what it is."""

SLOW = Code(kind=None, protocol=-1, number=-1)  # type: ignore[arg-type]
"""Marks kinds whose records are always read in full, by `parse`."""
Codes = dict[tuple[Any, ...], Code]
"""Protocol and kind fields -> their code."""
