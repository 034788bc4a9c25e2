"""Random small clusters with policies of one language: nothing about them is likely, and all of it is legal.

Three namespaces, some without an object or a label, workloads of one or two pods whose labels may differ, pods of one or
both address families, names of ports that not every pod has.
"""

NAME = "kubernetes.io/metadata.name"
KEYS = {"app": ("web", "api", "db"), "tier": ("x", "y")}
OUTSIDE = ("203.0.113.7", "203.0.113.130", "198.51.100.9", "10.9.9.9", "2001:db8:9::1", "2001:db8:7::1")
CIDRS = ("0.0.0.0/0", "203.0.113.0/24", "203.0.113.128/25", "10.0.0.0/8", "10.0.2.0/24", "::/0")
EXCEPT = {"0.0.0.0/0": "10.0.0.0/8", "203.0.113.0/24": "203.0.113.0/25", "10.0.0.0/8": "10.0.1.0/24"}
SPACES = "abc"
WORDS = {"ingress": "from", "egress": "to"}
PORTS = (
    *({"port": 80}, {"port": 8080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}, {"port": "http"}),
    *({"protocol": "UDP"}, {"port": 8000, "endPort": 8080}, {"port": 80, "protocol": "SCTP"}),
)
CILIUM_PORTS = (
    *({"port": "80", "protocol": "TCP"}, {"port": "8080"}, {"port": "53", "protocol": "UDP"}),
    *(
        {"port": "http"},
        {"port": "8000", "endPort": 8080, "protocol": "TCP"},
        {"port": "0", "protocol": "UDP"},
    ),
)
DECLARED = ((), (("http", 8080, "TCP"),), (("http", 80, "TCP"), ("dns", 53, "UDP")))


def _some(dice, make, most, least=1):
    return [make(dice) for _ in range(dice.randint(least, most))]


def _labels(dice):
    return {key: dice.choice(values) for key, values in KEYS.items() if dice.random() < 0.8}


def _pods(dice):
    found, dual = {}, dice.random() < 0.5
    for space in SPACES:
        for workload in ("w0", "w1")[: dice.randint(1, 2)]:
            labels, declared = _labels(dice), dice.choice(DECLARED)
            for replica in range(dice.choice((1, 1, 2))):
                number = len(found) + 1
                ips = [f"10.0.{ord(space) - 96}.{number}"]
                if dual and dice.random() < 0.8:
                    ips.append(f"fd00:0:0:{ord(space) - 96}::{number}")
                own = {**labels, "tier": dice.choice(KEYS["tier"])} if dice.random() < 0.1 else labels
                found[f"{space}/{workload}-{replica}"] = {
                    "ip": ",".join(ips),
                    "labels": own,
                    "node": dice.choice(("node-a", "node-b")),
                    "ports": [{"name": n, "containerPort": p, "protocol": q} for n, p, q in declared],
                }
    return found


def _selector(dice):
    key, chance = dice.choice(tuple(KEYS)), dice.random()
    if chance < 0.25:
        return {}
    if chance < 0.8:
        return {"matchLabels": {key: dice.choice(KEYS[key])}}
    operator = dice.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    values = {"values": dice.sample(KEYS[key], dice.randint(1, 2))} if operator.endswith("In") else {}
    return {"matchExpressions": [{"key": key, "operator": operator, **values}]}


def _space_selector(dice):
    return dice.choice(
        ({}, *({"matchLabels": {k: v}} for k, v in (("team", "r"), ("team", "g"), (NAME, "a"))))
    )


def _block(dice, exceptions="except"):
    cidr = dice.choice(CIDRS)
    more = {exceptions: [EXCEPT[cidr]]} if cidr in EXCEPT and dice.random() < 0.3 else {}
    return {"cidr": cidr, **more}


def _peer(dice):
    chance = dice.random()
    if chance < 0.35:
        return {"podSelector": _selector(dice)}
    if chance < 0.55:
        return {"namespaceSelector": _space_selector(dice)}
    if chance < 0.75:
        return {"namespaceSelector": _space_selector(dice), "podSelector": _selector(dice)}
    return {"ipBlock": _block(dice)}


def network_policy(dice):
    """The spec of a NetworkPolicy."""
    spec = {"podSelector": _selector(dice)}
    types = dice.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"], None))
    if types:
        spec["policyTypes"] = types
    for direction, word in WORDS.items():
        if dice.random() < 0.6:
            spec[direction] = [
                {
                    **({word: _some(dice, _peer, 2)} if dice.random() < 0.85 else {}),
                    **({"ports": _some(dice, lambda d: d.choice(PORTS), 2)} if dice.random() < 0.75 else {}),
                }
                for _ in range(dice.randint(0, 2))
            ]
    return spec


