"""Questions a person asks: one connection, many connections, everything around a workload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from flowdiag.analysis.ask import Answer, Asker, Pair
from flowdiag.analysis.asked import diagnose_answer
from flowdiag.analysis.attribute import judged
from flowdiag.analysis.collect import gather
from flowdiag.analysis.objects import read_state
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.sorting import sort_flows
from flowdiag.analysis.state import State, compile_state
from flowdiag.cluster import Resolver
from flowdiag.cluster.addresses import Network, in_any, parse_network
from flowdiag.cluster.passing import got_past
from flowdiag.diagnose.fd6_state.stale_record import STALE
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.errors import InputError
from flowdiag.model.event import Direction, Verdict
from flowdiag.model.finding import Finding
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision, PolicyRef
from flowdiag.model.report import ReportWarning
from flowdiag.model.time import moment_text, parse_rfc3339, rfc3339
from flowdiag.model.words import plural
from flowdiag.report.query_types import ExplainResult, Observed, explain_result

__all__ = ["explain", "load_asker"]


def load_asker(options: StateOptions) -> tuple[Asker, list[str]]:
    """Read and compile cluster objects, once for any number of questions.

    Returns:
        What answers, and what must be said about reading the state.

    Raises:
        InputError: there are no cluster objects in the paths.
        ClusterError: the live cluster cannot be read.
    """
    read = read_state(options.paths, options.live)
    _need(read.state, read.warnings)
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
        problems: grows by what must be said about reading the state, in words.

    Returns:
        The result as it is printed, the answer with its walk, and what is wrong.

    Raises:
        InputError: there is no state, or an end cannot be resolved.
        ClusterError: the state is to come from a cluster that cannot be read.
    """
    observed = None
    if paths:
        read = gather(paths, evidence=evidence or EvidenceOptions(), state_paths=state.paths, live=state.live)
        _need(read.state, read.warnings)
        records = any(one.parser is not None for one in read.inputs)
        if not records and not _any_of(paths, [name for name, _ in read.state]):
            # Nothing was seen between the two is true only where anything was looked at.
            message, hint = read.nothing_usable()
            raise InputError(message, hint=hint)
        known = compile_state(read.state, state, read.cnis, read.manifests, taken=read.taken)
        asker, said = Asker(known.snapshot, known.policies), _said(read.warnings, known)
        answer = asker.ask(src, dst, protocol, port, walk=True)
        resolver = Resolver(known.snapshot, read.tally.dns)
        selection = selection or Selection()
        flows = sort_flows(read.tally.view(), resolver, selection, all_allowed=True)
        logged = judged(flows.logged, known, selection)
        # A record that a flow log repeats without a packet is no refusal at its time (FD609).
        other = [flow for flow in flows.not_policy if flow.distinct.reason != STALE]
        if records:
            observed = _observed(
                answer,
                (src, dst),
                protocol,
                [*flows.refused, *other, *(flow for flow, _, _ in logged.refused)],
                None if evidence is not None and evidence.only_denied else [*flows.allowed, *logged.allowed],
                [flow for flow, _, _ in logged.unknown],
            )
    else:
        asker, said = load_asker(state)
        answer = asker.ask(src, dst, protocol, port, walk=True)
    decision = ConnectionDecision(allowed=answer.allowed, egress=answer.egress, ingress=answer.ingress)
    result = explain_result(src, dst, protocol, port, decision, error=answer.error, observed=observed)
    if problems is not None:
        problems.extend([*said, *asker.readings])
    return result, answer, diagnose_answer(asker, answer, protocol, state.ip_block_pods)


def _any_of(paths: Sequence[str], names: Sequence[str]) -> bool:
    """Whether one of the inputs came in one of the paths."""
    return any(
        name == path or name.startswith((f"{path.rstrip('/')}/", f"{path}!"))
        for path in paths
        for name in names
    )


def _said(warnings: Sequence[ReportWarning], state: State) -> list[str]:
    return [
        *(_line(one) for one in warnings),
        *(
            f"{one.input}{f':{one.line}' if one.line else ''}: {one.message}"
            for one in state.problems
            if not one.note
        ),
        *_not_enforced(state.policies.notes),
    ]


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
    detail = f" ({_line(warnings[0])})" if warnings else ""
    raise InputError(
        f"no cluster objects found{detail}",
        hint="kubectl get pods,namespaces,services,endpointslices,nodes,networkpolicies -A -o yaml > state.yaml",
    )


