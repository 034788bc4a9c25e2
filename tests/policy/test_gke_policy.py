"""GKE's FQDNNetworkPolicy: names for egress beside NetworkPolicies, and its namesake of a controller."""

import pytest
from msgspec.structs import replace

from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies, detect_dialect
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1")
DB = pod("shop", "db-1", {"app": "db"}, ip="10.0.0.2")
GOOD = replace(outside("198.51.100.7"), dns_names=("api.example.com",))
DEEP = replace(outside("198.51.100.8"), dns_names=("eu.api.example.com",))
NOBODY = outside("203.0.113.9")
HTTPS = [{"protocol": "TCP", "port": 443}]


def named(*matches, ports=None, **spec):
    """A FQDNNetworkPolicy of one rule for web."""
    rule = {"matches": list(matches)} | ({"ports": ports} if ports is not None else {})
    whole = {"podSelector": {"matchLabels": {"app": "web"}}, "egress": [rule]} | spec
    return net_policy("shop", "names", whole, kind="FQDNNetworkPolicy", group="networking.gke.io")


def egress(policies, dst, protocol="TCP", port=443, *, src=WEB, dialect=Dialect.GKE):
    state = snapshot([WEB, DB], policies)
    return compile_policies(state, dialect=dialect).evaluate(pod_end(src), dst, protocol, port).egress


@pytest.mark.parametrize(
    ("match", "dst", "allowed"),
    [
        ({"name": "API.example.com"}, GOOD, True),
        ({"pattern": "*.example.com"}, GOOD, True),
        ({"pattern": "a*.example.com"}, GOOD, True),
        ({"pattern": "*"}, DEEP, True),
        # A star stays within its label, however many there are of them; the address may have other names, too.
        ({"pattern": "*.example.com"}, DEEP, None),
        ({"pattern": "**.example.com"}, DEEP, None),
        ({"name": "api.example.org"}, GOOD, None),
        ({"pattern": "*.example.com"}, NOBODY, None),
        # Names mean nobody in the cluster.
        ({"pattern": "*"}, pod_end(DB), False),
    ],
)
def test_a_name_lets_its_addresses_pass(match, dst, allowed):
    """As far as answers of DNS tell whose an address is."""
    assert egress([named(match, ports=HTTPS)], dst).allowed is allowed


@pytest.mark.parametrize(
    ("ports", "traffic", "allowed"),
    [
        (None, ("TCP", 8080), True),
        ([], ("ICMP", None), True),
        ([{}], ("ICMP", None), True),
        (HTTPS, ("TCP", 443), True),
        (HTTPS, ("TCP", 80), False),
        (HTTPS, ("UDP", 443), False),
        (HTTPS, ("ICMP", None), False),
        ([{"port": 443}], ("UDP", 443), True),
        ([{"protocol": "ALL", "port": 443}], ("TCP", 444), False),
        ([{"protocol": "UDP"}], ("UDP", 9), True),
        ([{"protocol": "UDP"}], ("TCP", 9), False),
    ],
)
def test_ports_are_of_all_protocols_where_none_is_named(ports, traffic, allowed):
    """Unlike NetworkPolicy's, which are TCP's then."""
    assert egress([named({"pattern": "*"}, ports=ports)], GOOD, *traffic).allowed is allowed


def test_it_isolates_whom_it_selects_for_egress_and_adds_to_network_policies():
    """What either allows passes, and whom it does not select is left as he was."""
    policy = named({"name": "api.example.com"}, ports=HTTPS)
    to_db = net_policy(
        "shop",
        "to-db",
        {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]},
    )
    refused = egress([policy], NOBODY, port=80)

    assert (refused.allowed, [ref.name for ref in refused.isolated_by]) == (False, ["names"])
    assert egress([policy, to_db], pod_end(DB)).allowed is True
    assert egress([policy, to_db], GOOD).allowed is True
    assert egress([policy], NOBODY, port=80, src=DB).allowed is True


def test_whether_lookups_need_a_rule_is_not_known():
    """Its documentation does not say; a NetworkPolicy that allows them settles it."""
    policy = named({"name": "api.example.com"}, ports=HTTPS)
    dns = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    }
    found = egress([policy], pod_end(DB), "UDP", 53)

    assert (found.allowed, "lookups need a rule" in found.unknown[0]) == (None, True)
    assert {rule.policy.kind for rule in found.nearest} == {"FQDNNetworkPolicy"}
    assert egress([policy, net_policy("shop", "dns", dns)], pod_end(DB), "UDP", 53).allowed is True


@pytest.mark.parametrize(
    "policy",
    [
        named(),
        named({}),
        named({"name": "a.example", "pattern": "*"}),
        named({"name": ["a.example"]}),
        named({"name": "a.example"}, ports=[{"protocol": "SCTP"}]),
        named({"name": "a.example"}, ports=[{"port": 0}]),
        named({"name": "a.example"}, egress=[]),
        named({"name": "a.example"}, egress="all"),
        named({"name": "a.example"}, podSelector={"matchExpressions": [{"key": "a", "operator": "Is"}]}),
    ],
)
def test_what_the_api_refuses_leaves_its_pods_unknown(policy):
    """Nobody knows what was meant."""
    assert egress([policy], NOBODY).allowed is None


def test_another_enforcer_is_not_known_to_mind_it():
    """It is of Dataplane V2 alone."""
    assert egress([named({"pattern": "*"})], GOOD, dialect=Dialect.CALICO).allowed is None


@pytest.mark.parametrize("dialect", [Dialect.GKE, Dialect.CALICO, Dialect.KUBERNETES])
def test_one_of_a_controller_counts_by_the_policy_that_this_writes(dialect):
    """It enforces nothing itself, and shows no Dataplane V2."""
    policy = named(egress=[{"to": [{"fqdns": ["api.example.com"]}], "ports": HTTPS}])
    state = snapshot([WEB, DB], [policy])

    assert egress([policy], NOBODY, dialect=dialect).allowed is True
    assert detect_dialect(state, ()) is Dialect.KUBERNETES
    assert detect_dialect(snapshot([WEB, DB], [named({"name": "api.example.com"})]), ()) is Dialect.GKE
    ((ref, why),) = compile_policies(state, dialect=dialect).notes
    assert (ref, "writes a NetworkPolicy of the same name" in why) == (policy.ref, True)
