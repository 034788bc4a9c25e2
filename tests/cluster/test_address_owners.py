"""Who owned an address at a time, and what becomes of flows over it."""

from __future__ import annotations

import json
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from flowdiag.cluster import Leases, Resolver, SnapshotIndex, build_snapshot, resolve_end, service_targets
from flowdiag.cluster.identities import Identities
from flowdiag.cluster.second_networks import other_addresses
from flowdiag.cluster.workloads import name_owner
from flowdiag.model.endpoint import EndpointKind, KnownBy
from flowdiag.model.errors import InputError
from flowdiag.model.event import Direction, Peer, PolicyHit, TimeSource, Verdict, WorkloadRef
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import Dialect
from flowdiag.model.tally import Bucket, DistinctFlow, DnsAnswer
from flowdiag.model.time import parse_rfc3339
from flowdiag.policy import compile_policies

S = 10**9


def at(clock: str) -> int:
    return parse_rfc3339(f"2026-11-03T{clock}Z")


def stamp(clock):
    return f"2026-11-03T{clock}Z"


def pod(
    name,
    ip,
    created="10:00:00",
    *,
    phase="Running",
    node="node-a",
    namespace="shop",
    labels=None,
    finished=None,
    **more,
):
    status = {"phase": phase, "podIP": ip, "hostIP": "192.0.2.1", "startTime": stamp(created)}
    if finished:
        status["containerStatuses"] = [{"state": {"terminated": {"finishedAt": stamp(finished)}}}]
    meta = {
        "name": name,
        "namespace": namespace,
        "creationTimestamp": stamp(created),
        "labels": labels or {"app": name},
        **more.pop("meta", {}),
    }
    spec = {"nodeName": node, "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}], **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


NODE = {
    "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a", "annotations": {"projectcalico.org/IPv4IPIPTunnelAddr": "10.1.0.77"}},
    "spec": {"podCIDRs": ["10.1.0.0/24"]}, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "node-a"}]},
}  # fmt: skip
SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"clusterIP": "10.96.0.10", "type": "NodePort", "selector": {"app": "web"}, "externalIPs": ["203.0.113.5"],
             "ports": [{"port": 80, "targetPort": "http", "nodePort": 30080}]},
}  # fmt: skip


def state(*objects) -> Snapshot:
    snapshot, problems = build_snapshot(
        [("state.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}).encode())]
    )
    assert [problem for problem in problems if not problem.note] == []
    return snapshot


def owner(snapshot, ip, clock=None, **more):
    return Leases(snapshot).owner(ip, at(clock) if clock else None, **more)


def test_a_pod_created_later_cannot_be_the_owner():
    snapshot = state(pod("web", "10.1.0.5", "12:00:00"))
    assert owner(snapshot, "10.1.0.5", "12:00:00").name == "web"
    before = owner(snapshot, "10.1.0.5", "11:59:59")
    assert before.kind is EndpointKind.UNKNOWN
    assert before.note == "owner unknown at that time (now shop/web)"


def test_finished_pods_stand_behind_a_running_owner():
    """A finished pod keeps its podIP; it owned the address until it ended."""
    snapshot = state(
        pod("job", "10.1.0.5", "10:00:00", phase="Succeeded", finished="11:00:00"),
        pod("web", "10.1.0.5", "11:30:00"),
    )
    assert owner(snapshot, "10.1.0.5", "10:30:00").name == "job"
    assert owner(snapshot, "10.1.0.5", "11:45:00").name == "web"
    gap = owner(snapshot, "10.1.0.5", "11:15:00")
    assert gap.kind is EndpointKind.UNKNOWN
    assert gap.candidates == ("shop/job", "shop/web")
    unsure = state(pod("job", "10.1.0.5", "10:00:00", phase="Failed"), pod("web", "10.1.0.5", "10:30:00"))
    assert owner(unsure, "10.1.0.5", "11:00:00").name == "web"


OTHER_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}


@pytest.mark.parametrize(
    ("ip", "more", "kind"),
    [
        ("10.1.7.9", [], EndpointKind.UNKNOWN),
        ("fd00:1::9", [], EndpointKind.UNKNOWN),
        ("203.0.113.9", [], EndpointKind.EXTERNAL),
        ("169.254.169.254", [], EndpointKind.EXTERNAL),
        ("10.1.7.9", [NODE], EndpointKind.EXTERNAL),
        ("10.1.7.9", [OTHER_NAMESPACE], EndpointKind.EXTERNAL),
        ("10.1.7.9", [pod("db", "10.1.0.6", namespace="data")], EndpointKind.EXTERNAL),
    ],
    ids=["a pod's", "of IPv6", "public", "link-local", "nodes read", "namespaces read", "two namespaces"],
)
def test_what_one_namespaces_objects_leave_open_is_not_outside(ip, more, kind):
    """Who may read one namespace alone has no pods of the others: an address of their range may be such a pod's."""
    assert owner(state(pod("web", "10.1.0.5"), *more), ip, "11:00:00").kind is kind


def test_two_owners_are_ambiguous():
    found = owner(state(pod("a", "10.1.0.5"), pod("b", "10.1.0.5")), "10.1.0.5", "11:00:00")
    assert (found.kind, found.candidates) == (EndpointKind.UNKNOWN, ("shop/a", "shop/b"))


def on_network(name, ip, own, **more):
    """A pod in a primary user-defined network of OVN-Kubernetes: `own` there, `ip` in its status."""
    status = [
        {"name": "ovn-kubernetes", "interface": "eth0", "ips": [ip]},
        {"name": "ovn-kubernetes", "interface": "ovn-udn1", "ips": [own], "default": True},
        {"name": "shop/vlan", "interface": "net1", "ips": ["192.168.50.7"]},
    ]
    annotations = {"k8s.v1.cni.cncf.io/network-status": json.dumps(status)}
    return pod(name, ip, meta={"annotations": annotations}, **more)


def test_a_primary_network_of_its_own_gives_a_pod_its_address():
    """The status has the address of the cluster's network; a further network's is outside."""
    known = state(on_network("web", "10.1.0.5", "10.200.0.4"))

    assert owner(known, "10.200.0.4", "11:00:00").name == "web"
    assert owner(known, "10.1.0.5", "11:00:00").name == "web"
    assert owner(known, "192.168.50.7", "11:00:00").kind is not EndpointKind.POD


@pytest.mark.parametrize(
    ("cidr", "allowed"), [("10.200.0.0/16", True), ("10.1.0.0/16", False), ("0.0.0.0/0", True)]
)
def test_policies_hold_for_the_address_in_a_network_of_its_own(cidr, allowed):
    """Ranges in rules mean a pod there, at neither end at its address in the cluster's network."""
    pods = (on_network("web", "10.1.0.5", "10.200.0.4"), on_network("db", "10.1.0.6", "10.200.0.7"))
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": cidr}}]}]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": spec,
    }
    known = state(*pods, policy)
    policies = compile_policies(known, dialect=Dialect.OVN)
    web, db = (resolve_end(f"shop/{name}", known, Leases(known))[0] for name in ("web", "db"))

    assert (web.ip, db.ip) == ("10.200.0.4", "10.200.0.7")
    for src in (web, structs.replace(web, ip=None)):
        assert policies.evaluate(src, db, "TCP", 80).allowed is allowed


