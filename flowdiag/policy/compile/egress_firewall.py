"""EgressFirewall (k8s.ovn.org/v1) of OVN-Kubernetes: what the pods of a namespace may reach outside the cluster.

Source: ovn-org/ovn-kubernetes ``go-controller/pkg/crd/egressfirewall/v1/types.go`` and its page on ACLs.  Rules are tried
in order and the first that matches decides; without one it is allowed.  Its ACLs are of a stage of their own behind those
of policies, so that both must let a connection pass (`Tier.apart`): an Allow here opens nothing that policies close, and
what they refuse never gets here.  Pods are never meant, nor is anything that pods on the host's network send; nodes are, as the API servers on them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.policy.compile.context import (
    CompileContext,
    PolicyError,
    check_fields,
    entries,
    network,
    port_number,
    unknown_field,
    validity_of,
)
from flowdiag.policy.compile.unsupported import NoPod
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import AddressRange, DomainNames, NodeSelected
from flowdiag.policy.model import Action, Check, Matcher, Outcome, Peer, Policy, Rule, TrafficMatcher, unknown
from flowdiag.policy.selectors import SelectorError, read_selector
from flowdiag.policy.traffic import NumberedPorts, OneOf, UndecidableTraffic

__all__ = ["FIREWALL", "compile_egress_firewall"]

FIREWALL = ("k8s.ovn.org", "EgressFirewall")

_ACTIONS = {"Allow": Action.ALLOW, "Deny": Action.DENY}
_DESTINATIONS = frozenset({"cidrSelector", "dnsName", "nodeSelector"})


class HostNamed(Struct, frozen=True):
    """The address is one that DNS gave for this name, a node's too: API servers are asked for by names."""

    names: DomainNames

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return self.names.keys

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        if facts.kind == "node":
            return unknown(f"whether the node's address belongs to {','.join(self.names.names)} is not known")
        return self.names.check(facts)


def compile_egress_firewall(policy: PolicyObject, context: CompileContext) -> Policy:
    """Compile one.

    An object that its CRD would refuse makes every call unknown, but for calls to pods: no firewall is about them.
    """
    try:
        rules = _rules(policy, context)
    except PolicyError as error:
        unknown_of_all = (UndecidableTraffic(f"{policy.ref.kind} cannot be evaluated: {error}"),)
        rules = (
            Rule(path="egress", action=Action.DENY, peers=(Peer("", (NoPod(),)),), traffic=unknown_of_all),
        )
    return Policy(
        ref=policy.ref,
        namespace=policy.ref.namespace or "default",
        applies_to=(),
        directions=frozenset({Direction.EGRESS}),
        isolates=frozenset(),
        rules={Direction.EGRESS: rules},
        validity=validity_of(policy),
    )


def _rules(policy: PolicyObject, context: CompileContext) -> tuple[Rule, ...]:
    check_fields(policy.spec, ("egress",))
    if policy.ref.name != "default":
        raise PolicyError("its name is not default")
    return tuple(
        _rule(raw, f"egress[{index}]", context)
        for index, raw in enumerate(entries(policy.spec.get("egress"), "spec.egress"))
    )


def _rule(raw: Any, path: str, context: CompileContext) -> Rule:
    if not isinstance(raw, dict):
        raise PolicyError(f"spec.{path} is not an object")
    strange = unknown_field(raw, ("type", "ports", "to"), f"spec.{path}")
    if strange is not None:
        raise PolicyError(strange)
    kind = raw.get("type")
    action = _ACTIONS.get(kind) if isinstance(kind, str) else None
    if action is None:
        raise PolicyError(f"spec.{path}.type {kind!r} is neither Allow nor Deny")
    ports = entries(raw.get("ports"), f"spec.{path}.ports")
    traffic: tuple[TrafficMatcher, ...] = ()
    if ports:
        traffic = (
            OneOf(tuple(_port(each, f"spec.{path}.ports[{index}]") for index, each in enumerate(ports))),
        )
    return Rule(
        path=path,
        action=action,
        peers=(Peer(".to", (_destination(raw.get("to"), f"spec.{path}.to", context),)),),
        traffic=traffic,
    )


def _destination(raw: Any, path: str, context: CompileContext) -> Matcher:
    given = (
        {str(key): value for key, value in raw.items() if value is not None} if isinstance(raw, dict) else {}
    )
    strange = unknown_field(given, _DESTINATIONS, path)
    if strange is not None:
        raise PolicyError(strange)
    if len(given) != 1:
        raise PolicyError(f"{path} is not exactly one of cidrSelector, dnsName and nodeSelector")
    ((key, value),) = given.items()
    if key == "cidrSelector":
        inside = network(value, f"{path}.{key}")
        return AddressRange.build(context.ranges, (inside,), pods=Outcome.MISS)
    if key == "dnsName":
        if not isinstance(value, str):
            raise PolicyError(f"{path}.{key} is not text")
        # "*.example.com" is www.example.com and not a.www.example.com (documentation of dnsName).
        return HostNamed(DomainNames((value,), one_label=True))
    try:
        return NodeSelected(read_selector(value))
    except SelectorError as error:
        raise PolicyError(f"{path}.{key}: {error}") from None


def _port(raw: Any, path: str) -> TrafficMatcher:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    strange = unknown_field(raw, ("protocol", "port"), path)
    if strange is not None:
        raise PolicyError(strange)
    protocol = raw.get("protocol")
    if protocol not in PORT_PROTOCOLS:
        raise PolicyError(f"{path}.protocol: {protocol!r} is not TCP, UDP or SCTP")
    # In the API's type, a port that is left out is zero.
    if not raw.get("port"):
        return NumberedPorts(protocol)
    number = port_number(raw["port"], f"{path}.port")
    return NumberedPorts(protocol, number, number)
