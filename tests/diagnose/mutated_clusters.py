"""Incidents made from clusters that work: one thing is changed in one place, seeded, and one call breaks.

Four clusters, each in the language of one team: NetworkPolicy, Cilium, Calico, and NetworkPolicy with an
AdminNetworkPolicy before it.  An operator says what is changed, which call breaks and which code explains
it; names, ports and typing mistakes are drawn from the seed.
"""

import copy
import random

from diagnosis_cases import build_case
from msgspec import Struct

NAME = "kubernetes.io/metadata.name"
SEED = 20260301
WORDS = ("billing", "catalog", "orders", "search", "reports", "gateway", "mailer", "stock")


class Names(Struct, frozen=True):
    """What is drawn for one cluster."""

    client: str
    server: str
    store: str
    port: int
    store_port: int


class Incident(Struct, frozen=True):
    """One broken cluster and what is to be found out about it."""

    name: str
    state: dict
    flow: dict
    dialect: str
    code: str
    language: str | None
    """Kind of the policy that the proposal changes or adds; ``None`` where a rule would be no remedy."""

    def spec(self):
        """As `build_case` reads it."""
        return {"state": self.state, "flow": self.flow, "dialect": self.dialect}


def draw(rng):
    """Draw names and ports that differ from each other."""
    client, server, store = rng.sample(WORDS, 3)
    port, store_port = rng.sample((8080, 8443, 3000, 9000, 5000, 8888), 2)
    return Names(client, server, store, port, store_port)


def mistyped(word, rng):
    """Two neighbouring letters swapped, or one left out, never the word itself."""
    place = rng.randrange(1, len(word) - 1)
    if word[place] != word[place - 1] and rng.random() < 0.5:
        return word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]
    return word[:place] + word[place + 1 :]


# --- working clusters --------------------------------------------------------------------------


def _base(names):
    return {
        "namespaces": {
            "shop": {"labels": {"team": "shop"}},
            "data": {"labels": {"team": "data"}},
            "kube-system": {},
        },
        "nodes": {"node-a": {"ip": "192.0.2.11"}, "node-b": {"ip": "192.0.2.12"}},
        "pods": {
            f"shop/{names.client}-1": {"ip": "10.0.1.1", "labels": {"app": names.client}},
            f"shop/{names.server}-1": {
                "ip": "10.0.1.2",
                "labels": {"app": names.server},
                "ports": [{"name": "http", "containerPort": names.port}],
            },
            f"data/{names.store}-0": {"ip": "10.0.2.1", "node": "node-b", "labels": {"app": names.store}},
            "data/cache-0": {"ip": "10.0.2.2", "node": "node-b", "labels": {"app": "cache"}},
            "kube-system/coredns-1": {"ip": "10.0.3.1", "labels": {"k8s-app": "kube-dns"}},
        },
        "services": {
            f"shop/{names.server}": {
                "ip": "10.96.1.1",
                "selector": {"app": names.server},
                "ports": [{"port": 80, "targetPort": "http"}],
            },
            "kube-system/kube-dns": {
                "ip": "10.96.0.10",
                "selector": {"k8s-app": "kube-dns"},
                "ports": [{"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"}],
            },
        },
    }


def _app(name):
    return {"matchLabels": {"app": name}}


def kubernetes(names):
    """Default deny in both namespaces, opened by NetworkPolicies."""
    dns_ports = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    dns = {
        "namespaceSelector": {"matchLabels": {NAME: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    store = {"namespaceSelector": {"matchLabels": {"team": "data"}}, "podSelector": _app(names.store)}
    server = {"namespaceSelector": {"matchLabels": {"team": "shop"}}, "podSelector": _app(names.server)}
    outside = {"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.128/25"]}}
    policies = {
        "shop/default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "shop/dns": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"to": [dns], "ports": dns_ports}],
        },
        "shop/client": {
            "podSelector": _app(names.client),
            "policyTypes": ["Egress"],
            "egress": [
                {"to": [{"podSelector": _app(names.server)}], "ports": [{"port": names.port}]},
                {"to": [outside], "ports": [{"port": 443}]},
            ],
        },
        "shop/server": {
            "podSelector": _app(names.server),
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": _app(names.client)}], "ports": [{"port": "http"}]}],
            "egress": [{"to": [store], "ports": [{"port": names.store_port}]}],
        },
        "data/store": {
            "podSelector": _app(names.store),
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [server], "ports": [{"port": names.store_port}]}],
        },
    }
    return {**_base(names), "policies": policies}


