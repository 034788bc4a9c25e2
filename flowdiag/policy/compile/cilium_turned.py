"""Policies of other languages as Cilium enforces them: their selectors asked of the labels of identities.

Source: Cilium v1.20 ``pkg/k8s/network_policy.go``, which makes Cilium's own rules of a NetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.policy.compile.cilium_peers import CidrSelected
from flowdiag.policy.compile.cilium_selectors import (
    IdentitySelected,
    IdentitySelector,
    namespace_labels,
    namespace_named,
    pod_labels,
)
from flowdiag.policy.compile.cilium_state import CiliumState
from flowdiag.policy.compile.cilium_traffic import named_elsewhere
from flowdiag.policy.compile.context import CompileContext, Turned, with_former
from flowdiag.policy.matchers import AddressRange, NamespaceNamed, NamespaceSelected, PodSelected
from flowdiag.policy.model import Matcher, Outcome, Peer, Policy, Rule, TrafficMatcher
from flowdiag.policy.traffic import NamedPort, OneOf

__all__ = ["ByIdentity"]


class ByIdentity:
    """Turns compiled policies into such whose conditions ask identities.

    Args:
        context: remembers what was turned.
        state: the agent's settings, and which ports are named.
        cluster: its name; ``None`` where nobody says.
    """

    def __init__(self, context: CompileContext, state: CiliumState, cluster: str | None) -> None:
        self._context = context
        self._state = state
        self._cluster = cluster

    def policy(self, policy: Policy) -> Policy:
        """Turn the conditions of another language's policy into conditions on identities."""
        return self._context.turned(policy, self._turned)

    def _turned(self, policy: Policy, old: Turned | None) -> Policy:
        """See `policy`; a rule that an edit left as it was is the same object as before, and was turned then."""
        rules = {
            direction: tuple(
                known[1]
                if known is not None and known[0] is rule
                else self._turned_rule(rule, direction, known)
                for rule, known in with_former(own, _pairs(old, direction))
            )
            for direction, own in policy.rules.items()
        }
        return structs.replace(
            policy, applies_to=tuple(self._matcher(each) for each in policy.applies_to), rules=rules
        )

    def _turned_rule(self, rule: Rule, direction: Direction, old: tuple[Rule, Rule] | None) -> Rule:
        traffic, peers = rule.traffic, rule.peers
        if direction is Direction.EGRESS:
            traffic = tuple(self._egress_ports(each) for each in traffic)
        if peers is not None:
            was = zip(old[0].peers or (), old[1].peers or (), strict=True) if old is not None else ()
            peers = tuple(
                known[1]
                if known is not None and known[0] is peer
                else Peer(peer.path, tuple(self._matcher(each) for each in peer.matchers))
                for peer, known in with_former(peers, was)
            )
        return structs.replace(rule, traffic=traffic, peers=peers)

    def _egress_ports(self, matcher: TrafficMatcher) -> TrafficMatcher:
        """A port's name in an egress rule may stand for what any pod calls so, as in Cilium's own kinds."""
        if isinstance(matcher, OneOf):
            return OneOf(tuple(self._egress_ports(each) for each in matcher.items))
        if isinstance(matcher, NamedPort):
            protocols = PORT_PROTOCOLS if matcher.protocol is None else (matcher.protocol,)
            return named_elsewhere(matcher.name, protocols, self._state.port_names)
        return matcher

    def _matcher(self, matcher: Matcher) -> Matcher:
        selector: IdentitySelector
        if isinstance(matcher, PodSelected):
            selector = pod_labels(matcher.selector)
        elif isinstance(matcher, NamespaceSelected):
            selector = namespace_labels(matcher.selector)
        elif isinstance(matcher, NamespaceNamed):
            selector = IdentitySelector((namespace_named(matcher.namespace),))
        elif isinstance(matcher, AddressRange):
            open_range = structs.replace(matcher, pods=Outcome.MATCH, nodes=Outcome.MATCH)
            return CidrSelected(open_range, matcher)
        else:
            return matcher
        return IdentitySelected(selector, self._state.local_default, self._cluster)


def _pairs(turned: Turned | None, direction: Direction) -> Iterable[tuple[Rule, Rule]]:
    """The rules of a policy, each with what it was turned into."""
    was, now = ((), ()) if turned is None else (each.rules.get(direction, ()) for each in turned)
    return zip(was, now, strict=True)
