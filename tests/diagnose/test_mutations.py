"""A cluster that works, broken in one place: the leading diagnosis names it, and the proposal mends it."""

import copy
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from brute_force import listed, opened
from diagnosis_cases import build_case, objects
from mutated_clusters import CLUSTERS, incidents, working

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.diagnose import diagnose
from flowdiag.diagnose.proposals import propose
from flowdiag.diagnose.proposals.proof import Ends
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.read_yaml import read_yaml

WORKING = {
    "namespaces": {
        "shop": {"labels": {"team": "shop"}},
        "data": {"labels": {"team": "data"}},
        "kube-system": {},
    },
    "pods": {
        "shop/web-1": {"ip": "10.0.1.1", "labels": {"app": "web"}},
        "shop/cart-1": {
            "ip": "10.0.1.2",
            "labels": {"app": "cart"},
            "ports": [{"name": "http", "containerPort": 8080}],
        },
        "data/redis-0": {"ip": "10.0.2.1", "node": "node-b", "labels": {"app": "redis"}},
        "kube-system/coredns-1": {"ip": "10.0.3.1", "labels": {"k8s-app": "kube-dns"}},
    },
    "services": {
        "shop/cart": {
            "ip": "10.96.1.1",
            "selector": {"app": "cart"},
            "ports": [{"port": 80, "targetPort": "http"}],
        },
    },
    "policies": {
        "shop/default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "shop/dns": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [
                {
                    "to": [
                        {
                            "namespaceSelector": {
                                "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
                            },
                            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                        }
                    ],
                    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
                }
            ],
        },
        "shop/web": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Egress"],
            "egress": [
                {"to": [{"podSelector": {"matchLabels": {"app": "cart"}}}], "ports": [{"port": 8080}]},
                {
                    "to": [{"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.128/25"]}}],
                    "ports": [{"port": 443}],
                },
            ],
        },
        "shop/cart": {
            "podSelector": {"matchLabels": {"app": "cart"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": "http"}]}
            ],
            "egress": [
                {
                    "to": [
                        {
                            "namespaceSelector": {"matchLabels": {"team": "data"}},
                            "podSelector": {"matchLabels": {"app": "redis"}},
                        }
                    ],
                    "ports": [{"port": 6379, "protocol": "TCP"}],
                }
            ],
        },
    },
}

CALLS = {
    "web-cart": ("shop/web-1", "shop/cart-1", "8080/TCP"),
    "cart-redis": ("shop/cart-1", "data/redis-0", "6379/TCP"),
    "web-dns": ("shop/web-1", "kube-system/coredns-1", "53/UDP"),
    "web-dns-tcp": ("shop/web-1", "kube-system/coredns-1", "53/TCP"),
    "web-outside": ("shop/web-1", "198.51.100.7", "443/TCP"),
}

# name: (what is changed: a path of keys and the value there; the call that breaks; the code; is it mended)
MUTATIONS = {
    "pod label mistyped": (("pods", "shop/cart-1", "labels", {"app": "carts"}), "web-cart", "FD201", True),
    "selector mistyped": (
        ("policies", "shop/cart", "ingress", 0, "from", 0, "podSelector", {"matchLabels": {"app": "Web"}}),
        "web-cart",
        "FD201",
        True,
    ),
    "peer's label under another key": (
        ("pods", "data/redis-0", "labels", {"app.kubernetes.io/name": "redis"}),
        "cart-redis",
        "FD201",
        True,
    ),
    "namespace label lost": (("namespaces", "data", {}), "cart-redis", "FD202", True),
    "namespace label mistyped": (
        ("namespaces", "data", {"labels": {"team": "dta"}}),
        "cart-redis",
        "FD202",
        True,
    ),
    "namespace by name": (
        (
            *("policies", "shop/cart", "egress", 0, "to", 0),
            "namespaceSelector",
            {"matchLabels": {"name": "data"}},
        ),
        "cart-redis",
        "FD202",
        True,
    ),
    "namespace selector forgotten": (
        ("policies", "shop/cart", "egress", 0, "to", 0, {"podSelector": {"matchLabels": {"app": "redis"}}}),
        "cart-redis",
        "FD204",
        True,
    ),
    "service port": (
        ("policies", "shop/web", "egress", 0, "ports", 0, {"port": 80}),
        "web-cart",
        "FD301",
        True,
    ),
    "port name changed in the pod": (
        ("pods", "shop/cart-1", "ports", [{"name": "web", "containerPort": 8080}]),
        "web-cart",
        "FD302",
        True,
    ),
    "protocol": (
        ("policies", "shop/cart", "egress", 0, "ports", 0, {"port": 6379, "protocol": "UDP"}),
        "cart-redis",
        "FD303",
        True,
    ),
    "wrong port": (
        ("policies", "shop/cart", "egress", 0, "ports", 0, {"port": 6380}),
        "cart-redis",
        "FD101",
        True,
    ),
    "exception widened": (
        ("policies", "shop/web", "egress", 1, "to", 0, "ipBlock", "except", ["198.51.100.0/25"]),
        "web-outside",
        "FD211",
        True,
    ),
    "dns rule deleted": (("policies", "shop/dns", None), "web-dns", "FD401", True),
    "dns over udp only": (
        ("policies", "shop/dns", "egress", 0, "ports", [{"port": 53, "protocol": "UDP"}]),
        "web-dns-tcp",
        "FD304",
        True,
    ),
    "dns namespace mistyped": (
        (
            *("policies", "shop/dns", "egress", 0, "to", 0, "namespaceSelector"),
            {"matchLabels": {"kubernetes.io/metadata.name": "kube-sytem"}},
        ),
        "web-dns",
        "FD401",
        True,
    ),
    "ingress rule deleted": (("policies", "shop/cart", "ingress", []), "web-cart", "FD102", True),
    "policyTypes too many": (
        ("policies", "data/redis", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}),
        "cart-redis",
        "FD104",
        True,
    ),
    "policyTypes left out": (
        ("policies", "data/redis", {"podSelector": {}, "egress": [{}]}),
        "cart-redis",
        "FD104",
        True,
    ),
}


