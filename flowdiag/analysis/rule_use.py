"""Allow rules that no observed connection used, for audits, with what the evidence covers beside them.

That nothing used a rule is only as good as the evidence: a pod of which no flow was recorded says nothing
about its rules, and a month's job is not seen in a week.  So each rule has how many of the pods that it is
for were seen at all, and the whole has the window, the gaps and what could not be placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from flowdiag.analysis.sides import Side
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import PASSED, Direction
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Pod
from flowdiag.model.policy import PolicyRef
from flowdiag.policy import AllowRule, Use, admitting_rules, allow_rules

__all__ = ["Coverage", "RuleUse", "UnusedRule", "rule_use"]


class UnusedRule(Struct, frozen=True, kw_only=True):
    """A rule that admits, or one entry of a rule's peers, of which the evidence shows no use."""

    policy: PolicyRef
    rule: str
    """``ingress[0]``; ``ingress[0].from[1]`` where other entries of the rule were used."""
    direction: Direction
    pods: int | None
    """Live pods that the policy selects; 0: it concerns nobody; ``None`` for a policy of nodes or the like."""
    pods_seen: int | None
    """How many of them have any recorded connection in that direction and run on a node that recorded something.
    Only for these does the silence count: another node's record shows that a pod was called, but not by whom else.
    A record that names a workload and no pod (Calico's aggregated flows) counts for all of its pods."""
    since: int | None = None
    """Where the policy came or changed after the evidence begins: from then on it was watched, nanoseconds."""
    unsure: bool = False
    """Some observed traffic may have used it; whether it did depends on something that the state does not tell."""


class Coverage(Struct, frozen=True, kw_only=True):
    """What the evidence can say about rules.  Times are nanoseconds."""

    since: int | None
    until: int | None
    connections: int
    """Distinct observed flows that got past at least one end."""
    records: int
    """Their records."""
    unplaced: int
    """How many of these have an end that is unknown, or no longer in the state: they may have used any rule."""
    unexplained: int
    """Distinct flows that passed although the policies, as they stand, refuse them: it is not known which rule let them pass."""
    pods: int
    """Live pods that some policy with an allow rule selects."""
    pods_seen: int
    """How many of them have a recorded connection."""
    nodes_silent: tuple[str, ...]
    """Nodes with such pods of which there is no record; empty where records do not name their node as the objects do."""
    lost: int | None
    """Records known to be missing in the window; ``None`` where there are gaps of unknown size."""


class RuleUse(Struct, frozen=True, kw_only=True):
    """The answer; `unused` says nothing where `coverage.connections` is 0."""

    rules: int
    """Allow rules that were looked at, of all policies now in force."""
    unused: tuple[UnusedRule, ...]
    """By policy and path."""
    coverage: Coverage


class _Seen(Struct):
    """What the flows show."""

    used: set[AllowRule]
    maybe: set[AllowRule]
    subjects: dict[Direction, set[tuple[str, str]]]
    nodes: set[str]
    nameless: bool = False
    """Some records do not name their node."""
    connections: int = 0
    records: int = 0
    unplaced: int = 0
    unexplained: int = 0


