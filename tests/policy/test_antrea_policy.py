"""Antrea's ClusterNetworkPolicy and NetworkPolicy around NetworkPolicy."""

import pytest
from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Icmp, WorkloadRef
from flowdiag.model.objects import LabelChange, Node, Service
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from tests.policy.scenes import net_policy, outside, pod, pod_end, raw, snapshot

GROUP = "crd.antrea.io"
WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1", ports=[("http", 8080, "TCP")])
NEAR = pod("shop", "api-1", {"app": "api"}, ip="10.0.0.2")
FAR = pod("bank", "api-1", {"app": "api"}, ip="10.0.0.3")
HOST = pod("shop", "agent", {"app": "api"}, ip="192.0.2.1", host_network=True)
NODE = Node(name="n9", labels={"role": "edge"}, addresses=("192.0.2.9",))
EDGE = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE, ip="192.0.2.9")
INTERNET = outside("203.0.113.9")
OF_WEB = [{"podSelector": {"matchLabels": {"app": "web"}}}]
API = {"podSelector": {"matchLabels": {"app": "api"}}}
BANK = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}}
OF_AGENTS = {"matchLabels": {"role": "agent"}}
SELF = {"namespaces": {"match": "Self"}}
JOB = WorkloadRef("Job", "job")


def rule(action, *peers, word="from", **more):
    return {"action": action, **({word: list(peers)} if peers else {}), **more}


def acnp(name, priority, *ingress, tier="application", applied=OF_WEB, egress=()):
    spec = {"priority": priority, "tier": tier, "ingress": list(ingress), "egress": list(egress)}
    spec |= {"appliedTo": applied} if applied else {}
    return net_policy(None, name, spec, kind="ClusterNetworkPolicy", group=GROUP, version="v1beta1")


def annp(name, priority, *ingress, **more):
    spec = {"priority": priority, "appliedTo": OF_WEB, "ingress": list(ingress)} | more
    return net_policy("shop", name, spec, kind="NetworkPolicy", group=GROUP, version="v1beta1")


def ask(policies, src, dst=WEB, protocol="TCP", port=8080, *, dialect=Dialect.ANTREA, others=(), **more):
    state = snapshot([WEB, NEAR, FAR, HOST], policies, nodes={"n9": NODE}, others=tuple(others))
    ends = [end if isinstance(end, Endpoint) else pod_end(end) for end in (src, dst)]
    return compile_policies(state, dialect=dialect).evaluate(*ends, protocol, port, **more)


CLOSED = net_policy("shop", "closed", {"podSelector": {}})
OPEN = net_policy("shop", "open", {"podSelector": {}, "ingress": [{}]})
DROP, ALLOW, PASS = rule("Drop"), rule("Allow"), rule("Pass")


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([acnp("a", 5, DROP), OPEN], False),
        ([acnp("a", 5, rule("Reject")), OPEN], False),
        ([acnp("a", 5, ALLOW), CLOSED], True),
        ([acnp("a", 5, PASS), acnp("b", 9, DROP), OPEN], True),
        ([acnp("a", 5, PASS), CLOSED], False),
        ([acnp("a", 5, PASS), acnp("b", 1, DROP, tier="baseline")], False),
        ([acnp("a", 9, DROP), acnp("b", 5, ALLOW)], True),
        ([acnp("a", 5, ALLOW), acnp("b", 9, DROP, tier="securityops")], False),
        ([acnp("a", 5, ALLOW, tier="securityOps"), acnp("b", 1, DROP)], True),
        ([annp("a", 4.5, ALLOW), acnp("b", 5, DROP)], True),
        ([acnp("a", 5, DROP), acnp("b", 5, ALLOW)], None),
        ([acnp("a", 5, DROP, tier="baseline"), OPEN], True),
        ([acnp("a", 5, DROP, tier="baseline")], False),
        ([acnp("a", 5, ALLOW, tier="baseline"), CLOSED], False),
        ([acnp("a", 5)], True),
        ([acnp("a", 5, rule("Drop", BANK))], True),
        ([acnp("a", 5, DROP, tier="mine")], None),
        ([acnp("a", 0, DROP)], None),
        ([acnp("a", 5, rule("Deny"))], None),
        ([acnp("a", 5, DROP, applied=None)], None),
    ],
)
def test_tiers_then_priorities_then_rules_and_nothing_is_isolated(policies, allowed):
    """NetworkPolicy stands before the baseline alone; equal priorities have no order."""
    assert ask(policies, NEAR).ingress.allowed is allowed


