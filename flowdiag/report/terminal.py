"""The report on a terminal: problems first, one screen for the common case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from flowdiag.model.report import Problem, Report, ReportWarning, Severity, Status
from flowdiag.model.words import plural
from flowdiag.report.alike import alike, more_text, place_text
from flowdiag.report.cut import held
from flowdiag.report.escape import cells
from flowdiag.report.isolating import closing_first
from flowdiag.report.names import dropped_text
from flowdiag.report.phrases import (
    NO_RECORDS,
    NO_REFUSAL_SELECTED,
    NOTHING_SELECTED,
    STANDING,
    count,
    cut_off,
    headline,
    instead,
)
from flowdiag.report.protocol import Options
from flowdiag.report.screen import Screen
from flowdiag.report.spoken import spoken_report
from flowdiag.report.terminal_brief import brief
from flowdiag.report.terminal_problem import compact, full
from flowdiag.report.terminal_table import connection_table
from flowdiag.report.times import Clock, span_text, zone_text
from flowdiag.report.told_once import told_once

__all__ = ["TerminalReporter"]

_FULL = 6
"""Problems that get a whole block; the rest a line each."""
_LISTED = 24
"""Problems that are listed at all without `Options.all`."""
_LIMITS = 5
_UNSELECTED = (NOTHING_SELECTED, NO_REFUSAL_SELECTED)
_CILIUM_KINDS = ",cnp,ccnp"
_CALICO_KINDS = "calicoctl get networkpolicies,globalnetworkpolicies,tiers -A -o yaml > calico.yaml"
"""Calico's own kinds, which have the name of Kubernetes'."""
_ADVICE = 600
_WARNING = 400
_MOST_OF_A_REASON = 160
"""Our own sentences stay whole."""
"""Characters of a warning: most are flowdiag's own sentence on what to do."""
_UNSEEN = (
    "refusals that nobody recorded: outside the times above, on nodes whose logs are not here, "
    "in flows that were sampled or lost, or by a policy that does not log"
)


class TerminalReporter:
    """``-o terminal``, and what ``flowdiag show`` prints."""

    name: ClassVar[str] = "terminal"
    binary: ClassVar[bool] = False
    takes_columns: ClassVar[bool] = True

    def render(self, report: Report, options: Options) -> str:
        """The report in `options.width` columns; with `options.problem` that problem alone, in full."""
        clock = Clock.of(report, options.timezone)
        screen = Screen(options, clock)
        report = spoken_report(told_once(closing_first(report)), clock, screen.own("→"))
        _head(screen, report)
        if options.problem is not None:
            for number, problem in enumerate(report.problems, start=1):
                if problem.id == options.problem:
                    full(screen, report, problem, number)
            if options.columns:
                screen.blank()
                connection_table(screen, report)
            return screen.text()
        if report.problems:
            _problems(screen, report)
        else:
            _nothing(screen, report)
        _rest(screen, report)
        _next(screen, report)
        return screen.text()


def _head(screen: Screen, report: Report) -> None:
    zone = screen.options.timezone
    made = f"{report.generator.name} {report.generator.version}"
    cluster = report.cluster.name or "cluster name unknown"
    cni = ", ".join(report.cluster.cni)
    window = report.window
    when = screen.own(span_text(window.since, window.until, zone))
    stated = zone_text(zone, window.since, window.until)
    made = screen.name(made)
    where = screen.name(cluster, 400 if screen.options.verbose else 48)
    if cni:
        # Names of parsers' CNIs: whose logs were read is told whole.
        where += f" ({screen.name(cni, 400)})"
    span = screen.name(f"{when} {stated}" if window.since or window.until else when)
    if cells(f"{made}  {where}  {span}") <= screen.width:
        screen.put((made, "bold"), "  ", where, "  ", span)
    else:
        # Two moments and their zone are read together.
        screen.put((made, "bold"), "  ", where, hang=2)
        screen.put(span, indent=2, hang=2)
    totals = report.totals
    snapshot = report.evidence.snapshot
    parts = [
        plural(len(report.inputs), "input"),
        plural(totals.records, "record"),
        plural(totals.flows, "flow"),
    ]
    if snapshot.taken is not None:
        parts.append(f"cluster objects as of {screen.clock.text(snapshot.taken)}")
    elif snapshot.source is not None:
        parts.append("cluster objects of an unknown time")
    screen.put((", ".join(parts), "dim"), hang=2)
    limits = cut_off(report, screen.clock)
    word, style = ("Evidence", "") if report.complete else ("Evidence is incomplete", "bold yellow")
    if held(report) is not None:
        word = "Not all of it"
    if limits or not report.complete:
        shown = limits if screen.options.all else limits[:_LIMITS]
        text = "; ".join(screen.own(screen.name(limit, 200)) for limit in shown)
        if len(limits) > len(shown):
            text += f"; and {len(limits) - len(shown)} more"
        screen.put((word, style), f": {text or 'see the warnings below'}", hang=2)
    screen.blank()


