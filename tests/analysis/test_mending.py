"""Proposals in a report: made for problems, and never to open a door for a stranger who knocks everywhere."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, end, listed, pod, policy, record, world, write

from flowdiag.analysis import analyze
from flowdiag.report.names import end_text
from flowdiag.report.phrases import proof_text

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "ingress-other-namespace"


@pytest.fixture(scope="module")
def problems():
    return {(p.code, p.destination.name): p for p in analyze([str(INCIDENT)]).problems}


@pytest.mark.parametrize(("code", "destination"), [("FD301", "pay-api"), ("FD202", "ledger")])
def test_a_broken_rule_is_mended(problems, code, destination):
    """The leading connection's change, proved, as whole objects and as a patch."""
    change = problems[code, destination].counterfactual

    assert change.proved
    assert change.allows_denied
    assert change.manifests[0].startswith("apiVersion: networking.k8s.io/v1")
    assert change.patch.startswith("--- a/payments/")


def test_a_policy_that_is_added_for_one_of_two_callers_lets_both_in():
    """They are of two namespaces, each with an entry of its own; neither is named as what else it opens."""
    (logs,) = (p for p in analyze([str(INCIDENT.parent / "calico-log-lines")]).problems if p.code == "FD103")

    assert len(logs.connections) == 2
    change = logs.counterfactual
    assert (change.proved, change.allows_denied, change.also_allows) == (True, True, ())
    assert [text.count("namespaceSelector") for text in change.manifests] == [2]


def test_a_policy_for_some_pods_of_a_workload_is_mended_for_those(tmp_path):
    """One for all of it would isolate the others, whom nothing isolates now."""
    canary = pod("shop", "web-5d9c7b6f4-q7k2p", "10.0.0.6", "web")
    canary["metadata"]["labels"]["track"] = "canary"
    lock = policy(
        "shop", "lock", {"podSelector": {"matchLabels": {"track": "canary"}}, "policyTypes": ["Egress"]}
    )
    caller = end("shop", canary["metadata"]["name"], "10.0.0.6", "web", 1009)
    caller["end"]["labels"].append("k8s:track=canary")
    records = "".join(record(second, caller) for second in range(1, 20, 2))
    (problem,) = analyze(
        [write(tmp_path, state_json=listed(*OBJECTS[:-1], canary, lock), flows_jsonl=records)]
    ).problems
    (manifest,) = [yaml.safe_load(text) for text in problem.counterfactual.manifests]

    assert manifest["spec"]["podSelector"] == {"matchLabels": {"app": "web", "track": "canary"}}
    assert problem.counterfactual.proved


def test_each_kind_of_a_workloads_pods_is_mended(tmp_path):
    """The rule for the stable ones is mended; the canary, which was refused before them, has none and gets one."""
    stable, canary = "web-5d9c7b6f4-x2v4z", "web-7f6b5c4d6-q7k2p"
    pods = [pod("shop", stable, "10.0.0.5", "web"), pod("shop", canary, "10.0.0.6", "web")]
    for each, track in zip(pods, ("stable", "canary"), strict=True):
        each["metadata"]["labels"]["track"] = track
    selector = {"matchLabels": {"track": "stable"}}
    to = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}
    rules = [{"to": [to], "ports": [{"port": 80}]}]
    opened = policy("shop", "stable", {"podSelector": selector, "policyTypes": ["Egress"], "egress": rules})
    callers = [end("shop", canary, "10.0.0.6", "web", 1009), end("shop", stable, "10.0.0.5", "web")]
    for each, track in zip(callers, ("canary", "stable"), strict=True):
        each["end"]["labels"].append(f"k8s:track={track}")
    records = "".join(record(3 * place + 9 * turn, callers[turn]) for turn in (0, 1) for place in range(3))
    others = [each for each in OBJECTS if each["metadata"]["name"] != stable]
    (problem,) = analyze(
        [write(tmp_path, state_json=listed(*others, *pods, opened), flows_jsonl=records)]
    ).problems

    assert len(problem.connections) == 1
    change = problem.counterfactual
    assert "8080" in change.summary
    assert (change.proved, change.allows_denied) == (True, True)
    assert [yaml.safe_load(text)["metadata"]["name"] for text in change.manifests] == [
        "stable",
        "allow-web-to-db",
    ]


def test_a_policy_of_all_namespaces_is_not_widened_for_one_call(tmp_path):
    """No rule of it is mistaken: the caller's namespace gets a policy of its own."""
    closed = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "default-deny", "creationTimestamp": "2026-02-01T12:00:00Z", "generation": 1},
        "spec": {"endpointSelector": {}, "egress": [{"toEntities": ["kube-apiserver"]}]},
    }
    (problem,) = analyze(
        [
            write(
                tmp_path,
                state_json=listed(*OBJECTS[:-1], closed),
                flows_jsonl="".join(map(record, range(1, 20, 2))),
            )
        ]
    ).problems

    assert problem.code == "FD101"
    assert problem.counterfactual.summary.startswith("Add CiliumNetworkPolicy shop/allow-web-to-db")
    assert problem.counterfactual.proved


