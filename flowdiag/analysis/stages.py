"""The stages after reading: evidence and cluster objects in, a report out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from flowdiag import __version__
from flowdiag.analysis.attribute import attribute, judged, meaning
from flowdiag.analysis.cautions import (
    cluster_names,
    left_out_undated,
    nobody_enforces,
    nothing_selected,
    several_clusters,
    several_enforcers,
    told_twice,
    unknown_reasons,
    without_ends,
    without_times,
)
from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.counted import counted_refusals
from flowdiag.analysis.marks import marks_of
from flowdiag.analysis.no_denials import only_logged, only_objects, what_to_collect
from flowdiag.analysis.options import EvidenceOptions, Selection, Stage, StateOptions
from flowdiag.analysis.passed import against_policies, refused_at
from flowdiag.analysis.rule_use import RuleUse, rule_use
from flowdiag.analysis.sides import Side
from flowdiag.analysis.skew import clock_skew
from flowdiag.analysis.sorting import sort_flows
from flowdiag.analysis.state import State
from flowdiag.cluster.interfaces import InterfaceIndex
from flowdiag.cluster.manifests import NOT_READ
from flowdiag.cluster.resolve import Resolver
from flowdiag.diagnose import Context, broken_rules
from flowdiag.diagnose import rules as catalogue
from flowdiag.diagnose.before import old_policies
from flowdiag.diagnose.check import Scene
from flowdiag.model.digits import is_digits
from flowdiag.model.ending import keep
from flowdiag.model.event import PASSED
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import Cluster, Generator, ParserInfo, Report, ReportWarning, SnapshotInfo
from flowdiag.model.time import NS, rfc3339
from flowdiag.model.words import object_text, plural
from flowdiag.policy.audit import LET_THROUGH, audits_only
from flowdiag.policy.manifest import plain_dumper
from flowdiag.tally.collecting import uncollected
from flowdiag.timeline import Material, build_report

__all__ = ["Examination", "examined", "make_ready"]

_MOST_PASSED = 5_000
"""Distinct allowed flows up to which `analyze` holds all of them against the policies; beyond it those that
matter beside a refusal.  An audit looks at all."""


class Examination(Struct, frozen=True, kw_only=True):
    """A report, and what an audit asks beside it."""

    report: Report
    rule_use: RuleUse | None
    """Allow rules without use; ``None`` where no policies or no allowed traffic were read, or nobody asked."""
    scene: Scene | None
    """What audit checks look at; ``None`` where no policies were read, or nobody asked."""
    whole: bool
    """All of the evidence was read, and all objects but for kinds that the collector was refused."""


def make_ready() -> None:
    """Load what is registered for the stages, which costs as much as many a run, and what they write policies with."""
    catalogue()
    plain_dumper()


@uncollected()
def examined(
    read: Evidence,
    state: State | None,
    evidence: EvidenceOptions,
    selection: Selection,
    options: StateOptions,
    *,
    rules: bool,
    unused: bool = False,
    stage: Stage | None = None,
    command: str | None = None,
) -> Examination:
    """The stages after reading: what evidence comes to beside the cluster's objects, where there are any."""
    tell: Stage = stage or (lambda _: None)
    tell("finding out who is who")
    tally = read.tally
    snapshot = state.snapshot if state is not None else None
    marks = marks_of(read, snapshot, selection)
    resolver = Resolver(snapshot or Snapshot(), tally.dns, pod_names=_pod_names(read))
    view = tally.view()
    asked = rules and state is not None and state.snapshot.policies_read
    rules = asked and not evidence.only_denied
    # Against the policies all that passed is held, as long as that is no work to speak of.
    every = rules or (
        state is not None
        and state.snapshot.policies_read
        and not evidence.only_denied
        and not view.has_more(PASSED, _MOST_PASSED)
    )
    flows = sort_flows(view, resolver, selection, all_allowed=every)
    logged = judged(flows.logged, state, selection)
    allowed = [*flows.allowed, *logged.allowed]
    context = Context(
        snapshot=snapshot,
        dialect=state.dialect if state is not None else None,
        allowed=allowed,
        signals=marks.signals,
        gaps=marks.gaps,
        changes=marks.changes,
        answers=tally.dns,
        allowed_read=not evidence.only_denied,
        before=old_policies((seen.input, seen.event) for seen in tally.changes),
        nodes=view.nodes,
        index=resolver.index,
        year_given=evidence.year is not None,
    )
    tell(f"explaining {plural(len(flows.refused), 'refused flow')}")
    attributed = attribute(
        flows.refused, state, context, options.ip_block_pods, [*logged.refused, *logged.unknown]
    )
    keep(flows, logged, attributed)
    since, until = _window(read, selection)
    unenforced = nobody_enforces(read.cnis, state)
    counted = counted_refusals(tally.logs, InterfaceIndex(snapshot or Snapshot(), _pod_names(read)))
    evidence_read = [one for one in read.inputs if one.parser is not None]
    warnings = [
        *what_to_collect(
            evidence_read,
            read.cnis,
            state=state is not None,
            counted=bool(counted),
        ),
        *(() if evidence.format else only_objects(evidence_read, state)),
        *only_logged(flow for flow, _, _ in logged.unknown),
        *counted,
        *_warnings(read, state),
        *unenforced,
        *nothing_selected(selection, (read.first, read.last), flows, view.peers, snapshot),
        *left_out_undated(flows),
        *without_ends(attributed.unattributed),
        *unknown_reasons(attributed.unattributed),
        *without_times(read.inputs),
        *several_clusters(view.nodes),
        *several_enforcers(state, read.cnis),
        *told_twice(read.inputs),
    ]
    used: RuleUse | None = None
    if rules and unused and state is not None:
        tell("looking for rules without use")
        used = rule_use(
            allowed,
            flows.refused,
            Side(state.snapshot, state.policies),
            window=(since, until),
            lost=[gap.lost for gap in marks.gaps],
        )
    tell("working out what mends them")
    report = build_report(
        Material(
            generator=Generator("flowdiag", __version__, _parsers(read), command),
            created=_created(),
            complete=read.complete and _whole(state),
            cluster=Cluster(
                name=_cluster_name(view.nodes),
                cni=tuple(read.cnis),
                dialect=str(state.dialect) if state is not None else None,
            ),
            inputs=[replace(one, year_inferred=False) for one in read.inputs]
            if evidence.year is not None
            else read.inputs,
            records=tally.records,
            flows=tally.flow_records,
            refusals=attributed.refusals,
            mend=attributed.mend,
            intervals=attributed.intervals,
            refused_now=refused_at(None if unenforced else state, until),
            unattributed=attributed.unattributed,
            passed=list(against_policies(flows.allowed, state, context))
            if state is not None and state.snapshot.policies_read and not unenforced
            else (),
            not_policy=[(flow, meaning(flow)) for flow in flows.not_policy],
            allowed=allowed,
            allowed_buckets=None
            if evidence.only_denied
            else [*flows.allowed_buckets, *(b for flow in logged.allowed for b in flow.buckets)],
            since=since,
            until=until,
            changes=marks.changes,
            signals=marks.signals,
            gaps=marks.gaps,
            clock_skew=clock_skew([*flows.refused, *flows.allowed]),
            snapshot=_snapshot_info(snapshot),
            policies=_policy_objects(snapshot),
            selects=_selection_counts(state),
            # All rules have been asked by now.
            warnings=[*warnings, *_failed(context)],
        )
    )
    scene = None
    if asked and state is not None:
        scene = Scene(
            snapshot=state.snapshot,
            policies=state.policies,
            allowed=allowed if rules else (),
            namespaces=frozenset(selection.namespaces),
        )
    return Examination(
        report=report,
        rule_use=used,
        scene=scene,
        # What a rule that failed used to explain now goes by another name: nothing of it is gone.
        whole=read.complete and _whole(state, refused=True) and not (context.failed or broken_rules()),
    )