def _problems(screen: Screen, report: Report) -> None:
    options = screen.options
    screen.put((headline(report), "bold"), indent=1)
    screen.blank()
    blocks = 0
    listed = 0
    left = 0
    was_full = True
    weights = {Severity.HIGH, Severity.MEDIUM} & {one.severity for one in report.problems} or {Severity.LOW}
    """What is told as a block: where nothing is weighty (a dry run of policies), what is not."""
    # In an audit the news comes first; a problem keeps its number, by which show finds it.
    ordered = sorted(enumerate(report.problems, start=1), key=lambda one: STANDING[one[1].status])
    for number, problem in ordered:
        if problem.explained_by is not None and not options.all:
            continue
        if listed >= _LISTED and not options.all:
            left += 1
            continue
        listed += 1
        weighty = problem.severity in weights
        over = problem.status in (Status.GONE, Status.ACCEPTED)
        if options.all or (blocks < _FULL and (weighty or options.verbose) and not over):
            if not was_full:
                screen.blank()
            (full if options.verbose else brief)(screen, report, problem, number)
            screen.blank()
            blocks += 1
            was_full = True
        else:
            compact(screen, report, problem, number)
            was_full = False
    if left:
        screen.put(f"… and {plural(left, 'more problem')}; --all lists them", indent=1)
    if not was_full or left:
        screen.blank()
    if options.all or options.columns:
        connection_table(screen, report)


def _nothing(screen: Screen, report: Report) -> None:
    """Why there is no problem, what was looked at for one, and what to collect instead."""
    screen.put((f"{headline(report)}.", "bold"), indent=1)
    screen.blank()

    def told(*codes: str) -> list[str]:
        return [screen.name(one.message, _ADVICE) for one in report.warnings if one.code in codes]

    def row(label: str, texts: list[str]) -> None:
        if texts:
            screen.field(label, texts, indent=1, labels=14)

    why, *collect = told(*NO_RECORDS) or [""]
    row("selected", told(*_UNSELECTED))
    row("why", [why] if why else [])
    row("looked at", [_looked_at(report)])
    if not why and not _unselected(report):
        row("cannot show", [_UNSEEN])
    for number, text in enumerate(collect):
        what, colon, command = text.partition(": ")
        label = "" if number else "instead"
        screen.field(label, [f"- {what}{colon.rstrip()}"], indent=1, labels=14, hang=2)
        if command:
            screen.commands("", [command], indent=1, labels=16)
    screen.blank()


def _looked_at(report: Report) -> str:
    totals, inputs = report.totals, plural(len(report.inputs), "input")
    if not totals.records:
        return inputs
    if _unselected(report):
        return f"{plural(totals.records, 'record')} of {inputs}, none of them selected"
    allowed = "allowed traffic not read" if totals.allowed is None else f"{count(totals.allowed)} allowed"
    return f"{plural(totals.records, 'record')} ({allowed}) of {inputs}"


def _rest(screen: Screen, report: Report) -> None:
    lines = list(_besides(screen, report))
    for line in lines:
        screen.put(line, indent=1, hang=2)
    # On a screen without problems what to collect, and what was selected, stands above already.
    told = () if report.problems else (*NO_RECORDS, *_UNSELECTED)
    warnings = [one for one in report.warnings if one.code not in told]
    _warnings(screen, warnings)
    if lines or warnings:
        screen.blank()