@pytest.mark.parametrize(
    ("key", "value", "own"),
    [
        (
            "k8s.ovn.org/pod-networks",
            {
                "default": {"ip_addresses": ["10.1.0.5/24"], "role": "infrastructure-locked"},
                "shop/blue": {"ip_addresses": ["10.200.0.4/16", "fd00::4/64", 7], "role": "primary"},
                "shop/vlan": {"ip_addresses": ["192.168.50.7/24"], "role": "secondary"},
            },
            ("10.200.0.4", "fd00::4"),
        ),
        (
            "k8s.ovn.org/pod-networks",
            {"default": {"ip_addresses": ["10.1.0.5/24"], "role": "primary"}, "shop/blue": "?"},
            (),
        ),
        ("k8s.v1.cni.cncf.io/network-status", [{"ips": ["10.7.7.7"], "default": True}], ()),
        (
            "k8s.v1.cni.cncf.io/network-status",
            [{"ips": ["10.1.0.5"]}, {"ips": ["10.7.7.7"], "default": True}],
            ("10.7.7.7",),
        ),
    ],
    ids=["by OVN-Kubernetes alone", "the cluster's", "of a pod that was restored", "beside the status'"],
)
def test_where_a_pod_is_told_to_have_a_network_of_its_own(key, value, own):
    """What a restored pod still says of another cluster is none of its addresses."""
    (found,) = state(pod("web", "10.1.0.5", meta={"annotations": {key: json.dumps(value)}})).pods

    assert (found.ips, found.own_ips) == ((*own, "10.1.0.5"), own)


def test_a_pod_whose_status_has_no_address_is_in_the_clusters_network():
    """A dump without status tells no more than that."""
    web = on_network("web", "10.1.0.5", "10.200.0.4")
    web["status"] = {}
    (found,) = state(web).pods

    assert (found.ips, found.own_ips) == (("10.200.0.4",), ())


def test_a_further_network_of_gke_is_no_network_of_policies():
    """Its address is the pod's, on an interface that default policies do not hold for."""
    notes = {"networking.gke.io/pod-ips": '[{"networkName":"blue","ip":"10.9.0.5"},{"ip":7},3]'}
    known = state(pod("web", "10.1.0.5", meta={"annotations": notes}))
    (web,) = known.pods

    assert list(other_addresses(web)) == ["10.9.0.5"]
    assert owner(known, "10.9.0.5", "11:00:00").kind is not EndpointKind.POD


def test_networks_that_overlap_leave_the_owner_open():
    """Two such networks may have one range: the address alone does not tell the pods apart."""
    pods = (
        on_network("web", "10.1.0.5", "10.200.0.4"),
        on_network("web", "10.1.0.6", "10.200.0.4", namespace="data"),
    )
    known, problems = build_snapshot([("state.json", json.dumps({"kind": "List", "items": pods}).encode())])
    end = owner(known, "10.200.0.4", "11:00:00")

    assert problems == []
    assert (end.kind, end.candidates) == (EndpointKind.UNKNOWN, ("data/web", "shop/web"))


BLUE_RED = tuple(
    pod(
        name,
        f"10.1.{number}.{host}",
        namespace=space,
        meta={
            "annotations": {
                "k8s.v1.cni.cncf.io/network-status": json.dumps(
                    [
                        {"name": "ovn-kubernetes", "ips": [f"10.1.{number}.{host}"]},
                        {"name": "ovn-kubernetes", "ips": [f"10.200.0.{host}"], "default": True},
                    ]
                ),
                "k8s.ovn.org/pod-networks": json.dumps(
                    {
                        "default": {"role": "infrastructure-locked"},
                        f"{space}/{network}": {"role": "primary"},
                    }
                ),
            }
        },
    )
    for number, (space, network) in enumerate((("blue", "own"), ("red", "shared"), ("pink", "shared")))
    for name, host in (("web", 5), ("job", 4))
    if (space, name) != ("pink", "web")
    if (space, name) != ("red", "job")
)
"""web has 10.200.0.5 in blue and in red, job 10.200.0.4 in blue and in pink; red and pink share a network."""


@pytest.mark.parametrize(
    ("space", "direction", "src", "dst"),
    [
        ("blue", Direction.INGRESS, "blue/job", "blue/web"),
        ("blue", Direction.EGRESS, "blue/job", "blue/web"),
        ("red", Direction.INGRESS, "pink/job", "red/web"),
        ("pink", Direction.EGRESS, "pink/job", "red/web"),
        ("red", Direction.EGRESS, None, None),
        ("blue", None, None, None),
        (None, Direction.INGRESS, None, None),
    ],
)
def test_pods_of_networks_that_overlap_are_told_apart_by_the_policies_namespace(space, direction, src, dst):
    """The policed pod is of that namespace, and no other network's packet comes to it."""
    hits = () if space is None else (PolicyHit(kind="NetworkPolicy", namespace=space),)
    asked = structs.replace(
        flow(Peer(ip="10.200.0.4"), Peer(ip="10.200.0.5"), direction=direction), policies=hits
    )
    (found,) = Resolver(state(*BLUE_RED)).resolve(asked)

    assert [end.pod and f"{end.pod.namespace}/{end.pod.name}" for end in (found.src, found.dst)] == [src, dst]
    assert {len(end.candidates) for end in (found.src, found.dst)} == ({0} if src else {2})


@pytest.mark.parametrize("networks", ["{", "[]", '{"default":{"role":"primary"}}', "{}"])
def test_without_a_readable_network_the_namespace_tells(networks):
    """A namespace has one primary network; which others are of it then nobody knows."""
    pods = [json.loads(json.dumps(one)) for one in BLUE_RED]
    for one in pods:
        one["metadata"]["annotations"]["k8s.ovn.org/pod-networks"] = networks
    known = Resolver(state(*pods))
    for space, src in (("blue", "blue/job"), ("red", None)):
        asked = flow(Peer(ip="10.200.0.4"), Peer(ip="10.200.0.5"), direction=Direction.INGRESS)
        (found,) = known.resolve(structs.replace(asked, policies=(PolicyHit(namespace=space),)))

        assert found.dst.namespace == space
        assert (found.src.pod and f"{found.src.pod.namespace}/{found.src.pod.name}") == src


def test_a_network_without_a_name_may_be_any_but_the_clusters():
    """Where the annotation of one pod is missing, it is no less of a network of its own."""
    pods = [json.loads(json.dumps(one)) for one in BLUE_RED if one["metadata"]["namespace"] != "blue"]
    (other,) = (one for one in pods if one["metadata"]["namespace"] == "pink")
    del other["metadata"]["annotations"]["k8s.ovn.org/pod-networks"]
    plain = pod("api", "10.200.0.4", namespace="core")
    (found,) = Resolver(state(*pods, plain)).resolve(flow(Peer(ip="10.200.0.4"), Peer(ip="10.200.0.5")))

    assert (found.src.namespace, found.src.name) == ("pink", "job")


def test_a_pod_of_the_clusters_network_is_not_in_one_of_their_own():
    """Who calls a pod at its address in the cluster's network is in that, too."""
    plain = pod("api", "10.200.0.4", namespace="core")
    asked = flow(Peer(ip="10.200.0.4"), Peer(ip="10.1.9.9"))
    (found,) = Resolver(state(*BLUE_RED[:2], plain, pod("db", "10.1.9.9"))).resolve(asked)

    assert (found.src.namespace, found.src.name) == ("core", "api")


