"""Worker processes of this machine: each folds its share of the parts into one tally, and sends that once.

Merging costs by distinct flow, so a tally per worker is merged and not one per part.  Workers take the next
part when they are done with one, and all but one of them stop a little early: what they have is merged while that one reads
on.  Lines are not counted ahead of them: parts are loose and count their own, and until all are read, a line is stored as the
part's number and its number in that part.  Where a worker dies, its share is lost, and its parts are read again; the one
that it was reading by itself, since that may be why it died.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.ingest.parts import Part, lines_in, settled
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.server import uninterrupted, worker_context
from flowdiag.ingest.share_facts import LINE_BITS, ShareFacts, why_beside
from flowdiag.model.interrupts import temporary_folder

if TYPE_CHECKING:
    from flowdiag.tally import Tally

__all__ = ["SHARE_BYTES", "Meanwhile", "fold_shares"]

SHARE_BYTES = 16 << 20
"""About the size of a part, which is what one worker may still be reading when all others are done."""

_LINE = (1 << LINE_BITS) - 1
_NONE = -1
_TOLD_S = 0.2
Told = Callable[[int, str], None]
"""Called now and then with the bytes on disk that are done, and the name of an input at hand."""


Meanwhile = Callable[[], Iterator[None]]
"""Work that does not need what is being read, in steps of some hundredths of a second."""


class Lost(Struct, frozen=True):
    """A part that was not read, though twice begun."""

    part: Part
    why: str


def fold_shares(
    parts: Sequence[Part], workers: int, told: Told | None, meanwhile: Meanwhile | None = None
) -> tuple[Tally, list[InputProblem], list[Lost]]:
    """Fold all parts in worker processes.

    Args:
        parts: the parts of all inputs in order, loose where they can be.
        workers: how many processes.
        told: how far it is.
        meanwhile: what this process has to do beside, once they are at work.
    """
    with temporary_folder() as folder:
        team = _Team(parts, Path(folder), told)
        died = team.work([None] * workers, meanwhile)
        lost: dict[int, str] = {}
        while missing := [part for part in range(len(parts)) if part not in team.lines and part not in lost]:
            suspects = [part for part in missing if part in died]
            lost |= {part: team.why for part in suspects if team.work([[part]])}
            rest = [part for part in missing if part not in suspects]
            died = team.work([rest]) if rest else []
            if died == [_NONE]:
                # A worker died before it had taken any part.
                lost |= dict.fromkeys(rest, team.why)
        return team.outcome(lost)


class _Team:
    """Workers, and what came back of them so far."""

    def __init__(self, parts: Sequence[Part], folder: Path, told: Told | None) -> None:
        self._context = worker_context()
        self._parts = parts
        self._folder = folder
        self._told = told
        self._problems: list[InputProblem] = []
        self._files = count()
        self._bytes = 0
        self.why = ""
        """Why the last worker that died did."""
        self.lines: dict[int, int] = {}
        """Lines of each part that was folded, by its number."""

    @cached_property
    def _tally(self) -> Tally:
        # Loaded, and numpy with it, once workers are at work.
        from flowdiag.tally import Tally

        return Tally()

    def work(self, jobs: Sequence[Sequence[int] | None], meanwhile: Meanwhile | None = None) -> list[int]:
        """Let a worker do each job: some parts, or for ``None`` the next that nobody has taken; and this process `meanwhile`.

        Returns:
            For each worker that died the part that it was at, `_NONE` before the first.
        """
        from multiprocessing.connection import wait

        context = self._context
        taken = context.Value("q", 0)
        at, done = (context.Array("q", [start] * len(jobs), lock=False) for start in (_NONE, 0))
        running: dict[Any, tuple[Any, int, Path]] = {}
        died: list[int] = []
        try:
            for place, job in enumerate(jobs):
                path = self._folder / str(next(self._files))
                given = (dict(os.environ), path, list(self._parts), job, place, taken, at, done)
                process = context.Process(target=_begin, args=given, daemon=True)
                with uninterrupted():
                    process.start()
                    running[process.sentinel] = (process, place, path)
            if meanwhile is not None:
                for _ in meanwhile():
                    pass
            while running:
                for sentinel in wait(list(running), timeout=_TOLD_S):
                    process, place, path = running.pop(sentinel)
                    process.join()
                    if process.exitcode == 0:
                        self._take(path)
                    else:
                        died.append(at[place])
                        self.why = _reason(path, process.exitcode)
                    done[place] = 0
                if self._told is not None:
                    name = self._parts[at[next(iter(running.values()))[1]] if running else -1].source.name
                    self._told(self._bytes + sum(done), name)
        finally:
            for process, _, _ in running.values():
                process.terminate()
                process.join()
        return died

    def outcome(self, lost: dict[int, str]) -> tuple[Tally, list[InputProblem], list[Lost]]:
        """All shares as one, lines where they stand in their inputs."""
        lines = self.lines | {number: _lines_of(self._parts[number]) for number in lost}
        before: dict[str, int] = {}
        shifts: list[int] = []
        for number, part in enumerate(self._parts):
            shifts.append(before.get(part.source.name, 0))
            before[part.source.name] = shifts[-1] + lines.get(number, 0)

        def placed(line: int) -> int:
            return shifts[line >> LINE_BITS] + (line & _LINE)

        self._tally.move_lines(placed)
        found = [one if one.line is None else replace(one, line=placed(one.line)) for one in self._problems]
        missed = [
            Lost(replace(self._parts[number], first_line=shifts[number] + 1), why)
            for number, why in lost.items()
        ]
        return self._tally, found, missed

    def _take(self, path: Path) -> None:
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            facts = msgspec.msgpack.decode(stream.read(size), type=ShareFacts)
            self._tally.merge_from(stream)
        path.unlink()
        self._problems += facts.problems
        self.lines |= facts.lines
        self._bytes += sum(self._parts[number].size for number in facts.lines)


def _begin(*given: Any) -> None:
    """A worker, whose module the server has loaded and this process does without."""
    from flowdiag.ingest.worker import work

    work(*given)


def _lines_of(part: Part) -> int:
    """Lines of a part that nobody could read, for those behind it."""
    try:
        whole = settled(part) if part.loose else None
        return 0 if whole is None else lines_in(whole)
    except OSError:
        return 0


def _reason(path: Path, exit_code: int | None) -> str:
    try:
        return why_beside(path).read_text("utf-8")
    except FileNotFoundError:
        return f"its worker process died ({'signal' if (exit_code or 0) < 0 else 'status'} {abs(exit_code or 0)})"
