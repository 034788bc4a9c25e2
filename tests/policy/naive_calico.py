"""Calico read once more, slowly and straight from its documented order: tiers, policies, rules, then the profile.

It shares nothing with the evaluator but the objects.  A selector is a pair of its text and what it means, so that
no parser is shared either; named ports, network sets and host endpoints are looked up among all that is known.
"""

import ipaddress
import math

from tests.policy.naive import admitted, selects

FAILSAFE = {
    "ingress": {("TCP", port) for port in (22, 179, 2379, 2380, 5473, 6443, 6666, 6667)} | {("UDP", 68)},
    "egress": {("TCP", port) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667)}
    | {("UDP", 53), ("UDP", 67)},
}
PROTOCOLS = {6: "TCP", "tcp": "TCP"}


class World:
    """Pods, host endpoints and network sets with their labels, policies with what their selectors mean."""

    def __init__(self, *, pods, spaces, accounts, hosts, sets, policies, network_policies, tiers, slices):
        self.pods = pods
        self.spaces = spaces
        self.accounts = accounts
        self.hosts = hosts
        """By node: labels, addresses, and whether its profile allows."""
        self.sets = sets
        """(namespace or None, labels, ranges)."""
        self.policies = policies
        """(namespace or None, name, spec, meaning); `meaning` mirrors the selectors of the spec."""
        self.network_policies = network_policies
        self.tiers = tiers
        self.slices = slices
        """(addresses, [(protocol, port)]) of the one Service that rules name."""

    def labels(self, pod):
        """What Calico sees of a pod."""
        account = pod.service_account or "default"
        return {
            **self._of_space(pod.namespace),
            "projectcalico.org/orchestrator": "k8s",
            "projectcalico.org/serviceaccount": account,
            "pcsa.projectcalico.org/name": account,
            **{f"pcsa.{key}": value for key, value in self.accounts[pod.namespace, account].items()},
            **pod.labels,
        }

    def _of_space(self, name):
        found = {f"pcns.{key}": value for key, value in self.spaces[name].items()}
        return found | {"pcns.projectcalico.org/name": name, "projectcalico.org/namespace": name}

    def known(self, address):
        """(labels, pod or None) of all that has the address."""
        for pod in self.pods:
            if address in map(ipaddress.ip_address, pod.ips):
                yield self.labels(pod), pod
        for labels, addresses, _ in self.hosts.values():
            if address in map(ipaddress.ip_address, addresses):
                yield labels, None
        for space, labels, ranges in self.sets:
            if _inside(address, ranges):
                yield {**(self._of_space(space) if space else {}), **labels}, None


def _inside(address, ranges):
    return any(address in ipaddress.ip_network(each) for each in ranges)


def _bare(prefix, labels):
    return {key.removeprefix(prefix): value for key, value in labels.items() if key.startswith(prefix)}


def _in_spaces(meant, labels):
    text, holds = meant
    if text in ("all()", "global()"):
        return ("projectcalico.org/namespace" in labels) is (text == "all()")
    return holds(_bare("pcns.", labels))


def _entity(world, raw, meant, space, address, traffic):
    protocol, port, _ = traffic
    address = ipaddress.ip_address(address)
    if "services" in raw:
        return any(
            str(address) in addresses and (protocol, port) in ports for addresses, ports in world.slices
        )
    if raw.get("nets") and not _inside(address, raw["nets"]):
        return False
    if _inside(address, raw.get("notNets", ())):
        return False
    found = list(world.known(address))
    asked = [key for key in ("selector", "namespaceSelector", "serviceAccounts") if key in raw]
    if (asked or ("notSelector" in raw and space)) and not any(
        _selected(meant, space, labels) for labels, _ in found
    ):
        return False
    if "notSelector" in raw and any(meant["notSelector"](labels) for labels, _ in found):
        return False
    if raw.get("ports") and not _one_port(raw["ports"], found, protocol, port):
        return False
    return not _one_port(raw.get("notPorts", ()), found, protocol, port)


def _selected(meant, space, labels):
    if "namespaceSelector" in meant:
        if not _in_spaces(meant["namespaceSelector"], labels):
            return False
    elif space is not None and labels.get("projectcalico.org/namespace") != space:
        return False
    if "selector" in meant and not meant["selector"](labels):
        return False
    names, holds = meant.get("serviceAccounts", ([], None))
    if names and labels.get("projectcalico.org/serviceaccount") not in names:
        return False
    return holds is None or holds(_bare("pcsa.", labels))


def _one_port(ports, found, protocol, port):
    for each in ports:
        if isinstance(each, int):
            if port == each:
                return True
        elif ":" in each:
            low, high = map(int, each.split(":"))
            if port is not None and low <= port <= high:
                return True
        elif any(
            (one.name, one.protocol, one.port) == (each, protocol, port)
            for _, pod in found
            if pod is not None
            for one in pod.ports
        ):
            return True
    return False


