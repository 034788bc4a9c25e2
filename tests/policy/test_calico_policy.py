"""Calico: tiers and order, whom a policy selects, what a rule's ends mean, hosts, staged policies."""

import json

import pytest

from flowdiag.cluster import build_snapshot
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, Icmp
from flowdiag.model.objects import ContainerPort, EndpointSlice, Node, Service, ServicePort
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies, detect_dialect
from tests.policy.scenes import net_policy, outside, pod, pod_end, raw, snapshot

WEB = pod(
    "shop",
    "web-1",
    {"app": "web"},
    ip="10.0.0.1",
    ports=[("http", 8080, "TCP"), ("dns", 53, "UDP")],
    service_account="runner",
)
API = pod("shop", "api-1", {"app": "api"}, ip="10.0.0.2")
FAR = pod("bank", "api-1", {"app": "api"}, ip="10.0.1.3", service_account="teller")
INTERNET = outside("203.0.113.9")
NODE = Node(name="n9", addresses=("192.168.0.9",))
HOST = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE)
SPACES = {"shop": {"team": "a"}, "bank": {"team": "b"}}


def np(name, spec, *, namespace="shop", group="projectcalico.org", **more):
    return net_policy(namespace, name, spec, group=group, version="v3", **more)


def gnp(name, spec, **more):
    return net_policy(
        None, name, spec, kind="GlobalNetworkPolicy", group="projectcalico.org", version="v3", **more
    )


def allow(**more):
    return {"action": "Allow", **more}


def deny(**more):
    return {"action": "Deny", **more}


def tier(name, order, default=None):
    spec = {"order": order} | ({"defaultAction": default} if default else {})
    return raw("Tier", name, spec)


def compiled(policies, others=(), *, pods=(WEB, API, FAR), **more):
    choice = more.pop("ip_block_pods", IpBlockPods.AUTO)
    state = snapshot(pods, policies, namespaces=SPACES, others=tuple(others), nodes={"n9": NODE}, **more)
    return compile_policies(state, dialect=Dialect.CALICO, ip_block_pods=choice)


def ask(policies, src=API, dst=WEB, protocol="TCP", port=8080, *, others=(), icmp=None, **more):
    ends = [end if isinstance(end, Endpoint) else pod_end(end) for end in (src, dst)]
    return compiled(policies, others, **more).evaluate(*ends, protocol, port, icmp=icmp)


def ingress(*rules, **more):
    return {"types": ["Ingress"], "ingress": list(rules), **more}


