"""Ends by the interface that a packet passed: through address translation, and after the pod is gone."""

import json

import pytest
from msgspec import structs

from flowdiag.cluster import Resolver, build_snapshot
from flowdiag.model.endpoint import EndpointKind, KnownBy
from flowdiag.model.event import Direction, FlowEvent, Peer, Verdict
from flowdiag.parserkit import interface_name
from flowdiag.tally import Tally

NS = 1_000_000_000


def pod(namespace, name, ip, created="2026-05-12T08:00:00Z", **spec):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
        "spec": {"nodeName": "node-a", "containers": [{"name": "main"}], **spec},
        "status": {"phase": "Running", "podIP": ip},
    }


NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-a"},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.11"}]},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "clusterIP": "10.96.0.10",
        "type": "NodePort",
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}],
    },
}


def snapshot(*objects):
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": [NODE, SERVICE, *objects]})
    return build_snapshot([("state.json", document.encode())])[0]


def flow(src, dst, entered, left, at=1_778_580_000, **more):
    """The distinct flow of one packet line."""
    tally = Tally()
    event = FlowEvent(
        line=1,
        at=at * NS,
        src=Peer(ip=src, port=40_000),
        dst=Peer(ip=dst, port=more.pop("port", 8080)),
        protocol="TCP",
        verdict=Verdict.LOGGED,
        interface_in=entered,
        interface_out=left,
        **more,
    )
    tally.add(event, "netfilter", "kern.log")
    (found,) = tally.flows()
    return found


WEB = interface_name("shop", "web-0")


def resolved(distinct, *objects, names=()):
    (found,) = Resolver(snapshot(*objects), pod_names=names).resolve(distinct)
    return found


def test_interface_and_address_agree():
    """The address tells already; the interface changes nothing."""
    found = resolved(flow("10.0.1.9", "10.0.1.5", "eth0", WEB), pod("shop", "web-0", "10.0.1.5"))

    assert (found.dst.name, found.dst.known_by) == ("web-0", KnownBy.ADDRESS)


def test_address_was_given_to_another_pod():
    """The address is another's by now; the interface is a hash of the pod's own name."""
    found = resolved(
        flow("10.0.1.9", "10.0.1.5", "eth0", WEB),
        pod("shop", "web-0", "10.0.1.77"),
        pod("data", "redis-0", "10.0.1.5"),
    )

    assert (found.dst.namespace, found.dst.name, found.dst.known_by) == ("shop", "web-0", KnownBy.INTERFACE)
    assert found.dst.ip == "10.0.1.5"


def test_source_behind_translation():
    """What the source's address was turned into does not matter where its interface is in the line."""
    found = resolved(flow("192.0.2.11", "198.51.100.7", WEB, "eth0"), pod("shop", "web-0", "10.0.1.5"))

    assert (found.src.kind, found.src.name, found.src.known_by) == (
        EndpointKind.POD,
        "web-0",
        KnownBy.INTERFACE,
    )


def test_pod_is_gone_and_a_log_remembers_its_name():
    """A name from a component's log is enough for its interface, and gives the workload."""
    name = "web-5d4f7c9b8d-x2x4z"
    distinct = flow("10.0.1.9", "10.0.1.5", "eth0", interface_name("shop", name))

    assert resolved(distinct).dst.kind is not EndpointKind.POD
    found = resolved(distinct, names=[("shop", name)])
    assert (found.dst.name, found.dst.workload.name, found.dst.note) == (name, "web", "not in the state")


@pytest.mark.parametrize("interface", ["eth0", "cali1234", "cali0123456789a", "vxlan.calico"])
def test_other_interfaces_name_nobody(interface):
    """An interface that is no known pod's leaves the address to tell."""
    found = resolved(flow("10.0.1.9", "10.0.1.5", "eth0", interface), pod("shop", "web-0", "10.0.1.5"))

    assert (found.dst.name, found.dst.known_by) == ("web-0", KnownBy.ADDRESS)


def test_line_at_the_host_is_the_hosts():
    """A packet for a node port, seen before its translation, is policed by the host endpoint's policy."""
    here = resolved(flow("203.0.113.9", "192.0.2.11", "eth0", None, port=30080))
    there = resolved(flow("203.0.113.9", "192.0.2.11", None, None, port=30080))

    assert (here.dst.kind, here.dst.name) == (EndpointKind.NODE, "node-a")
    assert there.dst.kind is EndpointKind.SERVICE


def test_reply_turns_its_interfaces():
    """A reply is turned round with its interfaces: the client's side stays the client's."""
    distinct = flow(
        "10.0.1.5", "10.0.1.9", WEB, "eth0", port=40_000, is_reply=True, direction=Direction.INGRESS
    )

    assert (distinct.interface_in, distinct.interface_out) == ("eth0", WEB)
    assert resolved(distinct, pod("shop", "web-0", "10.0.1.5")).dst.name == "web-0"


def test_records_that_name_pods_keep_one_key():
    """A record with names of its own is not kept apart by interface."""
    distinct = flow("10.0.1.9", "10.0.1.5", "eth0", WEB)
    tally = Tally()
    for interface in ("eth0", "eth1"):
        event = FlowEvent(
            line=1,
            at=NS,
            src=Peer(ip="10.0.1.9", namespace="shop", pod="api-1"),
            dst=Peer(ip="10.0.1.5"),
            verdict=Verdict.LOGGED,
            interface_in=interface,
        )
        tally.add(event, "netfilter", "kern.log")

    assert distinct.interface_out == WEB
    (one,) = tally.flows()
    assert (one.count, one.interface_in) == (2, None)
    assert structs.asdict(one)["interface_out"] is None