def _cilium_element(dice, word, *, deny):
    chance, found = dice.random(), {}
    if chance < 0.45:
        selector = _selector(dice)
        if dice.random() < 0.3:
            own = {"k8s:io.kubernetes.pod.namespace": dice.choice(SPACES)}
            selector = {**selector, "matchLabels": {**selector.get("matchLabels", {}), **own}}
        found[f"{word}Endpoints"] = [selector]
    elif chance < 0.6:
        found[f"{word}CIDR"] = [dice.choice(CIDRS)]
    elif chance < 0.7:
        found[f"{word}CIDRSet"] = [_block(dice)]
    elif chance < 0.85:
        found[f"{word}Entities"] = [dice.choice(("all", "world", "cluster", "remote-node"))]
    elif word == "to" and not deny and chance < 0.92:
        found["toFQDNs"] = [{"matchPattern": "*.example.com"}]
    if dice.random() < 0.7:
        found["toPorts"] = [{"ports": _some(dice, lambda d: d.choice(CILIUM_PORTS), 2)}]
    return found


def cilium_policy(dice):
    """The spec of a CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy."""
    spec = {"endpointSelector": _selector(dice)}
    for direction, word in WORDS.items():
        if dice.random() < 0.55:
            spec[direction] = [_cilium_element(dice, word, deny=False) for _ in range(dice.randint(1, 2))]
        if dice.random() < 0.12:
            spec[f"{direction}Deny"] = [_cilium_element(dice, word, deny=True)]
    return spec


def _calico_selector(dice):
    key = dice.choice(tuple(KEYS))
    value = dice.choice(KEYS[key])
    return dice.choice(
        ("all()", f"{key} == '{value}'", f"{key} == '{value}'", f"{key} != '{value}'", f"has({key})")
    )


def _calico_end(dice, protocol, *, destination):
    found = {}
    for field, chance, values in (
        ("selector", 0.5, (_calico_selector(dice),)),
        ("notSelector", 0.12, (_calico_selector(dice),)),
        ("namespaceSelector", 0.25, ("team == 'r'", "projectcalico.org/name == 'b'", "all()")),
        ("nets", 0.2, ([dice.choice(CIDRS)],)),
        ("notNets", 0.1, ([dice.choice(CIDRS)],)),
    ):
        if dice.random() < chance:
            found[field] = dice.choice(values)
    if destination and protocol is not None and dice.random() < 0.6:
        found["ports"] = _some(dice, lambda d: d.choice((80, 8080, "http", "8000:8080", 53)), 2)
    return found


def _calico_rule(dice):
    protocol = dice.choice(("TCP", "TCP", "UDP", None))
    rule = {"action": dice.choice(("Allow", "Allow", "Allow", "Deny", "Pass", "Log"))}
    if protocol is not None:
        rule["protocol"] = protocol
    for side in ("source", "destination"):
        if (
            end := _calico_end(dice, protocol, destination=side == "destination")
            if dice.random() < 0.6
            else {}
        ):
            rule[side] = end
    return rule


def calico_policy(dice, *, everywhere):
    """The spec of a Calico NetworkPolicy or GlobalNetworkPolicy."""
    spec = {
        "selector": _calico_selector(dice),
        "types": dice.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"])),
    }
    if dice.random() < 0.6:
        spec["order"] = dice.choice((10, 50, 500, 1500))
    if everywhere and dice.random() < 0.4:
        spec["tier"] = dice.choice(("platform", "audit"))
    for each in spec["types"]:
        spec[each.lower()] = _some(dice, _calico_rule, 3, 0)
    return spec


def _tier(name, **spec):
    return {"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": name}, "spec": spec}


def cluster(dice, language):
    """The state, as `diagnosis_cases` expands it, of a cluster whose policies are of one language or NetworkPolicy."""
    labels = {
        space: dice.choice(({}, {"team": "r"}, {"team": "g"})) for space in SPACES if dice.random() < 0.85
    }
    state = {
        "namespaces": {space: {"labels": own} for space, own in labels.items()},
        "pods": _pods(dice),
        "nodes": {"node-a": {"ip": "192.0.2.11"}, "node-b": {"ip": "192.0.2.12"}},
        "objects": [_tier("platform", order=100), _tier("audit", order=200, defaultAction="Pass")],
    }
    if language != "calico":
        del state["objects"]
    policies = state["policies"] = {}
    for number in range(dice.randint(1, 4)):
        kind, space = dice.random(), dice.choice(SPACES)
        if language == "kubernetes" or kind < 0.25:
            policies[f"{space}/n{number}"] = network_policy(dice)
        elif language == "cilium":
            name = f"CiliumNetworkPolicy {space}/k" if kind < 0.75 else "CiliumClusterwideNetworkPolicy g"
            policies[f"{name}{number}"] = cilium_policy(dice)
        else:
            name = f"CalicoNetworkPolicy {space}/k" if kind < 0.7 else "GlobalNetworkPolicy g"
            policies[f"{name}{number}"] = calico_policy(dice, everywhere=kind >= 0.7)
    return state