class TestTiers:
    """Tiers by order, policies by order, rules by place."""

    @pytest.mark.parametrize(
        ("policies", "allowed"),
        [
            ([gnp("a", ingress(allow())), gnp("b", ingress(deny()))], True),
            ([gnp("a", ingress(deny())), gnp("b", ingress(allow()))], False),
            ([gnp("a", ingress(deny(), order=2)), gnp("b", ingress(allow(), order=1))], True),
            ([gnp("a", ingress(deny())), gnp("b", ingress(allow(), order=5000))], True),
            ([gnp("a", ingress(deny(), allow()))], False),
            ([gnp("a", ingress({"action": "Log"}))], False),
            ([gnp("a", ingress({"action": "Log"}, allow()))], True),
            ([gnp("a", ingress({"action": "Pass"})), gnp("b", ingress(deny()))], True),
            ([gnp("a", ingress())], False),
            ([gnp("a", {"types": ["Egress"], "egress": [allow()]})], True),
        ],
    )
    def test_the_first_rule_by_order_decides_and_the_end_of_the_tier_denies(self, policies, allowed):
        """Missing order is last; names break ties; only Log is no answer; Pass leaves for the profile."""
        assert allowed is ask(policies).allowed

    def test_tiers_stand_by_their_order_and_unknown_ones_last(self):
        """A tier without an object comes after all others."""
        first = gnp("x.a", ingress(allow(), tier="early"))
        last = gnp("y.b", ingress(deny(), tier="late"))
        ghost = gnp("z.c", ingress(deny(), tier="ghost"))
        others = [tier("early", 10), tier("late", 20)]

        assert ask([last, first, ghost], others=others).allowed is True
        assert (
            ask([gnp("x.a", ingress({"action": "Pass"}, tier="late")), ghost], others=others).allowed is False
        )
        swapped = [tier("early", 30), tier("late", 20)]
        assert ask([last, first], others=swapped).allowed is False

    def test_a_tiers_default_action_may_pass(self):
        """Then nothing is isolated by it."""
        policy = gnp("a", ingress(allow(source={"nets": ["203.0.113.0/24"]}), tier="soft"))

        assert ask([policy], others=[tier("soft", 10, "Pass")]).allowed is True
        assert ask([policy], others=[tier("soft", 10)]).allowed is False
        soft = compiled([policy], [tier("soft", 10, "Pass")])
        assert soft.isolating(pod_end(WEB), Direction.INGRESS) == ()

    @pytest.mark.parametrize(
        ("early", "closing"),
        [
            (ingress({"action": "Pass"}), ["late"]),
            (ingress(allow(protocol="TCP", destination={"ports": [80]})), ["x.early"]),
            (ingress(allow(protocol="TCP", destination={"ports": [8080]})), []),
            (ingress(deny()), []),
        ],
    )
    def test_a_default_deny_is_put_down_to_the_tier_that_ended_with_it(self, early, closing):
        """A tier that passed the packet on refused nothing, and one behind the end was never asked."""
        late = net_policy("shop", "late", {"podSelector": {}})
        policies = [gnp("x.early", {**early, "tier": "early"}), late]
        end = ask(policies, others=[tier("early", 10)]).ingress

        assert [ref.name for ref in end.isolated_by] == ["x.early", "late"]
        assert [ref.name for ref in end.closed_by] == closing

    def test_a_kubernetes_policy_stands_at_order_1000_of_the_default_tier(self):
        """Before it a Calico policy decides, behind it only what it leaves open."""
        closed = net_policy("shop", "closed", {"podSelector": {}})

        assert ask([closed, gnp("a", ingress(allow(), order=999))]).allowed is True
        assert ask([closed]).allowed is False
        opened = net_policy("shop", "open", {"podSelector": {}, "ingress": [{}]})
        assert ask([opened, gnp("a", ingress(deny(), order=1001))]).allowed is True

    def test_ties_stand_by_name_and_before_3_32_by_the_prefixed_name(self):
        """A namespaced policy's old name starts with its namespace."""
        namespaced = np("default.a", ingress(deny()))
        glob = gnp("default.b", ingress(allow()))

        assert ask([namespaced, glob], others=[tier("kube-admin", 1000)]).allowed is False
        assert ask([namespaced, glob], others=[tier("adminnetworkpolicy", 1000)]).allowed is True

    def test_admin_policies_have_tiers_of_their_own(self):
        """kube-admin before the default tier, kube-baseline behind it."""
        spec = {
            "tier": "Admin",
            "priority": 5,
            "subject": {"namespaces": {}},
            "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
        }
        group = {"kind": "ClusterNetworkPolicy", "group": "policy.networking.k8s.io"}
        admin = net_policy(None, "cnp", spec, **group)
        baseline = net_policy(None, "cnp", spec | {"tier": "Baseline"}, **group)

        assert ask([admin, gnp("a", ingress(allow()))]).allowed is False
        assert ask([baseline, gnp("a", ingress(allow()))]).allowed is True
        assert ask([baseline]).allowed is False
        early = gnp("a", ingress(allow(), tier="kube-admin", order=0.5))
        assert ask([admin, early]).allowed is True

    def test_peers_that_calico_cannot_do_are_dropped_or_deny_everything(self):
        """An Accept rule goes, a Deny or Pass rule denies all."""

        def policy(action):
            rule = {"action": action, "to": [{"nodes": {}}, {"namespaces": {}}]}
            spec = {"tier": "Admin", "priority": 5, "subject": {"namespaces": {}}, "egress": [rule]}
            return net_policy(
                None, "cnp", spec, kind="ClusterNetworkPolicy", group="policy.networking.k8s.io"
            )

        closed = net_policy("shop", "closed", {"podSelector": {}, "policyTypes": ["Egress"]})
        assert ask([policy("Accept"), closed], API, FAR).allowed is False
        assert ask([policy("Deny")], API, INTERNET).allowed is False


class TestSelection:
    """Which endpoints a policy selects."""

    @pytest.mark.parametrize(
        ("policy", "selected"),
        [
            (np("a", ingress()), ["api-1", "web-1"]),
            (np("a", ingress(selector="app == 'web'")), ["web-1"]),
            (np("a", ingress(serviceAccountSelector="projectcalico.org/name == 'runner'")), ["web-1"]),
            (gnp("a", ingress(selector="app == 'api'")), ["api-1", "api-1"]),
            (gnp("a", ingress(namespaceSelector="team == 'b'")), ["api-1"]),
            (gnp("a", ingress(namespaceSelector="projectcalico.org/name == 'shop'")), ["api-1", "web-1"]),
            (gnp("a", ingress(selector="projectcalico.org/namespace == 'bank'")), ["api-1"]),
            (gnp("a", ingress(selector="projectcalico.org/serviceaccount == 'teller'")), ["api-1"]),
            (gnp("a", ingress(selector="projectcalico.org/serviceaccount == 'default'")), ["api-1"]),
            (gnp("a", ingress(selector="pcns.team == 'a'")), ["api-1", "web-1"]),
            (
                gnp("a", ingress(selector="projectcalico.org/orchestrator == 'k8s'")),
                ["api-1", "api-1", "web-1"],
            ),
            (gnp("a", ingress(preDNAT=True, applyOnForward=True)), []),
            (gnp("a", ingress(doNotTrack=True, applyOnForward=True)), []),
        ],
    )
    def test_own_added_and_inherited_labels(self, policy, selected):
        """Pods carry their namespace, service account and orchestrator; namespaces pass theirs down."""
        assert selected == sorted(each.name for each in compiled([policy]).register.selects(policy.ref))

    @pytest.mark.parametrize(
        ("spec", "group", "directions"),
        [
            ({}, "projectcalico.org", ["ingress"]),
            ({"egress": [allow()]}, "projectcalico.org", ["egress"]),
            ({"egress": [allow()], "ingress": [allow()]}, "projectcalico.org", ["egress", "ingress"]),
            ({"egress": [], "ingress": []}, "projectcalico.org", ["ingress"]),
            ({}, "crd.projectcalico.org", ["egress", "ingress"]),
        ],
    )
    def test_missing_types(self, spec, group, directions):
        """The API's default, and Felix's own for objects that were written past it."""
        policies = compiled([np("a", spec, group=group)])

        assert directions == sorted(
            direction.value for direction in Direction if policies.isolating(pod_end(WEB), direction)
        )

    def test_labels_of_a_service_account_that_nobody_read_are_unknown(self):
        """With the account there they count; without any account read nothing is claimed."""
        policy = gnp("a", ingress(serviceAccountSelector="team == 'x'"))
        account = raw("ServiceAccount", "runner", {}, group="", namespace="shop", labels={"team": "x"})

        assert ask([policy]).allowed is None
        assert ask([policy], others=[account]).allowed is False
        assert ask([policy], WEB, API, others=[account]).allowed is True


