"""AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy around NetworkPolicy."""

import pytest

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import Node
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

GROUP = "policy.networking.k8s.io"
WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1", ports=[("http", 8080, "TCP"), ("dns", 53, "UDP")])
API = pod("bank", "api-1", {"app": "api"}, ip="10.0.0.2")
NODE = Node(name="n9", labels={"role": "edge"}, addresses=("192.168.0.9",))
EVERYBODY = {"namespaces": {}}
SHOP = {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}


def rule(action, *, direction="from", peers=(EVERYBODY,), **more):
    return {"action": action, direction: list(peers), **more}


def anp(name, priority, ingress=(), egress=(), subject=SHOP):
    spec = {"priority": priority, "subject": subject, "ingress": list(ingress), "egress": list(egress)}
    return net_policy(None, name, spec, kind="AdminNetworkPolicy", group=GROUP, version="v1alpha1")


def banp(*ingress, name="default"):
    spec = {"subject": SHOP, "ingress": list(ingress)}
    return net_policy(None, name, spec, kind="BaselineAdminNetworkPolicy", group=GROUP, version="v1alpha1")


def cnp(name, tier, priority, *ingress, egress=()):
    spec = {
        "tier": tier,
        "priority": priority,
        "subject": SHOP,
        "ingress": list(ingress),
        "egress": list(egress),
    }
    return net_policy(None, name, spec, kind="ClusterNetworkPolicy", group=GROUP, version="v1alpha2")


CLOSED = net_policy("shop", "closed", {"podSelector": {}})
OPEN = net_policy("shop", "open", {"podSelector": {}, "ingress": [{}]})


def ask(policies, src=API, dst=WEB, protocol="TCP", port=8080, *, dialect=Dialect.KUBERNETES, **more):
    state = snapshot([WEB, API], policies, nodes={"n9": NODE})
    ends = [end if isinstance(end, Endpoint) else pod_end(end) for end in (src, dst)]
    return compile_policies(state, dialect=dialect, **more).evaluate(*ends, protocol, port)


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([anp("a", 1, [rule("Allow")]), CLOSED], True),
        ([anp("a", 1, [rule("Deny")]), OPEN], False),
        ([anp("a", 1, [rule("Pass")]), CLOSED], False),
        ([anp("a", 1, [rule("Pass")]), anp("b", 2, [rule("Deny")])], True),
        ([anp("b", 2, [rule("Deny")]), anp("a", 1, [rule("Allow")])], True),
        ([anp("a", 1, [rule("Pass"), rule("Deny")]), banp(rule("Deny"))], False),
        ([anp("a", 1)], True),
        ([banp(rule("Allow")), CLOSED], False),
        ([banp(rule("Deny")), OPEN], True),
        ([banp(rule("Deny"))], False),
        ([cnp("a", "Admin", 1, rule("Accept")), CLOSED], True),
        ([cnp("a", "Baseline", 2, rule("Deny")), cnp("b", "Baseline", 1, rule("Pass"))], True),
        ([cnp("a", "Baseline", 1, rule("Deny")), OPEN], True),
        ([cnp("a", "Admin", 2, rule("Deny")), anp("b", 1, [rule("Allow")])], True),
    ],
)
def test_admin_comes_first_and_baseline_last(policies, allowed):
    """Admin by priority, NetworkPolicy final for whom it selects, baseline for the rest, then allow."""
    assert allowed is ask(policies).allowed


def test_nothing_is_isolated_by_being_a_subject():
    """A subject without a matching rule goes on to the next tier."""
    found = ask([anp("a", 1, [rule("Allow", peers=[{"namespaces": {"matchLabels": {"x": "y"}}}])])])

    assert found.allowed is True
    assert found.ingress.isolated_by == ()


def test_one_priority_twice_is_no_order():
    """Where both match and differ, nobody can say; where they agree or lead to one end, it can be said."""
    clash = ask([anp("a", 5, [rule("Allow")]), anp("b", 5, [rule("Deny")])])
    agree = ask([anp("a", 5, [rule("Deny")]), anp("b", 5, [rule("Deny")])])
    other = ask([anp("a", 5, [rule("Deny")]), anp("b", 5, egress=[rule("Allow", direction="to")])])
    same_end = ask([anp("a", 5, [rule("Allow")]), anp("b", 5, [rule("Pass")])])

    assert clash.allowed is None
    assert "AdminNetworkPolicy a and AdminNetworkPolicy b have the same priority" in clash.ingress.unknown[0]
    assert [agree.allowed, other.allowed, same_end.allowed] == [False, False, True]


