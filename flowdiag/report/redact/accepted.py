"""Taking out of a report who accepted what, and why: owners, reasons and selectors are people's own words.

They are in no table of names, so that the rest of `flowdiag.report.redact` would not find them.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from flowdiag.model.report import Problem, Report

__all__ = ["without_owners"]

# Both are written in flowdiag/analysis: "accepted by storage team until 2027-05-31: the vault moves" and
_ACCEPTED = re.compile(r"accepted by .{1,1000} until (\d{4}-\d\d-\d\d): .*", re.DOTALL)
# below "1 of its 3 connections are accepted by storage team until 2027-05-31; the others keep it open"
_PARTLY = re.compile(
    r"(\d{1,9} of its \d{1,9} connections (?:is|are) accepted) by .{1,1000} until (\d{4}-\d\d-\d\d); (the others keep it open)",
    re.DOTALL,
)
_ENTRIES = {
    "FD904": (
        "an entry of the accepted findings has expired",
        "Ask its owner: mend the cause and delete the entry, or accept it anew.",
    ),
    "FD905": (
        "an entry of the accepted findings accepts nothing any more",
        "Delete the entry, or correct its selectors.",
    ),
}


def without_owners(report: Report) -> Report:
    """The report with the day of each acceptance, and nothing else of its entry."""
    return replace(report, problems=tuple(map(_without, report.problems)))


def _without(problem: Problem) -> Problem:
    notes = tuple(
        _PARTLY.sub(r"\1 until \2; \3", _ACCEPTED.sub(r"accepted until \1", n)) for n in problem.notes
    )
    if problem.code in _ENTRIES:
        title, advice = _ENTRIES[problem.code]
        return replace(problem, title=title, advice=advice, summary="", notes=notes)
    return problem if notes == problem.notes else replace(problem, notes=notes)
