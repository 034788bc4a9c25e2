"""What an input is: wrappers peeled from its head, every parser asked, the surest taken."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.ingest.bundles import Hint, Role
from flowdiag.ingest.clocks import clocks_apart, year_from_inside
from flowdiag.ingest.compression import MissingReaderError
from flowdiag.ingest.deeper import others_inside, windows_of_records
from flowdiag.ingest.envelopes import DEPTH, LAYERS, Peeler, is_document, next_layer
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.own_reports import is_own_report
from flowdiag.ingest.printed import printed_by_kubectl
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source, is_whole, read_head, read_head_lines
from flowdiag.ingest.rotation import name_time
from flowdiag.ingest.text import is_binary
from flowdiag.parserkit import ParseContext, Parser
from flowdiag.parserkit.promises import BrokenPromiseError

__all__ = [
    "DOCUMENT_BYTES",
    "HEAD_BYTES",
    "Detection",
    "InputKind",
    "Score",
    "clocks_around",
    "detect",
    "detect_head",
    "input_context",
    "peeled",
    "rivals_of",
    "sniffed",
]

HEAD_BYTES = 1 << 16
_LONG_HEAD = 32 << 20
"""So far lines are looked for that somebody knows, behind ones that are longer than a head."""
_PIECE_BYTES = 1 << 13
"""Lines from which on one may be a piece of a longer one: runtimes cut at 16 KiB, syslog daemons at 8."""
DOCUMENT_BYTES = 256 << 20
"""The largest whole document that is read; it is held in memory."""
_SURE = 0.6
_TIE = 0.1
_PEEL_MARGIN = 0.05
"""How much less sure a parser may be of the peeled head than of the wrapped one for peeling to be right: a
parser that searches inside lines likes both alike, and only the peeled form has node and outer time."""
_STATE_MARGIN = 0.1
_ELEMENTS = frozenset(name for name in LAYERS if is_document((name,)) or name == "json-pretty")
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


class InputKind(StrEnum):
    """What becomes of an input."""

    EVIDENCE = "evidence"
    STATE = "state"
    NOISE = "noise"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"


class Score(Struct, frozen=True):
    """How sure one parser is, and behind which wrappers."""

    parser: str
    score: float
    stack: tuple[str, ...]


class Detection(Struct, frozen=True, kw_only=True):
    """What one input is, and everything that was tried, for ``flowdiag parsers detect``."""

    source: Source
    kind: InputKind
    parser: str | None = None
    """Set for evidence."""
    stack: tuple[str, ...] = ()
    """Wrappers around the parser's records, outermost first."""
    scores: tuple[Score, ...] = ()
    """Each parser's best, surest first; those at 0 left out."""
    state_score: float = 0.0
    hint: Hint = Hint()
    problems: tuple[InputProblem, ...] = ()
    year: int | None = None
    """Of its first stamp without one, where ``--year`` is given."""
    faults: tuple[str, ...] = ()
    """What parsers did wrong when they were asked about it."""


def input_context(source: Source, hint: Hint, options: ReadOptions) -> ParseContext:
    """What is known of an input before it is read.

    A year is inferred from when the bundle was collected, else from the stamp in a rotated file's name, else from
    the archive's time for the member.
    """
    near = (hint.taken, name_time(source.name), source.member_time)
    return ParseContext(
        input=source.name,
        zone=options.zone,
        year=options.year,
        reference_time=next((at for at in near if at is not None), None),
        node=hint.node,
        namespace=hint.namespace,
        pod=hint.pod,
        container=hint.container,
        keep_raw=options.keep_raw,
        endpoint_ids=options.endpoint_ids.get(hint.node or "", {}),
    )


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
        return _unreadable(source, hint, "binary", "not text")
    found = detect_head(source, hint, parsers, options, head)
    if found.kind is InputKind.UNKNOWN and len(head) == HEAD_BYTES:
        # Of a line that long nobody can tell: whose the others are decides.
        context = input_context(source, hint, options)
        stack = _heads(source, head, context)[-1][0]
        behind = _behind(source, head, stack, context)
        if behind.strip():
            later = detect_head(source, hint, parsers, options, behind)
            if later.kind is InputKind.EVIDENCE and not is_document(later.stack):
                reader = next((parser for parser in parsers if parser.name == later.parser), None)
                return found if reader is None or reader.document else later
        if not source.remote:
            return _deeper(source, hint, parsers, options, stack) or found
    if found.kind is InputKind.EVIDENCE and options.format is None and _MIXING & {*found.stack}:
        return _with_others(found, parsers, input_context(source, hint, options))
    return found


