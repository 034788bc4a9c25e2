"""Host endpoints: failsafe ports before every policy, and what ends traffic that no policy decided.

Source: projectcalico/calico ``felix/rules/static.go`` and ``felix/config/config_params.go``, v3.31.  Only a
node with a HostEndpoint is policed.  Traffic of a host endpoint that no policy decides is dropped, unless it
has the profile ``projectcalico-default-allow`` (automatic host endpoints have).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import CALICO_GROUPS, Condition, Miss, PolicyRef
from flowdiag.policy.addresses import parse_network
from flowdiag.policy.calico_labels import HOST_MARK, CalicoLabels, labels_of, spec_of
from flowdiag.policy.compile.calico_scopes import host_selection
from flowdiag.policy.compile.context import CompileContext, PolicyError
from flowdiag.policy.dataplane import OnTheWay
from flowdiag.policy.facts import Facts
from flowdiag.policy.matchers import AddressRange
from flowdiag.policy.model import (
    MATCH,
    Action,
    Check,
    Matcher,
    Order,
    Outcome,
    Peer,
    Policy,
    Rule,
    Tier,
    miss,
    unknown,
)
from flowdiag.policy.traffic import NumberedPorts, OneOf

__all__ = ["host_tiers", "may_select_hosts", "selects_host", "to_own_host"]

_DEFAULT_ALLOW = "projectcalico-default-allow"
_FELIX = PolicyRef("FelixConfiguration", "projectcalico.org", None, "default")
_FAILSAFE = {
    Direction.INGRESS: (
        ("TCP", 22),
        ("UDP", 68),
        ("TCP", 179),
        ("TCP", 2379),
        ("TCP", 2380),
        ("TCP", 5473),
        ("TCP", 6443),
        ("TCP", 6666),
        ("TCP", 6667),
    ),
    Direction.EGRESS: (
        ("UDP", 53),
        ("UDP", 67),
        ("TCP", 179),
        ("TCP", 2379),
        ("TCP", 2380),
        ("TCP", 5473),
        ("TCP", 6443),
        ("TCP", 6666),
        ("TCP", 6667),
    ),
}
_FIELDS = {
    Direction.INGRESS: "failsafeInboundHostPorts",
    Direction.EGRESS: "failsafeOutboundHostPorts",
}


class HasHostEndpoint(Struct, frozen=True):
    """The node has a host endpoint; with `names`, one of these."""

    names: frozenset[str] | None = None

    @property
    def keys(self) -> frozenset[str]:
        """See `Matcher.keys`."""
        return frozenset({f"extra/{HOST_MARK}"})

    def check(self, facts: Facts, /) -> Check:
        """See `Matcher.check`."""
        names = facts.extra.get(HOST_MARK)
        if names is None:
            return miss(Miss(Condition.NODE, "a host endpoint", None))
        if self.names is None:
            return MATCH
        if self.names.isdisjoint(names.split("\0")):
            shown = names.replace("\0", ",")
            return miss(Miss(Condition.NODE, "a host endpoint without a profile", shown))
        return unknown(facts.why_unknown) if facts.why_unknown else MATCH


def host_tiers(
    snapshot: Snapshot, labels: CalicoLabels, context: CompileContext
) -> tuple[tuple[Tier, ...], Tier, Tier]:
    """Build the tier of failsafe ports, that of forwarded traffic, and the one that ends what is left."""
    failsafe = Policy(
        ref=_FELIX,
        applies_to=(HasHostEndpoint(),),
        directions=frozenset(Direction),
        isolates=frozenset(),
        rules={direction: _failsafe(snapshot, direction, context) for direction in Direction},
        subjects=frozenset({"node"}),
    )
    closed = frozenset(
        each.name
        for each in labels.host_endpoints
        if _DEFAULT_ALLOW not in (spec_of(each).get("profiles") or ())
    )
    ending = Policy(
        ref=PolicyRef("HostEndpoint", "projectcalico.org", None, "no profile"),
        remainder=True,
        applies_to=(HasHostEndpoint(closed),),
        directions=frozenset(Direction),
        isolates=frozenset(Direction),
        rules={},
        subjects=frozenset({"node"}),
    )
    first = Tier(name="failsafe", order=Order.ORDERED, policies=(failsafe,), closes=False)
    last = Tier(name="host endpoint profile", order=Order.ORDERED, policies=(ending,))
    return (first,), _node_ports(snapshot), last


def to_own_host(snapshot: Snapshot) -> OnTheWay | None:
    """Say where Felix drops what a pod sends to the node that it runs on, behind the pod's policies.

    Felix' own default is Drop, but Calico's installers set another in Felix' environment, which no object shows.  So only
    a FelixConfiguration counts here: the node's own (``node.NAME``) before the one for all (``default``).

    Returns:
        A function of the direction and both ends, or ``None`` where it says so of no node.
    """
    actions = {
        each.name: str(spec_of(each)["defaultEndpointToHostAction"]).lower()
        for each in snapshot.others
        if each.kind == "FelixConfiguration" and spec_of(each).get("defaultEndpointToHostAction")
    }
    if "drop" not in actions.values():
        return None

    def why(direction: Direction, subject: Facts, peer: Facts) -> str | None:
        if direction is not Direction.EGRESS or subject.kind != "pod" or peer.kind != "node":
            return None
        if subject.node is None or subject.node != peer.node:
            return None
        if actions.get(f"node.{subject.node}", actions.get("default")) != "drop":
            return None
        return (
            f"defaultEndpointToHostAction is Drop on node {subject.node}: behind the pod's policies Felix drops "
            "what it sends to its own node, but for DHCP and the like"
        )

    return why


def may_select_hosts(policy: PolicyObject, snapshot: Snapshot) -> bool:
    """Whether a policy selects one of the host endpoints; where these were not read, whether it could."""
    if policy.ref.kind != "GlobalNetworkPolicy" or policy.ref.group not in CALICO_GROUPS:
        return False
    hosts = [each for each in snapshot.others if each.kind == "HostEndpoint"]
    if hosts or any(kind == "HostEndpoint" for _, kind in snapshot.kinds_seen):
        return any(selects_host(policy.spec, labels_of(each)) for each in hosts)
    try:
        return host_selection(policy.spec)[0].check(None, None).outcome is Outcome.MATCH
    except PolicyError:
        return True


def selects_host(spec: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a policy's spec selects a host endpoint with these labels."""
    try:
        scope, parts = host_selection(spec)
    except PolicyError:
        return True  # the policy comes out as broken elsewhere; nothing is ruled out here
    return scope.check(None, None).outcome is Outcome.MATCH and all(
        part.selector.matches(labels) for part in parts
    )


