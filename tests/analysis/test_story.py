"""A call that two policies refuse, told by short records: the leading problem, its fix on both ends, its source."""

import json

import pytest
import yaml

from flowdiag.analysis import StateOptions, analyze, explain

META = "kubernetes.io/metadata.name"
HELM = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "frontend"},
}


def _policy(namespace, name, spec, **meta):
    meta = {"name": name, "namespace": namespace, "creationTimestamp": "2026-05-04T09:00:00Z", **meta}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def _pod(namespace, app, ip, node):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{app}-1", "namespace": namespace, "labels": {"app": app}},
        "spec": {"nodeName": node, "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


def _peer(labels):
    return {"namespaceSelector": {"matchLabels": labels}}


ITEMS = [
    *(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {META: name}}}
        for name in ("frontend", "backend")
    ),
    _pod("frontend", "web-app", "10.1.0.5", "n1"),
    _pod("backend", "user-api", "10.1.1.7", "n2"),
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "user-api", "namespace": "backend"},
        "spec": {
            "clusterIP": "10.96.0.40",
            "selector": {"app": "user-api"},
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    },
    _policy("frontend", "default-deny", {"podSelector": {}, "policyTypes": ["Egress"]}),
    _policy(
        "frontend",
        "allow-user-api",
        {
            "podSelector": {"matchLabels": {"app": "web-app"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [_peer({META: "backend"})], "ports": [{"port": 80}]}],
        },
        **HELM,
    ),
    _policy(
        "backend",
        "user-api",
        {"podSelector": {}, "ingress": [{"from": [_peer({"name": "frontend"})], "ports": [{"port": 8080}]}]},
    ),
]


def _end(namespace, app):
    labels = [f"k8s:app={app}", f"k8s:io.kubernetes.pod.namespace={namespace}"]
    return {"identity": 1001, "namespace": namespace, "pod_name": f"{app}-1", "labels": labels}


@pytest.fixture
def story(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": ITEMS}))
    lines = []
    for second in range(3):
        flow = {
            "time": f"2026-05-04T10:00:0{second}.000000000Z",
            "verdict": "DROPPED",
            "IP": {"source": "10.1.0.5", "destination": "10.1.1.7", "ipVersion": "IPv4"},
            "l4": {"TCP": {"source_port": 41000 + second, "destination_port": 8080, "flags": {"SYN": True}}},
            "source": _end("frontend", "web-app"),
            "destination": _end("backend", "user-api"),
            "Type": "L3_L4",
            "node_name": "n1",
            "event_type": {"type": 1},
            "traffic_direction": "EGRESS",
            "is_reply": False,
            "drop_reason": 133,
            "drop_reason_desc": "POLICY_DENIED",
        }
        lines.append(json.dumps({"flow": flow, "node_name": "n1", "time": flow["time"]}))
    (tmp_path / "flows.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_record_without_labels_of_namespaces_has_those_of_the_state(story):
    """Hubble's exports may be shortened: that a record leaves a namespace's labels out is no missed condition."""
    (problem,) = analyze([str(story)]).problems

    assert problem.code == "FD301"
    assert [miss.condition for miss in problem.nearest[0].misses] == ["port"]


def test_the_fix_covers_both_ends_and_says_whence_the_policy_comes(story):
    """The port at the source, the namespace's label at the destination, and that Helm would undo an edit."""
    (problem,) = analyze([str(story)]).problems
    fix = problem.counterfactual
    written = {one["metadata"]["name"]: one["spec"] for one in map(yaml.safe_load, fix.manifests)}

    assert set(written) == {"allow-user-api", "user-api"}
    assert {"protocol": "TCP", "port": 8080} in written["allow-user-api"]["egress"][0]["ports"]
    assert written["user-api"]["ingress"][0]["from"] == [_peer({META: "frontend"})]
    assert (fix.proved, fix.also_allows) == (True, ())
    assert "NetworkPolicy frontend/allow-user-api comes from Helm release web" in fix.summary


def test_explain_agrees_with_the_analysis(story):
    """The question about the same two pods is refused on both ends for the same reasons."""
    answer = explain(
        "frontend/web-app-1", "backend/user-api-1", 8080, "TCP", state=StateOptions(paths=(str(story),))
    )[0]

    assert answer.allowed is False
    assert [miss.condition for miss in answer.egress.nearest[0].misses] == ["port"]
    assert [miss.wanted for miss in answer.ingress.nearest[0].misses] == ["name=frontend"]
