"""Inputs that overlap: yesterday's export and today's, a reconnected stream's, two dumps; their common records count twice."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from itertools import pairwise

from flowdiag.model.flow import Flow
from flowdiag.model.report import ReportWarning
from flowdiag.parserkit import json_object, object_of, text_of

__all__ = ["told_again"]

_MS = 1_000_000
"""Nanoseconds in a millisecond: equal records of coarser stamps may be two."""
_MOST = 20
_OBJECTS = frozenset({"antrea-traceflow", "kubernetes-events"})
"""Parsers of objects of the API: one of them in two dumps is one record, whatever its stamps are."""


def told_again(refused: Iterable[Flow], known: Container[str]) -> Iterator[ReportWarning]:
    """Yield for inputs that hold a refused record which another holds word for word, at the same nanosecond.

    An object of the API is the same by its uid, too: an Event has another count when it is dumped again.  Of each flow the first records are kept, so that those are found which begin where the inputs overlap.

    Args:
        refused: flows with their examples.
        known: inputs of which it is said already.
    """
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for flow in refused:
        objects = flow.distinct.parser in _OBJECTS
        for one, other in pairwise(sorted(flow.distinct.examples)):
            if one.at != other.at or one.input == other.input or one.at < 0:
                continue
            if not objects and not one.at % _MS:
                continue
            how = ", word for word" if one.raw and one.raw == other.raw else ""
            if (how or (objects and _same_object(one.raw, other.raw))) and other.input not in known:
                found.setdefault((other.input, one.input), (other.line, how))
    for (again, first), (line, how) in sorted(found.items())[:_MOST]:
        yield ReportWarning(
            code="told-twice",
            message=f"holds a record that {first} holds too{how}: what both hold counts twice; leave one of "
            "the two out",
            input=again,
            line=line,
        )


def _same_object(raw: str, other: str) -> bool:
    """Whether two records are one object of the API, by its uid; false where one was cut, or has none."""
    one, two = json_object(raw), json_object(other)
    if one is None or two is None:
        return False
    uid = text_of(object_of(one, "metadata"), "uid")
    return uid is not None and uid == text_of(object_of(two, "metadata"), "uid")