def _node_ports(snapshot: Snapshot) -> Tier:
    """Traffic to Services' node ports, which is forwarded and allowed unless a policy applies on forward.

    Policies before address translation have been asked by then; policies of the host itself are not.
    Where one of the others has ``applyOnForward``, nothing is added: it may close what is forwarded.
    """
    ports = sorted(
        {
            (port.protocol, port.node_port)
            for service in snapshot.services
            for port in service.ports
            if port.node_port is not None
        }
    )
    on_forward = any(
        policy.spec.get("applyOnForward")
        and not (policy.spec.get("preDNAT") or policy.spec.get("doNotTrack"))
        for policy in snapshot.policies
        if policy.ref.kind == "GlobalNetworkPolicy"
    )
    rules: tuple[Rule, ...] = ()
    if ports and not on_forward:
        traffic = OneOf(tuple(NumberedPorts(protocol, port, port) for protocol, port in ports))
        rules = (Rule(path="nodePorts", action=Action.ALLOW, traffic=(traffic,)),)
    forwarded = Policy(
        ref=PolicyRef("HostEndpoint", "projectcalico.org", None, "forwarded traffic"),
        applies_to=(HasHostEndpoint(),),
        directions=frozenset({Direction.INGRESS}),
        isolates=frozenset(),
        rules={Direction.INGRESS: rules},
        subjects=frozenset({"node"}),
        implicit=True,
    )
    return Tier(name="forwarded", order=Order.ORDERED, policies=(forwarded,), closes=False)


def _failsafe(snapshot: Snapshot, direction: Direction, context: CompileContext) -> tuple[Rule, ...]:
    configured: Any = None
    for each in snapshot.others:
        if each.kind == "FelixConfiguration" and each.name == "default":
            configured = spec_of(each).get(_FIELDS[direction])
    if not isinstance(configured, list):
        ports = tuple(NumberedPorts(protocol, port, port) for protocol, port in _FAILSAFE[direction])
        return (Rule(path=_FIELDS[direction], action=Action.ALLOW, traffic=(OneOf(ports),)),)
    rules = []
    for index, each in enumerate(configured):
        if not isinstance(each, dict) or not isinstance(each.get("port"), int):
            continue
        matcher = NumberedPorts(str(each.get("protocol") or "TCP").upper(), each["port"], each["port"])
        matchers: tuple[Matcher, ...] = ()
        if each.get("net"):
            try:
                net = parse_network(str(each["net"]))
            except ValueError:
                continue
            matchers = (AddressRange.build(context.ranges, (net,)),)
        rules.append(
            Rule(
                path=f"{_FIELDS[direction]}[{index}]",
                action=Action.ALLOW,
                peers=(Peer("", matchers),) if matchers else None,
                traffic=(matcher,),
            )
        )
    return tuple(rules)
