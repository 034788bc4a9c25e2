"""What a worker and whoever began it agree on: how lines are numbered, and what is said beside a tally."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from flowdiag.ingest.problems import InputProblem

__all__ = ["LINE_BITS", "ShareFacts", "why_beside"]

LINE_BITS = 40
"""Bits for lines; those above are the part's number, so that lines stay in order."""


class ShareFacts(Struct, frozen=True, array_like=True):
    """What a worker says beside its tally."""

    problems: list[InputProblem]
    lines: dict[int, int]
    """Lines of each part that it folded, by the part's number; 0 for a part that is not loose."""


def why_beside(path: Path) -> Path:
    """Where a worker says why it could not do what was to be written to `path`."""
    return path.with_suffix(".why")
