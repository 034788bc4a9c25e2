"""The compiled policies of a snapshot, and the questions they answer.

Egress at the source and ingress at the destination are separate decisions; both must allow.
Policies are evaluated on the direction of the connection: replies of an allowed connection need no rule,
so callers turn replies round first.  A pod to itself is not covered by any of the APIs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import L7, PORT_PROTOCOLS, Direction, Icmp
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import (
    ConnectionDecision,
    Dialect,
    EndDecision,
    PolicyRef,
)
from flowdiag.policy.beyond import Beyond, inhabited
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.epochs import Epochs
from flowdiag.policy.explain import explained
from flowdiag.policy.facts import OUTSIDE
from flowdiag.policy.index import Plan, in_order
from flowdiag.policy.looks import Looks
from flowdiag.policy.model import Policy, Tier, Traffic
from flowdiag.policy.nearest import holds_address, named
from flowdiag.policy.register import Register
from flowdiag.policy.selecting import View
from flowdiag.policy.several import any_port, at_name, both

if TYPE_CHECKING:
    from flowdiag.policy.addresses import RangeTable
    from flowdiag.policy.facts import Facts

__all__ = ["PolicySet"]

_MEMORY = 1 << 19
"""Decisions remembered before the memory starts afresh."""

_LOOPBACK = "a pod's connection to itself is not covered by policy; enforcers differ"


class PolicySet:
    """Every policy of a snapshot, compiled for one dialect.  Read-only; build it with `compile_policies`.

    Args:
        snapshot: what it was compiled from.
        dialect: who enforces.
        tiers: in the order in which they are tried.
        ranges: every address range that the tiers' conditions use.
        notes: policies that are not enforced here, and why (staged, another enforcer's kind).
        extra: labels that the dialect adds to an end.
        own_node: whether a node always reaches the pods that run on it.
        relational: whether conditions tell an end's own node from others.
        policed: reserved words of ends without a pod that policies can select.
        loopback: whether a pod always reaches itself; else nobody says.
        made: what became of each policy object, by its identity (`flowdiag.policy.compile.context`).
        base: policies over the very same pods and namespaces, whose knowledge of ends is shared where these
            policies ask nothing more of them.
        crossing: says why what an end's own policies allow may still be refused on the way, where nothing
            here evaluates that; the verdict is then unknown.
        to_own_host: the same for what a pod sends to the node that it runs on.
        unread: why no verdict on a pod is sure, where policies are known to be missing.
        groundwork: what the dialect works out of pods, namespaces and so on, for sets with this one as `base`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        dialect: Dialect,
        tiers: tuple[Tier, ...],
        ranges: RangeTable,
        *,
        notes: tuple[tuple[PolicyRef, str], ...] = (),
        extra: Callable[[Facts], Mapping[str, str]] | None = None,
        own_node: bool = True,
        relational: bool = False,
        policed: frozenset[str] = frozenset(),
        loopback: bool = False,
        crossing: Callable[[Direction, Facts, Facts], str | None] | None = None,
        to_own_host: Callable[[Direction, Facts, Facts], str | None] | None = None,
        made: Mapping[tuple[int, str], tuple[PolicyObject | Policy, Policy]] | None = None,
        base: PolicySet | None = None,
        unread: str | None = None,
        groundwork: object = None,
    ) -> None:
        self.snapshot = snapshot
        self.dialect = dialect
        self.tiers = tiers
        self.notes = notes
        self.ranges = ranges
        self.made = made if made is not None else {}
        self.groundwork = groundwork
        self._relational = relational
        self._loopback = loopback
        self.inhabited: frozenset[str] = base.inhabited if base is not None else inhabited(snapshot)
        self.beyond = Beyond(
            self.inhabited
            | {policy.ref.namespace for policy in snapshot.policies if policy.ref.namespace is not None},
            own_node=own_node,
            policed=policed,
            crossing=crossing,
            to_own_host=to_own_host,
            unread=unread,
        )
        self.looks: Looks = base.looks if base is not None else Looks()
        every = [policy for tier in tiers for policy in tier.policies]
        keys = self.looks.of(every)
        self.ends: EndsBook = (
            base.ends.wider(ranges, keys)
            if base is not None
            else EndsBook(snapshot, ranges, keys, extra=extra, relational=relational)
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

    # Questions

    def evaluate(
        self,
        src: Endpoint,
        dst: Endpoint,
        protocol: str | None,
        port: int | str | None,
        *,
        icmp: Icmp | None = None,
        l7: L7 | None = None,
        at: int | None = None,
        walk: bool = False,
        nearest: bool | Direction = True,
    ) -> ConnectionDecision:
        """Would a new connection be allowed, decided by what, nearest to what?

        Args:
            src: the client.
            dst: the server, behind any Service.
            protocol: ``TCP``, ``UDP``, ``SCTP``, ``ICMP`` ...; ``None`` is any of the first three.
            port: the port on the destination, a name that it declares, or ``None`` for any port.
            icmp: type and code.
            l7: the request, for languages whose rules look into it.
            at: when, in nanoseconds; policies and labels of that time count.  ``None`` is now.
            walk: tell the walk too.
            nearest: look for the nearest rules where it is not allowed, at one end alone if that is told;
                without them it is several times faster, which pays where only verdicts are compared.

        Raises:
            ValueError: both ends are outside the cluster.
        """
        source, destination = self.facts(src, dst, at)
        if source.kind in OUTSIDE and destination.kind in OUTSIDE:
            raise ValueError("both ends are outside the cluster")
        if _same_pod(src, dst):
            if self._loopback:
                end = EndDecision(allowed=True)
                return ConnectionDecision(allowed=True, egress=end, ingress=end)
            end = EndDecision(allowed=None, unknown=(_LOOPBACK,))
            return ConnectionDecision(allowed=None, egress=end, ingress=end)
        if isinstance(port, str) and protocol is not None and protocol not in PORT_PROTOCOLS:
            port = None
        if isinstance(port, str):
            return at_name(self, src, dst, protocol, port, at, walk, nearest)
        if protocol is None or (port is None and protocol in PORT_PROTOCOLS):
            return any_port(self, source, destination, protocol, port, at, walk, nearest)
        asked = (protocol, port, icmp, l7)
        traffic = self._traffic.get(asked)
        if traffic is None:
            if len(self._traffic) >= _MEMORY:
                self._traffic.clear()
            # One value each, so that its hash is worked out once.
            traffic = self._traffic[asked] = Traffic(protocol, port, icmp, l7)
        outward, inward = (
            (nearest, nearest)
            if isinstance(nearest, bool)
            else (nearest is Direction.EGRESS, nearest is Direction.INGRESS)
        )
        egress = self.end(Direction.EGRESS, source, destination, traffic, at, walk, outward)
        ingress = self.end(Direction.INGRESS, destination, source, traffic, at, walk, inward)
        return ConnectionDecision(allowed=both(egress, ingress), egress=egress, ingress=ingress)

    def facts(self, src: Endpoint, dst: Endpoint, at: int | None = None) -> tuple[Facts, Facts]:
        """What conditions see of both ends."""
        if not self._relational:
            return self.ends.of(src, at), self.ends.of(dst, at)
        return self.ends.of(src, at, dst), self.ends.of(dst, at, src)

    def isolating(self, endpoint: Endpoint, direction: Direction) -> tuple[PolicyRef, ...]:
        """Policies that isolate an end in a direction now, sorted."""
        return self._epochs.view(self._plans[direction], self.ends.of(endpoint, None), None).isolated_by

    # One end

    def plan(self, direction: Direction) -> Plan:
        """Give the rules of a direction in their order of evaluation."""
        return self._plans[direction]

    def view(self, direction: Direction, subject: Facts, at: int | None = None) -> View:
        """What the policies are to an end in a direction."""
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
        if subject.kind in OUTSIDE:
            return None
        settled = self.beyond.settled(direction, subject, peer)
        plan = self._plans[direction]
        if settled is not None:
            if not settled.notes:
                return settled
            # Policies may isolate it all the same: they are not what is asked here.
            return replace(settled, isolated_by=self._epochs.view(plan, subject, at).isolated_by)
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


def _same_pod(src: Endpoint, dst: Endpoint) -> bool:
    """Whether both ends are one pod; a workload's template stands for several pods and is not one."""
    if src.kind is not EndpointKind.POD or dst.kind is not EndpointKind.POD:
        return False
    if src.pod is not None and dst.pod is not None:
        return src.pod is dst.pod and not src.pod.template and not src.pod.host_network
    return src.name is not None and (src.namespace, src.name) == (dst.namespace, dst.name)
