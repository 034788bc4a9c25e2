"""The result of folding a part in another process or machine, as bytes.

`fold_part` is a plain function of a picklable value, so that it runs alike here and on another machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from flowdiag.ingest.fold import failed, fold_into
from flowdiag.ingest.parts import Part, lines_in, settled
from flowdiag.ingest.problems import InputProblem
from flowdiag.parserkit.promises import BrokenPromiseError
from flowdiag.tally import Limits, Tally

__all__ = ["PartOutcome", "fold_loose", "fold_parts", "joined", "lines_of", "read_outcome"]


class PartOutcome(Struct, frozen=True, kw_only=True):
    """What became of one part, or of several that were joined."""

    tally: bytes
    """`Tally.to_bytes`."""
    problems: tuple[InputProblem, ...]
    lines: int = 0
    """How many lines a loose part has; the line numbers of the parts behind it are shifted by that."""


def tally_for(part: Part) -> Tally:
    """An empty tally for the parts of a run, of which this is one."""
    return Tally(Limits(since=part.since, until=part.until))


def fold_part(part: Part) -> bytes:
    """Fold one part; the outcome as MessagePack, for a parent that may be another process or machine.

    Raises:
        PluginError: the part's parser does not load here.
    """
    tally = tally_for(part)
    problems: list[InputProblem] = []
    if not part.loose:
        fold_into(tally, part, problems)
        return _outcome(tally, problems, 0)
    return _outcome(tally, problems, fold_loose(tally, part, problems))


def fold_parts(parts: Sequence[Part]) -> bytes:
    """As `fold_part` of one, or of several whole inputs into one tally.

    Raises:
        PluginError: a parser does not load here.
    """
    if len(parts) == 1:
        return fold_part(parts[0])
    tally = tally_for(parts[0])
    problems: list[InputProblem] = []
    for part in parts:
        fold_into(tally, part, problems)
    return _outcome(tally, problems, 0)


def fold_loose(tally: Tally, part: Part, problems: list[InputProblem]) -> int:
    """As `fold_into` for a loose part, whose lines count from its `first_line`; returns how many it has.

    Raises:
        PluginError: the part's parser does not load here.
    """
    lines: list[int] = []
    try:
        whole = settled(part)
        if whole is None:
            return 0
        if fold_into(tally, whole, problems, counted=lines.append):
            return sum(lines)
        # It was not read to its end, but the parts behind it need its number of lines.
        return lines_in(whole)
    except OSError as error:
        problems.append(InputProblem(part.source.name, "unreadable", error.strerror or str(error)))
        return 0
    except BrokenPromiseError as error:
        problems.append(failed(part, part.first_line, error))
        return 0


def joined(outcomes: Sequence[bytes], shifts: Sequence[int]) -> bytes:
    """Several outcomes as one, as MessagePack, each with its lines shifted first.

    Args:
        outcomes: what `fold_part` or this function gave.
        shifts: lines that stand before each in its input; 0 for what was shifted already.
    """
    tally = Tally()
    problems: list[InputProblem] = []
    for data, shift in zip(outcomes, shifts, strict=True):
        part, outcome = read_outcome(data, shift)
        tally.merge(part)
        problems += outcome
    return _outcome(tally, problems, 0)


def read_outcome(data: bytes, shift: int) -> tuple[Tally, list[InputProblem]]:
    """Tally and problems of an outcome, with their lines shifted."""
    outcome = msgspec.msgpack.decode(data, type=PartOutcome)
    tally = Tally.from_bytes(outcome.tally)
    if not shift:
        return tally, list(outcome.problems)
    tally.shift_lines(shift)
    return tally, [
        one if one.line is None else msgspec.structs.replace(one, line=one.line + shift)
        for one in outcome.problems
    ]


def lines_of(data: bytes) -> int:
    """How many lines an outcome's loose part has."""
    return msgspec.msgpack.decode(data, type=PartOutcome).lines


def _outcome(tally: Tally, problems: Sequence[InputProblem], lines: int) -> bytes:
    return msgspec.msgpack.encode(PartOutcome(tally=tally.to_bytes(), problems=tuple(problems), lines=lines))