def _line(warning: ReportWarning) -> str:
    where = f"{warning.input}{f':{warning.line}' if warning.line else ''}: " if warning.input else ""
    return f"{where}{warning.message}"


def _observed(
    answer: Answer,
    asked: tuple[str, str],
    protocol: str | None,
    refused: Sequence[Flow],
    allowed: Sequence[Flow] | None,
    logged: Sequence[Flow],
) -> Observed:
    source, destination = (_range(text) for text in asked)

    def between(flow: Flow) -> bool:
        if protocol is not None and flow.distinct.protocol != protocol:
            return False
        return any(
            (_in(source, flow.src) or _same(pair.src, flow.src))
            and (
                _in(destination, flow.dst)
                or _same(pair.dst, flow.dst)
                or (flow.via is not None and _same(pair.dst, flow.via))
            )
            and _at(pair, flow.distinct.port)
            for pair in answer.pairs
        )

    denied = [f for f in refused if f.distinct.verdict is Verdict.DENIED and between(f)]
    audited = [f for f in refused if f.distinct.verdict is Verdict.AUDITED and between(f)]
    passed = None if allowed is None else [flow for flow in allowed if between(flow)]
    if passed is not None and any(flow.direction is Direction.INGRESS for flow in denied):
        # What left its source and was refused where it arrived did not get through.
        passed = [flow for flow in passed if got_past(flow, Direction.INGRESS)]
    no, first_no, last_no = _sum(denied)
    yes, first_yes, last_yes = _sum(passed or [])
    return Observed(
        denied=no,
        denied_first=first_no,
        denied_last=last_no,
        allowed=None if passed is None else yes,
        allowed_first=first_yes,
        allowed_last=last_yes,
        audited=sum(flow.count for flow in audited),
        text=_sentence(
            no,
            (first_no, last_no),
            None if passed is None else yes,
            (first_yes, last_yes),
            sum(flow.count for flow in logged if between(flow)),
        ),
    )


def _sum(flows: Sequence[Flow]) -> tuple[int, str | None, str | None]:
    firsts = [flow.first for flow in flows if flow.first is not None]
    lasts = [flow.last for flow in flows if flow.last is not None]
    return (
        sum(flow.count for flow in flows),
        rfc3339(min(firsts)) if firsts else None,
        rfc3339(max(lasts)) if lasts else None,
    )


def _sentence(
    denied: int,
    denied_span: tuple[str | None, str | None],
    allowed: int | None,
    allowed_span: tuple[str | None, str | None],
    logged: int,
) -> str:
    parts = []
    if allowed:
        parts.append(f"allowed {plural(allowed, 'time')} ({_span(allowed_span)})")
    if denied:
        parts.append(f"refused {plural(denied, 'time')} ({_span(denied_span)})")
    if logged:
        parts.append(f"logged {plural(logged, 'time')} without a verdict")
    if allowed is None:
        parts.append("allowed traffic was not read")
    if not parts:
        return "nothing was seen between the two in the evidence"
    return ", ".join(parts)


def _span(span: tuple[str | None, str | None]) -> str:
    first, last = span
    if first is None or last is None:
        return "time unknown"
    begin, end = (moment_text(parse_rfc3339(moment)) for moment in (first, last))
    return begin if begin == end else f"{begin} to {end}"


def _same(asked: Endpoint, seen: Endpoint) -> bool:
    if asked.namespace and asked.name:
        return (asked.namespace, asked.name) == (seen.namespace, seen.name)
    if asked.ip is not None and seen.ip is not None:
        return asked.ip == seen.ip
    if asked.entity is not None:
        return asked.entity == seen.entity or (asked.entity == "world" and seen.kind == "external")
    return asked.name is not None and asked.name == seen.name


def _range(text: str) -> Network | None:
    """The range that an end names; one address is whoever has it."""
    network = parse_network(text) if "/" in text else None
    return None if network is None or network.num_addresses == 1 else network


def _in(network: Network | None, seen: Endpoint) -> bool:
    """Whether a flow's end lies in the range asked for; the whole of the addresses is what is outside."""
    if network is None or seen.ip is None or in_any(seen.ip, (network,)) is None:
        return False
    return network.prefixlen > 0 or seen.kind is EndpointKind.EXTERNAL


def _at(pair: Pair, port: int | None) -> bool:
    """Whether a flow's port is the one asked for; a name that nothing declares is no port's."""
    if isinstance(pair.port, str):
        ports = pair.dst.pod.ports if pair.dst.pod is not None else None
        return any(one.name == pair.port and one.port == port for one in ports or ())
    return pair.port is None or pair.port == port
