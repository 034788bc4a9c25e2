"""``--year`` over several inputs whose stamps carry no year.

The year is that of the first stamp of all.  What a rotation holds behind the turn of the year, in the order that
its files' names tell, is of the next one; so is what begins in January where other inputs begin in December and
all of them lie within one log's span.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from flowdiag.ingest.clocks import ONE_LOG, around_new_year, first_yearless
from flowdiag.ingest.compression import MissingReaderError
from flowdiag.ingest.detection import HEAD_BYTES, Detection, InputKind, input_context
from flowdiag.ingest.envelopes import Peeler
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import read_head
from flowdiag.ingest.rotation import order_key
from flowdiag.model.time import NS, from_datetime
from flowdiag.parserkit import ParseContext, Parser

__all__ = ["reading_context", "with_years"]

_BACK = 31 * 86_400 * NS
"""How much earlier a file may begin than the one before it in the rotation's order, as lines of several writers mix."""
_YEAR = 365 * 86_400 * NS


def reading_context(detection: Detection, parser: Parser, options: ReadOptions) -> ParseContext:
    """What is known of an input that is evidence, with its first stamp where ``--year`` is to hold for it."""
    known = input_context(detection.source, detection.hint, options)
    if options.year is None or parser.document:
        return known
    if detection.year is not None:
        known = replace(known, year=detection.year)
    head = _head(detection)
    if head is None:
        return known
    return around_new_year(lambda context: Peeler(detection.stack, context).peel(head, 1), parser, known)


def with_years(
    detections: Sequence[Detection], parsers: Sequence[Parser], options: ReadOptions
) -> tuple[list[Detection], list[InputProblem]]:
    """Give every input the year of its first stamp; as they were where ``--year`` is not given.

    Args:
        detections: all inputs; those of one rotation stand oldest first.
        parsers: who reads them.
        options: with the year that the user gave.

    Returns:
        The inputs, and what is to be said where the turn of the year is read out of other inputs than a rotation's.
    """
    if options.year is None or len(detections) < 2:
        return list(detections), []
    by_name = {parser.name: parser for parser in parsers}
    rotations: dict[str, list[tuple[int, int]]] = {}
    for index, one in enumerate(detections):
        reader = by_name.get(one.parser or "")
        first = None if reader is None else _first(one, reader, options)
        if first is not None:
            rotations.setdefault(order_key(one.source.name)[0], []).append((index, first))
    later = _behind_new_year({name: files[0][1] for name, files in rotations.items()}, options.year)
    years: dict[int, int] = {}
    problems = []
    for name, files in rotations.items():
        year = options.year
        if name in later:
            year += 1
            said = detections[files[0][0]].source.name
            message = (
                f"begins in January {year}, behind other inputs of {options.year}; --year is the year of the first "
                "stamp of all: read it alone if it is of the same year"
            )
            problems.append(InputProblem(said, "year-turned", message))
        before = files[0][1]
        for index, first in files:
            year += first < before - _BACK
            before = first
            years[index] = year
    return [
        replace(one, year=years[index]) if index in years else one for index, one in enumerate(detections)
    ], problems


def _behind_new_year(firsts: dict[str, int], year: int) -> set[str]:
    """Which rotations begin behind the turn of the year, if all lie close together around it."""
    if not firsts or max(firsts.values()) - min(firsts.values()) <= ONE_LOG:
        return set()
    summer = from_datetime(datetime(year, 7, 1, tzinfo=UTC))
    later = {name for name, first in firsts.items() if first < summer}
    turned = [first + _YEAR if name in later else first for name, first in firsts.items()]
    return later if max(turned) - min(turned) <= ONE_LOG else set()


def _first(detection: Detection, parser: Parser, options: ReadOptions) -> int | None:
    """The first stamp of an input that has no year, as of the given one."""
    if detection.kind is not InputKind.EVIDENCE:
        return None
    head = None if parser.document else _head(detection)
    if head is None:
        return None
    context = input_context(detection.source, detection.hint, options)
    return first_yearless(Peeler(detection.stack, context).peel(head, 1), parser, context)


def _head(detection: Detection) -> bytes | None:
    try:
        return read_head(detection.source, HEAD_BYTES)
    except (MissingReaderError, OSError):
        return None  # reading the input will say so
