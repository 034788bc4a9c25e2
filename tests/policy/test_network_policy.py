"""NetworkPolicy: isolation, peers, ports, addresses, time, and what is unknown."""

import pytest

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, Icmp
from flowdiag.model.objects import LabelChange, Node
from flowdiag.model.policy import Condition, Dialect, IpBlockPods, Miss
from flowdiag.policy import PortSet, compile_policies, connections
from tests.policy.scenes import net_policy, outside, pod, pod_end, port, snapshot

WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1", ports=[("http", 8080, "TCP"), ("dns", 53, "UDP")])
API = pod("shop", "api-1", {"app": "api"}, ip="10.0.0.2")
OTHER = pod("bank", "api-1", {"app": "api"}, ip="10.0.0.3")
HOST = pod("shop", "agent", {"app": "api"}, ip="192.168.0.1", host_network=True, node="n2")
INTERNET = outside("203.0.113.9")

TO_WEB = {"podSelector": {"matchLabels": {"app": "web"}}}


def ask(policies, src, dst, protocol="TCP", to_port=8080, *, dialect=Dialect.KUBERNETES, **more):
    ends = [end if isinstance(end, Endpoint) else pod_end(end) for end in (src, dst)]
    state = snapshot([WEB, API, OTHER, HOST], policies)
    return compile_policies(state, dialect=dialect).evaluate(*ends, protocol, to_port, **more)


def verdict(spec, src, dst, *args, **more):
    return ask([net_policy("shop", "p", spec)], src, dst, *args, **more).allowed


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({"podSelector": {}}, False, True),
        ({"podSelector": {}, "egress": []}, False, True),
        ({"podSelector": {}, "egress": [{}]}, False, True),
        ({"podSelector": None, "policyTypes": ["Egress"]}, True, False),
        ({"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}]}, True, False),
        ({"policyTypes": ["Ingress", "Egress"]}, False, False),
        ({"podSelector": {}, "policyTypes": [], "ingress": [{}]}, True, True),
        ({"podSelector": {"matchLabels": None}, "ingress": None}, False, True),
    ],
)
def test_directions_follow_policy_types_and_their_defaults(spec, ingress, egress):
    """No types is Ingress, and Egress only where there are egress rules; each direction by itself."""
    policies = [net_policy("shop", "p", spec)]

    assert ingress == ask(policies, OTHER, WEB).ingress.allowed
    assert egress == ask(policies, WEB, OTHER).egress.allowed


@pytest.mark.parametrize("field", [{}, {"from": None}, {"from": []}])
def test_a_rule_without_peers_admits_everybody(field):
    """Missing, null and empty ``from`` are one: every pod, and the outside too."""
    spec = {**TO_WEB, "ingress": [field]}

    assert verdict(spec, OTHER, WEB) is True
    assert verdict(spec, INTERNET, WEB) is True


@pytest.mark.parametrize(
    ("peer", "same", "other", "internet"),
    [
        ({"podSelector": {}}, True, False, False),
        ({"namespaceSelector": {}}, True, True, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}}, False, True, False),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "none"}}}, False, False, False),
        ({"podSelector": None, "namespaceSelector": {}}, True, True, False),
        ({"ipBlock": {"cidr": "203.0.113.0/24"}}, False, False, True),
        ({"ipBlock": {"cidr": "203.0.113.77/24"}}, False, False, True),
        ({"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.8/29"]}}, False, False, False),
    ],
)
def test_what_a_peer_selects(peer, same, other, internet):
    """A podSelector alone is the policy's own namespace; selectors never reach outside."""
    spec = {**TO_WEB, "ingress": [{"from": [peer]}]}

    assert (same, other, internet) == tuple(verdict(spec, src, WEB) for src in (API, OTHER, INTERNET))


def test_one_element_is_and_two_are_or():
    """One dash changes everything."""
    bank = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}}
    web = {"podSelector": {"matchLabels": {"app": "web"}}}

    assert verdict({**TO_WEB, "ingress": [{"from": [bank | web]}]}, OTHER, WEB) is False
    assert verdict({**TO_WEB, "ingress": [{"from": [bank, web]}]}, OTHER, WEB) is True


