"""The run over all inputs: detect, cut, fold, merge.

Merging is free of order, so whoever does the work, the outcome is the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from flowdiag.ingest.ahead import has_core_to_spare
from flowdiag.ingest.detection import HEAD_BYTES, Detection, InputKind
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.parts import PART_BYTES, Part, parts_of, shared_part_bytes
from flowdiag.ingest.plugins import parser_named
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import read_head
from flowdiag.ingest.server import SERIAL_BYTES, TWO_CORES, cores
from flowdiag.ingest.shares import SHARE_BYTES, Meanwhile, fold_shares
from flowdiag.ingest.shrunk import shrunk
from flowdiag.ingest.skim import extension_skims
from flowdiag.ingest.sources import Gathered
from flowdiag.ingest.unread import nothing_read, unread_lines
from flowdiag.model.time import NS
from flowdiag.model.words import plural
from flowdiag.parserkit.foreign import ForeignParser
from flowdiag.parserkit.promises import BrokenPromiseError

if TYPE_CHECKING:
    from flowdiag.tally import Tally

__all__ = ["Outcome", "Progress", "run"]

_UNPACK = 8
"""How many times its size a compressed file is taken to hold, for the number of workers and for progress."""

_TOGETHER = 4
"""How many times as many records may wait in the tally of a single process as in a worker's."""
_NEARLY_ALL = 0.9
"""Of the bytes of all evidence."""
_EARLY = 30 * 86_400 * NS
_OF_THE_HEAD = ("ambiguous-format", "clocks-apart", "year-turned")
"""Problems with an input's head, which do not mean that a part of it was not read."""
_FEW = 20
"""Warnings up to which a file that is mostly unreadable is not worth a problem of its own."""

Progress = Callable[[int, int, str], None]
"""Bytes done, bytes in all, and the input just worked on; bytes as stored on disk."""


class Outcome(Struct, kw_only=True):
    """What reading gave."""

    tally: Tally
    inputs: tuple[Detection, ...]
    """Every input in order, also those that were not read."""
    problems: tuple[InputProblem, ...]
    """Sorted by path, code and line; the same whatever did the work."""


def run(
    gathered: Gathered,
    options: ReadOptions,
    progress: Progress | None = None,
    *,
    detected: Sequence[Detection] | None = None,
    part_bytes: int | None = None,
    meanwhile: Meanwhile | None = None,
) -> Outcome:
    """Read all evidence among the sources.

    Args:
        gathered: the sources; its spool must outlive the call.
        options: how to read; ``processes`` 1 stays in this process, ``None`` decides by size.
        progress: called now and then, from this thread.
        detected: what `detect_all` said, if it was asked before; its problems are then the caller's.
        part_bytes: about the size of the byte ranges that plain files are cut into; by default what is quick.
        meanwhile: what the caller has to do beside, in steps of some hundredths of a second.  Where worker processes read,
            all are taken; where a thread does, as many as there is time for.

    Raises:
        UsageError: the forced format is unknown.
        PluginError: it is broken.
    """
    problems: list[InputProblem] = []
    if detected is None:
        detected, problems = detect_all(gathered, options)
    evidence = [one for one in detected if one.kind is InputKind.EVIDENCE]
    pace = _Pace(sum(one.source.size for one in evidence), progress)
    workers = _workers(evidence, options)
    if options.scheduler is not None:
        from flowdiag.ingest.distributed import fold_on
        from flowdiag.ingest.fold import fold_all

        # What was unpacked here no other machine can see; it is read here.
        here = [one for one in evidence if one.source.spooled]
        there = [one for one in evidence if not one.source.spooled]
        total = sum(one.source.size for one in there)
        size = part_bytes or shared_part_bytes(total)
        parts = _parts(there, options, problems, size, loose=True)
        names = frozenset(name for one in there for name in (one.parser, *one.among) if name is not None)
        tally, found = fold_on(options.scheduler, parts, pace.done, _unread, total=total, parsers=names)
        problems += found
        fold_all(tally, _parts(here, options, problems, part_bytes or PART_BYTES), problems, pace, idle=None)
    elif workers > 1:
        size = min(part_bytes or SHARE_BYTES, SHARE_BYTES)
        tally = _in_processes(evidence, options, problems, workers, size, pace, meanwhile)
    else:
        tally = _here(evidence, options, problems, pace, meanwhile)
    tally.rest()
    problems += shrunk(one.source for one in evidence)
    problems += _times_of_1970(tally)
    foreign: set[str] = set()
    if options.format is not None:
        # Of an input of which only refusals are looked for, its head tells whether it has that format.
        asked = [one for one in evidence if not options.only_denied or not _is_sure(one, options.format)]
        named = list(_not_of_that_format(options.format, asked, tally))
        problems += named
        foreign.update(problem.path for problem in named)
    problems += _mostly_unreadable(tally, foreign)
    if options.format is None and not options.only_denied:
        said = {problem.path for problem in problems if problem.code not in _OF_THE_HEAD}
        problems += _nothing_read(evidence, tally, said)
    return Outcome(tally=tally, inputs=tuple(detected), problems=_sorted(problems))


