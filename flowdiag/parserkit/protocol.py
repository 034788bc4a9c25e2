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

    These members are optional, and looked up by name:

    - ``record_start(line: bytes) -> bool``, for records that span lines: whether a line begins a record.  Blocks are
      then cut between records.
    - ``denied_marks(head: bytes) -> tuple[bytes, ...] | None``: byte strings of which every line that can be a denial,
      an audit or a gap holds at least one; ``None`` where that cannot be promised for this input.  Where denials alone
      are wanted, lines without a mark are left out before they are parsed.
    - ``marks_whole_records = True``, where records span lines: every line of a record with a mark holds a mark, too.
      Without it, ``denied_marks`` is not used for such a format, unless it has
    - ``record_mark: bytes``: the first line of every record begins with it.  Records are then left out as a whole.
    - ``marks_state = True``, for sequential parsers: every line that changes what later denials say holds a mark, too.
      Without it, ``denied_marks`` is not used for a sequential parser.
    - ``follows_time = True``, for sequential parsers: records hang on those that were written before them, so what a
      collector gives from the newest line on is turned round (`flowdiag.ingest.newest_first`).
    - ``record_words: tuple[bytes, ...]``: byte strings of which every record holds at least one.  By them, or else by
      ``denied_marks``, records are found that begin far behind an input's head (`flowdiag.ingest.deeper`).
    - ``carries: tuple[str, ...]``: parsers whose records this one reads itself where they stand among its own, as an
      agent's log holds the flows that it exports.  With any other parser it may share an input, each reading its own
      lines (`flowdiag.ingest.among`).
    - ``fold(block, context, sink)``: a faster way beside `parse`, where an object per record is too slow
      (`flowdiag.parserkit.sink`).
    - ``expect(block, sink)``: announces a block that ``fold`` gets later.  Blocks are announced in order and some
      blocks ahead, so that work on them can begin in a thread.
    - ``read_file(file: BinaryIO, start: int, end: int | None, sink: Callable[[], FlowSink], idle: Callable[[], object])
      -> Iterator[FileLines]``: reads lines of a plain file itself, in a thread, from one byte to another (``None`` is
      the file's end).  Each of what it yields is folded before it is asked for the next, so that it can see by
      ``sink().memo`` whether what it knows is still good.  Where it would wait for its thread it calls ``idle``, which
      does a piece of somebody else's work.  It may end anywhere: the rest is read for it.  Only the project's own parsers are asked.
    - ``takes_two_cores(head: bytes) -> bool``: whether one process with ``expect`` keeps two cores at work on such an
      input, so that a second process would gain nothing.
    - ``interval_of(record: str) -> int | None``, where records count what an interval held: how long the interval of a
      record is, nanoseconds, by the record's text.
    - ``cni_in(head: bytes) -> str | None``, where a format is written for several CNIs: whose the records of this input
      are, in place of ``cni``; ``None`` where nothing tells.
    - ``passes_over = True``: a log that it knows may hold nothing that it tells of.
    - ``tells_inferred_years = True``: an event that takes its envelope's time says so with the envelope's own
      ``time_source`` (`LineEnvelope.time_source`).  Without it, a block whose stamps have no year is not folded.
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

        0.0 means "not mine", up to 0.5 "it could be, but nothing in it is typical of mine", and 0.9 or more that it
        has a mark of this format alone.  It must be cheap: never decode the whole head.
        """
        ...

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield what the records say, in input order; never raises on a malformed record."""
        ...
