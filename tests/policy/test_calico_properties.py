"""What must hold of any of Calico's policies, tiers, network sets and host endpoints: a slow reading agrees."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Icmp
from flowdiag.model.objects import ContainerPort, EndpointSlice, Node, Pod, Service, ServicePort
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.policy.naive_calico import World, end_allows, end_told
from tests.policy.scenes import net_policy, outside, pod, raw, snapshot

SPACES = {"a": {"team": "x"}, "b": {"team": "y", "env": "p"}}
ACCOUNTS = {
    ("a", "default"): {},
    ("a", "run"): {"role": "p"},
    ("b", "default"): {"role": "q"},
    ("b", "run"): {},
}
KEYS = ("app", "tier", "team", "role")
VALUES = ("p", "q", "x", "web")
NETS = (
    *("10.0.0.0/8", "10.0.0.0/30", "10.0.0.2/32", "203.0.113.0/24", "203.0.113.7", "0.0.0.0/0"),
    *("192.168.0.0/24", "fd00::/64", "::/0"),
)
NODES = {name: Node(name=name, addresses=(f"192.168.0.{name[1]}",)) for name in ("n1", "n2")}
TRAFFIC = (
    *(("TCP", 80, None), ("TCP", 8080, None), ("UDP", 53, None), ("SCTP", 80, None)),
    *(("TCP", 22, None), ("ICMP", None, 8)),
)


class End(Struct, frozen=True):
    """An end as the slow reading sees it."""

    address: str
    pod: Pod | None = None
    node: str | None = None


# Selectors, as (text, what it means)


def selector(dice, keys=KEYS, depth=0):
    kind = dice.random() if depth < 2 else 1
    if kind < 0.4:
        (left, first), (right, second) = (selector(dice, keys, depth + 1) for _ in range(2))
        if kind < 0.2:
            return f"({left}) && ({right})", lambda labels: first(labels) and second(labels)
        return f"({left}) || ({right})", lambda labels: first(labels) or second(labels)
    if kind < 0.5:
        text, holds = selector(dice, keys, depth + 1)
        return f"!({text})", lambda labels: not holds(labels)
    key, one, other = dice.choice(keys), dice.choice(VALUES), dice.choice(VALUES)
    return dice.choice(
        (
            (f"{key} == '{one}'", lambda labels: labels.get(key) == one),
            (f"{key} != '{one}'", lambda labels: labels.get(key) != one),
            (f"{key} in {{'{one}', '{other}'}}", lambda labels: labels.get(key) in (one, other)),
            (f"{key} not in {{'{one}', '{other}'}}", lambda labels: labels.get(key) not in (one, other)),
            (f"has({key})", lambda labels: key in labels),
            (f"!has({key})", lambda labels: key not in labels),
            ("all()", lambda _: True),
            (f"{key} starts with '{one[0]}'", lambda labels: labels.get(key, "").startswith(one[0])),
            (f"{key} contains '{one[-1]}'", lambda labels: one[-1] in labels.get(key, "")),
        )
    )


def spaces(dice):
    """A namespaceSelector that means namespaces by what they have, or lack."""
    key, value = dice.choice(("team", "env")), dice.choice(VALUES)
    return dice.choice(
        (
            (f"{key} == '{value}'", lambda labels: labels.get(key) == value),
            (f"has({key})", lambda labels: key in labels),
            (f"!has({key})", lambda labels: key not in labels),
            (f"{key} != '{value}'", lambda labels: labels.get(key) != value),
            (f"{key} not in {{'{value}'}}", lambda labels: labels.get(key) != value),
            ("projectcalico.org/name == 'a'", lambda labels: labels.get("projectcalico.org/name") == "a"),
            ("all()", None),
            ("global()", None),
        )
    )


def entity(dice, protocol, *, destination):
    if destination and dice.random() < 0.1:
        return {"services": {"name": "svc", "namespace": "a"}}, {}
    written, meant = {}, {}
    for key, chance in (("selector", 0.35), ("notSelector", 0.2)):
        if dice.random() < chance:
            written[key], meant[key] = selector(dice)
    if dice.random() < 0.25:
        meant["namespaceSelector"] = spaces(dice)
        written["namespaceSelector"] = meant["namespaceSelector"][0]
    if dice.random() < 0.15:
        names = dice.sample(("default", "run"), dice.randint(0, 1))
        text, holds = selector(dice, ("role",), 1) if not names or dice.random() < 0.5 else ("", None)
        written["serviceAccounts"] = {"names": names, "selector": text}
        meant["serviceAccounts"] = (names, holds)
    for key, chance in (("nets", 0.2), ("notNets", 0.15)):
        if dice.random() < chance:
            written[key] = dice.sample(NETS, dice.randint(1, 2))
    for key, chance in (("ports", 0.5), ("notPorts", 0.2)):
        if destination and protocol in ("TCP", "UDP", "SCTP") and dice.random() < chance:
            choice = (80, 8080, "79:81", "http", "dns", 53, "8000:9000")
            written[key] = dice.sample(choice, dice.randint(1, 2))
    return written, meant


def rule(dice):
    protocol = dice.choice((None, None, "TCP", "UDP", "SCTP", "ICMP", 6, "tcp"))
    name = {6: "TCP", "tcp": "TCP"}.get(protocol, protocol)
    written, meant = {"action": dice.choice(("Allow", "Allow", "Deny", "Pass", "Log"))}, {}
    if protocol is not None:
        written["protocol"] = protocol
    for key, values, chance in (
        ("notProtocol", ("UDP", "TCP"), 0.08),
        ("ipVersion", (4, 6), 0.08),
        ("icmp", ({"type": 8}, {"type": 0}), 0.6 if name == "ICMP" else 0),
        ("notICMP", ({"type": 8}, {"type": 0}), 0.3 if name == "ICMP" else 0),
    ):
        if dice.random() < chance:
            written[key] = dice.choice(values)
    for side in ("source", "destination"):
        if dice.random() < 0.7:
            written[side], meant[side] = entity(dice, name, destination=side == "destination")
    return written, meant


def policy(dice, number):
    space = dice.choice((None, None, "a", "b"))
    spec, meant = {}, {"ingress": [], "egress": []}
    for direction in ("ingress", "egress"):
        if dice.random() < 0.6:
            rules = [rule(dice) for _ in range(dice.randint(0, 3))]
            spec[direction] = [written for written, _ in rules]
            meant[direction] = [each for _, each in rules]
    if dice.random() < 0.6:
        spec["types"] = dice.sample(("Ingress", "Egress"), dice.randint(1, 2))
    if dice.random() < 0.6:
        spec["selector"], meant["selector"] = selector(dice)
    if space is None and dice.random() < 0.3:
        found = spaces(dice)
        if found[0] != "global()":
            spec["namespaceSelector"], meant["namespaceSelector"] = found[0], found
    if dice.random() < 0.12:
        spec["serviceAccountSelector"], meant["serviceAccountSelector"] = selector(dice, ("role",), 1)
    if spec.keys() & {"namespaceSelector", "serviceAccountSelector"}:
        # Inside a larger selector all() means there what has a namespace, which nothing here works out.
        for key in ("selector", "serviceAccountSelector"):
            while "all()" in spec.get(key, "") and spec[key] != "all()":
                spec[key], meant[key] = selector(dice, ("role",) if key.startswith("service") else KEYS, 1)
    if dice.random() < 0.7:
        spec["order"] = dice.choice((1, 2, 10, 999, 1000, 1001.5))
    if dice.random() < 0.5:
        spec["tier"] = dice.choice(("early", "late", "ghost", "default"))
    return space, f"n{number}", spec, meant


def network_policy(dice, number):
    def pods():
        return dice.choice(
            (
                {},
                {"matchLabels": {"app": dice.choice(VALUES)}},
                {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": [dice.choice(VALUES)]}]},
                {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
            )
        )

    spec = {"podSelector": pods()}
    for direction, word in (("ingress", "from"), ("egress", "to")):
        if dice.random() < 0.5:
            peers = (
                {"podSelector": pods()},
                {"namespaceSelector": {"matchLabels": {"team": dice.choice("xy")}}},
                {"namespaceSelector": {}, "podSelector": pods()},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.2/32"]}},
                {"ipBlock": {"cidr": "fd00::/64"}},
            )
            ports = ({"port": 80}, {"port": "http"}, {"protocol": "UDP"}, {"port": 8000, "endPort": 9000})
            spec[direction] = [
                {
                    word: dice.sample(peers, dice.randint(0, 1)),
                    "ports": dice.sample(ports, dice.randint(0, 1)),
                }
                for _ in range(dice.randint(0, 2))
            ]
    return net_policy(dice.choice("ab"), f"k{number}", spec)


def some_pod(dice, number):
    labels = {key: dice.choice(VALUES) for key in ("app", "tier") if dice.random() < 0.6}
    ports = [
        ("http", dice.choice((80, 8080)), "TCP"),
        ("dns", dice.choice((53, 80)), dice.choice(("UDP", "TCP"))),
    ]
    account, node = dice.choice((None, "run")), dice.choice(("n1", "n2"))
    found = pod(dice.choice("ab"), f"p{number}", labels, ports=ports, node=node, service_account=account)
    ips = (f"10.0.0.{number + 1}", *([f"fd00::{number + 1}"] if dice.random() < 0.5 else []))
    return structs.replace(found, ips=ips)


def world(dice):
    pods = [some_pod(dice, number) for number in range(dice.randint(2, 3))]
    hosts = {}
    if dice.random() < 0.6:
        hosts["n1"] = ({"app": dice.choice(VALUES), "role": "p"}, NODES["n1"].addresses, True)
    if dice.random() < 0.4:
        hosts["n2"] = ({"team": "x"}, NODES["n2"].addresses, False)
    sets = [(None, {"app": dice.choice(VALUES)}, ["203.0.113.0/25"])] if dice.random() < 0.5 else []
    if dice.random() < 0.5:
        sets.append(("a", {"tier": dice.choice(VALUES)}, ["203.0.113.7/32", "10.0.0.2/32"]))
    ends = ("Deny", "Pass")
    return World(
        pods=pods,
        spaces={name: {"kubernetes.io/metadata.name": name, **labels} for name, labels in SPACES.items()},
        accounts=ACCOUNTS,
        hosts=hosts,
        sets=sets,
        policies=[policy(dice, number) for number in range(dice.randint(1, 4))],
        network_policies=[network_policy(dice, number) for number in range(dice.randint(0, 2))],
        tiers={
            "default": {"order": 1000000, "defaultAction": "Deny"},
            "early": {"order": dice.choice((10, 20)), "defaultAction": dice.choice(ends)},
            "late": {"order": dice.choice((15, 2000000)), "defaultAction": dice.choice(ends)},
        },
        slices=[([pods[0].ips[0], pods[1].ips[0]], [("TCP", 8080)])],
    )


def compiled(made):
    calico = {"group": "projectcalico.org", "version": "v3"}
    policies = [
        net_policy(space, name, spec, kind="NetworkPolicy" if space else "GlobalNetworkPolicy", **calico)
        for space, name, spec, _ in made.policies
    ]
    others = [
        raw("Tier", name, spec) for name, spec in (*made.tiers.items(), ("kube-admin", {"order": 1000}))
    ]
    for node, (labels, addresses, allows) in made.hosts.items():
        profiles = ["projectcalico-default-allow"] if allows else []
        spec = {"node": node, "interfaceName": "*", "expectedIPs": list(addresses), "profiles": profiles}
        others.append(raw("HostEndpoint", f"{node}-host", spec, labels=labels))
    for number, (space, labels, nets) in enumerate(made.sets):
        kind = "NetworkSet" if space else "GlobalNetworkSet"
        others.append(raw(kind, f"s{number}", {"nets": nets}, namespace=space, labels=labels))
    for (space, name), labels in ACCOUNTS.items():
        others.append(raw("ServiceAccount", name, {}, group="", namespace=space, labels=labels))
    state = snapshot(
        made.pods,
        [*policies, *made.network_policies],
        namespaces=SPACES,
        others=tuple(others),
        nodes=NODES,
        endpoint_slices=tuple(
            EndpointSlice(
                namespace="a",
                service="svc",
                addresses=tuple(addresses),
                ports=tuple(ContainerPort(None, port, protocol) for protocol, port in ports),
            )
            for addresses, ports in made.slices
        ),
        services=(Service(namespace="a", name="svc", ports=(ServicePort(None, "TCP", 1, 8080, None),)),),
    )
    return compile_policies(state, dialect=Dialect.CALICO)


def ends_of(made):
    for one in made.pods:
        for ip in one.ips:
            end = Endpoint(kind=EndpointKind.POD, namespace=one.namespace, name=one.name, pod=one, ip=ip)
            yield end, End(ip, pod=one)
    for name, node in NODES.items():
        ip = node.addresses[0]
        yield Endpoint(kind=EndpointKind.NODE, name=name, node=node, ip=ip), End(ip, node=name)
    for ip in ("203.0.113.7", "203.0.113.200", "198.51.100.1", "2001:db8::1"):
        yield outside(ip), End(ip)


def pairs(made):
    """Ends of one family, not both outside and not one pod."""
    every = list(ends_of(made))
    for source in every:
        for target in every:
            one, other = source[1], target[1]
            known = any(each.pod is not None or each.node is not None for each in (one, other))
            alike = (":" in one.address) == (":" in other.address)
            if source is not target and known and alike and (one.pod is None or one.pod is not other.pod):
                yield source, target


def closing(end):
    """Names of the policies that a default deny is put down to; a host's missing profile is no policy."""
    return {ref.name for ref in end.closed_by if ref.kind != "HostEndpoint"}


