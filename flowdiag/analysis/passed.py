"""Traffic that was let through although the policies of its time refuse it.

Every part of an allowed flow is held against the policies that had settled when it was recorded.  What the
record proves is said by its side: a packet that its source let go may still be refused where it arrives, one
that arrived had been let go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from flowdiag.analysis.moments import Moments
from flowdiag.analysis.replay import cut
from flowdiag.analysis.state import State
from flowdiag.cluster.passing import arrival_open
from flowdiag.diagnose import Case, Context, leading_finding
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import PASSED, Direction
from flowdiag.model.flow import Flow
from flowdiag.model.policy import ConnectionDecision
from flowdiag.timeline import Refusal

__all__ = ["against_policies", "refused_at"]


def refused_at(state: State | None, at: int | None) -> Callable[[Flow], bool | None]:
    """Whether the policies of a moment refuse what passed before it; ``None`` where that is not known.

    Args:
        state: the policies; without any nothing is known to be refused.
        at: the moment, nanoseconds.
    """
    if state is None or not state.snapshot.policies_read:
        return lambda _: None
    policies = state.policies

    def refused(flow: Flow) -> bool | None:
        shape = flow.distinct
        ends = (flow.src, flow.dst)
        # Of shortened names (Whisker's) a workload is known and no pod; where its pods differ, the answer is unknown.
        known = all(end.kind is EndpointKind.WORKLOAD or _could_be(end) for end in ends)
        if shape.protocol is None or shape.turned or not known:
            return None
        decision = policies.evaluate(flow.src, flow.dst, shape.protocol, shape.port, at=at, nearest=False)
        return None if decision.allowed is None else not decision.allowed

    return refused


def against_policies(flows: Iterable[Flow], state: State, context: Context) -> Iterator[Refusal]:
    """Yield parts of allowed flows that policies should have refused, with what diagnosis says of them.

    Args:
        flows: allowed flows, ends resolved.
        state: the policies.
        context: the run-wide indexes.
    """
    moments = Moments(state.snapshot)
    for flow in flows:
        shape = flow.distinct
        if flow.direction is None or shape.verdict not in PASSED or shape.turned or flow.first is None:
            continue
        if shape.protocol is None or not (_could_be(flow.src) and _could_be(flow.dst)):
            continue
        if flow.src.pod is None and flow.dst.pod is None:
            continue
        # A firewall on the way sees what left its source; that it arrives at the node's interface lets nothing in.
        seen_at = Direction.EGRESS if arrival_open(flow) else flow.direction
        boundaries = moments.of(flow)
        if (
            _refusing(
                state.policies.evaluate(
                    flow.src, flow.dst, shape.protocol, shape.port, at=flow.last, nearest=False
                ),
                seen_at,
            )
            is None
            and not boundaries
        ):
            continue
        for part, at, before in cut(flow, boundaries):
            if before is not None:
                # A change lies shortly before it, and the dataplane may not have applied it yet.
                continue
            decision = state.policies.evaluate(
                part.src, part.dst, shape.protocol, shape.port, at=at, nearest=False
            )
            side = _refusing(decision, seen_at)
            if side is None:
                continue
            told = replace(part, direction=side)
            finding = leading_finding(Case(context, told, decision, at))
            if finding is not None:
                yield Refusal(told, finding)


def _could_be(end: Endpoint) -> bool:
    return end.pod is not None or (end.kind is EndpointKind.EXTERNAL and end.ip is not None)


def _refusing(decision: ConnectionDecision, seen_at: Direction) -> Direction | None:
    """The end that the record got past and that the policies refuse."""
    sides = [(Direction.EGRESS, decision.egress)]
    if seen_at is Direction.INGRESS:
        sides.append((Direction.INGRESS, decision.ingress))
    return next((side for side, end in sides if end is not None and end.allowed is False), None)
