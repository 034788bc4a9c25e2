"""The few lines that a notification says: how many new problems, and which."""

from __future__ import annotations

from collections.abc import Sequence

from flowdiag.model.report import Problem, Report
from flowdiag.model.words import plural
from flowdiag.report.escape import markdown_code, markdown_phrase, visible
from flowdiag.report.phrases import SEVERITY_WORD, state_text, what_text
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import foreign, spoken
from flowdiag.report.times import Clock

__all__ = ["notice"]

_LISTED = 10


def notice(report: Report, problems: Sequence[Problem], options: Options) -> tuple[str, str]:
    """Title and Markdown body that tell `problems` of a report, worst first.

    Every moment says its day and zone: nobody knows when a message is read, and beside what.
    """
    worst = problems[0].severity.value if problems else ""
    where = f" in {visible(report.cluster.name, 80)}" if report.cluster.name else ""
    title = f"flowdiag: {plural(len(problems), 'new problem')} ({worst}){where}"
    clock = Clock(options.timezone, named=True)
    names = foreign(report)
    lines = [
        f"- **{SEVERITY_WORD[problem.severity]}** {markdown_code(problem.code, 20)} "
        f"{markdown_phrase(spoken(problem.title, clock, among=names), 300)}: "
        f"{markdown_phrase(what_text(problem, problem.count))}, "
        f"{markdown_phrase(state_text(problem, clock))}"
        for problem in problems[:_LISTED]
    ]
    if len(problems) > _LISTED:
        lines.append(f"- and {plural(len(problems) - _LISTED, 'more problem')}")
    return title, "\n".join(lines) + "\n"
