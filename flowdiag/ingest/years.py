"""The year over several inputs whose stamps carry none: that of ``--year``, else that of the other inputs.

The year is that of the first stamp of all.  What a rotation holds behind the turn of the year, in the order that
its files' names tell, is of the next one; so is what begins in January where other inputs begin in December and
all of them lie within one log's span.

Without ``--year`` a kernel's log is read near what lies beside it: where the inputs that have a year begin within one
log's span, and its first stamp lies within that span of them in some year.  Nothing else about it tells the year, so
its times are inferred, and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from flowdiag.ingest.clocks import ONE_LOG, around_new_year, first_stamp, first_yearless
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
_ANY_TIME = from_datetime(datetime(2024, 7, 1, tzinfo=UTC))
"""By which a stamp without a year shows that it has none."""
_MOST_ASKED = 500
"""Inputs that are asked for their first stamp: of some hundreds the first ones tell what time it is."""
_ASKED_BYTES = 1 << 14


def reading_context(detection: Detection, parser: Parser, options: ReadOptions) -> ParseContext:
    """What is known of an input that is evidence, with its first stamp where ``--year`` is to hold for it."""
    known = input_context(detection.source, detection.hint, options)
    if parser.document:
        return known
    if options.year is None:
        return known if detection.near is None else replace(known, reference_time=detection.near)
    if detection.year is not None:
        known = replace(known, year=detection.year)
    head = _head(detection)
    if head is None:
        return known
    return around_new_year(lambda context: Peeler(detection.stack, context).peel(head, 1), parser, known)


def with_years(
    detections: Sequence[Detection], parsers: Sequence[Parser], options: ReadOptions
) -> tuple[list[Detection], list[InputProblem]]:
    """Give every input the year of its first stamp, or a time near which it is where ``--year`` is not given.

    Args:
        detections: all inputs; those of one rotation stand oldest first.
        parsers: who reads them.
        options: with the year, if the user gave one.

    Returns:
        The inputs, and what is to be said where the turn of the year is read out of other inputs than a rotation's.
    """
    by_name = {parser.name: parser for parser in parsers}
    if len(detections) < 2:
        return list(detections), []
    if options.year is None:
        return _near_others(detections, by_name, options), []
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


def _near_others(
    detections: Sequence[Detection], by_name: Mapping[str, Parser], options: ReadOptions
) -> list[Detection]:
    """Give inputs without a year a time of those that have one, where these tell one year without a doubt."""
    found = list(detections)
    asked = [
        index for index, one in enumerate(found) if one.kind is InputKind.EVIDENCE and not one.source.remote
    ]
    dated: list[int] = []
    yearless: list[int] = []
    for index in asked[:_MOST_ASKED] if len(asked) > 1 else ():
        stamp = _stamp(found[index], by_name, options, _ANY_TIME)
        if stamp is not None and stamp[1]:
            yearless.append(index)
        elif stamp is not None:
            dated.append(stamp[0])
    if not yearless or not dated or max(dated) - min(dated) > ONE_LOG:
        return found
    near = min(dated)
    for index in yearless:
        stamp = _stamp(found[index], by_name, options, near)
        if stamp is not None and any(abs(stamp[0] - at) <= ONE_LOG for at in dated):
            found[index] = replace(found[index], near=near)
    return found


def _stamp(
    detection: Detection, by_name: Mapping[str, Parser], options: ReadOptions, near: int
) -> tuple[int, bool] | None:
    """The first stamp of an input, and whether it has no year and is read near a time; ``None`` where its own tells it."""
    parser = by_name.get(detection.parser or "")
    head = None if parser is None or parser.document else _head(detection, _ASKED_BYTES)
    if parser is None or head is None:
        return None
    known = input_context(detection.source, detection.hint, options)
    context = replace(known, reference_time=known.reference_time or near)
    stamp = first_stamp(Peeler(detection.stack, context).peel(head, 1), parser, context)
    return None if stamp is not None and stamp[1] and known.reference_time is not None else stamp


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


def _head(detection: Detection, size: int = HEAD_BYTES) -> bytes | None:
    try:
        return read_head(detection.source, size)
    except (MissingReaderError, OSError):
        return None  # reading the input will say so