def cilium(names):
    """The same by CiliumNetworkPolicies."""
    space = "k8s:io.kubernetes.pod.namespace"

    def ports(port, *protocols):
        return [{"ports": [{"port": str(port), "protocol": one} for one in protocols or ("TCP",)]}]

    policies = {
        "CiliumNetworkPolicy shop/client": {
            "endpointSelector": _app(names.client),
            "egress": [
                {"toEndpoints": [_app(names.server)], "toPorts": ports(names.port)},
                {"toCIDR": ["198.51.100.0/25"], "toPorts": ports(443)},
                {
                    "toEndpoints": [{"matchLabels": {space: "kube-system", "k8s-app": "kube-dns"}}],
                    "toPorts": ports(53, "UDP", "TCP"),
                },
            ],
        },
        "CiliumNetworkPolicy shop/server": {
            "endpointSelector": _app(names.server),
            "ingress": [{"fromEndpoints": [_app(names.client)], "toPorts": ports(names.port)}],
            "egress": [
                {
                    "toEndpoints": [{"matchLabels": {space: "data", "app": names.store}}],
                    "toPorts": ports(names.store_port),
                }
            ],
        },
        "CiliumNetworkPolicy data/store": {
            "endpointSelector": _app(names.store),
            "ingress": [
                {
                    "fromEndpoints": [{"matchLabels": {space: "shop", "app": names.server}}],
                    "toPorts": ports(names.store_port),
                }
            ],
        },
    }
    return {**_base(names), "policies": policies}


def calico(names):
    """The same by Calico's policies, with a tier of the platform before."""

    def rule(side, peer, port, protocol="TCP"):
        found = {"action": "Allow", "protocol": protocol, side: dict(peer)}
        found["destination"] = {**found.get("destination", {}), "ports": [port]}
        return found

    def app(name, space=None):
        text = {"selector": f"app == '{name}'"}
        return text if space is None else {**text, "namespaceSelector": f"team == '{space}'"}

    dns = {
        "selector": "k8s-app == 'kube-dns'",
        "namespaceSelector": "projectcalico.org/name == 'kube-system'",
    }
    policies = {
        "GlobalNetworkPolicy platform.guard": {
            "tier": "platform",
            "order": 50,
            "selector": "all()",
            "types": ["Egress"],
            "egress": [{"action": "Deny", "protocol": "TCP", "destination": {"ports": [names.store_port]}}],
        },
        "GlobalNetworkPolicy platform.pass": {
            "tier": "platform",
            "order": 10,
            "selector": "all()",
            "types": ["Ingress", "Egress"],
            "ingress": [{"action": "Pass"}],
            "egress": [{"action": "Pass"}],
        },
        "CalicoNetworkPolicy shop/client": {
            "order": 100,
            "selector": f"app == '{names.client}'",
            "types": ["Egress"],
            "egress": [
                rule("destination", app(names.server), names.port),
                rule("destination", {"nets": ["198.51.100.0/25"]}, 443),
                *(rule("destination", dns, 53, protocol) for protocol in ("UDP", "TCP")),
            ],
        },
        "CalicoNetworkPolicy shop/server": {
            "order": 100,
            "selector": f"app == '{names.server}'",
            "types": ["Ingress", "Egress"],
            "ingress": [rule("source", app(names.client), names.port)],
            "egress": [rule("destination", app(names.store, "data"), names.store_port)],
        },
        "CalicoNetworkPolicy data/store": {
            "order": 100,
            "selector": f"app == '{names.store}'",
            "types": ["Ingress"],
            "ingress": [rule("source", app(names.server, "shop"), names.store_port)],
        },
    }
    tier = {"apiVersion": "projectcalico.org/v3", "kind": "Tier"}
    return {
        **_base(names),
        "policies": policies,
        "objects": [{**tier, "metadata": {"name": "platform"}, "spec": {"order": 100}}],
    }


