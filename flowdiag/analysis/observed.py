"""What evidence shows between the two ends of a question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

from flowdiag.analysis.answers import Answer, Pair
from flowdiag.analysis.ask import Asker
from flowdiag.cluster.addresses import Network, in_any, parse_network
from flowdiag.cluster.index import SnapshotIndex
from flowdiag.cluster.passing import arrival_open, got_past
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, Verdict, WorkloadRef
from flowdiag.model.flow import Flow
from flowdiag.model.time import moment_text, parse_rfc3339, rfc3339
from flowdiag.model.words import object_text, plural
from flowdiag.report.query_types import Observed

__all__ = ["observed_between"]


def observed_between(
    asker: Asker,
    answer: Answer,
    asked: tuple[str, str],
    protocol: str | None,
    refused: Sequence[Flow],
    allowed: Sequence[Flow] | None,
    logged: Sequence[Flow],
) -> Observed:
    """Count the records between the ends.

    Args:
        asker: the state.
        answer: the pairs of ends that the question came down to.
        asked: both ends in the asker's words.
        protocol: ``None`` for any.
        refused: refused flows, ends resolved.
        allowed: those that passed; ``None`` where they were not read.
        logged: those that were only logged.
    """
    source = _Asked(asked[0], [pair.src for pair in answer.pairs], asker.index)
    destination = _Asked(asked[1], [pair.dst for pair in answer.pairs], asker.index)

    def between(flow: Flow) -> bool:
        if protocol is not None and flow.distinct.protocol != protocol:
            return False
        return source.holds(flow.src) and any(
            destination.reached(flow, pair.dst) and _at(pair, flow, asker.index) for pair in answer.pairs
        )

    def wider(flow: Flow) -> bool:
        return (
            (protocol is None or flow.distinct.protocol == protocol)
            and EndpointKind.WORKLOAD in (flow.src.kind, flow.dst.kind)
            and source.owned(flow.src)
            and destination.owned(flow.dst)
            and any(_at(pair, flow, asker.index) for pair in answer.pairs)
            and not between(flow)
        )

    denied = [f for f in refused if f.distinct.verdict is Verdict.DENIED and between(f)]
    audited = [f for f in refused if f.distinct.verdict is Verdict.AUDITED and between(f)]
    passed = None if allowed is None else [flow for flow in allowed if between(flow)]
    if passed is not None and any(flow.direction is Direction.INGRESS for flow in denied):
        # A packet that left its source and was refused at its destination did not get through.
        passed = [flow for flow in passed if got_past(flow, Direction.INGRESS)]
    # Outside there are no policies of ours that could refuse what arrives, and what is refused as it leaves never comes by.
    arrives = answer.ingress is not None and not (
        answer.egress is not None and answer.egress.allowed is False
    )
    on_the_way = [flow for flow in passed or () if arrives and arrival_open(flow)]
    if passed is not None and on_the_way:
        passed = [flow for flow in passed if not arrival_open(flow)]
    would = sum(flow.count for flow in audited)
    unnamed = sum(flow.count for flow in chain(refused, allowed or ()) if wider(flow))
    noted = sum(flow.count for flow in logged if between(flow))
    no, first_no, last_no = _sum(denied)
    _, first_yes, last_yes = _sum(passed or [])
    yes = _times(passed or [])
    return Observed(
        denied=no,
        denied_first=first_no,
        denied_last=last_no,
        allowed=None if passed is None else yes,
        allowed_first=first_yes,
        allowed_last=last_yes,
        audited=would,
        text=_sentence(
            no,
            (first_no, last_no),
            None if passed is None else yes,
            (first_yes, last_yes),
            would,
            noted,
            unnamed,
            sum(flow.count for flow in on_the_way),
        ),
        requests=sum(flow.count for flow in denied if flow.distinct.l7 is not None),
        unnamed=unnamed,
        mended=_made_after(asker, answer, last_no),
        logged=noted,
        on_the_way=sum(flow.count for flow in on_the_way),
    )


def _made_after(asker: Asker, answer: Answer, last: str | None) -> str | None:
    """What allows the connection and was made after it was refused last, in words."""
    if last is None or answer.allowed is not True:
        return None
    ends = [end for end in (answer.egress, answer.ingress) if end is not None]
    deciding = {end.decided_by.policy for end in ends if end.decided_by is not None}
    made = [
        (policy.created, policy.ref)
        for policy in asker.snapshot.policies
        if policy.ref in deciding and policy.created is not None and policy.created > parse_rfc3339(last)
    ]
    if not made:
        return None
    created, ref = max(made, key=lambda one: one[0])
    name = object_text(ref)
    return f"{name} was created at {moment_text(created)}"


class _Asked:
    """One end of the question: the pods, addresses or nodes that it stands for.

    Records may tell a workload alone (Calico's flow logs), or a pod of it that is gone by now: they are of the end
    where that has all of the workload's pods.
    """

    def __init__(self, text: str, ends: Iterable[Endpoint], index: SnapshotIndex) -> None:
        self._range = _range(text)
        self._ends = list({id(end): end for end in ends}.values())
        self._index = index
        self._names = {(end.namespace, end.name) for end in self._ends if end.namespace and end.name}
        owners = {(end.namespace, owner) for end in self._ends if (owner := _workload(end)) is not None}
        self._workloads = {
            (namespace, owner.name)
            for namespace, owner in owners
            if all(
                (pod.namespace, pod.name) in self._names
                for pod in index.by_workload.get((namespace or "", owner), ())
                if pod.live
            )
        }

    def holds(self, seen: Endpoint) -> bool:
        """Whether a flow's end is one of these."""
        return _in(self._range, seen) or self._whole(seen) or any(_same(one, seen) for one in self._ends)

    def reached(self, flow: Flow, asked: Endpoint) -> bool:
        """Whether a flow went to one of these, or to a Service with none but these behind it."""
        dst = flow.dst
        if _in(self._range, dst) or _same(asked, dst) or (flow.via is not None and _same(asked, flow.via)):
            return True
        if self._whole(dst):
            return _workload(asked) is None or _workload(asked) == _workload(dst)
        if dst.kind is not EndpointKind.SERVICE or dst.service is None:
            return False
        behind = self._index.service_pods(dst.service)
        return bool(behind) and all((pod.namespace, pod.name) in self._names for pod in behind)

    def owned(self, seen: Endpoint) -> bool:
        """Whether a flow's end is one of these, or the workload of one: which of its pods is not known."""
        owner = _workload(seen)
        return self.holds(seen) or (
            owner is not None
            and any(
                (end.namespace, own.name) == (seen.namespace, owner.name)
                for end in self._ends
                if (own := _workload(end)) is not None
            )
        )

    def _whole(self, seen: Endpoint) -> bool:
        owner = _workload(seen)
        return owner is not None and (seen.namespace, owner.name) in self._workloads


def _workload(end: Endpoint) -> WorkloadRef | None:
    return end.workload or (end.pod.workload if end.pod is not None else None)


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


def _at(pair: Pair, flow: Flow, index: SnapshotIndex) -> bool:
    """Whether a flow's port is the one asked for; a name that nothing declares is no port's.

    A record of a Service's address has the Service's port.
    """
    port = flow.distinct.port
    if pair.port is None:
        return True
    found = {port}
    for end in (flow.dst, flow.via):
        if end is not None and end.service is not None and port is not None:
            found.update(one.port for one in index.backends(end.service, port, flow.distinct.protocol))
    if isinstance(pair.port, str):
        ports = pair.dst.pod.ports if pair.dst.pod is not None else None
        return any(one.name == pair.port and one.port in found for one in ports or ())
    return pair.port in found


def _times(passed: Sequence[Flow]) -> int:
    """Count how often it passed.

    A refused call leaves a record at one end only; one that passes leaves one at each end, and its replies leave
    more.  So
    replies are left out where requests of the same two ends were recorded, and of the two ends' counts the larger is
    taken.
    """
    requests: dict[tuple[object, ...], Counter[Direction | None]] = defaultdict(Counter)
    answers: dict[tuple[object, ...], Counter[Direction | None]] = defaultdict(Counter)
    for flow in passed:
        shape = flow.distinct
        pair = (*_one(flow.src), *_one(flow.dst), shape.protocol, shape.port)
        (answers if shape.turned else requests)[pair][flow.direction] += flow.count
    return sum(max(counts.values()) for counts in {**answers, **requests}.values())


def _one(end: Endpoint) -> tuple[str | None, str | None]:
    """An end by its name, else by its address: of two records that tell of one call one may lack the address."""
    return end.namespace, end.name or end.ip


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
    audited: int,
    logged: int,
    unnamed: int,
    on_the_way: int,
) -> str:
    parts = []
    if allowed:
        parts.append(f"allowed {plural(allowed, 'time')} ({_span(allowed_span)})")
    if denied:
        parts.append(f"refused {plural(denied, 'time')} ({_span(denied_span)})")
    if audited:
        parts.append(f"{plural(audited, 'record')} would be denied (audit mode)")
    if logged:
        parts.append(f"logged {plural(logged, 'time')} without a verdict")
    if on_the_way:
        parts.append(f"let through {plural(on_the_way, 'time')} by the network's firewall")
    if allowed is None:
        parts.append("allowed traffic was not read")
    seen = ", ".join(parts) or "nothing was seen between the two in the evidence"
    if unnamed:
        seen += f"; {plural(unnamed, 'record')} between their workloads {'names' if unnamed == 1 else 'name'} no pod"
    return seen


def _span(span: tuple[str | None, str | None]) -> str:
    first, last = span
    if first is None or last is None:
        return "time unknown"
    begin, end = (moment_text(parse_rfc3339(moment)) for moment in (first, last))
    return begin if begin == end else f"{begin} to {end}"
