"""Pods in networks that nothing joins: which ends are known to be in one, and which are not."""

import json

import pytest
from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import WorkloadRef
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies, connections
from flowdiag.policy.matrix import Matrix
from tests.policy.scenes import pod, pod_end, snapshot

API = WorkloadRef("Deployment", "api")
OPENED = {"k8s.ovn.org/open-default-ports": "- protocol: tcp\n  port: 80\n"}


def own(space, name, network, ip, **notes):
    """A pod of a namespace with a primary network, with an address there and one in the cluster's."""
    networks = {"default": {"role": "infrastructure-locked"}, f"{space}/{network}": {"role": "primary"}}
    made = pod(space, name, {"app": "api"}, ip=ip, workload=API)
    notes |= {"k8s.ovn.org/pod-networks": json.dumps(networks)}
    return replace(made, annotations=notes, own_ips=(ip,), ips=(ip, f"10.131.0.{ip.rpartition('.')[2]}"))


BLUE = own("blue", "api-1", "net-a", "10.0.0.4")
RED = own("red", "api-1", "net-b", "10.0.0.5")
OLD = pod("blue", "api-0", {"app": "api"}, ip="10.131.0.9", workload=API)
PLAIN = pod("plain", "p", {"app": "p"}, ip="10.131.0.10")


def allowed(src, dst, *pods):
    """Whether one of these ends reaches another, by policies of which there are none."""
    policies = compile_policies(snapshot([BLUE, RED, PLAIN, *pods]), dialect=Dialect.OVN)
    ends = [each if isinstance(each, Endpoint) else pod_end(each) for each in (src, dst)]
    return policies.evaluate(*ends, "TCP", 80).allowed


def test_pods_of_one_namespace_are_not_apart():
    """One that was there before the network is not known to be anywhere else than its neighbours."""
    assert allowed(OLD, BLUE, OLD) is True
    assert allowed(PLAIN, OLD, OLD) is True
    assert allowed(PLAIN, BLUE, OLD) is None


def test_namespaces_that_share_a_network_are_not_apart():
    """Whatever ports one of their pods opens in the cluster's network."""
    other = own("green", "api-1", "net-a", "10.0.0.7", **OPENED)

    assert allowed(BLUE, other, other) is True
    assert allowed(other, BLUE, other) is True
    assert allowed(RED, other, other) is None


@pytest.mark.parametrize("more", [{"template": True}, {"ips": ()}])
def test_a_pod_without_addresses_may_be_in_any(more):
    """Its network is known once it has an address there."""
    new = replace(PLAIN, name="new", **more)

    assert allowed(new, BLUE, new) is True
    assert allowed(BLUE, new, new) is True


def test_a_pod_that_the_state_does_not_hold_may_be_in_any():
    """As one that is gone."""
    gone = Endpoint(kind=EndpointKind.POD, namespace="plain", name="gone", ip="10.131.0.77")

    assert allowed(gone, BLUE) is True
    assert allowed(PLAIN, BLUE) is None


def test_some_pod_of_a_workload_is_in_the_network_that_all_are_in():
    """Where they differ it is not known in which."""
    some = Endpoint(kind=EndpointKind.WORKLOAD, namespace="blue", name="api", workload=API)

    assert allowed(PLAIN, some) is None
    assert allowed(PLAIN, some, OLD) is True


def test_pods_that_differ_in_their_network_alone_are_asked_for_apart():
    """No policy tells them from each other, and only one of them is reached."""
    policies = compile_policies(snapshot([BLUE, OLD, PLAIN]), dialect=Dialect.OVN)
    found = [connections(policies, pod_end(PLAIN), pod_end(each)) for each in (BLUE, OLD)]

    assert [bool(each) for each in found] == [False, True]
    matrix = Matrix(policies.snapshot, policies)
    assert len(matrix.workloads["blue/api"]) == 2
    assert matrix.between("plain/p", "blue/api")
