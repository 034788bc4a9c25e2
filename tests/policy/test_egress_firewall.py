"""EgressFirewall of OVN-Kubernetes: order, what it is about, and beside policies."""

import pytest
from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Node
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1")
OTHER = pod("bank", "api-1", {"app": "api"}, ip="10.0.0.3", node="n2")
NODES = {
    "n1": Node(name="n1", addresses=("192.0.2.1",)),
    "n2": Node(name="n2", labels={"role": "control"}, addresses=("192.0.2.2",)),
}
ALLOWED, REFUSED = outside("198.51.100.7"), outside("203.0.113.9")
CONTROL, WORKER = (
    Endpoint(kind=EndpointKind.NODE, name=name, node=NODES[name], ip=NODES[name].addresses[0])
    for name in ("n2", "n1")
)
NOTHING = {"type": "Deny", "to": {"cidrSelector": "0.0.0.0/0"}}


def allow(ports=None, **to):
    return {"type": "Allow", "to": to} | ({"ports": ports} if ports else {})


def egress(rules, dst, protocol="TCP", port=443, *, others=(), name="default", src=WEB):
    firewall = net_policy("shop", name, {"egress": rules}, kind="EgressFirewall", group="k8s.ovn.org")
    state = snapshot([WEB, OTHER], [firewall, *others], nodes=NODES)
    policies = compile_policies(state, dialect=Dialect.OVN)
    return policies.evaluate(pod_end(src), dst, protocol, port).egress


RANGE = allow(cidrSelector="198.51.100.0/24")


@pytest.mark.parametrize(
    ("rules", "dst", "traffic", "allowed"),
    [
        ([], REFUSED, ("TCP", 443), True),
        ([RANGE, NOTHING], ALLOWED, ("TCP", 443), True),
        ([RANGE, NOTHING], REFUSED, ("TCP", 443), False),
        ([NOTHING, RANGE], ALLOWED, ("TCP", 443), False),
        ([RANGE, NOTHING], outside("2001:db8::9"), ("TCP", 443), True),
        ([NOTHING], pod_end(OTHER), ("TCP", 443), True),
        ([NOTHING], CONTROL, ("TCP", 6443), False),
        ([allow(nodeSelector={"matchLabels": {"role": "control"}}), NOTHING], CONTROL, ("TCP", 6443), True),
        ([allow(nodeSelector={"matchLabels": {"role": "control"}}), NOTHING], WORKER, ("TCP", 6443), False),
        ([allow(dnsName="www.example.com"), NOTHING], REFUSED, ("TCP", 443), None),
        ([allow(dnsName="api.example.com"), NOTHING], CONTROL, ("TCP", 6443), None),
        (
            [allow([{"protocol": "UDP", "port": 55}], cidrSelector="198.51.100.0/24"), NOTHING],
            ALLOWED,
            ("UDP", 55),
            True,
        ),
        (
            [allow([{"protocol": "UDP", "port": 55}], cidrSelector="198.51.100.0/24"), NOTHING],
            ALLOWED,
            ("TCP", 55),
            False,
        ),
        ([allow([{"protocol": "UDP"}], cidrSelector="198.51.100.0/24"), NOTHING], ALLOWED, ("UDP", 9), True),
        ([NOTHING], REFUSED, ("ICMP", None), False),
        ([{"type": "Drop", "to": {"cidrSelector": "0.0.0.0/0"}}], REFUSED, ("TCP", 443), None),
        ([{"type": "Deny", "to": {}}], REFUSED, ("TCP", 443), None),
        ([{"type": "Deny", "to": {}}], pod_end(OTHER), ("TCP", 443), True),
    ],
)
def test_the_first_rule_that_matches_decides_of_what_leaves_the_cluster(rules, dst, traffic, allowed):
    """Nodes are outside of the pods' network too, pods never are; no rule is an allow."""
    assert egress(rules, dst, *traffic).allowed is allowed


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("www.example.com", True), ("a.www.example.com", None), ("example.com", None), ("notexample.com", None)],
)
def test_a_star_stands_for_one_label(name, allowed):
    """Whatever else the address is called, nobody has seen."""
    named = replace(REFUSED, dns_names=(name,))

    assert egress([allow(dnsName="*.example.com"), NOTHING], named).allowed is allowed


def test_it_is_for_its_own_namespace_and_has_one_name():
    assert egress([NOTHING], REFUSED, src=OTHER).allowed is True
    assert egress([NOTHING], REFUSED, name="second").allowed is None


def test_the_rule_that_refuses_is_named():
    decided = egress([RANGE, NOTHING], REFUSED).decided_by
    assert (decided.policy.kind, decided.policy.namespace, decided.rule) == (
        "EgressFirewall",
        "shop",
        "egress[1]",
    )


@pytest.mark.parametrize(
    ("dst", "port", "allowed"), [(ALLOWED, 443, True), (ALLOWED, 80, False), (REFUSED, 443, False)]
)
def test_both_it_and_the_policies_have_to_let_a_connection_pass(dst, port, allowed):
    """OVN asks them at different stages: an Allow of one opens nothing that the other closes."""
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 443}]}]}
    others = [net_policy("shop", "https", spec)]
    assert egress([RANGE, NOTHING], dst, port=port, others=others).allowed is allowed


def test_an_admin_policy_opens_nothing_that_it_closes():
    spec = {
        "priority": 1,
        "subject": {"namespaces": {}},
        "egress": [{"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}]}],
    }
    admin = net_policy(None, "open", spec, kind="AdminNetworkPolicy", group="policy.networking.k8s.io")
    assert egress([NOTHING], REFUSED, others=[admin]).allowed is False


def test_what_policies_refuse_is_theirs_though_it_would_be_refused_here_too():
    """OVN asks it behind them, and logs the refusal in the name of the first."""
    closed = net_policy("shop", "closed", {"podSelector": {}, "policyTypes": ["Egress"]})
    found = egress([NOTHING], REFUSED, others=[closed])

    assert (found.allowed, found.decided_by) == (False, None)
    assert [ref.name for ref in found.closed_by] == ["closed"]


def test_an_unknown_condition_of_a_policy_hides_no_deny_of_it():
    """Whatever the policy would say, what it lets pass is refused here; and what it may refuse stays unknown otherwise."""
    names = net_policy(
        None,
        "names",
        {
            "priority": 1,
            "subject": {"namespaces": {}},
            "egress": [
                {"action": "Allow", "to": [{"domainNames": ["a.example.com"]}]},
                {"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]},
            ],
        },
        kind="AdminNetworkPolicy",
        group="policy.networking.k8s.io",
    )

    assert egress([NOTHING], REFUSED, others=[names]).allowed is False
    assert egress([RANGE], REFUSED, others=[names]).allowed is None


def test_the_rule_that_came_nearest_and_the_one_that_allows_are_told():
    near = egress([RANGE, NOTHING], REFUSED).nearest

    assert [(rule.policy.kind, rule.rule) for rule in near] == [("EgressFirewall", "egress[0].to")]
    assert egress([RANGE, NOTHING], ALLOWED).decided_by.action == "allow"
