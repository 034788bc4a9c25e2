"""What the page shows, in plain values: the template formats nothing and decides nothing."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Any

from flowdiag.model.policy import Condition
from flowdiag.model.report import Connection, NearestRuleView, PolicyView, Problem, Report, ReportEndpoint
from flowdiag.report.charts import PALETTE, charted, frame, inline_svg
from flowdiag.report.escape import visible
from flowdiag.report.html.matrix import matrix
from flowdiag.report.markdown import problem_markdown
from flowdiag.report.phrases import (
    CONFIDENCE_MEANING,
    SEVERITY_WORD,
    change_text,
    count,
    cut_off,
    day_and_clock,
    delta_text,
    direction_text,
    end_text,
    headline,
    miss_text,
    object_text,
    plural,
    policy_name,
    policy_text,
    port_text,
    reason_text,
    recorded_text,
    span_text,
    state_text,
    ticks,
    what_text,
    who_to_whom,
    zone_text,
)
from flowdiag.report.protocol import Options

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

_MAX_ROWS = 1500
_MAX_EVIDENCE = 5


def page(report: Report, options: Options) -> dict[str, Any]:
    """Everything that the template names."""
    zone = options.timezone
    window = report.window
    shown = [p for p in report.problems if p.explained_by is None]
    known = {problem.id: number for number, problem in enumerate(charted(report))}
    policies = {(p.kind, p.group, p.namespace, p.name): p for p in report.policies}
    problems = [
        _problem(report, problem, number, options, known.get(problem.id), policies)
        for number, problem in enumerate(report.problems, start=1)
    ]
    rows = _rows(report, zone)
    axis = frame(report)
    return {
        "sections": SECTIONS,
        "report": report,
        "cluster": report.cluster.name or "cluster name unknown",
        "title": f"Denied traffic: {report.cluster.name or 'a cluster'}, {day_and_clock(window.since, zone)}",
        "headline": headline(report),
        "window": span_text(window.since, window.until, zone),
        "zone": zone_text(zone, window.since or window.until) if window.since or window.until else "",
        "cni": ", ".join(report.cluster.cni) or "CNI unknown",
        "limits": cut_off(report, zone),
        "totals": _totals(report),
        "problems": problems,
        "lead": problems[: len(shown)],
        "timeline_svg": _markup(
            inline_svg(report, "timeline", ident="t", title="Denials over time by problem", zone=zone)
        ),
        "lanes_svg": _markup(
            inline_svg(report, "lanes", ident="l", title="When each problem was seen", zone=zone)
        ),
        "axis": axis,
        "marks": [
            {
                "at": _time(mark.at, zone),
                "kind": mark.kind.replace("-", " "),
                "text": mark.text,
                "problem": mark.problem,
            }
            for mark in report.timeline[:_MAX_ROWS]
        ],
        "numbers": {problem.id: number for number, problem in enumerate(report.problems, start=1)},
        "buckets": _buckets(report, zone),
        "matrix": matrix(report),
        "policies": [_policy(policy, zone) for policy in report.policies[:_MAX_ROWS]],
        "rows": rows[:_MAX_ROWS],
        "rows_left": len(rows) - min(len(rows), _MAX_ROWS),
        "changes": [
            {
                "letter": chr(ord("A") + index) if index < 26 else "",
                "at": _time(change.at, zone),
                "kind": change.kind,
                "object": object_text(change.object),
                "by": change.by or "unknown",
                "text": change.text,
            }
            for index, change in enumerate(report.changes[:_MAX_ROWS])
        ],
        "not_policy": report.not_policy,
        "warnings": report.warnings[:_MAX_ROWS],
        "inputs": [
            {
                "item": item,
                "first": _time(item.first, zone),
                "last": _time(item.last, zone),
                "bytes": count(item.bytes),
                "records": count(item.records),
                "flows": count(item.flows),
            }
            for item in report.inputs[:_MAX_ROWS]
        ],
        "gaps": [
            {
                "node": gap.node or "unknown",
                "since": _time(gap.since, zone),
                "to": _time(gap.to, zone),
                "gap": gap,
            }
            for gap in report.evidence.gaps
        ],
        "snapshot": _time(report.evidence.snapshot.taken, zone),
        "glossary": _glossary(report),
        "confidences": [(str(word), meaning) for word, meaning in CONFIDENCE_MEANING.items()],
        "created": _time(report.created, zone),
    }


def _markup(svg: str | None) -> Any:
    from markupsafe import Markup

    return None if svg is None else Markup(svg)  # noqa: S704 - charts escapes what it writes


def _time(text: str | None, zone: tzinfo) -> dict[str, str | None]:
    """For a ``<time>`` element; `iso` is ``None`` where the time is unknown or no time."""
    at = ticks(text)
    return {"iso": text if at is not None else None, "text": day_and_clock(text, zone)}


def _totals(report: Report) -> list[tuple[str, str, str]]:
    totals = report.totals
    allowed = "not read" if totals.allowed is None else count(totals.allowed)
    return [
        ("denied", count(totals.denied), "refused records, pairs of verdict and drop counted once"),
        (
            "problems",
            count(sum(p.explained_by is None for p in report.problems)),
            "causes, consequences folded",
        ),
        ("audited", count(totals.audited), "would be denied, were let through"),
        ("allowed", allowed, "recorded as let through"),
        ("not policy", count(totals.not_policy), "dropped, but by no policy"),
        ("unattributed", count(totals.unattributed), "too little in the record to tell whose"),
    ]


def _problem(
    report: Report,
    problem: Problem,
    number: int,
    options: Options,
    color: int | None,
    policies: dict[tuple[str, str, str | None, str], PolicyView],
) -> dict[str, Any]:
    zone = options.timezone
    fix = problem.counterfactual
    numbers = {p.id: n for n, p in enumerate(report.problems, start=1)}
    return {
        "problem": problem,
        "number": number,
        "anchor": f"p{number}",
        "severity": SEVERITY_WORD[problem.severity],
        "color": color if color is not None else len(PALETTE),
        "state": state_text(problem, zone),
        "what": what_text(problem, problem.count),
        "who": who_to_whom(problem),
        "direction": direction_text(problem),
        "reason": reason_text(problem),
        "first": _time(problem.first, zone),
        "last": _time(problem.last, zone),
        "search": _search(problem),
        "start": _ms(problem.first),
        "end": _ms(problem.last),
        "recorded": [recorded_text(policy) for policy in problem.recorded],
        "isolating": [policy_text(ref) for ref in problem.isolating],
        "nearest": [
            {
                "rule": f"{policy_text(rule)} {rule.rule}",
                "misses": [miss_text(miss) for miss in rule.misses],
                "lines": _marked(rule, policies.get((rule.kind, rule.group, rule.namespace, rule.name))),
            }
            for rule in problem.nearest[:3]
        ],
        "fix": fix,
        "proof": None if fix is None else "proved by replaying it" if fix.proved else "not proved",
        "patch": [] if fix is None or not fix.patch else _diff(fix.patch),
        "also": []
        if fix is None
        else [f"{r.src} → {r.dst} {','.join(r.ports)}/{r.protocol}" for r in fix.also_allows[:50]],
        "also_left": 0 if fix is None else max(len(fix.also_allows) - 50, 0),
        "changes": [change_text(change, zone) for change in problem.changes],
        "delta": delta_text(problem.changes[0].delta_s) if problem.changes else None,
        "explains": [
            (n, p.title, what_text(p, p.count))
            for n, p in enumerate(report.problems, 1)
            if p.explained_by == problem.id
        ],
        "explained_by": numbers.get(problem.explained_by) if problem.explained_by else None,
        "ends": [
            (word, _end(end))
            for word, end in (("source", problem.source), ("destination", problem.destination))
        ],
        "meaning": CONFIDENCE_MEANING[problem.confidence],
        "evidence": problem.evidence[:_MAX_EVIDENCE],
        "references": [(url, url if url.startswith("https://") else None) for url in problem.references],
        "markdown": "\n".join(problem_markdown(problem, options, number=number)),
    }


def _ms(text: str | None) -> int | None:
    at = ticks(text)
    return None if at is None else at // 1_000_000


def _end(end: ReportEndpoint) -> list[tuple[str, str]]:
    facts = [("is", f"{end_text(end)} ({end.kind})")]
    if end.pods:
        facts.append(("pods", ", ".join(end.pods[:20])))
    if end.ips:
        facts.append(("addresses", ", ".join(end.ips[:20])))
    if end.labels:
        facts.append(
            ("labels", ", ".join(f"{key}={value}" for key, value in sorted(end.labels.items())[:30]))
        )
    if end.dns_names:
        facts.append(("names", ", ".join(end.dns_names[:20])))
    if end.identity is not None:
        facts.append(("identity", str(end.identity)))
    facts.append(("known by", end.known_by or "unknown"))
    return facts


def _search(problem: Problem) -> str:
    parts = [
        problem.title,
        problem.code,
        problem.slug,
        problem.severity,
        problem.verdict,
        problem.reason.name or "",
        *(policy_name(ref) for ref in problem.isolating),
        *(who_to_whom(connection) for connection in problem.connections[:40]),
    ]
    return visible(" ".join(parts).lower(), 3000)


def _diff(patch: str) -> list[tuple[str, str]]:
    """(class, line) of a unified diff; the sign stays in the line, so that colour is not needed."""
    lines = []
    for line in patch.rstrip("\n").split("\n"):
        kind = (
            "head"
            if line.startswith(("---", "+++", "@@"))
            else {"+": "add", "-": "del"}.get(line[:1], "same")
        )
        lines.append((kind, line))
    return lines


def _marked(rule: NearestRuleView, policy: PolicyView | None) -> list[tuple[str, str]]:
    """The policy's text with the lines that the connection missed, empty where the text is not known."""
    if policy is None or not policy.manifest:
        return []
    needles = []
    for miss in rule.misses:
        if miss.condition in (Condition.NAMESPACE, Condition.POD) and "=" in miss.wanted:
            key, _, value = miss.wanted.partition("=")
            needles.append(
                re.compile(rf"\s*(?:- )?[\"']?{re.escape(key)}[\"']?:\s*[\"']?{re.escape(value)}[\"']?\s*$")
            )
        elif miss.condition in (Condition.PORT, Condition.IP, Condition.PROTOCOL):
            needles.append(re.compile(rf"\s*(?:- )?\w+:\s*[\"']?{re.escape(miss.wanted)}[\"']?\s*$"))
    lines = []
    for line in policy.manifest.rstrip("\n").split("\n")[:400]:
        missed = any(needle.match(line[:500]) for needle in needles)
        lines.append(("missed" if missed else "same", line))
    return lines