def _matches(world, rule, meant, space, source, destination, traffic):
    protocol, _, icmp = traffic
    wanted = PROTOCOLS.get(rule.get("protocol"), rule.get("protocol"))
    if wanted not in (None, protocol) or rule.get("notProtocol") == protocol:
        return False
    if "icmp" in rule and icmp != rule["icmp"]["type"]:
        return False
    if "notICMP" in rule and icmp == rule["notICMP"]["type"]:
        return False
    if "ipVersion" in rule and ipaddress.ip_address(source).version != rule["ipVersion"]:
        return False
    return all(
        _entity(world, rule.get(side, {}), meant.get(side, {}), space, address, traffic)
        for side, address in (("source", source), ("destination", destination))
    )


def _types(spec):
    if spec.get("types"):
        return {each.lower() for each in spec["types"]}
    if not spec.get("egress"):
        return {"ingress"}
    return {"ingress", "egress"} if spec.get("ingress") else {"egress"}


def _rows(world, direction, own, labels):
    """(tier, order, name, decide) of every policy that selects the end."""
    for space, name, spec, meant in world.policies:
        if direction not in _types(spec) or (own.pod is None and space is not None):
            continue
        if space is not None and labels.get("projectcalico.org/namespace") != space:
            continue
        if "namespaceSelector" in meant and not _in_spaces(meant["namespaceSelector"], labels):
            continue
        if own.pod is None and "all()" in _of_a_namespace(spec):
            continue
        if "selector" in meant and not meant["selector"](labels):
            continue
        if "serviceAccountSelector" in meant and not meant["serviceAccountSelector"](_bare("pcsa.", labels)):
            continue
        kind = "NetworkPolicy" if space else "GlobalNetworkPolicy"
        rules = list(zip(spec.get(direction, ()), meant[direction], strict=True))
        order = spec.get("order", math.inf)
        yield spec.get("tier", "default"), order, f"{name}/{space or ''}/{kind}", (space, rules)
    for policy in world.network_policies if own.pod is not None else ():
        if selects(policy, direction, own.pod):
            name = f"{policy.ref.name}/{policy.ref.namespace}/KubernetesNetworkPolicy"
            yield "default", 1000, name, policy


def _of_a_namespace(spec):
    """Selectors in which all() means what has a namespace, or an account."""
    found = {key: spec[key] for key in ("selector", "serviceAccountSelector") if key in spec}
    return set() if found.keys() == {"selector"} and "namespaceSelector" not in spec else set(found.values())


def _decided(world, decide, direction, own, peer, traffic):
    if not isinstance(decide, tuple):
        protocol, port, _ = traffic
        let = admitted(decide, world.spaces, direction, own.pod, peer.pod, peer.address, protocol, port)
        return "Allow" if let else None
    space, rules = decide
    ends = (peer.address, own.address) if direction == "ingress" else (own.address, peer.address)
    for rule, meant in rules:
        if rule["action"] != "Log" and _matches(world, rule, meant, space, *ends, traffic):
            return rule["action"]
    return None


def end_allows(world, direction, own, peer, traffic):
    """Whether one end allows; None where nothing is policed.  See `end_told`."""
    return end_told(world, direction, own, peer, traffic)[0]


def end_told(world, direction, own, peer, traffic):
    """Whether one end allows, by ends with `pod`, `node` and `address`, and whose tier's end refused by default.

    Args:
        world: a `World`.
        direction: ``ingress`` or ``egress``.
        own: the policed end.
        peer: the other one.
        traffic: (protocol, port, ICMP type).
    """
    if own.pod is None and own.node is None:
        return None, set()
    allows_last = True
    if own.pod is not None:
        if direction == "ingress" and peer.pod is None and peer.node == own.pod.node:
            return True, set()
        labels = world.labels(own.pod)
    elif own.node not in world.hosts or traffic[:2] in FAILSAFE[direction]:
        return True, set()
    else:
        labels, _, allows_last = world.hosts[own.node]
    rows = list(_rows(world, direction, own, labels))
    for tier in [*sorted(world.tiers, key=lambda name: (world.tiers[name]["order"], name)), "ghost"]:
        here = sorted((row for row in rows if row[0] == tier), key=lambda row: row[1:3])
        decided = (_decided(world, row[3], direction, own, peer, traffic) for row in here)
        action = next((each for each in decided if each is not None), None)
        if action in ("Allow", "Deny"):
            return action == "Allow", set()
        if here and action is None and world.tiers.get(tier, {}).get("defaultAction") != "Pass":
            return False, {row[2].partition("/")[0] for row in here}
    return allows_last, set()
