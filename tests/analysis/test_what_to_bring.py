"""A refusal that could not be replayed says which objects to bring: those that were not read, and no others."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DENY, OBJECTS, listed, write

from flowdiag.analysis import analyze

REFUSED = "WARN: 2026/03/01 12:00:01.100000 TCP connection from 10.0.9.5:40001 to 10.0.9.7:8080 blocked by Weave NPC.\n"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "data"},
    "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80}]},
}


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
