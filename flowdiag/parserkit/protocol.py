"""What a parser is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol, runtime_checkable

from flowdiag.model.event import Event
from flowdiag.parserkit.block import Block, ParseContext

__all__ = ["Parser"]


@runtime_checkable
class Parser(Protocol):
    """Reads one format.  Structural: a third party needs no base class.

    Optional members are looked up by name.
    ``record_start(line: bytes) -> bool`` (for records that span lines) says whether a line begins a
    record, so that blocks are cut between records.
    ``denied_marks(head: bytes) -> tuple[bytes, ...] | None`` gives byte strings of which every line
    that can be a denial, an audit or a gap holds at least one, or ``None`` where that cannot be
    promised for this input.  Where records span lines it counts only with ``marks_whole_records = True``:
    every line that such a record is made of holds a mark too; or with ``record_mark: bytes``, with which the first line
    of every record begins: then whole records are left out.  Of a sequential parser it counts only with
    ``marks_state = True``: every line that changes what later denials say holds a mark too.
    ``record_words: tuple[bytes, ...]`` gives byte strings of which every record holds at least one; by them, else by
    ``denied_marks``, records are found that begin far behind an input's head (`flowdiag.ingest.deeper`).
    ``carries: tuple[str, ...]`` names parsers whose records it reads itself where they stand among its own, as an agent's log has what it
    exports; of all others two parsers read one input, each its own lines (`flowdiag.ingest.among`).
    ``fold(block, context, sink)`` stands beside `parse` where an object per record is too slow
    (`flowdiag.parserkit.sink`).
    ``expect(block, sink)`` is told of blocks that `fold` gets later, some blocks ahead and in order, so that they can be begun
    with in a thread; ``takes_two_cores(head: bytes) -> bool`` says whether for such an input that is worth a second process.
    ``tells_inferred_years = True`` says that events whose time is their envelope's call it what the envelope
    does (`LineEnvelope.time_source`); without it blocks with stamps without a year are not folded.
    """

    name: ClassVar[str]
    """Stable, kebab-case, shown to users: ``hubble-json``."""
    summary: ClassVar[str]
    """One line: "Hubble flow export, one JSON object per line"."""
    cni: ClassVar[str | None]
    """The CNI whose presence this format shows: ``cilium``, ``calico`` ...; ``None`` if it shows none."""
    sequential: ClassVar[bool]
    """Records depend on earlier ones of the input: blocks are parsed in order, by one worker."""
    document: ClassVar[bool]
    """The input is one document (a JSON array), not lines: it comes as one block."""

    def sniff(self, head: bytes) -> float:
        """Say how surely `head` (the first bytes of an input, envelopes peeled) is this format.

        0.0 is not mine, up to 0.5 "could be, no mark of mine", 0.9 and more a distinctive mark.
        Cheap: never decodes the whole head.
        """
        ...

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield what the records say, in input order; never raises on a malformed record."""
        ...