def _with_others(found: Detection, parsers: Sequence[Parser], context: ParseContext) -> Detection:
    """Say of a collector's export what other formats it holds records of: one parser reads an input."""
    reader = next((parser for parser in parsers if parser.name == found.parser), None)
    if found.source.remote or reader is None:
        return found
    if is_document(found.stack) and found.source.size > _MIXED_DOCUMENT:
        return found
    known = [parser for parser in parsers if not parser.document and parser is not reader]
    lines: Source | bytes = found.source
    try:
        if is_document(found.stack):
            lines = peeled(read_head(found.source, DOCUMENT_BYTES), found.stack, context)
        names = others_inside(
            lines, reader, known, sniffed, lambda window: peeled(window, found.stack, context)
        )
    except OSError:
        return found  # reading it will say so
    if not names:
        return found
    told = (
        f"read as {found.parser}; it also holds records of {', '.join(names)}, which are not read: "
        f"give it once more on its own with --format {names[0]}"
    )
    others = tuple(problem for problem in found.problems if problem.code != "ambiguous-format")
    return replace(found, problems=(*others, InputProblem(found.source.name, "other-records", told)))


def _deeper(
    source: Source, hint: Hint, parsers: Sequence[Parser], options: ReadOptions, stack: tuple[str, ...]
) -> Detection | None:
    """What an input is by records that begin behind its head, which has the wrappers of `stack`, if it has any."""
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
            of_one=hint.container is not None,
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


def detect_head(
    source: Source, hint: Hint, parsers: Sequence[Parser], options: ReadOptions, head: bytes
) -> Detection:
    """As `detect`, where the first bytes are known; documents are looked at in `source` itself."""
    if options.format is not None:
        parsers = [parser for parser in parsers if parser.name == options.format]
    context = input_context(source, hint, options)
    heads = _heads(source, head, context)
    faults: dict[str, None] = {}
    scores = _scores(parsers, heads, faults)
    state = options.state_sniff(head) if options.state_sniff is not None else 0.0
    listed = tuple(score for score in scores if score.score > 0)
    detection = Detection(
        source=source,
        kind=InputKind.UNKNOWN,
        scores=listed,
        state_score=state,
        hint=hint,
        faults=tuple(faults),
    )
    best = scores[0] if scores else None
    if options.format is not None and (state <= _SURE or (best is not None and best.score >= state)):
        # Forced, but not on cluster objects: the stack under which it is surest; where it is sure of none (the
        # first lines are somebody else's, or cut), all wrappers that are known are taken off.
        stack = best.stack if best is not None else ()
        if best is not None and best.score <= _SURE and not parsers[0].document:
            stack = heads[-1][0]
        problems = clocks_around(head, stack, parsers[0], context) if parsers else ()
        return _as(detection, InputKind.EVIDENCE, parser=options.format, stack=stack, problems=problems)
    if best is not None and best.score > _SURE and best.score + _STATE_MARGIN > state:
        rivals = [
            score
            for score in rivals_of(best, scores)
            if score.score > _SURE and best.score - score.score < _TIE
        ]
        preferred = next((score for score in rivals if score.parser == hint.prefer), None)
        winner = preferred or _tells_refusals([best, *rivals], parsers) or best
        others = [score for score in (best, *rivals) if score is not winner]
        problems = () if not others or hint.prefer == winner.parser else (_ambiguous(source, winner, others),)
        reader = next(parser for parser in parsers if parser.name == winner.parser)
        problems += clocks_around(head, winner.stack, reader, context)
        return _as(detection, InputKind.EVIDENCE, parser=winner.parser, stack=winner.stack, problems=problems)
    if state > _SURE or (hint.role is Role.STATE and options.state_sniff is None):
        return _as(detection, InputKind.STATE)
    if is_own_report(head):
        own = InputProblem(
            source.name, "own-report", "flowdiag wrote this itself: it is no evidence, and left out"
        )
        return _as(detection, InputKind.NOISE, problems=(own,))
    printed = printed_by_kubectl(head) if not listed else None
    tried = printed if printed is not None else _tried(listed, len(parsers), heads[-1][0])
    problem = InputProblem(source.name, "unknown-format", tried)
    return _as(detection, InputKind.UNKNOWN, problems=(problem,))


def _tells_refusals(scores: Sequence[Score], parsers: Sequence[Parser]) -> Score | None:
    """The surest whose parser promises marks of refusals: beside an audit log's records they are what is looked for."""
    promise = {
        parser.name
        for parser in parsers
        if hasattr(parser, "record_words") or hasattr(parser, "denied_marks")
    }
    return next((score for score in scores if score.parser in promise), None)


def _heads(source: Source, head: bytes, context: ParseContext) -> list[tuple[tuple[str, ...], bytes]]:
    """The head as it is, and with ever more wrappers peeled."""
    heads: list[tuple[tuple[str, ...], bytes]] = [((), head)]
    stack: tuple[str, ...] = ()
    whole = head
    while len(stack) < DEPTH:
        name = next_layer(heads[-1][1])
        if name is None:
            break
        stack = (*stack, name)
        if len(stack) == 1 and is_document(stack) and len(head) == HEAD_BYTES:
            whole = read_head(source, DOCUMENT_BYTES)
        inner = peeled(whole, stack, context)
        if not inner.strip() or inner == heads[-1][1]:
            break
        heads.append((stack, inner[:HEAD_BYTES]))
    return heads