def admin(kind, action, priority=5, tier="Admin", name="z"):
    """A policy of network-policy-api that does this with what everybody in the cluster sends to everybody."""
    spec = {
        "subject": {"namespaces": {}},
        "ingress": [{"action": action, "from": [{"namespaces": {}}]}],
        **({"priority": priority} if kind != "BaselineAdminNetworkPolicy" else {}),
        **({"tier": tier} if kind == "ClusterNetworkPolicy" else {}),
    }
    return net_policy(None, name, spec, kind=kind, group="policy.networking.k8s.io")


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([acnp("a", 5, rule("Pass")), admin("AdminNetworkPolicy", "Deny")], True),
        ([acnp("a", 5, rule("Pass"), tier="platform"), admin("ClusterNetworkPolicy", "Deny")], True),
        ([acnp("a", 5, rule("Allow")), admin("AdminNetworkPolicy", "Deny")], True),
        ([acnp("a", 5, rule("Allow")), admin("ClusterNetworkPolicy", "Deny")], False),
        ([acnp("a", 5, rule("Allow"), tier="platform"), admin("ClusterNetworkPolicy", "Deny")], True),
        ([acnp("a", 5, DROP), admin("ClusterNetworkPolicy", "Pass")], True),
        ([acnp("a", 5, DROP), admin("AdminNetworkPolicy", "Pass")], False),
        (
            [
                acnp("a", 5, rule("Allow"), tier="baseline"),
                admin("ClusterNetworkPolicy", "Deny", 5, "Baseline"),
            ],
            True,
        ),
        ([admin("ClusterNetworkPolicy", "Deny", 5, "Baseline")], False),
        (
            [
                acnp("a", 5, DROP, tier="baseline"),
                admin("BaselineAdminNetworkPolicy", "Allow", name="default"),
            ],
            False,
        ),
        ([admin("ClusterNetworkPolicy", "Accept", name="y"), admin("ClusterNetworkPolicy", "Deny")], None),
        ([admin("ClusterNetworkPolicy", "Accept"), admin("AdminNetworkPolicy", "Deny")], True),
    ],
)
def test_policies_of_network_policy_api_stand_among_the_tiers(policies, allowed):
    """A ClusterNetworkPolicy before the tier application, an AdminNetworkPolicy behind it; a Pass leaves them all."""
    assert ask(policies, NEAR).ingress.allowed is allowed


def test_a_tier_of_ones_own_stands_where_its_object_says():
    tier = raw("Tier", "mine", {"priority": 10}, group=GROUP)
    policies = [acnp("a", 9, DROP, tier="mine"), acnp("b", 1, ALLOW, tier="emergency")]

    assert ask(policies, NEAR, others=[tier]).ingress.allowed is False


@pytest.mark.parametrize(
    ("peer", "near", "far", "internet"),
    [
        (API, True, True, False),
        (BANK, False, True, False),
        ({**API, **BANK}, False, True, False),
        (SELF, True, False, False),
        ({**SELF, **API}, True, False, False),
        ({"ipBlock": {"cidr": "10.0.0.0/30"}}, True, True, False),
        ({"ipBlock": {"cidr": "203.0.113.0/24"}}, False, False, True),
        ({"group": "some"}, None, None, None),
        ({"serviceAccount": {"name": "default", "namespace": "shop"}}, True, False, False),
        ({"serviceAccount": {"name": "run", "namespace": "shop"}}, False, False, False),
        ({"serviceAccount": {"name": "run"}}, None, None, None),
        ({"namespaces": {"sameLabels": ["team"]}}, False, False, False),
        ({"namespaces": {"sameLabels": ["team"], "match": "Self"}}, None, None, None),
        ({**API, "scope": "ClusterSet"}, None, None, None),
    ],
)
def test_whom_a_peer_means(peer, near, far, internet):
    """A selector of pods alone means every namespace; Self is that of the pod that is policed."""
    policies = [acnp("a", 5, rule("Allow", peer), rule("Drop"))]

    assert [ask(policies, src).ingress.allowed for src in (NEAR, FAR, INTERNET)] == [near, far, internet]