@pytest.mark.parametrize(
    ("ports", "protocol", "number", "allowed"),
    [
        ([{"port": 8080}], "TCP", 8080, True),
        ([{"port": 53}], "UDP", 53, False),
        ([{"protocol": "UDP"}], "UDP", 9, True),
        ([{"protocol": "UDP"}], "TCP", 9, False),
        ([{"port": 8000, "endPort": 8100}], "TCP", 8100, True),
        ([{"port": 8000, "endPort": 8100}], "TCP", 8101, False),
        ([{"port": "http"}], "TCP", 8080, True),
        ([{"port": "http"}], "TCP", 80, False),
        ([{"port": "dns"}], "TCP", 53, False),
        ([{"port": "dns", "protocol": "UDP"}], "UDP", 53, True),
        ([{"port": "nope"}], "TCP", 8080, False),
        ([], "SCTP", 1, True),
        (None, "SCTP", 1, True),
    ],
)
def test_ports(ports, protocol, number, allowed):
    """TCP is the default protocol; names are the destination's, by name and protocol."""
    assert allowed is verdict({**TO_WEB, "ingress": [{"ports": ports}]}, API, WEB, protocol, number)


TWICE = pod(
    "shop", "twice", {"app": "web"}, ip="10.0.0.4", ports=[("http", 8080, "TCP"), ("http", 9090, "TCP")]
)


@pytest.mark.parametrize(
    ("dialect", "allowed"),
    [
        *((Dialect.CALICO, True), (Dialect.OVN, True)),
        *((Dialect.KUBERNETES, None), (Dialect.CILIUM, None), (Dialect.AWS, None), (Dialect.ANTREA, None)),
    ],
)
@pytest.mark.parametrize("number", [8080, 9090])
def test_a_name_that_two_containers_give_is_not_known_to_mean_both(dialect, allowed, number):
    """Enforcers differ in which of the numbers is meant, or whether both are; a third one is not in question."""
    spec = {**TO_WEB, "ingress": [{"ports": [{"port": "http"}]}]}

    found = ask([net_policy("shop", "p", spec)], API, TWICE, "TCP", number, dialect=dialect)
    assert found.allowed is allowed
    assert verdict(spec, API, TWICE, "TCP", 7070, dialect=dialect) is False
    if allowed is None:
        assert "http/TCP stands for 8080,9090 in containers of one pod" in found.ingress.unknown[0]


def test_both_ends_must_allow_and_each_is_told():
    """An allowing server does not waive the client's egress."""
    found = ask(
        [
            net_policy("shop", "closed", {"podSelector": {}, "policyTypes": ["Egress"]}),
            net_policy("shop", "open", {**TO_WEB, "ingress": [{}]}),
        ],
        API,
        WEB,
    )

    assert (found.allowed, found.egress.allowed, found.ingress.allowed) == (False, False, True)
    assert found.egress.isolated_by[0].name == "closed"
    assert (
        found.ingress.decided_by.policy.name,
        found.ingress.decided_by.rule,
        found.ingress.decided_by.action,
    ) == ("open", "ingress[0]", "allow")
    assert found.egress.decided_by is None


def test_the_nearest_rule_tells_label_wanted_and_found():
    """Fewest misses come first; an absent key has nothing found; the peer's place is in the path."""
    spec = {
        **TO_WEB,
        "ingress": [
            {
                "from": [
                    {"podSelector": {"matchLabels": {"app": "front"}}},
                    {"podSelector": {"matchLabels": {"tier": "x", "app": "y"}}},
                ],
                "ports": [{"port": 8080}],
            },
            {"from": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 80}]},
            {"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 80}]},
        ],
    }
    nearest = ask([net_policy("shop", "p", spec)], API, WEB).ingress.nearest

    assert [
        ("ingress[0].from[0]", (Miss(Condition.POD, "app=front", "app=api"),)),
        ("ingress[1]", (Miss(Condition.PORT, "80/TCP", "8080/TCP"),)),
        (
            "ingress[2].from[0]",
            (
                Miss(Condition.IP, "203.0.113.0/24", "10.0.0.2"),
                Miss(Condition.PORT, "80/TCP", "8080/TCP"),
            ),
        ),
    ] == [(rule.rule, rule.misses) for rule in nearest]


def test_an_end_outside_has_no_decision_and_two_of_them_no_question():
    """Only the pod's own side counts."""
    found = ask([], INTERNET, WEB)

    assert found.egress is None
    assert found.ingress.allowed is True
    with pytest.raises(ValueError, match="outside"):
        ask([], INTERNET, outside("198.51.100.1"))


