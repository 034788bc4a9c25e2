"""What the page shows, in plain values: the template formats nothing and decides nothing."""

from __future__ import annotations

from typing import Any

from flowdiag.model.report import Report
from flowdiag.model.words import capital
from flowdiag.report.charts import age_bins, beside_bars, busiest_nodes, frame, inline_svg, others
from flowdiag.report.cut import CUT
from flowdiag.report.html.cards import cards
from flowdiag.report.html.matrix import matrix
from flowdiag.report.html.said import SAID
from flowdiag.report.html.tables import (
    MAX_ROWS,
    change_rows,
    connection_rows,
    gap_rows,
    input_rows,
    mark_rows,
    node_rows,
    policy_rows,
    span_rows,
)
from flowdiag.report.html.values import time_value
from flowdiag.report.isolating import closing_first
from flowdiag.report.meanings import meanings
from flowdiag.report.phrases import CONFIDENCE_MEANING, count, cut_off, instead, part_of
from flowdiag.report.plotted import plotted
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import foreign, spoken_report
from flowdiag.report.times import Clock, day_and_clock, duration_text, span_text, zone_text
from flowdiag.report.told_once import told_once

__all__ = ["SECTIONS", "page"]

SECTIONS = (
    ("summary", "Summary"),
    ("problems", "Problems"),
    ("timeline", "Timeline"),
    ("matrix", "Who talks to whom"),
    ("policies", "Policies involved"),
    ("denials", "Denials"),
    ("changes", "Changes"),
    ("not-policy", "Not policy"),
    ("evidence", "Evidence and limits"),
    ("glossary", "Glossary"),
    ("made", "How it was made"),
)
"""Ids and headings in their order: links and the template go by these and no others."""

_LEAD = 20
"""Problems that the summary lists."""
_CHARTS = (
    ("timeline", "Denials over time by problem"),
    ("lanes", "When each problem was seen"),
    ("nodes", "Denials over time on each node"),
    ("ages", "Age of pods when they were first refused"),
)


def page(report: Report, options: Options, whole: str, read: bool | None) -> dict[str, Any]:
    """Everything that the template names.

    Args:
        report: what stands on the page.
        options: the zone.
        whole: the headline of the report that it was cut from, or its own.
        read: whether all of the evidence was read; ``None`` if unknown.
    """
    # The page says so above, in other words.
    limits = [one for one in cut_off(report, SAID) if one not in part_of(report)]
    report = plotted(told_once(closing_first(report)))
    zone = options.timezone
    window = report.window
    # Pictures are drawn once: their words stay in the zone that was asked for.
    clock = Clock.of(report, zone, named=True)
    drawn = spoken_report(report, clock)
    begin, _, end = span_text(window.since, window.until, zone).partition(" → ")
    problems = cards(report, drawn, clock)
    table = matrix(report)
    total = sum(problem.connection_count for problem in report.problems)
    rows = connection_rows(report, table, zone)
    cut = "; ".join(warning.message for warning in report.warnings if warning.code == CUT)
    lead = [card for card in problems if card["problem"].explained_by is None]
    return {
        "sections": SECTIONS,
        "report": report,
        "cluster": report.cluster.name or "cluster name unknown",
        "title": f"Denied traffic: {report.cluster.name or 'a cluster'}, {day_and_clock(window.since, zone)} {zone_text(zone, window.since)}",
        "headline": whole,
        "cut": cut,
        "read": read,
        "since": time_value(window.since, zone) | {"text": begin},
        "until": time_value(window.until, zone) | {"text": end},
        "zone": zone_text(zone, window.since, window.until) if window.since or window.until else "",
        "zone_of_made": zone_text(zone, report.created),
        "cni": ", ".join(report.cluster.cni) or "CNI unknown",
        "clock": clock,
        "foreign": foreign(report),
        "limits": limits,
        "instead": [capital(text) for text in instead(report)],
        "totals": _totals(report, cut=bool(cut)),
        "problems": problems,
        "lead": lead[:_LEAD],
        "lead_left": len(lead) - len(lead[:_LEAD]),
        "charts": {kind: _markup(inline_svg(drawn, kind, title=title, zone=zone)) for kind, title in _CHARTS},
        "span": duration_text(report.buckets.width_s or 0),
        "other_denials": others(report),
        "beside_bars": beside_bars(report, zone),
        "axis": frame(report),
        "marks": mark_rows(report, zone),
        "spans": span_rows(report, zone),
        "ages": [(second, number) for second, number in enumerate(age_bins(report)) if number],
        "nodes": node_rows(report, zone),
        "nodes_left": max(len(report.buckets.counts.by_node) - len(busiest_nodes(report)), 0),
        "matrix": table,
        "policies": policy_rows(report, zone),
        "rows": rows,
        "rows_left": total - len(rows),
        "rows_cut": total > MAX_ROWS,
        "changes": change_rows(report, zone),
        "not_policy": report.not_policy,
        "warnings": report.warnings[:MAX_ROWS],
        "inputs": input_rows(report, zone),
        "gaps": gap_rows(report, zone),
        "snapshot": time_value(report.evidence.snapshot.taken, zone),
        "glossary": _glossary(report),
        "confidences": [(str(word), meaning) for word, meaning in CONFIDENCE_MEANING.items()],
        "created": time_value(report.created, zone),
    }


def _markup(svg: str | None) -> Any:
    from markupsafe import Markup

    return None if svg is None else Markup(svg)  # noqa: S704 - charts escapes what it writes


def _totals(report: Report, *, cut: bool) -> list[tuple[str, str, str]]:
    totals = report.totals
    allowed = "not read" if totals.allowed is None else count(totals.allowed)
    return [
        ("denied", count(totals.denied), "records of refused traffic"),
        (
            "problems",
            count(sum(p.explained_by is None for p in report.problems)),
            "causes on this page" if cut else "causes, consequences folded",
        ),
        ("audited", count(totals.audited), "would be denied, were let through"),
        ("allowed", allowed, "recorded as let through"),
        ("not policy", count(totals.not_policy), "dropped, but by no policy"),
        ("unattributed", count(totals.unattributed), "too little in the record to tell whose"),
    ]


def _glossary(report: Report) -> list[tuple[str, str, int, str]]:
    found: dict[str, tuple[str, int]] = {}
    for problem in report.problems:
        slug, number = found.get(problem.code, (problem.slug, 0))
        found[problem.code] = (slug, number + 1)
    known = meanings(found)
    return [
        (code, slug.replace("-", " "), number, known.get(code, ""))
        for code, (slug, number) in sorted(found.items())
    ]