class TestRules:
    """What a rule asks of both ends."""

    @pytest.mark.parametrize(
        ("source", "near", "far", "internet"),
        [
            ({}, True, True, True),
            ({"selector": "app == 'api'"}, True, False, False),
            ({"selector": "all()"}, True, False, False),
            ({"namespaceSelector": "all()"}, True, True, False),
            ({"namespaceSelector": "team == 'b'"}, False, True, False),
            ({"namespaceSelector": "team == 'b'", "selector": "app == 'web'"}, False, False, False),
            ({"namespaceSelector": "global()"}, False, False, False),
            ({"notSelector": "app == 'api'"}, False, False, False),
            ({"notSelector": "app == 'web'"}, True, False, False),
            ({"nets": ["10.0.0.0/24"]}, True, False, False),
            ({"nets": ["203.0.113.0/24", "10.0.0.2"]}, True, False, True),
            ({"nets": ["0.0.0.0/0"]}, True, True, True),
            ({"notNets": ["10.0.0.0/24"]}, False, True, True),
            ({"nets": ["10.0.0.0/8"], "notNets": ["10.0.1.0/24"]}, True, False, False),
            ({"nets": ["::/0"]}, False, False, False),
            ({"serviceAccounts": {"names": ["default"]}}, True, False, False),
            ({"serviceAccounts": {"names": ["teller"]}, "namespaceSelector": "all()"}, False, True, False),
        ],
    )
    def test_the_source_of_an_ingress_rule(self, source, near, far, internet):
        """A selector stays in the policy's namespace and means endpoints; nets go by address."""
        policy = np("a", ingress(allow(source=source)))

        assert (near, far, internet) == tuple(ask([policy], src).allowed for src in (API, FAR, INTERNET))

    @pytest.mark.parametrize(
        ("source", "far", "internet"),
        [
            ({"selector": "app == 'api'"}, True, False),
            ({"selector": "all()"}, True, False),
            ({"notSelector": "app == 'api'"}, False, True),
            ({"namespaceSelector": "team == 'b'", "notSelector": "app == 'web'"}, True, False),
            ({"serviceAccounts": {"names": ["teller"]}}, True, False),
        ],
    )
    def test_a_global_rule_has_no_namespace(self, source, far, internet):
        """Its selectors reach everywhere; a notSelector alone is anything but."""
        policy = gnp("a", ingress(allow(source=source)))

        assert (far, internet) == tuple(ask([policy], src).allowed for src in (FAR, INTERNET))

    def test_an_egress_rule_may_ask_of_the_pod_itself(self):
        """The source of an egress rule is the policed end."""
        spec = {"types": ["Egress"], "egress": [allow(source={"selector": "app == 'web'"})]}

        assert ask([np("a", spec)], WEB, FAR).allowed is True
        assert ask([np("a", spec)], API, FAR).allowed is False

    def test_network_sets_are_selected_by_their_labels(self):
        """A NetworkSet by its own namespace's policies, a GlobalNetworkSet by global ones or global()."""
        own = raw("NetworkSet", "s", {"nets": ["203.0.113.0/24"]}, namespace="shop", labels={"set": "a"})
        wide = raw("GlobalNetworkSet", "g", {"nets": ["203.0.113.0/24"]}, labels={"set": "a"})
        by_label = {"selector": "set == 'a'"}
        glob = {"selector": "set == 'a'", "namespaceSelector": "global()"}
        everywhere = {"selector": "set == 'a'", "namespaceSelector": "all()"}

        def found(policy, each):
            return ask([policy], INTERNET, others=[each]).allowed

        assert found(np("a", ingress(allow(source=by_label))), own) is True
        assert found(np("a", ingress(allow(source=by_label))), wide) is False
        assert found(np("a", ingress(allow(source=glob))), wide) is True
        assert found(gnp("a", ingress(allow(source=by_label))), wide) is True
        assert found(gnp("a", ingress(allow(source=everywhere))), wide) is False
        assert found(gnp("a", ingress(allow(source=everywhere))), own) is True
        # A global one has no label of a namespace, and so none that is not to be there.
        unlike = {"selector": "set == 'a'", "namespaceSelector": "team != 'x'"}
        assert found(gnp("a", ingress(allow(source=unlike))), wide) is True

    def test_domains_in_a_set_need_dns(self):
        """Unknown offline; known where the evidence named the address."""
        names = raw("GlobalNetworkSet", "g", {"allowedEgressDomains": ["*.example.com"]}, labels={"set": "a"})
        policy = gnp("a", {"types": ["Egress"], "egress": [allow(destination={"selector": "set == 'a'"})]})
        named = Endpoint(kind=EndpointKind.EXTERNAL, ip="203.0.113.9", dns_names=("www.example.com",))

        assert ask([policy], WEB, INTERNET, others=[names]).allowed is None
        assert ask([policy], WEB, named, others=[names]).allowed is True
        assert ask([policy], WEB, API, others=[names]).allowed is False

    @pytest.mark.parametrize(
        ("rule", "protocol", "port", "allowed"),
        [
            (allow(protocol="TCP", destination={"ports": [8080]}), "TCP", 8080, True),
            (allow(protocol="tcp", destination={"ports": ["8000:8100"]}), "TCP", 8080, True),
            (allow(protocol=6, destination={"ports": ["http"]}), "TCP", 8080, True),
            (allow(protocol="UDP", destination={"ports": ["http"]}), "UDP", 8080, False),
            (allow(protocol="UDP", destination={"ports": [9, "dns"]}), "UDP", 53, True),
            (allow(protocol="TCP", destination={"notPorts": [8080]}), "TCP", 8080, False),
            (allow(protocol="TCP", destination={"notPorts": ["http"]}), "TCP", 8081, True),
            (allow(protocol="TCP"), "UDP", 53, False),
            (allow(notProtocol="TCP"), "UDP", 53, True),
            (allow(notProtocol="TCP"), "TCP", 53, False),
            (allow(protocol="TCP", ipVersion=4), "TCP", 1, True),
            (allow(protocol="TCP", ipVersion=6), "TCP", 1, False),
            (allow(protocol="TCP", source={"ports": [1024]}), "TCP", 1, None),
            (allow(protocol="TCP", http={"methods": ["GET"]}), "TCP", 1, None),
            (allow(protocol="TCP", http={"methods": ["GET"]}), "UDP", 1, False),
            (allow(strange=1), "TCP", 1, None),
            (allow(source={"strange": 1}), "TCP", 1, None),
            (allow(destination={"domains": ["a.example.com"]}), "TCP", 1, None),
        ],
    )
    def test_protocols_ports_and_fields_that_nobody_can_decide(self, rule, protocol, port, allowed):
        """What cannot be decided makes the rule unknown, unless another part of it misses."""
        found = ask([np("a", ingress(rule))], API, WEB, protocol, port)

        assert allowed is found.allowed
        assert bool(found.ingress.unknown) is (allowed is None)

    @pytest.mark.parametrize(
        ("rule", "icmp", "allowed"),
        [
            (allow(protocol="ICMP"), Icmp(8, 0), True),
            (allow(protocol="ICMP", icmp={"type": 8}), Icmp(8, 0), True),
            (allow(protocol="ICMP", icmp={"type": 8, "code": 1}), Icmp(8, 0), False),
            (allow(protocol="ICMP", icmp={"type": 3}), Icmp(8, 0), False),
            (allow(protocol="ICMP", icmp={"type": 8}), None, None),
            (allow(protocol="ICMP", icmp={"type": 8, "code": 0}), Icmp(8, None), None),
            (allow(protocol="ICMP", notICMP={"type": 8}), Icmp(8, 0), False),
            (allow(protocol="ICMP", notICMP={"type": 3}), Icmp(8, 0), True),
            (allow(protocol="TCP"), Icmp(8, 0), False),
        ],
    )
    def test_icmp(self, rule, icmp, allowed):
        """Type and code, asked and refused; unknown where the record has none."""
        assert allowed is ask([np("a", ingress(rule))], API, WEB, "ICMP", None, icmp=icmp).allowed

    def test_services_stand_for_their_slices(self):
        """The destination's address, protocol and target port; as a source the addresses alone."""
        slices = (
            EndpointSlice(
                namespace="shop",
                service="web",
                addresses=("10.0.0.1",),
                ports=(ContainerPort("http", 8080, "TCP"),),
            ),
        )
        to_service = {"services": {"name": "web", "namespace": "shop"}}
        out = np("a", {"types": ["Egress"], "egress": [allow(destination=to_service)]})
        into = np(
            "b", {"types": ["Ingress"], "ingress": [allow(source=to_service)], "selector": "app == 'api'"}
        )

        assert ask([out], API, WEB, endpoint_slices=slices).allowed is True
        assert ask([out], API, WEB, "TCP", 9090, endpoint_slices=slices).allowed is False
        assert ask([out], API, FAR, endpoint_slices=slices).allowed is False
        assert ask([into], WEB, API, "UDP", 7, endpoint_slices=slices).allowed is True

    def test_services_without_slices_go_by_their_selector(self):
        """And one that nobody can resolve is unknown."""
        service = Service(
            namespace="shop",
            name="web",
            selector={"app": "web"},
            ports=(ServicePort("http", "TCP", 80, "http", None),),
        )

        def policy(target):
            return np("a", {"types": ["Egress"], "egress": [allow(destination={"services": target})]})

        named = policy({"name": "web", "namespace": "shop"})
        assert ask([named], API, WEB, services=(service,)).allowed is True
        assert ask([named], API, WEB, "TCP", 80, services=(service,)).allowed is False
        assert ask([named], API, WEB).allowed is None
        assert ask([named], API, WEB, kinds_seen=frozenset({("", "Service")})).allowed is False
        assert ask([policy({"name": "web"})], API, WEB, services=(service,)).allowed is None

    @pytest.mark.parametrize(
        "spec",
        [
            ingress(selector="app = 'web'"),
            ingress(allow(source={"selector": "app"})),
            ingress(allow(source={"nets": ["nonsense"]})),
            ingress({"action": "Maybe"}),
            ingress({}),
            ingress(allow(destination={"ports": [80]})),
            ingress(allow(protocol="TCP", destination={"ports": ["9:8"]})),
            ingress(allow(ipVersion=5)),
            ingress(allow(), order="first"),
            {"types": ["Sideways"]},
            ingress(allow(source="pods")),
            ingress("rule"),
            ingress(allow(), strange=True),
            ingress(allow(source={"services": {"namespace": "shop"}})),
            ingress(allow(source={"selector": 7})),
            ingress(allow(icmp=8)),
        ],
    )
    def test_a_policy_that_calico_refuses_leaves_its_pods_without_a_verdict(self, spec):
        """The reason is said."""
        found = ask([np("a", spec)])

        assert found.allowed is None
        assert "cannot be evaluated" in found.ingress.unknown[0]


