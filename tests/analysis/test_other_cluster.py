"""Pods of another cluster of a mesh are told apart from ours, whatever these are called."""

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, OBJECTS, WEB, end, listed, policy, record, write

from flowdiag.analysis import analyze
from flowdiag.report.redact import redact

CLUSTER = "k8s:io.cilium.k8s.policy.cluster"
CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "cilium-config", "namespace": "kube-system"},
    "data": {"cluster-name": "east", "cluster-id": "1"},
}
CLOSED = policy("data", "deny", {"podSelector": {}, "policyTypes": ["Ingress"]})


def of_cluster(one, name):
    """The same end in a cluster of the mesh."""
    return {**one, "end": {**one["end"], "labels": [*one["end"]["labels"], f"{CLUSTER}={name}"]}}


THERE = of_cluster(end("data", "db-7f6b5c4d6-k8m2n", "10.9.1.7", "db", 200_000), "west")


def problems(tmp_path, *records):
    """The problems of these records in the cluster east."""
    folder = write(tmp_path, state_json=listed(*OBJECTS, CONFIG, CLOSED), flows_jsonl="".join(records))
    return analyze([folder])


def test_a_pod_of_another_cluster_is_no_pod_of_ours(tmp_path):
    """It has the name of a pod here, and neither its address nor the policies that select that one."""
    web = of_cluster(WEB, "east")
    report = problems(tmp_path, record(1, web, THERE), record(3, web, of_cluster(DB, "east")))
    ends = {
        one.destination.ips: (problem.title, one.destination.cluster)
        for problem in report.problems
        for one in problem.connections
    }

    assert set(ends) == {("10.9.1.7",), ("10.0.1.7",)}
    assert ends["10.9.1.7",][1] == "west"
    assert "data/db of cluster west" in ends["10.9.1.7",][0]
    assert ends["10.0.1.7",][1] is msgspec.UNSET


def test_its_own_side_is_its_clusters_business(tmp_path):
    """What refuses data/db here is no reason why data/db there refuses, whose policies nobody has."""
    web = of_cluster(WEB, "east")
    (problem,) = problems(tmp_path, record(1, web, THERE, way="INGRESS")).problems

    assert problem.isolating == ()
    assert problem.counterfactual is None


def test_its_name_goes_when_a_report_is_redacted(tmp_path):
    """In the field and in the sentences, by one token."""
    report = problems(tmp_path, record(1, of_cluster(WEB, "east"), THERE))

    assert "west" in msgspec.json.encode(report).decode()
    hidden = redact(report)
    assert "west" not in msgspec.json.encode(hidden).decode()
    (problem,) = hidden.problems
    assert f" of cluster {problem.destination.cluster} " in problem.title


@pytest.mark.parametrize(
    ("node", "setting", "name"),
    [
        ("node-a", "east", "east"),
        ("node-a", "default", None),
        ("north/node-a", "east", "north"),
    ],
)
def test_the_cluster_is_called_as_its_records_or_settings_have_it(tmp_path, node, setting, name):
    """Records that name one come first; "default" is no name."""
    config = {**CONFIG, "data": {"cluster-name": setting}}
    line = record(1).replace('"node_name": "node-a"', f'"node_name": "{node}"')
    report = analyze([write(tmp_path, state_json=listed(*OBJECTS, config), flows_jsonl=line)])

    assert report.cluster.name == name