TEAMS = {
    "shop": {"team": "red", "env": "live"},
    "bank": {"team": "red", "env": "test"},
    "lone": {"team": "blue", "env": "live"},
    "bare": {},
}
THERE = {name: pod(name, "api-1", {"app": "api"}, ip=f"10.0.1.{at}") for at, name in enumerate(TEAMS)}


@pytest.mark.parametrize(
    ("keys", "beside", "applied", "allowed"),
    [
        (["team"], {}, OF_WEB, {"shop", "bank"}),
        (["team", "env"], {}, OF_WEB, {"shop"}),
        (["env", "env"], {}, OF_WEB, {"shop", "lone"}),
        (["team"], API, OF_WEB, {"shop", "bank"}),
        (["team"], {"podSelector": {"matchLabels": {"app": "web"}}}, OF_WEB, set()),
        (["none"], {}, OF_WEB, set()),
        (["team"], {}, [{"namespaceSelector": {}}], {"shop", "bank"}),
        ([], {}, OF_WEB, None),
    ],
)
def test_namespaces_that_share_labels_are_one_tenant(keys, beside, applied, allowed):
    """All of the labels, and both namespaces have to have them."""
    peer = {"namespaces": {"sameLabels": keys}, **beside}
    policies = [acnp("a", 5, rule("Allow", peer), rule("Drop"), applied=applied)]
    known = compile_policies(
        snapshot([WEB, *THERE.values()], policies, namespaces=TEAMS), dialect=Dialect.ANTREA
    )
    found = {
        name: known.evaluate(pod_end(one), pod_end(WEB), "TCP", 80).ingress.allowed
        for name, one in THERE.items()
    }

    assert found == {name: None if allowed is None else name in allowed for name in TEAMS}


def test_labels_to_share_are_those_of_the_time_and_of_namespaces_that_are_known():
    """One of which no object tells may have any."""
    peer = {"namespaces": {"sameLabels": ["team"]}}
    state = snapshot(
        [WEB, *THERE.values()], [acnp("a", 5, rule("Allow", peer), rule("Drop"))], namespaces=TEAMS
    )
    was = replace(state.namespaces["bank"], labels_before=(LabelChange(until=100, labels={"team": "old"}),))
    known = compile_policies(
        replace(state, namespaces={**state.namespaces, "bank": was}), dialect=Dialect.ANTREA
    )
    ends = (pod_end(THERE["bank"]), pod_end(WEB), "TCP", 80)
    undeclared = replace(state.namespaces["bare"], declared=False)
    unsure = compile_policies(
        replace(state, namespaces={**state.namespaces, "bare": undeclared}), dialect=Dialect.ANTREA
    )

    assert [known.evaluate(*ends, at=at).ingress.allowed for at in (99, 100)] == [False, True]
    assert unsure.evaluate(*ends).ingress.allowed is None


def test_a_service_account_is_a_subject_too():
    """Which of a workload's pods runs as it is not known where they differ."""
    run, other = (
        pod("shop", f"job-{at}", {"app": "job"}, ip=f"10.0.2.{at}", service_account=account, workload=JOB)
        for at, account in enumerate(("run", None))
    )
    applied = [{"serviceAccount": {"name": "run", "namespace": "shop"}}]
    known = compile_policies(
        snapshot([WEB, run, other], [acnp("a", 5, rule("Drop"), applied=applied)]), dialect=Dialect.ANTREA
    )
    either = Endpoint(kind=EndpointKind.WORKLOAD, namespace="shop", workload=JOB)

    assert [
        known.evaluate(pod_end(WEB), end, "TCP", 80).ingress.allowed
        for end in (pod_end(run), pod_end(other), either)
    ] == [False, True, None]


