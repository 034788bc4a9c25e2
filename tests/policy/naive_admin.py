"""The tiers of network-policy-api read once more, slowly: admin by priority, NetworkPolicy, baseline, then allow."""

import ipaddress

from tests.policy.naive import admitted, selector_holds, selects

TIE = "tie"
"""Two policies of one priority decide differently: the API gives no order."""
OTHERS = "others"
"""Whether isolation closes a protocol without ports differs between enforcers."""
ACTIONS = {"Accept": "Allow"}


def _pods(written, end, spaces):
    return (
        end.pod is not None
        and selector_holds(written["namespaceSelector"], spaces[end.pod.namespace])
        and selector_holds(written["podSelector"], end.pod.labels)
    )


def _namespaces(written, end, spaces):
    return end.pod is not None and selector_holds(written, spaces[end.pod.namespace])


def _peer(written, end, spaces, nodes):
    """Whether an end is meant; None for a peer that the API does not know."""
    if "namespaces" in written:
        return _namespaces(written["namespaces"], end, spaces)
    if "pods" in written:
        return _pods(written["pods"], end, spaces)
    if "networks" in written:
        address = ipaddress.ip_address(end.address)
        return any(address in ipaddress.ip_network(each) for each in written["networks"])
    if "nodes" in written:
        return end.node is not None and selector_holds(written["nodes"], nodes[end.node])
    return None


def _port(written, target, protocol, port):
    name = written.get("namedPort") or written.get("destinationNamedPort")
    if name is not None:
        ports = target.pod.ports if target.pod is not None else ()
        return any((one.name, one.protocol, one.port) == (name, protocol, port) for one in ports)
    if "portNumber" in written or "portRange" in written:
        inner = written.get("portNumber") or written["portRange"]
        wanted = inner.get("protocol", "TCP")
    else:
        wanted, inner = next(iter(written.items()))
        wanted, inner = wanted.upper(), inner["destinationPort"]
        inner = {"port": inner["number"]} if "number" in inner else inner["range"]
    low, high = inner.get("start", inner.get("port")), inner.get("end", inner.get("port"))
    return protocol == wanted and port is not None and low <= port <= high


def _first(spec, direction, own, other, traffic, spaces, nodes):
    """What a policy's first matching rule does; None where none matches."""
    target = own if direction == "ingress" else other
    for rule in spec.get(direction, ()):
        meant = [
            _peer(each, other, spaces, nodes) for each in rule["from" if direction == "ingress" else "to"]
        ]
        if None in meant and rule["action"] in ("Deny", "Pass"):
            return "Deny"
        ports = rule.get("ports") or rule.get("protocols")
        if any(meant) and (not ports or any(_port(each, target, *traffic) for each in ports)):
            return ACTIONS.get(rule["action"], rule["action"])
    return None


def _tier(specs, direction, own, other, traffic, spaces, nodes):
    chosen = [
        spec
        for spec in specs
        if (_namespaces if "namespaces" in spec["subject"] else _pods)(
            next(iter(spec["subject"].values())), own, spaces
        )
    ]
    for priority in sorted({spec.get("priority", 1001) for spec in chosen}):
        told = {
            _first(spec, direction, own, other, traffic, spaces, nodes)
            for spec in chosen
            if spec.get("priority", 1001) == priority
        } - {None}
        if told:
            return TIE if len(told) > 1 else told.pop()
    return None


def end_allows(world, direction, own, other, traffic):
    """Whether one end allows; None where nothing is policed, `TIE` or `OTHERS` where the API leaves it open.

    Args:
        world: `admin`, `baseline` (specs), `network` (objects), `spaces` and `nodes` (labels).
        direction: ``ingress`` or ``egress``.
        own: the policed end, with `pod`, `node` and `address`.
        other: its peer.
        traffic: (protocol, port).
    """
    if own.pod is None:
        return None if own.node is None else True
    if direction == "ingress" and other.pod is None and other.node == own.pod.node:
        return True
    ask = (direction, own, other, traffic, world.spaces, world.nodes)
    first = _tier(world.admin, *ask)
    if first in ("Allow", "Deny", TIE):
        return first if first == TIE else first == "Allow"
    isolating = [policy for policy in world.network if selects(policy, direction, own.pod)]
    if isolating:
        if traffic[0] == "ICMP":
            return OTHERS
        peer = (own.pod, other.pod, other.address, *traffic)
        return any(admitted(policy, world.spaces, direction, *peer) for policy in isolating)
    last = _tier(world.baseline, *ask)
    return last if last == TIE else last != "Deny"