def rule_use(
    passed: Iterable[Flow],
    refused: Iterable[Flow],
    side: Side,
    *,
    window: tuple[int | None, int | None] = (None, None),
    lost: Sequence[int | None] = (),
) -> RuleUse:
    """Hold observed connections against the allow rules of the policies now in force.

    Args:
        passed: every allowed flow; such a connection uses a rule on each end that has one.
        refused: refused flows: one that is refused as it arrives has left its source by a rule.
        side: the state and its policies.
        window: first and last record, nanoseconds.
        lost: how many records each known gap in the evidence has cost, where known.
    """
    seen = _observe(passed, refused, side)
    whole = dict(allow_rules(side.policies))
    pods = {ref: _selected(ref, side) for ref in {rule.policy for rule in whole}}
    concerned = {(pod.namespace, pod.name): pod for own in pods.values() for pod in own or ()}
    nodes = {pod.node for pod in concerned.values() if pod.node is not None}
    # Names that no pod's node has are of another spelling (a host's short name), and tell nothing of silence.
    told = not seen.nameless and not seen.nodes.isdisjoint(pod.node for pod in side.snapshot.pods)
    silent = nodes - seen.nodes if told else frozenset()
    unused: list[UnusedRule] = []
    if seen.connections:
        for rule, peers in sorted(whole.items()):
            idle = [rule] if rule not in seen.used else [peer for peer in peers if peer not in seen.used]
            unused.extend(_unused(each, pods[rule.policy], side, seen, silent, window[0]) for each in idle)
    watched = set().union(*seen.subjects.values())
    return RuleUse(
        rules=len(whole),
        unused=tuple(unused),
        coverage=Coverage(
            since=window[0],
            until=window[1],
            connections=seen.connections,
            records=seen.records,
            unplaced=seen.unplaced,
            unexplained=seen.unexplained,
            pods=len(concerned),
            pods_seen=sum(1 for key in concerned if key in watched),
            nodes_silent=tuple(sorted(silent)),
            lost=None if None in lost else sum(each for each in lost if each is not None),
        ),
    )


def _selected(ref: PolicyRef, side: Side) -> tuple[Pod, ...] | None:
    policy = side.policies.register.policy(ref)
    return side.policies.register.selects(ref) if policy is not None and policy.subjects == {"pod"} else None


def _unused(
    rule: AllowRule,
    pods: Sequence[Pod] | None,
    side: Side,
    seen: _Seen,
    silent: AbstractSet[str],
    begin: int | None,
) -> UnusedRule:
    written = [one for one in side.snapshot.policies if one.ref == rule.policy]
    moments = [at for one in written for at in (one.created, one.valid_from) if at is not None]
    since = max(moments, default=None)
    return UnusedRule(
        policy=rule.policy,
        rule=rule.path,
        direction=rule.direction,
        pods=None if pods is None else len(pods),
        pods_seen=None
        if pods is None
        else sum(
            (pod.namespace, pod.name) in seen.subjects[rule.direction] and pod.node not in silent
            for pod in pods
        ),
        since=since if since is not None and begin is not None and since > begin else None,
        unsure=rule in seen.maybe,
    )


def _observe(passed: Iterable[Flow], refused: Iterable[Flow], side: Side) -> _Seen:
    seen = _Seen(used=set(), maybe=set(), subjects={direction: set() for direction in Direction}, nodes=set())
    memory: dict[tuple[object, ...], Use] = {}
    both = (Direction.EGRESS, Direction.INGRESS)
    for flow, directions in (
        *((flow, both) for flow in passed if flow.distinct.verdict in PASSED),
        *((flow, both[:1]) for flow in refused if flow.direction is Direction.INGRESS),
    ):
        shape = flow.distinct
        seen.connections += 1
        seen.records += flow.count
        if shape.node is None:
            seen.nameless = True
        else:
            seen.nodes.add(shape.node.rpartition("/")[2])
        source, targets = side.end(flow.src), side.targets(flow)
        unknown = EndpointKind.UNKNOWN in (flow.src.kind, flow.dst.kind)
        seen.unplaced += source is None or not targets or unknown
        if source is None or shape.protocol is None:
            continue
        contradicted = False
        for destination, port in targets:
            for direction in directions:
                subject = source if direction is Direction.EGRESS else destination
                seen.subjects[direction].update(_pods(subject, side))
                one, other = side.policies.facts(source, destination)
                key = (direction, one.class_id, other.class_id, shape.protocol, port, shape.icmp)
                use = memory.get(key)
                if use is None:
                    use = memory[key] = admitting_rules(
                        side.policies, direction, source, destination, shape.protocol, port, icmp=shape.icmp
                    )
                    seen.used |= use.sure
                    seen.maybe |= use.maybe
                contradicted |= use.refused
        seen.unexplained += contradicted
    return seen


def _pods(end: Endpoint, side: Side) -> Iterator[tuple[str, str]]:
    if end.pod is not None:
        yield (end.pod.namespace, end.pod.name)
    elif end.workload is not None and end.namespace is not None:
        for pod in side.index.by_workload.get((end.namespace, end.workload), ()):
            yield (pod.namespace, pod.name)
