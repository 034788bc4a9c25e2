"""Rules of egress as AWS's agent holds them against a Service's own address, which it sees before that is translated.

Source: aws/amazon-network-policy-controller-k8s ``pkg/resolvers/endpoints.go`` (``getMatchingServiceClusterIPs``) and
``pkg/k8s/service_utils.go``, 2023 to 2025.  Beside the addresses of pods the controller lists the address of each Service whose
own selector has the labels that a peer's podSelector asks for, with the Service's port for the pods' port that the rule
names.  A range means a Service's address as any other, and the Service's port.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from flowdiag.model.event import Direction
from flowdiag.model.objects import Service
from flowdiag.model.policy import Condition, Miss
from flowdiag.policy.compile.context import CompileContext
from flowdiag.policy.demands import Demand, demands_of
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import AddressRange, DomainNames
from flowdiag.policy.model import (
    MATCH,
    Check,
    Matcher,
    Outcome,
    Peer,
    Rule,
    Traffic,
    TrafficMatcher,
    all_of,
    miss,
    unknown,
)
from flowdiag.policy.traffic import NamedPort, NumberedPorts, OneOf

__all__ = ["before_translation"]

_LABELS = frozenset({Condition.POD, Condition.NAMESPACE})


class PodsOrService(Struct, frozen=True):
    """The pod meets these conditions; where it is called by a Service's address, the Service does."""

    pods: tuple[Matcher, ...]

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`; which Service it is, is part of every class."""
        return frozenset().union(*(each.keys for each in self.pods))

    def demands(self, kind: str, /) -> tuple[Demand, ...]:
        """See `Demanding.demands`; what a Service shows is not looked up."""
        return tuple(one for each in self.pods for one in demands_of(each, kind))

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        pods = all_of([each.check(facts) for each in self.pods])
        if facts.before is None:
            return pods
        answer = all_of([each.check(facts.before) for each in self.pods])
        if answer.outcome is not Outcome.MISS:
            return answer
        # What misses the pods, too, misses them first.
        if pods.outcome is Outcome.MISS:
            return pods
        return Check(answer.outcome, tuple(map(_of_service, answer.misses)), answer.unknown)


def _of_service(missed: Miss) -> Miss:
    if missed.condition not in _LABELS:
        return missed
    return Miss(Condition.SERVICE, f"a selector with {missed.wanted}", missed.found)


class PodsOrServicePorts(Struct, frozen=True):
    """Ports of the pods; where they are called by a Service's address, the Service's ports for these."""

    pods: TrafficMatcher
    ranged: bool
    """Peers of the rule are ranges, too, which mean a Service's ports."""

    @property
    def by_destination(self) -> bool:
        """See `TrafficMatcher.by_destination`."""
        return True

    def check(self, traffic: Traffic, destination: Facts, /) -> Check:
        """See `TrafficMatcher.check`."""
        if destination.service is None:
            return self.pods.check(traffic, destination)
        answer = _listening(self.pods, traffic, destination, destination.service)
        if self.ranged and self.pods.check(traffic, destination).outcome is not answer.outcome:
            return unknown("which of the rule's peers the Service's port goes with is not known")
        return answer

    def edges(self, protocol: str, destination: Facts, /) -> Iterable[int]:
        """See `TrafficMatcher.edges`; spans of ports are asked of pods alone."""
        return self.pods.edges(protocol, destination)


def _listening(pods: TrafficMatcher, traffic: Traffic, destination: Facts, service: Service) -> Check:
    """Hold a Service's port against those that a rule names for the pods behind it."""
    missed: list[tuple[Miss, ...]] = []
    for item in pods.items if isinstance(pods, OneOf) else (pods,):
        if not isinstance(item, NumberedPorts | NamedPort):
            return pods.check(traffic, destination)
        low = item.name if isinstance(item, NamedPort) else item.low
        if low is None or item.protocol != traffic.protocol:
            answer = item.check(traffic, destination)
            if answer.outcome is Outcome.MATCH:
                return answer
            missed.append(answer.misses)
            continue
        found = _listen(service, low, traffic.protocol, destination)
        high = item.high if isinstance(item, NumberedPorts) and item.high != item.low else found
        if (
            found is not None
            and traffic.port is not None
            and found <= traffic.port <= max(high or found, found)
        ):
            return MATCH
        what = (
            f"{found}/{traffic.protocol}"
            if found is not None
            else f"a Service's port to {low}/{traffic.protocol}"
        )
        missed.append((Miss(Condition.PORT, what, f"{traffic.port}/{traffic.protocol}"),))
    # As of the pods' own ports: the nearest is told, and a port of another protocol misses twice.
    return miss(*min(filter(None, missed), key=len, default=()))


def _listen(service: Service, port: int | str, protocol: str, destination: Facts) -> int | None:
    """The Service's port for a port of the pods: by its own word for that, else by what the pods call it."""
    own = [each for each in service.ports if each.protocol == protocol]
    for each in own:
        if each.target == port:
            return each.port
    for declared in destination.ports or ():
        if declared.protocol == protocol and port in (declared.port, declared.name):
            for each in own:
                if each.target in (declared.port, declared.name):
                    return each.port
    return None


def before_translation(rule: Rule, direction: Direction, context: CompileContext) -> Rule:
    """Give a rule that means Services, too, where the enforcer sees their addresses."""
    if not context.traits.sees_services or direction is not Direction.EGRESS:
        return rule
    # What another compilation left is as it should be; what conditions ask of an address is that of the Service.
    peers = tuple(
        Peer(each.path, (PodsOrService(each.matchers),)) if _selects(each) else each
        for each in rule.peers or ()
    )
    selected = [isinstance(each.matchers[0], PodsOrService) for each in peers if each.matchers]
    if not any(selected):
        return rule
    return replace(
        rule,
        peers=peers,
        traffic=tuple(
            each if isinstance(each, PodsOrServicePorts) else PodsOrServicePorts(each, not all(selected))
            for each in rule.traffic
        ),
    )


def _selects(peer: Peer) -> bool:
    return not any(isinstance(each, AddressRange | DomainNames | PodsOrService) for each in peer.matchers)
