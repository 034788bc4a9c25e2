"""What objects remember of their own history, beside what logs say."""

from __future__ import annotations

import json

from flowdiag.cluster import build_snapshot, cluster_changes, merge_changes
from flowdiag.model.event import ChangeEvent, ObjectRef
from flowdiag.model.time import parse_rfc3339


def stamp(clock):
    return f"2026-11-03T{clock}Z"


def write(manager, clock, *parts):
    fields = {f"f:{part}": {} for part in parts if part not in ("labels", "annotations")}
    if "labels" in parts:
        fields["f:metadata"] = {"f:labels": {"f:app": {}}}
    return {"manager": manager, "operation": "Update", "time": stamp(clock), "fieldsV1": fields}


def changes(*objects):
    body = {"apiVersion": "v1", "kind": "List", "items": objects}
    return cluster_changes(build_snapshot([("s.json", json.dumps(body, indent=1).encode())])[0])


POLICY = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}},
    "metadata": {"name": "deny", "namespace": "shop", "generation": 2, "creationTimestamp": stamp("12:00:00"),
                 "managedFields": [write("argocd", "12:00:00", "spec"), write("kubectl-edit", "12:05:00", "spec"), write("x", "12:07:00", "status")]},
}  # fmt: skip


def test_policy_creation_and_later_spec_writes_with_their_writer():
    found = [(change.kind, change.by, change.at) for change in changes(POLICY)]
    assert found == [
        ("created", "argocd", parse_rfc3339(stamp("12:00:00"))),
        ("updated", "kubectl-edit", parse_rfc3339(stamp("12:05:00"))),
    ]


def test_labels_rollouts_and_pod_starts():
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "shop",
            "creationTimestamp": stamp("09:00:00"),
            "managedFields": [write("ops", "11:00:00", "labels")],
        },
    }
    owner = [{"kind": "Deployment", "name": "web", "controller": True}]
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": "web-574f6b9c8d",
            "namespace": "shop",
            "creationTimestamp": stamp("11:30:00"),
            "ownerReferences": owner,
        },
    }
    pod = {
        "apiVersion": "v1", "kind": "Pod", "status": {"startTime": stamp("11:30:02")},
        "metadata": {"name": "web-1", "namespace": "shop", "creationTimestamp": stamp("11:30:01"), "deletionTimestamp": stamp("12:30:00")},
    }  # fmt: skip
    found = [
        (change.kind, change.object.kind, change.object.name)
        for change in changes(namespace, replica_set, pod)
    ]
    assert found == [
        ("created", "Namespace", "shop"),
        ("labels", "Namespace", "shop"),
        ("rollout", "Deployment", "web"),
        ("pod-start", "Pod", "web-1"),
        ("deleted", "Pod", "web-1"),
    ]


def test_a_change_in_both_object_and_log_stands_once_with_the_user():
    ref = ObjectRef("NetworkPolicy", "networking.k8s.io", "shop", "deny")
    logged = ChangeEvent(
        line=7, at=parse_rfc3339(stamp("12:05:00.400000")), object=ref, change="updated", by="alice"
    )
    timeless = ChangeEvent(line=8, object=ref, change="deleted")
    merged = merge_changes(changes(POLICY), [("audit.log", logged), ("audit.log", timeless)])
    assert [(change.kind, change.by, change.input) for change in merged] == [
        ("created", "argocd", "s.json"),
        ("updated", "alice", "audit.log"),
    ]
