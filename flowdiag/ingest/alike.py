"""Files whose names differ in numbers alone: they are what the first of them is, if they look like it.

A rotation has hundreds of files, and asking every parser about each of them costs more than reading some.  So the
parser of the first one is asked alone; where it is less sure than it was there, all are asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from flowdiag.ingest.bundles import Hint
from flowdiag.ingest.compression import MissingReaderError
from flowdiag.ingest.deeper import CERTAIN, others_inside, windows_at_ends
from flowdiag.ingest.detection import Detection, InputKind, input_context
from flowdiag.ingest.envelopes import next_layer
from flowdiag.ingest.heads import clocks_around, cni_in, peeled, sniffed
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.reading import Source, read_head
from flowdiag.ingest.text import is_binary
from flowdiag.parserkit import Parser

__all__ = ["detect_like", "name_pattern"]

_ENDS = 1 << 12
"""Bytes at either end of a file that are looked at."""
_NUMBERS = re.compile(r"\d+")


def name_pattern(source: Source) -> str:
    """Give what the names of one rotation's files have in common."""
    return f"{source.kind}:{_NUMBERS.sub('#', source.name)}"


def detect_like(
    first: Detection, source: Source, hint: Hint, parsers: Sequence[Parser], options: ReadOptions
) -> Detection | None:
    """Say what `source` is, by what the first file of such a name is; ``None`` where all parsers must be asked.

    Args:
        first: of the first file, which every parser was asked about.
        source: another one.
        hint: of its bundle.
        parsers: who was asked.
        options: as for `flowdiag.ingest.detect.detect`.
    """
    if first.kind is not InputKind.EVIDENCE or options.format is not None or first.state_score > 0:
        return None
    if (hint.role, hint.prefer) != (first.hint.role, first.hint.prefer) or _doubted(first) or first.others:
        return None
    parser = next((one for one in parsers if one.name == first.parser), None)
    best = next((score for score in first.scores if score.parser == first.parser), None)
    if parser is None or best is None or parser.document:
        return None
    try:
        head = read_head(source, _ENDS)
    except (MissingReaderError, OSError):
        return None
    # The marks of a wrapper may be at the end of a longer line.
    if not head.strip() or (len(head) == _ENDS and b"\n" not in head[:-1]) or is_binary(head):
        return None
    context = input_context(source, hint, options)
    inner = peeled(head, first.stack, context)
    # A parser that searches inside lines claims wrapped lines, too.
    if next_layer(head) != next(iter(first.stack), None) or (first.stack and next_layer(inner) is not None):
        return None
    if sniffed(parser, inner) < best.score:
        return None
    carried = getattr(parser, "carries", ())
    known = [one for one in parsers if not (one.document or one is parser or one.name in carried)]

    def peel(window: bytes) -> bytes:
        return peeled(window, first.stack, context)

    try:
        # Asking this file's own parser about a few lines costs less than looking for the marks of all others.
        ends = [
            window
            for window in windows_at_ends(source, _ENDS, head)
            if any(sniffed(parser, line) < CERTAIN for line in peel(window).splitlines(keepends=True))
        ]
        if others_inside(ends, parser, known, sniffed, peel):
            return None
    except OSError:
        return None
    problems = clocks_around(head, first.stack, parser, context)
    return replace(
        first,
        source=source,
        cni=cni_in(parser, head),
        hint=hint,
        problems=problems,
        scores=(best,),
        faults=(),
    )


def _doubted(first: Detection) -> bool:
    """Whether another parser was nearly as sure."""
    return any(problem.code == "ambiguous-format" for problem in first.problems)
