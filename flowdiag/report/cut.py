"""Reports of which a page holds only a part: how the page says so, and how it is known again when read back."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.report import Report, ReportWarning, general_warning
from flowdiag.model.words import plural

__all__ = ["CUT", "Part", "alone_warning", "as_part", "cut_warning", "held"]

CUT = "report-cut"
"""Code of the warnings on a page that holds only a part."""

# A page of 3,000 problems says "this page was too large: the first 150 of 3,000 problems with at most 40 connections
# each are here", and one that was asked for a single problem "one of 3 problems is here".
_FIRST = re.compile(r"the first [\d,]{1,20} of ([\d,]{1,20}) problems ")
_ALONE = re.compile(r"one of ([\d,]{1,20}) problems ")


class Part(Struct, frozen=True):
    """What a page holds of a report."""

    kept: int
    total: int
    """Problems of the whole report; `kept` where the page does not say it."""
    alone: bool
    """It was asked for one problem."""
    shortened: bool
    """The problems that are here are not complete, either: connections are left out, texts are cut."""

    @property
    def words(self) -> str:
        """``the first 150 of 3,000 problems``, ``one of 3 problems``."""
        first = "one" if self.alone else f"the first {self.kept:,}"
        return f"{first} of {plural(self.total, 'problem')}"


def cut_warning(kept: int, total: int, connections: int) -> ReportWarning:
    """The warning that a page carries which holds `kept` of `total` problems."""
    return general_warning(
        CUT,
        f"this page was too large: the first {kept:,} of {total:,} problems with at most "
        f"{connections:,} connections each are here, and long texts are cut; -o json holds all of it",
    )


def alone_warning(total: int) -> ReportWarning:
    """The warning that a page carries which was asked for one of `total` problems."""
    return general_warning(
        CUT,
        f"this page was asked for one problem: one of {total:,} problems is here; -o json holds all of them",
    )


def held(report: Report) -> Part | None:
    """What a page holds of its report; ``None`` where it is whole."""
    messages = [warning.message for warning in report.warnings if warning.code == CUT]
    if not messages:
        return None
    kept = len(report.problems)
    first = [found for message in messages if (found := _FIRST.search(message))]
    alone = [found for message in messages if (found := _ALONE.search(message))]
    totals = (int(found[1].replace(",", "")) for found in (*first, *alone))
    # A page of one problem may be too large as well; its total is then that of the one.
    return Part(kept, max((kept, *totals)), bool(alone), bool(first) or not alone)


def as_part(report: Report) -> Report:
    """The data of a page, which is not complete where the page holds only a part."""
    return report if held(report) is None else replace(report, complete=False)
