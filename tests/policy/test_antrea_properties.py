"""Antrea's policies in random clusters: the evaluator says what a slow second reading says, and of ports likewise."""

import json
import random

import pytest

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Icmp
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies, connections
from tests.policy.naive_antrea import TIERS, End, World
from tests.policy.scenes import pod_end

SPACES = {
    name: {**labels, "kubernetes.io/metadata.name": name}
    for name, labels in {
        "a": {"team": "x", "env": "p"},
        "b": {"team": "x"},
        "c": {"team": "y", "env": "q"},
    }.items()
}
APPS = ("web", "db", "job")
ACCOUNTS = ("default", "sa1")
BLOCKS = (
    {"cidr": "10.0.0.0/8"},
    {"cidr": "10.0.0.0/8", "except": ["10.0.2.0/24"]},
    {"cidr": "10.0.1.0/24"},
    {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]},
    {"cidr": "0.0.0.0/0"},
    {"cidr": "198.51.100.7/32"},
)
OUTSIDE = ("192.0.2.5", "192.0.2.200", "198.51.100.7")
TRAFFIC = (("TCP", 80, None), ("TCP", 8080, None), ("UDP", 53, None), ("ICMP", None, 8), ("ICMP", None, 0))


class Dice(random.Random):
    """Makes the objects of one cluster."""

    def labels(self):
        """A selector of pods."""
        return self.choice(
            [
                {},
                *({"matchLabels": {"app": app}} for app in APPS),
                {"matchLabels": {"tier": self.choice("fb")}},
                {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": self.sample(APPS, 2)}]},
                {"matchExpressions": [{"key": "tier", "operator": self.choice(["Exists", "DoesNotExist"])}]},
            ]
        )

    def spaces(self):
        """A selector of namespaces."""
        return self.choice(
            [
                {},
                {"matchLabels": {"kubernetes.io/metadata.name": self.choice("abc")}},
                {"matchLabels": {"team": self.choice("xy")}},
                {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": [self.choice("pq")]}]},
                {"matchExpressions": [{"key": "env", "operator": self.choice(["Exists", "DoesNotExist"])}]},
            ]
        )

    def pods(self):
        """Selectors of pods, of namespaces, or of both."""
        return self.choice(
            [
                {"podSelector": self.labels()},
                {"namespaceSelector": self.spaces()},
                {"podSelector": self.labels(), "namespaceSelector": self.spaces()},
            ]
        )

    def account(self):
        """A service account as an entry of ``from`` or ``appliedTo``."""
        return {"serviceAccount": {"name": self.choice(ACCOUNTS), "namespace": self.choice("abc")}}

    def peer(self, space, groups):
        """An entry of ``from`` or ``to``."""
        kinds = [self.pods(), self.pods(), {"ipBlock": self.choice(BLOCKS)}, self.account()]
        kinds += [{"group": self.choice(groups)}] if groups else []
        if space is None:
            meant = self.choice(
                [{"match": "Self"}, {"sameLabels": ["team"]}, {"sameLabels": ["team", "env"]}]
            )
            kinds.append({"namespaces": meant, "podSelector": self.labels()})
        return self.choice(kinds)

    def port(self):
        """An entry of ``ports``."""
        protocol = self.choice(["TCP", "UDP"])
        return self.choice(
            [
                {"protocol": protocol, "port": self.choice([80, 8080, 53])},
                {"port": self.choice([1, 80]), "endPort": self.choice([100, 8080])},
                {"protocol": protocol},
                {"protocol": protocol, "port": "http"},
            ]
        )

    def applied(self, space, groups):
        """``appliedTo``."""
        kinds = [{"podSelector": self.labels()}]
        kinds += [self.pods(), self.account()] if space is None else []
        kinds += [{"group": self.choice(groups)}] if groups else []
        return self.sample(kinds, min(len(kinds), self.choice([1, 1, 2])))

    def rule(self, space, groups, direction, tier):
        """A rule of one of Antrea's policies."""
        actions = ["Allow", "Drop", "Reject", *(["Pass"] if tier != "baseline" else [])]
        made = {"action": self.choice(actions)}
        if self.random() < 0.8:
            word = "from" if direction == "ingress" else "to"
            made[word] = [self.peer(space, groups) for _ in range(self.choice([1, 1, 2]))]
        made["ports"] = [self.port() for _ in range(self.choice([0, 0, 1, 2]))]
        if self.random() < 0.15:
            made["protocols"] = [self.choice([{"icmp": {}}, {"icmp": {"icmpType": 8}}, {"igmp": {}}])]
        return made

    def group(self, space, earlier):
        """What a group means."""
        kinds = [self.pods(), self.pods(), {"ipBlocks": self.sample(BLOCKS, 2)}]
        kinds += [{"childGroups": earlier}] if earlier else []
        own = space or self.choice("abc")
        kinds.append({"serviceReference": {"name": f"s-{own}", "namespace": own}})
        return self.choice(kinds)


def made(kind, name, spec, space=None, api="crd.antrea.io/v1beta1"):
    """An object as kubectl prints it."""
    metadata = {"name": name} | ({"namespace": space} if space else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def cluster(seed):
    """Ends and objects."""
    dice = Dice(seed)
    pods = [
        End(
            f"10.0.{place}.{number}",
            space,
            app,
            {"app": app} | ({"tier": dice.choice("fb")} if dice.random() < 0.4 else {}),
            dice.choice(ACCOUNTS),
            (("http", "TCP", 80 if app == "web" else 8080),) if app != "job" else (),
        )
        for place, space in enumerate(SPACES, 1)
        for number, app in enumerate(APPS, 1)
    ]
    port = {"port": 80, "protocol": "TCP"}
    objects = [
        made("Service", f"s-{space}", {"selector": {"app": dice.choice(APPS)}, "ports": [port]}, space, "v1")
        for space in SPACES
    ]
    groups, of_pods = {}, {}
    for space in (None, *SPACES):
        names, plain, inside = [], [], []
        for number in range(dice.randint(0, 3)):
            spec, name = dice.group(space, plain[:2]), f"g{number}"
            objects.append(made("Group" if space else "ClusterGroup", name, spec, space))
            names.append(name)
            plain += [name] if "childGroups" not in spec else []
            # What has ranges may not stand in appliedTo.
            inside += [name] if not {"ipBlocks", "childGroups"} & set(spec) else []
        groups[space], of_pods[space] = names, inside
    for number, priority in enumerate(dice.sample(range(1, 200), dice.randint(1, 6))):
        space = dice.choice([None, None, *SPACES])
        tier = dice.choice([*TIERS, None])
        spec = {"priority": priority} | ({"tier": tier} if tier else {})
        per_rule = dice.random() < 0.3
        if not per_rule:
            spec["appliedTo"] = dice.applied(space, of_pods[space])
        for direction in dice.choice([["ingress"], ["egress"], ["ingress", "egress"]]):
            spec[direction] = [
                dice.rule(space, groups[space], direction, tier)
                | ({"appliedTo": dice.applied(space, of_pods[space])} if per_rule else {})
                for _ in range(dice.randint(1, 3))
            ]
        objects.append(made("NetworkPolicy" if space else "ClusterNetworkPolicy", f"p{number}", spec, space))
    for number in range(dice.choice([0, 0, 1, 2])):
        types = dice.sample(["Ingress", "Egress"], dice.randint(1, 2))
        spec = {"podSelector": dice.labels(), "policyTypes": types}
        for each in types if dice.random() < 0.6 else ():
            word = "from" if each == "Ingress" else "to"
            spec[each.lower()] = [{word: [dice.pods()]} if dice.random() < 0.7 else {}]
        objects.append(made("NetworkPolicy", f"n{number}", spec, dice.choice("abc"), "networking.k8s.io/v1"))
    return pods, objects


def built(pods, objects):
    """The policies as flowdiag has them, and its ends, by address."""
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n, "labels": s}}
        for n, s in SPACES.items()
    ]
    items.append(made("Tier", "custom", {"priority": TIERS["custom"]}))
    for pod in pods:
        ports = [
            {"name": name, "protocol": each, "containerPort": number} for name, each, number in pod.ports
        ]
        spec = {
            "nodeName": "n1",
            "serviceAccountName": pod.account,
            "containers": [{"name": "c", "ports": ports}],
        }
        one = made("Pod", pod.name, spec, pod.namespace, "v1")
        one["metadata"]["labels"] = pod.labels
        one["status"] = {"phase": "Running", "podIP": pod.ip}
        items.append(one)
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*items, *objects]})
    snapshot, problems = build_snapshot([("state.json", document.encode())])
    assert problems == []
    ends = {pod.ips[0]: pod_end(pod) for pod in snapshot.pods}
    ends |= {ip: Endpoint(kind=EndpointKind.EXTERNAL, ip=ip) for ip in OUTSIDE}
    return compile_policies(snapshot, dialect=Dialect.ANTREA), ends


