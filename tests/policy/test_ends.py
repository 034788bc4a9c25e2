"""What is known of ends that are no plain pod: nodes, entities, workloads, Services, the unknown."""

import tracemalloc

import pytest
from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, WorkloadRef
from flowdiag.model.objects import Node
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies, connections
from flowdiag.policy.addresses import RangeTable, parse_address, parse_network
from flowdiag.policy.ends import EndsBook
from flowdiag.policy.matchers import AddressRange
from tests.policy.scenes import net_policy, outside, pod, pod_end, snapshot

WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1", ports=[("http", 8080, "TCP"), ("http", 80, "UDP")])
API = WorkloadRef("Deployment", "api")
NODES = {
    "n1": Node(name="n1", addresses=("192.168.0.1",)),
    "n2": Node(name="n2", addresses=("192.168.0.2", "172.16.0.2")),
}


def end(kind, **more):
    return Endpoint(kind=EndpointKind(kind), **more)


def from_block(cidr, **more):
    return net_policy(
        "shop", "p", {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": cidr} | more}]}]}
    )


def from_pods(**labels):
    return net_policy(
        "shop", "p", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": labels}}]}]}
    )


def ask(policy, src, dst=None, *, pods=(WEB,), dialect=Dialect.KUBERNETES, **more):
    state = snapshot(pods, [policy] if policy else [], nodes=NODES)
    given = more.pop("port", 8080)
    return compile_policies(state, dialect=dialect).evaluate(
        src, dst or pod_end(WEB), more.pop("protocol", "TCP"), given, **more
    )


@pytest.mark.parametrize(
    ("src", "cidr", "allowed"),
    [
        (end("entity", entity="world"), "0.0.0.0/0", True),
        (end("entity", entity="world"), "203.0.113.0/24", None),
        (end("entity", entity="world-ipv6"), "0.0.0.0/0", None),
        (end("entity", entity="remote-node"), "203.0.113.0/24", None),
        (end("node", name="n2"), "192.168.0.0/24", None),
        (end("node", name="n2"), "0.0.0.0/0", True),
        (end("node", name="n2", ip="172.16.0.2"), "172.16.0.0/24", True),
        (end("node", name="n2"), "203.0.113.0/24", False),
        (end("unknown", ip="203.0.113.1"), "203.0.113.0/24", None),
        (end("external", cidr="nonsense"), "203.0.113.0/24", None),
        (end("external", ip="::ffff:203.0.113.5"), "203.0.113.0/24", True),
        (end("external", ip="2001:db8::1"), "2001:db8::/32", True),
    ],
)
def test_address_ranges_and_ends_whose_address_is_open(src, cidr, allowed):
    """A node may send from any of its addresses; the world is inside 0.0.0.0/0 and maybe elsewhere."""
    assert allowed is ask(from_block(cidr), src).allowed


def test_entities_of_nodes_are_nodes_and_the_world_is_outside():
    """The world has no decision of its own."""
    assert ask(None, end("entity", entity="world")).egress is None
    assert ask(from_pods(app="web"), end("entity", entity="remote-node")).allowed is False


@pytest.mark.parametrize(
    ("src", "word"),
    [
        (end("service", namespace="shop", name="web"), "Service"),
        (end("entity", entity="health"), "health"),
        (end("unknown", namespace="shop"), "not known"),
    ],
)
def test_an_end_that_nobody_knows_has_no_verdict_of_its_own(src, word):
    """The other end is judged all the same."""
    found = ask(net_policy("shop", "p", {"podSelector": {}}), src)

    assert found.egress.allowed is None
    assert word in found.egress.unknown[0]
    assert found.ingress.allowed is False
    assert found.allowed is False


def test_a_pod_known_by_name_is_looked_up():
    """A record may name a pod that the state holds."""
    by_name = end("pod", namespace="shop", name="web-1")

    assert ask(from_pods(app="web"), end("pod", namespace="shop", name="api"), by_name).allowed is None
    assert (
        ask(
            net_policy("shop", "p", {"podSelector": {"matchLabels": {"app": "x"}}}),
            outside("203.0.113.1"),
            by_name,
        ).allowed
        is True
    )


def test_a_workload_stands_for_what_its_pods_share():
    """Labels that differ between its pods are unknown; without pods only the namespace is known."""

    def replica(name, revision):
        return pod(
            "shop",
            name,
            {"app": "api", "rev": revision},
            ip=None,
            workload=WorkloadRef("Deployment", "api"),
        )

    pods = (WEB, replica("api-1", "1"), replica("api-2", "2"))
    api = end("workload", namespace="shop", workload=WorkloadRef("Deployment", "api"))
    by_name = end("workload", namespace="shop", workload=WorkloadRef(None, "api"))
    gone = end("workload", namespace="shop", workload=WorkloadRef("Deployment", "gone"))

    assert ask(from_pods(app="api"), api, pods=pods).allowed is True
    assert ask(from_pods(app="api"), by_name, pods=pods).allowed is True
    assert ask(from_pods(rev="1"), api, pods=pods).allowed is None
    assert ask(from_pods(app="other"), api, pods=pods).allowed is False
    assert ask(from_pods(app="api"), gone, pods=pods).allowed is None
    assert ask(net_policy("bank", "p", {"podSelector": {}}), api, pods=pods).allowed is True


@pytest.mark.parametrize(
    ("dialect", "policy"),
    [
        (
            Dialect.CALICO,
            net_policy(
                "shop",
                "p",
                {"ingress": [{"action": "Allow", "source": {"serviceAccounts": {"names": ["old"]}}}]},
                group="projectcalico.org",
                version="v3",
            ),
        ),
        (
            Dialect.CILIUM,
            net_policy(
                "shop",
                "p",
                {
                    "endpointSelector": {},
                    "ingress": [
                        {"fromEndpoints": [{"matchLabels": {"io.cilium.k8s.policy.serviceaccount": "old"}}]}
                    ],
                },
                kind="CiliumNetworkPolicy",
                group="cilium.io",
                version="v2",
            ),
        ),
    ],
)
@pytest.mark.parametrize(("accounts", "allowed"), [("old old", True), ("new new", False), ("old new", None)])
def test_a_workload_in_a_rollout_has_no_one_account(dialect, policy, accounts, allowed):
    """Pods of the old and of the new template run side by side, and records do not say which of them it was."""
    replicas = [
        pod("shop", f"api-{name}", ip=f"10.0.0.{number}", workload=API, service_account=name)
        for number, name in enumerate(accounts.split(), 8)
    ]
    api = end("workload", namespace="shop", workload=API)

    assert ask(policy, api, pods=(WEB, *replicas), dialect=dialect).allowed is allowed


def test_a_workload_on_several_nodes_is_on_none():
    """That a node reaches its own pods lets nothing pass where it may be another node's pod."""
    deny = net_policy("shop", "p", {"podSelector": {}})
    api = end("workload", namespace="shop", workload=API)

    def spread(*nodes):
        return [
            pod("shop", f"api-{number}", ip=f"10.0.0.{number}", workload=API, node=node)
            for number, node in enumerate(nodes, 8)
        ]

    assert ask(deny, end("node", name="n1"), api, pods=spread("n1", "n1")).allowed is True
    assert ask(deny, end("node", name="n1"), api, pods=spread("n1", "n2")).allowed is not True


@pytest.mark.parametrize(
    ("cidr", "beside", "allowed"),
    [
        ("203.0.113.0/24", "10.0.0.9", False),
        ("203.0.113.0/24", "198.51.100.9", None),
        ("10.9.0.0/16", "10.0.0.9", None),
        ("172.16.0.0/16", "10.0.0.9", None),
        ("2001:db8::/32", "10.0.0.9", None),
        ("2001:db8::/32", "fd00::9", False),
        ("0.0.0.0/0", "10.0.0.9", True),
    ],
)
def test_a_workload_is_in_no_range_that_its_cluster_takes_no_addresses_from(cidr, beside, allowed):
    """Which of its pods it was nobody knows; where all have private addresses it had none of a public range."""
    pods = (
        WEB,
        pod("shop", "api-1", {"app": "api"}, ip="10.0.0.8", workload=WorkloadRef("Deployment", "api")),
        pod("shop", "other", {"app": "other"}, ip=beside),
    )
    api = end("workload", namespace="shop", workload=WorkloadRef("Deployment", "api"))

    assert ask(from_block(cidr), api, pods=pods, dialect=Dialect.CALICO).allowed is allowed


def test_a_name_with_two_protocols_is_asked_for_both():
    """Where they differ there is no one verdict."""
    tcp = net_policy("shop", "p", {"podSelector": {}, "ingress": [{"ports": [{"port": 8080}]}]})
    src = outside("203.0.113.1")

    assert ask(tcp, src, port="http", protocol="TCP").allowed is True
    assert ask(tcp, src, port="http", protocol=None).allowed is None
    assert ask(None, src, port="http", protocol=None).allowed is True


def test_named_ports_of_a_pod_that_nobody_has_seen_are_unknown():
    """Neither the question nor the rule can be resolved; where every port is open, so is that one."""
    named = net_policy("shop", "p", {"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]})
    ghost = end("pod", namespace="shop", name="gone")

    assert ask(named, pod_end(WEB), ghost, port=8080).allowed is None
    assert ask(named, pod_end(WEB), ghost, port="http").allowed is None
    assert ask(None, pod_end(WEB), ghost, port="http").allowed is True
    assert ask(None, pod_end(WEB), outside("203.0.113.1"), port="http").allowed is True


def test_host_network_under_ovn_may_count_as_of_a_namespace():
    """Not a miss there, but nobody can say either."""
    spec = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"x": "y"}}}]}]}
    host = pod("shop", "agent", {}, host_network=True, node="n2", ip="192.168.0.2")

    assert ask(net_policy("shop", "p", spec), pod_end(host), dialect=Dialect.OVN).allowed is None
    assert ask(net_policy("shop", "p", spec), pod_end(host)).allowed is False


