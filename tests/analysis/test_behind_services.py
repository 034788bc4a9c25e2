"""Refusals of a Service's address, as they are recorded before the packet is translated (AWS, Weave)."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, listed, namespace, pod, policy, write

from flowdiag.analysis import analyze
from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies

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


def call_of_the_service(folder, peer, selector, port=8080):
    """The problem of refused calls to port 80 of the Service, 8080 at its pod, with one rule in the policy."""
    spec = {**CLOSED, "egress": [{"to": [peer], "ports": [{"port": port, "protocol": "TCP"}]}]}
    service = json.loads(json.dumps(SERVICE))
    service["spec"] |= {"selector": selector, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]}
    labelled = json.loads(json.dumps(OBJECTS[:-1]))
    for each in labelled:
        if each["kind"] == "Pod" and each["metadata"]["labels"].get("app") == "db":
            each["metadata"]["labels"]["tier"] = "back"
    state = listed(*labelled, service, policy("shop", "to-db", spec, created=LONG_AGO))
    lines = REFUSED.replace("Dest Port: 8080", "Dest Port: 80")
    (problem,) = analyze([write(folder, state_json=state, agent_log=lines)]).problems
    return problem


def pods_with(**labels):
    """A peer by these labels, in any namespace."""
    return {"namespaceSelector": {}, "podSelector": {"matchLabels": labels}}


def test_a_rule_for_the_pods_port_means_the_services(tmp_path):
    """AWS's controller writes the Service's address and port for its agent: what was refused was not by the policy."""
    problem = call_of_the_service(tmp_path, pods_with(app="db", tier="back"), {"app": "db", "tier": "back"})

    assert (problem.code, problem.port, problem.counterfactual) == ("FD806", 80, None)


def test_a_service_is_meant_by_its_own_selector(tmp_path):
    """It lists the pods, whose labels the rule asks for, but not the Service, which does not say that they have them."""
    problem = call_of_the_service(tmp_path, pods_with(app="db", tier="back"), {"app": "db"})

    assert problem.code == "FD101"
    assert [(miss.condition, miss.wanted) for miss in problem.nearest[0].misses] == [
        ("service", "a selector with tier=back")
    ]
    assert "Add that to the Service's selector" in problem.advice
    assert problem.counterfactual.proved
    added = [line for line in problem.counterfactual.patch.splitlines() if line.startswith("+ ")]
    assert [line.split()[1:] for line in added if "app:" in line or "tier:" in line] == [["app:", "db"]]
    assert problem.verify[0].endswith("nc -zvw3 db.data 80")


def test_a_rule_that_names_the_services_port_gets_the_pods(tmp_path):
    """A change with the Service's port would open nothing: no port of the Service leads to that."""
    problem = call_of_the_service(tmp_path, pods_with(app="db"), {"app": "db"}, port=80)

    assert problem.nearest[0].misses[0].wanted == "a Service's port to 80/TCP"
    assert problem.counterfactual.summary.startswith("Allow 8080/TCP in")
    assert (problem.counterfactual.proved, problem.counterfactual.also_allows) == (True, ())


@pytest.mark.parametrize("ports", [(("UDP", 53), ("TCP", 53)), (("TCP", 53), ("UDP", 53))])
def test_of_several_ports_the_nearest_is_told(tmp_path, ports):
    """A port of the call's own protocol misses once, and one of another twice, in whatever order they stand."""
    to = [pods_with(app="db")]
    rules = [{"to": to, "ports": [{"protocol": protocol, "port": port} for protocol, port in ports]}]
    opens = policy("shop", "to-dns", {**CLOSED, "egress": rules}, created=LONG_AGO)
    state = listed(*OBJECTS[:-1], SERVICE, opens)
    (problem,) = analyze([write(tmp_path, state_json=state, agent_log=REFUSED)]).problems

    assert [(miss.condition, miss.wanted, miss.found) for miss in problem.nearest[0].misses] == [
        ("port", "a Service's port to 53/TCP", "8080/TCP")
    ]


@pytest.mark.parametrize(
    ("range_", "port", "code"),
    [("10.96.0.0/16", 80, "FD806"), ("10.0.0.0/16", 8080, "FD101")],
)
def test_ranges_mean_the_services_address_and_port(tmp_path, range_, port, code):
    """They are compared as they are: the address and the port behind the Service are not looked at."""
    assert call_of_the_service(tmp_path, {"ipBlock": {"cidr": range_}}, {"app": "db"}, port).code == code


@pytest.mark.parametrize(
    ("peer", "port", "selector", "allowed"),
    [
        ({"ipBlock": {"cidr": "10.96.0.0/16"}}, 80, {"app": "db"}, True),
        ({"ipBlock": {"cidr": "10.0.0.0/16"}}, 8080, {"app": "db"}, False),
        (pods_with(app="db", tier="back"), 8080, {"app": "db"}, False),
        (pods_with(app="db"), 8080, {"app": "db"}, True),
    ],
)
def test_a_question_about_a_service_is_answered_as_its_calls_are_judged(peer, port, selector, allowed):
    """By its own address and port under AWS, whose pods a caller of the address does not name."""
    service = json.loads(json.dumps(SERVICE))
    service["spec"] |= {"selector": selector, "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]}
    spec = {**CLOSED, "egress": [{"to": [peer], "ports": [{"port": port, "protocol": "TCP"}]}]}
    back = json.loads(json.dumps(OBJECTS[3]))
    back["metadata"]["labels"]["tier"] = "back"
    objects = listed(*OBJECTS[:3], back, service, policy("shop", "to-db", spec))
    snapshot, _ = build_snapshot([("state.json", objects.encode())])
    asker = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.AWS))

    for dst in ("svc:data/db", "10.96.0.10", "db.data"):
        assert asker.ask("shop/web", dst, "TCP", 80).allowed is allowed


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