class _Pace:
    """Adds up what is done and tells."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._sum = 0

    def inside(self, part: Part) -> Callable[[int], None] | None:
        """What to call while `part` is being read, with the bytes of it that are done."""
        progress = self._progress
        if progress is None:
            return None
        return lambda done: progress(self._sum + min(done, part.size), self._total, part.source.name)

    def told(self, done: int, name: str) -> None:
        """Say that so many bytes are done in all."""
        if self._progress is not None:
            self._progress(done, self._total, name)

    def done(self, part: Part) -> None:
        self._sum += part.size
        if self._progress is not None:
            self._progress(self._sum, self._total, part.source.name)


def _workers(evidence: Sequence[Detection], options: ReadOptions) -> int:
    wanted = options.processes if options.processes is not None else cores()
    size = sum(one.source.size * (_UNPACK if one.source.kind != "plain" else 1) for one in evidence)
    if options.processes is None and size < SERIAL_BYTES:
        return 1
    if options.processes is None and wanted <= TWO_CORES and _take_two_cores(evidence, options):
        return 1
    return max(1, wanted)


def _take_two_cores(evidence: Sequence[Detection], options: ReadOptions) -> bool:
    """Whether one process can keep two cores at work on nearly all of the evidence, so that nothing must be merged.

    Where only refusals are wanted it takes the extension, which searches for them in a thread.
    """
    able = [one for one in evidence if _may_take_two_cores(one)]
    if options.only_denied and not extension_skims():
        return False
    if not able or sum(one.source.size for one in able) < _NEARLY_ALL * sum(
        one.source.size for one in evidence
    ):
        return False
    largest = max(able, key=lambda one: one.source.size)
    try:
        head = read_head(largest.source, HEAD_BYTES)
    except OSError:
        return False
    parser: Any = parser_named(largest.parser or "")
    try:
        return bool(parser.takes_two_cores(head))
    except BrokenPromiseError:
        return False  # reading will do without its help, and it is no part of what is told


def _may_take_two_cores(one: Detection) -> bool:
    """Whether an input's packing and parser allow it."""
    if one.source.kind != "plain" or one.source.remote or one.stack or one.parser is None:
        return False
    return hasattr(parser_named(one.parser), "takes_two_cores")


def _parts(
    evidence: Sequence[Detection],
    options: ReadOptions,
    problems: list[InputProblem],
    part_bytes: int,
    *,
    loose: bool | None = None,
) -> Iterator[Part]:
    """The parts of all inputs; `loose` by default for those that are read over a network."""
    for one in evidence:
        try:
            yield from parts_of(one, options, part_bytes, loose=one.source.remote if loose is None else loose)
        except OSError as error:
            problems.append(InputProblem(one.source.name, "unreadable", error.strerror or str(error)))
        except BrokenPromiseError as error:
            problems.append(InputProblem(one.source.name, "worker-failed", f"{error}; it was not read"))


def _here(
    evidence: Sequence[Detection],
    options: ReadOptions,
    problems: list[InputProblem],
    pace: _Pace,
    meanwhile: Meanwhile | None,
) -> Tally:
    """Read all in this process."""
    # Imported here: where workers read, the main process imports it while they do.
    from flowdiag.ingest.fold import fold_all
    from flowdiag.tally import Limits, Tally

    tally = Tally(Limits(since=options.since, until=options.until))
    # A single tally need not give memory back before a merge: fewer and larger sorts take half the time.
    tally.pending *= _TOGETHER
    # Inputs need not be cut, so each is read once.
    parts = (part for one in evidence for part in _parts([one], options, problems, max(one.source.size, 1)))
    steps = iter(()) if meanwhile is None else meanwhile()
    idle = (lambda: next(steps, None)) if has_core_to_spare() else None
    fold_all(tally, parts, problems, pace, idle=idle)
    return tally


