"""Questions a person asks: one connection, many connections, everything around a workload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flowdiag.analysis.answer_finding import diagnose_answer
from flowdiag.analysis.answers import Answer
from flowdiag.analysis.ask import Asker
from flowdiag.analysis.attribute import judged
from flowdiag.analysis.collect import gather
from flowdiag.analysis.objects import HOW_TO_TAKE, read_state, some_objects
from flowdiag.analysis.observed import observed_between
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.sorting import sort_flows
from flowdiag.analysis.state import State, compile_state
from flowdiag.analysis.unlabelled import unlabelled
from flowdiag.cluster import Resolver
from flowdiag.cluster.manifests import NO_NAMESPACE
from flowdiag.diagnose.fd6_state.stale_record import STALE
from flowdiag.model.errors import InputError, UnresolvedEndError
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import ConnectionDecision, PolicyRef
from flowdiag.model.report import ReportWarning
from flowdiag.model.words import placed, plural
from flowdiag.report.query_types import ExplainResult, explain_result

__all__ = ["explain", "load_asker"]


def load_asker(options: StateOptions) -> tuple[Asker, list[str]]:
    """Read and compile cluster objects, once for any number of questions.

    Returns:
        What answers, and what must be said about reading the state.

    Raises:
        InputError: there are no cluster objects in the paths.
        ClusterError: the live cluster cannot be read.
    """
    read = some_objects(read_state(options.paths, options.live), options.paths)
    state = compile_state(read.state, options, manifests=read.manifests, taken=read.taken)
    return Asker(state.snapshot, state.policies), _said(read.warnings, state)


def explain(
    src: str,
    dst: str,
    port: int | str | None,
    protocol: str | None,
    *,
    paths: Sequence[str] = (),
    state: StateOptions,
    evidence: EvidenceOptions | None = None,
    selection: Selection | None = None,
    problems: list[str] | None = None,
) -> tuple[ExplainResult, Answer, Finding | None]:
    """Answer for one connection, with evidence also what was really seen, and for a refusal what is wrong.

    Args:
        src: the client, as the contract's queries name ends.
        dst: the server.
        port: its port, a name, or ``None`` for any.
        protocol: ``None`` for any.
        paths: evidence, which may hold the cluster objects too.
        state: cluster objects and how policies are read.
        evidence: how evidence is read.
        selection: which part of it counts.
        problems: grows by what must be said about reading the state, in words, also where an end cannot be resolved.

    Returns:
        The result as it is printed, the answer with its walk, and what is wrong.

    Raises:
        UnresolvedEndError: an end cannot be resolved.
        InputError: there is no state.
        ClusterError: the state is to come from a cluster that cannot be read.
    """
    observed = None
    told = problems if problems is not None else []
    if paths:
        selection = selection or Selection()
        read = gather(
            paths,
            evidence=evidence or EvidenceOptions(),
            selection=selection,
            state_paths=state.paths,
            live=state.live,
        )
        _need(read.state, read.warnings)
        records = any(one.parser is not None for one in read.inputs)
        if not records and not _any_of(paths, [name for name, _ in read.state]):
            # "Nothing was seen between the two" would be wrong where no evidence was read.
            message, hint = read.nothing_usable()
            raise InputError(message, hint=hint)
        known = compile_state(
            read.state, state, read.cnis, read.manifests, taken=read.taken, tally=read.tally
        )
        asker, said = Asker(known.snapshot, known.policies), _said(read.warnings, known)
        # Before an end that is not there, which may be in what could not be read.
        told.extend(said)
        answer = _asked(asker, src, dst, protocol, port)
        resolver = Resolver(known.snapshot, read.tally.dns)
        flows = sort_flows(read.tally.view(), resolver, selection, all_allowed=True)
        logged = judged(flows.logged, known, selection)
        # A record that a flow log repeats without a packet is no refusal at its time (FD609).
        other = [flow for flow in flows.not_policy if flow.distinct.reason != STALE]
        if records:
            observed = observed_between(
                asker,
                answer,
                (src, dst),
                protocol,
                [*flows.refused, *other, *(flow for flow, _, _ in logged.refused)],
                None if evidence is not None and evidence.only_denied else [*flows.allowed, *logged.allowed],
                [flow for flow, _, _ in logged.unknown],
            )
    else:
        asker, said = load_asker(state)
        told.extend(said)
        answer = _asked(asker, src, dst, protocol, port)
    decision = ConnectionDecision(allowed=answer.allowed, egress=answer.egress, ingress=answer.ingress)
    result = explain_result(src, dst, protocol, port, decision, error=answer.error, observed=observed)
    told.extend(asker.readings)
    return result, answer, diagnose_answer(asker, answer, protocol, state.ip_block_pods)


def _asked(asker: Asker, src: str, dst: str, protocol: str | None, port: int | str | None) -> Answer:
    try:
        return asker.ask(src, dst, protocol, port, walk=True)
    except InputError as error:
        raise UnresolvedEndError(str(error), hint=error.hint) from None


def _any_of(paths: Sequence[str], names: Sequence[str]) -> bool:
    """Whether one of the inputs came in one of the paths."""
    return any(
        name == path or name.startswith((f"{path.rstrip('/')}/", f"{path}!"))
        for path in paths
        for name in names
    )


def _said(warnings: Sequence[ReportWarning], state: State) -> list[str]:
    return [
        *(placed(one.message, one.input, one.line) for one in warnings),
        *(placed(one.message, one.input, one.line) for one in state.problems if not one.note),
        *_not_enforced(state.policies.notes),
        *_no_policies(state.snapshot),
        *unlabelled(state.snapshot, state.policies),
        *_read_as_default(state),
    ]


def _read_as_default(state: State) -> Iterator[str]:
    """That objects without a namespace were read as of default, where the pods that are asked for are in another.

    A kustomization, or whoever applies them, may give them one.
    """
    missing = [one for one in state.problems if one.code == NO_NAMESPACE]
    if missing and any(pod.namespace != "default" for pod in state.snapshot.pods):
        first = missing[0]
        more = f", and in {plural(len(missing) - 1, 'more input')} too" if len(missing) > 1 else ""
        yield f"{placed(first.message, first.input, first.line)}{more}"


def _no_policies(snapshot: Snapshot) -> Iterator[str]:
    """That no policy and no list of policies was read: "allowed" is then as true as it is that there are none.

    What was refused, or stands in a part that is damaged, makes the answers unknown and is said with that.
    """
    if not (snapshot.policies_read or snapshot.unread or snapshot.damaged):
        yield (
            "the cluster's objects hold no policy and no list of policies (kubectl cluster-info dump leaves them out): "
            "what is allowed here is so only where the cluster has none; "
            "kubectl get networkpolicies -A -o yaml > policies.yaml, and --state policies.yaml"
        )


def _not_enforced(notes: Iterable[tuple[PolicyRef, str]]) -> Iterator[str]:
    """Policies that count for nothing here, and why: the first of each reason, and how many more."""
    reasons: dict[str, list[PolicyRef]] = {}
    for ref, text in notes:
        reasons.setdefault(text, []).append(ref)
    for text, refs in reasons.items():
        first = refs[0]
        name = f"{first.namespace}/{first.name}" if first.namespace else first.name
        more = f" and {len(refs) - 1} more" if len(refs) > 1 else ""
        yield f"{first.kind} {name}{more}: {text}"


def _need(state: Sequence[object], warnings: Sequence[ReportWarning]) -> None:
    if state:
        return
    detail = f" ({placed(warnings[0].message, warnings[0].input, warnings[0].line)})" if warnings else ""
    raise InputError(
        f"no cluster objects found{detail}",
        hint=HOW_TO_TAKE,
    )