def _under_ovn(spec, src, dst, *, hosts=None, kinds=(), kind="NetworkPolicy", port=8080):
    """Ask OVN, where calls of nodes count as of a namespace with the labels `hosts`."""
    group = "networking.k8s.io" if kind == "NetworkPolicy" else "policy.networking.k8s.io"
    spaces = {"edge": {"team": "edge"}} | ({} if hosts is None else {"openshift-host-network": hosts})
    policy = net_policy("shop" if kind == "NetworkPolicy" else None, "p", spec, kind=kind, group=group)
    state = snapshot(
        [WEB, ROUTER],
        [policy],
        namespaces=spaces,
        nodes={"n2": Node(name="n2", addresses=("192.168.0.2", "10.128.0.2"))},
        kinds_seen=frozenset(kinds),
    )
    policies = compile_policies(state, dialect=Dialect.OVN)
    return policies.evaluate(src, dst, "TCP", port).allowed


ROUTER = pod("edge", "router", {"app": "router"}, host_network=True, node="n2", ip="192.168.0.2")
_OVN = (("k8s.ovn.org", "EgressFirewall"),)


@pytest.mark.parametrize(
    ("hosts", "allowed"),
    [({"policy-group": "host"}, True), ({"policy-group": "none"}, False), (None, None)],
)
def test_calls_of_nodes_count_as_of_openshift_s_namespace_for_them(hosts, allowed):
    """By the labels of that, where it is known; from their own network's address nodes do not call pods."""
    peer = {"namespaceSelector": {"matchLabels": {"policy-group": "host"}}}
    spec = {"podSelector": {}, "ingress": [{"from": [peer]}]}

    assert _under_ovn(spec, end("node", name="n2", ip="10.128.0.2"), pod_end(WEB), hosts=hosts) is allowed
    if allowed:
        assert _under_ovn(spec, pod_end(ROUTER), pod_end(WEB), hosts=hosts) is None
        out = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer]}]}
        assert _under_ovn(out, pod_end(WEB), pod_end(ROUTER), hosts=hosts) is None


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ({"namespaceSelector": {"matchLabels": {"team": "edge"}}, "podSelector": {}}, True),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "router"}}}, True),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "dns"}}}, False),
        ({"podSelector": {"matchLabels": {"app": "router"}}}, False),
    ],
)
def test_a_pod_selector_means_host_network_pods_under_ovn_kubernetes(peer, allowed):
    """By their node's address, which is what is called; to another network over OVN nobody knows."""
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer]}]}
    called = pod_end(ROUTER)

    assert _under_ovn(spec, pod_end(WEB), called, kinds=_OVN) is allowed
    assert _under_ovn(spec, pod_end(WEB), end("node", name="n2", ip="10.128.0.2"), kinds=_OVN) is False
    if allowed:
        assert _under_ovn(spec, pod_end(WEB), called) is None


