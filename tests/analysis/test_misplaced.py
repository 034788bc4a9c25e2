"""An allow policy that stands in the namespace of the called workload, where it selects nobody."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, listed, namespace, pod, policy, refused, write

from flowdiag.analysis import analyze

TO = [
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}},
        "podSelector": {"matchLabels": {"app": "db"}},
    }
]
SPEC = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{"to": TO}]}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "prod"},
    "spec": {"clusterIP": "10.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80}]},
}


def fix_of(folder, *objects):
    """The proposal for shop/web to data/db, both of the small incident."""
    (problem,) = analyze(
        [write(folder, state_json=listed(*OBJECTS, *objects), flows_jsonl=refused())]
    ).problems
    assert problem.code == "FD101"
    return problem.counterfactual


def test_it_is_to_be_put_where_it_selects_the_caller(tmp_path):
    """What somebody has written and meant is proposed before a policy of flowdiag's own."""
    fix = fix_of(tmp_path, policy("data", "allow-db", SPEC))
    (manifest,) = [yaml.safe_load(text) for text in fix.manifests]

    assert fix.summary == ("Put NetworkPolicy data/allow-db into namespace shop: it selects no pod of data.")
    assert fix.proved
    assert (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == ("shop", "allow-db")
    assert manifest["spec"] == SPEC


def test_a_namespace_without_pods_is_where_kubectl_puts_what_names_none(tmp_path):
    """Applied without -n; that its pods were read is not known, and the sentence says so."""
    fix = fix_of(tmp_path, namespace("default"), policy("default", "allow-db", SPEC))

    assert fix.summary == (
        "Put NetworkPolicy default/allow-db into namespace shop: it selects no pod of default that was read."
    )


@pytest.mark.parametrize(
    "objects",
    [
        [policy("data", "allow-db", SPEC), pod("data", "web-7f6b5c4d6-k8m2n", "10.0.1.9", "web")],
        [policy("data", "allow-db", SPEC | {"podSelector": {}})],
        [policy("data", "allow-db", SPEC | {"egress": [{"to": TO, "ports": [{"port": 9999}]}]})],
        [policy("prod", "allow-db", SPEC)],
        [namespace("prod"), policy("prod", "allow-db", SPEC), SERVICE],
    ],
    ids=[
        "it selects a pod there",
        "it is for all pods",
        "it would not help",
        "nothing of its namespace read",
        "pods of its namespace not read",
    ],
)
def test_what_stands_where_it_belongs_stays(tmp_path, objects):
    """A policy of one's own is proposed then."""
    assert fix_of(tmp_path, *objects).summary.startswith("Add NetworkPolicy shop/allow-web-to-db")
