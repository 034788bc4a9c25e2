"""Inputs that look like others: they are what those are.

A rotation has hundreds of files, a folder of one program's logs as many with names that have nothing in common, and
asking every parser about each of them costs more than reading some.

- If the lines at the ends of a file look like lines that one parser is certain of (`flowdiag.ingest.line_shapes`), they
  are that parser's, whatever the file is called.  Where their beginnings do not tell whose they are (a shipper puts the same
  fields before all programs' records), that parser is asked about each line.
- If only numbers tell a file's name from another's, the parser of that one is asked alone; where it is less sure than it
  was there, all are asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.ingest.bundles import Hint
from flowdiag.ingest.compression import Kind, MissingReaderError
from flowdiag.ingest.deeper import CERTAIN, others_inside, windows_at_ends
from flowdiag.ingest.detection import HEAD_BYTES, Detection, InputKind, Score, input_context
from flowdiag.ingest.envelopes import next_layer
from flowdiag.ingest.heads import clocks_around, cni_in, peeled, sniffed
from flowdiag.ingest.line_shapes import behind_shape, line_ends, shapes_of
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source, read_head
from flowdiag.ingest.text import is_binary
from flowdiag.parserkit import Parser

__all__ = ["Alike", "name_pattern"]

_ENDS = 1 << 12
"""Bytes at either end of a rotation's file that are looked at; of a file of any name it is a whole head."""
_NUMBERS = re.compile(r"\d+")
_MOST_SHAPES = 1 << 10
"""Kept of what one parser is certain of."""
_MOST_NEW = 64
"""Learnt of one file: what a line is costs a tenth of a millisecond to find out, and text has a shape for each message."""
_FEW = 4
"""Files that are not worth learning from each other."""
_MOST_KINDS = 16
_WRAPPED = 2
"""Lines that are asked for a wrapper, each of which costs what asking the parser about some dozens does."""


def name_pattern(source: Source) -> str:
    """Give what the names of one rotation's files have in common."""
    return f"{source.kind}:{_NUMBERS.sub('#', source.name)}"


class _Known(Struct):
    """What an input was, and the shapes of lines like its own."""

    first: Detection
    parser: Parser
    score: float
    shapes: set[bytes]
    telling: set[bytes]
    """Those of them by which the parser goes: it is certain of them alone, or not certain of the line without them."""


