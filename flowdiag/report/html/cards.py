"""One problem as a card: what, who, which rule, what mends it, and what shows it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.model.finding import BY_RULE
from flowdiag.model.opened import opened_pairs
from flowdiag.model.report import (
    Counterfactual,
    NearestRuleView,
    PolicyView,
    Problem,
    Report,
    ReportEndpoint,
    Severity,
)
from flowdiag.model.words import plural
from flowdiag.report.charts import PALETTE, charted, frame
from flowdiag.report.html.facts import named_policies, problem_facts
from flowdiag.report.html.missed import marked_lines
from flowdiag.report.html.said import SAID
from flowdiag.report.html.values import milliseconds, time_value
from flowdiag.report.isolating import denied_by
from flowdiag.report.markdown import problem_markdown
from flowdiag.report.names import (
    direction_text,
    end_text,
    label_texts,
    miss_text,
    policy_text,
    reason_text,
    recorded_text,
    who_to_whom,
)
from flowdiag.report.phrases import (
    CONFIDENCE_MEANING,
    SEVERITY_WORD,
    change_text,
    mends,
    proof_text,
    radius_known,
    state_text,
    what_text,
)
from flowdiag.report.times import Clock, duration_text

__all__ = ["PolicyKey", "cards", "policy_keys"]

_MAX_EVIDENCE = 5
_MAX_PAIRS = 50
_MAX_NAMES = 20
_NEAREST = 3

PolicyKey = tuple[str | None, str | None, str | None, str | None]


class _Shared(Struct, frozen=True):
    """What all cards of a page look up."""

    report: Report
    clock: Clock
    """For texts that no script changes: Markdown to copy, descriptions of pictures."""
    drawn: dict[str, Problem]
    """By id, with the moments of their sentences as `clock` says them."""
    numbers: dict[str, int]
    colors: dict[str, int]
    policies: dict[PolicyKey, PolicyView]


def cards(report: Report, drawn: Report, clock: Clock) -> list[dict[str, Any]]:
    """Every problem, in the report's order.

    Args:
        report: what stands on the page.
        drawn: the same with the moments of its sentences as `clock` says them.
        clock: for what no script changes.
    """
    shared = _Shared(
        report=report,
        clock=clock,
        drawn={problem.id: problem for problem in drawn.problems},
        numbers={problem.id: number for number, problem in enumerate(report.problems, start=1)},
        colors={problem.id: number for number, problem in enumerate(charted(report))},
        policies={(p.kind, p.group, p.namespace, p.name): p for p in report.policies},
    )
    return [_card(shared, problem, number) for number, problem in enumerate(report.problems, start=1)]


def policy_keys(problem: Problem) -> set[PolicyKey]:
    """Every policy that a problem speaks of."""
    return {(ref.kind, ref.group, ref.namespace, ref.name) for ref in named_policies(problem)}


def _card(shared: _Shared, problem: Problem, number: int) -> dict[str, Any]:
    report, zone, drawn = shared.report, shared.clock.zone, shared.drawn[problem.id]
    folded = [p for p in report.problems if p.explained_by == problem.id]
    markdown = problem_markdown(
        drawn,
        shared.clock,
        number=number,
        folded=[shared.drawn[other.id] for other in folded],
    )
    return {
        "problem": problem,
        "title": drawn.title,
        "number": number,
        "anchor": f"p{number}",
        "severity": SEVERITY_WORD[problem.severity],
        "color": shared.colors.get(problem.id, len(PALETTE)),
        "state": state_text(problem, SAID),
        "what": what_text(problem, problem.count),
        "who": who_to_whom(problem),
        "direction": direction_text(problem),
        "reason": reason_text(problem),
        "first": time_value(problem.first, zone),
        "last": time_value(problem.last, zone),
        "facts": problem_facts(problem, drawn),
        "spark": _spark(report, problem, shared.clock),
        "recorded": [recorded_text(policy) for policy in problem.recorded],
        "isolating": [policy_text(ref) for ref in problem.isolating],
        "nearest": [_nearest(shared, rule) for rule in problem.nearest[:_NEAREST]],
        "answer": _answer(problem),
        "mends": [_mend(problem, word, mend) for word, mend in mends(problem)],
        "changes": [change_text(change, SAID) for change in problem.changes],
        "explains": [(shared.numbers[p.id], p.title, what_text(p, p.count)) for p in folded],
        "explained_by": shared.numbers.get(problem.explained_by) if problem.explained_by else None,
        "ends": [
            (word, _end(end))
            for word, end in (("source", problem.source), ("destination", problem.destination))
        ],
        "meaning": CONFIDENCE_MEANING[problem.confidence],
        "evidence": problem.evidence[:_MAX_EVIDENCE],
        "evidence_left": max(len(problem.evidence) - _MAX_EVIDENCE, 0),
        "references": [(url, url if url.startswith("https://") else None) for url in problem.references],
        "markdown": "\n".join(markdown),
    }


def _answer(problem: Problem) -> list[tuple[str, str]]:
    """By what it is refused and what mends it, a line each: what most readers of a weighty problem come for."""
    if problem.severity not in (Severity.HIGH, Severity.MEDIUM):
        return []
    denying = denied_by(problem) if problem.code in BY_RULE else None
    lines = []
    if denying is not None:
        lines.append(("denied by", policy_text(denying)))
    elif problem.isolating:
        more = f" and {len(problem.isolating) - 1} more" if len(problem.isolating) > 1 else ""
        lines.append(("isolated by", f"{policy_text(problem.isolating[0])}{more}"))
    if problem.counterfactual is not None:
        lines.append(
            (
                "fix",
                f"{problem.counterfactual.summary.rstrip('. ')} ({proof_text(problem, problem.counterfactual)})",
            )
        )
    elif problem.advice:
        lines.append(("advice", problem.advice))
    return lines


def _mend(problem: Problem, word: str, mend: Counterfactual) -> dict[str, Any]:
    """A change that would have let the connection pass, with what else it lets pass."""
    opened = opened_pairs(mend.also_allows)
    pairs = [f"{src} → {dst} {ports}" for src, dst, ports in opened[:_MAX_PAIRS]]
    return {
        "word": word,
        "change": mend,
        "proof": proof_text(problem, mend),
        "known": radius_known(mend),
        "patch": _diff(mend.patch) if mend.patch else [],
        "also": pairs,
        "also_left": len(opened) - len(pairs),
    }


def _nearest(shared: _Shared, rule: NearestRuleView) -> dict[str, Any]:
    policy = shared.policies.get((rule.kind, rule.group, rule.namespace, rule.name))
    return {
        "rule": f"{policy_text(rule)} {rule.rule}",
        "misses": [miss_text(miss) for miss in rule.misses],
        "lines": marked_lines(policy.manifest, rule) if policy is not None and policy.manifest else [],
    }


def _spark(report: Report, problem: Problem, clock: Clock) -> dict[str, Any] | None:
    """Bars of 24 units' height for a strip in the card, with marks where something changed."""
    row = report.buckets.counts.by_problem.get(problem.id, ())
    axis = frame(report)
    top = max(row, default=0)
    if axis is None or not top:
        return None
    bars = [
        f"M{index} 24v-{max(24 * number / top, 2):.3g}h.9V24z" for index, number in enumerate(row) if number
    ]
    span = axis.end_ms - axis.start_ms
    marks = [
        f"{(at - axis.start_ms) / span * len(row):.4g}"
        for change in problem.changes
        if (at := milliseconds(change.at)) is not None and axis.start_ms <= at <= axis.end_ms
    ]
    words = f"Over time: {state_text(problem, clock)}; at most {plural(top, 'record')} in {duration_text(report.buckets.width_s or 0)}"
    return {"path": "".join(bars), "width": len(row), "marks": marks, "words": words}


def _end(end: ReportEndpoint) -> list[tuple[str, str]]:
    facts = [("is", f"{end_text(end)} ({end.kind})")]
    several = (
        ("pods", end.pods),
        ("addresses", end.ips),
        ("labels", label_texts(end.labels)),
        ("names", end.dns_names),
    )
    for word, values in several:
        if values:
            more = f" and {len(values) - _MAX_NAMES:,} more" if len(values) > _MAX_NAMES else ""
            facts.append((word, ", ".join(values[:_MAX_NAMES]) + more))
    if end.identity is not None:
        facts.append(("identity", str(end.identity)))
    facts.append(("known by", end.known_by or "unknown"))
    return facts


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
