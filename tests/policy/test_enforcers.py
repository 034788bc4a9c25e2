"""Who enforces, read off the CNI's own pods."""

import json

import pytest
from msgspec.structs import replace

from flowdiag.analysis.cautions import several_enforcers
from flowdiag.analysis.state import State
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.event import WorkloadRef
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies, detect_dialect
from flowdiag.policy.matrix import Matrix
from tests.policy.scenes import net_policy, pod, pod_end, raw, snapshot
from tests.policy.suite_cases import SUITES

WEB = pod("shop", "web", {"app": "web"}, ip="10.0.1.5")
DB = pod("shop", "db", {"app": "db"}, ip="10.0.2.7")
CALICO = {"k8s-app": "calico-node"}
CILIUM = {"k8s-app": "cilium"}
ANTREA = {"app": "antrea", "component": "antrea-agent"}
AWS = {"k8s-app": "aws-node"}


def agent(labels, owner="DaemonSet", *, name="agent", **more):
    """A running agent's pod as a node holds it."""
    given = {"owner": WorkloadRef(owner, name), "host_network": True, "ip": "192.0.2.10"} | more
    return pod("kube-system", "agent-x7k2p", labels, **given)


@pytest.mark.parametrize(
    ("agents", "dialect"),
    [
        ([agent(CALICO)], Dialect.CALICO),
        ([agent({"k8s-app": "canal"}), agent({"app": "flannel"})], Dialect.CALICO),
        ([agent(CILIUM)], Dialect.CILIUM),
        ([agent(CILIUM, name="anetd")], Dialect.GKE),
        ([agent(ANTREA)], Dialect.ANTREA),
        ([agent({"app": "ovnkube-node"})], Dialect.OVN),
        ([agent(AWS)], Dialect.AWS),
        ([agent(AWS), agent(CALICO)], Dialect.CALICO),
        ([agent(CALICO), agent(CILIUM)], Dialect.KUBERNETES),
        ([agent({"k8s-app": "kube-router"})], Dialect.KUBERNETES),
        ([agent({"k8s-app": "kube-network-policies"}), agent(AWS)], Dialect.KUBERNETES),
        ([agent({"k8s-app": "kube-network-policies"}), agent(CALICO)], Dialect.KUBERNETES),
        ([agent({"app": "kindnet"}), agent(CALICO)], Dialect.CALICO),
        ([agent({"app": "flannel"})], Dialect.KUBERNETES),
        ([agent({"k8s-app": "calico-typha"})], Dialect.KUBERNETES),
        ([agent(CALICO, phase="Failed")], Dialect.KUBERNETES),
        ([agent(CALICO, phase=None, node=None)], Dialect.KUBERNETES),
        ([agent(CILIUM, "ReplicaSet")], Dialect.KUBERNETES),
        ([], Dialect.KUBERNETES),
    ],
)
def test_one_running_agent_tells_who_enforces(agents, dialect):
    """Agents of two enforcers, none, one that ended, a manifest, or an application's pod with such a label tell nothing."""
    assert detect_dialect(snapshot([WEB, *agents]), ()) is dialect


def test_an_address_plugin_counts_beside_another_where_its_settings_say_so():
    """aws-node runs under Calico and Cilium without enforcing anything."""
    both = [agent(AWS), agent(CALICO)]
    on, off = ({"aws.enable-network-policy-controller": value} for value in ("true", "false"))

    assert detect_dialect(snapshot(both, config=on), ()) is Dialect.KUBERNETES
    assert detect_dialect(snapshot(both, config=off), ()) is Dialect.CALICO


def test_records_decide_over_agents_and_agents_do_not_overrule_objects():
    """Objects of one CNI and a running agent of another contradict."""
    policies = [net_policy("shop", "p", {}, group="projectcalico.org")]
    state = snapshot([WEB, agent(CILIUM)], policies)

    assert detect_dialect(state, ["calico"]) is Dialect.CALICO
    assert detect_dialect(state, ()) is Dialect.KUBERNETES
    assert detect_dialect(snapshot([WEB, agent(AWS)], others=[raw("IPPool", "a", {})]), ()) is Dialect.CALICO