@pytest.mark.parametrize(
    ("ports", "protocol", "number", "denied"),
    [
        ([{"portNumber": {"port": 8080}}], "TCP", 8080, True),
        ([{"portNumber": {"port": 53, "protocol": "UDP"}}], "TCP", 53, False),
        ([{"portRange": {"start": 8000, "end": 8080}}], "TCP", 8080, True),
        ([{"namedPort": "dns"}], "UDP", 53, True),
        ([{"namedPort": "dns"}], "TCP", 53, False),
        (None, "SCTP", 7, True),
    ],
)
def test_ports_of_the_first_alpha(ports, protocol, number, denied):
    """A named port has whatever protocol the pod gives it."""
    more = {} if ports is None else {"ports": ports}

    assert denied is not ask([anp("a", 1, [rule("Deny", **more)])], API, WEB, protocol, number).allowed


@pytest.mark.parametrize(
    ("item", "protocol", "number", "denied"),
    [
        ({"tcp": {"destinationPort": {"number": 80}}}, "TCP", 80, True),
        ({"tcp": {"destinationPort": {"number": 80}}}, "UDP", 80, False),
        ({"udp": {"destinationPort": {"range": {"start": 50, "end": 60}}}}, "UDP", 53, True),
        ({"destinationNamedPort": "http"}, "TCP", 8080, True),
    ],
)
def test_protocols_of_the_second_alpha(item, protocol, number, denied):
    """``protocols`` took the place of ``ports``."""
    policy = cnp("a", "Admin", 1, rule("Deny", protocols=[item]))

    assert denied is not ask([policy], API, WEB, protocol, number).allowed


@pytest.mark.parametrize(
    "policy",
    [
        anp("a", 1, [rule("Accept")]),
        cnp("a", "Admin", 1, rule("Allow")),
        banp(rule("Pass")),
        banp(rule("Deny"), name="other"),
        anp("a", 2000, [rule("Deny")]),
        anp("a", 1, [{"action": "Deny"}]),
        anp("a", 1, [rule("Deny", ports=[])]),
        anp("a", 1, [rule("Deny", ports=[{"portRange": {"start": 9, "end": 8}}])]),
        cnp("a", "Admin", 1, rule("Deny", protocols=[{"tcp": {}}])),
        cnp(
            "a",
            "Admin",
            1,
            rule("Deny", protocols=[{"tcp": {"destinationPort": {"range": {"start": 8, "end": 8}}}}]),
        ),
        cnp("a", "Middle", 1, rule("Deny")),
        anp("a", 1, [rule("Deny")], subject={"namespaces": {}, "pods": {}}),
    ],
)
def test_a_policy_that_its_crd_refuses_leaves_no_verdict(policy):
    """Allow and Accept, list bounds, names and tiers: the reason is said."""
    found = ask([policy])

    assert found.allowed is None
    assert any("cannot be evaluated" in word for word in found.ingress.unknown)


def test_a_peer_of_a_newer_api_fails_closed():
    """Allow matches nothing; Deny and Pass deny everything."""
    strange = [{"moons": {}}]

    assert ask([anp("a", 1, [rule("Allow", peers=strange)]), CLOSED]).allowed is False
    assert ask([anp("a", 1, [rule("Deny", peers=strange)]), OPEN]).allowed is False
    assert ask([anp("a", 1, [rule("Pass", peers=strange)]), OPEN]).allowed is False


@pytest.mark.parametrize(
    ("action", "behind", "calico", "others"),
    [("Accept", CLOSED, False, True), ("Deny", OPEN, False, False), ("Pass", OPEN, False, True)],
)
def test_calico_converts_no_rule_with_a_port_by_name(action, behind, calico, others):
    """Of a ClusterNetworkPolicy's rules one that accepts goes, and another denies everything, at any port."""
    item = {"destinationNamedPort": "http"}
    policies = [cnp("c", "Admin", 1, rule(action, protocols=[item])), behind]

    assert ask(policies, dialect=Dialect.CALICO).allowed is calico
    assert ask(policies, dialect=Dialect.ANTREA).allowed is others
    if action != "Accept":
        assert ask(policies, port=9, dialect=Dialect.CALICO).allowed is False