def _rows(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    return [
        _row(problem, connection, number, zone)
        for number, problem in enumerate(report.problems, start=1)
        for connection in problem.connections
    ]


def _row(problem: Problem, connection: Connection, number: int, zone: tzinfo) -> dict[str, Any]:
    who = who_to_whom(connection)
    return {
        "number": number,
        "code": problem.code,
        "severity": SEVERITY_WORD[problem.severity],
        "verdict": problem.verdict,
        "from": end_text(connection.source),
        "to": end_text(connection.destination),
        "port": port_text(connection.protocol, connection.port, problem.icmp),
        "port_number": connection.port,
        "direction": problem.direction or "not recorded",
        "count": count(connection.count),
        "sort": connection.count,
        "first": _time(connection.first, zone),
        "last": _time(connection.last, zone),
        "start": _ms(connection.first),
        "end": _ms(connection.last),
        "search": visible(
            f"{problem.code} {problem.slug} {problem.severity} {problem.verdict} {who}".lower(), 1000
        ),
    }


def _buckets(report: Report, zone: tzinfo) -> list[dict[str, Any]]:
    """The timeline's numbers: spans with anything in them."""
    from flowdiag.model.time import NS, rfc3339

    buckets = report.buckets
    start = ticks(buckets.start)
    if start is None or not buckets.width_s:
        return []
    rows = []
    shown = charted(report)
    allowed = buckets.counts.allowed
    for index, denied in enumerate(buckets.counts.denied):
        let = allowed[index] if allowed is not None and index < len(allowed) else None
        if not denied and not let:
            continue
        at = rfc3339(start + int(index * buckets.width_s * NS))
        each = [
            buckets.counts.by_problem[p.id][index]
            for p in shown
            if index < len(buckets.counts.by_problem[p.id])
        ]
        rows.append(
            {
                "at": _time(at, zone),
                "denied": count(denied),
                "allowed": "not read" if allowed is None else count(let or 0),
                "each": [count(number) for number in each],
            }
        )
    return rows


def _policy(policy: PolicyView, zone: tzinfo) -> dict[str, Any]:
    return {
        "policy": policy,
        "name": policy_text(policy),
        "created": _time(policy.created, zone),
        "selects": "unknown" if policy.selects is None else plural(policy.selects, "pod"),
        "denials": count(policy.denials),
    }


def _glossary(report: Report) -> list[tuple[str, str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for problem in report.problems:
        slug, number = found.get(problem.code, (problem.slug, 0))
        found[problem.code] = (slug, number + 1)
    return [(code, slug.replace("-", " "), number) for code, (slug, number) in sorted(found.items())]
