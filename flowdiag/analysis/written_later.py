"""What refused a flow that a policy allows, where the policy's text was written after the refusal.

A dump holds only the last spec of a policy.  Suppose that an allow policy was written with a mistake, refusals went on,
and they ended when it was corrected: by the corrected text, there would have been no refusals.  Since the record says
that there were, that text did not hold yet.  So the policies are asked without it, or with the older text, where another
dump has that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from msgspec.structs import replace

from flowdiag.model.event import Cause, Direction, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import ConnectionDecision, EndDecision, IpBlockPods, PolicyRef
from flowdiag.policy import PolicySet, compile_policies

__all__ = ["WrittenLater"]

Ask = Callable[[PolicySet, int | None], ConnectionDecision]


class WrittenLater:
    """Decisions without the policies that were written after a flow was refused.

    Args:
        snapshot: the cluster's objects.
        policies: its policies, compiled.
        ip_block_pods: as `policies` was compiled.
    """

    def __init__(self, snapshot: Snapshot, policies: PolicySet, ip_block_pods: IpBlockPods) -> None:
        self._snapshot = snapshot
        self._policies = policies
        self._ip_block_pods = ip_block_pods
        self._since: dict[PolicyRef, int] = {}
        dated = {policy.ref for policy in snapshot.policies if policy.valid_until is not None}
        self._earlier = {policy.ref: policy for policy in snapshot.earlier if policy.ref not in dated}
        """Older versions of which it is not known until when they held."""
        for policy in snapshot.policies:
            if _later(policy) and policy.valid_from is not None:
                self._since[policy.ref] = max(policy.valid_from, self._since.get(policy.ref, 0))

    def settled(
        self, flow: Flow, decision: ConnectionDecision, at: int | None, ask: Ask
    ) -> ConnectionDecision:
        """Give the decision that agrees with the record, where one without the later texts does; else `decision`.

        Args:
            flow: a flow that is recorded as refused.
            decision: what the policies say, as they are known.
            at: the moment that it is of, nanoseconds.
            ask: the same question to other policies.
        """
        shape = flow.distinct
        if decision.allowed is not True:
            return decision
        if shape.verdict is not Verdict.DENIED or shape.cause is not Cause.POLICY:
            return decision
        if self._earlier:
            before = ask(self._as_before, at)
            if any(end is not None and end.allowed is False for end in _sides(flow, before)):
                return replace(
                    before, egress=self._read_as(before.egress), ingress=self._read_as(before.ingress)
                )
        if at is None or not any(self._opened(end, at) for end in _sides(flow, decision)):
            return decision
        before = ask(self._sure, at)
        if not any(end is not None and end.allowed is False for end in _sides(flow, before)):
            return decision
        return replace(
            before,
            egress=self._marked(before.egress, decision.egress, at),
            ingress=self._marked(before.ingress, decision.ingress, at),
        )

    @cached_property
    def _sure(self) -> PolicySet:
        """Each policy from the moment on that its text is known of."""
        dated = tuple(
            replace(policy, created=policy.valid_from) if _later(policy) else policy
            for policy in self._snapshot.policies
        )
        return compile_policies(
            replace(self._snapshot, policies=dated),
            dialect=self._policies.dialect,
            ip_block_pods=self._ip_block_pods,
            base=self._policies,
        )

    @cached_property
    def _as_before(self) -> PolicySet:
        """The policies with older versions in the place of newer ones."""
        old = tuple(self._earlier.get(policy.ref, policy) for policy in self._snapshot.policies)
        return compile_policies(
            replace(self._snapshot, policies=old),
            dialect=self._policies.dialect,
            ip_block_pods=self._ip_block_pods,
            base=self._policies,
        )

    def _read_as(self, end: EndDecision | None) -> EndDecision | None:
        """Mark the older versions that refuse."""
        if end is None or end.allowed is not False:
            return end
        named = {*end.isolated_by, *((end.decided_by.policy,) if end.decided_by is not None else ())}
        found = tuple(
            (ref, f"{old.origin.input}:{old.origin.line}" if old.origin is not None else "another input")
            for ref, old in self._earlier.items()
            if ref in named
        )
        return replace(end, read_as=found)

    def _opened(self, end: EndDecision | None, at: int) -> bool:
        """A policy lets it pass that was written later."""
        return (
            end is not None and end.decided_by is not None and self._since.get(end.decided_by.policy, at) > at
        )

    def _marked(self, before: EndDecision | None, now: EndDecision | None, at: int) -> EndDecision | None:
        if before is None or before.allowed is not False or now is None or now.decided_by is None:
            return before
        return replace(before, left_out=(now.decided_by.policy,)) if self._opened(now, at) else before


def _later(policy: PolicyObject) -> bool:
    """The object is older than the text that is known of it, and no earlier text is known."""
    if policy.valid_from is None or policy.since is not None:
        return False
    return policy.created is not None and policy.created < policy.valid_from


def _sides(flow: Flow, decision: ConnectionDecision) -> tuple[EndDecision | None, ...]:
    """The side that is recorded to have refused, or both."""
    if flow.direction is Direction.EGRESS:
        return (decision.egress,)
    if flow.direction is Direction.INGRESS:
        return (decision.ingress,)
    return decision.egress, decision.ingress