def _mutated(path):
    state = copy.deepcopy(WORKING)
    *steps, last, value = path
    place = state
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return state


def _case(state, call, dialect="calico"):
    source, destination, port = CALLS[call]
    return build_case(
        {
            "state": state,
            "dialect": dialect,
            "flow": {"from": source, "to": destination, "port": port, "node": None},
        }
    )


@pytest.mark.parametrize("call", sorted(CALLS))
def test_the_cluster_works(call):
    """Before it is broken every call is allowed."""
    assert _case(WORKING, call).decision.allowed is True


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_the_leading_diagnosis_names_the_mistake(name):
    """One mutation, one code, and a proposal that restores the call."""
    path, call, code, mended = MUTATIONS[name]
    case = _case(_mutated(path), call)
    policies = compile_policies(case.context.snapshot, dialect=Dialect.CALICO)
    found = diagnose(case)

    assert case.decision.allowed is False
    assert code == found[0].code, [(one.code, one.summary) for one in found]
    proposal = propose(case, policies, Ends.of(case.context.snapshot, [case.flow.dst]))
    assert mended == (proposal is not None)


INCIDENTS = {one.name: one for one in incidents()}


def test_there_are_enough_incidents():
    """Sixty at least, each of its own, and the same for the same seed."""
    assert len(INCIDENTS) == len(incidents()) >= 60
    assert [one.spec() for one in incidents()] == [one.spec() for one in INCIDENTS.values()]


@pytest.mark.parametrize("cluster", sorted(CLUSTERS))
@pytest.mark.parametrize("number", range(3))
def test_every_cluster_works(cluster, number):
    """Whatever names are drawn: before one thing is changed every call is allowed."""
    assert [call for call, case in working(cluster, number) if case.decision.allowed is not True] == []


@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_incident(name):
    """The leading finding has the code; the proposal, read back, mends the call and opens what it lists."""
    incident = INCIDENTS[name]
    case = build_case(incident.spec())
    policies = compile_policies(case.context.snapshot, dialect=Dialect(incident.dialect))
    ends = Ends.of(case.context.snapshot, [case.flow.src, case.flow.dst])
    findings = diagnose(case)
    proved = propose(case, policies, ends)
    proposal = proved and proved.for_all(())

    assert case.decision.allowed is False
    assert incident.code == findings[0].code, [(one.code, one.summary) for one in findings]
    if incident.language is None:
        assert proposal is None
        return
    assert proposal is not None
    manifests = [read_yaml(text) for text in proposal.manifests]
    assert incident.language in {one["kind"] for one in manifests}
    applied = compile_policies(_applied(incident.state, manifests), dialect=policies.dialect)
    assert applied.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True
    assert listed(proposal, policies, applied) == opened(case, policies, applied, ends)


def _applied(state, manifests):
    """The state's objects with the manifests in the place of those of their names."""
    changed = {_key(one) for one in manifests}
    items = [one for one in objects(state) if _key(one) not in changed]
    document = json.dumps({"kind": "List", "items": items + manifests}).encode()
    snapshot, problems = build_snapshot([("state.json", document)])
    assert problems == []
    return snapshot


def _key(one):
    group = one["apiVersion"].partition("/")[0]
    return (group, one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
