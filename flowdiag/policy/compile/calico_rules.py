"""Rules of Calico policies and profiles into the rule model.

Source: projectcalico/calico ``libcalico-go/lib/backend/syncersv1/updateprocessors/rules.go`` and
``felix/rules``, v3.31.  A rule names both ends; the policed end is the destination of an ingress rule and
the source of an egress rule.  ``nets`` go by address, pods' addresses too; selectors go by known endpoints.
"""

from __future__ import annotations

from types import NoneType
from typing import Any

from flowdiag.model.event import Direction
from flowdiag.model.objects import RawObject
from flowdiag.model.policy import Condition
from flowdiag.policy.addresses import Network
from flowdiag.policy.calico_labels import NAMESPACE_LABEL, labels_of, spec_of
from flowdiag.policy.calico_matchers import IpVersion, KnownEndpoint, Negated, Part, Scope, namespace_mapping
from flowdiag.policy.calico_traffic import IcmpKind, NotTraffic, ProtocolIs, protocol_name
from flowdiag.policy.compile.calico_host_ports import host_ports, networks_of
from flowdiag.policy.compile.calico_scopes import account_part, read_calico_selector
from flowdiag.policy.compile.calico_services import ServiceRules
from flowdiag.policy.compile.context import CompileContext, PolicyError, entries, network, port_number
from flowdiag.policy.facts import ADDRESS, SUBJECT_ADDRESS
from flowdiag.policy.matchers import AddressRange, Undecidable
from flowdiag.policy.model import Action, Matcher, Outcome, Peer, Rule, TrafficMatcher
from flowdiag.policy.traffic import NamedPort, NumberedPorts, OneOf, UndecidableTraffic

__all__ = ["compile_rules"]

_ACTIONS = {
    "allow": Action.ALLOW,
    "deny": Action.DENY,
    "pass": Action.PASS,
    "next-tier": Action.PASS,
    "log": Action.LOG,
}
_RULE_FIELDS = frozenset(
    {
        "action",
        "protocol",
        "notProtocol",
        "icmp",
        "notICMP",
        "ipVersion",
        "source",
        "destination",
        "http",
        "metadata",
    }
)
_ENTITY_FIELDS = frozenset(
    {
        "nets",
        "notNets",
        "selector",
        "notSelector",
        "namespaceSelector",
        "serviceAccounts",
        "ports",
        "notPorts",
        "services",
        "domains",
    }
)


_BY_ADDRESS = {"NetworkSet": "nets", "GlobalNetworkSet": "nets", "HostEndpoint": "expectedIPs"}
"""What selectors in rules mean beside pods, and where its addresses stand: without ``expectedIPs`` no selector means a
host endpoint (documentation of HostEndpoint, v3.31)."""


def compile_rules(
    raw: Any, direction: Direction, namespace: str | None, context: CompileContext
) -> tuple[Rule, ...]:
    """Compile one direction's rules.

    Args:
        raw: the list.
        direction: of the list.
        namespace: the policy's, ``None`` for global policies and profiles.
        context: what else is looked at.

    Raises:
        PolicyError: what Calico's validation would refuse.
    """
    rules: list[Rule] = []
    for index, each in enumerate(entries(raw, f"spec.{direction}")):
        if not isinstance(each, dict):
            raise PolicyError(f"spec.{direction}[{index}] is not an object")
        rules.extend(_Reader(each, f"{direction}[{index}]", direction, namespace, context).read())
    return tuple(rules)


