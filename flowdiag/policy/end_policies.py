"""The compiled policies of a snapshot, and what they decide for one end of a connection.

Egress at the source and ingress at the destination are separate decisions.  `flowdiag.policy.evaluate` puts
the two together; questions about ports (`flowdiag.policy.reach`) ask the ends directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import L7, Direction, Icmp
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import Dialect, EndDecision, PolicyRef
from flowdiag.policy.addresses import RangeTable
from flowdiag.policy.beyond import Beyond, inhabited, passing
from flowdiag.policy.dataplane import Dataplane
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.epochs import Epochs
from flowdiag.policy.explain import explained
from flowdiag.policy.facts import OUTSIDE, Facts
from flowdiag.policy.index import Plan, in_order
from flowdiag.policy.keys_read import KeysRead
from flowdiag.policy.model import Policy, Tier, Traffic
from flowdiag.policy.nearest import holds_address, named
from flowdiag.policy.networks_apart import answering_lookups
from flowdiag.policy.register import Register
from flowdiag.policy.selecting import View

__all__ = ["EndPolicies"]

_MEMORY = 1 << 19
"""Decisions that are remembered; one more, and the memory starts afresh."""


class EndPolicies:
    """Every policy of a snapshot, compiled for one dialect, as the ends of connections meet them.

    Args:
        snapshot: what it was compiled from.
        dialect: who enforces.
        tiers: in the order in which they are tried.
        ranges: every address range that the tiers' conditions use.
        dataplane: what the enforcer does beside these rules.
        notes: policies that are not enforced here, and why (staged, another enforcer's kind).
        made: what became of each policy object, by its identity (`flowdiag.policy.compile.context`).
        base: policies over the very same pods and namespaces, whose knowledge of ends is shared where these
            policies ask nothing more of them.
        unread: why no verdict on a pod is sure, where policies are known to be missing.
        groundwork: what the dialect works out of pods, namespaces and so on, for sets with this one as `base`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        dialect: Dialect,
        tiers: tuple[Tier, ...],
        ranges: RangeTable,
        dataplane: Dataplane,
        *,
        notes: tuple[tuple[PolicyRef, str], ...] = (),
        made: Mapping[tuple[int, str], tuple[PolicyObject | Policy, Policy]] | None = None,
        base: EndPolicies | None = None,
        unread: str | None = None,
        groundwork: object = None,
    ) -> None:
        self.snapshot = snapshot
        self.dialect = dialect
        self.tiers = tiers
        self.notes = notes
        self.ranges = ranges
        self.dataplane = dataplane
        self.made = made if made is not None else {}
        self.groundwork = groundwork
        self.lookups: frozenset[str] = base.lookups if base is not None else answering_lookups(snapshot)
        self.inhabited: frozenset[str] = base.inhabited if base is not None else inhabited(snapshot)
        self.beyond = Beyond(
            self.inhabited
            | {policy.ref.namespace for policy in snapshot.policies if policy.ref.namespace is not None},
            dataplane,
            unread,
            self.lookups,
        )
        self.looks: KeysRead = base.looks if base is not None else KeysRead()
        every = [policy for tier in tiers for policy in tier.policies]
        keys = self.looks.of(every)
        self.ends: EndsBook = (
            base.ends.wider(ranges, keys)
            if base is not None
            else EndsBook(
                snapshot,
                ranges,
                keys,
                extra=dataplane.extra,
                relational=dataplane.relational,
                sees_services=dataplane.sees_services,
            )
        )
        ordered = [(tier, in_order(tier)) for tier in tiers]
        self._plans = {direction: Plan(direction, ordered, self.ends.conditions) for direction in Direction}
        self.register = Register(snapshot, tiers, self.ends)
        self._epochs = Epochs(every)
        self._memory: dict[tuple[Direction, int, int, int, Traffic, bool], tuple[EndDecision, bool]] = {}
        """Decisions per classes of ends, and whether they hold a place for an end's address."""
        self._traffic: dict[tuple[str, int | None, Icmp | None, L7 | None], Traffic] = {}

    @cached_property
    def compiled(self) -> dict[PolicyRef, tuple[PolicyObject, Policy]]:
        """The objects that were compiled, the latest of each name, with what became of them."""
        return {of.ref: (of, policy) for of, policy in self.made.values() if isinstance(of, PolicyObject)}

    def facts(self, src: Endpoint, dst: Endpoint, at: int | None = None) -> tuple[Facts, Facts]:
        """What conditions see of both ends."""
        if not self.dataplane.relational:
            return self.ends.of(src, at), self.ends.of(dst, at)
        return self.ends.of(src, at, dst), self.ends.of(dst, at, src)

    def isolating(self, endpoint: Endpoint, direction: Direction) -> tuple[PolicyRef, ...]:
        """Policies that isolate an end in a direction now, sorted."""
        return self._epochs.view(self._plans[direction], self.ends.of(endpoint, None), None).isolated_by

    def traffic(self, protocol: str, port: int | None, icmp: Icmp | None, l7: L7 | None) -> Traffic:
        """Give one value for all questions about the same traffic, so that its hash is worked out once."""
        asked = (protocol, port, icmp, l7)
        traffic = self._traffic.get(asked)
        if traffic is None:
            if len(self._traffic) >= _MEMORY:
                self._traffic.clear()
            traffic = self._traffic[asked] = Traffic(protocol, port, icmp, l7)
        return traffic

    def plan(self, direction: Direction) -> Plan:
        """Give the rules of a direction in their order of evaluation."""
        return self._plans[direction]

    def view(self, direction: Direction, subject: Facts, at: int | None = None) -> View:
        """Tell which policies select an end in a direction, and which of their rules can concern it."""
        return self._epochs.view(self._plans[direction], subject, at)

    def end(
        self,
        direction: Direction,
        subject: Facts,
        peer: Facts,
        traffic: Traffic,
        at: int | None,
        walk: bool,
        nearest: bool,
    ) -> EndDecision | None:
        """Decide one end, with what explains it; ``None`` for one that no policy of the cluster polices."""
        if subject.kind in OUTSIDE or subject.elsewhere:
            return None
        settled = self.beyond.settled(direction, subject, peer)
        plan = self._plans[direction]
        if settled is not None:
            if not settled.notes:
                return settled
            # Policies may isolate it all the same: they are not what is asked here.
            return replace(settled, isolated_by=self._epochs.view(plan, subject, at).isolated_by)
        if traffic.protocol in self.dataplane.never_policed:
            return passing(f"{traffic.protocol} passes whatever policies say")
        epoch = self._epochs.of(at)
        key = (direction, epoch, subject.class_id, peer.class_id, traffic, nearest)
        known = None if walk else self._memory.get(key)
        if known is None:
            decision = explained(
                plan,
                self._epochs.view(plan, subject, at),
                subject,
                peer,
                traffic,
                at=at,
                walk=walk,
                nearest=nearest,
            )
            known = (decision, holds_address(decision.nearest))
            if not walk:
                if len(self._memory) >= _MEMORY:
                    self._memory.clear()
                self._memory[key] = known
        decision, addressed = known
        if decision.allowed is not None:
            why = self.beyond.doubt(direction, subject, peer, allowed=decision.allowed)
            if why is not None:
                return replace(decision, allowed=None, unknown=(*decision.unknown, why))
        if not addressed:
            return decision
        return replace(decision, nearest=named(decision.nearest, subject, peer))
