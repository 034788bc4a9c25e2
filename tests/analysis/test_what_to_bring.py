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