def _pod_names(read: Evidence) -> set[tuple[str, str]]:
    """Pods that components speak of: they may be gone from the state, and their interfaces still in the log."""
    fields = [seen.event.fields for seen in read.tally.logs]
    return {(each["namespace"], each["pod"]) for each in fields if "namespace" in each and "pod" in each}


def _window(read: Evidence, selection: Selection) -> tuple[int | None, int | None]:
    since, until = read.first, read.last
    if selection.since is not None:
        since = selection.since if since is None else max(since, selection.since)
    if selection.until is not None:
        until = selection.until if until is None else min(until, selection.until)
    if since is not None and until is not None and since > until:
        # The span that was asked for holds none of the evidence.
        return None, None
    return since, until


def _cluster_name(nodes: Iterable[str]) -> str | None:
    """The cluster's name, where the records name one and no other."""
    names = cluster_names(nodes)
    return names[0] if len(names) == 1 else None


_STAMP = 11
"""Digits of a moment before the year 5000."""


def _created() -> int:
    """Now, or what SOURCE_DATE_EPOCH says for output that is the same byte for byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(fixed) * NS if is_digits(fixed) and len(fixed) <= _STAMP else time.time_ns()


def _parsers(read: Evidence) -> tuple[ParserInfo, ...]:
    from flowdiag.parserkit.registry import available

    points = available("flowdiag.parsers")
    infos = []
    for name in sorted({one.parser for one in read.inputs if one.parser}):
        point = points.get(name)
        dist = point.dist if point is not None else None
        infos.append(ParserInfo(name, dist.name if dist else None, dist.version if dist else None))
    return tuple(infos)


def _snapshot_info(snapshot: Snapshot | None) -> SnapshotInfo:
    if snapshot is None:
        return SnapshotInfo(None, None)
    return SnapshotInfo(
        None if snapshot.taken is None else rfc3339(snapshot.taken), ", ".join(snapshot.sources) or None
    )


def _policy_objects(snapshot: Snapshot | None) -> Callable[[PolicyRef], PolicyObject | None]:
    objects = {policy.ref: policy for policy in snapshot.policies} if snapshot is not None else {}
    return objects.get


def _selection_counts(state: State | None) -> Callable[[PolicyRef], int | None]:
    def count(ref: PolicyRef) -> int | None:
        if state is None or state.policies.register.policy(ref) is None:
            return None
        return len(state.policies.register.selects(ref))

    return count


def _whole(state: State | None, *, refused: bool = False) -> bool:
    """Whether all objects were read; with `refused`, those apart that the collector might not read."""
    return state is None or all(
        problem.note or (refused and problem.code == NOT_READ) for problem in state.problems
    )


def _warnings(read: Evidence, state: State | None) -> list[ReportWarning]:
    warnings = list(read.warnings)
    if state is not None:
        warnings.extend(
            ReportWarning(code=p.code, message=p.message, input=p.input, line=p.line) for p in state.problems
        )
        warnings.extend(
            ReportWarning(code="not-enforced", message=f"{object_text(ref)}: {text}", input=None, line=None)
            for ref, text in state.policies.notes
        )
        if audits_only(state.snapshot, state.dialect):
            warnings.append(ReportWarning(code="audit-mode", message=LET_THROUGH, input=None, line=None))
    warnings.extend(
        ReportWarning(
            code="broken-plugin",
            message=f"diagnosis {one.origin} does not load: {one.error}",
            input=None,
            line=None,
        )
        for one in broken_rules()
    )
    return warnings


def _failed(context: Context) -> Iterator[ReportWarning]:
    """What strangers' rules could not say, each once."""
    for origin, (why, times) in sorted(context.failed.items()):
        more = f", and failed on {plural(times - 1, 'more part')} of the refusals" if times > 1 else ""
        message = f"{origin} {why}{more}; what it would have said is left to the other rules"
        yield ReportWarning(code="broken-plugin", message=message, input=None, line=None)
