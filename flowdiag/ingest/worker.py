"""In a worker process: a share of the parts is folded into one tally, which is sent once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from msgspec.structs import replace

from flowdiag.ingest.fold import fold_into
from flowdiag.ingest.heap import return_freed_memory, trim
from flowdiag.ingest.outcomes import fold_loose, tally_for
from flowdiag.ingest.parts import Part
from flowdiag.ingest.share_facts import LINE_BITS, ShareFacts, why_beside
from flowdiag.model.errors import PluginError
from flowdiag.tally import Tally

__all__ = ["work"]

_MERGE_S = 1e-6
"""About how long merging takes per lane, seconds."""
_PATIENCE_S = 10.0
"""How long a worker waits for the number of the next part: whoever holds it may have died with it."""


def work(
    environment: dict[str, str],
    path: Path,
    parts: Sequence[Part],
    job: Sequence[int] | None,
    place: int,
    taken: Any,
    at: Any,
    done: Any,
) -> None:
    """In a worker: fold a share, write it, and leave without taking it apart, which takes longer than writing it."""
    # An interrupt is for the parent, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The server that workers fork from keeps the environment it was started with; keys to an object store may be
    # newer.
    os.environ.update(environment)
    return_freed_memory()
    tally = tally_for(parts[0]) if parts else Tally()
    facts = ShareFacts([], {})
    numbers = iter(job) if job is not None else _next(taken, len(parts), tally, is_last=not place)
    try:
        for number in numbers:
            at[place] = number
            _fold(parts[number], number, tally, facts)
            done[place] += parts[number].size
        _send(path, tally, facts)
    except (OSError, PluginError) as error:
        why_beside(path).write_text(f"{type(error).__name__}: {error}", "utf-8")
        os._exit(1)
    os._exit(0)


def _next(taken: Any, number: int, tally: Tally, *, is_last: bool) -> Iterator[int]:
    """The next part that nobody has taken, again and again."""
    begun = perf_counter()
    for folded in count():
        lock = taken.get_lock()
        if not lock.acquire(timeout=_PATIENCE_S):
            return
        try:
            part = taken.value
            left = number - part
            merging = _MERGE_S * (len(tally.table.lanes) + len(tally.table.columns))
            if not left or (folded and not is_last and left * (perf_counter() - begun) / folded < merging):
                return
            taken.value = part + 1
        finally:
            lock.release()
        yield part


def _send(path: Path, tally: Tally, facts: ShareFacts) -> None:
    """Send the tally through a file, since with a pipe both ends would hold all of it in memory."""
    tally.rest()
    trim()
    data = msgspec.msgpack.encode(facts)
    with path.open("wb") as out:
        out.write(len(data).to_bytes(8, "little"))
        out.write(data)
        tally.write(out)


def _fold(part: Part, number: int, tally: Tally, facts: ShareFacts) -> None:
    numbered = replace(part, first_line=(number << LINE_BITS) + part.first_line)
    if part.loose:
        facts.lines[number] = fold_loose(tally, numbered, facts.problems)
    else:
        fold_into(tally, numbered, facts.problems)
        facts.lines[number] = 0