class TestBesidePolicies:
    """Staged policies, doubles, profiles and host endpoints."""

    def test_staged_policies_are_never_enforced_and_are_named(self):
        """Pending is not denying."""
        staged = net_policy(
            "shop", "s", ingress(deny()), kind="StagedNetworkPolicy", group="projectcalico.org"
        )
        policies = compiled([staged])

        assert policies.evaluate(pod_end(API), pod_end(WEB), "TCP", 8080).allowed is True
        assert ((staged.ref, "staged: pending, not enforced"),) == policies.notes

    def test_the_stored_form_and_images_of_a_policy_count_once(self):
        """The API form wins; calicoctl's images of Kubernetes policies are left out."""
        api = np("p", ingress(allow()))
        stored = np("default.p", ingress(deny()), group="crd.projectcalico.org")
        image = np("knp.default.closed", ingress(deny()))
        original = net_policy("shop", "open", {"podSelector": {}, "ingress": [{}]})
        policies = compiled([stored, api, image, original])

        assert policies.evaluate(pod_end(API), pod_end(WEB), "TCP", 8080).allowed is True
        assert {stored.ref, image.ref} == {ref for ref, _ in policies.notes}

    def test_images_stand_for_policies_that_nobody_read(self):
        """``calicoctl get`` prints images of Kubernetes policies, and no Kubernetes policies."""
        found = ask([np("knp.default.closed", ingress(order=1000))])

        assert found.allowed is False
        assert [ref.name for ref in found.ingress.isolated_by] == ["knp.default.closed"]

    def test_staged_policies_can_be_put_in_force(self):
        """Pending evaluation: set replaces the one of its name, delete takes it away, and both keep their names."""

        def stage(name, spec, kind="StagedNetworkPolicy"):
            return net_policy("shop", name, spec, kind=kind, group="projectcalico.org")

        def pending(*policies):
            state = snapshot((WEB, API, FAR), list(policies), namespaces=SPACES)
            policies = compile_policies(state, dialect=Dialect.CALICO, staged=True)
            return policies.evaluate(pod_end(API), pod_end(WEB), "TCP", 8080)

        opens, closes = np("p", ingress(allow())), stage("p", ingress(deny()))
        assert pending(opens, closes).ingress.decided_by.policy == closes.ref
        assert pending(opens, stage("p", {"stagedAction": "Ignore"})).allowed is True
        shut = np("q", ingress(deny(), order=1))
        assert pending(shut, opens).allowed is False
        assert pending(shut, opens, stage("q", {"stagedAction": "Delete"})).allowed is True
        plain = stage("r", {"podSelector": {}, "policyTypes": ["Ingress"]}, "StagedKubernetesNetworkPolicy")
        assert pending(plain).ingress.isolated_by == (plain.ref,)

    def test_node_ports_are_forwarded_past_the_hosts_own_policies(self):
        """What a host endpoint's policies before translation leave alone is forwarded, not the host's."""
        objects = [
            {
                "apiVersion": "projectcalico.org/v3",
                "kind": "HostEndpoint",
                "metadata": {"name": "n1-eth0"},
                "spec": {"interfaceName": "eth0", "node": "n1"},
            },
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": "n1"},
                "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
            },
        ]
        found, _ = build_snapshot([("o.json", json.dumps({"kind": "List", "items": objects}).encode())])
        policies = compile_policies(found, dialect=Dialect.CALICO)
        node = Endpoint(kind=EndpointKind.NODE, name="n1", ip="192.0.2.1")
        outside = Endpoint(kind=EndpointKind.EXTERNAL, ip="198.51.100.9")

        assert policies.evaluate(outside, node, "TCP", 30080).allowed is True
        assert policies.evaluate(outside, node, "TCP", 30081).allowed is False

    def test_profiles_of_workload_endpoints_decide_last(self):
        """Their rules, or else a drop; those of a namespace always allow."""

        def endpoint(*profiles):
            return pod("shop", "vm-1", {}, ip="10.0.0.7", kind="WorkloadEndpoint", profiles=profiles)

        closed = raw("Profile", "closed", {"ingress": [deny()], "labelsToApply": {"zone": "x"}})
        empty = raw("Profile", "empty", {})
        own = raw("Profile", "kns.shop", {"ingress": [deny()]})

        def found(profile, *names):
            one = endpoint(*names)
            return ask([], API, one, others=[profile], pods=(WEB, API, one)).allowed

        assert found(closed, "closed") is False
        assert found(empty, "empty") is False
        assert found(own, "kns.shop") is True
        one = endpoint("closed")
        by_label = gnp("a", ingress(allow(), selector="zone == 'x'"))
        assert ask([by_label], API, one, others=[closed], pods=(WEB, API, one)).allowed is True

    def test_a_node_without_a_host_endpoint_is_not_policed(self):
        """A policy over all() selects host endpoints, not nodes."""
        assert ask([gnp("a", ingress())], API, HOST).allowed is True

    def test_a_host_endpoint_is_policed_but_for_failsafe_ports(self):
        """The classic lock-out leaves ssh open; without a policy what no profile allows is dropped."""
        hep = raw("HostEndpoint", "eth0", {"node": "n9", "interfaceName": "eth0"}, labels={"role": "edge"})
        auto = raw(
            "HostEndpoint",
            "n9-auto-hep",
            {"node": "n9", "interfaceName": "*", "profiles": ["projectcalico-default-allow"]},
        )
        locked = gnp("a", ingress(selector="all()"))

        assert ask([locked], API, HOST, others=[hep]).allowed is False
        assert ask([locked], API, HOST, "TCP", 22, others=[hep]).allowed is True
        assert ask([], API, HOST, others=[hep]).allowed is False
        assert ask([], API, HOST, others=[auto]).allowed is True
        assert ask([gnp("a", ingress(namespaceSelector="all()"))], API, HOST, others=[auto]).allowed is True
        by_label = gnp("a", ingress(allow(), selector="role == 'edge'"))
        assert ask([by_label], API, HOST, others=[hep]).allowed is True
        # What no profile allows is named where nothing else is to be, and is no policy beside others.
        assert [ref.name for ref in ask([locked], API, HOST, others=[hep]).ingress.isolated_by] == ["a"]
        assert [ref.name for ref in ask([], API, HOST, others=[hep]).ingress.isolated_by] == ["no profile"]

    @pytest.mark.parametrize(
        ("spec", "allowed"),
        [
            ({"namespaceSelector": "projectcalico.org/name != 'kube-system'"}, False),
            ({"namespaceSelector": "projectcalico.org/name not in {'kube-system', 'calico-system'}"}, False),
            ({"namespaceSelector": "!has(exempt)"}, False),
            (
                {
                    "namespaceSelector": "projectcalico.org/name != 'kube-system'",
                    "selector": "role == 'edge'",
                },
                False,
            ),
            ({"namespaceSelector": "projectcalico.org/name != 'kube-system'", "selector": "all()"}, True),
            (
                {
                    "namespaceSelector": "has(projectcalico.org/name) && projectcalico.org/name != 'kube-system'"
                },
                True,
            ),
            ({"namespaceSelector": "team == 'b'"}, True),
            ({"serviceAccountSelector": "role != 'x'"}, False),
            ({"serviceAccountSelector": "role == 'x'"}, True),
            ({"serviceAccountSelector": "all()"}, True),
            ({"serviceAccountSelector": "role != 'x'", "selector": "all()"}, True),
        ],
    )
    def test_a_host_endpoint_lacks_the_labels_of_every_namespace_and_account(self, spec, allowed):
        """What asks for the absence of a label selects it: the lock-out that has(projectcalico.org/name) is there for."""
        auto = raw(
            "HostEndpoint",
            "n9-auto-hep",
            {"node": "n9", "interfaceName": "*", "profiles": ["projectcalico-default-allow"]},
            labels={"role": "edge"},
        )

        assert ask([gnp("a", ingress(**spec))], API, HOST, others=[auto]).allowed is allowed

    def test_failsafe_ports_are_configured_in_felix(self):
        """Port, protocol and range of sources."""
        hep = raw("HostEndpoint", "eth0", {"node": "n9", "interfaceName": "eth0"})
        ports = [{"protocol": "tcp", "port": 2222, "net": "10.0.0.0/24"}, {"port": "broken"}]
        felix = raw("FelixConfiguration", "default", {"failsafeInboundHostPorts": ports})

        assert ask([], API, HOST, "TCP", 2222, others=[hep, felix]).allowed is True
        assert ask([], FAR, HOST, "TCP", 2222, others=[hep, felix]).allowed is False
        assert ask([], API, HOST, "TCP", 22, others=[hep, felix]).allowed is False

    def test_policies_before_conntrack_and_nat_come_before_the_tiers(self):
        """They decide for host endpoints and deny nothing by default."""
        hep = raw("HostEndpoint", "eth0", {"node": "n9", "interfaceName": "eth0"})
        early = gnp("z", ingress(deny(protocol="TCP"), preDNAT=True, applyOnForward=True))
        late = gnp("a", ingress(allow()))

        denied = ask([early, late], API, HOST, others=[hep])
        assert denied.allowed is False
        assert ask([early, late], API, HOST, "UDP", 7, others=[hep]).allowed is True
        untracked = gnp("y", ingress(allow(), doNotTrack=True, applyOnForward=True))
        assert ask([early, untracked], API, HOST, others=[hep]).allowed is True
        # What no profile allows is never come to where a rule denied.
        alone = ask([early], API, HOST, others=[hep]).ingress
        assert (alone.decided_by.policy.name, alone.isolated_by) == ("z", ())

    def test_which_of_several_host_endpoints_is_meant(self):
        """The address tells; otherwise nobody can say."""
        one = raw(
            "HostEndpoint", "eth0", {"node": "n9", "expectedIPs": ["192.168.0.9"]}, labels={"role": "a"}
        )
        two = raw("HostEndpoint", "eth1", {"node": "n9", "interfaceName": "eth1"}, labels={"role": "b"})
        policy = gnp("a", ingress(allow(), selector="role == 'a'"))
        away = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE, ip="172.16.0.9")

        assert ask([policy], API, HOST, others=[one, two]).allowed is True
        assert ask([policy], API, away, others=[one, two]).allowed is None

    @pytest.mark.parametrize(
        ("spec", "near", "away"),
        [
            ({"interfaceName": "eth0", "expectedIPs": ["192.168.0.9"]}, False, None),
            ({"expectedIPs": ["192.168.0.9"]}, False, None),
            ({"interfaceName": "*", "expectedIPs": ["192.168.0.9"]}, False, False),
            ({"interfaceName": "eth0"}, False, False),
        ],
    )
    def test_another_address_may_be_of_an_interface_without_a_host_endpoint(self, spec, near, away):
        """Such an interface is not policed; a host endpoint of all interfaces is met whatever the address."""
        hep = raw("HostEndpoint", "eth0", {"node": "n9", **spec})
        other = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE, ip="172.16.0.9")

        assert ask([gnp("a", ingress())], API, HOST, others=[hep]).allowed is near
        assert ask([gnp("a", ingress())], API, other, others=[hep]).allowed is away
        assert ask([gnp("a", ingress(allow()))], API, other, others=[hep]).allowed is (
            True if away is False else None
        )

    @pytest.mark.parametrize(
        ("expected", "at", "met"),
        [
            (["192.168.0.9"], "192.168.0.9", True),
            (["192.168.0.9"], "172.16.0.9", False),
            ([], "192.168.0.9", False),
            (None, "192.168.0.9", False),
        ],
    )
    @pytest.mark.parametrize("scope", [{}, {"namespaceSelector": "global()"}])
    def test_a_selector_in_a_rule_means_a_host_endpoint_by_its_expected_addresses(
        self, expected, at, met, scope
    ):
        """Nobody else knows where it is: without any it is nobody to rules."""
        spec = {"node": "n9", "interfaceName": "*"} | ({} if expected is None else {"expectedIPs": expected})
        hep = raw("HostEndpoint", "n9-auto-hep", spec, labels={"role": "edge"})
        node = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE, ip=at)
        away = outside(at)
        meant, refused = (
            gnp("a", ingress(allow(source={word: "role == 'edge'", **scope}), selector="app == 'web'"))
            for word in ("selector", "notSelector")
        )

        for caller in (node, away):
            assert ask([meant], caller, others=[hep]).ingress.allowed is met
            # A notSelector has no scope of its own.
            known = not scope and not met
            assert ask([refused], caller, others=[hep]).ingress.allowed is known

    @pytest.mark.parametrize(
        ("declared", "expected", "near", "away"),
        [
            ({"name": "ssh", "protocol": "TCP", "port": 2222}, ["192.168.0.9"], True, False),
            ({"name": "ssh", "protocol": 6, "port": 2222}, ["192.168.0.9"], True, False),
            ({"name": "ssh", "protocol": "UDP", "port": 2222}, ["192.168.0.9"], False, False),
            ({"name": "ssh", "protocol": "TCP", "port": 2223}, ["192.168.0.9"], False, False),
            ({"name": "web", "protocol": "TCP", "port": 2222}, ["192.168.0.9"], False, False),
            ({"name": "ssh", "protocol": "TCP", "port": 2222}, [], False, False),
        ],
    )
    def test_a_port_by_name_is_a_host_endpoints_at_its_expected_addresses(
        self, declared, expected, near, away
    ):
        """As pods give them; ``notPorts`` asks the same."""
        spec = {"node": "n9", "interfaceName": "*", "expectedIPs": expected, "ports": [declared]}
        hep = raw("HostEndpoint", "n9", spec)
        other = Endpoint(kind=EndpointKind.NODE, name="n9", node=NODE, ip="172.16.0.9")
        named = gnp("a", ingress(allow(protocol="TCP", destination={"ports": ["ssh"]})))
        others = gnp("a", ingress(allow(protocol="TCP", destination={"notPorts": ["ssh", 7]})))
        out = {"types": ["Egress"], "egress": [allow(protocol="TCP", destination={"ports": ["ssh"]})]}
        to_host = gnp("a", {"selector": "app == 'api'", **out})

        for end, met in ((HOST, near), (other, away), (outside("172.16.0.9"), away)):
            assert ask([to_host], API, end, "TCP", 2222, others=[hep]).egress.allowed is met
            if end.kind is EndpointKind.NODE:
                assert ask([named], API, end, "TCP", 2222, others=[hep]).ingress.allowed is met
                assert ask([others], API, end, "TCP", 2222, others=[hep]).ingress.allowed is not met
        assert ask([to_host], API, WEB, "TCP", 2222, others=[hep]).egress.allowed is False
        assert ask([to_host], API, outside("192.168.0.9"), "TCP", 2222, others=[hep]).egress.allowed is near

    @pytest.mark.parametrize(
        ("peers", "met"),
        [
            ([{"ipBlock": {"cidr": "192.168.0.0/24"}}], True),
            ([], True),
            ([{"ipBlock": {"cidr": "192.168.0.0/24", "except": ["192.168.0.9/32"]}}], False),
            ([{"namespaceSelector": {}}], False),
        ],
    )
    def test_a_name_in_a_networkpolicy_is_a_host_endpoints_too_where_no_selector_stands_beside_it(
        self, peers, met
    ):
        """A range takes the node's own address, and so the port that its host endpoint calls so."""
        declared = [{"name": "ssh", "protocol": "TCP", "port": 2222}]
        spec = {"node": "n9", "interfaceName": "*", "expectedIPs": ["192.168.0.9"], "ports": declared}
        egress = [{"to": peers, "ports": [{"port": "ssh"}]}]
        policy = net_policy("shop", "p", {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress})
        hep = raw("HostEndpoint", "n9", spec)

        assert ask([policy], API, HOST, "TCP", 2222, others=[hep]).egress.allowed is met
        assert ask([policy], API, HOST, "TCP", 2223, others=[hep]).egress.allowed is False
        assert ask([policy], API, HOST, "UDP", 2222, others=[hep]).egress.allowed is False
        assert ask([policy], API, HOST, "TCP", 2222).egress.allowed is False
        state = snapshot([WEB, API], [policy], others=[hep])
        elsewhere = compile_policies(state, dialect=Dialect.OVN)
        assert elsewhere.evaluate(pod_end(API), HOST, "TCP", 2222).egress.allowed is False

    def test_host_endpoints_with_other_profiles_are_not_the_same(self):
        one, two = (
            raw("HostEndpoint", name, {"node": "n9", "interfaceName": name, "profiles": profiles})
            for name, profiles in (("eth0", ["projectcalico-default-allow"]), ("eth1", []))
        )

        assert ask([], API, HOST, others=[one, two]).allowed is None
        assert ask([], API, HOST, others=[two, one]).allowed is None

    def test_nets_can_be_kept_from_pods(self):
        """What the caller forces beats the dialect."""
        policy = np("a", ingress(allow(source={"nets": ["0.0.0.0/0"]})))

        assert ask([policy], API, ip_block_pods=IpBlockPods.NO_MATCH).allowed is False
        assert ask([policy], INTERNET, ip_block_pods=IpBlockPods.NO_MATCH).allowed is True

    def test_end_of_tier_has_no_deciding_rule_and_names_who_isolates(self):
        """The nearest rule tells both ends' labels."""
        policy = np("a", ingress(allow(source={"selector": "app == 'front' && has(tier)"})))
        found = ask([policy]).ingress

        assert found.decided_by is None
        assert (policy.ref,) == found.isolated_by
        assert [(miss.wanted, miss.found) for miss in found.nearest[0].misses] == [
            ("app=front", "app=api"),
            ("has(tier)", None),
        ]


@pytest.mark.parametrize(
    ("seen", "groups", "dialect"),
    [
        (["calico"], [], Dialect.CALICO),
        (["hubble"], ["projectcalico.org"], Dialect.CILIUM),
        (["cilium", "calico"], [], Dialect.KUBERNETES),
        ([], ["projectcalico.org"], Dialect.CALICO),
        ([], ["cilium.io"], Dialect.CILIUM),
        ([], ["cilium.io", "networking.gke.io"], Dialect.GKE),
        ([], ["cilium.io", "projectcalico.org"], Dialect.KUBERNETES),
        ([], ["security.antrea.tanzu.vmware.com"], Dialect.ANTREA),
        ([], [], Dialect.KUBERNETES),
        (["weave"], [], Dialect.KUBERNETES),
        (["kube-ovn"], [], Dialect.OVN),
    ],
)
def test_the_dialect_is_read_off_the_evidence_first_and_the_objects_second(seen, groups, dialect):
    """Contradictions are no evidence."""
    policies = [net_policy("shop", "p", {}, group=group) for group in groups]

    assert dialect is detect_dialect(snapshot([WEB], policies), seen)
