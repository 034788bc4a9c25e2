"""A pod with addresses of both families is asked for by both: what they do not share is mixed."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.errors import InputError
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
metadata: {name: redis, namespace: data, labels: {app: redis}}
status: {phase: Running, podIP: 10.0.2.1, podIPs: [{ip: 10.0.2.1}, {ip: "2001:db8:0:2::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: data, labels: {app: redis}}
status: {phase: Running, podIP: 10.0.3.1}
---
apiVersion: v1
kind: Service
metadata: {name: four, namespace: data}
spec: {clusterIPs: [10.96.0.4], selector: {app: redis}, ports: [{port: 6379}]}
---
apiVersion: v1
kind: Service
metadata: {name: both, namespace: data}
spec: {clusterIPs: [10.96.0.5, "2001:db8:96::5"], selector: {app: redis}, ports: [{port: 6379}]}
---
apiVersion: v1
kind: Service
metadata: {name: six, namespace: data}
spec: {clusterIPs: ["2001:db8:96::6"], selector: {app: redis, six: "yes"}, ports: [{port: 6379}]}
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: data, labels: {app: redis, six: "yes"}}
status: {phase: Running, podIP: 10.0.4.1}
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


@pytest.mark.parametrize(
    ("dst", "peer", "allowed", "pairs"),
    [
        ("svc:data/four", FOUR, True, {"redis", "old", "lone"}),
        ("svc:data/four", SIX, False, {"redis", "old", "lone"}),
        ("2001:db8:96::5", SIX, True, {"redis"}),
        ("2001:db8:96::5", FOUR, False, {"redis"}),
        ("10.96.0.5", FOUR, True, {"redis", "old", "lone"}),
        ("svc:data/both", {"namespaceSelector": {}}, True, {"redis", "old", "lone"}),
    ],
)
def test_a_service_is_called_in_the_families_of_its_addresses(dst, peer, allowed, pairs):
    """One of a single family leads to its pods' addresses of that, and a pod without one is not behind it."""
    answer = ask(dst, peer)

    assert (answer.allowed, answer.error) == (allowed, None)
    assert {pair.dst.name for pair in answer.pairs} == pairs


def test_a_service_without_pods_of_its_family_has_nobody_behind_it():
    """Its pod has IPv4 alone."""
    with pytest.raises(InputError, match="has an address of the family of 2001:db8:96::6"):
        ask("svc:data/six", FOUR)


def test_the_side_that_serves_is_asked_by_the_callers_family():
    """An address outside reaches the pod by its own family."""
    (pair,) = ask("shop/web", FOUR, src="2001:db8:9::9").pairs

    assert pair.dst.ip == "2001:db8:0:1::1"