def test_an_admin_policy_never_means_host_network_pods():
    """Its API says so, and OVN-Kubernetes leaves them out."""
    spec = {
        "priority": 1,
        "subject": {"namespaces": {}},
        "egress": [{"action": "Deny", "to": [{"namespaces": {}}]}],
    }

    assert _under_ovn(spec, pod_end(WEB), pod_end(ROUTER), kinds=_OVN, kind="AdminNetworkPolicy") is True


def test_connections_between_two_outside_ends_are_no_question():
    """As in `evaluate`."""
    policies = compile_policies(snapshot([WEB]), dialect=Dialect.KUBERNETES)

    with pytest.raises(ValueError, match="outside"):
        connections(policies, outside("203.0.113.1"), outside("203.0.113.2"))


def test_a_compiled_policy_can_be_asked_for():
    """By its ref; none where it is not in force."""
    policy = from_pods(app="web")
    policies = compile_policies(snapshot([WEB], [policy]), dialect=Dialect.KUBERNETES)

    assert policies.register.policy(policy.ref).directions == {Direction.INGRESS}
    assert policies.register.policy(from_block("0.0.0.0/0").ref) is not None
    assert policies.register.policy(net_policy("x", "y", {}).ref) is None


def test_the_range_table_answers_for_addresses_and_ranges():
    """One lookup per prefix length; a range that is partly inside is a maybe."""
    table = RangeTable()
    wide, narrow = table.bit(parse_network("10.0.0.0/8")), table.bit(parse_network("10.1.0.0/16"))

    assert wide | narrow == table.of_address("10.1.2.3")
    assert wide == table.of_address("10.2.2.3")
    assert table.of_address("2001:db8::1") == 0
    assert table.of_address("nonsense") is None
    assert parse_address("nonsense") is None
    hits = table.of_range(parse_network("10.0.0.0/15"))
    assert (wide, wide | narrow) == (hits.sure, hits.maybe)
    assert table.of_range(parse_network("2001:db8::/64")).maybe == 0
    assert {10 << 24, 11 << 24, (10 << 24) + (1 << 16), (10 << 24) + (2 << 16)} == table.cuts(4)


