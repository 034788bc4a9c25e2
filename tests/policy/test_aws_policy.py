"""AWS's ClusterNetworkPolicy and ApplicationNetworkPolicy beside NetworkPolicy."""

import pytest
from msgspec import structs

from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

GROUP = "networking.k8s.aws"
WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1", ports=[("http", 8080, "TCP")])
API = pod("bank", "api-1", {"app": "api"}, ip="10.0.0.2")
FAR = outside("203.0.113.9")
SHOP = {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}
EVERYBODY = {"namespaces": {}}
ANYWHERE = {"networks": ["0.0.0.0/0"]}


def cluster(name, tier, priority, *, ingress=(), egress=()):
    spec = {
        "tier": tier,
        "priority": priority,
        "subject": SHOP,
        "ingress": list(ingress),
        "egress": list(egress),
    }
    return net_policy(None, name, spec, kind="ClusterNetworkPolicy", group=GROUP, version="v1alpha1")


def application(egress, **more):
    spec = {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Egress"],
        "egress": egress,
    } | more
    return net_policy("shop", "names", spec, kind="ApplicationNetworkPolicy", group=GROUP, version="v1alpha1")


def ask(policies, src, dst, protocol="TCP", port=8080, *, dialect=Dialect.AWS):
    state = snapshot([WEB, API], policies)
    ends = [end if end is FAR else pod_end(end) for end in (src, dst)]
    return compile_policies(state, dialect=dialect).evaluate(*ends, protocol, port)


def rule(action, word, *peers, **more):
    return {"action": action, word: list(peers), **more}


CLOSED = net_policy("shop", "closed", {"podSelector": {}})
OPEN = net_policy("shop", "open", {"podSelector": {}, "ingress": [{}]})


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([cluster("a", "Admin", 1, ingress=[rule("Accept", "from", EVERYBODY)]), CLOSED], True),
        ([cluster("a", "Admin", 1, ingress=[rule("Deny", "from", EVERYBODY)]), OPEN], False),
        ([cluster("a", "Admin", 1, ingress=[rule("Pass", "from", EVERYBODY)]), CLOSED], False),
        ([cluster("a", "Baseline", 1, ingress=[rule("Deny", "from", EVERYBODY)]), OPEN], True),
        ([cluster("a", "Baseline", 1, ingress=[rule("Deny", "from", EVERYBODY)])], False),
        ([cluster("a", "Admin", 1, ingress=[rule("Allow", "from", EVERYBODY)])], None),
        ([cluster("a", "Other", 1, ingress=[rule("Deny", "from", EVERYBODY)])], None),
    ],
)
def test_the_tiers_stand_around_network_policies(policies, allowed):
    """Admin, then the namespace's own, which end it for whom they select, then Baseline."""
    assert ask(policies, API, WEB).ingress.allowed is allowed


@pytest.mark.parametrize(
    ("ports", "denied"),
    [
        ([{"portNumber": {"port": 8080}}], True),
        ([{"portNumber": {"protocol": "UDP", "port": 8080}}], False),
        ([{"portRange": {"start": 8000, "end": 8090}}], True),
        ([{"namedPort": "http"}], True),
        ([{"portNumber": {"port": 80}}], False),
    ],
)
def test_ports_are_written_as_in_the_first_alpha(ports, denied):
    policy = cluster("a", "Admin", 1, ingress=[rule("Deny", "from", EVERYBODY, ports=ports)])
    assert ask([policy], API, WEB).ingress.allowed is not denied


def test_names_may_pass_and_open_what_the_namespace_has_to_open():
    """Whether the address has the name is not known; without a rule that may match it is denied."""
    names = rule("Pass", "to", {"domainNames": ["*.example.com"]}, ports=[{"portNumber": {"port": 443}}])
    policy = cluster("a", "Admin", 1, egress=[names, rule("Deny", "to", ANYWHERE)])

    assert ask([policy], WEB, FAR, port=443).egress.allowed is None
    assert ask([policy], WEB, FAR, port=80).egress.allowed is False
    assert ask([policy], API, FAR, port=80).egress.allowed is True


def test_nodes_are_no_peer_of_it():
    """A peer that its API does not have fails closed."""
    policy = cluster("a", "Admin", 1, egress=[rule("Deny", "to", {"nodes": {}})])
    assert ask([policy], WEB, FAR).egress.allowed is False


@pytest.mark.parametrize(
    ("egress", "port", "far", "inside"),
    [
        ([], 443, False, False),
        ([{"to": [{"domainNames": ["*.example.com"]}], "ports": [{"port": 443}]}], 443, None, False),
        ([{"to": [{"domainNames": ["*.example.com"]}], "ports": [{"port": 443}]}], 80, False, False),
        ([{"to": [{"namespaceSelector": {}}]}], 443, False, True),
        ([{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}], 443, True, False),
        ([{"to": [{"domainNames": ["a.example.com"], "podSelector": {}}]}], 443, None, None),
        ([{"to": [{"domainNames": []}]}], 443, None, None),
    ],
)
def test_an_application_policy_is_a_network_policy_with_names(egress, port, far, inside):
    """It isolates whom it selects for egress, and nobody else."""
    found = [ask([application(egress)], WEB, dst, port=port).egress.allowed for dst in (FAR, API)]

    assert found == [far, inside]
    assert ask([application(egress)], API, FAR, port=port).egress.allowed is True