def test_a_pod_being_deleted_keeps_its_address_until_another_has_it():
    old = pod("old", "10.1.0.5", meta={"deletionTimestamp": stamp("11:00:00")})
    assert owner(state(old), "10.1.0.5", "11:10:00").name == "old"
    assert owner(state(old, pod("new", "10.1.0.5", "11:05:00")), "10.1.0.5", "11:10:00").name == "new"


def test_host_network_addresses_are_the_node_with_candidates():
    snapshot = state(
        NODE, pod("proxy", "192.0.2.1", hostNetwork=True), pod("cni", "192.0.2.1", hostNetwork=True)
    )
    found = owner(snapshot, "192.0.2.1", "11:00:00")
    assert (found.kind, found.name, found.candidates) == (
        EndpointKind.NODE,
        "node-a",
        ("shop/cni", "shop/proxy"),
    )


@pytest.mark.parametrize("ip", ["192.0.2.1", "::ffff:192.0.2.1", "10.1.0.77", "10.1.0.1", "10.1.0.0"])
def test_node_addresses(ip):
    """Status, CNI annotations, the first address of the pod range (and Weave's network address), IPv4-mapped."""
    assert owner(state(NODE), ip, "11:00:00").name == "node-a"


@pytest.mark.parametrize(
    "ip", ["192.0.2.9", "100.64.0.2", "fd98::2", "100.64.0.5", "100.64.0.3", "100.88.0.2", "10.128.2.2"]
)
def test_node_addresses_of_ovn_kubernetes(ip):
    """What a node's router and its management port send to pods comes with these, in each version's words."""
    notes = {
        "node-primary-ifaddr": {"ipv4": "192.0.2.9/24"},
        "node-gateway-router-lrp-ifaddrs": {"default": {"ipv4": "100.64.0.2/16", "ipv6": "fd98::2/64"}},
        "node-gateway-router-lrp-ifaddr": {"ipv4": "100.64.0.5/16", "default": "100.64.0.3/16"},
        "node-transit-switch-port-ifaddr": {"ipv4": "100.88.0.2/16"},
        "node-subnets": {"default": ["10.128.2.0/23"]},
    }
    meta = {"annotations": {f"k8s.ovn.org/{key}": json.dumps(value) for key, value in notes.items()}}
    node = {**NODE, "metadata": {**NODE["metadata"], "name": "node-o", **meta}}
    assert owner(state(node), ip, "11:00:00").name == "node-o"


def test_a_pod_may_own_the_first_address_of_the_range():
    assert owner(state(NODE, pod("web", "10.1.0.1")), "10.1.0.1", "11:00:00").kind is EndpointKind.POD


@pytest.mark.parametrize(("ip", "port"), [("10.96.0.10", None), ("203.0.113.5", None), ("192.0.2.1", 30080)])
def test_service_addresses(ip, port):
    found = owner(state(NODE, SERVICE), ip, "11:00:00", port=port, protocol="TCP")
    assert (found.kind, found.namespace, found.name) == (EndpointKind.SERVICE, "shop", "web")


def test_outside_and_unknown():
    """Outside only where the state can tell: without pods a private address may be anybody's."""
    with_pods = state(NODE, pod("web", "10.1.0.5"))
    assert owner(with_pods, "10.9.9.9").kind is EndpointKind.EXTERNAL
    assert owner(with_pods, "10.1.0.200").kind is EndpointKind.UNKNOWN
    assert owner(state(NODE), "10.9.9.9").kind is EndpointKind.UNKNOWN
    assert owner(state(NODE), "198.18.255.1x").kind is EndpointKind.UNKNOWN
    assert owner(with_pods, "2001:db8::1").kind is EndpointKind.EXTERNAL


def test_a_replaced_pod_of_one_name_owned_its_address_until_then():
    """Two dumps, a StatefulSet's pod recreated between them: both addresses have their time."""
    dumps = [
        ("old.json", json.dumps(pod("db-0", "10.1.0.5", "10:00:00", meta={"uid": "a"})).encode()),
        ("new.json", json.dumps(pod("db-0", "10.1.0.6", "11:00:00", meta={"uid": "b"})).encode()),
    ]
    for order in (dumps, dumps[::-1]):
        snapshot, problems = build_snapshot(order)
        assert problems == []
        assert [found.ips for found in snapshot.pods if found.live] == [("10.1.0.6",)]
        assert owner(snapshot, "10.1.0.5", "10:30:00").name == "db-0"
        assert owner(snapshot, "10.1.0.5", "11:30:00").kind is EndpointKind.UNKNOWN
        assert SnapshotIndex(snapshot).pod("shop", "db-0").uid == "b"


def test_endpoints_remember_pods_that_the_state_lacks():
    piece = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["10.1.0.9"], "targetRef": {"kind": "Pod", "name": "web-9", "namespace": "shop"}}],
    }  # fmt: skip
    found = owner(state(piece), "10.1.0.9", "11:00:00")
    assert (found.kind, found.namespace, found.name, found.pod) == (EndpointKind.POD, "shop", "web-9", None)


@pytest.mark.parametrize(
    ("ip", "kind"),
    [
        ("10.9.9.9", EndpointKind.UNKNOWN),
        ("100.64.3.7", EndpointKind.UNKNOWN),
        ("fd00:1::9", EndpointKind.UNKNOWN),
        ("100.128.0.1", EndpointKind.EXTERNAL),
        ("198.20.0.1", EndpointKind.EXTERNAL),
        ("169.254.169.254", EndpointKind.EXTERNAL),
        ("fe80::1", EndpointKind.EXTERNAL),
        ("127.0.0.1", EndpointKind.EXTERNAL),
    ],
)
def test_what_may_be_a_pods_is_not_outside_where_no_pods_were_read(ip, kind):
    """Private ranges, and the one that carriers share, which clouds give to pods."""
    assert owner(Snapshot(), ip).kind is kind


def test_that_there_are_no_pods_is_known_where_a_list_of_them_is_empty():
    empty = json.dumps({"apiVersion": "v1", "kind": "PodList", "items": []}).encode()
    snapshot, _ = build_snapshot([("pods.json", empty), ("nodes.json", json.dumps(NODE).encode())])
    assert owner(snapshot, "10.9.9.9").kind is EndpointKind.EXTERNAL


def test_namespaces_without_pods_that_were_only_named_leave_it_open():
    """A policy's namespace, and the pods' own, show no more of the cluster than the pods do."""
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    elsewhere = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db", "namespace": "data"},
        "spec": {},
    }
    for more in (own, elsewhere):
        assert owner(state(pod("web", "10.1.0.5"), more), "10.1.7.9").kind is EndpointKind.UNKNOWN


@pytest.mark.parametrize("more", [{}, {"hostNetwork": True}], ids=["beside it", "in its network"])
def test_a_pod_tells_of_the_node_that_it_runs_on(more):
    """Where nodes were not read, their addresses stand in the status of their pods."""
    found = owner(state(pod("web", "192.0.2.1" if more else "10.1.0.5", **more)), "192.0.2.1", "11:00:00")
    assert (found.kind, found.name, found.node) == (EndpointKind.NODE, "node-a", None)