GROUPS = {
    "apis": API,
    "bank": BANK,
    "range": {"ipBlocks": [{"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}]},
    "both": {"childGroups": ["bank", "range"]},
    "none": {"childGroups": []},
    "loop": {"childGroups": ["loop"]},
    "service": {"serviceReference": {"name": "api", "namespace": "bank"}},
    "entities": {"externalEntitySelector": {}},
}


@pytest.mark.parametrize(
    ("group", "near", "far", "internet"),
    [
        ("apis", True, True, False),
        ("bank", False, True, False),
        ("range", False, False, True),
        ("both", False, True, True),
        ("none", False, False, False),
        ("service", False, True, False),
        ("entities", None, None, None),
        ("loop", None, None, None),
        ("missing", None, None, None),
    ],
)
def test_whom_a_group_means(group, near, far, internet):
    """By its selectors, ranges, other groups or a Service; one that is not there may be of another dump."""
    others = [raw("ClusterGroup", name, spec, group=GROUP) for name, spec in GROUPS.items()]
    policies = [acnp("a", 5, rule("Allow", {"group": group}), rule("Drop"))]
    state = snapshot(
        [WEB, NEAR, FAR],
        policies,
        others=tuple(others),
        services=(Service(namespace="bank", name="api", selector={"app": "api"}),),
    )
    known = compile_policies(state, dialect=Dialect.ANTREA)
    ends = (pod_end(NEAR), pod_end(FAR), INTERNET)

    assert [known.evaluate(end, pod_end(WEB), "TCP", 80).ingress.allowed for end in ends] == [
        near,
        far,
        internet,
    ]


def test_a_group_that_is_in_no_list_of_groups_is_nobody():
    policies = [acnp("a", 5, rule("Drop", {"group": "missing"}))]
    state = snapshot([WEB, NEAR], policies, kinds_seen=frozenset({(GROUP, "ClusterGroup")}))
    found = compile_policies(state, dialect=Dialect.ANTREA).evaluate(pod_end(NEAR), pod_end(WEB), "TCP", 80)

    assert found.ingress.allowed is True


def test_a_policy_may_be_applied_to_a_group():
    """Ranges in it are nobody that a policy is applied to."""
    others = [raw("ClusterGroup", name, spec, group=GROUP) for name, spec in GROUPS.items()]

    assert (
        ask([acnp("a", 5, DROP, applied=[{"group": "apis"}])], WEB, NEAR, others=others).ingress.allowed
        is False
    )
    assert ask([acnp("a", 5, DROP, applied=[{"group": "apis"}])], NEAR, others=others).ingress.allowed is True
    assert (
        ask([acnp("a", 5, DROP, applied=[{"group": "range"}])], NEAR, others=others).ingress.allowed is True
    )
    assert (
        ask([acnp("a", 5, DROP, applied=[{"group": "missing"}])], NEAR, others=others).ingress.allowed is None
    )


@pytest.mark.parametrize(
    ("group", "allowed"),
    [
        ({"podSelector": {"matchLabels": {"app": "api"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, False),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "api"}}}, True),
        ({"childGroups": ["wide"]}, True),
    ],
)
@pytest.mark.parametrize("of_rule", [False, True])
def test_a_policy_applied_to_a_group_with_pods_of_other_namespaces_is_not_realized(group, allowed, of_rule):
    """Not at the pods of its own namespace either: no node gets it."""
    others = [
        raw("Group", name, spec, group=GROUP, namespace="shop")
        for name, spec in {"mine": group, "wide": {"namespaceSelector": {}}}.items()
    ]
    applied = {"appliedTo": [{"group": "mine"}]}
    policy = (
        annp("a", 5, rule("Drop", **applied), appliedTo=None) if of_rule else annp("a", 5, DROP, **applied)
    )
    state = snapshot([WEB, NEAR, FAR], [policy], others=tuple(others))
    known = compile_policies(state, dialect=Dialect.ANTREA)

    assert known.evaluate(pod_end(WEB), pod_end(NEAR), "TCP", 80).ingress.allowed is allowed
    assert [ref.name for ref, why in known.notes if "not realized" in why] == (["a"] if allowed else [])


@pytest.mark.parametrize("space", ["shop", "bank"])
def test_a_pod_of_the_host_counts_among_those_of_other_namespaces(space):
    """It is left out of whom the policy is applied to only when the whole group has been found valid."""
    group = raw(
        "Group", "mine", {"namespaceSelector": {}, "podSelector": OF_AGENTS}, group=GROUP, namespace="shop"
    )
    agent = pod(space, "agent", {"role": "agent"}, ip="192.0.2.2", host_network=True)
    policy = annp("a", 5, DROP, appliedTo=[*OF_WEB, {"group": "mine"}])
    known = compile_policies(snapshot([WEB, NEAR, agent], [policy], others=(group,)), dialect=Dialect.ANTREA)

    assert known.evaluate(pod_end(NEAR), pod_end(WEB), "TCP", 80).ingress.allowed is (space == "bank")


def test_a_namespaced_policys_pods_are_its_own():
    policies = [annp("a", 5, rule("Drop", API))]

    assert ask(policies, NEAR).ingress.allowed is False
    assert ask(policies, FAR).ingress.allowed is True
    assert ask(policies, FAR, NEAR).ingress.allowed is True


def test_pods_on_the_nodes_network_and_nodes():
    """Labels of the first count for nothing; a node is one by its own labels."""
    apis = acnp("a", 5, egress=[rule("Drop", API, word="to")])
    nodes = acnp(
        "a", 5, egress=[rule("Drop", {"nodeSelector": {"matchLabels": {"role": "edge"}}}, word="to")]
    )

    assert ask([apis], WEB, HOST).egress.allowed is True
    assert ask([nodes], WEB, EDGE).egress.allowed is False
    assert ask([nodes], WEB, FAR).egress.allowed is True


@pytest.mark.parametrize(
    ("more", "protocol", "port", "icmp", "allowed"),
    [
        ({"ports": [{"protocol": "TCP", "port": 8080}]}, "TCP", 8080, None, False),
        ({"ports": [{"port": 8000, "endPort": 8080}]}, "TCP", 8080, None, False),
        ({"ports": [{"port": 8000, "endPort": 8080}]}, "TCP", 8081, None, True),
        ({"ports": [{"protocol": "UDP"}]}, "UDP", 53, None, False),
        ({"ports": [{"protocol": "UDP"}]}, "TCP", 53, None, True),
        ({"ports": [{"port": "http"}]}, "TCP", 8080, None, False),
        ({"ports": [{"port": 8080, "sourcePort": 1}]}, "TCP", 8080, None, None),
        ({"ports": [{"port": 8080}]}, "ICMP", None, None, True),
        ({"protocols": [{"icmp": {"icmpType": 8}}]}, "ICMP", None, Icmp(8, 0), False),
        ({"protocols": [{"icmp": {"icmpType": 8}}]}, "ICMP", None, Icmp(0, 0), True),
        ({"protocols": [{"icmp": {}}]}, "TCP", 8080, None, True),
        ({"protocols": [{"igmp": {}}]}, "TCP", 8080, None, True),
        ({"protocols": [{"igmp": {"igmpType": 17, "groupAddress": "224.0.0.1"}}]}, "ICMP", None, None, True),
        ({"protocols": [{"igmp": {}}]}, "IGMP", None, None, False),
        ({"protocols": [{"igmp": {"igmpType": 17}}]}, "IGMP", None, None, None),
        ({"protocols": [{"igmp": {}}, {"icmp": {}}]}, "ICMP", None, Icmp(8, 0), False),
        ({"protocols": [{"igmp": {}, "icmp": {}}]}, "TCP", 8080, None, None),
        ({"protocols": [{"igmp": {}}], "ports": [{"port": 80}]}, "TCP", 80, None, False),
        ({"l7Protocols": [{"http": {}}]}, "TCP", 8080, None, None),
        ({"name": "drop", "enableLogging": True, "logLabel": "x"}, "TCP", 8080, None, False),
    ],
)
def test_what_a_rule_asks_of_the_traffic(more, protocol, port, icmp, allowed):
    found = ask([acnp("a", 5, rule("Drop", **more))], NEAR, WEB, protocol, port, icmp=icmp)
    assert found.ingress.allowed is allowed


@pytest.mark.parametrize(
    ("service", "near", "far", "host", "internet"),
    [
        ({"name": "api", "namespace": "bank"}, True, None, True, True),
        ({"name": "agent", "namespace": "shop"}, None, True, None, True),
        ({"name": "outside", "namespace": "bank"}, None, None, None, None),
        ({"name": "gone", "namespace": "bank"}, True, True, True, True),
        ({"name": "api", "namespace": "bank", "scope": "ClusterSet"}, None, None, None, None),
        ({"name": "api"}, None, None, None, None),
    ],
)
def test_a_rule_for_services_is_about_who_is_behind_them(service, near, far, host, internet):
    """By which address these were called is not known; of nobody else is there a doubt."""
    services = tuple(
        Service(namespace=space, name=name, selector=selector)
        for space, name, selector in (
            ("bank", "api", {"app": "api"}),
            ("shop", "agent", {"app": "api"}),
            ("bank", "outside", None),
        )
    )
    policy = acnp("a", 5, egress=[{"action": "Drop", "toServices": [service]}])
    seen = frozenset({("", "Service")})
    state = snapshot([WEB, NEAR, FAR, HOST], [policy], services=services, kinds_seen=seen)
    known = compile_policies(state, dialect=Dialect.ANTREA)
    answers = [
        known.evaluate(pod_end(WEB), end, "TCP", 80).egress.allowed
        for end in (pod_end(NEAR), pod_end(FAR), pod_end(HOST), INTERNET)
    ]

    assert answers == [near, far, host, internet]


def test_a_rule_for_services_of_a_namespaced_policy_is_about_its_own():
    policy = annp("a", 5, egress=[{"action": "Drop", "toServices": [{"name": "api"}]}])
    services = (Service(namespace="shop", name="api", selector={"app": "api"}),)
    known = compile_policies(snapshot([WEB, NEAR, FAR], [policy], services=services), dialect=Dialect.ANTREA)

    assert known.evaluate(pod_end(WEB), pod_end(NEAR), "TCP", 80).egress.allowed is None
    assert known.evaluate(pod_end(WEB), pod_end(FAR), "TCP", 80).egress.allowed is True


@pytest.mark.parametrize(
    ("name", "internet", "far"),
    [
        ("www.example.com", None, True),
        ("*.example.com", None, True),
        ("api.bank.svc.cluster.local", None, None),
        ("*example.com", None, None),
    ],
)
def test_names_of_hosts(name, internet, far):
    """A Service's name stands for pods; without DNS it is not known whose address one is."""
    policies = [acnp("a", 5, egress=[rule("Drop", {"fqdn": name}, word="to")])]

    assert ask(policies, WEB, INTERNET).egress.allowed is internet
    assert ask(policies, WEB, FAR).egress.allowed is far


def test_a_rules_own_applied_to_is_for_that_rule():
    rules = [
        rule("Drop", appliedTo=[{"podSelector": {"matchLabels": {"app": "api"}}}]),
        rule("Allow", appliedTo=OF_WEB),
    ]
    policies = [acnp("a", 5, *rules, applied=None)]

    assert ask(policies, FAR, NEAR).ingress.allowed is False
    assert ask(policies, FAR, WEB).ingress.allowed is True


def test_what_is_applied_to_nodes_or_services_is_for_no_pod():
    policies = [
        acnp("a", 5, DROP, applied=[{"nodeSelector": {}}]),
        acnp("b", 6, DROP, applied=[{"service": {"name": "x"}}]),
    ]

    assert ask(policies, NEAR).ingress.allowed is True


def test_the_rule_that_refuses_is_named_by_its_place():
    decided = ask([acnp("a", 5, rule("Allow", BANK), rule("Drop", SELF))], NEAR).ingress.decided_by

    assert (decided.policy.name, decided.rule) == ("a", "ingress[1]")


def test_of_a_rule_for_each_namespace_the_walk_tells_the_one_that_is_asked():
    """A hundred namespaces would be a hundred lines."""
    walk = ask([acnp("a", 5, rule("Allow", SELF), rule("Drop"))], FAR, walk=True).ingress.walk
    told = [step.text for step in walk if step.rule is not None and step.rule.startswith("ingress[0]")]

    assert len(told) == 1
    assert "wants kubernetes.io/metadata.name=shop, found kubernetes.io/metadata.name=bank" in told[0]


def test_where_another_enforces_nobody_knows_what_they_do():
    policies = [acnp("a", 5, DROP)]

    assert ask(policies, NEAR, dialect=Dialect.KUBERNETES).ingress.allowed is None
    assert ask(policies, NEAR, FAR, dialect=Dialect.KUBERNETES).ingress.allowed is True