def _named(*addresses):
    """Refused calls of one name that resolves to these addresses, in turn."""
    return "".join(
        record(1 + place + 20 * turn, dst=world(address), port=443, destination_names=["api.example.com"])
        for turn in range(2)
        for place, address in enumerate(addresses)
    )


def test_a_name_with_several_addresses_is_let_through_to_all_of_them(tmp_path):
    """Its addresses are one connection, and a change is proved for each."""
    addresses = ["203.0.113.9", *(f"198.51.100.{place}" for place in range(7, 20))]
    (problem,) = analyze(
        [write(tmp_path, state_json=listed(*OBJECTS), flows_jsonl=_named(*addresses))]
    ).problems
    change = problem.counterfactual

    assert (problem.destination.name, problem.title.split(" reach ")[1]) == (
        "api.example.com",
        "api.example.com on 443/TCP",
    )
    assert change.summary.startswith("Add NetworkPolicy shop/allow-web-to-api-example-com ")
    assert change.summary.endswith(" and 13 other addresses of that name.")
    assert "Its addresses may change" in problem.advice

    assert len(problem.connections) == 1
    assert (change.proved, change.allows_denied) == (True, True)
    assert [address for address in addresses if f"cidr: {address}/32" not in change.manifests[0]] == []


def test_a_change_for_some_addresses_of_a_name_says_so(tmp_path):
    """Of more addresses than a rule lists the change for one is neither proved nor said to mend the whole."""
    addresses = [f"198.51.{place}.7" for place in range(70)]
    (problem,) = analyze(
        [write(tmp_path, state_json=listed(*OBJECTS), flows_jsonl=_named(*addresses))]
    ).problems

    assert (problem.counterfactual.proved, problem.counterfactual.allows_denied) == (False, False)
    assert proof_text(problem, problem.counterfactual) == "mends a part only"
    assert end_text(problem.destination) == "api.example.com (198.51.0.7 and others)"


def test_a_name_is_let_through_whole_where_another_connection_of_the_problem_is_not(tmp_path):
    """No change is known for Cilium's health endpoint; the name's second address is mended all the same."""
    health = {"ip": "192.168.7.2", "end": {"identity": 4, "labels": ["reserved:health"]}}
    records = _named("198.51.100.7", "198.51.100.8") + record(9, dst=health, port=4240)
    (problem,) = analyze([write(tmp_path, state_json=listed(*OBJECTS), flows_jsonl=records)]).problems

    assert len(problem.connections) == 2
    assert not problem.counterfactual.proved
    assert proof_text(problem, problem.counterfactual) == "mends 1 of 2 connections"
    assert problem.counterfactual.summary.endswith(
        " It leaves shop/web to health (192.168.7.2) on 4240/TCP refused."
    )
    (manifest,) = problem.counterfactual.manifests
    assert ("198.51.100.7/32" in manifest, "198.51.100.8/32" in manifest) == (True, True)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (
            "".join(record(port, port=1000 + port) for port in range(40)),
            "let shop/web have an egress rule to data/db on the ports that are meant;",
        ),
        (
            "".join(record(each, dst=world(f"198.51.100.{each}"), port=443) for each in range(1, 9)),
            "an egress rule to the addresses that are meant of 198.51.100.0/24 on 443/TCP;",
        ),
    ],
)
def test_advice_for_many_ports_or_addresses_names_no_single_one(tmp_path, records, told):
    """One of them speaks for none of the others."""
    (problem,) = analyze([write(tmp_path, state_json=listed(*OBJECTS), flows_jsonl=records)]).problems

    assert problem.counterfactual is None
    assert told in problem.advice


def test_a_scan_is_not_let_in(problems):
    """Many ports or addresses as one connection: opening one of them would mend nothing."""
    scanned = problems["FD101", "gateway"]

    assert scanned.connections[0].port is None
    assert scanned.counterfactual is None
    assert "there is nothing to open" in scanned.advice


def test_what_an_api_servers_node_sends_is_mended_by_each_identity(tmp_path):
    """Cilium has the node's address as kube-apiserver and its router's as remote-node: a rule for one does not mean the other."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node-c"},
        "spec": {"podCIDRs": ["10.0.9.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.168.7.3"}]},
    }
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "hook"},
        "webhooks": [
            {"name": "hook.example", "clientConfig": {"service": {"namespace": "data", "name": "db"}}}
        ],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "data", "name": "db"},
        "spec": {
            "clusterIP": "10.96.0.7",
            "selector": {"app": "db"},
            "ports": [{"port": 443, "targetPort": 8080}],
        },
    }
    closed = policy("data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]})
    server = {"ip": "192.168.7.3", "end": {"identity": 7}}
    router = {"ip": "10.0.9.1", "end": {"identity": 6}}
    records = record(1, router, way="INGRESS") + record(3, server, way="INGRESS")
    state = listed(*OBJECTS[:-1], node, hook, service, closed)
    (problem,) = analyze([write(tmp_path, state_json=state, flows_jsonl=records)]).problems
    change = problem.counterfactual
    rules = [one for text in change.manifests for one in yaml.safe_load(text)["spec"]["ingress"]]

    assert problem.code == "FD307"
    assert (len(problem.connections), change.proved) == (1, True)
    assert {"kube-apiserver", "remote-node"} <= {word for one in rules for word in one["fromEntities"]}