@pytest.mark.parametrize("more", [{}, {"hostNetwork": True}], ids=["beside it", "in its network"])
def test_a_pod_that_names_no_node_makes_none(more):
    found = owner(state(pod("web", "192.0.2.1" if more else "10.1.0.5", node=None, **more)), "192.0.2.1")
    assert (found.kind, found.name) == (EndpointKind.NODE if more else EndpointKind.EXTERNAL, None)


def test_a_node_of_the_state_comes_with_its_object_and_its_live_pods():
    snapshot = state(
        NODE,
        pod("proxy", "192.0.2.1", hostNetwork=True),
        pod("job", "192.0.2.1", hostNetwork=True, phase="Succeeded", finished="11:00:00"),
    )
    found = owner(snapshot, "192.0.2.1", "11:30:00")
    assert (found.node.name, found.candidates) == ("node-a", ("shop/proxy",))


def test_ciliums_own_objects_tell_the_addresses_of_nodes():
    node = {
        "apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "node-b"},
        "spec": {"addresses": [{"ip": "192.0.2.9", "type": "InternalIP"}, {"ip": "10.1.9.77", "type": "CiliumInternalIP"}]},
    }  # fmt: skip
    other = {
        **node,
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": "pool"},
        "spec": {"addresses": [{"ip": "192.0.2.10"}]},
    }
    snapshot = state(node, other)
    assert [owner(snapshot, ip).name for ip in ("192.0.2.9", "10.1.9.77", "192.0.2.10")] == [
        "node-b",
        "node-b",
        None,
    ]


def addressing(*ips):
    return {"networking": {"addressing": [{"ipv6" if ":" in ip else "ipv4": ip} for ip in ips]}}


ENDPOINT = {
    "apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint", "metadata": {"name": "web-8", "namespace": "shop"},
    "status": addressing("10.1.0.8", "2001:db8:1::8"),
}  # fmt: skip
ENDPOINTS = {
    "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumEndpointSlice", "metadata": {"name": "ces-1"}, "namespace": "shop",
    "endpoints": [{"name": "web-7", **addressing("10.1.0.7")}, {**addressing("10.1.0.6")}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("ip", "name"),
    [("10.1.0.8", "web-8"), ("2001:db8:1::8", "web-8"), ("10.1.0.7", "web-7"), ("10.1.0.6", None)],
)
def test_ciliums_own_objects_remember_pods_that_the_state_lacks(ip, name):
    """One object for each pod, or several pods in a slice; an entry without a name is nobody's."""
    found = owner(state(ENDPOINT, ENDPOINTS), ip, "11:00:00")
    assert (found.namespace, found.name) == ("shop" if name else None, name)
    assert found.kind is (EndpointKind.POD if name else EndpointKind.UNKNOWN)


def test_a_slice_of_no_namespace_names_nobody():
    assert owner(state({**ENDPOINTS, "namespace": None}), "10.1.0.7").name is None


def test_two_pods_that_only_other_objects_put_at_an_address_are_ambiguous():
    second = {**ENDPOINT, "metadata": {"name": "web-9", "namespace": "shop"}}
    found = owner(state(ENDPOINT, second), "10.1.0.8")
    assert (found.kind, found.name, found.candidates) == (
        EndpointKind.UNKNOWN,
        None,
        ("shop/web-8", "shop/web-9"),
    )


@pytest.mark.parametrize(
    ("ip", "port", "protocol", "kind"),
    [
        ("192.0.2.1", 30080, None, EndpointKind.SERVICE),
        ("192.0.2.1", 30080, "tcp", EndpointKind.SERVICE),
        ("192.0.2.1", 30080, "UDP", EndpointKind.NODE),
        ("192.0.2.1", 30081, "TCP", EndpointKind.NODE),
        ("198.51.100.7", 30080, "TCP", EndpointKind.EXTERNAL),
        ("10.96.0.10", 30080, "TCP", EndpointKind.SERVICE),
    ],
)
def test_a_node_port_is_one_at_the_addresses_of_nodes_and_of_its_transport(ip, port, protocol, kind):
    snapshot = state(NODE, SERVICE, pod("web", "10.1.0.5"))
    assert owner(snapshot, ip, "11:00:00", port=port, protocol=protocol).kind is kind


def made(service, clock, **spec):
    return {
        **service,
        "metadata": {**service["metadata"], "creationTimestamp": stamp(clock)},
        "spec": {**service["spec"], **spec},
    }


def test_a_service_created_later_cannot_be_the_owner():
    """One `Leases` is asked for both times, so that what it remembers of one is not given for the other."""
    leases = Leases(state(made(SERVICE, "11:00:00"), pod("web", "10.1.0.5")))
    before = leases.owner("10.96.0.10", at("10:59:59"))
    assert (before.kind, before.note) == (
        EndpointKind.UNKNOWN,
        "owner unknown at that time (now Service shop/web)",
    )
    assert leases.owner("10.96.0.10", at("11:00:00")).kind is EndpointKind.SERVICE
    assert leases.owner("10.96.0.10", None).kind is EndpointKind.SERVICE


def test_of_services_that_share_an_address_one_was_there_before_the_other():
    mail = made(
        {**SERVICE, "metadata": {"name": "mail", "namespace": "shop"}}, "11:00:00", ports=[{"port": 25}]
    )
    snapshot = state(made(SERVICE, "09:00:00"), mail, pod("web", "10.1.0.5"))
    assert owner(snapshot, "203.0.113.5", "10:00:00").kind is EndpointKind.SERVICE


CHANGING = (
    pod("job", "10.1.0.5", "10:00:00", phase="Succeeded", finished="10:30:00"),
    pod("old", "10.1.0.5", "10:40:00", meta={"deletionTimestamp": stamp("11:20:00")}),
    pod("new", "10.1.0.5", "11:00:00"),
    pod("lost", "10.1.0.5", "11:40:00", phase="Failed"),
)


@pytest.mark.parametrize(
    ("clock", "names"),
    [
        ("09:59:59", ()),
        ("10:00:00", ("job",)),
        ("10:30:00", ("job",)),
        ("10:30:01", ()),
        ("10:39:59", ()),
        ("10:40:00", ("old",)),
        ("10:59:59", ("old",)),
        ("11:00:00", ("new", "old")),
        ("11:19:59", ("new", "old")),
        ("11:20:00", ("new",)),
        ("11:59:59", ("new",)),
        (None, ("new",)),
    ],
)
def test_who_has_an_address_from_second_to_second(clock, names):
    """From its start to the end of its last second; one that is being deleted stands behind another from then on.

    Whoever was asked about before makes no difference.
    """
    leases = Leases(state(*CHANGING))
    for other in ("10:10:00", "10:35:00", "10:50:00", "11:10:00", "11:30:00"):
        leases.owner("10.1.0.5", at(other))
    found = leases.owner("10.1.0.5", at(clock) if clock else None)

    assert ((found.name,) if found.name else tuple(one.partition("/")[2] for one in found.candidates)) == (
        names or tuple(sorted(one["metadata"]["name"] for one in CHANGING))
    )
    assert found.kind is (EndpointKind.POD if len(names) == 1 else EndpointKind.UNKNOWN)


def test_the_owners_of_an_address_follow_each_other_without_a_gap():
    """Each begins with the instant at which the one before ended; the first and the last are as long as was asked for."""
    leases = Leases(state(*CHANGING))
    found = leases.spans("10.1.0.5", at("10:10:00"), at("11:20:00"))

    assert [(span.start, span.end, span.owner.name) for span in found] == [
        (at("10:10:00"), at("10:30:01"), "job"),
        (at("10:30:01"), at("10:40:00"), None),
        (at("10:40:00"), at("11:00:00"), "old"),
        (at("11:00:00"), at("11:20:00"), None),
        (at("11:20:00"), at("11:20:00") + 1, "new"),
    ]
    (alone,) = leases.spans("10.1.0.5", at("10:40:00"), at("10:59:59"))
    assert (alone.start, alone.end, alone.owner.name) == (at("10:40:00"), at("10:59:59") + 1, "old")


def test_instants_at_which_nothing_changes_cut_nothing():
    """A pod that may have lost its address stands behind another from its start, and makes no second owner of it."""
    leases = Leases(state(pod("web", "10.1.0.5"), pod("lost", "10.1.0.5", "11:00:00", phase="Failed")))
    (whole,) = leases.spans("10.1.0.5", at("10:30:00"), at("11:30:00"))
    assert (whole.start, whole.end, whole.owner.name) == (at("10:30:00"), at("11:30:00") + 1, "web")


@pytest.mark.parametrize(("first", "last"), [(None, None), ("10:10:00", None), (None, "10:10:00")])
def test_at_an_unknown_time_there_is_one_owner(first, last):
    leases = Leases(state(*CHANGING))
    (whole,) = leases.spans("10.1.0.5", at(first) if first else None, at(last) if last else None)
    assert (whole.start, whole.end, whole.owner.name) == (None, None, "new")


def test_who_had_an_address_is_told_with_the_end_that_is_known():
    note = owner(state(*CHANGING[:2]), "10.1.0.5", "10:35:00").note
    assert note == "owner unknown at that time (was shop/job until 2026-11-03 10:30:00 UTC; now shop/old)"


def test_a_pod_has_no_address_before_the_kubelet_saw_it():
    late = pod("web", "10.1.0.5", "10:00:00")
    late["status"]["startTime"] = stamp("10:05:00")
    assert owner(state(late), "10.1.0.5", "10:04:59").kind is EndpointKind.UNKNOWN
    assert owner(state(late), "10.1.0.5", "10:05:00").name == "web"


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({}, None),
        ({"phase": "Failed", "finished": "12:00:00"}, None),
        ({"phase": "Failed"}, "pod is Failed; it may have lost the address"),
    ],
)
def test_a_pod_that_ended_nobody_knows_when_may_have_lost_its_address(more, note):
    found = owner(state(pod("web", "10.1.0.5", **more)), "10.1.0.5", "11:00:00")
    assert (found.name, found.note) == ("web", note)


