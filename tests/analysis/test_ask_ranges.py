"""A CIDR is asked for every part that policies tell apart."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies

STATE = b"""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/25}}]}]}
"""


def ask(dst):
    snapshot, _ = build_snapshot([("state.yaml", STATE)])
    policies = compile_policies(snapshot, dialect=Dialect.KUBERNETES)
    return Asker(snapshot, policies).ask("shop/web", dst, "TCP", 443)


@pytest.mark.parametrize(
    ("dst", "allowed"),
    [("192.0.2.0/26", True), ("192.0.2.0/25", True), ("192.0.2.128/25", False), ("198.51.100.0/24", False)],
)
def test_a_range_of_one_mind_has_its_answer(dst, allowed):
    """No policy tells its addresses apart."""
    assert ask(dst).allowed is allowed


def test_a_range_whose_addresses_differ_is_mixed():
    """Both parts are named with their answers."""
    answer = ask("192.0.2.0/24")

    assert answer.allowed is None
    assert answer.error.startswith("mixed: ")
    assert "192.0.2.0-192.0.2.127 allowed" in answer.error
    assert "192.0.2.128-192.0.2.255 denied" in answer.error
