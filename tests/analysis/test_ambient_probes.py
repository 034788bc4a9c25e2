"""Istio's ambient mode gives the kubelet's probes one address that policies take for one outside."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, OBJECTS, listed, namespace, policy, record, world, write

from flowdiag.analysis import analyze


def test_probes_behind_ambient_are_called_so_and_let_in_by_their_address(tmp_path):
    """No policy takes the address for the node, so a rule for it is the way out, where one for a node would hide a fault."""
    db = OBJECTS[3]
    container = db["spec"]["containers"][0] | {
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 10}
    }
    db = db | {"spec": db["spec"] | {"containers": [container]}}
    closed = policy("data", "deny", {"podSelector": {}, "policyTypes": ["Ingress"]})
    lines = "".join(record(second, world("169.254.7.127"), DB, way="INGRESS") for second in range(0, 60, 10))
    state = listed(namespace("data"), db, closed)
    (problem,) = analyze([write(tmp_path, state_json=state, flows_jsonl=lines)]).problems

    assert (problem.code, problem.title) == (
        "FD209",
        "Probes of data/db on 8080/TCP from 169.254.7.127 are refused",
    )
    assert problem.counterfactual.proved
    assert "cidr: 169.254.7.127/32" in problem.counterfactual.manifests[0]