class Alike:
    """Says what inputs are by those that every parser was asked about.

    Args:
        parsers: who was asked.
        options: as for `flowdiag.ingest.detect.detect`.
        inputs: how many there are.
    """

    def __init__(self, parsers: Sequence[Parser], options: ReadOptions, inputs: int) -> None:
        self._parsers = parsers
        self._options = options
        self._learns = inputs > _FEW
        self._by_name: dict[str, Detection] = {}
        self._known: list[_Known] = []

    def learn(self, found: Detection) -> Detection:
        """Remember what an input was found to be."""
        self._by_name.setdefault(name_pattern(found.source), found)
        known = self._kind(found)
        if known is not None:
            try:
                lines = line_ends(found.source, HEAD_BYTES)
            except OSError:
                return found  # reading it will say so
            if lines is not None and next_layer(lines[:_ENDS]) is None:
                self._take(known, lines)
        return found

    def like_any(self, source: Source, hint: Hint) -> Detection | None:
        """Say what an input of any name is; ``None`` where its lines are not like those of a known one."""
        if source.kind is not Kind.PLAIN or source.remote or not self._known:
            return None
        try:
            lines = line_ends(source, HEAD_BYTES)
        except OSError:
            return None
        told = None if lines is None else self._told(source, hint, lines)
        if told is not None:
            self._by_name.setdefault(name_pattern(source), told)
        return told

    def like_named(self, source: Source, hint: Hint) -> Detection | None:
        """Say what an input is by the first of such a name; ``None`` where all parsers must be asked.

        Args:
            source: another one.
            hint: of its bundle.
        """
        first = self._by_name[name_pattern(source)]
        if not self._serves(first) or (hint.role, hint.prefer) != (first.hint.role, first.hint.prefer):
            return None
        reading = self._reader(first)
        if reading is None:
            return None
        parser, score = reading
        try:
            plain = source.kind is Kind.PLAIN and not source.remote and not first.stack
            lines = line_ends(source, _ENDS) if plain else None
            if lines is not None and (told := self._told(source, hint, lines)) is not None:
                return told
            head = read_head(source, _ENDS)
        except (MissingReaderError, OSError):
            return None
        # The marks of a wrapper may be at the end of a longer line.
        if not head.strip() or (len(head) == _ENDS and b"\n" not in head[:-1]) or is_binary(head):
            return None
        context = input_context(source, hint, self._options)
        inner = peeled(head, first.stack, context)
        # A parser that searches inside lines claims wrapped lines, too.
        if next_layer(head) != next(iter(first.stack), None) or (
            first.stack and next_layer(inner) is not None
        ):
            return None
        if sniffed(parser, inner) < score or self._holds_others(source, head, first, parser, hint):
            return None
        if lines is not None and (known := self._kind(first)) is not None:
            self._take(known, lines)
        problems = clocks_around(head, first.stack, parser, context)
        return self._as(first, source, hint, score, cni_in(parser, head), problems=problems)

    def _holds_others(
        self, source: Source, head: bytes, first: Detection, parser: Parser, hint: Hint
    ) -> bool:
        """Whether another parser has records at an input's ends."""
        context = input_context(source, hint, self._options)
        carried = getattr(parser, "carries", ())
        rest = [one for one in self._parsers if not (one.document or one is parser or one.name in carried)]

        def peel(window: bytes) -> bytes:
            return peeled(window, first.stack, context)

        try:
            # Asking this file's own parser about a few lines costs less than looking for the marks of all others.
            ends = [
                window
                for window in windows_at_ends(source, _ENDS, head)
                if any(sniffed(parser, line) < CERTAIN for line in peel(window).splitlines(keepends=True))
            ]
            return bool(others_inside(ends, parser, rest, sniffed, peel))
        except OSError:
            return True

    def _told(self, source: Source, hint: Hint, lines: bytes) -> Detection | None:
        """Say what an input is by the shapes of its lines alone."""
        shapes = shapes_of(lines)
        if not shapes:
            return None
        first_lines = lines[: lines.find(b"\n", _ENDS) + 1] or lines
        for known in self._known:
            first = known.first
            if (hint.role, hint.prefer) != (first.hint.role, first.hint.prefer) or not shapes <= known.shapes:
                continue
            if (
                sniffed(known.parser, first_lines) >= known.score
                and (shapes <= known.telling or _knows_each(known.parser, lines))
                and not (_is_one(lines) and next_layer(lines) is not None)
            ):
                cni = cni_in(known.parser, lines[:HEAD_BYTES])
                return self._as(first, source, hint, known.score, cni)
        return None

    def _take(self, known: _Known, lines: bytes) -> None:
        """Add the shapes of lines that a parser is certain of."""
        most = min(len(known.shapes) + _MOST_NEW, _MOST_SHAPES)
        for line in lines.splitlines(keepends=True):
            if len(known.shapes) >= most:
                return
            new = shapes_of(line) - known.shapes
            # Among bare lines some may be wrapped, and a parser that searches inside lines knows them, too.
            if new and sniffed(known.parser, line) >= CERTAIN and next_layer(line) is None:
                known.shapes |= new
                behind = sniffed(known.parser, behind_shape(line))
                known.telling |= {
                    shape for shape in new if behind < CERTAIN or sniffed(known.parser, shape) >= CERTAIN
                }

    def _kind(self, found: Detection) -> _Known | None:
        """The shapes of what an input is; ``None`` where lines alone do not tell what others are."""
        source = found.source
        if (
            not self._learns
            or not self._serves(found)
            or found.stack
            or source.kind is not Kind.PLAIN
            or source.remote
        ):
            return None
        reading = self._reader(found)
        if reading is None or reading[1] < CERTAIN:
            return None
        for known in self._known:
            if (known.first.parser, known.first.hint.role, known.first.hint.prefer) == (
                found.parser,
                found.hint.role,
                found.hint.prefer,
            ):
                return known
        if len(self._known) == _MOST_KINDS:
            return None
        self._known.append(_Known(found, *reading, set(), set()))
        return self._known[-1]

    def _serves(self, first: Detection) -> bool:
        """Whether others may be what an input is: evidence of one parser beyond doubt."""
        return (
            first.kind is InputKind.EVIDENCE
            and self._options.format is None
            and not first.state_score > 0
            and not _doubted(first)
            and not first.others
        )

    def _reader(self, first: Detection) -> tuple[Parser, float] | None:
        """Who reads an input, and how sure of it that parser was."""
        parser = next((one for one in self._parsers if one.name == first.parser), None)
        score = next((score for score in first.scores if score.parser == first.parser), None)
        return None if parser is None or score is None or parser.document else (parser, score.score)

    def _as(
        self,
        first: Detection,
        source: Source,
        hint: Hint,
        score: float,
        cni: str | None,
        problems: tuple[InputProblem, ...] = (),
    ) -> Detection:
        best = Score(first.parser or "", score, first.stack)
        return replace(first, source=source, cni=cni, hint=hint, problems=problems, scores=(best,), faults=())


def _knows_each(parser: Parser, lines: bytes) -> bool:
    """Whether a parser is certain of every line, and the first ones are in no wrapper, inside which it may know them, too."""
    each = [line for line in lines.splitlines(keepends=True) if not line.isspace()]
    if not all(sniffed(parser, line) >= CERTAIN for line in each):
        return False
    return next_layer(b"".join(each[:_WRAPPED])) is None


def _is_one(lines: bytes) -> bool:
    """Whether they are one: several records may share it, which a wrapper tells apart that begins as a bare record does."""
    return lines.rstrip(b"\n").find(b"\n") < 0


def _doubted(first: Detection) -> bool:
    """Whether another parser was nearly as sure."""
    return any(problem.code == "ambiguous-format" for problem in first.problems)
