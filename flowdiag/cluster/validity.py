"""What the API server would refuse in a policy, in words.

Only what changes an evaluation is checked: a file that the API server never accepted must not be
evaluated as if it were in force.  Rules: Kubernetes v1.31 ``pkg/apis/networking/validation``, the
CRDs of network-policy-api v0.1.7; selectors alike in every kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from flowdiag.cluster.addresses import parse_network
from flowdiag.cluster.meta import as_int, as_list, as_map, as_text
from flowdiag.cluster.quick_validity import is_plainly_valid
from flowdiag.model.event import PORT_PROTOCOLS

__all__ = ["policy_problems"]

_MAX_PROBLEMS = 8
_OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
_NODE_OPERATORS = frozenset({"Gt", "Lt"})


def policy_problems(group: str, kind: str, spec: Any) -> tuple[str, ...]:
    """Each fault with its path (``ingress[0].from[1]: ...``), at most a handful; empty for a sound policy."""
    found: list[str] = []
    if not isinstance(spec, dict):
        return () if spec is None else ("spec: not an object",)
    for problem in _all(group, kind, spec):
        if len(found) == _MAX_PROBLEMS:
            break
        if problem not in found:
            found.append(problem)
    return tuple(found)


def _all(group: str, kind: str, spec: dict[str, Any]) -> Iterator[str]:
    of_kubernetes = kind == "NetworkPolicy" and group == "networking.k8s.io"
    if of_kubernetes and is_plainly_valid(spec):
        return
    if _may_err(spec):
        yield from _selectors(spec, "", 0)
    if of_kubernetes:
        yield from _network_policy(spec)


def _may_err(spec: dict[str, Any]) -> bool:
    """Whether `_selectors` has anything to look at: most selectors are plain labels, and to write all their paths takes long."""
    left: list[Any] = [spec]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            labels = value.get("matchLabels")
            if "matchExpressions" in value or (labels is not None and not isinstance(labels, dict)):
                return True
            left += value.values()
        elif isinstance(value, list):
            left += value
    return False


def _selectors(value: Any, path: str, depth: int) -> Iterator[str]:
    """Every ``matchExpressions`` anywhere below."""
    if depth > 40:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "matchLabels" and child is not None and not isinstance(child, dict):
                yield f"{path}.{key}: not a map of labels" if path else f"{key}: not a map of labels"
                continue
            if not isinstance(child, dict | list):
                continue
            here = f"{path}.{key}" if path else key
            if key == "matchExpressions":
                for index, one in enumerate(as_list(child)):
                    yield from _expression(as_map(one), f"{here}[{index}]")
            else:
                yield from _selectors(child, here, depth + 1)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            if isinstance(child, dict | list):
                yield from _selectors(child, f"{path}[{index}]", depth + 1)


def _expression(one: dict[str, Any], path: str) -> Iterator[str]:
    operator = as_text(one.get("operator"))
    values = as_list(one.get("values"))
    if not one.get("key"):
        yield f"{path}: no key"
    if operator in ("In", "NotIn") and not values:
        yield f"{path}: operator {operator} needs values"
    elif operator in ("Exists", "DoesNotExist") and values:
        yield f"{path}: operator {operator} takes no values"
    elif operator not in _OPERATORS and operator not in _NODE_OPERATORS:
        yield f"{path}: unknown operator {str(one.get('operator'))[:40]!r}"


_FIELDS = {
    "spec": ("podSelector", "policyTypes", "ingress", "egress"),
    "ingress": ("from", "ports"),
    "egress": ("to", "ports"),
    "peer": ("podSelector", "namespaceSelector", "ipBlock"),
    "port": ("protocol", "port", "endPort"),
    "ipBlock": ("cidr", "except"),
    "selector": ("matchLabels", "matchExpressions"),
}
"""Of NetworkPolicy v1; the API server never keeps another, and ``kubectl apply`` refuses it."""


def _unknown(value: Any, sort: str, path: str) -> Iterator[str]:
    """Fields that nobody reads: a misspelt one would silently mean something else."""
    known = _FIELDS[sort]
    for key, inner in as_map(value).items():
        if inner is None or key in known:
            continue
        text = str(key)[:50]
        near = get_close_matches(text, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        yield f"{path}{'.' if path else ''}{text}: there is no such field{hint}"


def _network_policy(spec: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(spec, "spec", "")
    yield from _unknown(spec.get("podSelector"), "selector", "podSelector")
    for kind in as_list(spec.get("policyTypes")):
        if kind not in ("Ingress", "Egress"):
            yield f"policyTypes: unknown type {str(kind)[:40]!r}"
    for direction, side in (("ingress", "from"), ("egress", "to")):
        rules = spec.get(direction)
        if rules is not None and not isinstance(rules, list):
            yield f"{direction}: not a list of rules"
        for index, rule in enumerate(as_list(rules)):
            path = f"{direction}[{index}]"
            if rule is not None and not isinstance(rule, dict):
                yield f"{path}: not a rule"
                continue
            yield from _unknown(rule, direction, path)
            peers = as_map(rule).get(side)
            if peers is not None and not isinstance(peers, list):
                yield f"{path}.{side}: not a list of peers"
            for number, peer in enumerate(as_list(peers)):
                yield from _peer(peer, f"{path}.{side}[{number}]")
            for number, port in enumerate(as_list(as_map(rule).get("ports"))):
                yield from _port(as_map(port), f"{path}.ports[{number}]")


def _peer(peer: Any, path: str) -> Iterator[str]:
    yield from _unknown(peer, "peer", path)
    fields = {key for key, value in as_map(peer).items() if value is not None}
    selectors = fields & {"podSelector", "namespaceSelector"}
    if not selectors and "ipBlock" not in fields:
        yield f"{path}: a peer needs podSelector, namespaceSelector or ipBlock"
    elif selectors and "ipBlock" in fields:
        yield f"{path}: ipBlock cannot stand beside a selector"
    for name in sorted(selectors):
        if not isinstance(peer[name], dict):
            yield f"{path}.{name}: not a selector"
        yield from _unknown(peer[name], "selector", f"{path}.{name}")
    if "ipBlock" in fields:
        yield from _ip_block(as_map(peer["ipBlock"]), f"{path}.ipBlock")


def _ip_block(block: dict[str, Any], path: str) -> Iterator[str]:
    yield from _unknown(block, "ipBlock", path)
    text = block.get("cidr")
    network = parse_network(text) if isinstance(text, str) and "/" in text else None
    if network is None:
        yield f"{path}: {str(text)[:50]!r} is not a CIDR"
        return
    for one in as_list(block.get("except")):
        inner = parse_network(one) if isinstance(one, str) and "/" in one else None
        if inner is None:
            yield f"{path}: except {str(one)[:50]!r} is not a CIDR"
        elif (
            inner.version != network.version
            or inner.prefixlen <= network.prefixlen
            or inner.network_address not in network
        ):
            yield f"{path}: except {inner} is not strictly inside {network}"


def _port(port: dict[str, Any], path: str) -> Iterator[str]:
    yield from _unknown(port, "port", path)
    protocol = port.get("protocol")
    if protocol not in (None, *PORT_PROTOCOLS):
        yield f"{path}: unknown protocol {str(protocol)[:20]!r}"
    value, end = port.get("port"), port.get("endPort")
    first = value if isinstance(value, int) and not isinstance(value, bool) else None
    if first is not None and not 1 <= first <= 65535:
        yield f"{path}: port {first} is out of range"
    if end is None:
        return
    last = as_int(end)
    if first is None:
        yield f"{path}: endPort needs a numeric port"
    elif last is None or not first <= last <= 65535:
        yield f"{path}: endPort {str(end)[:20]} is below port {first} or out of range"