def test_a_pod_to_itself_is_not_covered():
    """The API leaves it open, so there is no verdict, and it is said."""
    found = ask([], WEB, WEB)

    assert found.allowed is None
    assert "itself" in found.ingress.unknown[0]


def test_an_ip_block_over_a_pod_differs_between_enforcers():
    """Unknown where the API leaves it open and the block holds the address; else as the enforcer does."""
    spec = {**TO_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}
    wide = {**TO_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "172.16.0.0/12"}}]}]}
    named = {**TO_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"podSelector": {}}]}]}

    assert verdict(spec, API, WEB) is None
    assert verdict(wide, API, WEB) is False
    assert verdict(named, API, WEB) is True
    assert verdict(spec, API, WEB, dialect=Dialect.CALICO) is True
    assert verdict(spec, API, WEB, dialect=Dialect.CILIUM) is False


def test_ip_block_pods_can_be_forced():
    """What the caller knows beats what the dialect documents."""
    spec = {**TO_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}
    state = snapshot([WEB, API], [net_policy("shop", "p", spec)])
    found = [
        compile_policies(state, dialect=Dialect.KUBERNETES, ip_block_pods=choice)
        .evaluate(pod_end(API), pod_end(WEB), "TCP", 8080)
        .allowed
        for choice in (IpBlockPods.MATCH, IpBlockPods.NO_MATCH)
    ]

    assert found == [True, False]


def test_a_range_asked_about_that_is_partly_inside_is_unknown():
    """A CIDR end matches only if all of it does."""
    spec = {**TO_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}
    ends = {
        cidr: Endpoint(kind=EndpointKind.EXTERNAL, cidr=cidr)
        for cidr in ("203.0.113.128/25", "203.0.112.0/23", "198.51.100.0/24")
    }

    assert [verdict(spec, end, WEB) for end in ends.values()] == [True, None, False]


def test_pods_in_the_nodes_network_are_no_peers_and_no_subjects():
    """Their labels match no selector; an ipBlock of the node's address does."""
    by_label = {**TO_WEB, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]}
    by_block = {**TO_WEB, "ingress": [{"from": [{"ipBlock": {"cidr": "192.168.0.0/24"}}]}]}

    assert verdict(by_label, HOST, WEB) is False
    assert verdict(by_block, HOST, WEB) is True
    assert verdict({"podSelector": {}, "policyTypes": ["Egress"]}, HOST, OTHER) is True


def test_a_node_always_reaches_its_own_pods_and_not_those_of_others():
    """Kubelet probes pass; another node's do not."""
    own = Endpoint(kind=EndpointKind.NODE, name="n1", node=Node(name="n1", addresses=("192.168.0.7",)))
    other = Endpoint(kind=EndpointKind.NODE, name="n2", node=Node(name="n2", addresses=("192.168.0.8",)))

    assert verdict({"podSelector": {}}, own, WEB) is True
    assert verdict({"podSelector": {}}, other, WEB) is False


def test_what_isolates_is_told_where_the_own_node_passes_all_the_same():
    """The policy is there, and is not asked; the note says why."""
    own = Endpoint(kind=EndpointKind.NODE, name="n1", node=Node(name="n1", addresses=("192.168.0.7",)))
    end = ask([net_policy("shop", "closed", {"podSelector": {}})], own, WEB).ingress

    assert (end.allowed, [ref.name for ref in end.isolated_by]) == (True, ["closed"])
    assert end.notes == ("a node always reaches the pods that run on it (n1)",)