@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_evaluator_agrees_with_a_slow_reading(dice):
    """Of every end, by tiers, order, selectors, addresses, ports by name, services, sets and hosts; and who refused by default."""
    made = world(dice)
    found = compiled(made)
    for (src, source), (dst, target) in pairs(made):
        for protocol, port, kind in TRAFFIC:
            if protocol == "ICMP" and ":" in source.address:
                continue
            icmp = None if kind is None else Icmp(kind, 0)
            decision = found.evaluate(src, dst, protocol, port, icmp=icmp, nearest=False)
            told = [
                (None, set()) if end is None else (end.allowed, closing(end))
                for end in (decision.egress, decision.ingress)
            ]
            wanted = [
                end_told(made, direction, own, peer, (protocol, port, kind))
                for direction, own, peer in (("egress", source, target), ("ingress", target, source))
            ]
            assert told == wanted, (source, target, protocol, port)


def test_the_worlds_have_something_to_say():
    """Both verdicts are common, at pods and at hosts, so that agreement means something."""
    seen = Counter()
    for seed in range(40):
        made = world(random.Random(seed))  # noqa: S311 - worlds, no secrets
        for (_, source), (_, target) in pairs(made):
            for direction, own, peer in (("egress", source, target), ("ingress", target, source)):
                seen[own.pod is not None, end_allows(made, direction, own, peer, TRAFFIC[0])] += 1

    assert all(seen[pods, verdict] > 100 for pods in (True, False) for verdict in (True, False)), seen
