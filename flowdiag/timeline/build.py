"""The report, put together from everything the run found out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec import UNSET, UnsetType

from flowdiag.model.event import Verdict
from flowdiag.model.report import (
    Change,
    Evidence,
    EvidenceGap,
    Input,
    Plot,
    Problem,
    Report,
    ReportWarning,
    Totals,
    Window,
)
from flowdiag.model.tally import Bucket, InputSummary
from flowdiag.model.time import rfc3339, rfc3339_or_none
from flowdiag.timeline.buckets import bucketize
from flowdiag.timeline.connected import connected
from flowdiag.timeline.focus import focus
from flowdiag.timeline.listed import NOT_DENIED, not_policy, policy_views
from flowdiag.timeline.marks import timeline
from flowdiag.timeline.material import Material

__all__ = ["build_report"]


def build_report(material: Material) -> Report:
    """Group, fold, count and order; the same material gives the same report."""
    found = connected(material)
    problems = tuple(problem for problem, _ in found)
    by_problem = {
        problem.id: [b for c in draft.connections for r in c.refusals for b in r.flow.buckets]
        for problem, draft in found
        if problem.verdict not in NOT_DENIED
    }
    explained: dict[tuple[int, str], str] = {}
    for problem, draft in found:
        for connection in draft.connections:
            for said in connection.finding.said:
                explained.setdefault((said.at, said.text), problem.id)
    others = [bucket for flow in material.unattributed for bucket in flow.buckets]
    by_node = _by_node(material)
    return Report(
        generator=material.generator,
        created=rfc3339(material.created),
        complete=material.complete,
        window=Window(rfc3339_or_none(material.since), rfc3339_or_none(material.until)),
        cluster=material.cluster,
        inputs=tuple(_input(summary) for summary in sorted(material.inputs, key=lambda one: one.path)),
        evidence=_evidence(material),
        totals=_totals(material, problems),
        problems=problems,
        timeline=timeline(
            problems,
            material.changes,
            material.signals,
            material.gaps,
            (material.since, material.until),
            explained,
        ),
        buckets=bucketize(
            material.since, material.until, by_problem, others, material.allowed_buckets, by_node
        ),
        plot=_plot(material, by_problem, others, by_node),
        changes=tuple(
            Change(at=rfc3339(c.at), kind=c.kind, object=c.object, by=c.by, text=c.text)
            for c in sorted(material.changes, key=lambda c: (c.at, c.kind, repr(c.object)))
        ),
        policies=policy_views(material, [draft for _, draft in found]),
        not_policy=not_policy(material.not_policy),
        warnings=tuple(sorted(material.warnings, key=_place)),
    )


def _evidence(material: Material) -> Evidence:
    return Evidence(
        gaps=tuple(
            EvidenceGap(
                node=gap.node,
                since=rfc3339_or_none(gap.since),
                to=rfc3339_or_none(gap.until),
                kind=gap.kind,
                lost=gap.lost,
            )
            for gap in material.gaps
        ),
        snapshot=material.snapshot,
        clock_skew=tuple(material.clock_skew),
    )


def _totals(material: Material, problems: Sequence[Problem]) -> Totals:
    denied = sum(p.count for p in problems if p.verdict not in NOT_DENIED)
    unattributed = sum(flow.count for flow in material.unattributed)
    allowed = material.allowed_buckets
    return Totals(
        records=material.records,
        flows=material.flows,
        denied=denied + unattributed,
        audited=sum(p.count for p in problems if p.verdict == Verdict.AUDITED),
        allowed=None if allowed is None else sum(bucket.count for bucket in allowed),
        not_policy=sum(flow.count for flow, _ in material.not_policy),
        unattributed=unattributed,
    )


def _plot(
    material: Material,
    by_problem: Mapping[str, Sequence[Bucket]],
    others: Sequence[Bucket],
    by_node: Mapping[str, Sequence[Bucket]],
) -> Plot | UnsetType:
    """The part of the time that plots are of, where that is not all of it."""
    if material.since is None or material.until is None:
        return UNSET
    allowed = material.allowed_buckets
    part = focus(
        material.since,
        material.until,
        chain(*by_problem.values(), others),
        allowed if allowed is not None else (),
    )
    if part is None:
        return UNSET
    buckets = bucketize(
        part.since,
        part.until,
        {problem: list(part.of(row)) for problem, row in by_problem.items()},
        part.of(others),
        None if allowed is None else part.of(allowed),
        {node: list(part.of(row)) for node, row in by_node.items()},
    )
    return Plot(buckets=buckets, outside=part.outside)


def _by_node(material: Material) -> dict[str, list[Bucket]]:
    """Buckets of the denied flows by the node that recorded them."""
    rows: dict[str, list[Bucket]] = defaultdict(list)
    denied = (r.flow for r in material.refusals if r.flow.distinct.verdict not in NOT_DENIED)
    for flow in (*denied, *material.unattributed):
        if flow.distinct.node is not None:
            rows[flow.distinct.node].extend(flow.buckets)
    return rows


def _input(summary: InputSummary) -> Input:
    return Input(
        path=summary.path,
        parser=summary.parser,
        bytes=summary.bytes,
        sha256=summary.sha256,
        records=summary.records,
        flows=summary.flows,
        warnings=summary.warnings,
        first=rfc3339_or_none(summary.first),
        last=rfc3339_or_none(summary.last),
        year_inferred=summary.year_inferred,
    )


_ONE_TEXT = "FD807"
"""Codes of warnings that keep the order in which they were made: why there is no denial, then what to collect."""


def _place(warning: ReportWarning) -> tuple[bool, str, int, str, str]:
    """By file and line, then those of no file; whatever order the inputs were named in."""
    return (
        warning.input is None,
        warning.input or "",
        warning.line or 0,
        warning.code,
        "" if warning.code == _ONE_TEXT else warning.message,
    )
