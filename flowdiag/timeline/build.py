"""The report, put together from everything the run found out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from flowdiag.model.event import Verdict
from flowdiag.model.problem import report_order
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
from flowdiag.model.time import moment_text, parse_rfc3339, rfc3339
from flowdiag.model.words import object_text, was
from flowdiag.timeline.absent import absent_calls
from flowdiag.timeline.allowed import AllowedIndex
from flowdiag.timeline.buckets import bucketize
from flowdiag.timeline.clocks import clock_doubt
from flowdiag.timeline.ends import EndViews
from flowdiag.timeline.focus import focus
from flowdiag.timeline.fold import fold
from flowdiag.timeline.folded import Folded
from flowdiag.timeline.group import ProblemDraft, group
from flowdiag.timeline.listed import NOT_DENIED, not_policy, policy_views
from flowdiag.timeline.marks import timeline
from flowdiag.timeline.material import Material
from flowdiag.timeline.problems import make_problem

__all__ = ["build_report"]

_DNS = "FD401"


def build_report(material: Material) -> Report:
    """Group, fold, count and order; the same material gives the same report."""
    drafts = group(material.refusals)
    if material.mend is not None:
        # Proposals are proved by evaluating a changed cluster, so they are made a problem and not a flow.
        whole = [draft for draft in drafts if not draft.connections[0].folded]
        counts = [draft.count for draft in whole]
        mended = material.mend([d.lead for d in whole], counts, [d.others for d in whole])
        for draft, finding in zip(whole, mended, strict=True):
            # The least sure refusal speaks for the problem, the latest for what mends it.
            first = draft.connections[0]
            first.finding = replace(
                first.finding,
                counterfactual=finding.counterfactual,
                revert=finding.revert,
                joined=finding.joined,
                advice=finding.advice,
            )
    # What passed is a problem of its own kind: nothing mends it by opening more, and it explains no refusal.
    gaps = group(material.passed)
    refusing, drafts = drafts, [*drafts, *gaps]
    allowed = AllowedIndex(material.allowed)
    problems: list[Problem] = []
    ends = EndViews()
    for draft in drafts:
        notes: list[str] = []
        if draft.finding.code == _DNS:
            refused = (refusal.flow for refusal in material.refusals)
            notes.extend(absent_calls(draft, material.allowed, refused, material.until, material.refused_now))
        begun, last = draft.span
        is_gap = any(draft is gap for gap in gaps)
        # What was let through and only noted passes by design.
        was_refused = draft.lead.flow.distinct.verdict is Verdict.DENIED
        before = allowed.passed_before(draft, begun) if was_refused and not is_gap else None
        if before is not None:
            notes.append(before)
        since = None if is_gap else allowed.first_after(draft, last)
        if since is not None:
            # Allowed traffic is counted by the minute.
            notes.append(f"seen allowed again from about {moment_text(since)}")
        problem = make_problem(
            draft,
            changes=material.changes,
            until=material.until,
            allowed_since=since,
            notes=notes,
            ends=ends,
            interval=material.intervals.get(draft.lead.flow.distinct.parser, 0),
        )
        doubt = clock_doubt(problem, draft.recording, material.clock_skew)
        if doubt is not None:
            problem = replace(problem, notes=(*problem.notes, doubt))
        problems.append(_ended(problem) if since is not None else problem)
    problems = _joined(_unique_ids(problems), drafts)
    problems = _folded(
        problems,
        fold(
            refusing,
            changes=material.changes,
            skews=material.clock_skew,
            worked_before=allowed.worked_before,
        ),
    )
    order = sorted(range(len(problems)), key=lambda index: report_order(problems[index]))
    by_problem = {
        problems[index].id: [b for c in drafts[index].connections for r in c.refusals for b in r.flow.buckets]
        for index in order
        if problems[index].verdict not in NOT_DENIED
    }
    ranked = tuple(problems[index] for index in order)
    explained: dict[tuple[int, str], str] = {}
    for index in order:
        for connection in drafts[index].connections:
            for said in connection.finding.said:
                explained.setdefault((said.at, said.text), problems[index].id)
    denied = sum(p.count for p in ranked if p.verdict not in NOT_DENIED)
    others = [bucket for flow in material.unattributed for bucket in flow.buckets]
    by_node = _by_node(material)
    unattributed = sum(flow.count for flow in material.unattributed)
    return Report(
        generator=material.generator,
        created=rfc3339(material.created),
        complete=material.complete,
        window=Window(_text(material.since), _text(material.until)),
        cluster=material.cluster,
        inputs=tuple(_input(summary) for summary in sorted(material.inputs, key=lambda one: one.path)),
        evidence=Evidence(
            gaps=tuple(
                EvidenceGap(
                    node=gap.node,
                    since=_text(gap.since),
                    to=_text(gap.until),
                    kind=gap.kind,
                    lost=gap.lost,
                )
                for gap in material.gaps
            ),
            snapshot=material.snapshot,
            clock_skew=tuple(material.clock_skew),
        ),
        totals=Totals(
            records=material.records,
            flows=material.flows,
            denied=denied + unattributed,
            audited=sum(p.count for p in ranked if p.verdict == Verdict.AUDITED),
            allowed=None
            if material.allowed_buckets is None
            else sum(bucket.count for bucket in material.allowed_buckets),
            not_policy=sum(flow.count for flow, _ in material.not_policy),
            unattributed=unattributed,
        ),
        problems=ranked,
        timeline=timeline(
            ranked,
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
        policies=policy_views(material, drafts),
        not_policy=not_policy(material.not_policy),
        warnings=tuple(sorted(material.warnings, key=_place)),
    )


def _folded(problems: Sequence[Problem], folded: Mapping[int, Folded]) -> list[Problem]:
    """Consequences under their causes, each with the words why."""
    explains: dict[int, list[str]] = defaultdict(list)
    beside: Counter[int] = Counter()
    for index, one in folded.items():
        explains[one.cause].append(problems[index].id)
        beside[one.cause] += one.beside
    found = []
    for index, problem in enumerate(problems):
        own = folded.get(index)
        why = (own.why,) if own is not None and own.why is not None else ()
        if beside[index]:
            what = "another problem" if beside[index] == 1 else f"{beside[index]} other problems"
            why = (
                *why,
                f"the same change of policies began {what}: what mends this one alone does not mend those",
            )
        found.append(
            replace(
                problem,
                explained_by=problems[own.cause].id if own is not None else None,
                explains=tuple(sorted(explains[index])),
                notes=(*why, *problem.notes),
            )
        )
    return found


def _joined(problems: Sequence[Problem], drafts: Sequence[ProblemDraft]) -> list[Problem]:
    """Problems that one change mends together, each with that change and the ids of all of them."""
    joins = [draft.connections[0].finding.joined for draft in drafts]
    members: dict[int, list[str]] = defaultdict(list)
    for problem, join in zip(problems, joins, strict=True):
        members[id(join)].append(problem.id)
    return [
        problem
        if join is None
        else replace(problem, joined=replace(join, problems=tuple(sorted(members[id(join)]))))
        for problem, join in zip(problems, joins, strict=True)
    ]


def _ended(problem: Problem) -> Problem:
    """Say what changed as the refusals ended, where something did."""
    ended = [c for c in problem.changes if problem.last is not None and c.at >= problem.last]
    if not ended:
        return problem
    first = min(ended, key=lambda change: change.at)
    ref = first.object
    name = object_text(ref)
    if f"{name} " in problem.advice:
        return problem
    notes = tuple(
        f"{note}; {name} {was(first.kind)} at {moment_text(parse_rfc3339(first.at))}"
        if note.startswith("seen allowed")
        else note
        for note in problem.notes
    )
    return replace(problem, notes=notes)


def _unique_ids(problems: list[Problem]) -> list[Problem]:
    """Two problems whose fingerprints agree keep apart by their order."""
    seen: Counter[str] = Counter()
    unique = []
    for problem in problems:
        seen[problem.id] += 1
        number = seen[problem.id]
        unique.append(problem if number == 1 else replace(problem, id=f"{problem.id}-{number}"))
    return unique


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
        first=_text(summary.first),
        last=_text(summary.last),
        year_inferred=summary.year_inferred,
    )


_ONE_TEXT = "FD807"
"""Why there is no denial, then what to collect: sentences that stay in the order in which they were said."""


def _place(warning: ReportWarning) -> tuple[bool, str, int, str, str]:
    """By file and line, then those of no file; whatever order the inputs were named in."""
    return (
        warning.input is None,
        warning.input or "",
        warning.line or 0,
        warning.code,
        "" if warning.code == _ONE_TEXT else warning.message,
    )


def _text(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)
