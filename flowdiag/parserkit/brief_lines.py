"""A quicker way to count lines that have no time of their own: only what tells their kinds apart is cut out.

A form's pattern has a dozen groups, and each of them costs time for every line: to cut the piece out, and to handle it.
`Brief` cuts a usual line into the few pieces that are needed to know its kind.  A line whose kind is not known yet, or
that `Brief` does not match, is looked at with the form's own pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from msgspec import Struct

from flowdiag.parserkit.line_form import CLIENTS, LAST_PORT, Brief, Reading, Record
from flowdiag.parserkit.lines import count_lines, finished

__all__ = ["BriefMemory", "Rows", "count_briefly"]

_MOST = 100_000
"""Kinds that are remembered; beyond that all are forgotten, and each is looked at anew when it comes again."""
_BETWEEN = b"\xff"
"""Joins pieces to a key; it occurs in no piece, since only lines of plain ASCII are counted here."""


class Rows(Struct):
    """Records whose kind is known: one entry per record in each column."""

    numbers: list[int]
    """Where each is counted, as `Counted.number`."""
    flags: dict[int, int]
    """TCP flags of the first record of each kind, by its index in the columns.  All records of a kind have the same
    flags, and a lane gathers flags, so that telling them once is enough."""
    clients: list[bytes]
    places: Sequence[int]


BriefMemory = tuple[dict[bytes, int], dict[bytes, int]]
"""Key of a kind -> where it is counted: first the kinds whose client's port is the left one, then the others."""


def count_briefly(
    brief: Brief,
    look: Callable[[bytes], re.Match[bytes] | None],
    data: bytes,
    reading: Reading,
    memory: BriefMemory,
) -> Rows | None:
    """Find the records whose kind is known; other lines are read, or handed on with `Reading.amend`.

    Args:
        brief: how usual lines are cut.
        look: the form's pattern, tried on a whole line.
        data: the block's.
        reading: the block.
        memory: what earlier blocks taught, of this node and this sureness of times.

    Returns:
        The records to count; ``None`` where the block has other lines than `brief` takes, and nothing was done.
    """
    found: list[tuple[bytes, ...]] = []
    if data.isascii() and b"\x1b" not in data:
        found = brief.pattern.findall(finished(data))
    # Every match holds a newline.  If there are as many matches as newlines, each match is exactly one line.
    if not found or len(found) != count_lines(data):
        return None
    for kinds in memory:
        if len(kinds) > _MOST:
            kinds.clear()
    by_left, by_right = memory
    groups = [group for group in range(brief.pattern.groups - 1) if group not in brief.ports]
    ports, rest, join = itemgetter(*brief.ports), itemgetter(*groups), _BETWEEN.join
    told: list[int] = []
    flags: dict[int, int] = {}
    clients: list[bytes] = []
    others: list[int] = []
    waiting = -1
    for place, pieces in enumerate(found):
        left, right = ports(pieces)
        # Nearly always one port is of those that clients get; the other one is then the server's.
        if len(left) == 5 and CLIENTS <= left <= LAST_PORT:
            sure = not (len(right) == 5 and CLIENTS <= right <= LAST_PORT)
            client, server, known = left, right, by_left
        else:
            sure = len(right) == 5 and CLIENTS <= right <= LAST_PORT
            client, server, known = right, left, by_right
        kind = join([server, *rest(pieces)])
        number = known.get(kind) if sure else None
        if number is None:
            match = look(reading.lines[place] + b"\n")
            record: Record = () if match is None else match.groups(b"")
            if not record or not record[2]:
                others.append(place)
                if waiting < 0:
                    waiting = place
                continue
            if waiting >= 0:
                reading.read(waiting, place)
                waiting = -1
            if not (sure and left):
                others.append(place)
                reading.amend(place, record)
                continue
            how = reading.known(place, record)
            if how is None:
                others.append(place)
                continue
            number = known[kind] = how.number
            flags[len(told)] = how.flags
        elif waiting >= 0:
            reading.read(waiting, place)
            waiting = -1
        told.append(number)
        clients.append(client)
    if waiting >= 0 or not data.endswith(b"\n"):
        reading.read(waiting if waiting >= 0 else len(found), len(reading.lines))
    places: Sequence[int] = range(len(found))
    if others:
        apart = set(others)
        places = [place for place in places if place not in apart]
    return Rows(told, flags, clients, places)