def admin(names):
    """NetworkPolicies, and an AdminNetworkPolicy that lets the store be reached."""
    state = kubernetes(names)
    del state["policies"]["data/store"]
    pods = {
        "namespaceSelector": {"matchLabels": {NAME: "shop"}},
        "podSelector": _app(names.server),
    }
    state["policies"]["data/default-deny"] = {"podSelector": {}, "policyTypes": ["Ingress"]}
    state["policies"]["AdminNetworkPolicy store"] = {
        "priority": 20,
        "subject": {"namespaces": {"matchLabels": {NAME: "data"}}},
        "ingress": [
            {
                "name": "server",
                "action": "Allow",
                "from": [{"pods": pods}],
                "ports": [{"portNumber": {"protocol": "TCP", "port": names.store_port}}],
            }
        ],
    }
    return state


CLUSTERS = {
    "kubernetes": (kubernetes, "calico"),
    "cilium": (cilium, "cilium"),
    "calico": (calico, "calico"),
    "admin": (admin, "calico"),
    "netpol on cilium": (kubernetes, "cilium"),
}


def calls(names):
    """Calls that work in every cluster."""
    client, server, store = f"shop/{names.client}-1", f"shop/{names.server}-1", f"data/{names.store}-0"
    return {
        "client-server": (client, server, f"{names.port}/TCP"),
        "server-store": (server, store, f"{names.store_port}/TCP"),
        "client-outside": (client, "198.51.100.7", "443/TCP"),
        "client-dns": (client, "kube-system/coredns-1", "53/UDP"),
        "client-dns-tcp": (client, "kube-system/coredns-1", "53/TCP"),
    }


# --- operators ---------------------------------------------------------------------------------

NETPOL = "NetworkPolicy"


def _set(*steps):
    """Put a value at a path; ``None`` takes the key away."""

    def change(state, value):
        *way, last = steps
        place = state
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