def test_many_ranges_cost_memory_by_their_number():
    """The exceptions of a range are one number of so many bits, and nobody keeps each one's by itself: that was 100 MB."""
    exceptions = tuple(parse_network(f"10.{n >> 8}.{n & 255}.0/24") for n in range(40_000))
    table = RangeTable()
    tracemalloc.start()
    try:
        built = AddressRange.build(table, (parse_network("10.0.0.0/8"),), exceptions)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert built.excepted.whole == sum(table.of_address(str(each[1])) - 1 for each in exceptions)
    assert peak < 40 << 20
    assert table.bits(exceptions[:1]) is table.copy().bit(exceptions[0])
    assert table.bits(()) == 0


def test_many_ranges_apart_cost_no_bits_before_their_own():
    """As many conditions of one range each: every one of them had the places of all before it."""
    table = RangeTable()
    networks = [parse_network(f"10.{n >> 8}.{n & 255}.0/24") for n in range(40_000)]
    for network in networks:
        table.places((network,))
    tracemalloc.start()
    try:
        built = [AddressRange.build(table, (network,), (network,)) for network in networks]
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    last = table.of_address("10.156.63.9")

    assert kept < 40 << 20
    assert last == built[-1].inside.whole == 1 << 39_999
    assert [bool(one.inside.among(last or 0)) for one in built[-2:]] == [False, True]


