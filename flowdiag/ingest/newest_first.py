"""Collectors' answers that begin with the newest line, turned round for parsers whose records hang on those before them.

Loki, Cloud Logging, Elasticsearch and Kibana give the newest line first unless they are asked otherwise: a verdict came
before its packet, a refusal before the policies that did not match, a change before the one it followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice, pairwise

from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.envelopes.rows import Row, ends_open, rows_from

__all__ = ["falls", "in_time"]

_ASKED_BYTES = 1 << 20
"""So much is looked at to tell."""
_ASKED = 20_000
_HELD_BYTES = 64 << 20
"""So much is turned at once; of what is larger, the pieces keep their order."""
_OFTEN = 4
"""How much more often stamps must fall than rise: a response's streams begin anew, and lines of several writers mix."""
_LINES = 4096


def in_time(rows: Iterable[Rows]) -> Iterator[Rows]:
    """The same lines, from the oldest where they come from the newest by their wrappers' times.

    The lines of one message keep their order, and a last line that may be cut off stays the last.
    """
    held: list[Rows] = []
    size = 0
    newest_first: bool | None = None
    for run in rows:
        held.append(run)
        size += len(run.data)
        if newest_first is None and size >= _ASKED_BYTES:
            newest_first = _from_the_newest(held)
        if newest_first is False or (newest_first and size >= _HELD_BYTES):
            yield from _turned(held) if newest_first else held
            held, size = [], 0
    if newest_first is None:
        newest_first = _from_the_newest(held)
    yield from _turned(held) if newest_first else held


def falls(numbers: list[int]) -> bool:
    """Whether they go down, but for a few."""
    down = sum(one > other for one, other in pairwise(numbers))
    up = sum(one < other for one, other in pairwise(numbers))
    return down > _OFTEN * up


def _from_the_newest(held: list[Rows]) -> bool:
    ats = islice((at for run in held for at in run.at or ()), _ASKED)
    return falls([at for at in ats if at is not None])


def _turned(held: list[Rows]) -> Iterator[Rows]:
    messages = [
        list(lines) for _, lines in groupby((row for run in held for row in run), lambda row: row.line)
    ]
    cut = messages.pop() if held and ends_open(held[-1]) else []
    year_inferred = any(run.year_inferred for run in held)
    out: list[Row] = []
    for message in reversed(messages):
        out += message
        if len(out) >= _LINES:
            yield rows_from(out, year_inferred=year_inferred)
            out = []
    out += cut
    if out:
        yield rows_from(out, year_inferred=year_inferred, open_end=bool(cut))