def peeled(head: bytes, stack: tuple[str, ...], context: ParseContext) -> bytes:
    """The first bytes with the wrappers of `stack` taken off."""
    if not stack:
        return head
    peeler = Peeler(stack, context)
    return peeler.peel(head, 1).data + b"".join(rows.data for rows in peeler.flush())


def clocks_around(
    head: bytes, stack: tuple[str, ...], parser: Parser, context: ParseContext
) -> tuple[InputProblem, ...]:
    """Whether the stamps around the first lines lie hours from those inside."""
    if not stack or parser.document or (is_document(stack) and len(head) == HEAD_BYTES):
        return ()
    # A fresh context, as for reading: nothing of what a parser remembers may leak from here.
    rows = Peeler(stack, context).peel(head, 1)
    near = year_from_inside(rows, parser, context)
    if near is not None:
        context = replace(context, reference_time=near)
        rows = Peeler(stack, context).peel(head, 1)
    found = clocks_apart(rows, parser, context)
    return () if found is None else (found,)


def _scores(
    parsers: Sequence[Parser], heads: list[tuple[tuple[str, ...], bytes]], faults: dict[str, None]
) -> list[Score]:
    found = []
    for parser in parsers:
        best = Score(parser.name, -1.0, ())
        for stack, head in heads:
            score = sniffed(parser, head, faults)
            margin = 0.0 if not stack or parser.document else _PEEL_MARGIN
            if score > best.score or (stack and score > _SURE and score >= best.score - margin):
                best = Score(parser.name, max(score, best.score), stack)
        found.append(best)
    whole = {parser.name for parser in parsers if parser.document}
    return sorted(found, key=lambda score: (-score.score, score.parser not in whole, score.parser))


def rivals_of(winner: Score, scores: Sequence[Score]) -> list[Score]:
    """The others that contradict `winner`.

    A parser of whole documents and one that reads the same document's elements, peeled, do not.
    """
    return [
        score
        for score in scores
        if score.parser != winner.parser
        and not (not winner.stack and score.stack and score.stack[0] in _ELEMENTS)
    ]


def sniffed(parser: Parser, head: bytes, faults: dict[str, None] | None = None) -> float:
    """How sure a parser is, 0 to 1; `faults` grows by what one did wrong, which then claims nothing."""
    try:
        return min(max(float(parser.sniff(head)), 0.0), 1.0)
    except BrokenPromiseError as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001 - a parser that cannot say what it thinks of a head claims nothing.
        fault = f"parser {parser.name} raised {type(error).__name__}: {error} in sniff"
    if faults is not None:
        faults[fault] = None
    return 0.0


def _as(
    detection: Detection,
    kind: InputKind,
    *,
    parser: str | None = None,
    stack: tuple[str, ...] = (),
    problems: tuple[InputProblem, ...] = (),
) -> Detection:
    return Detection(
        source=detection.source,
        kind=kind,
        parser=parser,
        stack=stack,
        scores=detection.scores,
        state_score=detection.state_score,
        hint=detection.hint,
        problems=problems,
        faults=detection.faults,
    )


def _unreadable(source: Source, hint: Hint, code: str, message: str) -> Detection:
    problem = InputProblem(source.name, code, message)
    return Detection(source=source, kind=InputKind.UNREADABLE, hint=hint, problems=(problem,))


def _refused(source: Source, hint: Hint, head: bytes) -> Detection:
    """A collector's list of errors: an absent kind is then unknown, not empty."""
    if head.strip() in _NO_ERRORS:
        return Detection(source=source, kind=InputKind.NOISE, hint=hint)
    said = " ".join(head[:300].decode("utf-8", "replace").split())
    return _unreadable(source, hint, "no-permission", f"the collector could not read these objects: {said}")


def _ambiguous(source: Source, winner: Score, rivals: Sequence[Score]) -> InputProblem:
    others = ", ".join(f"{score.parser} ({score.score:.2f})" for score in rivals)
    return InputProblem(
        source.name,
        "ambiguous-format",
        f"read as {winner.parser} ({winner.score:.2f}); nearly as likely: {others}; --format decides",
    )


def _tried(scores: Sequence[Score], asked: int, stack: tuple[str, ...]) -> str:
    behind = f", bare or behind {' + '.join(stack)}" if stack else ""
    if scores:
        nearest = ", ".join(f"{score.parser} ({score.score:.2f})" for score in scores[:3])
        tried = f"none of {asked} parsers is sure of it{behind}; nearest: {nearest}"
    else:
        tried = f"none of {asked} parsers knows it{behind}"
    return f"{tried}; --format NAME forces one, 'flowdiag parsers' lists them and says how to write one"
