"""A block of input as a parser gets it, and what is known around it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

from msgspec import Struct, field

from flowdiag.model.event import TimeSource

__all__ = ["Block", "Envelope", "FileLines", "LineEnvelope", "ParseContext", "part_of"]


class LineEnvelope(Struct, frozen=True, kw_only=True):
    """What an envelope said of one line."""

    line: int
    """Line in the original file, from 1."""
    at: int | None = None
    """When the envelope's writer received the line, nanoseconds."""
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    year_inferred: bool = False
    """The envelope's stamp had no year (syslog): `at` stands on one that was given or inferred."""

    @property
    def time_source(self) -> TimeSource:
        """What an event that takes its time from here says of it."""
        if self.at is None:
            return TimeSource.NONE
        return TimeSource.INFERRED_YEAR if self.year_inferred else TimeSource.ENVELOPE


class Envelope(Struct, frozen=True, kw_only=True):
    """Parallel columns, one entry per line of the block; a column that nobody filled is ``None``."""

    lines: list[int] | None = None
    at: list[int | None] | None = None
    node: list[str | None] | None = None
    namespace: list[str | None] | None = None
    pod: list[str | None] | None = None
    container: list[str | None] | None = None
    year_inferred: bool = False
    """The times in `at` come from stamps without a year."""


class Block(Struct, frozen=True, kw_only=True):
    r"""Whole records of one input, envelopes peeled.

    For line formats `data` is whole lines, each ended by ``\\n`` but perhaps the last of the input.
    For whole documents (a JSON array) `data` is the document.
    """

    data: bytes
    first_line: int = 1
    """Number of the first line in the original file; exact unless `envelope` has its own numbers."""
    envelope: Envelope | None = None
    last: bool = False
    """The input ends with this block: a last line without its newline may have been cut off."""
    found: Any = None
    """What the parser found as it read the file itself (`FileLines`), for its ``fold``."""

    def of_line(self, index: int) -> LineEnvelope:
        """What is known around the line with this index in the block, from 0."""
        columns = self.envelope
        if columns is None:
            return LineEnvelope(line=self.first_line + index)
        return LineEnvelope(
            line=columns.lines[index] if columns.lines else self.first_line + index,
            at=columns.at[index] if columns.at else None,
            node=columns.node[index] if columns.node else None,
            namespace=columns.namespace[index] if columns.namespace else None,
            pod=columns.pod[index] if columns.pod else None,
            container=columns.container[index] if columns.container else None,
            year_inferred=columns.year_inferred,
        )


class FileLines(NamedTuple):
    """Lines that a parser read itself (`Parser`, ``read_file``)."""

    data: bytes
    """Those that its ``fold`` has to look at, whole."""
    before: Sequence[int]
    """How many lines stand before each, among all that were read since the last time."""
    newlines: int
    """How many these are."""
    place: int
    """Byte of the file where the line begins that comes next."""
    found: object
    """For ``fold``; not ``None``."""


class ParseContext(Struct, kw_only=True):
    """What is known of an input as a whole.  One value per input, or per part of it.

    A parser that declares `Parser.sequential` may keep what it must remember between the blocks of
    one input in `memory`; for every other parser blocks are independent.
    """

    input: str
    """The input's name as reports show it: a path, ``bundle.zip!member`` inside an archive."""
    zone: tzinfo = UTC
    """What zoneless stamps are in (``--tz``)."""
    year: int | None = None
    """The year of stamps without one (``--year``); without it a parser infers it and says so."""
    reference_time: int | None = None
    """A time near the records (archive member, neighbouring stamps) to infer a year from; never a file's mtime."""
    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    keep_raw: bool = False
    """Fill `raw` of every event."""
    pod_nodes: dict[str, str] = field(default_factory=dict)
    """Pods in their node's network to that node, where the state has them."""
    endpoint_ids: dict[int, str] = field(default_factory=dict)
    """Node-local Cilium endpoint ids to ``namespace/pod``, where the bundle has ``endpoint list``."""
    memory: dict[str, Any] = field(default_factory=dict)


def part_of(block: Block, lines: Sequence[bytes], start: int, until: int) -> Block:
    """Give some of a block's lines as a block; the input's last line keeps or lacks its newline as before.

    Args:
        block: the whole.
        lines: all of its lines, as `cut_lines` gives them.
        start: index of the first.
        until: index behind the last.
    """
    final = until == len(lines)
    open_end = final and not block.data.endswith(b"\n")
    # `cut_lines` took one carriage return off each line; put one back, so that cutting again gives the same lines.
    end = b"\r" if open_end else b"\r\n"
    columns = block.envelope
    return Block(
        data=b"\r\n".join(lines[start:until]) + end,
        first_line=block.first_line + start,
        envelope=None if columns is None else _slice(columns, start, until),
        last=block.last and final,
    )


def _slice(columns: Envelope, start: int, until: int) -> Envelope:
    def cut(column: list[Any] | None) -> list[Any] | None:
        return None if column is None else column[start:until]

    return Envelope(
        lines=cut(columns.lines),
        at=cut(columns.at),
        node=cut(columns.node),
        namespace=cut(columns.namespace),
        pod=cut(columns.pod),
        container=cut(columns.container),
        year_inferred=columns.year_inferred,
    )
