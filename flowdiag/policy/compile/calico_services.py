"""Rules that name a Service: one rule for each of the Service's slices."""

from __future__ import annotations

from typing import Any

from flowdiag.model.event import Direction
from flowdiag.model.objects import EndpointSlice
from flowdiag.model.policy import Condition
from flowdiag.policy.addresses import parse_network
from flowdiag.policy.compile.context import CompileContext, PolicyError
from flowdiag.policy.matchers import AddressRange, NamespaceNamed, Nothing, PodSelected, Undecidable
from flowdiag.policy.model import Matcher, Peer, Rule, TrafficMatcher
from flowdiag.policy.selectors import LabelSelector, Requirement
from flowdiag.policy.traffic import NamedPort, NumberedPorts, OneOf

__all__ = ["ServiceRules"]


class ServiceRules:
    """Turns a rule's ``services`` into addresses and ports.

    Args:
        direction: of the rule.
        context: Services and slices.
    """

    def __init__(self, direction: Direction, context: CompileContext) -> None:
        self.direction = direction
        self.context = context

    def rules(self, rule: Rule, source: dict[str, Any], destination: dict[str, Any]) -> list[Rule]:
        """The rule itself where it names no Service.

        Raises:
            PolicyError: a Service is not named in full.
        """
        rules = [rule]
        for entity, side in ((source, "source"), (destination, "destination")):
            if entity.get("services") is not None:
                rules = [one for each in rules for one in self._of_service(each, entity["services"], side)]
        return rules

    def _of_service(self, rule: Rule, raw: Any, side: str) -> list[Rule]:
        path = f"spec.{rule.path}.{side}.services"
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            raise PolicyError(f"{path} names no Service")
        name, namespace = raw["name"], raw.get("namespace")
        if not isinstance(namespace, str) or not namespace:
            return [
                _narrowed(
                    rule,
                    Undecidable(f"{path}: which namespace is meant is not known"),
                    (),
                    side,
                    self.direction,
                )
            ]
        slices = [
            each
            for each in self.context.snapshot.endpoint_slices
            if each.namespace == namespace and each.service == name
        ]
        with_ports = side == "destination"
        if slices:
            return [self._of_slice(rule, each, side, with_ports=with_ports) for each in slices]
        return self._of_selector(rule, namespace, name, side, with_ports=with_ports)

    def _of_slice(self, rule: Rule, each: EndpointSlice, side: str, *, with_ports: bool) -> Rule:
        nets = tuple(parse_network(address) for address in each.addresses)
        if not nets:
            return _narrowed(
                rule, Nothing(Condition.SERVICE, f"{each.namespace}/{each.service}"), (), side, self.direction
            )
        inside = AddressRange.build(self.context.ranges, nets)
        ports = tuple(NumberedPorts(port.protocol, port.port, port.port) for port in each.ports)
        return _narrowed(rule, inside, (OneOf(ports),) if with_ports else (), side, self.direction)

    def _of_selector(
        self, rule: Rule, namespace: str, name: str, side: str, *, with_ports: bool
    ) -> list[Rule]:
        """Without slices in the state: the pods that the Service selects."""
        service = next(
            (
                each
                for each in self.context.snapshot.services
                if each.namespace == namespace and each.name == name
            ),
            None,
        )
        text = f"{namespace}/{name}"
        if service is None and ("", "Service") in self.context.snapshot.kinds_seen:
            return [_narrowed(rule, Nothing(Condition.SERVICE, text), (), side, self.direction)]
        if service is None or service.selector is None:
            why = f"which addresses stand behind Service {text} is not known"
            return [_narrowed(rule, Undecidable(why), (), side, self.direction)]
        requirements = tuple(
            Requirement(key, "In", (value,)) for key, value in sorted(service.selector.items())
        )
        ports: tuple[TrafficMatcher, ...] = tuple(
            NamedPort(port.target, port.protocol)
            if isinstance(port.target, str)
            else NumberedPorts(port.protocol, port.target, port.target)
            for port in service.ports
        )
        narrowed = _narrowed(
            rule, NamespaceNamed(namespace), (OneOf(ports),) if with_ports else (), side, self.direction
        )
        return [_narrowed(narrowed, PodSelected(LabelSelector(requirements)), (), side, self.direction)]


def _narrowed(
    rule: Rule, matcher: Matcher, traffic: tuple[TrafficMatcher, ...], side: str, direction: Direction
) -> Rule:
    """The rule with one more condition on an end, and on the traffic."""
    peers, subject = rule.peers, rule.subject
    if (side == "source") is (direction is Direction.INGRESS):
        own = peers[0].matchers if peers else ()
        peers = (Peer("", (*own, matcher)),)
    else:
        subject = (*subject, matcher)
    return Rule(
        path=rule.path,
        action=rule.action,
        peers=peers,
        subject=subject,
        traffic=(*rule.traffic, *traffic),
        note=rule.note,
    )
