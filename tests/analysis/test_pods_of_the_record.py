"""Pods that no object at hand holds: those of Jobs and of cert-manager's challenges are gone before anybody looks."""

import json

from flowdiag.analysis import StateOptions, analyze
from tests.read_yaml import read_yaml

STATE = """
apiVersion: v1
kind: Namespace
metadata: {name: batch}
---
apiVersion: v1
kind: Namespace
metadata: {name: data}
---
apiVersion: v1
kind: Pod
metadata: {name: pg-0, namespace: data, labels: {app: pg}}
spec: {nodeName: node-b, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.2.1}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: batch, creationTimestamp: "2026-11-01T00:00:00Z"}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
"""


def proposed(tmp_path, name, record):
    """The first manifest that the report proposes for a record."""
    evidence, state = tmp_path / name, tmp_path / "state.yaml"
    evidence.write_text(json.dumps(record) + "\n")
    state.write_text(STATE)
    report = analyze([str(evidence)], state=StateOptions(paths=(str(state),)))
    (problem,) = report.problems
    assert problem.code == "FD101"
    assert problem.counterfactual is not None
    return read_yaml(problem.counterfactual.manifests[0])


def test_a_policy_is_proposed_for_a_job_that_is_over(tmp_path):
    """Cilium's record has the identity's labels, of which those of one run of the Job are left out."""
    flow = {
        "time": "2026-11-03T09:00:00Z",
        "verdict": "DROPPED",
        "drop_reason_desc": "POLICY_DENIED",
        "IP": {"source": "10.0.1.77", "destination": "10.0.2.1", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 5432, "flags": {"SYN": True}}},
        "source": {
            "identity": 23456,
            "namespace": "batch",
            "pod_name": "nightly-28812360-x7k2p",
            "labels": [
                "k8s:app=nightly",
                "k8s:batch.kubernetes.io/job-name=nightly-28812360",
                "k8s:io.cilium.k8s.policy.cluster=default",
                "k8s:io.kubernetes.pod.namespace=batch",
            ],
            "workloads": [{"name": "nightly-28812360", "kind": "Job"}],
        },
        "destination": {
            "identity": 23457,
            "namespace": "data",
            "pod_name": "pg-0",
            "labels": ["k8s:app=pg", "k8s:io.kubernetes.pod.namespace=data"],
        },
        "Type": "L3_L4",
        "event_type": {"type": 1},
        "traffic_direction": "EGRESS",
    }

    policy = proposed(tmp_path, "hubble.jsonl", {"flow": flow})

    assert policy["metadata"]["namespace"] == "batch"
    assert policy["spec"]["podSelector"] == {"matchLabels": {"app": "nightly"}}


def test_a_policy_is_proposed_for_the_solver_of_a_challenge(tmp_path):
    """Calico's record has the labels that all pods of one name have; those of one challenge are left out (flux2#1863)."""
    flow = {
        "start_time": "2026-11-03T10:00:00Z",
        "end_time": "2026-11-03T10:00:15Z",
        "action": "Deny",
        "source_name": "pg-*",
        "source_namespace": "data",
        "source_labels": "app=pg",
        "dest_name": "cm-acme-http-solver-*",
        "dest_namespace": "batch",
        "dest_labels": "acme.cert-manager.io/http-domain=1234 | acme.cert-manager.io/http01-solver=true",
        "protocol": "tcp",
        "dest_port": 8089,
        "reporter": "Dst",
        "policies": {"enforced": [], "pending": []},
        "packets_in": 3,
        "packets_out": 0,
    }

    policy = proposed(tmp_path, "flows.jsonl", flow)

    assert policy["spec"]["podSelector"] == {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}
