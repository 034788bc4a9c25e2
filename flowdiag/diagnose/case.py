"""One refused flow with everything a rule may read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from flowdiag.diagnose.context import Context
from flowdiag.diagnose.needs import Needs
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Cause, Direction, PolicyHit, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Pod
from flowdiag.model.policy import Condition, ConnectionDecision, EndDecision, NearestRule, PolicyRef

__all__ = ["Case"]


_TIER_ENDS = ("end-of-tier", "no-match", "default-deny")
"""What parsers put as the rule where no rule of a policy decided."""

# Refusals that the reasons' table puts down to policy, but to none that a rule of a NetworkPolicy makes.
_OTHER_POLICIES = ("UNENCRYPTED_TRAFFIC", "FORBIDDEN_ICMPV6_MESSAGE")


class Case:
    """A refused flow (or its part in one policy epoch) and the replay of it.

    Args:
        context: the run-wide indexes.
        flow: the refused flow.
        decision: the replay at the time of the flow; ``None`` where there is no policy state.
        at: the instant of the policies that it was held against, nanoseconds.
    """

    def __init__(
        self, context: Context, flow: Flow, decision: ConnectionDecision | None, at: int | None = None
    ) -> None:
        self.context = context
        self.flow = flow
        self.decision = decision
        self.at = at if at is not None else flow.first

    @cached_property
    def has(self) -> Needs:
        """What is known for this flow."""
        known = self.context.has
        if self.decision is None:
            known &= ~Needs.POLICIES
        if self.flow.distinct.dns_names or self.flow.dst.dns_names:
            known |= Needs.NAMES
        return known

    @cached_property
    def direction(self) -> Direction | None:
        """The side that refused: as recorded; else the one that the replay refuses, the source's first."""
        if self.flow.direction is not None:
            return self.flow.direction
        if self.decision is None:
            return None
        if self.decision.egress is not None and self.decision.egress.allowed is False:
            return Direction.EGRESS
        if self.decision.ingress is not None and self.decision.ingress.allowed is False:
            return Direction.INGRESS
        return self._left_over(self.decision.egress, self.decision.ingress)

    def _left_over(self, egress: EndDecision | None, ingress: EndDecision | None) -> Direction | None:
        """A policy refused, one side lets it pass for sure and policies isolate the other: it was the other.

        So it is with ICMP from sources that tell no side: whether isolation closes it differs between enforcers.
        """
        if not self.refused_by_policy or egress is None or ingress is None:
            return None
        if egress.allowed is True and ingress.allowed is None and ingress.isolated_by:
            return Direction.INGRESS
        if ingress.allowed is True and egress.allowed is None and egress.isolated_by:
            return Direction.EGRESS
        return None

    @property
    def direction_recorded(self) -> bool:
        """Whether the records tell the side."""
        return self.flow.direction is not None

    @cached_property
    def end(self) -> EndDecision | None:
        """What the replay says of the side that refused."""
        if self.decision is None or self.direction is None:
            return None
        return self.decision.egress if self.direction is Direction.EGRESS else self.decision.ingress

    @cached_property
    def other_end(self) -> EndDecision | None:
        """What the replay says of the other side."""
        if self.decision is None or self.direction is None:
            return None
        return self.decision.ingress if self.direction is Direction.EGRESS else self.decision.egress

    @property
    def enforcer(self) -> Endpoint:
        """The end that refused; the source where nobody knows."""
        return self.flow.dst if self.direction is Direction.INGRESS else self.flow.src

    @property
    def peer(self) -> Endpoint:
        """The end that was refused."""
        return self.flow.src if self.direction is Direction.INGRESS else self.flow.dst

    @property
    def peer_pod(self) -> Pod | None:
        """The refused end's pod, where it is one with an address of its own."""
        pod = self.peer.pod
        return pod if pod is not None and not pod.host_network else None

    @property
    def isolating(self) -> tuple[PolicyRef, ...]:
        """Policies that isolate the refusing end in that direction."""
        return self.end.isolated_by if self.end is not None else ()

    @property
    def nearest(self) -> tuple[NearestRule, ...]:
        """Rules of the refusing end that missed, nearest first."""
        return self.end.nearest if self.end is not None and self.end.allowed is not True else ()

    @property
    def default_denied(self) -> bool:
        """Nothing opens what is isolated, and no rule says deny.

        Where the replay cannot decide (a rule may match, a kind cannot be evaluated) the record's own
        refusal by policy stands in for it.
        """
        end = self.end
        if end is None or self.denied_by_rule:
            return False
        if end.allowed is None:
            return bool(end.isolated_by) and self.refused_by_policy
        return end.allowed is False

    @property
    def passed(self) -> bool:
        """The record says that it was let through."""
        return self.flow.distinct.verdict in (Verdict.ALLOWED, Verdict.REDIRECTED)

    @property
    def refused_by_policy(self) -> bool:
        """The record itself says that a policy refused."""
        return self.flow.distinct.verdict is Verdict.DENIED and self.flow.distinct.cause is Cause.POLICY

    @property
    def denied_by_rule(self) -> bool:
        """The replay finds a rule that says deny."""
        end = self.end
        return end is not None and end.decided_by is not None and end.decided_by.action.lower() == "deny"

    @property
    def replay_agrees(self) -> bool:
        """The replay refuses on the side that the records name."""
        return self.end is not None and self.end.allowed is False

    @cached_property
    def recorded_defaults(self) -> tuple[PolicyHit, ...]:
        """Policies that the record names for a default deny: a tier's end, or no match; never an allow."""
        return tuple(hit for hit in self._enforced if hit.effect == "no-match" or _by_default(hit))

    @cached_property
    def recorded_denies(self) -> tuple[PolicyHit, ...]:
        """Policies of which the record says that one of their rules denied."""
        return tuple(
            hit
            for hit in self._enforced
            if hit.effect == "deny" and not _by_default(hit) and (hit.name or hit.raw)
        )

    @property
    def _enforced(self) -> Iterator[PolicyHit]:
        """The record's hits without those of staged policies, which refuse nothing."""
        return (
            hit
            for hit in self.flow.distinct.policies
            if hit.kind is None or not hit.kind.startswith("Staged")
        )

    @property
    def audited(self) -> bool:
        """Nothing was dropped; it would have been."""
        return self.flow.distinct.verdict is Verdict.AUDITED

    @property
    def not_policy(self) -> bool:
        """The record's reason is no policy's refusal."""
        distinct = self.flow.distinct
        return distinct.cause in (Cause.CONFIGURATION, Cause.FAULT, Cause.NOISE) or (
            distinct.reason in _OTHER_POLICIES
        )

    @property
    def reason(self) -> str:
        """The normalised reason, upper case for Cilium's; empty where there is none."""
        return self.flow.distinct.reason or ""

    @property
    def port(self) -> int | None:
        """Destination port on the pod."""
        return self.flow.distinct.port

    @property
    def protocol(self) -> str | None:
        """Transport protocol."""
        return self.flow.distinct.protocol

    @cached_property
    def singles(self) -> tuple[tuple[int, NearestRule, Condition], ...]:
        """(rank, rule, condition) of the nearest rules that miss in one condition only and know the rest."""
        found = []
        for rank, rule in enumerate(self.nearest):
            conditions = {miss.condition for miss in rule.misses}
            if len(conditions) == 1 and not rule.unknown:
                found.append((rank, rule, conditions.pop()))
        return tuple(found)

    def missing_one(self, *conditions: Condition) -> tuple[NearestRule, ...]:
        """Nearest rules that miss in exactly one condition, one of these."""
        if not self.default_denied:
            return ()
        return tuple(rule for _, rule, condition in self.singles if condition in conditions)

    @property
    def involved(self) -> tuple[PolicyRef, ...]:
        """Policies that the replay's answer for the refusing end rests on."""
        refs = dict.fromkeys(self.isolating)
        if self.end is not None:
            refs.update(dict.fromkeys(rule.policy for rule in self.nearest))
            if self.end.decided_by is not None:
                refs.setdefault(self.end.decided_by.policy)
        return tuple(refs)

    @property
    def same_node(self) -> bool | None:
        """Whether both ends are on one node, if that is known."""
        nodes = [_node(end) for end in (self.flow.src, self.flow.dst)]
        return None if None in nodes else nodes[0] == nodes[1]

    @property
    def pod_peer(self) -> bool:
        """The refused end is a pod or a workload's pods."""
        return self.peer.kind in (EndpointKind.POD, EndpointKind.WORKLOAD)


def _node(end: Endpoint) -> str | None:
    if end.kind is EndpointKind.NODE:
        return end.name
    return end.pod.node if end.pod is not None else None


def _by_default(hit: PolicyHit) -> bool:
    """A denial of nobody's rule: the end of a tier, or a Calico profile (``kns.NAMESPACE``), which only allows."""
    return hit.effect == "deny" and (hit.rule in _TIER_ENDS or hit.kind == "Profile")
