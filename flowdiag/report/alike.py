"""Warnings that say the same of many inputs or lines, told once: thirty nodes' logs have the same fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from flowdiag.model.report import ReportWarning

__all__ = ["alike", "more_text", "place_text"]


def alike(warnings: Sequence[ReportWarning]) -> list[tuple[ReportWarning, int]]:
    """The first of those that say the same, and how many say it, in their order."""
    counts = Counter((one.code, one.message) for one in warnings)
    firsts = {(one.code, one.message): one for one in reversed(warnings)}
    return [(firsts[key], number) for key, number in counts.items()]


def place_text(first: ReportWarning, number: int = 1) -> str:
    """``node-1.log:7 and 29 more``: where a warning stands, and how many others say the same; empty without a place."""
    if first.input is None:
        return ""
    line = "" if first.line is None else f":{first.line}"
    return f"{first.input}{line}{more_text(number)}"


def more_text(number: int) -> str:
    """`` and 29 more`` behind the first of thirty; empty for one."""
    return f" and {number - 1:,} more" if number > 1 else ""
