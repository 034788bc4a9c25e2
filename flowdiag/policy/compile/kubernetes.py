"""NetworkPolicy (networking.k8s.io/v1, extensions/v1beta1) into the rule model.

Source: Kubernetes API reference, NetworkPolicy v1, and its end-to-end suite.  What trips people:
``policyTypes`` missing means Ingress, and Egress only where there are egress rules; a missing, null or
empty ``from`` admits everybody, outside too; a port without a protocol is TCP; a named port is looked up
in the destination pod.

AWS's ApplicationNetworkPolicy (aws/amazon-network-policy-controller-k8s ``api/v1alpha1``) is the same with domain names
among the peers of egress, and adds to NetworkPolicies as these do to one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdiag.model.digits import is_digits, whole
from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import CILIUM_DIALECTS, PEER_WORDS, Dialect
from flowdiag.policy.compile.aws_services import before_translation
from flowdiag.policy.compile.calico_host_ports import host_ports
from flowdiag.policy.compile.context import (
    CompileContext,
    PolicyError,
    check_fields,
    entries,
    network,
    port_number,
    unknown_field,
    validity_of,
    with_former,
)
from flowdiag.policy.compile.host_peers import nodes_unknown, of_namespaces, of_pods
from flowdiag.policy.matchers import (
    AddressRange,
    DomainNames,
    NamespaceNamed,
    NamespaceSelected,
    PodSelected,
    Undecidable,
)
from flowdiag.policy.model import Action, Matcher, Outcome, Peer, Policy, Rule, TrafficMatcher
from flowdiag.policy.selectors import SelectorError, read_selector
from flowdiag.policy.traffic import NamedPort, NumberedPorts, OneOf, UndecidableTraffic

__all__ = ["AWS_APPLICATION", "KIND", "compile_network_policy", "of_other_network"]

KIND = "NetworkPolicy"
AWS_APPLICATION = ("networking.k8s.aws", "ApplicationNetworkPolicy")

_FIELDS = ("podSelector", "policyTypes", "ingress", "egress")
_DIRECTIONS = {"Ingress": Direction.INGRESS, "Egress": Direction.EGRESS}
_OF_PEER = frozenset({"podSelector", "namespaceSelector", "ipBlock"})
_NAMES = "domainNames"
_NETWORKS = (
    ("networking.gke.io/network", "default", (*CILIUM_DIALECTS, Dialect.KUBERNETES)),
    ("ovn.kubernetes.io/network_policy_for", "ovn", (Dialect.OVN, Dialect.KUBERNETES)),
)
"""(annotation, word for pods' own network, dialects of those who know it)."""


def of_other_network(policy: PolicyObject, dialect: Dialect) -> str | None:
    """Why a NetworkPolicy says nothing of pods' own network; ``None`` where it does.

    GKE Dataplane V2 enforces one with its annotation on the interfaces of that network alone ("multi-network network
    policies"), Kube-OVN on those that its annotation lists, among which ``ovn`` is the pods' own.  To others both mean
    nothing.
    """
    if (policy.ref.group, policy.ref.kind) != ("networking.k8s.io", KIND):
        return None
    for key, own, enforcers in _NETWORKS:
        named = policy.annotations.get(key)
        if named and dialect in enforcers and own not in (each.strip() for each in named.split(",")):
            return f"for the pod network {named} (annotation {key}); not evaluated"
    return None


def compile_network_policy(policy: PolicyObject, context: CompileContext) -> Policy:
    """Compile one NetworkPolicy; one that the API server would refuse comes out `Policy.broken`.

    A selector that nobody can read leaves the rest of the policy as it is: whom it means is unknown, and what
    it may admit is still only what its other conditions admit.
    """
    namespace = policy.ref.namespace or "default"
    spec = policy.spec
    applies_to: tuple[Matcher, ...] = ()
    directions = frozenset(Direction)
    rules: dict[Direction, tuple[Rule, ...]] = {}
    broken = ""
    try:
        applies_to = _selected(spec.get("podSelector"), "spec.podSelector")
        check_fields(spec, _FIELDS)
        directions = _directions(spec, types_ignored=context.traits.types_ignored)
        rules = {
            direction: _rules(policy, direction, namespace, context)
            for direction in Direction
            if direction in directions
        }
    except PolicyError as error:
        broken = str(error)
    return Policy(
        ref=policy.ref,
        namespace=namespace,
        applies_to=applies_to,
        directions=directions,
        isolates=directions,
        rules=rules,
        validity=validity_of(policy),
        broken=broken,
    )


def _selected(raw: Any, path: str) -> tuple[Matcher, ...]:
    """Read a selector of pods; every pod needs no condition."""
    try:
        selector = read_selector(raw)
    except SelectorError as error:
        return (Undecidable(f"{path}: {error}"),)
    return (PodSelected(selector),) if selector.requirements else ()


def _directions(spec: dict[str, Any], *, types_ignored: bool) -> frozenset[Direction]:
    types = entries(spec.get("policyTypes"), "spec.policyTypes")
    strange = [each for each in types if not isinstance(each, str) or each not in _DIRECTIONS]
    if strange:
        raise PolicyError(f"spec.policyTypes: {strange[0]!r} is neither Ingress nor Egress")
    found = {_DIRECTIONS[each] for each in types}
    if not types:
        found = {Direction.INGRESS}
        if spec.get("egress"):
            found.add(Direction.EGRESS)
    if types_ignored:
        found |= {direction for direction in Direction if spec.get(direction.value)}
    return frozenset(found)


_Written = tuple[Any, Rule]
"""A rule as an object has it, and what was compiled of that."""


def _rules(
    policy: PolicyObject, direction: Direction, namespace: str, context: CompileContext
) -> tuple[Rule, ...]:
    """Compile the rules of a direction; an edit leaves most as they were, and these are the base's."""
    raws = entries(policy.spec.get(direction.value), f"spec.{direction}")
    names = direction is Direction.EGRESS and (policy.ref.group, policy.ref.kind) == AWS_APPLICATION
    was = context.before(policy.ref)
    kept: Iterable[_Written] = ()
    if was is not None and direction in was[1].rules:
        kept = zip(was[0].spec.get(direction.value) or (), was[1].rules[direction], strict=True)
    return tuple(
        old[1]
        if old is not None and old[0] is raw
        else _rule(raw, f"{direction}[{index}]", direction, namespace, context, old, names=names)
        for index, (raw, old) in enumerate(with_former(raws, kept))
    )


def _rule(
    raw: Any,
    path: str,
    direction: Direction,
    namespace: str,
    context: CompileContext,
    old: _Written | None,
    *,
    names: bool,
) -> Rule:
    """Compile a rule; `names` says that its peers may be domain names."""
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        raise PolicyError(f"spec.{path} is not an object")
    word = PEER_WORDS[direction]
    strange = unknown_field(raw, (word, "ports"), f"spec.{path}")
    peers = entries(raw.get(word), f"spec.{path}.{word}")
    ports = entries(raw.get("ports"), f"spec.{path}.ports")
    traffic: list[TrafficMatcher] = []
    if ports:
        traffic.append(
            OneOf(
                tuple(
                    each
                    for index, port in enumerate(ports)
                    for each in _port(port, f"spec.{path}.ports[{index}]", context)
                )
            )
        )
    if strange is not None:
        traffic.append(UndecidableTraffic(strange))
    kept = zip(old[0][word], old[1].peers, strict=True) if old is not None and old[1].peers else ()
    rule = Rule(
        path=path,
        action=Action.ALLOW,
        peers=tuple(
            known[1]
            if known is not None and known[0] is peer
            else Peer(
                f".{word}[{index}]",
                (_domains(peer, f"spec.{path}.{word}[{index}]"),)
                if names and isinstance(peer, dict) and peer.get(_NAMES) is not None
                else _peer(peer, f"spec.{path}.{word}[{index}]", namespace, direction, context),
            )
            for index, (peer, known) in enumerate(with_former(peers, kept))
        )
        or None,
        traffic=tuple(traffic),
    )
    return before_translation(rule, direction, context)


def _domains(raw: dict[str, Any], path: str) -> Matcher:
    beside_them = sorted(str(key) for key, value in raw.items() if value is not None and key != _NAMES)
    if beside_them:
        raise PolicyError(f"{path} has {_NAMES} beside {beside_them[0]}")
    names = entries(raw[_NAMES], f"{path}.{_NAMES}")
    if not names or not all(isinstance(each, str) for each in names):
        raise PolicyError(f"{path}.{_NAMES} is not a list of names")
    return DomainNames(tuple(names))


def _peer(
    raw: Any, path: str, namespace: str, direction: Direction, context: CompileContext
) -> tuple[Matcher, ...]:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    # A YAML null is an absent field, so `podSelector:` with nothing after it selects nothing by itself.
    given = {str(key): value for key, value in raw.items() if value is not None}
    strange = unknown_field(given, _OF_PEER, path)
    if strange is not None:
        return (Undecidable(strange),)
    if not given:
        raise PolicyError(f"{path} names no peer")
    if "ipBlock" in given:
        if len(given) > 1:
            raise PolicyError(f"{path} has ipBlock beside a selector")
        return (_ip_block(given["ipBlock"], f"{path}.ipBlock", context),)
    matchers: list[Matcher] = []
    if "namespaceSelector" in given:
        try:
            selector = read_selector(given["namespaceSelector"])
            matchers.append(
                NamespaceSelected(selector, nodes_unknown(context))
                if "podSelector" in given
                else of_namespaces(selector, direction, context)
            )
        except SelectorError as error:
            matchers.append(Undecidable(f"{path}.namespaceSelector: {error}"))
    else:
        matchers.append(NamespaceNamed(namespace))
    if "podSelector" not in given:
        return tuple(matchers)
    matchers.extend(_selected(given["podSelector"], f"{path}.podSelector"))
    return of_pods(tuple(matchers), context)


def _ip_block(raw: Any, path: str, context: CompileContext) -> Matcher:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    strange = unknown_field(raw, ("cidr", "except"), path)
    if strange is not None:
        return Undecidable(strange)
    cidr = network(raw.get("cidr"), f"{path}.cidr")
    exceptions = tuple(
        network(each, f"{path}.except[{index}]")
        for index, each in enumerate(entries(raw.get("except"), f"{path}.except"))
    )
    for each in exceptions:
        if each.version != cidr.version or each == cidr or not each.subnet_of(cidr):  # type: ignore[arg-type]
            raise PolicyError(f"{path}.except: {each} is not strictly inside {cidr}")
    return AddressRange.build(
        context.ranges,
        (cidr,),
        exceptions,
        pods=context.traits.range_pods,
        nodes=context.traits.range_nodes,
    )


def _port(raw: Any, path: str, context: CompileContext) -> tuple[TrafficMatcher, ...]:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    protocol = raw.get("protocol")
    protocol = "TCP" if protocol is None else protocol
    if protocol not in PORT_PROTOCOLS:
        raise PolicyError(f"{path}.protocol: {protocol!r} is not TCP, UDP or SCTP")
    port, end = raw.get("port"), raw.get("endPort")
    strange = unknown_field(raw, ("protocol", "port", "endPort"), path)
    if strange is not None:
        return (UndecidableTraffic(strange),)
    if isinstance(port, str) and not is_digits(port):
        if end is not None:
            raise PolicyError(f"{path}.endPort stands beside a named port")
        named = NamedPort(port, protocol, context.traits.every_namesake)
        return (named, *(host_ports(port, protocol, context) if context.dialect is Dialect.CALICO else ()))
    others_unknown = context.traits.other_protocols is Outcome.UNKNOWN
    if port is None:
        if end is not None:
            raise PolicyError(f"{path}.endPort stands without a port")
        return (NumberedPorts(protocol, others_unknown=others_unknown),)
    low = port_number(whole(port) if isinstance(port, str) else port, f"{path}.port")
    high = low if end is None else port_number(end, f"{path}.endPort")
    if high < low:
        raise PolicyError(f"{path}.endPort is below the port")
    return (NumberedPorts(protocol, low, high, others_unknown),)
