"""Jobs whose pods are gone or ended by the time that the state is taken: who was refused, and what may be proposed."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import at, listed, namespace, pod, policy, write

from flowdiag.analysis import analyze

NAME = "kubernetes.io/metadata.name"
CACHE = pod("kube-system", "node-local-dns-x7x8x", "10.0.9.77", "cache")
DNS = pod("kube-system", "coredns-7d764666f9-k2x4z", "10.0.9.10", "dns")


def of_job(minute, pod_name):
    """The ended pod of one run of the CronJob `export`."""
    one = pod("batch", pod_name, "10.0.4.40", "export")
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": f"export-{minute}",
        "uid": "u",
        "controller": True,
    }
    one["metadata"] |= {
        "labels": {"app": "export", "job-name": f"export-{minute}"},
        "ownerReferences": [owner],
    }
    one["status"]["phase"] = "Failed"
    return one


def line(second, minute, pod_name):
    """A refused lookup as GKE's policy logging writes it: the owner is the Job."""
    ends = {
        "src": {
            "pod_name": pod_name,
            "namespace": "batch",
            "workload_kind": "Job",
            "workload_name": f"export-{minute}",
        },
        "dest": {"pod_name": "node-local-dns-x7x8x", "namespace": "kube-system"},
    }
    connection = {
        "src_ip": "10.0.4.40", "dest_ip": "10.0.9.77", "src_port": 40000 + second, "dest_port": 53,
        "protocol": "udp", "direction": "egress",
    }  # fmt: skip
    record = {"connection": connection, "disposition": "deny", "count": 3, "timestamp": at(second)}
    return json.dumps(record | ends) + "\n"


def test_runs_of_one_cron_job_are_one_workload_and_its_rules_are_not_taken_away(tmp_path):
    """No pod of it runs: a rule that the next run needs is left, and another peer is admitted beside it."""
    to = [
        {
            "namespaceSelector": {"matchLabels": {NAME: "kube-system"}},
            "podSelector": {"matchLabels": {"app": "dns"}},
        }
    ]
    egress = [{"to": to, "ports": [{"port": 53, "protocol": "UDP"}]}]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": egress}
    names = ["export-29327480-x4b2c", "export-29327485-x5b2c"]
    objects = [
        *(namespace(name) for name in ("batch", "kube-system")),
        CACHE, DNS, of_job(29327485, names[1]), policy("batch", "dns-only", spec, created="2026-02-01T00:00:00Z"),
    ]  # fmt: skip
    lines = line(10, 29327480, names[0]) + line(310, 29327485, names[1])
    report = analyze([write(tmp_path, state_json=listed(*objects), policy_log=lines)])
    (problem,) = report.problems

    assert [(one.source.workload.kind, one.source.workload.name) for one in problem.connections] == [
        ("CronJob", "export")
    ]
    assert problem.counterfactual.proved
    assert problem.counterfactual.summary.startswith("Admit kube-system/")
    assert "\n-" not in problem.counterfactual.patch.partition("@@")[2]
