"""Whoever may read one namespace only sees one end: the other is unknown, and a question to its owner."""

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies

STATE = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 80}]}]}
"""


def pod(namespace, name):
    return Endpoint(kind=EndpointKind.POD, namespace=namespace, name=name)


def asked(text, port):
    snapshot, _ = build_snapshot([("state.yaml", text.encode())])
    policies = compile_policies(snapshot, dialect=Dialect.KUBERNETES)
    return policies.evaluate(pod("shop", "web"), pod("pay", "api"), "TCP", port)


def test_the_far_end_is_unknown_and_worded_as_a_question():
    """One's own end allows; nobody here knows what the other says."""
    answer = asked(STATE, 80)

    assert (answer.allowed, answer.egress.allowed, answer.ingress.allowed) == (None, True, None)
    assert "ask its owner" in answer.ingress.unknown[0]
    assert "pay" in answer.ingress.unknown[0]


def test_ones_own_refusal_is_certain_all_the_same():
    """Both ends must allow: one that refuses is enough."""
    assert asked(STATE, 8080).allowed is False


def test_a_namespace_that_was_read_and_has_no_policies_allows():
    """A declared namespace without policies isolates nobody."""
    declared = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: pay}\n"

    assert asked(STATE + declared, 80).allowed is True