def _operators(n, rng):
    """(cluster, what is changed, change, value, call, code, language) of every operator."""
    server_pod, store_pod = f"shop/{n.server}-1", f"data/{n.store}-0"
    bad = {word: mistyped(word, rng) for word in (n.client, n.server, n.store, "data", "shop", "kube-system")}
    other = rng.choice([port for port in (6001, 7070, 4040) if port not in (n.port, n.store_port)])
    server_egress = ("policies", "shop/server", "egress", 0)
    dns_to = ("policies", "shop/dns", "egress", 0, "to", 0)
    c_client, c_server, c_store = (
        f"CiliumNetworkPolicy {one}" for one in ("shop/client", "shop/server", "data/store")
    )
    k_client, k_server, k_store = (
        f"CalicoNetworkPolicy {one}" for one in ("shop/client", "shop/server", "data/store")
    )
    cilium_kind, plain = "CiliumNetworkPolicy", NETPOL
    to_port = ("toPorts", 0, "ports", 0)
    yield from (
        (
            "kubernetes",
            "pod label",
            _set("pods", server_pod, "labels"),
            {"app": bad[n.server]},
            "client-server",
            "FD201",
            plain,
        ),
        (
            "kubernetes",
            "pod label key",
            _set("pods", store_pod, "labels"),
            {"app.kubernetes.io/name": n.store},
            "server-store",
            "FD201",
            plain,
        ),
        (
            "kubernetes",
            "peer selector",
            _set("policies", "shop/server", "ingress", 0, "from", 0, "podSelector"),
            _app(bad[n.client]),
            "client-server",
            "FD201",
            plain,
        ),
        (
            "kubernetes",
            "namespace label lost",
            _set("namespaces", "data"),
            {},
            "server-store",
            "FD202",
            plain,
        ),
        (
            "kubernetes",
            "namespace label",
            _set("namespaces", "data"),
            {"labels": {"team": bad["data"]}},
            "server-store",
            "FD202",
            plain,
        ),
        (
            "kubernetes",
            "namespace by key name",
            _set(*server_egress, "to", 0, "namespaceSelector"),
            {"matchLabels": {"name": "data"}},
            "server-store",
            "FD202",
            plain,
        ),
        (
            "kubernetes",
            "namespace selector forgotten",
            _set(*server_egress, "to", 0),
            {"podSelector": _app(n.store)},
            "server-store",
            "FD204",
            plain,
        ),
        (
            "kubernetes",
            "peers split",
            _set(*server_egress, "to"),
            [{"namespaceSelector": {"matchLabels": {"team": "dta"}}}, {"podSelector": _app(n.store)}],
            "server-store",
            "FD204",
            plain,
        ),
        (
            "kubernetes",
            "Service port in the rule",
            _set("policies", "shop/client", "egress", 0, "ports", 0),
            {"port": 80},
            "client-server",
            "FD301",
            plain,
        ),
        (
            "kubernetes",
            "named port renamed",
            _set("pods", server_pod, "ports"),
            [{"name": "web", "containerPort": n.port}],
            "client-server",
            "FD302",
            plain,
        ),
        (
            "kubernetes",
            "protocol",
            _set(*server_egress, "ports", 0),
            {"port": n.store_port, "protocol": "UDP"},
            "server-store",
            "FD303",
            plain,
        ),
        (
            "kubernetes",
            "protocol SCTP",
            _set(*server_egress, "ports", 0),
            {"port": n.store_port, "protocol": "SCTP"},
            "server-store",
            "FD303",
            plain,
        ),
        (
            "kubernetes",
            "port",
            _set(*server_egress, "ports", 0),
            {"port": other},
            "server-store",
            "FD102",
            plain,
        ),
        (
            "kubernetes",
            "except range",
            _set("policies", "shop/client", "egress", 1, "to", 0, "ipBlock", "except"),
            ["198.51.100.0/25"],
            "client-outside",
            "FD211",
            plain,
        ),
        ("kubernetes", "DNS rule missing", _set("policies", "shop/dns"), None, "client-dns", "FD401", plain),
        (
            "kubernetes",
            "DNS over UDP only",
            _set("policies", "shop/dns", "egress", 0, "ports"),
            [{"port": 53, "protocol": "UDP"}],
            "client-dns-tcp",
            "FD304",
            plain,
        ),
        (
            "kubernetes",
            "DNS namespace",
            _set(*dns_to, "namespaceSelector"),
            {"matchLabels": {NAME: bad["kube-system"]}},
            "client-dns",
            "FD401",
            plain,
        ),
        (
            "kubernetes",
            "ingress rule deleted",
            _set("policies", "shop/server", "ingress"),
            [],
            "client-server",
            "FD102",
            plain,
        ),
        (
            "kubernetes",
            "policyTypes left out",
            _set("policies", "data/store"),
            {"podSelector": {}, "egress": [{}]},
            "server-store",
            "FD104",
            plain,
        ),
        (
            "cilium",
            "pod label",
            _set("pods", server_pod, "labels"),
            {"app": bad[n.server]},
            "client-server",
            "FD201",
            cilium_kind,
        ),
        (
            "cilium",
            "port",
            _set("policies", c_server, "egress", 0, *to_port),
            {"port": str(other), "protocol": "TCP"},
            "server-store",
            "FD102",
            cilium_kind,
        ),
        (
            "cilium",
            "Service port in the rule",
            _set("policies", c_client, "egress", 0, *to_port),
            {"port": "80", "protocol": "TCP"},
            "client-server",
            "FD301",
            cilium_kind,
        ),
        (
            "cilium",
            "protocol",
            _set("policies", c_store, "ingress", 0, *to_port),
            {"port": str(n.store_port), "protocol": "UDP"},
            "server-store",
            "FD303",
            cilium_kind,
        ),
        (
            "cilium",
            "range for a pod",
            _set("policies", c_client, "egress", 0),
            {"toCIDR": ["10.0.1.0/24"], "toPorts": [{"ports": [{"port": str(n.port), "protocol": "TCP"}]}]},
            "client-server",
            "FD206",
            cilium_kind,
        ),
        (
            "cilium",
            "DNS rule missing",
            _set("policies", c_client, "egress", 2),
            None,
            "client-dns",
            "FD401",
            cilium_kind,
        ),
        (
            "calico",
            "pod label",
            _set("pods", server_pod, "labels"),
            {"app": bad[n.server]},
            "client-server",
            "FD201",
            plain,
        ),
        (
            "calico",
            "port",
            _set("policies", k_server, "egress", 0, "destination", "ports"),
            [other],
            "server-store",
            "FD102",
            plain,
        ),
        (
            "calico",
            "protocol",
            _set("policies", k_store, "ingress", 0, "protocol"),
            "UDP",
            "server-store",
            "FD303",
            plain,
        ),
        (
            "calico",
            "order in the tier",
            _set("policies", "GlobalNetworkPolicy platform.guard", "order"),
            5,
            "server-store",
            "FD502",
            None,
        ),
        (
            "calico",
            "range",
            _set("policies", k_client, "egress", 1, "destination", "nets"),
            ["198.51.100.128/25"],
            "client-outside",
            "FD101",
            plain,
        ),
        (
            "calico",
            "DNS rule missing",
            _set("policies", k_client, "egress"),
            [
                {
                    "action": "Allow",
                    "protocol": "TCP",
                    "destination": {"selector": f"app == '{n.server}'", "ports": [n.port]},
                }
            ],
            "client-dns",
            "FD401",
            plain,
        ),
        (
            "netpol on cilium",
            "range for a pod",
            _set("policies", "shop/client", "egress", 0, "to", 0),
            {"ipBlock": {"cidr": "10.0.1.0/24"}},
            "client-server",
            "FD206",
            plain,
        ),
        (
            "kubernetes",
            "hostNetwork",
            _set("pods", server_pod),
            {"ip": "192.0.2.11", "host_network": True, "labels": {"app": n.server}},
            "client-server",
            "FD205",
            None,
        ),
        (
            "admin",
            "port",
            _set("policies", "AdminNetworkPolicy store", "ingress", 0, "ports", 0, "portNumber", "port"),
            other,
            "server-store",
            "FD102",
            "AdminNetworkPolicy",
        ),
        (
            "admin",
            "pod label",
            _set("policies", "AdminNetworkPolicy store", "ingress", 0, "from", 0, "pods", "podSelector"),
            _app(bad[n.server]),
            "server-store",
            "FD201",
            "AdminNetworkPolicy",
        ),
    )


def incidents(rounds=3, seed=SEED):
    """Every operator, once a round with other names; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - names of a test, no secret
    found = []
    for number in range(rounds):
        names = draw(rng)
        for cluster, what, change, value, call, code, language in _operators(names, rng):
            build, dialect = CLUSTERS[cluster]
            state = copy.deepcopy(build(names))
            change(state, copy.deepcopy(value))
            source, destination, port = calls(names)[call]
            flow = {"from": source, "to": destination, "port": port, "node": None}
            name = f"{cluster}: {what} #{number + 1}"
            found.append(Incident(name, state, flow, dialect, code, language))
    return found


def working(cluster, number=0):
    """(call, case) of every call of a cluster before it is broken."""
    rng = random.Random(SEED + number)  # noqa: S311 - names of a test, no secret
    names = draw(rng)
    build, dialect = CLUSTERS[cluster]
    for call, (source, destination, port) in sorted(calls(names).items()):
        flow = {"from": source, "to": destination, "port": port, "node": None}
        yield call, build_case({"state": build(names), "flow": flow, "dialect": dialect})
