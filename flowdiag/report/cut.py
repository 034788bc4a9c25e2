"""Reports of which a page holds only a part: how the page says so, and how it is known again when read back."""

from __future__ import annotations

import re

from flowdiag.model.report import Report, ReportWarning

__all__ = ["CUT", "alone_warning", "cut_warning", "held"]

CUT = "report-cut"
"""Code of the warning on a page that holds only a part."""

# A page of 3,000 problems says "the first 150 of 3,000 problems with at most 40 connections each are here", and
# one that was asked for a single problem "one of 3 problems is here".
_HELD = re.compile(r"(?:the first [\d,]{1,20}|one) of ([\d,]{1,20}) problems ")


def cut_warning(kept: int, total: int, connections: int) -> ReportWarning:
    """The warning that a page carries which holds `kept` of `total` problems."""
    return ReportWarning(
        code=CUT,
        message=(
            f"this page was too large: the first {kept:,} of {total:,} problems with at most "
            f"{connections:,} connections each are here, and long texts are cut; -o json holds all of it"
        ),
        input=None,
        line=None,
    )


def alone_warning(total: int) -> ReportWarning:
    """The warning that a page carries which was asked for one of `total` problems."""
    return ReportWarning(
        code=CUT,
        message=f"this page was asked for one problem: one of {total:,} problems is here; -o json holds all of them",
        input=None,
        line=None,
    )


def held(report: Report) -> tuple[int, int] | None:
    """How many problems of how many a cut report holds; ``None`` where it is whole."""
    message = next((warning.message for warning in report.warnings if warning.code == CUT), None)
    if message is None:
        return None
    found = _HELD.search(message)
    kept = len(report.problems)
    return (kept, int(found[1].replace(",", ""))) if found is not None else (kept, kept)
