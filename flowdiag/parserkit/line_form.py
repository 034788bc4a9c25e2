"""How a parser's usual records look, for `flowdiag.parserkit.line_forms`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from flowdiag.model.event import Event
from flowdiag.parserkit.block import Block, LineEnvelope

__all__ = [
    "CLIENTS",
    "GROUPS",
    "LAST_PORT",
    "NOTHING",
    "Brief",
    "Counted",
    "LineForm",
    "Reading",
    "Record",
]

GROUPS = (
    "second",
    "fraction",
    "head",
    "more",
    "left",
    "middle",
    "right",
    "what",
    "verdict",
    "flags",
    "rest",
    "other",
)
"""Names of a form's groups, in their order.

``second`` and ``fraction`` are the record's own time (empty where it has none), ``left`` and ``right`` the two ports,
``flags`` the names of TCP flags, and ``other`` a whole line that is not of the form.  All other groups together tell
one kind of record from another.  What no group captures has no meaning: records that differ in nothing else are alike.
"""

NOTHING: tuple[bytes, ...] = (b"",) * len(GROUPS)
"""No record."""

Clock = Callable[[bytes, bool], int | None]
Record = tuple[bytes, ...]
"""What a form's pattern captured of a record: `GROUPS`, each empty where it has none."""


CLIENTS, LAST_PORT = b"32768", b"65535"
"""The first port that Linux gives to clients, and the last port there is.  Texts of five digits sort as numbers do,
so that ports are compared without being converted."""


class Counted(NamedTuple):
    """How records are counted that differ in nothing but their time and their client's port."""

    number: int
    """Where they are counted, as in `flowdiag.parserkit.known_lines.Memory.lanes`; negative for refused records."""
    flags: int


class Reading(Protocol):
    """One block while it is folded, as `LineForm.joined` and `LineForm.whole` get it; lines are given by index."""

    block: Block

    def known(self, place: int, record: Record) -> Counted | None:
        """Say how the record of this line is counted; ``None`` where that has been done here already.

        The first record of a kind is read in full to find out.  The answer is good for as long as `FlowSink.memo` keeps
        what is put into it.  It holds for all records that agree with this one in which of the two ports is a client's
        (`CLIENTS` to `LAST_PORT`), and in the number of the other port.
        """
        ...

    def moment(self, second: bytes) -> int:
        """Nanoseconds of a ``second``; negative where records with it must be read in full."""
        ...

    def repeat(self, numbers: Sequence[int], ats: Sequence[int], flags: Sequence[int]) -> None:
        """Count records that are known and not refused, given as columns; their times stand in an inferred year."""
        ...

    def refuse(
        self,
        lanes: Sequence[int],
        ats: Sequence[int],
        flags: Sequence[int],
        clients: Sequence[int],
        places: Sequence[int],
    ) -> None:
        """As `repeat`, for refused records: with their clients' ports, and their lines."""
        ...

    @property
    def lines(self) -> Sequence[bytes]:
        """All lines of the block, made as they are asked for."""
        ...

    def read(self, start: int, until: int) -> None:
        """Have the parser read the lines from `start` up to `until`, and count what it finds."""
        ...

    def amend(self, place: int, record: Record) -> None:
        """Count this record for a line for which `LineForm.joined` gave `NOTHING`."""
        ...

    def amend_all(self, records: Sequence[Record]) -> None:
        """`amend` for every line of the block."""
        ...

    def look_at(self, start: int, until: int, lines: Sequence[bytes] | None = None) -> None:
        """Have the form's patterns look at these lines, as if there were no `LineForm.whole`; quicker with their text."""
        ...


class Brief(Struct, frozen=True):
    """How to cut the most usual lines of a form into few pieces, where lines have no time of their own."""

    pattern: re.Pattern[bytes]
    """Every match is one line.  Its groups are the two ports, everything else that `LineForm.pattern` captures of
    such a line, in pieces of any size, and last a whole line that only `LineForm.pattern` can tell.  What is not
    captured must match no more than it does there."""
    ports: tuple[int, int]
    """Indexes of the left and the right port among the groups, from 0."""


class LineForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Has the groups `GROUPS`; every match is one record, or one line that is not of the form, with its newline."""
    quick: re.Pattern[bytes] | None = None
    """The same groups for the most usual records, at two or three times the speed of `pattern`.
    It is tried first, on blocks of plain ASCII only.  If it has as many matches as the block has marks (`mark`), each
    of them is one record or one other line, and `pattern` takes a second look at those other lines; if not, `pattern`
    cuts the whole block instead.  A form of single lines may therefore let it run over a newline where no record is.
    What is not captured must match no more than it does in `pattern`.

    Python's `re` passes over a repeated ``[^x]`` in a plain loop, but calls a function per character for any other
    class; and ``(?:x|)`` is tried directly where ``(?:x)?`` goes through the machinery for repeats."""
    mark: bytes = b"\n"
    """What every record holds exactly once.  Where records have several lines, no other line holds it."""
    brief: Brief | None = None
    """Tried before everything else where the extension is not installed, and the wrappers give time and node for all
    lines of the block or for none."""
    clock: Clock | None = None
    """Gives the nanoseconds of a ``second``, or ``None`` where the record must be read in full; its other argument
    says whether envelopes give times as well.  A ``second`` that begins with a digit is taken to hold its year.  For
    one that ends in a colon and two digits below 60, only the minute is asked, and the seconds are added to it."""
    read: Callable[[bytes, LineEnvelope, Record], Iterable[Event]] | None = None
    """Gives the events of one whole line of the form, where that is cheaper than `parse` for a block of that line."""
    joined: Callable[[int, Record, Reading], Record] | None = None
    """For single lines whose meaning depends on lines before them; it needs `read`.  It is called for every record
    with its line's index, in order, after the lines between were read.  It gives the record, changed where the
    earlier lines change its meaning, or `NOTHING` where the record has been counted or will be given later
    (`Reading.amend`).  The patterns may then have any number of groups, as long as the third is empty for a line that
    is not of the form, and ``other`` comes last."""
    flags_between: bytes = b", "
    """What stands between the names of two flags; empty where each is a letter (`flowdiag.parserkit.flags_of_letters`)."""
    whole: Callable[[bytes, Reading], bool] | None = None
    """For `joined` records whose lines nearly always stand together.  It is called once with all of a block's text,
    gives each such record with `Reading.amend`, and hands other lines to `Reading.look_at` or `Reading.read`.
    `False` says that it has given nothing, and that the patterns are to look at all lines."""
    weighs: bool = False
    """A record may stand for several packets or connections; a group captures how many."""
    lines: int = 1
    """Lines of a record, where ``head`` spans none; each newline in ``head`` is one more."""
    raw_lines: int = 1
    """How many of these lines, from the first, belong to the record's text as examples show it."""
    scope: str | None = None
    """What tells this input's records from those of other inputs that look the same but mean something else."""
