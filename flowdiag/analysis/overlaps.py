"""Exports that overlap: yesterday's and today's, or a reconnected stream's, whose common records count twice."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import pairwise

from flowdiag.model.flow import Flow
from flowdiag.model.report import ReportWarning

__all__ = ["told_again"]

_MS = 1_000_000
"""Nanoseconds in a millisecond: equal records of coarser stamps may be two."""
_MOST = 20


def told_again(refused: Iterable[Flow], known: Container[str]) -> Iterator[ReportWarning]:
    """Yield for inputs that hold a refused record which another holds word for word, at the same nanosecond.

    Of each flow the first records are kept, so that those are found which begin where the inputs overlap.

    Args:
        refused: flows with their examples.
        known: inputs of which it is said already.
    """
    found: dict[tuple[str, str], int] = {}
    for flow in refused:
        for one, other in pairwise(sorted(flow.distinct.examples)):
            if one.at != other.at or one.input == other.input or not one.at % _MS or one.at < 0:
                continue
            if one.raw and one.raw == other.raw and other.input not in known:
                found.setdefault((other.input, one.input), other.line)
    for (again, first), line in sorted(found.items())[:_MOST]:
        yield ReportWarning(
            code="told-twice",
            message=f"holds a record that {first} holds too, word for word: what both hold counts twice; leave one of "
            "the two out",
            input=again,
            line=line,
        )