@pytest.mark.parametrize("seed", range(24))
def test_a_slow_reading_says_the_same(seed):
    """Every pair of ends, at each end, whatever groups, tiers, priorities and actions there are."""
    pods, objects = cluster(seed)
    policies, ends = built(pods, objects)
    world = World(SPACES, pods, objects)
    everybody = [*pods, *map(End, OUTSIDE)]
    for src in everybody:
        for dst in everybody:
            if src is dst or src.namespace is dst.namespace is None:
                continue
            for traffic in TRAFFIC:
                protocol, port, icmp = traffic
                found = policies.evaluate(
                    ends[src.ip],
                    ends[dst.ip],
                    protocol,
                    port,
                    icmp=None if icmp is None else Icmp(icmp, 0),
                    nearest=False,
                )
                for direction, subject, peer, end in (
                    ("egress", src, dst, found.egress),
                    ("ingress", dst, src, found.ingress),
                ):
                    if subject.namespace is not None:
                        said = world.allows(direction, subject, peer, traffic, dst)
                        assert end.allowed is said, (direction, src, dst, traffic)


@pytest.mark.parametrize("seed", range(8))
def test_open_ports_are_those_that_are_allowed_one_by_one(seed):
    """At the edges of ranges and beside them."""
    pods, objects = cluster(seed)
    policies, ends = built(pods, objects)
    for src in pods:
        for dst in pods:
            if src is dst:
                continue
            found = connections(policies, ends[src.ip], ends[dst.ip])
            for protocol in ("TCP", "UDP"):
                for port in (1, 52, 53, 54, 79, 80, 81, 100, 101, 8080, 8081, 65535):
                    allowed = policies.evaluate(
                        ends[src.ip], ends[dst.ip], protocol, port, nearest=False
                    ).allowed
                    assert (protocol in found and port in found[protocol]) is allowed, (
                        src,
                        dst,
                        protocol,
                        port,
                    )
