"""What the first bytes of an input are: wrappers are peeled, every parser is asked, and the surest is taken."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.ingest.bundles import Hint, Role
from flowdiag.ingest.clocks import clocks_apart, year_from_inside
from flowdiag.ingest.detection import (
    DOCUMENT_BYTES,
    HEAD_BYTES,
    SURE,
    Detection,
    InputKind,
    Score,
    input_context,
)
from flowdiag.ingest.envelopes import (
    DEPTH,
    LAYERS,
    Peeler,
    Rows,
    is_document,
    keeps_nuls,
    longest_line,
    next_layer,
)
from flowdiag.ingest.envelopes.json_lines import JsonLines
from flowdiag.ingest.nuls import without_nuls
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.own_reports import is_own_report
from flowdiag.ingest.printed import printed_by_kubectl
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source, read_head
from flowdiag.parserkit import ParseContext, Parser
from flowdiag.parserkit.promises import BrokenPromiseError

__all__ = [
    "Heads",
    "clocks_around",
    "cni_in",
    "detect_head",
    "heads_of",
    "peeled",
    "rivals_in",
    "rivals_of",
    "sniffed",
]

_TIE = 0.1
_PEEL_MARGIN = 0.05
"""How much less sure a parser may be of the peeled head than of the wrapped one for both to be as good: a
parser that searches inside lines likes both alike, and only the peeled form has node and outer time."""
_MIXED_MARGIN = 0.3
"""And for taking an object off to be right still: around each line it hides from a parser that it shares the log."""
_STATE_MARGIN = 0.1
_DEEPER = 4 * HEAD_BYTES
"""Bytes inside a document that are looked at for a wrapper around each of its lines."""
_OBJECTS = frozenset(name for name, layer in LAYERS.items() if issubclass(layer, JsonLines))
_ELEMENTS = frozenset(name for name in LAYERS if is_document((name,)) or name == "json-pretty")


def detect_head(
    source: Source,
    hint: Hint,
    parsers: Sequence[Parser],
    options: ReadOptions,
    head: bytes,
    heads: Heads | None = None,
) -> Detection:
    """As `detect`, for first bytes that were read already; of documents, more is read from `source`."""
    if options.format is not None:
        parsers = [parser for parser in parsers if parser.name == options.format]
    elif is_own_report(head):
        # Such a record holds other records as text, beside what they say, and they would be counted twice.
        own = InputProblem(
            source.name, "own-report", "flowdiag wrote this itself: it is no evidence, and left out"
        )
        return Detection(source=source, kind=InputKind.NOISE, hint=hint, problems=(own,))
    context = input_context(source, hint, options)
    heads = heads or heads_of(source, head, context)
    faults: dict[str, None] = {}
    scores = _scores(parsers, heads.found, faults)
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
    if options.format is not None and (state <= SURE or (best is not None and best.score >= state)):
        # Forced, but not on cluster objects.
        reader = parsers[0] if parsers else None
        stack = _forced_stack(best, reader, heads)
        problems = clocks_around(head, stack, reader, context) if reader is not None else ()
        cni = cni_in(reader, head) if reader is not None else None
        return _as(
            detection, InputKind.EVIDENCE, parser=options.format, cni=cni, stack=stack, problems=problems
        )
    if best is not None and best.score > SURE and best.score + _STATE_MARGIN > state:
        winner, problems = _surest(detection, best, scores, parsers)
        reader = next(parser for parser in parsers if parser.name == winner.parser)
        problems += clocks_around(head, winner.stack, reader, context)
        return _as(
            detection,
            InputKind.EVIDENCE,
            parser=winner.parser,
            cni=cni_in(reader, head),
            stack=winner.stack,
            problems=problems,
        )
    if state > SURE or (hint.role is Role.STATE and options.state_sniff is None):
        return _as(detection, InputKind.STATE)
    printed = printed_by_kubectl(head) if not listed else None
    # Imported here, since its patterns are only needed where no parser knows an input.
    from flowdiag.ingest.silent import known_to_be_silent

    printed = printed or known_to_be_silent([inner for _, inner in heads.found])
    tried = printed if printed is not None else _tried(listed, len(parsers), heads.stack)
    problem = InputProblem(source.name, "unknown-format", tried)
    return _as(detection, InputKind.UNKNOWN, problems=(problem,))


def _forced_stack(best: Score | None, reader: Parser | None, heads: Heads) -> tuple[str, ...]:
    """The wrappers under which a parser that was asked for is surest.

    Where it is sure of none (the first lines are somebody else's, or cut), all wrappers that are known are taken off.
    """
    if best is None or reader is None:
        return ()
    return best.stack if best.score > SURE or reader.document else heads.stack


def _surest(
    detection: Detection, best: Score, scores: Sequence[Score], parsers: Sequence[Parser]
) -> tuple[Score, tuple[InputProblem, ...]]:
    """Which of the parsers that are about as sure as the best one reads the input, and what is to be said of the choice."""
    rivals = [
        score for score in rivals_of(best, scores) if score.score > SURE and best.score - score.score < _TIE
    ]
    prefer = detection.hint.prefer
    preferred = next((score for score in rivals if score.parser == prefer), None)
    winner = preferred or _tells_refusals([best, *rivals], parsers) or best
    others = [score for score in (best, *rivals) if score is not winner]
    if not others or prefer == winner.parser:
        return winner, ()
    return winner, (_ambiguous(detection.source, winner, others),)


def _tells_refusals(scores: Sequence[Score], parsers: Sequence[Parser]) -> Score | None:
    """Give the surest parser that promises marks of refusals: these are looked for, rather than an audit log's records."""
    promise = {
        parser.name
        for parser in parsers
        if hasattr(parser, "record_words") or hasattr(parser, "denied_marks")
    }
    return next((score for score in scores if score.parser in promise), None)


class Heads(Struct):
    """A head, as it is and with one wrapper after another peeled; each with the names of the wrappers that were taken off."""

    found: list[tuple[tuple[str, ...], bytes]]
    lines: bytes | None = None
    """Of a document all its lines, without the outermost wrapper."""

    @property
    def stack(self) -> tuple[str, ...]:
        """All wrappers that are known."""
        return self.found[-1][0]


def heads_of(source: Source, head: bytes, context: ParseContext) -> Heads:
    """The head of `source`, and what stands in its wrappers; each is taken off once."""
    last = _text_of(head)
    heads = Heads([((), last)])
    while len(heads.found) <= DEPTH:
        name = next_layer(heads.found[-1][1])
        if name is None:
            break
        document = len(heads.found) == 1 and is_document((name,))
        if len(heads.found) == 1 and len(head) == HEAD_BYTES:
            if document:
                last = read_head(source, DOCUMENT_BYTES)
            elif b"\n" not in head:
                # A batch of records on one line, as collectors push them, fills more than a head.
                longer = read_head(source, longest_line((name,)) + 1)
                last = longer[: longer.rfind(b"\n") + 1] or longer
        inner = peeled(last, (name,), context)
        if not inner.strip() or inner == last:
            break
        if document:
            heads.lines = inner
        heads.found.append(((*heads.stack, name), inner[:HEAD_BYTES]))
        last = inner if len(inner) <= _DEEPER else inner[: inner.rfind(b"\n", 0, _DEEPER) + 1] or inner
    return heads


def _text_of(head: bytes) -> bytes:
    """The head as its lines will be read: without the NULs that a crash left, behind which the first record begins."""
    if b"\0" not in head:
        return head
    name = next_layer(head)
    if name is not None and keeps_nuls((name,)):
        return head
    return without_nuls(Rows(data=head, lines=range(head.count(b"\n") + 1))).data


def peeled(head: bytes, stack: tuple[str, ...], context: ParseContext) -> bytes:
    """The first bytes with the wrappers of `stack` taken off."""
    if not stack:
        return head
    peeler = Peeler(stack, context)
    return peeler.peel(head, 1).data + b"".join(rows.data for rows in peeler.flush())


def clocks_around(
    head: bytes, stack: tuple[str, ...], parser: Parser, context: ParseContext
) -> tuple[InputProblem, ...]:
    """Say whether the stamps around the first lines lie hours from those inside."""
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
            alike = 0.0 if not stack or parser.document else _PEEL_MARGIN
            mixed = _MIXED_MARGIN if alike and stack[-1] in _OBJECTS else alike
            if score > best.score or (stack and score > SURE and score >= best.score - mixed):
                best = Score(
                    parser.name, score if score < best.score - alike else max(score, best.score), stack
                )
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


def rivals_in(scores: Sequence[Score]) -> set[str]:
    """Parsers that are about as sure as the best one, and that one."""
    best = scores[0]
    near = (score for score in rivals_of(best, scores) if best.score - score.score < _TIE)
    return {best.parser, *(score.parser for score in near if score.score > SURE)}


def sniffed(parser: Parser, head: bytes, faults: dict[str, None] | None = None) -> float:
    """Say how sure a parser is, 0 to 1; one that breaks a promise claims nothing, and is added to `faults`."""
    try:
        return min(max(float(parser.sniff(head)), 0.0), 1.0)
    except BrokenPromiseError as error:
        fault = str(error)
    except Exception as error:  # noqa: BLE001 - a parser that cannot say what it thinks of a head claims nothing.
        fault = f"parser {parser.name} raised {type(error).__name__}: {error} in sniff"
    if faults is not None:
        faults[fault] = None
    return 0.0


def cni_in(parser: Parser, head: bytes) -> str | None:
    """The CNI that records like those of `head` show."""
    ask = getattr(parser, "cni_in", None)
    if ask is None:
        return parser.cni
    try:
        cni = ask(head)
    except BrokenPromiseError:  # another distribution's parser; its records are read, and show no CNI
        return None
    return cni if isinstance(cni, str) and cni else None


def _as(
    detection: Detection,
    kind: InputKind,
    *,
    parser: str | None = None,
    cni: str | None = None,
    stack: tuple[str, ...] = (),
    problems: tuple[InputProblem, ...] = (),
) -> Detection:
    return Detection(
        source=detection.source,
        kind=kind,
        parser=parser,
        cni=cni,
        stack=stack,
        scores=detection.scores,
        state_score=detection.state_score,
        hint=detection.hint,
        problems=problems,
        faults=detection.faults,
    )


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
