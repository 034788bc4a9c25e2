"""What is shown while a stream is followed: a screenful on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.model.picture import Picture
from flowdiag.model.report import Problem, Report
from flowdiag.model.time import NS, rfc3339
from flowdiag.model.words import plural
from flowdiag.report.escape import visible
from flowdiag.report.phrases import SEVERITY_WORD, count, headline, what_text
from flowdiag.report.protocol import Options
from flowdiag.report.screen import Screen
from flowdiag.report.spoken import spoken_report
from flowdiag.report.terminal_problem import compact
from flowdiag.report.times import Clock

__all__ = ["changes", "frame", "pace_line"]

_TITLE = 160


def frame(picture: Picture, options: Options, *, height: int, unwritten: Sequence[str] = ()) -> str:
    """A screenful of at most `height` lines: how the stream runs, and the problems of the last minutes.

    Args:
        picture: what is known.
        options: how it is shown.
        height: lines of the screen.
        unwritten: why files could not be written, each in words.
    """
    report = picture.report
    clock = Clock.of(report, options.timezone) if report is not None else Clock(options.timezone)
    screen = Screen(options, clock)
    report = spoken_report(report, clock, screen.own("→")) if report is not None else None
    at = clock.text(rfc3339(picture.newest)) if picture.newest is not None else "no time yet"
    screen.put(
        ("watching", "bold"),
        f"  {at}  {count(round(picture.rate))} records/s, {plural(picture.records, 'record')} so far{_beside(picture)}",
        hang=2,
    )
    if picture.failed is not None:
        screen.put(("no report", "bold yellow"), f": {screen.name(picture.failed, 200)}", hang=2)
    for text in unwritten:
        screen.put(("not written", "bold yellow"), f": {screen.name(text, 200)}", hang=2)
    if report is None:
        screen.put(("waiting for the first report", "dim"))
        return screen.text()
    screen.put((f"{headline(report)} in the last {_span(picture.window)}", "bold"))
    shown = [problem for problem in report.problems if problem.explained_by is None]
    lines, room = screen.text().rstrip("\n").split("\n"), max(height - 1, 3)
    lines.append("")
    told = 0
    for number, problem in enumerate(shown, start=1):
        one = Screen(options, clock)
        compact(one, report, problem, number)
        more = one.text().rstrip("\n").split("\n")
        # The last line is for how many there are beside these.
        if told and len(lines) + len(more) + (number < len(shown)) > room:
            break
        lines += more
        told = number
    if told < len(shown):
        last = Screen(options, clock)
        last.put((f"and {plural(len(shown) - told, 'more problem')}", "dim"), indent=1)
        # What does not fit would scroll the screen at every drawing.
        return "\n".join([*lines[: room - 1], last.text().rstrip("\n")])
    return "\n".join(lines[:room])


def pace_line(picture: Picture) -> str:
    """How the stream runs, in one line for a log."""
    report = picture.report
    at = rfc3339(picture.newest)[:19] + "Z" if picture.newest is not None else "-"
    said = f"{at} {count(round(picture.rate))} records/s, {count(picture.records)} so far{_beside(picture)}"
    if picture.failed is not None:
        return f"{said}; no report: {visible(picture.failed)}"
    if report is None:
        return said
    problems = sum(problem.explained_by is None for problem in report.problems)
    return (
        f"{said}; last {_span(picture.window)}: {plural(report.totals.denied, 'denial')}, "
        f"{plural(problems, 'problem')}"
    )


def _beside(picture: Picture) -> str:
    return f", {picture.unread}" if picture.unread is not None else ""


def _news_line(problem: Problem, gone: bool) -> str:
    """A problem that appeared or is not seen any more, in one line."""
    if gone:
        return f"gone  {visible(problem.code)} {visible(problem.title, _TITLE)}"
    return (
        f"new   {SEVERITY_WORD[problem.severity]} {visible(problem.code)} {visible(problem.title, _TITLE)}: "
        f"{what_text(problem, problem.count)}"
    )


def _span(nanoseconds: int) -> str:
    seconds = nanoseconds // NS
    for width, word in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % width == 0 and seconds:
            return f"{seconds // width}{word}"
    return f"{seconds}s"


def changes(old: Report | None, new: Report) -> Sequence[str]:
    """What is new and what is gone between two reports, worst first."""
    before = {problem.fingerprint: problem for problem in old.problems} if old is not None else {}
    after = {problem.fingerprint for problem in new.problems}
    fresh = [
        _news_line(problem, gone=False)
        for problem in new.problems
        if problem.fingerprint not in before and problem.explained_by is None
    ]
    gone = [
        _news_line(problem, gone=True)
        for key, problem in before.items()
        if key not in after and problem.explained_by is None
    ]
    return [*fresh, *gone]