def _besides(screen: Screen, report: Report) -> Iterator[str]:
    """What was refused, or would be, and stands in no problem."""
    totals = report.totals
    if totals.unattributed:
        yield f"Unattributed: {plural(totals.unattributed, 'denial')} without enough in the record to tell whose"
    if totals.audited and not any(p.verdict == "audited" for p in report.problems):
        yield f"Audit mode: {plural(totals.audited, 'record')} would be denied"
    if totals.not_policy or report.not_policy:
        groups = [
            f"{screen.name(item.text or item.reason, _MOST_OF_A_REASON)}: {count(item.count)}"
            for item in report.not_policy
        ]
        shown = groups if screen.options.all else groups[:3]
        more = (
            "" if len(shown) == len(groups) else f", {plural(len(groups) - len(shown), 'more kind')}: --all"
        )
        listed = f" ({', '.join(shown)}{more})" if shown else ""
        yield f"Not policy: {count(totals.not_policy)}{listed}"
        # Beside problems of policies it is of little weight.
        for item in report.not_policy[:3] if screen.options.all or not report.problems else ():
            if item.largest:
                told = ", ".join(
                    f"{screen.own(screen.name(dropped_text(pair), 120))} ({count(pair.count)})"
                    for pair in item.largest
                )
                yield f"{screen.name(item.reason, 60)}: {told}"


def _warnings(screen: Screen, warnings: Sequence[ReportWarning]) -> None:
    """One behind its heading, several below it; what many say alike once, unless all is asked for."""
    head = plural(len(warnings), "warning")
    groups = [(one, 1) for one in warnings] if screen.options.all else alike(warnings)
    if len(groups) > 1:
        screen.put((head, "yellow"), indent=1)
    shown = groups if screen.options.all else groups[:3]
    for warning, number in shown:
        text = f"{screen.name(warning.message, _WARNING)} ({screen.name(warning.code, 40)})"
        if place := place_text(warning):
            text = f"{screen.name(place, 60)}{more_text(number)}: {text}"
        if len(groups) > 1:
            screen.put(text, indent=3, hang=2)
        else:
            screen.put((head, "yellow"), f": {text}", indent=1, hang=2)
    if len(shown) < len(groups):
        left = len(warnings) - sum(number for _, number in shown)
        screen.put(f"… and {left:,} more: --all", indent=3)


def _next(screen: Screen, report: Report) -> None:
    """The command to try, and where there is more."""
    commands: list[str] = []
    lines: list[str] = []
    if report.evidence.snapshot.source is None and report.totals.records and not instead(report):
        kinds = f"pods,ns,svc,endpointslices,nodes,netpol{_CILIUM_KINDS if 'cilium' in report.cluster.cni else ''}"
        commands.append(f"kubectl get {kinds} -A -o yaml --show-managed-fields > state.yaml")
        states = "--state state.yaml"
        if "calico" in report.cluster.cni:
            commands.append(_CALICO_KINDS)
            states += " --state calico.yaml"
        refused = any(p.verdict == "denied" for p in report.problems)
        adds = "which policies refuse, and what mends it" if refused else "what the policies say"
        lines.append(f"{states}: adds {adds}")
    asked = [p for p in report.problems if p.verify]
    # What was mended or has stopped is no longer to be seen on the cluster.
    lead = next((p for p in asked if _open(p)), asked[0] if asked else None)
    if lead is not None:
        commands.append(screen.name(lead.verify[0], 400))
    roots = [p for p in report.problems if p.explained_by is None]
    if roots:
        code = screen.name((lead or roots[0]).code, 20)
        notes = sum(len(p.notes) for p in report.problems if p.explained_by is None)
        held = f"{plural(notes, 'note')}, evidence" if notes else "evidence"
        patches = "patches, " if any(p.counterfactual is not None for p in roots) else ""
        more = f"-v: {patches}{held}; "
        if screen.options.verbose:
            more = "" if screen.options.all else "--all: records whole; "
        lines.append(f"{more}-o html=FILE; flowdiag codes {code}")
    if report.totals.not_policy and not roots:
        lines.append(
            "flowdiag events --verdict denied PATH: whom no policy refused, and by which rule (reason_raw)"
        )
    screen.commands("Next", commands, indent=1, labels=6)
    screen.field("" if commands else "Next", lines, indent=1, labels=6)


def _unselected(report: Report) -> bool:
    return any(one.code == NOTHING_SELECTED for one in report.warnings)


def _open(problem: Problem) -> bool:
    """Whether somebody has to see to it still."""
    weighty = problem.severity in (Severity.HIGH, Severity.MEDIUM)
    over = problem.ongoing is False or problem.status in (Status.GONE, Status.ACCEPTED)
    return weighty and problem.explained_by is None and not over
