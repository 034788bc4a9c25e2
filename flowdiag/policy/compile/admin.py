"""AdminNetworkPolicy, BaselineAdminNetworkPolicy (v1alpha1) and ClusterNetworkPolicy (v1alpha2; and AWS's own).

Source: network-policy-api v0.1.7 (v1alpha1) and its v1alpha2 types; aws/amazon-network-policy-controller-k8s
``api/v1alpha1/clusternetworkpolicy_types.go``, which has the tiers and actions of v1alpha2, the ports of v1alpha1, no
nodes, and domain names in rules that pass, too.  Admin policies are tried by ascending
priority before NetworkPolicy, baseline ones after it and only for pods that no NetworkPolicy selects.
Selecting isolates nothing: only rules decide.  Host network pods are never meant, by OVN-Kubernetes either, which lets
NetworkPolicies mean some; AWS's kind means them among the peers.  ``Pass`` leaves the tier.  ``Allow`` is v1alpha1's word and
``Accept`` v1alpha2's; each is refused by the other.  Two policies of one priority have no order.

Calico's conversions (``libcalico-go/lib/backend/k8s/conversion/{adminnetworkpolicy,clusternetworkpolicy}.go``, v3.29 to
v3.32) know no ports by name in a ClusterNetworkPolicy, and take those of the older kinds for TCP, as AWS does.
"""

from __future__ import annotations

from typing import Any

from flowdiag.model.event import PORT_PROTOCOLS, Direction
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import PEER_WORDS, Condition, Dialect
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
from flowdiag.policy.compile.host_peers import of_pods
from flowdiag.policy.matchers import (
    AddressRange,
    DomainNames,
    NamespaceSelected,
    NodeSelected,
    Nothing,
    PodSelected,
    Undecidable,
)
from flowdiag.policy.model import Action, Matcher, Peer, Policy, Rule, TrafficMatcher
from flowdiag.policy.selectors import LabelSelector, SelectorError, read_selector
from flowdiag.policy.traffic import NamedPort, NumberedPorts, OneOf, UndecidableTraffic

__all__ = ["ADMIN_KINDS", "AWS_ADMIN", "GROUP", "compile_admin", "is_baseline"]

GROUP = "policy.networking.k8s.io"
AWS_ADMIN = ("networking.k8s.aws", "ClusterNetworkPolicy")
ADMIN_KINDS = frozenset({"AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"})

