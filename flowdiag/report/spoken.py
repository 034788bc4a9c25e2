"""Sentences as a reader is shown them: moments in the own zone, arrows as everywhere else on the page.

A report's sentences write a moment in one form, always UTC and with its day (`flowdiag.model.time.moment_text`),
so that JSON is the same for everybody.  People are shown it in their zone, which is always written, and
without the day where that needs no saying.  Arrows are written ``->`` in the data.

Names and messages of strangers stand in sentences too, and may hold the same forms.  They stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.report import Counterfactual, Problem, ProblemChange, Report
from flowdiag.report.times import Clock

__all__ = ["NOBODY", "Foreign", "foreign", "pieces", "spoken", "spoken_report"]

# The agent on node-a started at 2026-03-16 14:02:35 UTC, and shop/web was refused only around that time.
_MOMENT = re.compile(r"(?<![\w:.+-])(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC(?![\w+-]|:(?! ))", re.ASCII)
# frontend/web-app -> kube-system/coredns
_ARROW = re.compile(r" -> ")
_LIKELY = re.compile(rb" (?:UTC|->)")
_WORD = re.compile(r"[\w-]{0,80}")
_WORD_BEFORE = re.compile(r"[\w-]{0,80}$")
_OWN = frozenset({"title", "summary", "advice", "notes", "what", "message", "text", "error", "unknown"})
"""Fields that hold sentences, for the names in which there are fields of their own."""
_UNSAID = frozenset({"raw", "manifest", "manifests", "patch", "verify", "references", "buckets", "generator"})
"""Fields that no sentence repeats."""


class Foreign(Struct, frozen=True):
    """What of the names and messages of a report or an answer looks as flowdiag's sentences write moments and arrows."""

    moments: frozenset[str] = frozenset()
    """As they are written.  A sentence's own moment that is the same stays in UTC, which it says."""
    arrows: frozenset[tuple[str, str]] = frozenset()
    """What stands before and behind them."""


NOBODY = Foreign()


def foreign(*values: Struct | None) -> Foreign:
    """What `spoken` must not touch in the sentences about these: a file may be called ``2026-03-16 14:02:35 UTC.log``.

    Args:
        values: a report, or all that an answer is made of.
    """
    moments: set[str] = set()
    arrows: set[tuple[str, str]] = set()
    for text in _names(values):
        if " " in text:
            moments.update(match[0] for match in _MOMENT.finditer(text))
            arrows.update(_beside(match) for match in _ARROW.finditer(text))
    return Foreign(frozenset(moments), frozenset(arrows))


def _beside(arrow: re.Match[str]) -> tuple[str, str]:
    start, end = arrow.span()
    left = _WORD_BEFORE.search(arrow.string, max(0, start - 80), start)
    right = _WORD.match(arrow.string, end)
    return left[0] if left else "", right[0] if right else ""


def _names(value: Any) -> Iterator[str]:
    """Every string that is no sentence of flowdiag's; a component's message is none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Struct):
        said = getattr(value, "kind", None) == "signal"
        for field in value.__struct_fields__:
            if field not in _UNSAID and (said or field not in _OWN):
                held = getattr(value, field)
                if held and _may_look_so(held):
                    yield from _names(held)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _names(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _names(item)


def _may_look_so(value: Any) -> bool:
    """Most hold nothing of the sort, which their bytes tell much faster than a walk."""
    try:
        return _LIKELY.search(msgspec.json.encode(value)) is not None
    except UnicodeEncodeError:  # a path whose bytes are no UTF-8
        return True


def pieces(text: str, among: Foreign = NOBODY, arrow: str = "→") -> list[tuple[str, str | None]]:
    """A sentence cut at its moments, with `arrow` for arrows.

    Args:
        text: the sentence.
        among: the names of its report.
        arrow: what is shown for ``->``.

    Returns:
        (text, ``None``), and (as it is written, RFC 3339) for each moment.
    """
    text = _ARROW.sub(lambda match: match[0] if _beside(match) in among.arrows else f" {arrow} ", text)
    found: list[tuple[str, str | None]] = []
    done = 0
    for match in _MOMENT.finditer(text):
        if match[0] not in among.moments:
            found += ((text[done : match.start()], None), (match[0], f"{match[1]}T{match[2]}Z"))
            done = match.end()
    return [*found, (text[done:], None)]


def spoken(text: str, clock: Clock, arrow: str = "→", among: Foreign = NOBODY) -> str:
    """A sentence with its moments as `clock` says them, the zone always named, and `arrow` for arrows."""
    parts = pieces(text, among, arrow)
    if len(parts) == 1:
        return parts[0][0]
    named = replace(clock, named=True)
    # What is no day of the calendar stays as a stranger wrote it.
    return "".join(part if moment is None else named.known(moment) or part for part, moment in parts)


def spoken_report(report: Report, clock: Clock, arrow: str = "→") -> Report:
    """A report whose sentences are as `spoken` says them; names, messages, records and commands stay as they are."""
    among = foreign(report)

    def say(text: str) -> str:
        return spoken(text, clock, arrow, among)

    return replace(
        report,
        problems=tuple(_problem(problem, say) for problem in report.problems),
        timeline=tuple(
            mark if mark.kind == "signal" else replace(mark, text=say(mark.text)) for mark in report.timeline
        ),
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
        joined=problem.joined and replace(problem.joined, summary=say(problem.joined.summary)),
        changes=tuple(_change(change, say) for change in problem.changes),
    )


def _mend(mend: Counterfactual | None, say: Callable[[str], str]) -> Counterfactual | None:
    return None if mend is None else replace(mend, summary=say(mend.summary))


def _change(change: ProblemChange, say: Callable[[str], str]) -> ProblemChange:
    return change if change.what is None else replace(change, what=say(change.what))
