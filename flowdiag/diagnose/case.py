"""One refused flow with everything a rule may read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from flowdiag.cluster.index import target_ports
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.end_signs import (
    OF_DESTINATION,
    OF_ENFORCER,
    OF_PEER,
    OF_SOURCE,
    PODS,
    recorded_signs,
    signs_of,
)
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.replayed import Answer, answer_of, closing, denying_the_rest, is_deny, misses_socket
from flowdiag.diagnose.signs import OF_PORT, Sign
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import NOT_POLICY, PASSED, Cause, Direction, PolicyHit, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Pod
from flowdiag.model.policy import (
    Condition,
    ConnectionDecision,
    DecidedBy,
    EndDecision,
    NearestRule,
    PolicyRef,
)
from flowdiag.model.reasons import OF_NO_RULE

__all__ = ["Case"]


_TIER_ENDS = ("end-of-tier", "no-match", "default-deny")
"""What parsers give as the rule where no rule of a policy decided."""

# Reasons that the table counts as a policy's, but that no rule of a network policy causes.
_OTHER_POLICIES = ("UNENCRYPTED_TRAFFIC", "FORBIDDEN_ICMPV6_MESSAGE")
_PLAIN_REASON = "POLICY_DENIED"


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
        distinct = flow.distinct
        self.port: int | None = distinct.port
        """Destination port on the pod."""
        self.protocol: str | None = distinct.protocol
        """Transport protocol."""
        self.reason: str = distinct.reason or ""
        """The normalised reason, upper case for Cilium's; empty where there is none."""
        self.not_policy: bool = distinct.cause in NOT_POLICY or distinct.reason in _OTHER_POLICIES
        """The record gives a reason that is not a policy's."""
        self.refused_by_policy: bool = distinct.verdict is Verdict.DENIED and distinct.cause is Cause.POLICY
        """The record itself says that a policy refused."""
        self.unexplained: bool = (
            distinct.verdict is Verdict.DENIED and distinct.cause is None and not distinct.policies
        )
        """Dropped, and the record neither names a policy nor gives a reason that is known."""
        self.direction: Direction | None = flow.direction or self._replayed_direction()
        """The side that refused: as recorded; else the one that the replay refuses, the source's first."""
        inward = self.direction is Direction.INGRESS
        self.enforcer: Endpoint = flow.dst if inward else flow.src
        """The end that refused; the source where nobody knows."""
        self.peer: Endpoint = flow.src if inward else flow.dst
        """The end that was refused."""
        end = other = None
        if decision is not None and self.direction is not None:
            end, other = (
                (decision.ingress, decision.egress) if inward else (decision.egress, decision.ingress)
            )
        self.end: EndDecision | None = end
        """What the replay says of the side that refused."""
        self.other_end: EndDecision | None = other
        """What the replay says of the other side."""
        self.of_rules: bool = not self.not_policy and self.reason not in OF_NO_RULE
        """A rule of a policy may have refused it; if not, no policy is named with the refusal."""
        self.rest_denied: DecidedBy | None = denying_the_rest(context, end)
        """The last rule of a Calico policy, which denies all else, where that rule refused and one before it came near."""
        self.isolating: tuple[PolicyRef, ...] = closing(end) if self.of_rules else ()
        """Policies that isolate the refusing end in that direction; for a default deny, only those that may be the reason."""
        self.nearest: tuple[NearestRule, ...] = (
            end.nearest if self.of_rules and end is not None and end.allowed is not True else ()
        )
        """Rules of the refusing end that missed, nearest first."""
        self.denied_by_rule: bool = is_deny(end)
        """The replay finds a rule that says deny."""
        self.replay_agrees: bool = end is not None and end.allowed is False
        """The replay refuses on the side that the records name."""
        self.default_denied: bool = self._default_denied()
        """The end is isolated, nothing opens it for this, and no rule denies it but one that denies all the rest.

        Where the replay cannot decide (a rule may match, a kind cannot be evaluated) the record's own
        refusal by policy stands in for it.
        """
        self.has: Needs = self._has()
        """What is known for this flow."""
        self._answer: Answer | None = answer_of(context, end) if end is not None else None
        self.said_of_times: list[str] | None = None
        """What `flowdiag.diagnose.confidence.policy_times` says, once asked."""

    def _has(self) -> Needs:
        known = self.context.has
        if self.decision is None:
            known &= ~Needs.POLICIES
        if self.flow.distinct.dns_names or self.flow.dst.dns_names:
            known |= Needs.NAMES
        return known

    def _replayed_direction(self) -> Direction | None:
        decision = self.decision
        if decision is None:
            return None
        if decision.egress is not None and decision.egress.allowed is False:
            return Direction.EGRESS
        if decision.ingress is not None and decision.ingress.allowed is False:
            return Direction.INGRESS
        return self._left_over(decision.egress, decision.ingress)

    def _left_over(self, egress: EndDecision | None, ingress: EndDecision | None) -> Direction | None:
        """Give the side that refused, for a record that blames a policy and tells no side.

        It is the side of the cluster, where the other end is outside; or the side that policies isolate, where the
        other surely allows the flow.  That happens with ICMP, which isolation closes with some enforcers and not with others.
        """
        if not self.refused_by_policy:
            return None
        if egress is None or ingress is None:
            return (
                Direction.EGRESS if egress is not None else Direction.INGRESS if ingress is not None else None
            )
        if egress.allowed is True and ingress.allowed is None and ingress.isolated_by:
            return Direction.INGRESS
        if ingress.allowed is True and egress.allowed is None and egress.isolated_by:
            return Direction.EGRESS
        return None

    @property
    def singled_out(self) -> bool:
        """The replay finds a rule that denies this in particular, and not one that denies all the rest."""
        return self.denied_by_rule and self.rest_denied is None

    def _default_denied(self) -> bool:
        end = self.end
        if end is None or self.singled_out:
            return False
        if end.allowed is None:
            return bool(end.isolated_by) and self.refused_by_policy
        return end.allowed is False

    @property
    def signs(self) -> int:
        """What the case looks like, as bits of `Sign`."""
        distinct, context = self.flow.distinct, self.context
        found = context.signs | (OF_PORT.get(self.port, 0) if self.port is not None else 0)
        found |= Sign.NOT_POLICY if self.not_policy else Sign.POLICY
        ends = self.flow.src, self.flow.dst
        if ends[0].name == ends[1].name and ends[0].namespace == ends[1].namespace:
            found |= Sign.SELF
        src, dst = signs_of(context, ends[0]), signs_of(context, ends[1])
        found |= src & OF_SOURCE | dst & OF_DESTINATION
        found |= recorded_signs(context, distinct.src) | recorded_signs(context, distinct.dst)
        if self.direction is Direction.INGRESS:
            found |= Sign.INGRESS | dst & OF_ENFORCER | src & OF_PEER
        else:
            found |= src & OF_ENFORCER | dst & OF_PEER
            if self.direction is not None:
                found |= Sign.EGRESS
        if self._answer is not None:
            found |= self._answer.isolation
        if self.default_denied:
            found |= Sign.DEFAULT
            if self._answer is not None:
                found |= self._answer.missing
        if self.denied_by_rule:
            found |= Sign.RULE
        if self.rest_denied is not None:
            found |= Sign.REST
        if not self.replay_agrees:
            found |= Sign.OPEN
        if self.other_end is not None and self.other_end.allowed is True:
            found |= Sign.OTHER_OPEN
        if distinct.policies:
            found |= Sign.HITS
        if distinct.reason and distinct.reason != _PLAIN_REASON:
            found |= Sign.REASON
        if distinct.turned or "SYN" not in distinct.tcp_flags:
            # What goes back to a client begins nothing: its SYN is an answer's (SYN, ACK).
            found |= Sign.NO_SYN
        if distinct.l7 is not None:
            found |= Sign.L7
        if distinct.icmp is not None:
            found |= Sign.ICMP
        if distinct.verdict is not Verdict.DENIED:
            found |= Sign.UNDECIDED
        return found

    @property
    def peer_pod(self) -> Pod | None:
        """The refused end's pod, where it is one with an address of its own."""
        pod = self.peer.pod
        return pod if pod is not None and not pod.host_network else None

    @cached_property
    def port_behind(self) -> int | None:
        """The pods' port where a Service's own was recorded, and held against policies; else `port`."""
        service, pod = self.flow.dst.service, self.flow.dst.pod
        if service is None or pod is None or self.port is None:
            return self.port
        return next(iter(target_ports(pod, service, self.port, self.protocol)), self.port)

    @property
    def passed(self) -> bool:
        """The record says that it was let through."""
        return self.flow.distinct.verdict in PASSED

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
    def singles(self) -> tuple[tuple[int, NearestRule, Condition], ...]:
        """(rank, rule, condition) of the nearest rules that miss in exactly one condition, and of which no other is unknown."""
        return self._answer.singles if self._answer is not None else ()

    def missing_one(self, *conditions: Condition) -> tuple[NearestRule, ...]:
        """Nearest rules that miss in exactly one condition, one of these."""
        if not self.default_denied:
            return ()
        return tuple(rule for _, rule, condition in self.singles if condition in conditions)

    @property
    def missing_socket(self) -> tuple[NearestRule, ...]:
        """Nearest rules that miss on address and port, and on nothing else: what an untranslated Service's rule does."""
        if not self.default_denied:
            return ()
        return tuple(rule for rule in self.nearest if misses_socket(rule))

    @cached_property
    def involved(self) -> tuple[PolicyRef, ...]:
        """Policies on which the replay's answer for the refusing end rests, including those of tiers that passed it on."""
        refs = dict.fromkeys(self.isolating)
        if self.end is not None:
            refs.update(dict.fromkeys(self.end.isolated_by))
            refs.update(dict.fromkeys(rule.policy for rule in self.nearest))
            if self.end.decided_by is not None:
                refs.setdefault(self.end.decided_by.policy)
        return tuple(refs)

    @property
    def loose(self) -> tuple[PolicyRef, ...]:
        """Those of `involved` whose text at the time of the flow is not certain, since no spec is known to be that old."""
        at = self.at
        if at is None or at >= self.context.newest_text:
            return ()
        since = self.context.text_since
        return tuple([ref for ref in self.involved if since.get(ref, at) > at])

    @property
    def same_node(self) -> bool | None:
        """Whether both ends are on one node, if that is known."""
        nodes = [_node(end) for end in (self.flow.src, self.flow.dst)]
        return None if None in nodes else nodes[0] == nodes[1]

    @property
    def pod_peer(self) -> bool:
        """The refused end is a pod or a workload's pods."""
        return self.peer.kind in PODS


def _node(end: Endpoint) -> str | None:
    if end.kind is EndpointKind.NODE:
        return end.name
    return end.pod.node if end.pod is not None else None


def _by_default(hit: PolicyHit) -> bool:
    """Whether no rule made a denial: it is the end of a tier, or of a Calico profile (``kns.NAMESPACE``), which only allows."""
    return hit.effect == "deny" and (hit.rule in _TIER_ENDS or hit.kind == "Profile")