def test_several_pods_of_one_workload_are_that_workload():
    """Which of them had the address is not known; whose they are is."""
    made_by = {
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True}
        ]
    }
    found = owner(
        state(pod("db-0", "10.1.0.5", meta=made_by), pod("db-1", "10.1.0.5", meta=made_by)), "10.1.0.5"
    )
    assert (found.kind, found.workload, found.candidates) == (
        EndpointKind.WORKLOAD,
        WorkloadRef("StatefulSet", "db"),
        ("shop/db-0", "shop/db-1"),
    )


def test_addresses_in_a_range_are_those_from_its_first_to_its_last():
    leases = Leases(
        state(
            *(
                pod(f"p{n}", ip)
                for n, ip in enumerate(
                    ("10.0.255.255", "10.1.0.0", "10.1.0.9", "10.1.0.255", "10.1.1.0", "2001:db8::5")
                )
            )
        )
    )
    assert [text for _, text in leases.addresses_in(ip_network("10.1.0.0/24"))] == [
        "10.1.0.0",
        "10.1.0.9",
        "10.1.0.255",
    ]
    assert [text for _, text in leases.addresses_in(ip_network("2001:db8::/64"))] == ["2001:db8::5"]


# --- resolving flows ------------------------------------------------------------------------------


def flow(src, dst, *, buckets=(), port=80, direction=None, node=None, first=None, last=None, **more):
    buckets = tuple(Bucket(start, width, count) for start, width, count in buckets) or (Bucket(None, 0, 1),)
    timed = [bucket for bucket in buckets if bucket.start is not None]
    return DistinctFlow(
        parser=more.pop("parser", "test"), node=node, src=src, dst=dst, protocol="TCP", port=port, icmp=None, direction=direction, verdict=Verdict.DENIED,
        verdict_raw=None, cause=None, reason=None, reason_code=None, reason_raw=None, policies=(), l7=None, turned=False,
        count=sum(bucket.count for bucket in buckets), records=1,
        first=first if first is not None else (timed[0].start if timed else None),
        last=last if last is not None else (timed[-1].start if timed else None),
        time_source=TimeSource.RECORD, buckets=buckets, tcp_flags=frozenset(), source_ports=(), interval_s=None,
        dns_names=more.pop("dns_names", ()), folded_peers=None, folded_ports=None, examples=(), **more,
    )  # fmt: skip


REUSED = (
    pod("job", "10.1.0.5", "10:00:00", phase="Succeeded", finished="10:59:59"),
    pod("web", "10.1.0.5", "11:00:00"),
)


def test_flow_is_split_where_the_owner_changes():
    """Buckets before and after go to their owners; one that straddles the change stands apart, ambiguous."""
    buckets = [
        (at("10:58:00"), 60 * S, 5),
        (at("10:59:30"), 60 * S, 2),
        (at("11:01:00"), 60 * S, 7),
        (None, 0, 1),
    ]
    buckets.sort(key=lambda part: (part[0] is None, part[0]))
    found = Resolver(state(*REUSED)).resolve(
        flow(
            Peer(ip="10.1.0.5"),
            Peer(ip="192.0.2.99"),
            buckets=buckets,
            first=at("10:58:00"),
            last=at("11:01:30"),
        )
    )
    rows = sorted((part.src.name or "?", part.count, part.ambiguous) for part in found)
    assert rows == [("job", 2, True), ("job", 5, False), ("web", 1, True), ("web", 7, False)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-40, 40), st.integers(1, 9)),
        min_size=1,
        max_size=12,
        unique_by=lambda part: part[0],
    )
)
def test_splitting_loses_no_record(minutes):
    buckets = [(at("11:00:00") + minute * 60 * S, 60 * S, count) for minute, count in sorted(minutes)]
    distinct = flow(Peer(ip="10.1.0.5"), Peer(ip="192.0.2.99"), buckets=buckets)
    found = Resolver(state(*REUSED)).resolve(distinct)
    assert sum(part.count for part in found) == distinct.count
    assert {bucket.start for part in found for bucket in part.buckets} == {
        bucket.start for bucket in distinct.buckets
    }


def one(snapshot, src, dst, **more):
    (found,) = Resolver(snapshot, more.pop("answers", ())).resolve(flow(src, dst, **more))
    return found


