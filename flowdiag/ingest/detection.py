"""What is known of an input before it is read: the values that detection gives, and that reading works from."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from flowdiag.ingest.bundles import Hint
from flowdiag.ingest.options import ReadOptions
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source
from flowdiag.ingest.rotation import name_time
from flowdiag.parserkit import ParseContext

__all__ = ["DOCUMENT_BYTES", "HEAD_BYTES", "SURE", "Detection", "InputKind", "Score", "input_context"]

HEAD_BYTES = 1 << 16
SURE = 0.6
"""Above this a parser's claim counts."""
DOCUMENT_BYTES = 256 << 20
"""The largest whole document that is read; it is held in memory."""


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
    cni: str | None = None
    """The CNI that its records show: the parser's, unless the parser knows better by this input's head."""
    stack: tuple[str, ...] = ()
    """Wrappers around the parser's records, outermost first."""
    scores: tuple[Score, ...] = ()
    """Each parser's best, surest first; those at 0 left out."""
    state_score: float = 0.0
    hint: Hint = Hint()
    problems: tuple[InputProblem, ...] = ()
    others: tuple[str, ...] = ()
    """Parsers that have records in it beside those of `parser`."""
    among: tuple[str, ...] = ()
    """All parsers that read it, where there are several: each gets its own lines."""
    year: int | None = None
    """Of its first stamp without one, where ``--year`` is given."""
    near: int | None = None
    """When other inputs begin, where its stamps carry no year and nothing of its own tells which it is, nanoseconds."""
    faults: tuple[str, ...] = ()
    """Promises that parsers broke when they were asked about it, in words."""


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
        pod_nodes=options.pod_nodes,
        endpoint_ids=options.endpoint_ids.get(hint.node or "", {}),
    )