def test_icmp_is_outside_the_api():
    """Unknown for an isolated pod, allowed by a rule without ports, closed where the enforcer closes it."""
    echo = Icmp(8, 0)
    closed = {"podSelector": {}}
    with_ports = {**TO_WEB, "ingress": [{"ports": [{"port": 80}]}]}

    assert verdict(closed, API, WEB, "ICMP", None, icmp=echo) is None
    assert verdict(with_ports, API, WEB, "ICMP", None, icmp=echo) is None
    assert verdict({**TO_WEB, "ingress": [{}]}, API, WEB, "ICMP", None, icmp=echo) is True
    for dialect in (Dialect.CALICO, Dialect.OVN, Dialect.ANTREA, Dialect.AWS):
        assert verdict(closed, API, WEB, "ICMP", None, icmp=echo, dialect=dialect) is False
        assert verdict(with_ports, API, WEB, "ICMP", None, icmp=echo, dialect=dialect) is False


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {}, "ingress": [{"from": [{}]}]},
        {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]},
        {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "nonsense"}}]}]},
        {
            "podSelector": {},
            "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8"]}}]}],
        },
        {"podSelector": {}, "ingress": [{"ports": [{"port": "http", "endPort": 90}]}]},
        {"podSelector": {}, "ingress": [{"ports": [{"port": 90, "endPort": 80}]}]},
        {"podSelector": {}, "ingress": [{"ports": [{"port": 70000}]}]},
        {"podSelector": {}, "ingress": [{"ports": [{"protocol": "tcp", "port": 80}]}]},
        {"podSelector": {}, "policyTypes": ["ingress"]},
        {"podSelector": {}, "ingress": {"from": []}},
    ],
)
def test_a_policy_that_the_api_refuses_leaves_its_pods_without_a_verdict(spec):
    """The reason is said, and pods of other namespaces keep their verdict."""
    found = ask([net_policy("shop", "p", spec)], OTHER, WEB)

    assert found.allowed is None
    assert "NetworkPolicy shop/p cannot be evaluated" in found.ingress.unknown[0]
    assert ask([net_policy("shop", "p", spec)], INTERNET, OTHER).allowed is True


UNREADABLE = [
    {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]},
    {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
    {"matchExpressions": [{"key": "a", "operator": "Is"}]},
    "everything",
]


@pytest.mark.parametrize("selector", UNREADABLE)
def test_a_selector_that_the_api_refuses_leaves_open_whom_it_means(selector):
    """The reason is said, and pods of other namespaces keep their verdict."""
    spec = {"podSelector": selector}
    found = ask([net_policy("shop", "p", spec)], OTHER, WEB)

    assert found.allowed is None
    assert "NetworkPolicy shop/p: spec.podSelector" in found.ingress.unknown[0]
    assert ask([net_policy("shop", "p", spec)], INTERNET, OTHER).allowed is True


@pytest.mark.parametrize("selector", UNREADABLE)
def test_an_unreadable_selector_changes_no_answer_that_holds_either_way(selector):
    """Beside a default deny it could only admit what its rules admit: port 80, and nothing on 81."""
    deny = net_policy("shop", "deny", {"podSelector": {}})
    loose = net_policy("shop", "p", {"podSelector": selector, "ingress": [{"ports": [{"port": 80}]}]})
    peers = net_policy("shop", "p", {"podSelector": {}, "ingress": [{"from": [{"podSelector": selector}]}]})
    isolating = net_policy("shop", "p", {"podSelector": selector})

    assert ask([deny, loose], API, WEB, "TCP", 80).allowed is None
    assert ask([deny, loose], API, WEB, "TCP", 81).allowed is False
    assert ask([deny, isolating], API, WEB).allowed is False
    assert ask([deny, peers], API, WEB).allowed is None
    assert ask([deny, peers], INTERNET, WEB).allowed is False, "a selector of pods means nobody outside"


def test_an_unknown_field_makes_the_condition_unknown_and_is_named():
    """Neither a silent match nor a silent miss; a rule that decides without it still decides."""
    rule = {"from": [{"podSelector": {}, "serviceSelector": {}}]}
    found = ask([net_policy("shop", "p", {**TO_WEB, "ingress": [rule]})], API, WEB)

    assert found.allowed is None
    assert "spec.ingress[0].from[0].serviceSelector" in found.ingress.unknown[0]
    assert verdict({**TO_WEB, "ingress": [rule, {}]}, API, WEB) is True


def test_a_pod_that_nobody_has_seen_is_judged_by_what_is_known_of_it():
    """Its namespace excludes it; its labels are unknown; an identity's labels count where they are there."""
    spec = {**TO_WEB, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]}
    ghost = Endpoint(kind=EndpointKind.POD, namespace="shop", name="gone-1")
    known = Endpoint(
        kind=EndpointKind.POD,
        namespace="shop",
        name="gone-1",
        identity_labels=(("k8s:app", "api"), ("k8s:io.kubernetes.pod.namespace", "shop")),
    )
    far = Endpoint(kind=EndpointKind.POD, namespace="bank", name="gone-1")

    assert [verdict(spec, end, WEB) for end in (ghost, known, far)] == [None, True, False]


