"""The label that somebody may have meant, ranking, and the walk through ordered tiers."""

import pytest

from flowdiag.model.policy import Dialect
from flowdiag.policy import PortSet, closest_label, compile_policies
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot


@pytest.mark.parametrize(
    ("wanted", "labels", "closest"),
    [
        ("app=Front", ["app=front", "app=frond"], "app=front"),
        ("app=frontend", ["app=frontent", "app=backend"], "app=frontent"),
        ("app=front", ["application=front"], "application=front"),
        ("app=front", ["app=x", "tier=y"], None),
        ("app=a", ["app=b"], "app=b"),
        ("ap=web", ["app=web"], "app=web"),
        ("app=front", ["app=front"], None),
        ("app", ["app=front"], None),
        ("app=front", ["x" * 500], None),
        ("name=payments", ["kubernetes.io/metadata.name=payments"], "kubernetes.io/metadata.name=payments"),
        ("app=ab", ["app=aa", "app=bb"], "app=aa"),
    ],
)
def test_the_closest_label(wanted, labels, closest):
    """Another case first, then the fewest edits or the same value under another key; ties by name."""
    assert closest == closest_label(wanted, labels)
    assert closest == closest_label(wanted, list(reversed(labels)))


def test_ranking_prefers_fewer_misses_and_then_the_rule_of_which_more_held():
    """One wrong label beats two; a rule whose port held beats one that asked for nothing else."""
    web = pod("shop", "web", {"app": "web"}, ip="10.0.0.1")
    api = pod("shop", "api", {"app": "api", "tier": "x"}, ip="10.0.0.2")

    def peer(**labels):
        return {"podSelector": {"matchLabels": labels}}

    spec = {
        "podSelector": {},
        "ingress": [
            {"from": [peer(app="a", tier="b")]},
            {"from": [peer(app="b")], "ports": [{"port": 9}]},
            {"from": [{"namespaceSelector": {"matchLabels": {"x": "y"}}}]},
            {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "c"}}}]},
            {"from": [peer(app="d")]},
            {"from": [peer(app="e")]},
            {"from": [peer(app="f")]},
        ],
    }
    policies = compile_policies(
        snapshot([web, api], [net_policy("shop", "p", spec)]), dialect=Dialect.KUBERNETES
    )
    nearest = policies.evaluate(pod_end(api), pod_end(web), "TCP", 80).ingress.nearest

    assert [each.rule.split(".")[0] for each in nearest] == [
        "ingress[3]",
        "ingress[4]",
        "ingress[5]",
        "ingress[6]",
        "ingress[2]",
    ]


def test_an_address_in_a_miss_is_each_ends_own():
    """Answers are shared between alike ends, addresses are not."""
    web = pod("shop", "web", {"app": "web"}, ip="10.0.0.1")
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}
    policies = compile_policies(snapshot([web], [net_policy("shop", "p", spec)]), dialect=Dialect.KUBERNETES)
    found = [
        policies.evaluate(outside(ip), pod_end(web), "TCP", 80).ingress.nearest[0].misses[0].found
        for ip in ("198.51.100.1", "198.51.100.2", "2001:db8::1")
    ]

    assert found == ["198.51.100.1", "198.51.100.2", "2001:db8::1"]


def test_the_walk_stops_at_the_rule_that_decides_in_an_ordered_tier():
    """Policies behind it were not asked."""
    web, api = pod("shop", "web", ip="10.0.0.1"), pod("shop", "api", ip="10.0.0.2")

    def admin(name, priority, action):
        rule = {"action": action, "from": [{"namespaces": {}}]}
        spec = {"priority": priority, "subject": {"namespaces": {}}, "ingress": [rule]}
        return net_policy(None, name, spec, kind="AdminNetworkPolicy", group="policy.networking.k8s.io")

    state = snapshot([web, api], [admin("b", 2, "Deny"), admin("a", 1, "Pass")])
    walk = compile_policies(state, dialect=Dialect.KUBERNETES).evaluate(
        pod_end(api), pod_end(web), "TCP", 80, walk=True
    )
    told = [(step.outcome, step.policy.name if step.policy else None) for step in walk.ingress.walk]

    assert told == [
        ("end", None),
        ("selects", "a"),
        ("match", "a"),
        ("pass", "a"),
        ("tier-next", "a"),
        ("allow", None),
    ]
    assert walk.ingress.walk[-1].text == "ingress: allowed"


def test_port_sets_are_written_as_the_contract_asks():
    """Sorted, merged ranges of strings."""
    assert PortSet([(445, 445), (80, 80), (443, 444)]).texts() == ["80", "443-445"]
    assert (~PortSet()).texts() == ["1-65535"]
    assert repr(PortSet.of(80)) == "PortSet(80)"
