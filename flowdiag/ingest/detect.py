"""What one input is: by its head, or else by what comes later in it; and which further formats it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from flowdiag.ingest.bundles import Hint, Role
from flowdiag.ingest.compression import MissingReaderError
from flowdiag.ingest.deeper import CERTAIN, others_inside, windows_at_ends, windows_near, windows_of_records
from flowdiag.ingest.detection import HEAD_BYTES, Detection, InputKind, input_context
from flowdiag.ingest.envelopes import LAYERS, is_document
from flowdiag.ingest.heads import Heads, detect_head, heads_of, peeled, rivals_in, sniffed
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source, is_whole, read_head, read_head_lines
from flowdiag.ingest.text import is_binary
from flowdiag.parserkit import ParseContext, Parser

__all__ = ["detect"]

_LONG_HEAD = 32 << 20
"""Bytes in which shorter lines are looked for, where the first lines are longer than a head."""
_PIECE_BYTES = 1 << 13
"""Lines from which on one may be a piece of a longer one: runtimes cut at 16 KiB, syslog daemons at 8."""
_NO_ERRORS = (b"", b"null", b"[]", b"{}")
_MIXED_DOCUMENT = 16 << 20
"""Larger documents are not unpacked once more to look for records of other formats."""
_MIXING = frozenset(LAYERS) - {
    "cri",
    "docker-json",
    "kubectl-timestamps",
    "svlogd",
    "json-array",
    "json-pretty",
    "syslog-rfc5424",
}
"""Wrappers that hold what several programs wrote; the others stand around one program's log."""


def detect(source: Source, hint: Hint, parsers: Sequence[Parser], options: ReadOptions) -> Detection:
    """Say what `source` is; never raises for what it holds.

    Args:
        source: the input.
        hint: of its bundle (`flowdiag.ingest.bundles.recognise`).
        parsers: who is asked.
        options: `format` forces a parser (on all but cluster objects), `state_sniff` knows those.
    """
    if hint.role in (Role.NOISE, Role.ENDPOINTS):
        return Detection(source=source, kind=InputKind.NOISE, hint=hint)
    try:
        head = read_head(source, HEAD_BYTES)
    except MissingReaderError as error:
        return _unreadable(source, hint, "needs-zstandard", str(error))
    except OSError as error:
        return _unreadable(source, hint, "unreadable", error.strerror or str(error))
    if hint.role is Role.ERRORS:
        return _refused(source, hint, head)
    if not head.strip() and len(head) < HEAD_BYTES:
        if is_whole(source):
            return _unreadable(source, hint, "empty", "no content")
        return _unreadable(source, hint, "corrupt", "nothing could be unpacked")
    if is_binary(head):
        from flowdiag.ingest.silent import binary_named

        return _unreadable(source, hint, "binary", binary_named(head) or "not text")
    context = input_context(source, hint, options)
    heads = heads_of(source, head, context)
    found = detect_head(source, hint, parsers, options, head, heads)
    if found.kind is InputKind.UNKNOWN and len(head) < HEAD_BYTES:
        from flowdiag.ingest.emptied import nothing_inside

        nothing = nothing_inside(head)
        return found if nothing is None else _unreadable(source, hint, "empty", nothing)
    if found.kind is InputKind.UNKNOWN:
        # No parser can tell what so long a line is; the shorter ones behind it decide.
        behind = _behind(source, head, heads.stack, context)
        if behind.strip():
            later = detect_head(source, hint, parsers, options, behind)
            if later.kind is InputKind.EVIDENCE and not is_document(later.stack):
                reader = next((parser for parser in parsers if parser.name == later.parser), None)
                return found if reader is None or reader.document else later
        return _deeper(source, hint, parsers, options, heads.stack) or found
    if found.kind is InputKind.EVIDENCE and options.format is None:
        return _with_others(found, parsers, heads, context)
    return found


