"""A pod with addresses of both families is asked for by both: what they do not share is mixed."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
status: {phase: Running, podIP: 10.0.1.1, podIPs: [{ip: 10.0.1.1}, {ip: "2001:db8:0:1::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: redis, namespace: data}
status: {phase: Running, podIP: 10.0.2.1, podIPs: [{ip: 10.0.2.1}, {ip: "2001:db8:0:2::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: data}
status: {phase: Running, podIP: 10.0.3.1}
"""
FOUR, SIX = {"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "2001:db8::/32"}}


def ask(dst, *peers, src="shop/web"):
    """Whether the pod may go there where its namespace's egress is to these peers alone."""
    policy = f"""
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: out, namespace: shop}}
spec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: {list(peers)}}}]}}
"""
    snapshot, problems = build_snapshot([("state.yaml", f"{PODS}---{policy}".encode())])
    assert problems == []
    return Asker(snapshot, compile_policies(snapshot, dialect=Dialect.CALICO)).ask(src, dst, "TCP", 6379)


@pytest.mark.parametrize(("peer", "words"), [(FOUR, ("allowed", "denied")), (SIX, ("denied", "allowed"))])
def test_a_range_of_one_family_is_half_an_answer(peer, words):
    """The other family is refused, which a yes or a no would hide."""
    answer = ask("data/redis", peer)

    assert answer.allowed is None
    assert answer.error == (
        f"mixed: shop/web (10.0.1.1) -> data/redis (10.0.2.1) {words[0]}, "
        f"shop/web (2001:db8:0:1::1) -> data/redis (2001:db8:0:2::1) {words[1]}"
    )


@pytest.mark.parametrize(
    ("dst", "peers", "allowed"),
    [
        ("data/redis", (FOUR, SIX), True),
        ("data/redis", ({"ipBlock": {"cidr": "192.0.2.0/24"}},), False),
        ("data/redis", ({"namespaceSelector": {}},), True),
        ("data/old", (FOUR,), True),
        ("data/old", (SIX,), False),
        ("10.0.2.1", (FOUR,), True),
        ("2001:db8:0:2::1", (FOUR,), False),
        ("2001:db8:9::9", (SIX,), True),
        ("192.0.2.9", (SIX,), False),
    ],
)
def test_what_both_families_share_is_one_answer(dst, peers, allowed):
    """So is an address, which has one family, and a pod that has one."""
    answer = ask(dst, *peers)

    assert (answer.allowed, answer.error, len(answer.pairs)) == (allowed, None, 1)


def test_the_side_that_serves_is_asked_by_the_callers_family():
    """An address outside reaches the pod by its own family."""
    (pair,) = ask("shop/web", FOUR, src="2001:db8:9::9").pairs

    assert pair.dst.ip == "2001:db8:0:1::1"