def test_calico_takes_the_name_of_a_port_for_tcp():
    """Of the older kinds, whose names mean whatever protocol the port has."""
    policies = [anp("a", 1, [rule("Allow", ports=[{"namedPort": "dns"}])]), CLOSED]

    assert ask(policies, protocol="UDP", port=53, dialect=Dialect.CALICO).allowed is False
    assert ask(policies, protocol="UDP", port=53, dialect=Dialect.ANTREA).allowed is True


def test_same_labels_are_not_evaluated_and_that_is_said():
    """The field is gone from the API, so nobody can tell what it does."""
    found = ask([anp("a", 1, [rule("Deny", peers=[{"namespaces": {"sameLabels": ["team"]}}])])])

    assert found.allowed is None
    assert "sameLabels" in found.ingress.unknown[0]


def test_egress_peers_that_are_no_pods():
    """Networks by address, nodes by their labels, names by the DNS answers seen."""

    def deny(peer, action="Deny"):
        return anp("a", 1, egress=[rule(action, direction="to", peers=[peer])])

    node = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE)
    edge = {"nodes": {"matchLabels": {"role": "edge"}}}
    core = {"nodes": {"matchLabels": {"role": "core"}}}
    cidr = {"networks": ["203.0.113.0/24", "2001:db8::/32"]}
    names = {"domainNames": ["*.example.com"]}
    seen = Endpoint(kind=EndpointKind.EXTERNAL, ip="203.0.113.1", dns_names=("a.b.example.com",))

    assert [ask([deny(peer)], WEB, node).allowed for peer in (edge, core)] == [False, True]
    assert [ask([deny(cidr)], WEB, outside(ip)).allowed for ip in ("2001:db8::1", "198.51.100.1")] == [
        False,
        True,
    ]
    closed = net_policy("shop", "closed", {"podSelector": {}, "policyTypes": ["Egress"]})
    assert ask([deny(names, "Allow"), closed], WEB, seen).allowed is True
    assert ask([deny(names, "Allow"), closed], WEB, outside("203.0.113.1")).allowed is None
    assert ask([deny(names, "Allow"), closed], WEB, API).allowed is False


def test_networks_over_pods_follow_the_dialect_or_the_caller():
    """As ipBlock: unknown where the API leaves it open."""
    policy = anp("a", 1, egress=[rule("Deny", direction="to", peers=[{"networks": ["0.0.0.0/0"]}])])

    assert ask([policy], WEB, API).allowed is None
    assert ask([policy], WEB, API, ip_block_pods=IpBlockPods.MATCH).allowed is False
    assert ask([policy], WEB, API, ip_block_pods=IpBlockPods.NO_MATCH).allowed is True


def test_cilium_does_not_enforce_the_first_alpha():
    """It is said so, and nothing is decided by it."""
    state = snapshot([WEB, API], [anp("a", 1, [rule("Deny")])])
    policies = compile_policies(state, dialect=Dialect.CILIUM)

    assert policies.evaluate(pod_end(API), pod_end(WEB), "TCP", 8080).allowed is True
    assert policies.notes[0][1] == "Cilium does not enforce it"


def test_the_deciding_rule_and_what_stood_before_it_are_told():
    """An explicit deny names its rule; nearest are only rules that would have come first."""
    early = rule("Allow", peers=[{"namespaces": {"matchLabels": {"team": "a"}}}])
    found = ask([anp("a", 1, [early, rule("Deny"), rule("Allow")])]).ingress

    assert (
        found.decided_by.policy.name,
        found.decided_by.rule,
        found.decided_by.action,
    ) == ("a", "ingress[1]", "deny")
    assert [(each.rule, each.misses[0].wanted, each.misses[0].found) for each in found.nearest] == [
        ("ingress[0].from[0]", "team=a", None)
    ]
