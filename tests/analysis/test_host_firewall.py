"""Refusals at a node's own end tell that Cilium's host firewall is on, where no settings of the agent were read."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, DB, OBJECTS, WEB, listed, record, world, write

from flowdiag.analysis import StateOptions, analyze, explain

HOST = {"ip": "192.168.7.1", "end": {"identity": 1, "labels": ["reserved:host"]}}
OTHER = {"ip": "192.168.7.2", "end": {"identity": 6, "labels": ["reserved:remote-node"]}}
ASK = {"fromEntities": ["remote-node"]}


def node(name, ip):
    """A Node object."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "creationTimestamp": CREATED},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }


NODES = (node("node-a", HOST["ip"]), node("node-b", OTHER["ip"]))


def host_policy(**spec):
    """A policy of all nodes."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "nodes", "creationTimestamp": CREATED, "generation": 1},
        "spec": {"nodeSelector": {}, **spec},
    }


def settings(value):
    """The agent's ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cilium-config", "namespace": "kube-system"},
        "data": {"enable-host-firewall": value, "enable-policy": "default"},
    }


def at_the_host(src=WEB, **more):
    """Records of refusals on the way into the node."""
    return "".join(record(second, src, HOST, 10250, way="INGRESS", **more) for second in range(4))


def reported(folder, *objects, records):
    """The report of these objects beside the small cluster's pods and nodes, and of these records."""
    return analyze([write(folder, state_json=listed(*OBJECTS[:-1], *NODES, *objects), flows_jsonl=records)])


@pytest.mark.parametrize(
    ("src", "more"),
    [(WEB, {}), (world(), {}), (WEB, {"verdict": "AUDIT", "event_type": {"type": 5}, "drop_reason": 133})],
)
def test_a_refusal_at_the_host_shows_that_its_policies_are_enforced(tmp_path, src, more):
    """Nothing but the host firewall asks policies there; audit mode asks them, too."""
    report = reported(tmp_path, host_policy(ingress=[ASK]), records=at_the_host(src, **more))
    (problem,) = report.problems

    assert [(one.kind, one.name) for one in problem.isolating] == [
        ("CiliumClusterwideNetworkPolicy", "nodes")
    ]
    if not more:
        assert (problem.code, problem.confidence) == ("FD507", "derived")


@pytest.mark.parametrize(
    "records",
    [
        "".join(record(second, WEB, HOST, 10250) for second in range(4)),
        "".join(record(second, HOST, DB, way="INGRESS") for second in range(4)),
        "".join(record(second, WEB, HOST, 10250, way="INGRESS", verdict="FORWARDED") for second in range(4)),
        at_the_host(drop_reason=150, drop_reason_desc="UNKNOWN_L3_TARGET_ADDRESS"),
    ],
    ids=["the pod's egress", "another pod's ingress", "what passed", "no policy's refusal"],
)
def test_other_records_show_nothing_of_it(tmp_path, records):
    """A pod's policies refuse calls to and from a node, too, and a packet that passes is asked about by nobody."""
    folder = write(
        tmp_path,
        state_json=listed(*OBJECTS[:-1], *NODES, host_policy(ingress=[ASK])),
        flows_jsonl=records,
    )
    result = explain("shop/web", "node:node-a", 10250, "TCP", paths=[folder], state=StateOptions())[0]

    assert result.allowed is None


def test_what_the_agents_settings_say_stands(tmp_path):
    """Then it was switched off since, or on another node: the policy is not said to isolate."""
    report = reported(tmp_path, host_policy(ingress=[ASK]), settings("false"), records=at_the_host())
    (problem,) = report.problems

    assert problem.isolating == ()


def test_explain_knows_it_of_the_evidence(tmp_path):
    """The question is decided by what the records show."""
    folder = write(
        tmp_path,
        state_json=listed(*OBJECTS[:-1], *NODES, host_policy(ingress=[ASK])),
        flows_jsonl=at_the_host(),
    )
    result = explain("shop/web", "node:node-a", 10250, "TCP", paths=[folder], state=StateOptions())[0]

    assert result.allowed is False


def test_a_nodes_range_in_a_nodes_policy_is_named(tmp_path):
    """cilium#19121: ranges mean no nodes, in policies of nodes, too; what was found says why it misses."""
    allow = {"toCIDR": [f"{OTHER['ip']}/32"]}
    records = "".join(record(second, HOST, OTHER, 2380) for second in range(4))
    (problem,) = reported(tmp_path, host_policy(egress=[allow]), records=records).problems

    assert problem.code == "FD207"
    assert [miss.found for miss in problem.nearest[0].misses] == ["192.168.7.2, which is a node's"]
