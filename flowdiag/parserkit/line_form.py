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
"""A form's groups in their order.

``second`` and ``fraction`` are the record's own time (empty where it has none), ``left`` and ``right`` the ports,
``flags`` the names of TCP flags, and ``other`` a line in no form; everything else that is captured tells kinds
of records apart.  What is not captured tells nothing: two records that differ only in it are alike.
"""

NOTHING: tuple[bytes, ...] = (b"",) * len(GROUPS)
"""No record."""

Clock = Callable[[bytes, bool], int | None]
Record = tuple[bytes, ...]
"""What a form's pattern captured of a record: `GROUPS`, each empty where it has none."""


CLIENTS, LAST_PORT = b"32768", b"65535"
"""First port that Linux gives to clients, and the last there is, as digits: five of them compare as numbers do."""


class Counted(NamedTuple):
    """How records are counted that are alike but for their time and their client's port."""

    number: int
    """As `flowdiag.parserkit.known_lines.Memory.lanes` has it: of a refused record's lane it is negative."""
    flags: int


class Reading(Protocol):
    """One block on its way, as `LineForm.joined` gets it."""

    block: Block

    def known(self, place: int, record: Record) -> Counted | None:
        """How a record of the line with this index is counted; ``None`` where it has been seen to.

        The first of its kind is read for that.  It is good for as long as what is put into `FlowSink.memo`, and tells how
        all are counted of which the same port is one of those that clients get, and the other one is not, and the same.
        """
        ...

    def moment(self, second: bytes) -> int:
        """Nanoseconds of a ``second``; negative where its records must be read."""
        ...

    def repeat(self, numbers: Sequence[int], ats: Sequence[int], flags: Sequence[int]) -> None:
        """Count records that are known and not refused, by columns; none of them has a year of its own."""
        ...

    def refuse(
        self,
        lanes: Sequence[int],
        ats: Sequence[int],
        flags: Sequence[int],
        clients: Sequence[int],
        places: Sequence[int],
    ) -> None:
        """As `repeat` for refused ones, with their clients' ports and the indexes of their lines."""
        ...

    @property
    def lines(self) -> Sequence[bytes]:
        """All lines of the block, made as they are asked for."""
        ...

    def read(self, start: int, until: int) -> None:
        """Have the parser read these lines, by their index, and count what it finds."""
        ...

    def amend(self, place: int, record: Record) -> None:
        """Count this for the line with this index, of which `NOTHING` was given."""
        ...

    def amend_all(self, records: Sequence[Record]) -> None:
        """`amend` for every line of the block."""
        ...

    def look_at(self, start: int, until: int, lines: Sequence[bytes] | None = None) -> None:
        """Have these lines looked at by the form's patterns, as if there were no `LineForm.whole`; quicker where given."""
        ...


class Brief(Struct, frozen=True):
    """The most usual lines of a form whose lines have no time of their own, in few pieces."""

    pattern: re.Pattern[bytes]
    """Groups: both ports, what else `LineForm.pattern` captures of such a line, in pieces of any size, and last a line that is
    looked at by that.  Every match is a line; what is not captured must be as narrow as there."""
    ports: tuple[int, int]
    """Places of the left and the right one among the groups, from 0."""


class LineForm(Struct, frozen=True, kw_only=True):
    """How a parser's usual records look."""

    pattern: re.Pattern[bytes]
    """Groups as `GROUPS` has them; every match is one record or one other line, with its newline."""
    quick: re.Pattern[bytes] | None = None
    """As `pattern` for the most usual records, and two or three times its speed: a repeated ``[^x]`` is passed
    over by a plain loop, and any other class by a call a character; ``(?:x|)`` is tried as it stands, ``(?:x)?`` by the
    machinery for repeats.  It is tried first, on blocks of plain ASCII only.  One of single lines may run over newlines
    where no record is.  Where it has not as many matches as the block has marks, `pattern` cuts the block instead; else
    `pattern` has a second look at other lines.  What varies between records alike in all groups must be as narrow as
    there."""
    mark: bytes = b"\n"
    """What every record has once; of records of several lines no other line has it."""
    brief: Brief | None = None
    """Tried before all where the extension is not installed, and the lines' wrappers say of all of them when and where, or of none."""
    clock: Clock | None = None
    """Nanoseconds of a ``second``, ``None`` where the record must be read; asked with whether envelopes give times
    as well.  A ``second`` that begins with a digit has its year.  Of one that ends in digits below 60 behind a colon
    only the minute is asked: its seconds are as long as any."""
    read: Callable[[bytes, LineEnvelope, Record], Iterable[Event]] | None = None
    """Events of one whole line in the form, where that is cheaper than `parse` of a block of it."""
    joined: Callable[[int, Record, Reading], Record] | None = None
    """For single lines whose meaning lies in lines before them: asked for every record by its index, in order, after the
    lines between were read.  Gives the record, changed where those lines make something else of it, or `NOTHING` where
    it has been seen to or will be (`Reading.amend`); then `read` must be there.  The patterns may have any number of
    groups then, if the third is empty where a line is in no form and ``other`` the last."""
    flags_between: bytes = b", "
    """What parts the names of flags; words that other bytes part are none."""
    whole: Callable[[bytes, Reading], bool] | None = None
    """For `joined` records whose lines nearly always stand together: asked for all that a block says, it gives each such
    record by `Reading.amend`, and other lines to `Reading.look_at` or `Reading.read`; `False` where it has given nothing and
    the patterns are to look at all lines."""
    weighs: bool = False
    """A record may stand for several; their number is captured."""
    lines: int = 1
    """Lines of a record, where ``head`` spans none; each newline in ``head`` is one more."""
    raw_lines: int = 1
    """Of these, the first that belong to the record's text."""
    scope: str | None = None
    """What else tells this input's records from others' that look the same."""