def _with_others(
    found: Detection, parsers: Sequence[Parser], heads: Heads, context: ParseContext
) -> Detection:
    """Add the names of other parsers that have records in it.

    A collector's export is searched for some megabytes; of any other file the ends tell whether two files were joined.
    """
    source, stack = found.source, found.stack
    reader = next((parser for parser in parsers if parser.name == found.parser), None)
    if reader is None or reader.document:
        return found
    mixing, document = bool(_MIXING & {*stack}), is_document(stack)
    if document and (not mixing or source.size > _MIXED_DOCUMENT):
        return found
    carried = getattr(reader, "carries", ())
    known = [
        parser
        for parser in parsers
        if not parser.document and parser is not reader and parser.name not in carried
    ]
    certain = [
        parser
        for parser in known
        if any(score.parser == parser.name and score.score >= CERTAIN for score in found.scores)
    ]

    def names_in(windows: Iterable[bytes], rivals: Sequence[Parser]) -> list[str]:
        return others_inside(
            windows,
            reader,
            known,
            sniffed,
            lambda window: window if document else peeled(window, stack, context),
            rivals,
        )

    try:
        lines = peeled(heads.lines or b"", stack[1:], context) if document else source
        head = None if document else heads.found[0][1]
        # At the ends every parser is asked; in between only those whose marks occur, or that were certain of the
        # head.
        names = names_in(windows_at_ends(lines, head=head), known)
        if mixing:
            names = sorted({*names, *names_in(windows_near(lines), certain)})
    except OSError:
        return found  # reading it will say so
    if not names:
        return found
    carrier = next(
        (one for one in known if one.name in names and reader.name in getattr(one, "carries", ())), None
    )
    if carrier is not None:
        names = [name for name in names if name != carrier.name]
        found = replace(found, parser=carrier.name, cni=carrier.cni)
    if not rivals_in(found.scores) <= {*names, found.parser}:
        # Lines that each has for itself do not tell whose the lines are that two of them know.
        return replace(found, others=tuple(names))
    clear = tuple(problem for problem in found.problems if problem.code != "ambiguous-format")
    return replace(found, others=tuple(names), problems=clear)


def _deeper(
    source: Source, hint: Hint, parsers: Sequence[Parser], options: ReadOptions, stack: tuple[str, ...]
) -> Detection | None:
    """Say what an input is by records that begin behind its head; `stack` are the wrappers that the head has, if any."""
    known = [parser for parser in parsers if not parser.document]
    context = input_context(source, hint, options)
    if is_document(stack):
        return None
    try:
        for window in windows_of_records(
            source,
            known,
            sniffed,
            lambda lines: peeled(lines, stack, context),
            # A bucket's object is not looked through, and gives so much at once.
            of_one=hint.container is not None or source.remote,
        ):
            found = detect_head(source, hint, known, options, window)
            if found.kind is InputKind.EVIDENCE and not is_document(found.stack):
                return found
    except OSError:
        return None  # reading it will say so
    return None


def _behind(source: Source, head: bytes, stack: tuple[str, ...], context: ParseContext) -> bytes:
    """The first lines behind one that fills the head, also where a runtime wrote it in pieces; empty where none does."""
    longest = HEAD_BYTES
    if not _long_line(head):
        if not stack or is_document(stack) or not _long_line(peeled(head, stack, context).rstrip(b"\n")):
            return b""
        longest = _PIECE_BYTES
    return read_head_lines(source, HEAD_BYTES, within=_LONG_HEAD, longest=longest)


def _long_line(head: bytes) -> bool:
    """Whether the head is mostly a line that does not end in it."""
    return len(head) - head.rfind(b"\n") > HEAD_BYTES // 2


def _unreadable(source: Source, hint: Hint, code: str, message: str) -> Detection:
    problem = InputProblem(source.name, code, message)
    return Detection(source=source, kind=InputKind.UNREADABLE, hint=hint, problems=(problem,))


def _refused(source: Source, hint: Hint, head: bytes) -> Detection:
    """Give a collector's list of refused kinds as cluster objects: whoever reads these takes the kinds for unknown, not empty."""
    if head.strip() in _NO_ERRORS:
        return Detection(source=source, kind=InputKind.NOISE, hint=hint)
    said = " ".join(head[:300].decode("utf-8", "replace").split())
    problem = InputProblem(
        source.name, "no-permission", f"the collector could not read these objects: {said}"
    )
    return Detection(source=source, kind=InputKind.STATE, hint=hint, problems=(problem,))