def by_workload(source, destination, port):
    """A refused connection in a Calico flow log, which names pods by what those of a workload share."""
    (space, name), (there, other) = source, destination
    ends = {"source_name": "-", "source_name_aggr": f"{name}-*", "source_namespace": space}
    ends |= {"dest_name": "-", "dest_name_aggr": f"{other}-*", "dest_namespace": there, "dest_port": port}
    rest = {"source_type": "wep", "dest_type": "wep", "proto": "tcp", "action": "deny", "reporter": "src"}
    rest |= {"num_flows": 2, "start_time": 1_772_366_400, "end_time": 1_772_366_415}
    return json.dumps({**ends, **rest}) + "\n"


def test_a_services_port_in_a_rule_is_found_for_a_workload(tmp_path):
    """The rule says 80, the Service's; which pod of the workload was refused is no matter."""
    to = [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}]
    spec = {**CLOSED, "egress": [{"to": to, "ports": [{"port": 80, "protocol": "TCP"}]}]}
    second = pod("data", "db-7f6b5c4d6-zz9pl", "10.0.1.8", "db")
    service = json.loads(json.dumps(SERVICE))
    service["spec"]["ports"] = [{"port": 80, "targetPort": 8080, "protocol": "TCP"}]
    state = listed(*OBJECTS[:-1], second, service, policy("shop", "to-db", spec, created=LONG_AGO))
    lines = by_workload(("shop", "web-5d9c7b6f4"), ("data", "db-7f6b5c4d6"), 8080)
    (problem,) = analyze([write(tmp_path, state_json=state, flows_log=lines)]).problems

    assert problem.code == "FD301"
    assert (
        problem.advice
        == "Add port 8080 (the Service's targetPort) to the rule; 80 stays if pods listen on it, too."
    )


@pytest.mark.parametrize(("other", "code"), [("metrics", "FD306"), ("http", "FD101")])
def test_a_workloads_metrics_port_is_its_pods(tmp_path, other, code):
    """Where all pods of it declare the same; where they differ nobody knows what the one that was asked declares."""
    scraper = pod("monitoring", "prometheus-6d7c8b9f5-abcde", "10.0.3.3", "prometheus")
    pods = [
        pod("data", f"exporter-5f6d7c8b9-{end}", f"10.0.1.{end[-1]}", "exporter", port=9100)
        for end in ("aaaa7", "aaaa8")
    ]
    for each, name in zip(pods, ("metrics", other), strict=True):
        each["spec"]["containers"][0]["ports"][0]["name"] = name
    closed = policy("data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]}, created=LONG_AGO)
    state = listed(*OBJECTS[:-1], namespace("monitoring"), scraper, *pods, closed)
    line = by_workload(("monitoring", "prometheus-6d7c8b9f5"), ("data", "exporter-5f6d7c8b9"), 9100)
    lines = line.replace('"reporter": "src"', '"reporter": "dst"')
    (problem,) = analyze([write(tmp_path, state_json=state, flows_log=lines)]).problems

    assert problem.code == code


@pytest.mark.parametrize(
    ("allowed", "code"), [(pods_with(app="db"), "FD101"), ({"ipBlock": {"cidr": "192.0.2.0/24"}}, "FD806")]
)
def test_a_load_balancers_address_is_no_pods(tmp_path, allowed, code):
    """A rule for the pods behind it does not mean it where it is compared before it is translated; a range does."""
    service = json.loads(json.dumps(SERVICE))
    service["spec"]["type"] = "LoadBalancer"
    service["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.77"}]}}
    spec = {**CLOSED, "egress": [{"to": [allowed]}]}
    state = listed(*OBJECTS[:-1], service, policy("shop", "to-db", spec, created=LONG_AGO))
    lines = REFUSED.replace("10.96.0.10", "192.0.2.77")
    (problem,) = analyze([write(tmp_path, state_json=state, agent_log=lines)]).problems

    assert problem.code == code
    assert (problem.destination.kind, problem.port) == ("external", 8080)
    if code == "FD101":
        assert problem.advice.startswith(
            "192.0.2.77 is Service data/db's address for callers outside the cluster"
        )
        assert problem.counterfactual.proved
    snapshot, _ = build_snapshot([("state.json", state.encode())])
    asked = {
        dialect: Asker(snapshot, compile_policies(snapshot, dialect=dialect)).ask(
            "shop/web", "192.0.2.77", "TCP", 8080
        )
        for dialect in (Dialect.AWS, Dialect.CALICO)
    }
    assert asked[Dialect.AWS].allowed is (code == "FD806")
    assert asked[Dialect.CALICO].allowed is (code == "FD101")
