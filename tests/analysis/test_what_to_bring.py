"""A refusal that could not be replayed says which objects to bring: those that were not read, and no others."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DENY, OBJECTS, listed, namespace, pod, policy, refused, write

from flowdiag.analysis import analyze

REFUSED = "WARN: 2026/03/01 12:00:01.100000 TCP connection from 10.0.9.5:40001 to 10.0.9.7:8080 blocked by Weave NPC.\n"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "data"},
    "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80}]},
}


def test_a_namespace_of_which_nothing_was_read_is_asked_for(tmp_path):
    """Objects of other namespaces, or of another cluster: more kinds of them would tell nothing."""
    elsewhere = [namespace("prod"), pod("prod", "x-7f6b5c4d6-k8m2n", "10.0.8.7", "x")]
    lock = policy("prod", "lock", {"podSelector": {}, "policyTypes": ["Egress"]})
    folder = write(tmp_path, state_json=listed(*elsewhere, lock), flows_jsonl=refused())
    (problem,) = analyze([folder]).problems

    assert (problem.code, problem.confidence) == ("FD101", "possible")
    assert problem.advice == (
        "Bring the objects of namespace shop (kubectl get ... -n shop -o yaml): nothing of it was read, and what was "
        "read may be of another cluster."
    )


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([], "Add the cluster's policies, pods, namespaces and Services (kubectl get"),
        ([DENY], "Add the cluster's pods, namespaces and Services (kubectl get"),
        (OBJECTS[:-1], "Add the cluster's policies and Services (kubectl get"),
        ([*OBJECTS, SERVICE], "Bring the objects of that time: those that were read do not tell"),
    ],
    ids=["nothing read", "policies alone", "no policies", "all read, and other pods"],
)
def test_what_was_read_is_not_asked_for_again(tmp_path, objects, told):
    """Of two addresses that nobody has."""
    (problem,) = analyze([write(tmp_path, state_json=listed(*objects), weave_log=REFUSED)]).problems

    assert problem.advice.startswith(told)


def test_kube_routers_counters_name_the_pod_and_no_direction(tmp_path):
    """Its comment says "destined for" whichever way the packets went, and what conntrack does not know no policy refused."""
    (tmp_path / "n1.txt").write_text(
        '[2:80] -A KUBE-POD-FW-7D4QJ3YQ6J6S3GDA -m comment --comment "rule to drop invalid state for pod" -j DROP\n'
        '[13:780] -A KUBE-POD-FW-7D4QJ3YQ6J6S3GDA -m comment --comment "rule to REJECT traffic destined for POD '
        'name:web-1 namespace: shop" -m mark ! --mark 0x10000/0x10000 -j REJECT\n'
        '[0:0] -A KUBE-POD-FW-TYHU6IIERJPDEGRV -m comment --comment "rule to REJECT traffic destined for POD '
        'name:db-0 namespace: data" -m mark ! --mark 0x10000/0x10000 -j REJECT\n'
    )
    report = analyze([str(tmp_path)])
    told = [one.message for one in report.warnings if one.code == "counted-refusals"]

    invalid, refused_ones = told
    assert invalid.startswith("rule to drop invalid state for pod (no policy's: ")
    assert refused_ones == (
        "calls of or to shop/web-1 that none of its policies admits: 13 packets refused, by the dump's counters"
    )
    bring = " ".join(one.message for one in report.warnings if one.code == "FD807")
    assert "syslogemu.log" in bring
    assert "iptables-save -c" not in bring


FELIX = "2026-03-01 12:00:00.123 [INFO][2340] felix/int_dataplane.go 190: Dataplane loop starting\n"


@pytest.mark.parametrize(("system", "told"), [("windows", 1), ("linux", 0)])
def test_nodes_of_windows_have_nothing_of_what_calicos_have(tmp_path, system, told):
    """No iptables, no kernel log, no eBPF; what HNS holds of one pod is no evidence of a refusal (calico#4078)."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "win-1", "labels": {"kubernetes.io/os": system}},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.40"}]},
    }
    report = analyze([write(tmp_path, state_json=listed(*OBJECTS, node), calico_node_log=FELIX)])
    texts = [
        one.message for one in report.warnings if one.code == "FD807" and "Get-HnsEndpoint" in one.message
    ]

    assert len(texts) == told
    assert all(text.startswith("on Windows (win-1) there is none of these but flows") for text in texts)