def test_it_adds_to_network_policies_as_they_do_to_one_another():
    also = net_policy(
        "shop", "far", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 80}]}]}
    )
    policies = [application([]), also]

    assert ask(policies, WEB, FAR, port=80).egress.allowed is True
    assert [ref.kind for ref in ask(policies, WEB, FAR, port=81).egress.isolated_by] == [
        "ApplicationNetworkPolicy",
        "NetworkPolicy",
    ]


def test_names_are_for_egress_alone():
    spec = {"policyTypes": ["Ingress"], "ingress": [{"from": [{"domainNames": ["a.example.com"]}]}]}
    assert ask([application([], **spec)], API, WEB).ingress.allowed is None


def test_another_enforcer_is_not_known_to_mind_them():
    policy = cluster("a", "Admin", 1, ingress=[rule("Deny", "from", EVERYBODY)])
    assert ask([policy], API, WEB, dialect=Dialect.CILIUM).ingress.allowed is None
    assert ask([policy], WEB, API, dialect=Dialect.CILIUM).ingress.allowed is True


def test_its_agent_looks_into_no_icmpv6():
    """ICMP for IPv4 is closed by isolation, and for IPv6 passes whatever policies say."""
    closed = net_policy("shop", "closed", {"podSelector": {}})

    assert ask([closed], API, WEB, "ICMP", None).allowed is False
    found = ask([closed], API, WEB, "ICMPv6", None)
    assert found.allowed is True
    assert found.ingress.notes == ("ICMPv6 passes whatever policies say",)


ROUTER = pod("edge", "router", {"app": "router"}, host_network=True, node="n2", ip="192.168.0.2")
ROUTERS = {
    "namespaceSelector": {"matchLabels": {"team": "edge"}},
    "podSelector": {"matchLabels": {"app": "router"}},
}


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([{"from": [ROUTERS]}], True),
        ([{"from": [{"namespaceSelector": {"matchLabels": {"team": "edge"}}}]}], True),
        ([{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "other"}}}]}], False),
        ([{"from": [{"podSelector": {}}]}], False),
    ],
)
def test_a_peers_selectors_mean_host_network_pods(policies, allowed):
    """By their node's address, in both directions; a policy selects none."""
    own = net_policy("shop", "p", {"podSelector": {}, "ingress": policies})
    out = [{"to": each["from"]} for each in policies]
    other = net_policy("shop", "p", {"podSelector": {}, "policyTypes": ["Egress"], "egress": out})
    closed = net_policy("edge", "closed", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    spaces = {"edge": {"team": "edge"}}
    for policy, ends in ((own, (ROUTER, WEB)), (other, (WEB, ROUTER))):
        state = snapshot([WEB, ROUTER], [policy, closed], namespaces=spaces)
        found = compile_policies(state, dialect=Dialect.AWS).evaluate(*map(pod_end, ends), "TCP", 8080)
        assert found.allowed is allowed


def test_its_cluster_policy_means_them_too():
    """As peers of either form."""
    for peer in ({"namespaces": {"matchLabels": {"team": "edge"}}}, {"pods": ROUTERS}):
        policy = cluster("deny", "Admin", 1, ingress=[{"action": "Deny", "from": [peer]}])
        state = snapshot([WEB, ROUTER], [policy], namespaces={"edge": {"team": "edge"}})
        found = compile_policies(state, dialect=Dialect.AWS)
        assert found.evaluate(pod_end(ROUTER), pod_end(WEB), "TCP", 8080).allowed is False


def strictly(policies, src, dst, *, mode="strict", dialect=Dialect.AWS):
    """Ask with the mode of the DaemonSet aws-node; `src` and `dst` are pods."""
    state = structs.replace(
        snapshot([WEB, API], policies), config={"aws.network-policy-enforcing-mode": mode}
    )
    return compile_policies(state, dialect=dialect).evaluate(
        pod_end(src), pod_end(dst), "TCP", 8080, walk=True
    )


def test_strict_mode_closes_a_pod_without_policies():
    """In both directions, and the walk says what closed it; the standard mode and other enforcers leave it open."""
    found = strictly([], WEB, API)
    assert (found.egress.allowed, found.ingress.allowed) == (False, False)
    assert any("NETWORK_POLICY_ENFORCING_MODE" in step.text for step in found.ingress.walk)
    assert found.ingress.isolated_by == ()
    for other in (
        strictly([], WEB, API, mode="standard"),
        strictly([], WEB, API, dialect=Dialect.KUBERNETES),
    ):
        assert (other.egress.allowed, other.ingress.allowed) == (True, True)


@pytest.mark.parametrize(
    ("types", "egress", "ingress"),
    [(["Ingress"], True, False), (["Egress"], False, True), (["Ingress", "Egress"], False, False)],
)
def test_strict_mode_leaves_a_pod_with_any_policy_to_its_policies(types, egress, ingress):
    """One that selects it in one direction opens the other, as in the standard mode."""
    one = net_policy("shop", "one", {"podSelector": {}, "policyTypes": types})
    assert strictly([one], WEB, API).egress.allowed is egress
    assert strictly([one], API, WEB).ingress.allowed is ingress


def test_strict_mode_asks_the_administrators_policies_first():
    """A ClusterNetworkPolicy that accepts opens a pod that no NetworkPolicy selects; one that is silent does not."""
    takes = cluster("a", "Baseline", 1, ingress=[rule("Accept", "from", EVERYBODY)])
    assert strictly([takes], API, WEB).ingress.allowed is True
    assert strictly([takes], WEB, API).egress.allowed is False
