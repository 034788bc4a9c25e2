"""NetworkPolicy read once more, slowly and straight from the API's text: no index, no classes, no memory.

It shares nothing with the evaluator but the objects.  Addresses in ipBlocks match pods here.
"""

import ipaddress


def selector_holds(selector, labels):
    """Whether labels meet a selector."""
    selector = selector or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], each.get("values") or []
        present = key in labels
        holds = {
            "In": present and labels[key] in values,
            "NotIn": not present or labels[key] not in values,
            "Exists": present,
            "DoesNotExist": not present,
        }[each["operator"]]
        if not holds:
            return False
    return True


def _labels(namespace):
    return namespace if isinstance(namespace, dict) else namespace.labels


def _peer(peer, policy, other, address, namespaces):
    block = peer.get("ipBlock")
    if block is not None:
        inside = ipaddress.ip_address(address) in ipaddress.ip_network(block["cidr"], strict=False)
        return inside and not any(
            ipaddress.ip_address(address) in ipaddress.ip_network(each) for each in block.get("except") or ()
        )
    if other is None:
        return False
    if peer.get("namespaceSelector") is None:
        if other.namespace != policy.ref.namespace:
            return False
    elif not selector_holds(peer["namespaceSelector"], _labels(namespaces[other.namespace])):
        return False
    return selector_holds(peer.get("podSelector"), other.labels)


def _port(item, protocol, port, destination):
    if item.get("protocol", "TCP") != protocol:
        return False
    wanted = item.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return destination is not None and any(
            each.name == wanted and each.port == port and each.protocol == protocol
            for each in destination.ports
        )
    return wanted <= port <= item.get("endPort", wanted)


def selects(policy, direction, own):
    """Whether a NetworkPolicy selects a pod in a direction."""
    spec = policy.spec
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    if direction.capitalize() not in types or policy.ref.namespace != own.namespace:
        return False
    return selector_holds(spec.get("podSelector"), own.labels)


def admitted(policy, namespaces, direction, own, other, address, protocol, port):
    """Whether one of a policy's rules admits; `other` is the peer's pod or None."""
    destination = own if direction == "ingress" else other
    for rule in policy.spec.get(direction) or ():
        peers = rule.get("from" if direction == "ingress" else "to") or []
        ports = rule.get("ports") or []
        if peers and not any(_peer(each, policy, other, address, namespaces) for each in peers):
            continue
        if not ports or any(_port(each, protocol, port, destination) for each in ports):
            return True
    return False


def end_allows(policies, namespaces, direction, own, other, address, protocol, port):
    """Whether one end allows: `own` is the policed pod, `other` the peer's pod or None, by its address."""
    found = [policy for policy in policies if selects(policy, direction, own)]
    ask = (namespaces, direction, own, other, address, protocol, port)
    return not found or any(admitted(policy, *ask) for policy in found)


def allows(policies, namespaces, src, dst, protocol, port):
    """Whether a connection is allowed; ends are (pod or None, address)."""
    (source, source_ip), (target, target_ip) = src, dst
    out = source is None or end_allows(
        policies, namespaces, "egress", source, target, target_ip, protocol, port
    )
    into = target is None or end_allows(
        policies, namespaces, "ingress", target, source, source_ip, protocol, port
    )
    return out and into