_OF_AWS = "ClusterNetworkPolicy of AWS"
_ACTIONS = {
    "AdminNetworkPolicy": {"Allow": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS},
    "BaselineAdminNetworkPolicy": {"Allow": Action.ALLOW, "Deny": Action.DENY},
    "ClusterNetworkPolicy": {"Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS},
    _OF_AWS: {"Accept": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS},
}
# Peers of v0.1.1 that v0.1.7 no longer has.
_GONE = ("sameLabels", "notSameLabels")
_FIELDS = frozenset({"tier", "priority", "subject", "ingress", "egress"})
_MAX_PRIORITY = 1000


def is_baseline(policy: PolicyObject) -> bool:
    """Whether it stands behind NetworkPolicy."""
    return policy.ref.kind == "BaselineAdminNetworkPolicy" or policy.spec.get("tier") == "Baseline"


def compile_admin(policy: PolicyObject, context: CompileContext) -> Policy:
    """Compile one policy of these kinds; one that its CRD refuses comes out `Policy.broken`."""
    spec = policy.spec
    kind = _OF_AWS if (policy.ref.group, policy.ref.kind) == AWS_ADMIN else policy.ref.kind
    applies_to: tuple[Matcher, ...] = ()
    rules: dict[Direction, tuple[Rule, ...]] = {}
    directions = frozenset(Direction)
    rank: tuple[float | str, ...] = (float(_MAX_PRIORITY + 1),)
    tie: int | None = None
    broken = ""
    try:
        applies_to = _subject(spec.get("subject"))
        rank, tie = _place(policy)
        check_fields(spec, _FIELDS)
        rules = {
            direction: tuple(
                _rule(raw, f"{direction}[{index}]", direction, kind, context)
                for index, raw in enumerate(entries(spec.get(direction.value), f"spec.{direction}"))
            )
            for direction in Direction
        }
        directions = frozenset(direction for direction in Direction if rules[direction])
    except (PolicyError, SelectorError) as error:
        broken = str(error)
    return Policy(
        ref=policy.ref,
        applies_to=applies_to,
        directions=directions,
        isolates=frozenset(),
        rules=rules,
        validity=validity_of(policy),
        broken=broken,
        rank=rank,
        tie=tie,
    )


def _place(policy: PolicyObject) -> tuple[tuple[float | str, ...], int | None]:
    """Where it stands in its tier, and with whom it has no order."""
    spec = policy.spec
    if policy.ref.kind == "BaselineAdminNetworkPolicy":
        if policy.ref.name != "default":
            raise PolicyError("a BaselineAdminNetworkPolicy must be called default")
        return (float(_MAX_PRIORITY + 1),), None
    if policy.ref.kind == "ClusterNetworkPolicy" and spec.get("tier") not in ("Admin", "Baseline"):
        raise PolicyError(f"spec.tier {spec.get('tier')!r} is neither Admin nor Baseline")
    priority = spec.get("priority")
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= _MAX_PRIORITY:
        raise PolicyError(f"spec.priority {priority!r} is not a number from 0 to {_MAX_PRIORITY}")
    return (float(priority),), priority


def _subject(raw: Any) -> tuple[Matcher, ...]:
    if not isinstance(raw, dict) or len(raw) != 1:
        raise PolicyError("spec.subject is not exactly one of namespaces and pods")
    if "namespaces" in raw:
        return (NamespaceSelected(read_selector(raw["namespaces"])),)
    if "pods" in raw:
        return _pods(raw["pods"], "spec.subject.pods")
    raise PolicyError(f"spec.subject.{min(map(str, raw))} is not known")


def _pods(raw: Any, path: str) -> tuple[Matcher, ...]:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    matchers: list[Matcher] = [NamespaceSelected(read_selector(raw.get("namespaceSelector")))]
    pods = read_selector(raw.get("podSelector"))
    if pods != LabelSelector(()):
        matchers.append(PodSelected(pods))
    return tuple(matchers)


def _rule(raw: Any, path: str, direction: Direction, kind: str, context: CompileContext) -> Rule:
    if not isinstance(raw, dict):
        raise PolicyError(f"spec.{path} is not an object")
    action = _ACTIONS[kind].get(str(raw.get("action")))
    if action is None:
        raise PolicyError(
            f"spec.{path}.action {raw.get('action')!r} is not one of {', '.join(_ACTIONS[kind])}"
        )
    word = PEER_WORDS[direction]
    ports_word = "protocols" if kind == "ClusterNetworkPolicy" else "ports"
    traffic: list[TrafficMatcher] = []
    strange = unknown_field(raw, ("name", "action", word, ports_word), f"spec.{path}")
    if strange is not None:
        traffic.append(UndecidableTraffic(strange))
    if raw.get(ports_word) is not None:
        items = entries(raw[ports_word], f"spec.{path}.{ports_word}")
        if not items:
            raise PolicyError(f"spec.{path}.{ports_word} is empty")
        where = f"spec.{path}.{ports_word}"
        read = _protocol if kind == "ClusterNetworkPolicy" else _port
        traffic.append(OneOf(tuple(read(each, f"{where}[{n}]", context) for n, each in enumerate(items))))
        names = [each["destinationNamedPort"] for each in items if "destinationNamedPort" in each]
        if names and kind == "ClusterNetworkPolicy" and context.dialect is Dialect.CALICO:
            by_number = Nothing(Condition.PORT, f"{names[0]} by its number (Calico drops rules with names)")
            return _not_converted(path, action, f"{where} has a name, which Calico cannot convert", by_number)
    raw_peers = entries(raw.get(word), f"spec.{path}.{word}")
    if not raw_peers:
        raise PolicyError(f"spec.{path}.{word} names no peer")
    peers: list[Peer] = []
    for index, each in enumerate(raw_peers):
        where = f"spec.{path}.{word}[{index}]"
        matchers = _peer(each, where, direction, action, kind, context)
        if matchers is None:
            # A peer of a newer API: its types ask readers to fail closed.
            nobody = Nothing(Condition.ENTITY, f"a peer that is not known ({where})")
            if action is not Action.ALLOW or context.dialect is Dialect.CALICO:
                return _not_converted(path, action, f"{where} is not known", nobody, f".{word}[{index}]")
            matchers = (nobody,)
        peers.append(Peer(f".{word}[{index}]", matchers))
    return Rule(path=path, action=action, peers=tuple(peers), traffic=tuple(traffic))


def _not_converted(path: str, action: Action, why: str, nobody: Nothing, peer: str = "") -> Rule:
    """What a rule comes to that cannot be read as a whole: without an effect if it allows, else a denial of everything.

    Args:
        path: the rule's.
        action: the rule's.
        why: it cannot be read.
        nobody: the condition that tells of it.
        peer: the path of the peer that cannot be read.
    """
    if action is not Action.ALLOW:
        return Rule(path=path, action=Action.DENY, note=f"{why}: denies everything")
    return Rule(path=path, action=action, peers=(Peer(peer, (nobody,)),))


def _peer(
    raw: Any, path: str, direction: Direction, action: Action, kind: str, context: CompileContext
) -> tuple[Matcher, ...] | None:
    """Compile a peer; ``None`` where none of its fields is known, to the API or to who enforces."""
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    given = {str(key): value for key, value in raw.items() if value is not None}
    known = {"namespaces", "pods"} | (
        {"networks", "nodes", "domainNames"} if direction is Direction.EGRESS else set()
    )
    if context.dialect is Dialect.CALICO:
        # Calico v3.32 knows neither; see the conversion of ClusterNetworkPolicy.
        known -= {"nodes", "domainNames"}
    if kind == _OF_AWS:
        known -= {"nodes"}
    if not known & given.keys():
        return None
    if len(given) > 1:
        raise PolicyError(f"{path} has more than one of {', '.join(sorted(given))}")
    if "namespaces" in given:
        gone = [
            each for each in _GONE if isinstance(given["namespaces"], dict) and each in given["namespaces"]
        ]
        if gone:
            return (Undecidable(f"{path}.namespaces.{gone[0]} is no longer part of the API"),)
        return _with_hosts((NamespaceSelected(read_selector(given["namespaces"])),), kind, context)
    if "pods" in given:
        pods = given["pods"]
        inner = pods.get("namespaces") if isinstance(pods, dict) else None
        gone = [each for each in _GONE if isinstance(inner, dict) and each in inner]
        if gone:
            return (Undecidable(f"{path}.pods.namespaces.{gone[0]} is no longer part of the API"),)
        return _with_hosts(_pods(pods, f"{path}.pods"), kind, context)
    if "networks" in given:
        networks = tuple(
            network(each, f"{path}.networks[{index}]")
            for index, each in enumerate(entries(given["networks"], f"{path}.networks"))
        )
        return (
            AddressRange.build(
                context.ranges,
                networks,
                pods=context.traits.range_pods,
                nodes=context.traits.range_nodes,
            ),
        )
    if "nodes" in given:
        return (NodeSelected(read_selector(given["nodes"])),)
    passes = action is Action.ALLOW or (kind == _OF_AWS and action is Action.PASS)
    if not passes or kind == "BaselineAdminNetworkPolicy":
        raise PolicyError(f"{path}.domainNames stands in a rule that does not allow")
    names = entries(given["domainNames"], f"{path}.domainNames")
    return (DomainNames(tuple(str(name) for name in names)),)


def _with_hosts(matchers: tuple[Matcher, ...], kind: str, context: CompileContext) -> tuple[Matcher, ...]:
    """AWS looks pods up for its own kind as for a NetworkPolicy."""
    return of_pods(matchers, context) if kind == _OF_AWS else matchers


def _port(raw: Any, path: str, context: CompileContext) -> TrafficMatcher:
    """One of v1alpha1's ``ports``."""
    if not isinstance(raw, dict) or len(raw) != 1:
        raise PolicyError(f"{path} is not exactly one of portNumber, portRange and namedPort")
    if "namedPort" in raw:
        protocol = "TCP" if context.dialect in (Dialect.CALICO, Dialect.AWS) else None
        return NamedPort(str(raw["namedPort"]), protocol, context.traits.every_namesake)
    if "portNumber" in raw:
        inner = _object(raw["portNumber"], f"{path}.portNumber")
        port = port_number(inner.get("port"), f"{path}.portNumber.port")
        return NumberedPorts(_named_protocol(inner, path), port, port)
    if "portRange" in raw:
        inner = _object(raw["portRange"], f"{path}.portRange")
        low, high = _range(inner, f"{path}.portRange")
        return NumberedPorts(_named_protocol(inner, path), low, high)
    return UndecidableTraffic(f"the field {path}.{min(map(str, raw))} is not supported")


def _protocol(raw: Any, path: str, context: CompileContext) -> TrafficMatcher:
    """One of v1alpha2's ``protocols``."""
    if not isinstance(raw, dict) or len(raw) != 1:
        raise PolicyError(f"{path} is not exactly one of tcp, udp, sctp and destinationNamedPort")
    if "destinationNamedPort" in raw:
        return NamedPort(str(raw["destinationNamedPort"]), None, context.traits.every_namesake)
    word = str(next(iter(raw)))
    if word not in ("tcp", "udp", "sctp"):
        return UndecidableTraffic(f"the field {path}.{word} is not supported")
    inner = _object(raw[word], f"{path}.{word}")
    if set(inner) != {"destinationPort"}:
        strange = unknown_field(inner, ("destinationPort",), f"{path}.{word}")
        if strange is not None:
            return UndecidableTraffic(strange)
        raise PolicyError(f"{path}.{word} names no port")
    port = _object(inner["destinationPort"], f"{path}.{word}.destinationPort")
    where = f"{path}.{word}.destinationPort"
    if port.get("range") is not None:
        low, high = _range(_object(port["range"], f"{where}.range"), f"{where}.range")
        if low == high:
            raise PolicyError(f"{where}.range starts where it ends")
    else:
        low = high = port_number(port.get("number"), f"{where}.number")
    return NumberedPorts(word.upper(), low, high)


def _range(raw: dict[str, Any], path: str) -> tuple[int, int]:
    low, high = port_number(raw.get("start"), f"{path}.start"), port_number(raw.get("end"), f"{path}.end")
    if low > high:
        raise PolicyError(f"{path} starts behind its end")
    return low, high


def _named_protocol(raw: dict[str, Any], path: str) -> str:
    protocol = raw.get("protocol") or "TCP"
    if protocol not in PORT_PROTOCOLS:
        raise PolicyError(f"{path}: protocol {protocol!r} is not TCP, UDP or SCTP")
    return str(protocol)


def _object(raw: Any, path: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise PolicyError(f"{path} is not an object")
    return raw