OUT = Peer(ip="198.51.100.7")


def test_recorded_names_come_first_and_are_completed():
    found = one(
        state(pod("web", "10.1.0.5")), Peer(ip="10.1.0.5", namespace="shop", pod="web", identity=777), OUT
    )
    assert (found.src.known_by, found.src.pod.name, found.src.identity) == (KnownBy.RECORD, "web", 777)


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("web-574f6b9c8d-x2x4z", WorkloadRef("Deployment", "web")),
        ("db-0", WorkloadRef("StatefulSet", "db")),
        ("backup-28391040-bbbbb", WorkloadRef("CronJob", "backup")),
        ("agent-x2x4z", WorkloadRef(None, "agent")),
        ("web-574f6b9c8d-*", WorkloadRef("Deployment", "web")),
    ],
)
def test_gone_pods_give_their_workload_by_name(name, workload):
    known = pod(
        "web-574f6b9c8d-bbbbb",
        "10.1.0.5",
        meta={"ownerReferences": [{"kind": "ReplicaSet", "name": "web-574f6b9c8d", "controller": True}]},
    )
    found = one(state(known), Peer(namespace="shop", pod=name), OUT).src
    assert (found.kind, found.workload, found.workload_inferred, found.known_by) == (
        EndpointKind.WORKLOAD,
        workload,
        True,
        KnownBy.NAME,
    )


def test_pod_of_a_known_daemon_set_keeps_its_kind():
    daemon = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "shop"},
        "spec": {},
    }
    assert one(state(daemon), Peer(namespace="shop", pod="agent-x2x4z"), OUT).src.workload == WorkloadRef(
        "DaemonSet", "agent"
    )


@pytest.mark.parametrize(
    ("name", "recorded", "workload"),
    [
        (
            "web-574f6b9c8d-x2x4z",
            WorkloadRef("ReplicaSet", "web-574f6b9c8d"),
            WorkloadRef("Deployment", "web"),
        ),
        ("export-29327480-x2x4z", WorkloadRef("Job", "export-29327480"), WorkloadRef("CronJob", "export")),
        ("restore-x2x4z", WorkloadRef("Job", "restore"), WorkloadRef("Job", "restore")),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_recorded_owner_that_is_gone_stands_for_what_made_it(name, recorded, workload, named):
    """GKE's records name a pod's ReplicaSet or Job: after a roll-out or a finished Job the state holds neither."""
    peer = Peer(namespace="shop", pod=name if named else None, workload=recorded)

    assert one(state(pod("other", "10.1.0.5")), peer, OUT).src.workload == workload


def test_world_and_names():
    answers = [DnsAnswer("api.example.com.", "198.51.100.7", None, None, 30)]
    found = one(
        state(pod("web", "10.1.0.5")),
        Peer(ip="10.1.0.5"),
        Peer(ip="198.51.100.7", entity="world"),
        answers=answers,
        dns_names=("www.example.com",),
    )
    assert (found.dst.kind, found.dst.entity) == (EndpointKind.EXTERNAL, "world")
    assert found.dst.dns_names == ("api.example.com", "www.example.com")


def test_world_at_a_pods_address_is_noted():
    """The record is kept; the contradiction is said."""
    found = one(
        state(pod("web", "10.1.0.5")), Peer(ip="10.1.0.5", identity=2), OUT, buckets=[(at("11:00:00"), S, 1)]
    )
    assert (found.src.kind, found.src.candidates) == (EndpointKind.EXTERNAL, ("shop/web",))


def test_host_is_the_recording_node_and_unknown_is_looked_up():
    snapshot = state(NODE, pod("web", "10.1.0.5"))
    assert one(snapshot, Peer(entity="host"), OUT, node="prod/node-a").src.node.name == "node-a"
    assert one(snapshot, Peer(ip="10.1.0.5", entity="unknown"), OUT).src.name == "web"


@pytest.mark.parametrize(
    ("objects", "name", "kind"),
    [
        ([], "node-a", EndpointKind.NODE),
        ([], "node-b", EndpointKind.ENTITY),
        (["node-a"], "node-a", EndpointKind.ENTITY),
    ],
    ids=["a-node", "nobody-known", "a-set-of-the-nodes-name"],
)
def test_what_whisker_calls_as_a_node_is_that_node(objects, name, kind):
    """A host endpoint has the node's name there, and no type; a network set may be called so, too."""
    sets = [
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "GlobalNetworkSet",
            "metadata": {"name": each},
            "spec": {"nets": ["203.0.113.0/24"]},
        }
        for each in objects
    ]
    end = one(state(NODE, *sets), Peer(entity=name), OUT).src

    assert (end.kind, end.name or end.entity) == (kind, name)


@pytest.mark.parametrize("word", ["public-network", "private-network"])
def test_an_address_says_more_than_the_network_it_is_of(word):
    """Calico's `pub` and `pvt` stand beside an address where it does not aggregate; the address is what policies ask."""
    snapshot = state(NODE, pod("web", "10.1.0.5"))
    outside = one(snapshot, Peer(ip="198.51.100.7", entity=word), OUT).src
    assert (outside.kind, outside.ip, outside.entity) == (EndpointKind.EXTERNAL, "198.51.100.7", word)
    address = NODE["status"]["addresses"][0]["address"]
    assert one(snapshot, Peer(ip=address, entity=word), OUT).src.kind is EndpointKind.NODE
    assert one(snapshot, Peer(entity=word), OUT).src.kind is EndpointKind.ENTITY


def test_numeric_identities_are_explained_by_the_state():
    identity = {
        "apiVersion": "cilium.io/v2", "kind": "CiliumIdentity", "metadata": {"name": "4711"},
        "security-labels": {"k8s:app": "web", "k8s:io.kubernetes.pod.namespace": "shop", "k8s:io.cilium.k8s.policy.cluster": "default"},
    }  # fmt: skip
    found = one(state(identity, pod("web", "10.1.0.5")), Peer(identity=4711), OUT).src
    assert (found.kind, found.known_by, found.workload) == (
        EndpointKind.WORKLOAD,
        KnownBy.IDENTITY,
        WorkloadRef("Pod", "web"),
    )


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        (["k8s:app=web", "k8s:io.kubernetes.pod.namespace=shop"], ("shop", {"app": "web"})),
        (["app=web", "io.kubernetes.pod.namespace=shop"], ("shop", {"app": "web"})),
        (["k8s:app=web", "vm:app=other", "k8s:io.kubernetes.pod.namespace=shop"], ("shop", {"app": "web"})),
        (["k8s:app=a=b", "k8s:io.kubernetes.pod.namespace=shop"], ("shop", {"app": "a=b"})),
        (["k8s:app=web", "k8s:io.cilium.k8s.policy.cluster=east", "k8s:io.kubernetes.pod.uid=7", "k8s:io.kubernetes.pod.namespace=shop"], ("shop", {"app": "web"})),
        (["k8s:app=web"], None),
    ],
)  # fmt: skip
def test_what_labels_an_endpoint_gives_its_identity(labels, place):
    """Cilium's own words among them are no pod's labels; without a namespace they say nothing of a pod."""
    endpoint = {**ENDPOINT, "status": {"identity": {"id": 4712, "labels": labels}}}
    identities = Identities(state(endpoint))

    assert identities.place(identities.labels(4712)) == place
    assert identities.labels(4713) is None
    assert identities.labels(None) is None