def test_replicas_share_what_a_dialect_adds_and_their_class():
    """Pods that differ in name, node and address are classified once; a range between their addresses parts them."""
    replicas = [pod("shop", f"web-{n}", {"app": "web"}, ip=f"10.0.0.{n}", node=f"n{n}") for n in (1, 2, 9)]
    table = RangeTable()
    asked = []

    def extra(facts):
        asked.append(facts.name)
        return {"k8s:app": (facts.labels or {})["app"]}

    table.bit(parse_network("10.0.0.0/29"))
    book = EndsBook(snapshot(replicas, []), table, frozenset({"extra/k8s:app"}), extra=extra)
    near, other, far = (book.of(pod_end(one), None) for one in replicas)

    assert near.class_id == other.class_id != far.class_id
    assert asked == ["web-1", "web-9"]
    assert [near.extra, other.extra, far.extra] == [{"k8s:app": "web"}] * 3
    assert other.addresses == ("10.0.0.2",)


@pytest.mark.parametrize("key", ["name", "on-node"])
def test_where_a_condition_asks_for_the_pod_itself_replicas_are_apart(key):
    """A policy that names a pod or its node tells replicas apart, so none stands for another."""
    replicas = [pod("shop", f"web-{n}", {"app": "web"}, ip=f"10.0.0.{n}", node=f"n{n}") for n in (1, 2)]
    book = EndsBook(snapshot(replicas, []), RangeTable(), frozenset({key}))
    one, other = (book.of(pod_end(each), None) for each in replicas)

    assert one.class_id != other.class_id


def test_edits_that_ask_the_same_more_of_ends_share_what_is_known_of_them():
    """A proof ranges over every workload: its ends are looked through once for all edits of one kind, not once each."""
    state = snapshot((WEB,), [from_pods(app="web")], nodes=NODES)
    base = compile_policies(state, dialect=Dialect.KUBERNETES)

    def edited(policy):
        return compile_policies(
            replace(state, policies=(*state.policies, policy)), dialect=Dialect.KUBERNETES, base=base
        )

    books = [
        edited(policy).ends
        for policy in (
            from_pods(app="api"),
            from_pods(tier="a"),
            from_pods(tier="b"),
            from_block("203.0.113.0/24"),
            from_block("203.0.113.0/24"),
            from_block("198.51.100.0/24"),
        )
    ]
    looked_through = {id(book): book.of(pod_end(WEB), None) for book in books}

    assert books[0] is base.ends
    assert len(looked_through) == 4
    assert books[1] is books[2]
    assert books[3] is books[4]
    assert not any(book is base.ends for book in books[1:])


@pytest.mark.parametrize("dialect", [Dialect.KUBERNETES, Dialect.CILIUM, Dialect.CALICO])
def test_an_edit_to_one_rule_of_a_policy_compiles_that_rule_alone(dialect):
    """A policy of thousands of ranges is edited in dozens of ways, each of which changes one of its lines."""
    peers = [{"ipBlock": {"cidr": f"203.0.113.{n}/32"}} for n in range(4)]
    rules = [{"from": peers}, {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}, {}]
    was = net_policy("shop", "p", {"podSelector": {}, "ingress": rules})
    state = snapshot((WEB,), [was], nodes=NODES)
    base = compile_policies(state, dialect=dialect)
    changed = [{"from": [*peers, {"ipBlock": {"cidr": "198.51.100.1/32"}}]}, *rules[1:]]
    after = replace(state, policies=(replace(was, spec={**was.spec, "ingress": changed}),))
    edited = compile_policies(after, dialect=dialect, base=base)
    (_, old), (_, new) = (each.register.named(was.ref)[0] for each in (base, edited))
    old_rules, new_rules = (each.rules[Direction.INGRESS] for each in (old, new))

    assert [one is other for one, other in zip(old_rules, new_rules, strict=True)] == [False, True, True]
    assert [one is other for one, other in zip(old_rules[0].peers, new_rules[0].peers, strict=False)] == [
        True
    ] * 4
    assert edited.tiers == compile_policies(after, dialect=dialect).tiers