def _in_processes(
    evidence: Sequence[Detection],
    options: ReadOptions,
    problems: list[InputProblem],
    workers: int,
    part_bytes: int,
    pace: _Pace,
    meanwhile: Meanwhile | None,
) -> Tally:
    """Share the parts out to worker processes; a part at which a worker dies for the second time is given up."""
    before = len(problems)
    all_of_them = [*_parts(evidence, options, problems, part_bytes, loose=True)]
    if not all_of_them:
        return _here((), options, problems, pace, meanwhile)
    if len(all_of_them) == 1 and options.processes is None:
        # A single part would gain nothing from another process, which could not tell how far it is.
        del problems[before:]
        return _here(evidence, options, problems, pace, meanwhile)
    tally, found, lost = fold_shares(all_of_them, workers, pace.told, meanwhile)
    problems += found
    problems += [_unread(one.part, one.why) for one in lost]
    return tally


def _unread(part: Part, why: str) -> InputProblem:
    return InputProblem(
        part.source.name,
        "worker-failed",
        f"lines {part.first_line} and on were not read: {why}",
        part.first_line,
    )


def _mostly_unreadable(tally: Tally, foreign: Collection[str]) -> Iterator[InputProblem]:
    """Inputs of which more than half cannot be read: another format, or two in one file; not those called `foreign`."""
    for name, counts in tally.inputs.items():
        if name not in foreign and counts.warnings > _FEW and counts.warnings > counts.records:
            message = (
                f"{plural(counts.warnings, 'record')} could not be read as {counts.parser}, {counts.records:,} could; "
                "--format forces another parser"
            )
            yield InputProblem(name, "mostly-unreadable", message)


def _times_of_1970(tally: Tally) -> Iterator[InputProblem]:
    """Inputs of a stranger's parser whose times are in another unit than nanoseconds: seconds to microseconds are of January 1970."""
    for name, counts in tally.inputs.items():
        first, parser = counts.first, counts.parser
        if first is None or not 0 < first < _EARLY or not isinstance(parser_named(parser), ForeignParser):
            continue
        message = (
            f"parser {parser} gives times of January 1970, as where it takes seconds, milliseconds or microseconds "
            "for nanoseconds; nothing that hangs on the time is right"
        )
        yield InputProblem(name, "broken-plugin", message)


def _nothing_read(
    evidence: Sequence[Detection], tally: Tally, said: Collection[str]
) -> Iterator[InputProblem]:
    """Problems for inputs that were recognised by their heads and gave nothing; not for those of which something is `said`."""
    inputs = tally.inputs
    for one in evidence:
        counts = inputs.get(one.source.name)
        nothing = counts is None or not (counts.records or counts.warnings)
        if nothing and one.parser is not None and one.source.name not in said:
            problem = nothing_read(one, parser_named(one.parser))
            if problem is not None:
                yield problem


def _is_sure(detection: Detection, format_name: str) -> bool:
    """Whether a forced parser knew the head by itself."""
    return any(one.parser == format_name and one.score > 0 for one in detection.scores)


def _not_of_that_format(
    format_name: str, evidence: Sequence[Detection], tally: Tally
) -> Iterator[InputProblem]:
    """Inputs that a forced parser found nothing in: they are damaged, or the format was named wrongly, or the file."""
    inputs = tally.inputs
    for one in evidence:
        counts = inputs.get(one.source.name)
        if counts is not None and (counts.records or 0 < counts.warnings <= _FEW):
            continue
        if counts is None or not counts.warnings:
            damaged = list(unread_lines(one.source, format_name))
            for warning in damaged:
                tally.add(warning, format_name, one.source.name)
            if damaged:
                continue
        yield InputProblem(
            one.source.name,
            "not-that-format",
            f"nothing in it is a record of {format_name}; leave --format out to have it looked at",
        )


def _sorted(problems: Sequence[InputProblem]) -> tuple[InputProblem, ...]:
    unique = set(problems)
    return tuple(
        sorted(unique, key=lambda problem: (problem.path, problem.code, problem.line or 0, problem.message))
    )