@pytest.mark.parametrize(
    ("cnis", "agents", "dialect"),
    [
        (["cilium", "gke-dataplane-v2"], [], Dialect.GKE),
        (["cilium"], [agent(CILIUM, name="anetd")], Dialect.GKE),
        (["cilium"], [agent(CILIUM)], Dialect.CILIUM),
        (["cilium"], [agent(CALICO)], Dialect.CILIUM),
        (["gke-dataplane-v2"], [agent(CILIUM)], Dialect.GKE),
        (["cilium", "calico"], [agent(CALICO)], Dialect.KUBERNETES),
        (["weave"], [agent(CALICO)], Dialect.KUBERNETES),
        (["cilium", "kube-router"], [], Dialect.CILIUM),
        (["flannel"], [agent(CALICO)], Dialect.CALICO),
    ],
)
def test_hubble_s_records_of_dataplane_v2_are_of_no_second_enforcer(cnis, agents, dialect):
    """Its agent is Cilium's, and gives Hubble's records beside its own log of policies."""
    assert detect_dialect(snapshot([WEB, *agents]), cnis) is dialect


@pytest.mark.parametrize(("labels", "allowed"), [(CALICO, True), (CILIUM, False), (ANTREA, True), ({}, None)])
def test_an_agent_settles_whether_a_range_matches_pods(labels, allowed):
    """What the API leaves open is known once an agent is seen."""
    rule = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    state = snapshot(
        [WEB, DB, agent(labels)], [net_policy("shop", "p", {"podSelector": {}, "ingress": [rule]})]
    )
    policies = compile_policies(state, dialect=detect_dialect(state, ()))

    assert policies.evaluate(pod_end(WEB), pod_end(DB), "TCP", 80).allowed is allowed


def test_two_agents_are_said():
    """Nobody is named as the enforcer, and the reader is told why."""
    state = snapshot([WEB, agent(CALICO), agent(CILIUM)])

    def told(dialect, *, detected=True):
        policies = compile_policies(state, dialect=dialect)
        held = State(snapshot=state, policies=policies, dialect=dialect, detected=detected, problems=())
        return [one.message for one in several_enforcers(held)]

    assert told(Dialect.CILIUM) == told(Dialect.KUBERNETES, detected=False) == []
    assert [each.split(":")[0] for each in told(Dialect.KUBERNETES)] == [
        "agents of several network plugins run (calico, cilium)"
    ]