def test_a_policy_counts_from_its_creation_and_its_spec_is_uncertain_before_its_last_write():
    """Before it was created it is not there; before its known spec it is evaluated and named."""
    policy = net_policy("shop", "p", {"podSelector": {}}, created=100, valid_from=200)

    assert ask([policy], API, WEB, at=50).allowed is True
    found = ask([policy], API, WEB, at=150)
    assert found.allowed is False
    assert (policy.ref,) == found.ingress.uncertain
    assert ask([policy], API, WEB, at=250).ingress.uncertain == ()
    assert ask([policy], API, WEB).allowed is False


def test_a_superseded_spec_holds_until_its_successor():
    """Two specs of one policy with their spans in time."""
    old = net_policy("shop", "p", {"podSelector": {}}, created=100, valid_until=200)
    new = net_policy("shop", "p", {**TO_WEB, "ingress": [{}]}, created=100, valid_from=200)
    late = net_policy("shop", "q", {"podSelector": {}}, created=100, valid_until=200)

    assert ask([old], API, WEB).allowed is True
    assert ask([new, late], API, WEB, at=150).allowed is True
    assert ask([old], API, WEB, at=150).allowed is False
    assert ask([old], API, WEB, at=200).allowed is True


def test_labels_are_those_of_the_time_asked_about():
    """A relabelled pod had its old labels then."""
    moved = pod("shop", "moved", {"app": "api"}, ip="10.0.0.9", before=(LabelChange(100, {"app": "old"}),))
    spec = {**TO_WEB, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]}

    assert ask([net_policy("shop", "p", spec)], moved, WEB, at=50).allowed is False
    assert ask([net_policy("shop", "p", spec)], moved, WEB, at=100).allowed is True
    assert ask([net_policy("shop", "p", spec)], moved, WEB).allowed is True


def test_any_port_is_allowed_only_if_every_port_is():
    """A missing port asks for all; where ports differ there is no one verdict."""
    some = {**TO_WEB, "ingress": [{"ports": [{"port": 80, "endPort": 90}]}]}
    every = {**TO_WEB, "ingress": [{"ports": [{"port": 1, "endPort": 65535}]}]}

    assert verdict({**TO_WEB, "ingress": [{}]}, API, WEB, "TCP", None) is True
    assert verdict({"podSelector": {}}, API, WEB, "TCP", None) is False
    assert verdict(some, API, WEB, "TCP", None) is None
    assert verdict(every, API, WEB, "TCP", None) is True
    assert verdict(every, API, WEB, None, None) is None
    assert verdict(every, API, WEB, None, 80) is None


def test_a_port_asked_by_name_is_the_destinations():
    """A name that the destination lacks has no verdict, and that is said."""
    spec = {**TO_WEB, "ingress": [{"ports": [{"port": 8080}]}]}

    assert verdict(spec, API, WEB, "TCP", "http") is True
    assert verdict(spec, API, WEB, "UDP", "dns") is False
    found = ask([net_policy("shop", "p", spec)], API, WEB, "TCP", "nope")
    assert found.allowed is None
    assert "nope" in found.ingress.unknown[0]


def test_connections_are_exact_sets_of_ports():
    """Both ends are intersected; named ports are resolved; protocols without an open port are left out."""
    policies = [
        net_policy("shop", "in", {**TO_WEB, "ingress": [{"ports": [port("http"), port(80, end=90)]}]}),
        net_policy(
            "shop",
            "out",
            {
                "podSelector": {"matchLabels": {"app": "api"}},
                "policyTypes": ["Egress"],
                "egress": [{"ports": [port(85, end=9000), port(53, "UDP")]}],
            },
        ),
    ]
    compiled = compile_policies(snapshot([WEB, API], policies), dialect=Dialect.KUBERNETES)

    assert {"TCP": PortSet([(85, 90), (8080, 8080)])} == connections(compiled, pod_end(API), pod_end(WEB))


