"""What must hold of any policies of network-policy-api beside any NetworkPolicies: a slow reading agrees."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Icmp
from flowdiag.model.objects import Node, Pod
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies
from tests.policy.naive_admin import OTHERS, TIE, end_allows
from tests.policy.scenes import net_policy, outside, pod, snapshot

SPACES = {"a": {"team": "x"}, "b": {"team": "y"}, "c": {}}
NODES = {"n1": {"zone": "p"}, "n2": {"zone": "q"}}
NETS = ("10.0.0.0/30", "10.0.0.2/32", "203.0.113.0/24", "0.0.0.0/0", "192.168.0.0/24", "::/0")
KINDS = {
    "AdminNetworkPolicy": ("Allow", "Deny", "Pass"),
    "BaselineAdminNetworkPolicy": ("Allow", "Deny"),
    "ClusterNetworkPolicy": ("Accept", "Deny", "Pass"),
}
PORTS = (
    {"portNumber": {"protocol": "TCP", "port": 80}},
    {"portNumber": {"port": 8080}},
    {"portRange": {"protocol": "UDP", "start": 50, "end": 90}},
    {"namedPort": "http"},
    {"namedPort": "dns"},
)
PROTOCOLS = (
    {"tcp": {"destinationPort": {"number": 80}}},
    {"udp": {"destinationPort": {"range": {"start": 50, "end": 90}}}},
    {"sctp": {"destinationPort": {"number": 80}}},
    {"destinationNamedPort": "http"},
)
TRAFFIC = (("TCP", 80), ("TCP", 8080), ("UDP", 53), ("UDP", 80), ("SCTP", 80), ("ICMP", None))


class End(Struct, frozen=True):
    """An end as the slow reading sees it."""

    address: str
    pod: Pod | None = None
    node: str | None = None


class World(Struct):
    """Pods, policies and the labels of namespaces and nodes."""

    pods: list
    admin: list
    baseline: list
    network: list
    objects: list
    spaces: dict
    nodes: dict


def selector(dice, keys=("app", "tier")):
    kind, value = dice.random(), dice.choice("pqx")
    if kind < 0.25:
        return {}
    if kind < 0.6:
        return {"matchLabels": {dice.choice(keys): value}}
    operator = dice.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    values = {"values": [value, dice.choice("pqx")]} if operator in ("In", "NotIn") else {}
    return {"matchExpressions": [{"key": dice.choice(keys), "operator": operator, **values}]}


def spaces(dice):
    return selector(dice, ("team", "kubernetes.io/metadata.name", "env"))


def pods(dice):
    return {"namespaceSelector": spaces(dice), "podSelector": selector(dice)}


def peer(dice, direction):
    if dice.random() < 0.05:
        return {"unheardOf": {}}
    choice = [{"namespaces": spaces(dice)}, {"pods": pods(dice)}]
    if direction == "egress":
        choice += [{"networks": dice.sample(NETS, 2)}, {"nodes": selector(dice, ("zone",))}]
    return dice.choice(choice)


def admin(dice, kind):
    spec = {"subject": dice.choice(({"namespaces": spaces(dice)}, {"pods": pods(dice)}))}
    if kind != "BaselineAdminNetworkPolicy":
        spec["priority"] = dice.randint(0, 4)
    if kind == "ClusterNetworkPolicy":
        spec["tier"] = dice.choice(("Admin", "Baseline"))
    word, choice = ("protocols", PROTOCOLS) if kind == "ClusterNetworkPolicy" else ("ports", PORTS)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if dice.random() < 0.7:
            spec[direction] = [
                {
                    "action": dice.choice(KINDS[kind]),
                    peers: [peer(dice, direction) for _ in range(dice.randint(1, 2))],
                    **({word: dice.sample(choice, dice.randint(1, 2))} if dice.random() < 0.5 else {}),
                }
                for _ in range(dice.randint(1, 3))
            ]
    return spec


def network(dice, number):
    spec = {"podSelector": selector(dice)}
    for direction, word in (("ingress", "from"), ("egress", "to")):
        if dice.random() < 0.5:
            peers = (
                {"podSelector": selector(dice)},
                {"namespaceSelector": spaces(dice)},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.2/32"]}},
            )
            ports = ({"port": 80}, {"port": "http"}, {"protocol": "UDP"}, {"port": 8000, "endPort": 9000})
            spec[direction] = [
                {
                    word: dice.sample(peers, dice.randint(0, 1)),
                    "ports": dice.sample(ports, dice.randint(0, 1)),
                }
                for _ in range(dice.randint(0, 2))
            ]
    return net_policy(dice.choice("abc"), f"k{number}", spec)


def some_pod(dice, number):
    labels = {key: dice.choice("pqx") for key in ("app", "tier") if dice.random() < 0.6}
    http = ("http", dice.choice((80, 8080)), dice.choice(("TCP", "UDP")))
    node, ports = dice.choice(("n1", "n2")), [http, ("dns", 53, "UDP")]
    return pod(dice.choice("abc"), f"p{number}", labels, ip=f"10.0.0.{number + 1}", node=node, ports=ports)


def world(dice):
    kinds = [
        dice.choice(("AdminNetworkPolicy", "ClusterNetworkPolicy", "ClusterNetworkPolicy"))
        for _ in range(dice.randint(1, 3))
    ]
    kinds += ["BaselineAdminNetworkPolicy"] * dice.randint(0, 1)
    made = World(
        pods=[some_pod(dice, number) for number in range(3)],
        admin=[],
        baseline=[],
        network=[network(dice, number) for number in range(dice.randint(0, 3))],
        objects=[],
        spaces={name: {"kubernetes.io/metadata.name": name, **labels} for name, labels in SPACES.items()},
        nodes=NODES,
    )
    for number, kind in enumerate(kinds):
        spec = admin(dice, kind)
        last = kind == "BaselineAdminNetworkPolicy" or spec.get("tier") == "Baseline"
        (made.baseline if last else made.admin).append(spec)
        name = "default" if kind == "BaselineAdminNetworkPolicy" else f"x{number}"
        group = {"group": "policy.networking.k8s.io", "version": "v1alpha1"}
        made.objects.append(net_policy(None, name, spec, kind=kind, **group))
    return made


def compiled(made):
    nodes = {
        name: Node(name=name, labels=labels, addresses=(f"192.168.0.{name[1]}",))
        for name, labels in NODES.items()
    }
    state = snapshot(made.pods, [*made.objects, *made.network], namespaces=SPACES, nodes=nodes)
    return compile_policies(state, dialect=Dialect.KUBERNETES, ip_block_pods=IpBlockPods.MATCH)


def pairs(made):
    every = []
    for one in made.pods:
        ip = one.ips[0]
        end = Endpoint(kind=EndpointKind.POD, namespace=one.namespace, name=one.name, pod=one, ip=ip)
        every.append((end, End(ip, pod=one)))
    for name, labels in NODES.items():
        ip = f"192.168.0.{name[1]}"
        node = Node(name=name, labels=labels, addresses=(ip,))
        every.append((Endpoint(kind=EndpointKind.NODE, name=name, node=node, ip=ip), End(ip, node=name)))
    every += [(outside(ip), End(ip)) for ip in ("203.0.113.7", "198.51.100.1", "2001:db8::1")]
    for source in every:
        for target in every:
            known = any(end.pod is not None or end.node is not None for _, end in (source, target))
            if source is not target and known:
                yield source, target


def sides(source, target):
    return ("egress", source, target), ("ingress", target, source)


@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_evaluator_agrees_with_a_slow_reading(dice):
    """At every end, whatever the tiers, priorities, peers and ports; what the API leaves open may come out unknown."""
    made = world(dice)
    found = compiled(made)
    for (src, source), (dst, target) in pairs(made):
        for protocol, port in TRAFFIC:
            icmp = Icmp(8, 0) if protocol == "ICMP" else None
            decision = found.evaluate(src, dst, protocol, port, icmp=icmp, nearest=False)
            ends = (decision.egress, decision.ingress)
            for end, (direction, own, other) in zip(ends, sides(source, target), strict=True):
                wanted = end_allows(made, direction, own, other, (protocol, port))
                if wanted is None:
                    assert end is None
                elif wanted not in (TIE, OTHERS):
                    assert end.allowed is wanted, (direction, own, other, protocol, port)


def test_the_worlds_have_something_to_say():
    """Verdicts of both kinds are common, and what is left open is rare, so that agreement means something."""
    seen = Counter()
    for seed in range(40):
        made = world(random.Random(seed))  # noqa: S311 - worlds, no secrets
        for (_, source), (_, target) in pairs(made):
            seen.update(end_allows(made, *side, TRAFFIC[0]) for side in sides(source, target))

    assert seen[True] > 100
    assert seen[False] > 100
    assert seen[TIE] + seen[OTHERS] < 100
