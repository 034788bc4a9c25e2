"""Antrea read once more, slowly and straight from its documents: tiers, priorities, rules, NetworkPolicies, the baseline.

Objects are dicts as kubectl prints them, ends are `End`s; no classes, no index, nothing compiled.
"""

from ipaddress import ip_address, ip_network
from typing import NamedTuple

TIERS = {
    "emergency": 50,
    "securityops": 100,
    "custom": 120,
    "networkops": 150,
    "platform": 200,
    "application": 250,
    "baseline": 253,
}


class End(NamedTuple):
    """A pod, or an address outside, which has no namespace."""

    ip: str
    namespace: str | None = None
    name: str | None = None
    labels: dict | None = None
    account: str = "default"
    ports: tuple = ()
    """Of (name, protocol, number)."""


class World:
    """A cluster's objects, and whether one end lets something pass.

    Args:
        spaces: labels of the namespaces, their names' among them.
        pods: every `End` that is one.
        objects: Groups, ClusterGroups, Services and policies.
    """

    def __init__(self, spaces, pods, objects):
        self.spaces = spaces
        self.pods = pods
        self.named = {(one["kind"], _space(one), one["metadata"]["name"]): one["spec"] for one in objects}
        own = [
            one
            for one in objects
            if one["apiVersion"].startswith("crd.antrea.io") and "Group" not in one["kind"]
        ]
        self.antrea = sorted((one for one in own if self.realized(one)), key=_place)
        self.plain = [one for one in objects if one["apiVersion"] == "networking.k8s.io/v1"]

    def allows(self, direction, subject, peer, traffic, destination):
        """Whether the policies of one end let it pass; `traffic` is (protocol, port, ICMP type)."""
        asked = (direction, subject, peer, traffic, destination)
        action = self.first(False, *asked)
        if action in ("Allow", "Drop", "Reject"):
            return action == "Allow"
        isolated = False
        for one in self.plain:
            spec = one["spec"]
            if direction.capitalize() not in spec["policyTypes"] or subject.namespace != _space(one):
                continue
            if not matches(spec["podSelector"], subject.labels):
                continue
            isolated = True
            for rule in spec.get(direction, ()):
                peers = rule.get(_word(direction))
                if not peers or any(self.is_pod(each, _space(one), peer) for each in peers):
                    return True
        return not isolated and self.first(True, *asked) not in ("Drop", "Reject")

    def first(self, baseline, direction, subject, peer, traffic, destination):
        """The action of the first rule that matches, before the NetworkPolicies or behind them."""
        for one in self.antrea:
            spec, space = one["spec"], _space(one)
            if (spec.get("tier") == "baseline") is not baseline:
                continue
            for rule in spec.get(direction, ()):
                peers = rule.get(_word(direction))
                if (
                    any(
                        self.is_meant(each, space, subject)
                        for each in spec.get("appliedTo") or rule["appliedTo"]
                    )
                    and (not peers or any(self.is_peer(each, space, peer, subject) for each in peers))
                    and is_traffic(rule, traffic, destination)
                ):
                    return rule["action"]
        return None

    def realized(self, one):
        """Whether a policy of a namespace is applied to groups of pods of that namespace alone."""
        space = _space(one)
        rules = [rule for way in ("ingress", "egress") for rule in one["spec"].get(way, ())]
        names = [
            each["group"]
            for part in (one["spec"], *rules)
            for each in part.get("appliedTo", ())
            if "group" in each
        ]
        return space is None or not any(
            self.in_group(name, space, pod) for name in names for pod in self.pods if pod.namespace != space
        )

    def in_group(self, name, space, end):
        """Whether an end is a member of a Group of a namespace, or of a ClusterGroup."""
        spec = self.named["ClusterGroup" if space is None else "Group", space, name]
        if "ipBlocks" in spec:
            return any(within(each, end.ip) for each in spec["ipBlocks"])
        if "childGroups" in spec:
            return any(self.in_group(each, space, end) for each in spec["childGroups"])
        if "serviceReference" in spec:
            ref = spec["serviceReference"]
            service = self.named["Service", ref["namespace"], ref["name"]]
            return end.namespace == ref["namespace"] and matches(
                {"matchLabels": service["selector"]}, end.labels
            )
        return self.is_pod(spec, space, end)

    def is_pod(self, peer, space, end):
        """Whether an end is a pod that selectors mean; without one of namespaces, of the policy's own, if it has one."""
        if end.namespace is None:
            return False
        if "namespaceSelector" in peer:
            if not matches(peer["namespaceSelector"], self.spaces[end.namespace]):
                return False
        elif space is not None and end.namespace != space:
            return False
        return matches(peer.get("podSelector", {}), end.labels)

    def is_meant(self, part, space, end):
        """Whether an entry of ``appliedTo`` means an end."""
        if "group" in part:
            return self.in_group(part["group"], space, end)
        if "serviceAccount" in part:
            return _is_account(part["serviceAccount"], end)
        return self.is_pod(part, space, end)

    def is_peer(self, part, space, end, subject):
        """Whether an entry of ``from`` or ``to`` means an end."""
        if "ipBlock" in part:
            return within(part["ipBlock"], end.ip)
        if "namespaces" in part:
            if end.namespace is None:
                return False
            if part["namespaces"].get("match") == "Self":
                same = end.namespace == subject.namespace
            else:
                own, other = self.spaces[subject.namespace], self.spaces[end.namespace]
                same = all(
                    key in own and own[key] == other.get(key) for key in part["namespaces"]["sameLabels"]
                )
            return same and matches(part.get("podSelector", {}), end.labels)
        return self.is_meant(part, space, end)


def matches(selector, labels):
    """Whether labels meet a selector."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        value = labels.get(each["key"])
        if each["operator"] == "In" and value not in each["values"]:
            return False
        if each["operator"] == "NotIn" and value in each["values"]:
            return False
        if (each["operator"] == "Exists" and value is None) or (
            each["operator"] == "DoesNotExist" and value is not None
        ):
            return False
    return True


def within(block, ip):
    """Whether an address is in an ``ipBlock``."""
    address = ip_address(ip)
    return address in ip_network(block["cidr"]) and not any(
        address in ip_network(each) for each in block.get("except", ())
    )


def is_traffic(rule, traffic, destination):
    """Whether a rule means this protocol and port."""
    protocol, port, icmp = traffic
    ports, protocols = rule.get("ports", ()), rule.get("protocols", ())
    for each in ports:
        if each.get("protocol", "TCP") != protocol:
            continue
        wanted = each.get("port")
        if wanted is None or (isinstance(wanted, str) and (wanted, protocol, port) in destination.ports):
            return True
        if isinstance(wanted, int) and wanted <= port <= each.get("endPort", wanted):
            return True
    for each in protocols:
        if "igmp" in each and protocol == "IGMP":
            return True
        if "icmp" in each and protocol == "ICMP" and each["icmp"].get("icmpType", icmp) == icmp:
            return True
    return not ports and not protocols


def _is_account(account, end):
    return (end.namespace, end.account) == (account["namespace"], account["name"])


def _place(one):
    return TIERS[one["spec"].get("tier", "application")], one["spec"]["priority"]


def _space(one):
    return one["metadata"].get("namespace")


def _word(direction):
    return "from" if direction == "ingress" else "to"