@pytest.mark.parametrize(
    ("cnis", "agents", "dialect", "said"),
    [
        (
            ("cilium", "kube-router"),
            [],
            Dialect.CILIUM,
            "plugins (cilium, kube-router), each of which enforces",
        ),
        (("cilium", "kube-router"), [], Dialect.CILIUM, "holds for the dialect cilium alone"),
        (
            ("calico", "flannel", "weave"),
            [],
            Dialect.CALICO,
            "plugins (calico, weave), each of which enforces",
        ),
        (("kindnet", "weave"), [], Dialect.KUBERNETES, "holds for one of them alone"),
        (("calico", "cilium"), [], Dialect.KUBERNETES, "policies of their own kinds are left open"),
        (("flannel", "weave"), [], Dialect.KUBERNETES, None),
        (("cilium", "gke-dataplane-v2"), [], Dialect.GKE, None),
        (
            (),
            ["weave-net", "kube-router"],
            Dialect.KUBERNETES,
            "agents of several network plugins run (kube-router, weave)",
        ),
        ((), ["kube-router"], Dialect.KUBERNETES, None),
        (("kube-router",), ["kube-router"], Dialect.KUBERNETES, None),
        (
            ("kube-router",),
            ["cilium"],
            Dialect.KUBERNETES,
            "the records are kube-router's, and agents of cilium run",
        ),
    ],
)
def test_a_second_enforcer_of_the_plain_api_is_said(cnis, agents, dialect, said):
    """k3s runs kube-router's enforcer beside any CNI unless it is told not to; both refuse."""
    labels = {"weave-net": {"name": "weave-net"}, "kube-router": {"k8s-app": "kube-router"}, "cilium": CILIUM}
    state = snapshot([WEB, *(agent(labels[name]) for name in agents)])
    assert detect_dialect(state, cnis) is dialect
    held = State(
        snapshot=state,
        policies=compile_policies(state, dialect=dialect),
        dialect=dialect,
        detected=True,
        problems=(),
    )
    found = [one.message for one in several_enforcers(held, cnis)]

    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_reach_leaves_out_pods_on_the_hosts_network_where_agents_tell_that_no_policy_selects_them():
    """Under Calico they are the node, as in every question about one connection."""
    state = snapshot([WEB, agent(CALICO)])
    policies = compile_policies(state, dialect=detect_dialect(state, ()))

    assert list(Matrix(state, policies).workloads) == ["shop/web"]


@pytest.mark.skipif(not SUITES.exists(), reason="no suites beside the repository")
@pytest.mark.parametrize(
    ("case", "dialect"),
    [
        ("policy/npguard-ipblockstest/resources", Dialect.CALICO),
        ("policy-diff/diff-ipblockstest-to-ipblockstest-2/resources-old", Dialect.CALICO),
        # Its agents' pods have no node and no phase: cut down to a manifest.
        ("policy/nca-k8s-regression-new1/resources", Dialect.KUBERNETES),
    ],
)
def test_dumps_of_the_suites_show_their_agents(case, dialect):
    """calico-node as a cluster of 2018 had it."""
    inputs = [(path.name, path.read_bytes()) for path in sorted((SUITES / case).glob("*.yaml"))]
    found, _ = build_snapshot(inputs)

    assert detect_dialect(found, ()) is dialect


def seen(*objects, pods=()):
    """What is read of bare objects, as dumps hold them, and of `pods`."""
    items = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}}
        for version, kind in objects
    ]
    found, _ = build_snapshot([("a.json", json.dumps({"kind": "List", "items": items}).encode())])
    return replace(found, pods=tuple(pods))


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [
        ("ManagedCertificate", Dialect.KUBERNETES),
        ("ServiceNetworkEndpointGroup", Dialect.KUBERNETES),
        ("HealthCheckPolicy", Dialect.KUBERNETES),
        ("NetworkLogging", Dialect.GKE),
        ("FQDNNetworkPolicy", Dialect.GKE),
    ],
)
def test_of_google_s_kinds_those_of_the_dataplane_tell_it(kind, dialect):
    """Certificates and load balancers are in clusters with Calico, too, where ranges match pods."""
    assert detect_dialect(seen(("networking.gke.io/v1", kind)), ()) is dialect


def test_cilium_s_endpoints_tell_no_cilium_where_retina_keeps_them():
    """Its operator writes CiliumEndpoints and CiliumIdentities beside whatever CNI there is."""
    kept = [("cilium.io/v2", "CiliumEndpoint"), ("cilium.io/v2", "CiliumIdentity")]
    retina = [agent({"k8s-app": "retina"}, name="retina-agent")]

    assert detect_dialect(seen(*kept), ()) is Dialect.CILIUM
    assert detect_dialect(seen(*kept, pods=retina), ()) is Dialect.KUBERNETES
    assert detect_dialect(seen(*kept, pods=[*retina, agent(CALICO)]), ()) is Dialect.CALICO
    assert detect_dialect(seen(*kept, ("cilium.io/v2", "CiliumNode"), pods=retina), ()) is Dialect.CILIUM