def test_the_isolating_set_and_the_pods_selected_can_be_asked_for():
    """Sorted refs per direction; finished pods are not selected."""
    done = pod("shop", "job", {"app": "web"}, ip="10.0.0.4", phase="Succeeded")
    first, second = net_policy("shop", "b", TO_WEB), net_policy("shop", "a", {"podSelector": {}})
    compiled = compile_policies(snapshot([WEB, API, done], [first, second]), dialect=Dialect.KUBERNETES)

    assert (second.ref, first.ref) == compiled.isolating(pod_end(WEB), Direction.INGRESS)
    assert compiled.isolating(pod_end(WEB), Direction.EGRESS) == ()
    assert compiled.register.selects(first.ref) == (WEB,)
    assert compiled.register.selects(second.ref) == (WEB, API)


def test_the_walk_says_what_was_looked_at_and_the_label_that_was_meant():
    """Which end, which policy and why, which rule, what it missed, and the closest label."""
    spec = {**TO_WEB, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "Api"}}}]}]}
    steps = ask([net_policy("shop", "p", spec)], API, WEB, walk=True).ingress.walk
    texts = [step.text for step in steps]

    assert texts[0] == "ingress at the destination: shop/web-1"
    assert texts[1] == "NetworkPolicy shop/p selects shop/web-1 (its labels meet app=web)"
    assert "pod label: wants app=Api, found app=api (closest label: app=api)" in texts[2]
    assert [step.outcome for step in steps] == ["end", "selects", "miss", "no-match", "tier-deny", "deny"]


def test_a_kind_that_is_not_supported_leaves_its_namespace_without_a_verdict():
    """A policy that may select the end is never passed over in silence."""
    strange = net_policy("shop", "p", {}, kind="TrafficPolicy", group="example.org")
    found = ask([strange], API, WEB)

    assert found.allowed is None
    assert "TrafficPolicy" in found.ingress.unknown[0]
    assert ask([strange], OTHER, INTERNET).allowed is True


DROP = {"appliedTo": [{"podSelector": {}}], "ingress": [{"action": "Drop"}]}


@pytest.mark.parametrize(
    ("kind", "group", "spec", "egress_inside", "egress_outside", "ingress"),
    [
        ("EgressFirewall", "k8s.ovn.org", {"egress": [{"type": "Deny"}]}, True, None, False),
        ("FQDNNetworkPolicy", "networking.gke.io", {"podSelector": {}, "egress": [{}]}, None, None, False),
        ("NetworkPolicy", "crd.antrea.io", DROP, True, True, None),
        ("TrafficPolicy", "example.org", {}, None, None, None),
    ],
)
def test_a_kind_that_is_not_supported_leaves_open_what_it_may_concern_and_no_more(
    kind, group, spec, egress_inside, egress_outside, ingress
):
    """A firewall for what leaves the cluster says nothing of calls inside, nor one for egress of ingress."""
    closed = net_policy("shop", "closed", {"podSelector": {}})
    policies = [closed, net_policy("shop", "p", spec, kind=kind, group=group)]

    assert ask(policies, WEB, OTHER).egress.allowed is egress_inside
    assert ask(policies, WEB, INTERNET).egress.allowed is egress_outside
    assert ask(policies, OTHER, WEB).ingress.allowed is ingress


ONLY_API = {"podSelector": {"matchLabels": {"app": "api"}}}
ONLY_BANK = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}}
GROUP = {"group": "some"}


@pytest.mark.parametrize(
    ("kind", "group", "spec", "of_web", "of_api", "of_other"),
    [
        ("ClusterNetworkPolicy", "crd.antrea.io", {"appliedTo": [ONLY_API]}, True, None, None),
        (
            "ClusterNetworkPolicy",
            "crd.antrea.io",
            {"appliedTo": [{**ONLY_API, **ONLY_BANK}]},
            True,
            True,
            None,
        ),
        ("ClusterNetworkPolicy", "crd.antrea.io", {"appliedTo": [ONLY_BANK, GROUP]}, None, None, None),
        ("ClusterNetworkPolicy", "crd.antrea.io", {}, None, None, None),
        ("NetworkPolicy", "crd.antrea.io", {"appliedTo": [ONLY_API]}, True, None, True),
        ("ClusterNetworkPolicy", "networking.k8s.aws", {"subject": {"namespaces": {}}}, None, None, None),
        (
            "ClusterNetworkPolicy",
            "networking.k8s.aws",
            {"subject": {"namespaces": {"matchLabels": {"x": "y"}}}},
            True,
            True,
            True,
        ),
        (
            "ClusterNetworkPolicy",
            "networking.k8s.aws",
            {"subject": {"pods": {"namespaceSelector": {}, **ONLY_API}}},
            True,
            None,
            None,
        ),
    ],
)
def test_a_kind_that_is_not_supported_leaves_alone_whom_it_does_not_select(
    kind, group, spec, of_web, of_api, of_other
):
    """Whom Antrea's appliedTo and AWS's subject mean is read, though what the rules say is not."""
    namespace = "shop" if kind == "NetworkPolicy" else None
    policy = net_policy(namespace, "p", {**spec, "egress": [{"action": "Drop"}]}, kind=kind, group=group)
    answers = [ask([policy], one, INTERNET).egress.allowed for one in (WEB, API, OTHER)]

    assert answers == [of_web, of_api, of_other]


