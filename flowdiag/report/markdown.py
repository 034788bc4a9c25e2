"""The report as Markdown for a ticket: short, tables of at most five columns, the rest folded.

Fits GitHub, GitLab, and what converts from them; no HTML but ``<details>``.  Text of the report stands
in code spans and fences, where no dialect finds links, mentions or HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from flowdiag.model.opened import opened_pairs
from flowdiag.model.report import Connection, Counterfactual, Problem, Report, Status
from flowdiag.model.words import capital, plural
from flowdiag.report.alike import alike, place_text
from flowdiag.report.escape import markdown_code, markdown_fence, markdown_phrase, visible
from flowdiag.report.isolating import closing_first, leading_change
from flowdiag.report.names import (
    dropped_text,
    end_text,
    miss_text,
    policy_text,
    port_text,
    reason_word,
    record_text,
    recorded_text,
)
from flowdiag.report.phrases import (
    STANDING,
    change_text,
    count,
    cut_off,
    evidence_text,
    headline,
    instead,
    proof_text,
    radius_known,
    state_text,
    what_text,
)
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import spoken_report
from flowdiag.report.times import Clock, span_text, zone_text
from flowdiag.report.told_once import told_once

__all__ = ["MarkdownReporter", "problem_markdown"]

_FULL = 3
"""Problems told in full; of the others the title is told."""
_ROWS = 12
_POLICIES = 3
_MISSES = 3
_PAIRS = 3
_EVIDENCE = 3
_EXPLAINED = 5
_EVIDENCE_CHARS = 400
_WARNINGS = 2
_LIMITS = 4
_COMMAND_CHARS = 4000
_SENTENCE = 1_500
"""Characters of a sentence: one that names six objects stands whole."""


class MarkdownReporter:
    """``-o markdown``."""

    name: ClassVar[str] = "markdown"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """The report; `options.problem` alone, or with `options.all` every problem in full."""
        clock = Clock.of(report, options.timezone)
        report = spoken_report(told_once(closing_first(report)), clock)
        lines = [_heading(report, options), "", f"{markdown_phrase(headline(report))}.", ""]
        shown = [p for p in report.problems if p.explained_by is None]
        # In an audit the news comes first, in the order of the report.
        shown.sort(key=lambda p: STANDING[p.status])
        told = shown if options.all else shown[:_FULL]
        if options.problem is not None:
            shown = told = [p for p in report.problems if p.id == options.problem]
        for problem in told:
            number = report.problems.index(problem) + 1
            folded = [p for p in report.problems if p.explained_by == problem.id]
            lines.extend(problem_markdown(problem, clock, number=number, folded=folded))
            lines.append("")
        lines.extend(_besides(report, shown[len(told) :]))
        rows = [(problem, connection) for problem in shown for connection in problem.connections]
        if rows:
            number = sum(problem.connection_count for problem in shown)
            lines.extend(_table(rows if options.all else _in_turn(shown), number, clock))
            lines.append("")
        lines.extend(_instead(report))
        lines.append(_limits(report, clock))
        if options.verbose and report.generator.command is not None:
            lines.extend(["", f"Made with {markdown_code(report.generator.command, _COMMAND_CHARS)}"])
        return "\n".join(lines) + "\n"


def _besides(report: Report, problems: Sequence[Problem]) -> list[str]:
    """What is not told in full, a line each; no problem is left for the table alone to show."""
    lines = [
        f"- **{report.problems.index(problem) + 1}.** {markdown_phrase(problem.title, 300)} - "
        f"{markdown_code(problem.code, 20)}, {problem.severity}{f', {problem.status}' if problem.status else ''}"
        f"{'' if problem.status is Status.GONE else f', {what_text(problem, problem.count)}'}"
        for problem in problems[:_ROWS]
    ]
    if len(problems) > _ROWS:
        lines.append(f"- and {plural(len(problems) - _ROWS, 'more problem')}")
    return ["Also found:", "", *lines, ""] if lines else []


def _in_turn(problems: Sequence[Problem]) -> list[tuple[Problem, Connection]]:
    """The rows that a table has room for: the first connection of each problem, then the second, by problem."""
    places = [(turn, number) for number, one in enumerate(problems) for turn in range(len(one.connections))]
    first = sorted(sorted(places)[:_ROWS], key=lambda place: place[::-1])
    return [(problems[number], problems[number].connections[turn]) for turn, number in first]


def _heading(report: Report, options: Options) -> str:
    zone = options.timezone
    window = report.window
    namespaces = sorted({p.source.namespace or p.destination.namespace or "" for p in report.problems} - {""})
    where = ", ".join(markdown_code(name, 80) for name in namespaces[:3])
    if len(namespaces) > 3:
        where += f" and {plural(len(namespaces) - 3, 'more namespace')}"
    cluster = f" ({markdown_code(report.cluster.name, 80)})" if report.cluster.name else ""
    when = visible(span_text(window.since, window.until, zone))
    stated = f" {zone_text(zone, window.since, window.until)}" if window.since or window.until else ""
    return f"### Denied traffic{': ' + where if where else ''}{cluster}, {markdown_phrase(when + stated)}"


def problem_markdown(problem: Problem, clock: Clock, *, number: int, folded: Sequence[Problem]) -> list[str]:
    """One problem's lines: title, facts as a list, and the change folded beneath.

    Args:
        problem: what is told.
        clock: the report's days and zone.
        number: its place in the report.
        folded: the problems that it explains.
    """
    status = f", {problem.status}" if problem.status else ""
    title = markdown_phrase(problem.title)
    source, destination = (markdown_code(end_text(end), 160) for end in (problem.source, problem.destination))
    port = markdown_code(port_text(problem.protocol, problem.port, problem.icmp), 60)
    direction = markdown_phrase(problem.direction or "direction not recorded", 40)
    code = markdown_code(problem.code, 20)
    lines = [
        f"**{number}. {title}** - {code}, {problem.severity}, {problem.confidence}{status}",
        "",
        f"- {capital(markdown_phrase(state_text(problem, clock)))}; {what_text(problem, problem.count)}",
    ]
    if problem.connections:
        ends = f"{source} → {destination} {port}{_others(problem)}"
        lines.append(f"- {ends}, {direction}, {markdown_code(reason_word(problem), 80)}")
    if problem.summary and not problem.nearest:
        lines.append(f"- {markdown_phrase(problem.summary, _SENTENCE)}")
    lines.extend(_refused_by(problem, clock))
    fix = problem.counterfactual
    if fix is not None:
        lines.append(
            f"- Fix: {markdown_phrase(fix.summary.rstrip('. '), _SENTENCE)}; {_radius(problem, fix)}"
        )
    elif problem.advice:
        lines.append(f"- {capital(markdown_phrase(problem.advice, _SENTENCE))}")
    back = problem.revert
    if back is not None:
        lines.append(
            f"- Or: {markdown_phrase(back.summary.rstrip('. '), _SENTENCE)}; {_radius(problem, back)}"
        )
    if problem.joined:
        text = markdown_phrase(problem.joined.summary.rstrip(". "), _SENTENCE)
        lines.append(f"- Joined: {text}; {_radius(problem, problem.joined)}")
    lines.extend(f"- {capital(markdown_phrase(note, 300))}" for note in problem.notes[:2])
    if folded:
        told = [f"{markdown_phrase(p.title, 160)} ({what_text(p, p.count)})" for p in folded[:_EXPLAINED]]
        more = [f"{len(folded) - len(told)} more"] if len(folded) > len(told) else []
        lines.append(f"- Explains: {'; '.join([*told, *more])}")
    lines.extend(_blocks(problem))
    return lines


def _refused_by(problem: Problem, clock: Clock) -> list[str]:
    """The policies that refused it, the rule that came nearest, and the change that began it, a line each."""
    lines = []
    if problem.recorded:
        lines.append(f"- Recorded: {_listed([recorded_text(p) for p in problem.recorded])}")
    denying = problem.decided_by
    if denying is not None and denying.action.lower() == "deny" and problem.verdict == "denied":
        lines.append(f"- Denied by {markdown_code(f'{policy_text(denying)} {denying.rule}', 220)}")
    if problem.isolating:
        lines.append(f"- Isolated by {_listed([policy_text(ref) for ref in problem.isolating])}")
    for rule in problem.nearest[:1]:
        misses = "; ".join(markdown_phrase(miss_text(miss), 300) for miss in rule.misses[:_MISSES])
        how = f"misses: {misses}" if misses else "may match: what keeps it from that is not known"
        lines.append(
            f"- Nearest rule {markdown_code(policy_text(rule), 160)} {markdown_code(rule.rule, 60)} {how}"
        )
    lead = leading_change(problem)
    if lead is not None:
        lines.append(f"- Changed: {markdown_phrase(change_text(lead, clock), 300)}")
    return lines


def _blocks(problem: Problem) -> list[str]:
    """The changes as diffs or manifests, and the evidence, each in a block that is folded away."""
    lines: list[str] = []
    changes = (
        (problem.counterfactual, ""),
        (problem.revert, " to take back"),
        (problem.joined or None, " joined"),
    )
    for change, word in changes:
        if change is not None and change.patch:
            lines.extend(_folded(f"diff{word}", markdown_fence(change.patch, "diff")))
        elif change is not None and change.manifests:
            blocks = [line for manifest in change.manifests for line in markdown_fence(manifest, "yaml")]
            lines.extend(_folded(f"manifest{word}", blocks))
    if problem.evidence:
        raw = "\n".join(
            f"{visible(e.input, 200)}:{e.line}: {visible(record_text(e), _EVIDENCE_CHARS)}"
            for e in problem.evidence[:_EVIDENCE]
        )
        lines.extend(_folded("evidence", markdown_fence(raw)))
    return lines


def _folded(summary: str, block: list[str]) -> list[str]:
    return ["", f"<details><summary>{summary}</summary>", "", *block, "", "</details>"]


def _listed(names: list[str]) -> str:
    shown = ", ".join(markdown_code(name, 160) for name in names[:_POLICIES])
    return shown + (f" and {len(names) - _POLICIES} more" if len(names) > _POLICIES else "")


def _others(problem: Problem) -> str:
    number = problem.connection_count - 1
    return f" and {plural(number, 'other connection')}" if number > 0 else ""


def _radius(problem: Problem, fix: Counterfactual) -> str:
    proof = proof_text(problem, fix)
    if not fix.also_allows:
        return f"{proof}; newly allows nothing else that is known" if radius_known(fix) else proof
    opened = opened_pairs(fix.also_allows)
    pairs = ", ".join(markdown_code(f"{src} → {dst} {ports}", 200) for src, dst, ports in opened[:_PAIRS])
    more = len(opened) - _PAIRS
    return f"{proof}; also allows {pairs}" + (f" and {plural(more, 'more pair')}" if more > 0 else "")


def _table(shown: Sequence[tuple[Problem, Connection]], of: int, clock: Clock) -> list[str]:
    lines = ["| first | from | to | port | count |", "| --- | --- | --- | --- | ---: |"]
    for problem, connection in shown:
        port = port_text(connection.protocol, connection.port, problem.icmp)
        lines.append(
            f"| {markdown_phrase(clock.text(connection.first), 40)} "
            f"| {markdown_code(end_text(connection.source), 120)} "
            f"| {markdown_code(end_text(connection.destination), 120)} "
            f"| {markdown_code(port, 60)} | {count(connection.count)} |"
        )
    if len(shown) < of:
        lines.extend(["", f"and {plural(of - len(shown), 'more connection')}"])
    return lines


def _instead(report: Report) -> list[str]:
    """Why there is no problem: what was selected, or what to collect where no input holds a record of traffic."""
    texts = instead(report)
    if not texts:
        return []
    lines = [f"{capital(markdown_phrase(texts[0], 600))}{'' if texts[0].endswith('?') else '.'}", ""]
    for text in texts[1:]:
        what, _, command = text.partition(": ")
        lines.append(f"- {markdown_phrase(what, 200)}: {markdown_code(command, 600)}")
    return [*lines, ""] if lines[-1] else lines


def _limits(report: Report, clock: Clock) -> str:
    limits = cut_off(report, clock)
    parts = [markdown_phrase(limit, 200) for limit in limits[:_LIMITS]]
    if len(limits) > _LIMITS:
        parts.append(f"{len(limits) - _LIMITS} more")
    told = instead(report)
    untold = [one for one in report.warnings if one.message not in told]
    # What could not be read comes first.
    named = alike(sorted(untold, key=lambda one: one.input is None))[:_WARNINGS]
    parts.extend(
        markdown_phrase(f"{place}: {one.message}" if (place := place_text(one, number)) else one.message, 300)
        for one, number in named
    )
    left = len(untold) - sum(number for _, number in named)
    if left:
        parts.append(plural(left, "more warning" if named else "warning"))
    if report.totals.not_policy:
        parts.append(f"{plural(report.totals.not_policy, 'refusal')} by no policy left out{_most_of(report)}")
    text = "; ".join(parts) or "none known, within what was recorded"
    made = f"{report.generator.name} {report.generator.version}"
    return (
        f"Limits: {text}.\n\n"
        f"_{evidence_text(report)}, "
        f"{plural(report.totals.records, 'record')}; {markdown_code(made, 80)}_"
    )


def _most_of(report: Report) -> str:
    """What most of the refusals by no policy are, as no table lists them here."""
    first = max(report.not_policy, key=lambda one: one.count, default=None)
    if first is None:
        return ""
    pair = next(iter(first.largest or ()), None)
    most = f"; {markdown_code(dropped_text(pair), 200)}: {pair.count:,}" if pair is not None else ""
    return f" ({markdown_phrase(first.text, 160)}: {first.count:,}{most})"
