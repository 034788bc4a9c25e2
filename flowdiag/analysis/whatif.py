"""What a policy change does: two states, the connections that differ, and observed traffic under both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal, cast

from msgspec import Struct, structs

from flowdiag.analysis.affected import affected_workloads, concerns
from flowdiag.analysis.collect import Evidence, gather
from flowdiag.analysis.impact import impact
from flowdiag.analysis.objects import HOW_TO_TAKE, read_state, some_objects, why_none
from flowdiag.analysis.options import EvidenceOptions, Progress, Selection, Stage, StateOptions
from flowdiag.analysis.revise import applied, deleted, identity, rolled_out, without
from flowdiag.analysis.sides import Side
from flowdiag.analysis.sorting import sort_flows
from flowdiag.analysis.unlabelled import unlabelled
from flowdiag.cluster import Resolver, StateProblem, merge_manifests, read_manifest
from flowdiag.cluster.live.options import ClusterOptions
from flowdiag.cluster.manifests import Manifest
from flowdiag.model.errors import InputError, UsageError
from flowdiag.model.objects import Pod, Snapshot
from flowdiag.model.policy import Dialect, PolicyRef
from flowdiag.model.report import ReportWarning
from flowdiag.model.words import placed
from flowdiag.policy import compile_policies, detect_dialect
from flowdiag.policy.audit import AS_ENFORCED, audits_only
from flowdiag.policy.matrix import texts
from flowdiag.policy.whatif import PairChange, compare
from flowdiag.report.query_types import ConnectionChange, FlowChange, FlowChanges, UnknownChange, WhatifResult

__all__ = ["Revision", "Whatif", "whatif"]

_MANIFEST = "name a manifest that kubectl apply takes; --dry-run=client shows what is wrong with one"
_HINT = f"{HOW_TO_TAKE}; then name it with --state"
_UNREADABLE = frozenset(
    {
        "given-up",
        "input-too-large",
        "invalid-document",
        "no-kind",
        "no-name",
        "not-an-object",
        "not-text",
        "object-too-large",
    }
)
"""Problems after which a part of a manifest is missing (`flowdiag.cluster.manifests`)."""


class Revision(Struct, frozen=True, kw_only=True):
    """The change: a whole new state, or objects applied to the old one and deleted from it."""

    to: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    """Files, folders or ``-`` with manifests; an object replaces the one of its group, kind and name."""
    delete: tuple[str, ...] = ()
    """``KIND/NS/NAME``, or ``KIND/NAME`` for what is cluster-wide; deleted before anything is applied."""


class Whatif(Struct, frozen=True, kw_only=True):
    """The answer, and what a person wants to know beside it."""

    result: WhatifResult
    isolating: dict[FlowChange, tuple[PolicyRef, ...]]
    """For newly denied connections that no rule names: the policies that isolate the end."""
    dialect: Dialect
    said: tuple[str, ...]
    """What must be said about reading the inputs, in words."""


def whatif(
    revision: Revision,
    *,
    state: StateOptions,
    paths: Sequence[str] = (),
    evidence: EvidenceOptions | None = None,
    selection: Selection | None = None,
    progress: Progress | None = None,
    stage: Stage | None = None,
) -> Whatif:
    """Say which connections a change opens and closes, and what becomes of the observed ones.

    Args:
        revision: the change.
        state: the old state, and how policies of both are read.
        paths: evidence.  Cluster objects in it that the old state does not have stand on both sides.
        evidence: how evidence is read.
        selection: which part of it counts.
        progress: told how far the reading of evidence is.
        stage: told what comes after it.

    Raises:
        InputError: no state, no records in the evidence, or a manifest that cannot be read whole.
        UsageError: the change is no change, or deletes what is not there.
    """
    if bool(revision.to) == bool(revision.apply or revision.delete):
        raise UsageError(
            "a what-if needs a change: either a whole new state or objects to apply and delete",
            hint="--to NEW, or --apply FILE and --delete KIND/NS/NAME",
        )
    read = _read(paths, evidence or EvidenceOptions(), selection, progress) if paths else None
    tell: Stage = stage or (lambda _: None)
    tell("reading both states")
    old, new, said = _states(revision, state, read)
    if read is not None:
        said = [*(_line(one) for one in read.warnings), *said]
    tell("compiling the policies of both")
    cnis = read.cnis if read is not None else ()
    dialect = _dialect(state, old, new, cnis)
    # A change is often tried for other clusters than the one whose agents the dump happens to hold: what may concern
    # pods on the host's network is hidden only where options, records or the policies themselves tell who enforces.
    host_pods = _dialect(state, old, new, cnis, agents=False) is Dialect.KUBERNETES
    sides = [
        Side(one, compile_policies(one, dialect=dialect, ip_block_pods=state.ip_block_pods))
        for one in (old, new)
    ]
    said += [
        f"{ref.kind} {ref.namespace + '/' if ref.namespace else ''}{ref.name}: {text}"
        for ref, text in sides[1].policies.notes
    ]
    for one in sides:
        said += unlabelled(one.snapshot, one.policies)
    if any(audits_only(one.snapshot, dialect) for one in sides):
        said.append(AS_ENFORCED)
    tell("comparing what they let pass")
    touched = affected_workloads(sides[0], sides[1], host_pods)
    changes = compare(
        (old, sides[0].policies), (new, sides[1].policies), touched=touched, host_pods=host_pods
    )
    flows: FlowChanges | None = None
    isolating: dict[FlowChange, tuple[PolicyRef, ...]] = {}
    if read is not None:
        tell("holding observed traffic against both")
        resolver = Resolver(old, read.tally.dns, index=sides[0].index)
        observed = sort_flows(read.tally.view(), resolver, selection or Selection(), all_allowed=True)
        concerned = concerns(touched, sides[0], host_pods)
        seen = chain(observed.refused, observed.allowed, observed.logged)
        effect = impact(seen, sides[0], sides[1], concerned)
        flows, isolating = effect.flows, effect.isolating
    return Whatif(
        result=WhatifResult(
            connections=tuple(_connection(one) for one in changes if one.change and one.version != 6),
            connections_v6=tuple(_connection(one) for one in changes if one.change and one.version == 6),
            unknown=tuple(_unknown(one) for one in changes if one.old_unknown != one.new_unknown),
            unread=next((why for one in sides if (why := one.policies.beyond.unread) is not None), None),
            flows=flows,
        ),
        isolating=isolating,
        dialect=dialect,
        said=tuple(dict.fromkeys(said)),
    )


def _read(
    paths: Sequence[str], evidence: EvidenceOptions, selection: Selection | None, progress: Progress | None
) -> Evidence:
    """Read the evidence.

    Raises:
        InputError: it holds no records.
    """
    read = gather(paths, evidence=evidence, selection=selection, progress=progress)
    if not any(one.parser is not None for one in read.inputs):
        raise InputError(
            f"no records in the evidence ({', '.join(paths)})",
            hint="leave it out to compare the states alone; several manifests are --apply A --apply B",
        )
    return read


def _connection(change: PairChange) -> ConnectionChange:
    return ConnectionChange(
        src=change.src,
        dst=change.dst,
        change=cast('Literal["added", "removed", "changed"]', change.change),
        old=texts(change.old),
        new=texts(change.new),
    )


def _unknown(change: PairChange) -> UnknownChange:
    return UnknownChange(
        src=change.src, dst=change.dst, old=texts(change.old_unknown), new=texts(change.new_unknown)
    )


# --- the two states -----------------------------------------------------------------------------------


def _states(
    revision: Revision, options: StateOptions, read: Evidence | None
) -> tuple[Snapshot, Snapshot, list[str]]:
    said: list[str] = []
    beside = [read_manifest(*one) for one in read.state] if read is not None else []
    apart = bool(options.paths) or options.live is not None
    named = _manifests(options.paths, said, options.live) if apart else beside
    if not any(one.entries for one in named):
        raise _none_in(named, "no cluster objects found for the old state")
    # Objects that only the evidence has count on both sides; where the old state has an object, that one counts.
    known = {identity(entry.key) for one in named for entry in one.entries}
    rest = without(beside, known) if apart else []
    before = [*rest, *named]
    old, problems = merge_manifests(before, options.taken)
    said += [_line(one) for one in problems if not one.note]
    if revision.to:
        whole = _manifests(revision.to, said)
        if not any(one.entries for one in whole):
            raise _none_in(whole, f"no cluster objects found in {', '.join(revision.to)}")
        replaced = {identity(entry.key) for one in whole for entry in one.entries}
        new, problems = merge_manifests([*without(rest, replaced), *whole], options.taken)
        if old.pods and not new.pods:
            said.append("the new state holds no workloads: to try policies alone use --apply instead of --to")
        said += [_line(one) for one in problems if not one.note]
        return _surely_named(old), _surely_named(new), said
    after = deleted(before, revision.delete)
    changes = [_change(path, said) for path in revision.apply]
    every = [manifest for change in changes for manifest in change]
    new, problems = merge_manifests(applied(after, every), options.taken)
    new = rolled_out(new, every, before)
    own = {one.input for one in every}
    # A manifest without a namespace is read as default, which kubectl does only with a plain context.
    said += [_line(one) for one in problems if one.input in own]
    return _surely_named(old), _surely_named(new), said


def _none_in(manifests: Sequence[Manifest], said: str) -> InputError:
    """What to raise of a state without objects: the first thing that is wrong with it, or else that there are none."""
    for problem in (problem for one in manifests for problem in one.problems):
        if problem.code in _UNREADABLE:
            return InputError(_line(problem), hint=_MANIFEST)
    return InputError(said, hint=_HINT)


def _manifests(paths: Sequence[str], said: list[str], live: ClusterOptions | None = None) -> list[Manifest]:
    inputs = some_objects(read_state(paths, live), paths)
    said += [_line(warning) for warning in inputs.warnings]
    return [inputs.manifests.get(name) or read_manifest(name, data) for name, data in inputs.state]


def _change(path: str, said: list[str]) -> list[Manifest]:
    """One ``--apply``: what-if on half a manifest would be a wrong answer, so it is whole or an error."""
    inputs = read_state([path])
    if not inputs.state:
        raise InputError(f"{path}: no cluster objects to apply{why_none(inputs)}", hint=_MANIFEST)
    said += [_line(warning) for warning in inputs.warnings]
    manifests = [read_manifest(*one) for one in inputs.state]
    for problem in (problem for one in manifests for problem in one.problems):
        if problem.code in _UNREADABLE:
            raise InputError(_line(problem), hint="kubectl apply --dry-run=client shows what is wrong")
    if not any(one.entries for one in manifests):
        kinds = sorted({kind for one in manifests for _, kind in one.kinds})
        held = f" (it holds {', '.join(kinds)})" if kinds else ""
        raise InputError(f"{path}: nothing in it bears on policies{held}")
    return manifests


def _dialect(
    options: StateOptions, old: Snapshot, new: Snapshot, cnis: Sequence[str], *, agents: bool = True
) -> Dialect:
    """One for both sides: a manifest does not change who enforces, but it may be the first to tell."""
    if options.dialect != "auto":
        return Dialect(options.dialect)
    found = detect_dialect(old, cnis, agents=agents)
    return found if found is not Dialect.KUBERNETES else detect_dialect(new, cnis, agents=agents)


def _surely_named(snapshot: Snapshot) -> Snapshot:
    """Take a pod's Deployment for certain where its ReplicaSet is named after it and the pod's own template hash.

    Dumps seldom hold ReplicaSets.  Without this, a rollout would look like a new workload.
    """

    def named(pod: Pod) -> Pod:
        mark = pod.labels.get("pod-template-hash")
        sure = (
            pod.workload_inferred
            and pod.owner is not None
            and pod.owner.kind == "ReplicaSet"
            and bool(mark)
            and pod.owner.name.endswith(f"-{mark}")
        )
        return structs.replace(pod, workload_inferred=False) if sure else pod

    return structs.replace(snapshot, pods=tuple(named(pod) for pod in snapshot.pods))


def _line(one: StateProblem | ReportWarning) -> str:
    return placed(one.message, one.input, one.line)