def test_a_rule_that_an_edit_moved_is_compiled_for_its_new_place():
    """What is put in front of a rule changes its path, and what stood there before says nothing of it."""
    rules = [{"from": [{"podSelector": {"matchLabels": {"app": name}}}]} for name in ("a", "b")]
    was = net_policy("shop", "p", {"podSelector": {}, "ingress": rules})
    state = snapshot((WEB,), [was], nodes=NODES)
    base = compile_policies(state, dialect=Dialect.KUBERNETES)
    for moved in ([{}, *rules], rules[1:], [rules[1], rules[0]], [{"from": rules[1]["from"]}]):
        after = replace(state, policies=(replace(was, spec={**was.spec, "ingress": moved}),))
        edited = compile_policies(after, dialect=Dialect.KUBERNETES, base=base)

        assert edited.tiers == compile_policies(after, dialect=Dialect.KUBERNETES).tiers


EVERYBODY = {
    "fromEntities": ["all"],
    "toPorts": [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{}]}}],
}
RANGES = {"fromCIDRSet": [{"cidr": f"203.0.113.{n}/32"} for n in range(4)]}
NOBODY = {"fromEndpoints": [{"matchLabels": {"app": "web"}}], "authentication": {"mode": "required"}}
CILIUM_SPEC = {
    "endpointSelector": {"matchLabels": {"app": "web"}},
    "ingress": [EVERYBODY, RANGES, {}, NOBODY],
    "ingressDeny": [RANGES],
}


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"ingress": [EVERYBODY, {"fromCIDR": ["198.51.100.1/32"]}, {}, NOBODY]}, 4),
        ({"ingress": [{}, EVERYBODY, RANGES, NOBODY]}, 3),
        ({"ingressDeny": []}, 4),
        ({"enableDefaultDeny": {"ingress": False}}, 0),
        ({"endpointSelector": {"matchLabels": {"reserved.init": ""}}}, 0),
        ({"ingress": [RANGES, EVERYBODY], "ingressDeny": [RANGES, {"fromEntities": ["world"]}]}, 1),
    ],
)
def test_of_an_edited_policy_of_cilium_what_means_the_same_is_not_compiled_again(changed, kept):
    """What an element comes to hangs on where it stands, whom the policy selects and whether it isolates."""
    of = {"kind": "CiliumNetworkPolicy", "group": "cilium.io", "version": "v2"}
    was = net_policy("shop", "p", CILIUM_SPEC, **of)
    state = snapshot((WEB,), [was], nodes=NODES)
    base = compile_policies(state, dialect=Dialect.CILIUM)
    after = replace(state, policies=(replace(was, spec={**CILIUM_SPEC, **changed}),))
    edited = compile_policies(after, dialect=Dialect.CILIUM, base=base)
    anew = compile_policies(after, dialect=Dialect.CILIUM)
    old, new, expected = (each.compiled[was.ref][1] for each in (base, edited, anew))
    before = {id(rule) for own in old.rules.values() for rule in own}

    assert not old.broken

    assert [_worded(rule) for rule in new.rules[Direction.INGRESS]] == [
        _worded(rule) for rule in expected.rules[Direction.INGRESS]
    ]
    assert sum(id(rule) in before for rule in new.rules[Direction.INGRESS]) == kept


def _worded(rule):
    """A rule with its ranges in words: their places in a table that was added to are others."""
    peers = [
        [getattr(getattr(matcher, "plain", None), "text", matcher) for matcher in peer.matchers]
        for peer in rule.peers or ()
    ]
    return rule.path, rule.action, peers, rule.traffic, rule.note