class _Reader:
    """One rule on its way into the model."""

    def __init__(
        self,
        raw: dict[str, Any],
        path: str,
        direction: Direction,
        namespace: str | None,
        context: CompileContext,
    ) -> None:
        self.raw = raw
        self.path = path
        self.direction = direction
        self.namespace = namespace
        self.context = context

    def read(self) -> list[Rule]:
        raw = self.raw
        action = _ACTIONS.get(str(raw.get("action")).lower())
        if action is None:
            raise PolicyError(f"spec.{self.path}.action {raw.get('action')!r} is not known")
        protocol, refused = self._protocol("protocol"), self._protocol("notProtocol")
        traffic: list[TrafficMatcher] = [
            UndecidableTraffic(f"the field spec.{self.path}.{key} is not supported")
            for key in sorted(str(key) for key in raw if key not in _RULE_FIELDS)
        ]
        source, destination = self._entity("source"), self._entity("destination")
        # Ports are of the protocol, and miss it themselves.
        if protocol is not None and not destination.get("ports"):
            traffic.append(ProtocolIs(protocol))
        if refused is not None:
            traffic.append(NotTraffic(ProtocolIs(refused), Condition.PROTOCOL, f"not {refused}"))
        traffic.extend(self._icmp(key) for key in ("icmp", "notICMP") if raw.get(key) is not None)
        if raw.get("http") is not None:
            traffic.append(UndecidableTraffic(f"spec.{self.path}.http is decided by the application layer"))
        traffic.extend(self._ports(destination, "destination", protocol))
        traffic.extend(
            UndecidableTraffic(f"spec.{self.path}.source.{key}: source ports are not known")
            for key in ("ports", "notPorts")
            if source.get(key)
        )
        ingress = self.direction is Direction.INGRESS
        of_subject = self._matchers(
            destination if ingress else source, "destination" if ingress else "source", subject=True
        )
        of_peer = self._matchers(
            source if ingress else destination, "source" if ingress else "destination", subject=False
        )
        if raw.get("ipVersion") is not None:
            if raw["ipVersion"] not in (4, 6):
                raise PolicyError(f"spec.{self.path}.ipVersion is neither 4 nor 6")
            of_peer.append(IpVersion(raw["ipVersion"]))
        rule = Rule(
            path=self.path,
            action=action,
            peers=(Peer("", tuple(of_peer)),) if of_peer else None,
            subject=tuple(of_subject),
            traffic=tuple(traffic),
        )
        return ServiceRules(self.direction, self.context).rules(rule, source, destination)

    def _protocol(self, key: str) -> str | None:
        raw = self.raw.get(key)
        if raw is not None and type(raw) not in (str, int):
            raise PolicyError(f"spec.{self.path}.{key} is neither a name nor a number")
        return protocol_name(raw)

    def _entity(self, side: str) -> dict[str, Any]:
        raw = self.raw.get(side)
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            raise PolicyError(f"spec.{self.path}.{side} is not an object")
        return {str(key): value for key, value in raw.items()}

    def _icmp(self, key: str) -> TrafficMatcher:
        raw = self.raw[key]
        if not isinstance(raw, dict):
            raise PolicyError(f"spec.{self.path}.{key} is not an object")
        strange = [part for part in ("type", "code") if type(raw.get(part)) not in (int, NoneType)]
        if strange:
            raise PolicyError(f"spec.{self.path}.{key}.{strange[0]} is not a number")
        kind = IcmpKind(raw.get("type"), raw.get("code"))
        if key == "icmp":
            return kind
        return NotTraffic(kind, Condition.ICMP, f"not {kind.text}")

    def _ports(self, entity: dict[str, Any], side: str, protocol: str | None) -> list[TrafficMatcher]:
        found: list[TrafficMatcher] = []
        for key in ("ports", "notPorts"):
            items = entries(entity.get(key), f"spec.{self.path}.{side}.{key}")
            if not items:
                continue
            if protocol is None or protocol in ("ICMP", "ICMPv6"):
                raise PolicyError(f"spec.{self.path}.{side}.{key} needs a protocol with ports")
            ports = OneOf(
                tuple(
                    port
                    for index, each in enumerate(items)
                    for port in _port(each, protocol, f"spec.{self.path}.{side}.{key}[{index}]", self.context)
                )
            )
            if key == "ports":
                found.append(ports)
            else:
                found.append(NotTraffic(ports, Condition.PORT, f"not {', '.join(map(str, items[:8]))}"))
        return found

    def _matchers(self, entity: dict[str, Any], side: str, *, subject: bool) -> list[Matcher]:
        path = f"spec.{self.path}.{side}"
        traits = self.context.traits
        found: list[Matcher] = [
            Undecidable(f"the field {path}.{key} is not supported")
            for key in sorted(entity)
            if key not in _ENTITY_FIELDS
        ]
        if entity.get("domains"):
            found.append(Undecidable(f"{path}.domains: which names the address has is not known"))
        where = SUBJECT_ADDRESS if subject else ADDRESS
        for key in ("nets", "notNets"):
            nets = tuple(
                network(each, f"{path}.{key}[{index}]")
                for index, each in enumerate(entries(entity.get(key), f"{path}.{key}"))
            )
            if nets:
                inside = AddressRange.build(
                    self.context.ranges, nets, pods=traits.range_pods, nodes=traits.range_nodes, found=where
                )
                found.append(
                    inside if key == "nets" else Negated(inside, Condition.IP, f"not {inside.text}", where)
                )
        found.extend(self._selected(entity, path))
        return found

    def _selected(self, entity: dict[str, Any], path: str) -> list[Matcher]:
        """What is asked by selector; the scope is added as ``rules.go`` adds it."""
        selector, refused = entity.get("selector"), entity.get("notSelector")
        spaces, accounts = entity.get("namespaceSelector"), entity.get("serviceAccounts")
        found: list[Matcher] = []
        if selector or spaces or accounts or (refused and self.namespace is not None):
            scope = Scope()
            if spaces:
                scope = Scope.of(read_calico_selector(spaces, f"{path}.namespaceSelector"))
            elif self.namespace is not None:
                scope = Scope(namespace=self.namespace)
            parts = [
                Part(read_calico_selector(selector, f"{path}.selector"), self._accounts_known),
                *account_part(accounts, f"{path}.serviceAccounts", self.context),
            ]
            found.append(self._known(scope, tuple(parts)))
        if refused:
            part = Part(read_calico_selector(refused, f"{path}.notSelector"), self._accounts_known)
            found.append(
                Negated(
                    self._known(Scope(), (part,)),
                    Condition.POD,
                    f"not {part.selector.text}",
                    part.selector.text,
                )
            )
        return found

    @property
    def _accounts_known(self) -> bool:
        return self.context.calico is not None and self.context.calico.accounts_known

    def _known(self, scope: Scope, parts: tuple[Part, ...]) -> KnownEndpoint:
        """Known endpoints, with the ranges of the network sets and the addresses of the host endpoints that fit."""
        nets: list[Network] = []
        domains: list[str] = []
        for each in self.context.snapshot.others:
            if each.kind not in _BY_ADDRESS or not self._set_fits(each, scope, parts):
                continue
            spec = spec_of(each)
            nets.extend(networks_of(spec.get(_BY_ADDRESS[each.kind])))
            domains.extend(str(name) for name in spec.get("allowedEgressDomains") or ())
        return KnownEndpoint(
            scope,
            parts,
            self.context.ranges.bits(nets),
            tuple(sorted(set(domains))),
            self.context.traits.range_pods,
            self.context.traits.range_nodes,
        )

    def _set_fits(self, each: RawObject, scope: Scope, parts: tuple[Part, ...]) -> bool:
        labels = labels_of(each)
        space = each.namespace if each.kind == "NetworkSet" else None
        space_labels: dict[str, str] = {}
        if space is not None:
            namespace = self.context.snapshot.namespaces.get(space)
            space_labels = namespace_mapping(space, namespace.labels if namespace is not None else {})
            inherited = {f"pcns.{key}": value for key, value in space_labels.items()}
            labels = inherited | {NAMESPACE_LABEL: space} | labels
        return scope.check(space, space_labels).outcome is Outcome.MATCH and all(
            part.selector.matches(labels) for part in parts
        )


def _port(
    raw: Any, protocol: str, path: str, context: CompileContext
) -> tuple[TrafficMatcher, *tuple[TrafficMatcher, ...]]:
    """A port: a number, ``"1000:2000"`` or a name, which pods and host endpoints give."""
    if isinstance(raw, int):
        number = port_number(raw, path) if raw else 0
        return (NumberedPorts(protocol, number, number),)
    text = str(raw)
    low, colon, high = text.partition(":")
    if low.isascii() and low.isdigit() and (not colon or (high.isascii() and high.isdigit())):
        first, last = int(low), int(high or low)
        if not 0 <= first <= last <= 65535:
            raise PolicyError(f"{path}: {text!r} is not a range of ports")
        return (NumberedPorts(protocol, first, last),)
    return (NamedPort(text, protocol), *host_ports(text, protocol, context))
