"""A field that nobody reads is said and makes the answer unknown: a misspelt one would mean something else."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster import build_snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies

PODS = b"""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
status: {phase: Running, podIP: 10.0.1.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
"""
SOUND = """
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.1/32]}}], ports: [{port: 80, protocol: TCP}]}]
"""


def asked(spec, src="192.0.2.7", dst="shop/db"):
    snapshot, problems = build_snapshot([("state.yaml", PODS + spec.encode())])
    answer = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.KUBERNETES)).ask(src, dst, "TCP", 80)
    return answer.allowed, [problem.message.rpartition("shop/p: ")[2] for problem in problems]


def test_the_sound_policy_is_evaluated():
    """What the misspelt ones are held against."""
    assert asked(SOUND) == (True, [])


@pytest.mark.parametrize(
    ("right", "wrong", "path"),
    [
        ("podSelector", "podSelecter", "podSelecter"),
        ("policyTypes", "policyType", "policyType"),
        ("ingress:", "ingres:", "ingres"),
        ("from", "form", "ingress[0].form"),
        ("ports", "port_s", "ingress[0].port_s"),
        ("ipBlock", "ipblock", "ingress[0].from[0].ipblock"),
        ("except", "expect", "ingress[0].from[0].ipBlock.expect"),
        ("protocol", "protocoll", "ingress[0].ports[0].protocoll"),
        ("matchLabels", "matchLabel", "podSelector.matchLabel"),
    ],
)
def test_a_misspelt_field_is_said_with_the_right_one(right, wrong, path):
    """The ends that the policy selects have no answer; the others have theirs."""
    allowed, problems = asked(SOUND.replace(right, wrong))

    assert allowed is None
    assert f"{path}: there is no such field; did you mean {right.rstrip(':')}?" in problems


def test_others_are_not_concerned():
    """The policy selects its own ends all the same, where that can be read."""
    assert asked(SOUND.replace("ingress:", "ingres:"), dst="shop/web")[0] is True


CILIUM = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: c, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
"""
ADMIN = """
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: a}
spec: {priority: 5, subject: {namespaces: {}}, ingres: [{name: x, action: Deny, from: [{namespaces: {}}]}]}
"""


@pytest.mark.parametrize(
    ("policy", "dialect", "allowed"),
    [
        (CILIUM + "  ingres: [{fromEndpoints: [{}]}]\n", Dialect.CILIUM, None),
        (CILIUM, Dialect.CILIUM, True),
        (ADMIN, Dialect.KUBERNETES, None),
    ],
)
def test_other_kinds_too(policy, dialect, allowed):
    """A policy of which no section is left is one without rules, unless a field is there that nobody knows."""
    pods = PODS.rpartition(b"---")[0]
    snapshot, _ = build_snapshot([("state.yaml", pods), ("policy.yaml", policy.encode())])
    answer = Asker(snapshot, compile_policies(snapshot, dialect=dialect)).ask(
        "shop/web", "shop/db", "TCP", 80
    )

    assert answer.allowed is allowed
    assert (answer.error is None) == (allowed is not None)
