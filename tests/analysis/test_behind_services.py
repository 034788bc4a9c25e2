"""Refusals of a Service's address, as they are recorded before the packet is translated (AWS, Weave)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, listed, pod, policy, write

from flowdiag.analysis import analyze

CLOSED = {"podSelector": {}, "policyTypes": ["Egress"]}
LONG_AGO = "2026-02-01T00:00:00Z"
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "data"},
    "spec": {
        "clusterIP": "10.96.0.10",
        "selector": {"app": "db"},
        "ports": [{"port": 8080, "targetPort": 8080, "protocol": "TCP"}],
    },
}
ALLOW_DNS = policy(
    "shop",
    "allow-dns",
    {
        **CLOSED,
        "egress": [
            {
                "to": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                    }
                ],
                "ports": [{"port": 53, "protocol": "TCP"}],
            }
        ],
    },
    created=LONG_AGO,
)
REFUSED = "".join(
    f'{{"level":"info","ts":"2026-03-01T12:00:0{second}.100Z","caller":"events/events.go:195","msg":"Flow Info: '
    f"Src IP: 10.0.0.5 Src Port: 4000{second} Dest IP: 10.96.0.10 Dest Port: 8080 Proto TCP Verdict DENY "
    'Direction egress"}\n'
    for second in range(1, 8, 2)
)


def problem_of(folder, other):
    """The one problem of calls to the Service, one of whose pods is of the Deployment `other`."""
    second = pod("data", f"{other}-7f6b5c4d6-zz9pl", "10.0.1.8", "db")
    state = listed(*OBJECTS[:-1], second, SERVICE, ALLOW_DNS)
    (problem,) = analyze([write(folder, state_json=state, agent_log=REFUSED)]).problems
    return problem


def test_the_workload_behind_a_service_is_what_was_refused(tmp_path):
    """Which of its pods was meant is not known, and no policy tells them apart: what mends it can be proved."""
    problem = problem_of(tmp_path, "db")

    assert (problem.destination.kind, problem.destination.name) == ("pod", "db")
    assert {miss.condition for miss in problem.nearest[0].misses} == {"namespace", "pod", "port"}
    assert problem.counterfactual.proved
    assert problem.verify[0].endswith("nc -zvw3 10.96.0.10 8080")


def test_pods_of_two_workloads_leave_the_service(tmp_path):
    """The rule misses for whatever pod it was, and nobody says that it may match."""
    problem = problem_of(tmp_path, "db-canary")

    assert (problem.destination.kind, problem.destination.name) == ("service", "db")
    assert {miss.condition for miss in problem.nearest[0].misses} == {"namespace", "port"}
    assert not [note for note in problem.notes if "may match" in note]
    assert [note for note in problem.notes if "misses, in more than that or not" in note]


def test_a_ports_name_is_looked_up_on_the_workload(tmp_path):
    """All pods of it declare the same: that the rule's name is none of theirs can be said without knowing which."""
    to = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}]
    spec = {**CLOSED, "egress": [{"to": to, "ports": [{"port": "web", "protocol": "TCP"}]}]}
    second = pod("data", "db-7f6b5c4d6-zz9pl", "10.0.1.8", "db")
    state = listed(*OBJECTS[:-1], second, SERVICE, policy("shop", "to-db", spec, created=LONG_AGO))
    (problem,) = analyze([write(tmp_path, state_json=state, agent_log=REFUSED)]).problems

    assert problem.code == "FD302"
    assert problem.summary.endswith("calls port 8080 http.")