def test_an_identity_of_its_own_object_comes_before_what_endpoints_have():
    """An endpoint may have its labels from before a change of the identities."""
    endpoint = {**ENDPOINT, "status": {"identity": {"id": 4711, "labels": ["k8s:app=old"]}}}
    nobody = {
        **ENDPOINT,
        "metadata": {"name": "web-9", "namespace": "shop"},
        "status": {"identity": {"labels": ["k8s:app=x"]}},
    }
    empty = {
        **ENDPOINT,
        "metadata": {"name": "web-10", "namespace": "shop"},
        "status": {"identity": {"id": 4714}},
    }
    identity = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": {"name": "4711"},
        "security-labels": {"k8s:tier": "b", "k8s:app": "web"},
    }
    nameless = {**identity, "metadata": {"name": "none"}}
    bare = {**identity, "metadata": {"name": "4715"}, "security-labels": {}}
    identities = Identities(state(identity, endpoint, nobody, empty, nameless, bare))

    assert identities.labels(4711) == (("k8s:app", "web"), ("k8s:tier", "b"))
    assert [identities.labels(number) for number in (4714, 4715)] == [None, None]


@pytest.mark.parametrize(
    ("called", "arrived"), [("10.96.0.10", "10.1.0.5"), ("2001:db8:96::10", "2001:db8:1::5")]
)
def test_a_service_leads_to_an_address_of_the_family_in_which_it_is_called(called, arrived):
    """Ranges of one family say nothing of the other; a pod without that family is not behind it."""
    service = {**SERVICE, "spec": {**SERVICE["spec"], "clusterIPs": ["10.96.0.10", "2001:db8:96::10"]}}
    both = pod("web", "10.1.0.5")
    both["status"]["podIPs"] = [{"ip": "10.1.0.5"}, {"ip": "2001:db8:1::5"}]
    six = pod("web-6", "2001:db8:1::6", labels={"app": "web"})
    other = [six] if "." in called else [pod("web-4", "10.1.0.6", labels={"app": "web"})]
    found = one(state(service, both, *other), OUT, Peer(ip=called))

    assert (found.dst.name, found.dst.ip, found.distinct.port) == ("web", arrived, 8080)


def test_service_with_one_pod_behind_it_gives_the_pod_via_the_service():
    found = one(state(SERVICE, pod("web", "10.1.0.5")), OUT, Peer(ip="10.96.0.10"))
    assert (found.dst.name, found.dst.kind, found.via.name) == ("web", EndpointKind.POD, "web")
    several = one(
        state(
            SERVICE, pod("a", "10.1.0.5", labels={"app": "web"}), pod("b", "10.1.0.6", labels={"app": "web"})
        ),
        OUT,
        Peer(ip="10.96.0.10"),
    )
    assert (several.dst.kind, several.via) == (EndpointKind.SERVICE, None)


@pytest.mark.parametrize(
    ("parser", "target", "port"),
    [("netfilter", 8080, 8080), ("netfilter", "http", 8080), ("aws-network-policy-agent", 8080, 80)],
)
def test_a_services_port_is_the_pods_behind_it(parser, target, port):
    """Policy sees the pod's port, where it is not held against the Service's address before translation."""
    ports = [{"port": 80, "targetPort": target}]
    service = {**SERVICE, "spec": {**SERVICE["spec"], "ports": ports}}
    found = one(state(service, pod("web", "10.1.0.5")), OUT, Peer(ip="10.96.0.10"), port=80, parser=parser)

    assert (found.dst.name, found.distinct.port) == ("web", port)


def owned_by(name):
    """Metadata of a StatefulSet's pod."""
    return {"ownerReferences": [{"kind": "StatefulSet", "name": name, "controller": True}]}


@pytest.mark.parametrize(
    ("target", "workloads", "kind"),
    [
        (80, ("web", "web"), EndpointKind.WORKLOAD),
        (8080, ("web", "web"), EndpointKind.WORKLOAD),
        ("metrics", ("web", "web"), EndpointKind.SERVICE),
        (80, ("web", "canary"), EndpointKind.SERVICE),
    ],
    ids=["one workload", "another port on the pods", "a port that no pod declares", "two workloads"],
)
def test_service_of_one_workload_gives_the_workload_via_the_service(target, workloads, kind):
    """Which of its pods answered is not known, and what their address is neither; what policies ask of it is."""
    service = json.loads(json.dumps(SERVICE))
    service["spec"]["ports"] = [{"name": "http", "port": 80, "targetPort": target, "protocol": "TCP"}]
    pods = [
        pod(f"{name}-{number}", f"10.1.0.{number + 5}", labels={"app": "web"}, meta=owned_by(name))
        for number, name in enumerate(workloads)
    ]
    found = one(state(service, *pods), OUT, Peer(ip="10.96.0.10"), port=80)

    assert found.dst.kind is kind
    if kind is EndpointKind.WORKLOAD:
        assert (found.dst.workload, found.dst.ip) == (WorkloadRef("StatefulSet", "web"), None)
        assert (found.via.name, found.distinct.port) == ("web", target)


def test_direction_from_the_one_local_pod():
    snapshot = state(pod("web", "10.1.0.5"), pod("api", "10.1.1.5", node="node-b"))
    ends = Peer(ip="10.1.0.5"), Peer(ip="10.1.1.5")
    assert one(snapshot, *ends, node="node-a").direction is Direction.EGRESS
    assert one(snapshot, *ends, node="node-b").direction is Direction.INGRESS
    assert one(snapshot, *ends).direction is None
    assert one(snapshot, *ends, node="node-a", direction=Direction.INGRESS).direction is Direction.INGRESS


# --- ends of questions ----------------------------------------------------------------------------


def workload(kind, name):
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": template},
    }


ASKED = (
    NODE,
    SERVICE,
    pod("web", "10.1.0.5"),
    workload("Deployment", "web"),
    workload("StatefulSet", "db"),
    pod("proxy", "192.0.2.1", hostNetwork=True),
)


def ends(text, *objects):
    snapshot = state(*(objects or ASKED))
    return resolve_end(text, snapshot, Leases(snapshot))


@pytest.mark.parametrize("kind", ["", "[ReplicaSet]"])
def test_a_replica_set_that_only_its_pods_name_stands_for_them(kind):
    """Dumps as the README asks for them hold pods and no ReplicaSets; the pods of another revision are others'."""

    def made_by(name, ip, replica_set):
        owners = [{"kind": "ReplicaSet", "name": replica_set, "controller": True}]
        return pod(name, ip, meta={"ownerReferences": owners})

    old, new = "web-574f6b9c8d", "web-6c5f7d9b8c"
    objects = [made_by(f"{old}-bbbbb", "10.1.0.5", old), made_by(f"{new}-ccccc", "10.1.0.6", new)]

    assert [end.name for end in ends(f"shop/{old}{kind}", *objects)] == [f"{old}-bbbbb"]
    assert [end.name for end in ends(f"shop/{new}{kind}", *objects)] == [f"{new}-ccccc"]
    with pytest.raises(InputError, match="in the state"):
        ends(f"shop/web-999999999d{kind}", *objects)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("shop/web", EndpointKind.POD, "Pod"),
        ("shop/web[Deployment]", EndpointKind.POD, "Deployment"),
        ("shop/web[Service]", EndpointKind.POD, "Pod"),
        ("svc:shop/web", EndpointKind.POD, "Pod"),
        ("shop/db", EndpointKind.POD, "StatefulSet"),
        ("10.1.0.5", EndpointKind.POD, "Pod"),
    ],
)
def test_names_are_tried_in_the_stated_order(text, kind, name):
    found = ends(text)[0]  # a Service stands for the template's pod as well
    assert (found.kind, found.pod.kind) == (kind, name)


