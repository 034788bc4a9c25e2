"""The stages after reading: evidence and cluster objects in, a report out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from flowdiag import __version__
from flowdiag.analysis.about import (
    cluster_name,
    created,
    parsers,
    pod_names,
    policy_objects,
    selection_counts,
    snapshot_info,
    window,
)
from flowdiag.analysis.attribute import attribute, judged, meaning
from flowdiag.analysis.cautions import nobody_enforces
from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.marks import marks_of
from flowdiag.analysis.options import EvidenceOptions, Selection, Stage, StateOptions
from flowdiag.analysis.passed import against_policies, refused_at
from flowdiag.analysis.rule_use import RuleUse, rule_use
from flowdiag.analysis.sides import Side
from flowdiag.analysis.skew import clock_skew
from flowdiag.analysis.sorting import sort_flows
from flowdiag.analysis.state import State
from flowdiag.analysis.warned import warned
from flowdiag.analysis.workings import Workings
from flowdiag.cluster.manifests import NOT_READ
from flowdiag.cluster.resolve import Resolver
from flowdiag.diagnose import Context, broken_rules
from flowdiag.diagnose import rules as catalogue
from flowdiag.diagnose.before import old_policies
from flowdiag.diagnose.check import Scene
from flowdiag.model.ending import keep
from flowdiag.model.event import PASSED
from flowdiag.model.objects import Snapshot
from flowdiag.model.report import Cluster, Generator, Report
from flowdiag.model.words import plural
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
    records: bool
    """Some record that was read lies in the time that was asked for, or may: else nothing is seen to have stopped."""


def make_ready() -> None:
    """Import the rules that are registered for the stages, and what they write YAML with, which takes as long as a small run."""
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
    """Run the stages after reading: what the evidence comes to beside the cluster's objects, where there are any.

    Args:
        read: the evidence.
        state: the cluster's objects with their policies compiled; ``None`` where none were read.
        evidence: how the evidence was read.
        selection: which part of it counts.
        options: how policies are read.
        rules: give the scene that an audit's checks look at, too.
        unused: with `rules`, look for allow rules without use, too.
        stage: told what is being done.
        command: the command line that asked for it, for the report to tell.
    """
    tell: Stage = stage or (lambda _: None)
    tell("finding out who is who")
    snapshot = state.snapshot if state is not None else None
    marks = marks_of(read, snapshot, selection)
    resolver = Resolver(snapshot or Snapshot(), read.tally.dns, pod_names=pod_names(read))
    view = read.tally.view()
    replayable = state is not None and state.snapshot.policies_read
    rules_used = rules and replayable and not evidence.only_denied
    # Everything that passed is held against the policies, as long as that is no work to speak of.
    every = rules_used or (
        replayable and not evidence.only_denied and not view.has_more(PASSED, _MOST_PASSED)
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
        answers=read.tally.dns,
        allowed_read=not evidence.only_denied,
        before=old_policies((seen.input, seen.event) for seen in read.tally.changes),
        nodes=view.nodes,
        index=resolver.index,
        year_given=evidence.year is not None,
    )
    tell(f"explaining {plural(len(flows.refused), 'refused flow')}")
    attributed = attribute(
        flows.refused, state, context, options.ip_block_pods, [*logged.refused, *logged.unknown]
    )
    keep(flows, logged, attributed)
    found = Workings(
        read=read,
        state=state,
        evidence=evidence,
        selection=selection,
        marks=marks,
        view=view,
        flows=flows,
        logged=logged,
        allowed=allowed,
        context=context,
        attributed=attributed,
        span=window(read, selection),
        unenforced=nobody_enforces(read.cnis, state),
    )
    used: RuleUse | None = None
    if rules_used and unused and state is not None:
        tell("looking for rules without use")
        used = _rule_use(found, state)
    tell("working out what mends them")
    report = build_report(_material(found, command))
    outside = read.first is not None and found.span == (None, None)
    return Examination(
        report=report,
        rule_use=used,
        scene=_scene(found, state, traffic=rules_used)
        if rules and replayable and state is not None
        else None,
        # Where a rule failed, problems that it used to explain have another code now, and must not be called gone.
        whole=read.complete and _whole(state, refused=True) and not (context.failed or broken_rules()),
        records=bool(read.tally.records) and not outside,
    )


def _rule_use(found: Workings, state: State) -> RuleUse:
    """Allow rules that no traffic used."""
    return rule_use(
        found.allowed,
        found.flows.refused,
        Side(state.snapshot, state.policies),
        window=found.span,
        lost=[gap.lost for gap in found.marks.gaps],
    )


def _scene(found: Workings, state: State, *, traffic: bool) -> Scene:
    """What audit checks look at; with `traffic`, all that passed is known."""
    return Scene(
        snapshot=state.snapshot,
        policies=state.policies,
        allowed=found.allowed if traffic else (),
        namespaces=frozenset(found.selection.namespaces),
    )


def _material(found: Workings, command: str | None) -> Material:
    """What the report is made of."""
    read, state, flows, attributed = found.read, found.state, found.flows, found.attributed
    snapshot = state.snapshot if state is not None else None
    year_given = found.evidence.year is not None
    enforced = None if found.unenforced else state
    allowed_buckets = [*flows.allowed_buckets, *(b for flow in found.logged.allowed for b in flow.buckets)]
    since, until = found.span
    return Material(
        generator=Generator("flowdiag", __version__, parsers(read), command),
        created=created(),
        complete=read.complete and _whole(state),
        cluster=Cluster(
            name=cluster_name(found.view.nodes, snapshot),
            cni=tuple(read.cnis),
            dialect=str(state.dialect) if state is not None else None,
        ),
        inputs=[replace(one, year_inferred=False) for one in read.inputs] if year_given else read.inputs,
        records=read.tally.records,
        flows=read.tally.flow_records,
        refusals=attributed.refusals,
        mend=attributed.mend,
        intervals=attributed.intervals,
        refused_now=refused_at(enforced, until),
        unattributed=attributed.unattributed,
        passed=list(against_policies(flows.allowed, enforced, found.context))
        if enforced is not None and enforced.snapshot.policies_read
        else (),
        not_policy=[(flow, meaning(flow)) for flow in flows.not_policy],
        allowed=found.allowed,
        calls=flows.calls,
        allowed_buckets=None if found.evidence.only_denied else allowed_buckets,
        since=since,
        until=until,
        changes=found.marks.changes,
        signals=found.marks.signals,
        gaps=found.marks.gaps,
        clock_skew=clock_skew([*flows.refused, *flows.allowed]),
        snapshot=snapshot_info(snapshot),
        policies=policy_objects(snapshot),
        selects=selection_counts(state),
        # This comes last, since it includes what went wrong in the rules.
        warnings=warned(found),
    )


def _whole(state: State | None, *, refused: bool = False) -> bool:
    """Whether all objects were read; with `refused`, those apart that the collector might not read."""
    return state is None or all(
        problem.note or (refused and problem.code == NOT_READ) for problem in state.problems
    )