@pytest.mark.parametrize("odd", [5, "x", True, [5], [None], [[]], [{"podSelector": 5}], {"a": 1}])
def test_a_selection_of_another_shape_leaves_every_pod_open(odd):
    """What cannot be read may mean anybody."""
    for spec in ({"appliedTo": odd, "egress": [{}]}, {"egress": [{"appliedTo": odd}, odd]}):
        policy = net_policy(None, "p", spec, kind="ClusterNetworkPolicy", group="crd.antrea.io")
        assert ask([policy], WEB, INTERNET).egress.allowed is None


def test_a_rules_own_applied_to_says_whom_it_is_for():
    """Antrea takes it in each rule where the policy has none."""
    rules = [{"action": "Drop", "appliedTo": [ONLY_API]}, {"action": "Drop", "appliedTo": [ONLY_BANK]}]
    policy = net_policy(None, "p", {"egress": rules}, kind="ClusterNetworkPolicy", group="crd.antrea.io")

    assert [ask([policy], one, INTERNET).egress.allowed for one in (WEB, API, OTHER)] == [True, None, None]


def test_cilium_reads_rules_whatever_the_policy_types_say():
    """``policyTypes: [Ingress]`` beside an egress list isolates egress too there."""
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{}],
        "egress": [{"ports": [{"port": 1}]}],
    }

    assert verdict(spec, WEB, OTHER) is True
    assert verdict(spec, WEB, OTHER, dialect=Dialect.CILIUM) is False


@pytest.mark.parametrize("number", ["²", "9" * 5000])
def test_a_port_that_is_no_number_is_no_crash(number):
    """No API server takes it; a dump may hold anything, and nothing is known to be open by it."""
    spec = {**TO_WEB, "ingress": [{"ports": [{"port": number}]}]}

    assert verdict(spec, OTHER, WEB) is not True


@pytest.mark.parametrize(
    ("annotations", "dialect", "allowed"),
    [
        ({"networking.gke.io/network": "blue"}, Dialect.GKE, True),
        ({"networking.gke.io/network": "blue"}, Dialect.CILIUM, True),
        ({"networking.gke.io/network": "blue"}, Dialect.KUBERNETES, True),
        ({"networking.gke.io/network": "blue"}, Dialect.CALICO, False),
        ({"networking.gke.io/network": "blue"}, Dialect.AWS, False),
        ({"networking.gke.io/network": "default"}, Dialect.GKE, False),
        ({"networking.gke.io/networks": "blue"}, Dialect.GKE, False),
        ({"ovn.kubernetes.io/network_policy_for": "shop/blue"}, Dialect.OVN, True),
        ({"ovn.kubernetes.io/network_policy_for": "shop/blue, ovn"}, Dialect.OVN, False),
        ({"ovn.kubernetes.io/network_policy_for": ""}, Dialect.OVN, False),
        ({"ovn.kubernetes.io/network_policy_for": "shop/blue"}, Dialect.CILIUM, False),
    ],
)
def test_a_policy_for_another_network_isolates_nothing_on_the_pods_own(annotations, dialect, allowed):
    """Dataplane V2 and Kube-OVN enforce it on that network's interfaces alone; others know no such annotation."""
    state = snapshot([WEB, API], [net_policy("shop", "blue-only", TO_WEB, annotations=annotations)])
    policies = compile_policies(state, dialect=dialect)
    noted = [why for _, why in policies.notes]

    assert policies.evaluate(pod_end(API), pod_end(WEB), "TCP", 8080).ingress.allowed is allowed
    assert ["for the pod network" in why and "blue" in why for why in noted] == [True] * allowed