def test_an_address_of_a_finished_pod_only_is_outside():
    (found,) = ends("10.1.0.5", pod("job", "10.1.0.5", phase="Succeeded"))
    assert (found.kind, found.note) == (EndpointKind.EXTERNAL, "shop/job had the address and is Succeeded")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("node:node-a", EndpointKind.NODE),
        ("192.0.2.1", EndpointKind.NODE),
        ("198.51.100.0/24", EndpointKind.EXTERNAL),
        ("198.51.100.9", EndpointKind.EXTERNAL),
        ("10.1.0.200", EndpointKind.EXTERNAL),
        ("2001:db8::/64", EndpointKind.EXTERNAL),
        ("entity:world", EndpointKind.ENTITY),
    ],
)
def test_other_ends(text, kind):
    (found,) = ends(text)
    assert found.kind is kind


@pytest.mark.parametrize(
    "text", ["web.shop", "web.shop.svc", "web.shop.svc.cluster.local", "web.shop.svc.cluster.local."]
)
def test_a_service_goes_by_its_name_in_dns(text):
    """As the application's error has it; a name outside that looks alike is no Service's."""
    assert ends(text) == ends("svc:shop/web")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("shop/wbe", "shop/web"),
        ("node:node-b", "node-a"),
        ("svc:shop/wev", "shop/web"),
        ("entity:wrld", "world"),
        ("nonsense", "namespace/name"),
        ("shop/web[Deploymint]", "Deployment"),
        # What people paste: a Service's name in DNS, kubectl's names, a name outside.
        ("web.shop:8080", "write svc:shop/web, and 8080 as the port"),
        ("wev.shop.svc.cluster.local", "write svc:shop/wev"),
        ("shop/deploy/web", "write shop/web, or shop/web[Deployment]"),
        ("deploy/web", "write shop/web"),
        ("example.net", "policies know addresses and not names"),
        ("10.0.0.300", "an address, a CIDR"),
        ("shp/wbe", "nothing of namespace shp is in the state"),
    ],
)
def test_unknown_ends_name_the_closest(text, hint):
    with pytest.raises(InputError) as caught:
        ends(text)
    assert hint in caught.value.hint


def test_an_address_of_two_pods_is_refused():
    with pytest.raises(InputError, match="claimed by several pods"):
        ends("10.1.0.5", pod("a", "10.1.0.5"), pod("b", "10.1.0.5"))


def test_workload_stands_for_its_live_pods():
    reference = {"meta": {"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}}
    objects = (
        workload("StatefulSet", "db"),
        pod("db-0", "10.1.0.1", **reference),
        pod("db-1", "10.1.0.2", phase="Failed", meta=dict(reference["meta"])),
    )
    assert [found.name for found in ends("shop/db", *objects)] == ["db-0"]


def test_service_ports_are_translated_per_pod():
    snapshot = state(*ASKED)
    index = SnapshotIndex(snapshot)
    service = index.services[("shop", "web")]
    assert [
        (target.name, port)
        for target, port in service_targets(service, 80, "TCP", index, Leases(snapshot))
        if not target.pod.template
    ] == [("web", 8080)]
    with pytest.raises(InputError) as caught:
        service_targets(service, 8080, "TCP", index, Leases(snapshot))
    assert caught.value.hint == "its ports: 80/TCP"


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-574f6b9c8d-*", "web"),
        ("node-exporter-*", "node-exporter"),
        ("pg-wrkr24-agent-*", "pg-wrkr24-agent"),
        ("web-5c6d7e-*", "web-5c6d7e"),
    ],
)
def test_a_shortened_name_loses_a_hash_at_its_end_alone(pod, workload):
    """What looks like a ReplicaSet's hash within a name is part of the name."""
    owner = name_owner("shop", pod, {}, {})

    assert owner is not None
    assert owner.name == workload


def balanced(name, *addresses, port=443, **more):
    """A Service of type LoadBalancer with these addresses outside."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "clusterIP": f"10.96.0.{20 + port % 100}",
            "type": "LoadBalancer",
            "selector": {"app": name},
            "ports": [{"port": port, "targetPort": 8443, **more}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }


@pytest.mark.parametrize(
    ("port", "kind", "name"),
    [
        (6443, EndpointKind.NODE, "node-a"),
        (None, EndpointKind.NODE, "node-a"),
        (443, EndpointKind.SERVICE, "web"),
        (30443, EndpointKind.SERVICE, "web"),
    ],
)
def test_a_nodes_address_is_a_services_by_its_port_alone(port, kind, name):
    """k3s gives Services of type LoadBalancer the addresses of its nodes, which go on being the nodes'."""
    snapshot = state(NODE, pod("web", "10.1.0.5"), balanced("web", "192.0.2.1", nodePort=30443))
    found = owner(snapshot, "192.0.2.1", "11:00:00", port=port, protocol="TCP")
    assert (found.kind, found.name) == (kind, name)


def test_services_that_share_an_address_are_told_by_their_ports():
    """As MetalLB and kube-vip let them; a port of neither leaves the first."""
    snapshot = state(balanced("web", "203.0.113.7"), balanced("mail", "203.0.113.7", port=25))
    named = [
        owner(snapshot, "203.0.113.7", "11:00:00", port=port, protocol="TCP").name for port in (443, 25, 22)
    ]
    assert named == ["web", "mail", "web"]


@pytest.mark.parametrize(
    ("address", "port", "kind"),
    [
        ("203.0.113.7", 443, EndpointKind.EXTERNAL),
        ("192.0.2.1", 30443, EndpointKind.NODE),
        ("10.96.0.63", 443, EndpointKind.POD),
    ],
)
def test_an_enforcer_of_egress_met_the_address_that_it_recorded(address, port, kind):
    """A load balancer's address, or a node's port, was not translated there; a cluster address is taken for its pod.

    At the other end, and where no side is recorded, what is behind it is meant.
    """
    snapshot = state(
        NODE,
        pod("web", "10.1.0.5"),
        pod("job", "10.1.0.6"),
        balanced("web", "203.0.113.7", nodePort=30443),
    )
    ends = Peer(ip="10.1.0.6"), Peer(ip=address)
    behind = EndpointKind.SERVICE if port == 30443 else EndpointKind.POD
    for direction, expected in ((Direction.EGRESS, kind), (Direction.INGRESS, behind), (None, behind)):
        distinct = flow(*ends, port=port, direction=direction, first=at("11:00:00"), last=at("11:00:00"))
        (found,) = Resolver(snapshot).resolve(distinct)
        assert found.dst.kind is expected
        assert found.distinct.port == (8443 if expected is EndpointKind.POD else port)
