"""What an endpoint's policies require of every peer: ``fromRequires`` and ``toRequires``, enforced before Cilium 1.19."""

import pytest

from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.policy.scenes import net_policy, pod, pod_end, snapshot

DB = pod("shop", "db", {"app": "db"}, ip="10.0.0.1")
PROD = {"matchLabels": {"env": "prod"}}
AUDITED = {"matchExpressions": [{"key": "audited", "operator": "Exists"}]}


def ask(labels, *rules, namespace="shop"):
    """Whether a pod with these labels reaches the database, which these ingress rules select."""
    peer = pod(namespace, "peer", labels, ip="10.0.0.2")
    policies = [
        net_policy(
            "shop",
            f"p{n}",
            {"endpointSelector": {}, "ingress": [rule]},
            kind="CiliumNetworkPolicy",
            group="cilium.io",
            version="v2",
        )
        for n, rule in enumerate(rules)
    ]
    policies = compile_policies(snapshot([DB, peer], policies), dialect=Dialect.CILIUM)
    return policies.evaluate(pod_end(peer), pod_end(DB), "TCP", 5432).ingress


ANY = {"fromEndpoints": [{}]}


@pytest.mark.parametrize(
    ("labels", "requires", "allowed"),
    [
        ({"env": "prod", "audited": "yes"}, [PROD, AUDITED], True),
        ({"env": "prod"}, [PROD, AUDITED], None),
        ({"audited": "yes"}, [PROD, AUDITED], None),
        ({}, [PROD, AUDITED], None),
        ({"env": "prod"}, [PROD], True),
        ({"env": "test"}, [PROD], None),
    ],
)
def test_every_entry_is_required(labels, requires, allowed):
    """Entries are no alternatives, unlike those of fromEndpoints; which release runs is not known."""
    assert ask(labels, {**ANY, "fromRequires": requires}).allowed is allowed
    assert ask(labels, ANY, {"fromRequires": requires}).allowed is allowed


def test_a_requirement_allows_nothing():
    """It narrows what others allow, and isolates like any rule."""
    assert ask({"env": "prod"}, {"fromRequires": [PROD]}).allowed is False


def test_a_requirement_is_of_the_policy_s_namespace():
    """As the entries of fromEndpoints are."""
    every = {
        "fromEndpoints": [
            {"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}]}
        ]
    }

    assert ask({"env": "prod"}, every, {"fromRequires": [PROD]}, namespace="other").allowed is None
    assert ask({"env": "prod"}, every, namespace="other").allowed is True


def test_what_is_unmet_is_said():
    """The answer names the field and the release."""
    (why,) = ask({"env": "test"}, {**ANY, "fromRequires": [PROD, AUDITED]}).unknown

    assert "ingress[0].fromRequires" in why
    assert "removed in Cilium 1.19" in why
