"""A CIDR is asked for every part that policies tell apart, and for the pods and nodes in it."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.errors import InputError
from flowdiag.model.policy import Dialect, IpBlockPods
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


HELD = b"""
apiVersion: v1
kind: Node
metadata: {name: node-a}
spec: {podCIDR: 10.0.1.0/24}
status: {addresses: [{type: InternalIP, address: 192.0.2.10}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: cron, namespace: shop, labels: {app: cron}}
status: {phase: Running, podIP: 10.0.2.1}
---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: shop, labels: {app: web}}
status: {phase: Succeeded, podIP: 10.0.3.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: data, labels: {app: db}}
spec: {nodeName: node-b}
status: {phase: Running, podIP: 10.9.0.1}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: 10.96.0.5, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: in, namespace: data}
spec:
  podSelector: {}
  ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]}]
"""


def held(src, dst="data/db"):
    snapshot, _ = build_snapshot([("state.yaml", HELD)])
    policies = compile_policies(snapshot, dialect=Dialect.KUBERNETES, ip_block_pods=IpBlockPods.MATCH)
    asker = Asker(snapshot, policies)
    return asker, asker.ask(src, dst, "TCP", 443)


def test_the_pods_in_a_range_answer_for_it():
    """What a node's pod range has free is nobody's, and not an address outside."""
    asker, answer = held("10.0.1.0/24")

    assert answer.allowed is True
    assert answer.error is None
    assert [pair.src.name for pair in answer.pairs] == ["web"]
    assert asker.readings == [
        "10.0.1.0/24 holds 1 pod of the state: they are asked for, and what is left of it as outside"
    ]


def test_a_range_with_pods_of_which_only_some_may_is_mixed():
    """So is one that also reaches outside."""
    _, answer = held("10.0.0.0/22")

    assert answer.allowed is None
    assert "shop/web -> data/db allowed" in answer.error
    assert "shop/cron -> data/db denied" in answer.error
    assert "10.0.2.0-10.0.3.255 -> data/db denied" in answer.error


def test_a_range_of_one_address_is_who_has_it():
    """Nothing is left of it outside."""
    _, answer = held("10.0.2.1/32")
    assert [pair.src.name for pair in answer.pairs] == ["cron"]


def test_a_range_with_a_node_asks_for_the_node():
    """As its address alone does."""
    _, answer = held("192.0.2.0/28")

    assert [pair.src.name for pair in answer.pairs] == ["node-a", "the rest of 192.0.2.0/28"]


def test_a_pod_that_is_gone_holds_no_address():
    """Its address is outside, as when it is asked for alone."""
    asker, answer = held("10.0.3.0/24")

    assert answer.allowed is False
    assert asker.readings == []


def test_every_address_is_the_outside():
    """Nobody means the cluster's own pods by 0.0.0.0/0; it is said that they are left out."""
    asker, answer = held("0.0.0.0/0")

    assert answer.allowed is False
    assert asker.readings == [
        "0.0.0.0/0 is read as every address outside; the 3 pods and 1 node of the state are ends of their own"
    ]


def test_a_range_of_services_is_no_end():
    """Policies see the pods behind them: which ones is for the person to say."""
    with pytest.raises(InputError, match="holds addresses of Services") as caught:
        held("shop/web", "10.96.0.0/16")

    assert caught.value.hint == "ask for svc:data/db"


def test_ranges_outside_on_both_sides_are_left_out_beside_pods():
    """The pods in the range are asked for; the rest of it has no policy on either side."""
    _, answer = held("10.0.0.0/8", "198.51.100.0/24")

    assert answer.allowed is True


def test_an_address_that_only_a_pod_can_have_is_said_to_be_read_as_outside():
    """Its pod was not collected, or is gone: labels, and policies of its own, are missing and not absent."""
    snapshot, _ = build_snapshot([("state.yaml", HELD)])
    asker = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.KUBERNETES))
    asker.ask("shop/web", "10.0.1.200", "TCP", 443)
    asker.ask("shop/web", "198.51.100.7", "TCP", 443)

    assert asker.readings == ["10.0.1.200 is read as an address outside (pod address without a known owner)"]
