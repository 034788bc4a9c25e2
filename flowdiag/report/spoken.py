"""Sentences as a reader is shown them: moments in the own zone, arrows as everywhere else on the page.

A report's sentences write a moment in one form, always UTC and with its day (`flowdiag.model.time.moment_text`),
so that JSON is the same for everybody.  People are shown it in their zone, which is always written, and
without the day where that needs no saying.  Arrows are written ``->`` in the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from flowdiag.model.report import Counterfactual, Problem, ProblemChange, Report
from flowdiag.report.times import Clock

__all__ = ["pieces", "spoken", "spoken_report"]

# The agent on node-a started at 2026-03-16 14:02:35 UTC, and shop/web was refused only around that time.
_MOMENT = re.compile(r"(?<![\w:.+-])(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC(?![\w:+-])", re.ASCII)


def pieces(text: str) -> list[tuple[str, str | None]]:
    """A sentence cut at its moments: (text, ``None``), and (as it is written, RFC 3339) for each moment."""
    found: list[tuple[str, str | None]] = []
    done = 0
    for match in _MOMENT.finditer(text):
        found += ((text[done : match.start()], None), (match[0], f"{match[1]}T{match[2]}Z"))
        done = match.end()
    return [*found, (text[done:], None)]


def spoken(text: str, clock: Clock, arrow: str = "→") -> str:
    """A sentence with its moments as `clock` says them, the zone always named, and `arrow` for arrows."""
    text = text.replace(" -> ", f" {arrow} ")
    if " UTC" not in text:
        return text
    named = replace(clock, named=True)
    # What is no day of the calendar stays as a stranger wrote it.
    return _MOMENT.sub(lambda match: named.known(f"{match[1]}T{match[2]}Z") or match[0], text)


def spoken_report(report: Report, clock: Clock, arrow: str = "→") -> Report:
    """A report whose sentences are as `spoken` says them; records and commands stay as they are."""

    def say(text: str) -> str:
        return spoken(text, clock, arrow)

    return replace(
        report,
        problems=tuple(_problem(problem, say) for problem in report.problems),
        timeline=tuple(replace(mark, text=say(mark.text)) for mark in report.timeline),
        changes=tuple(replace(change, text=say(change.text)) for change in report.changes),
        not_policy=tuple(replace(item, text=say(item.text)) for item in report.not_policy),
        warnings=tuple(replace(warning, message=say(warning.message)) for warning in report.warnings),
    )


def _problem(problem: Problem, say: Callable[[str], str]) -> Problem:
    return replace(
        problem,
        title=say(problem.title),
        summary=say(problem.summary),
        advice=say(problem.advice),
        notes=tuple(map(say, problem.notes)),
        counterfactual=_mend(problem.counterfactual, say),
        revert=_mend(problem.revert, say),
        changes=tuple(_change(change, say) for change in problem.changes),
    )


def _mend(mend: Counterfactual | None, say: Callable[[str], str]) -> Counterfactual | None:
    return None if mend is None else replace(mend, summary=say(mend.summary))


def _change(change: ProblemChange, say: Callable[[str], str]) -> ProblemChange:
    return change if change.what is None else replace(change, what=say(change.what))
