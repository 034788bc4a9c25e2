"""Consequences are listed under one root problem, and only where node, time and kind of denial agree."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, WEB, end, listed, namespace, pod, policy, record

from fixtures.bundles.cilium_sysdump import BEGIN, NS, Sysdump, tcp, write_zip
from flowdiag.analysis import analyze

DNS = end("kube-system", "coredns-6d4b75cb6d-9xk2p", "10.0.2.3", "coredns", 1002)
BATCH = end("shop", "report-58c7d9f6b-q7w8e", "10.0.0.6", "report", 1003)
CLUSTER = [
    namespace("kube-system"),
    namespace("shop"),
    namespace("data"),
    pod("shop", "web-5d9c7b6f4-x2v4z", "10.0.0.5", "web"),
    pod("shop", "report-58c7d9f6b-q7w8e", "10.0.0.6", "report"),
    pod("data", "db-7f6b5c4d6-k8m2n", "10.0.1.7", "db"),
    pod("kube-system", "coredns-6d4b75cb6d-9xk2p", "10.0.2.3", "coredns", port=53),
]
LOCK = {"podSelector": {}, "policyTypes": ["Egress"]}
LATER = "2026-03-01T12:05:00Z"
"""The change; five minutes after the records of `record` begin."""


def lookups(second, times=10):
    """Refused lookups of web, two seconds apart."""
    udp = {"UDP": {"source_port": 40001, "destination_port": 53}}
    return "".join(record(second + 2 * n, WEB, DNS, 53, l4=udp) for n in range(times))


def calls(second, src=BATCH, dst=DB, port=5432, times=3, **more):
    return "".join(
        record(second + 2 * n, src, dst, port, source_port=41000 + n, **more) for n in range(times)
    )


def found(folder, *objects, records):
    """Each problem as (code, source, destination), to the one that explains it."""
    folder.joinpath("state.json").write_text(listed(*CLUSTER, *objects))
    folder.joinpath("flows.jsonl").write_text(records)
    return told(analyze([str(folder)]))


def told(report):
    ids = {one.id: name(one) for one in report.problems}
    for one in report.problems:
        assert sorted(p.id for p in report.problems if p.explained_by == one.id) == list(one.explains)
        assert one.explained_by is None or not one.explains
    folds = [one.explained_by is not None for one in report.problems]
    assert folds == sorted(folds), "not folded first"
    return {name(one): ids.get(one.explained_by) for one in report.problems}


def name(problem):
    return (problem.code, problem.source.name, problem.destination.name)


LOOKUPS = ("FD401", "web", "coredns")
CALLS = ("FD101", "report", "db")


# --- a change of policies -----------------------------------------------------------------------------


def test_what_a_new_policy_closes_stands_under_the_lookups_that_it_closes(tmp_path):
    """Two workloads without a common end, refused from the same second on by the one policy that is new."""
    lock = policy("shop", "lock", LOCK, LATER)

    assert found(tmp_path, lock, records=lookups(302) + calls(303, times=30)) == {
        LOOKUPS: None,
        CALLS: LOOKUPS,
    }


def test_the_consequence_says_why_it_is_one_and_keeps_its_own_fix(tmp_path):
    """A folded problem stays whole: mending the lookups does not mend the other call."""
    found(tmp_path, policy("shop", "lock", LOCK, LATER), records=lookups(302) + calls(303))
    lead, folded = analyze([str(tmp_path)]).problems

    assert folded.notes[0] == (
        "began within seconds of the same change: NetworkPolicy shop/lock was created at 2026-03-01 12:05:00 UTC, "
        "and no older policy isolates here"
    )
    assert folded.counterfactual is not None
    assert lead.notes[0] == (
        "the same change of policies began another problem: what mends this one alone does not mend those"
    )


@pytest.mark.parametrize(
    ("why", "objects", "records"),
    [
        (
            "an older policy would have refused it without the change",
            [
                policy("shop", "lock", LOCK, LATER),
                policy(
                    "shop",
                    "old",
                    {**LOCK, "podSelector": {"matchLabels": {"app": "report"}}},
                    "2026-02-01T12:00:00Z",
                ),
            ],
            lookups(302) + calls(303),
        ),
        (
            "an allow policy that is new isolates too, and refuses nothing that was not refused",
            [
                policy("shop", "lock", LOCK, "2026-02-01T12:00:00Z"),
                policy("shop", "some", {**LOCK, "egress": [{"ports": [{"port": 9999}]}]}, LATER),
            ],
            lookups(302) + calls(303),
        ),
        (
            "a minute later is not within seconds",
            [policy("shop", "lock", LOCK, LATER)],
            lookups(302) + calls(362),
        ),
        (
            "two policies that are new, and each closes its own",
            [
                policy("shop", "a", {**LOCK, "podSelector": {"matchLabels": {"app": "web"}}}, LATER),
                policy("shop", "b", {**LOCK, "podSelector": {"matchLabels": {"app": "report"}}}, LATER),
            ],
            lookups(302) + calls(303),
        ),
        (
            "what it closes at ingress is nothing that lookups explain",
            [policy("shop", "lock", {**LOCK, "policyTypes": ["Egress", "Ingress"]}, LATER)],
            lookups(302) + calls(303, src=DB, dst=BATCH, port=8080, traffic_direction="INGRESS"),
        ),
        (
            "nobody knows when the policy came",
            [policy("shop", "lock", LOCK, None)],
            lookups(302) + calls(303),
        ),
    ],
)
def test_problems_stay_apart(tmp_path, why, objects, records):
    """Nothing is folded where the change is not shown to be what isolates."""
    answer = found(tmp_path, *objects, records=records)

    assert len(answer) == 2, why
    assert set(answer.values()) == {None}, why


def test_a_mistake_in_a_rule_is_its_own_problem(tmp_path):
    """The port of one rule is wrong: that is what the reader mends, and no lookup explains it."""
    rule = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}}]}
    lock = policy(
        "shop", "lock", {**LOCK, "egress": [{**rule, "ports": [{"port": 5432, "protocol": "UDP"}]}]}, LATER
    )
    answer = found(tmp_path, lock, records=lookups(302) + calls(303))

    assert answer == {LOOKUPS: None, ("FD303", "report", "db"): None}


def changed():
    """A policy of old that somebody changed at that time."""
    write = {
        "manager": "kubectl",
        "operation": "Update",
        "time": LATER,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {}},
    }
    return policy("shop", "lock", LOCK, "2026-02-01T12:00:00Z", managedFields=[write], generation=2)


def test_a_change_of_an_old_policy_explains_what_passed_before(tmp_path):
    """Both connections were seen to pass until then."""
    udp = {"UDP": {"source_port": 40001, "destination_port": 53}}
    before = record(5, WEB, DNS, 53, verdict="FORWARDED", l4=udp) + calls(6, verdict="FORWARDED")

    assert found(tmp_path, changed(), records=before + lookups(302) + calls(303)) == {
        LOOKUPS: None,
        CALLS: LOOKUPS,
    }


def test_a_change_of_an_old_policy_explains_nothing_that_was_never_seen_to_pass(tmp_path):
    """It may have been refused all along: unknown, so nothing is folded."""
    assert found(tmp_path, changed(), records=lookups(302) + calls(303)) == {LOOKUPS: None, CALLS: None}


def skewed():
    """Five calls that both nodes recorded, the clock of node-b six seconds ahead."""
    lines = []
    for n in range(5):
        for node, way, shift in (("node-a", "EGRESS", 0), ("node-b", "INGRESS", 6)):
            line = json.loads(
                record(n + shift, way=way, verdict="FORWARDED", source_port=50000 + n, port=9000)
            )
            line["node_name"] = line["flow"]["node_name"] = node
            lines.append(json.dumps(line) + "\n")
    return "".join(lines)


def test_refusals_before_the_change_are_not_its_own(tmp_path):
    """Four seconds before, by clocks that agree as far as anybody can see."""
    lock = policy("shop", "lock", LOCK, LATER)

    assert found(tmp_path, lock, records=lookups(296) + calls(296, times=9)) == {LOOKUPS: None, CALLS: None}


def test_clocks_that_are_known_to_be_apart_are_reckoned_with(tmp_path):
    """What did not exist cannot have refused: the recording node's clock is behind."""
    lock = policy("shop", "lock", LOCK, LATER)
    answer = found(tmp_path, lock, records=skewed() + lookups(296) + calls(296, times=9))

    assert answer == {LOOKUPS: None, CALLS: LOOKUPS}


def test_an_order_that_the_clocks_leave_open_folds_nothing(tmp_path):
    """A policy that was only changed may have been changed after the first refusal."""
    udp = {"UDP": {"source_port": 40001, "destination_port": 53}}
    before = record(5, WEB, DNS, 53, verdict="FORWARDED", l4=udp) + calls(6, verdict="FORWARDED")
    answer = found(tmp_path, changed(), records=skewed() + before + lookups(302) + calls(303))

    assert answer == {LOOKUPS: None, CALLS: None}


# --- an agent -----------------------------------------------------------------------------------------


@pytest.fixture
def dump():
    """Everybody may call api and report, as far as the policies go."""
    dump = Sysdump(flows=False)
    for space, app in (("payments", "api"), ("shop", "report")):
        spec = {"endpointSelector": {"matchLabels": {"app": app}}, "ingress": [{"fromEntities": ["all"]}]}
        dump.cilium("CiliumNetworkPolicy", space, f"{app}-open", spec)
    return dump


def refuse(dump, src, dst, second=0, times=3):
    for n in range(second, second + times):
        dump.recorder.deny(
            "it", BEGIN + n * NS, dump.pods[src], dump.pods[dst], tcp(40_112, 8080, "SYN"), "INGRESS"
        )


def burst(dump):
    """Two refused connections without a common end, both recorded by node-b."""
    refuse(dump, "web", "api", times=5)
    refuse(dump, "coredns", "report", 2)


def restarted(dump, node="node-b", second=-6):
    dump.said(
        node, BEGIN + second * NS, "level=info", "Daemon initialization completed", "bootstrapTime=4.8s"
    )


def full_map(dump, node="node-b", second=-40):
    dump.said(
        node,
        BEGIN + second * NS,
        "level=error",
        "Failed to add PolicyMap key",
        'endpointID=61 error="Unable to update element for cilium_policy_00061 map: the map is full"',
    )


@pytest.mark.parametrize(("happen", "code"), [(restarted, "FD608"), (full_map, "FD604")])
def test_a_burst_on_one_node_is_one_problem(dump, tmp_path, happen, code):
    """The largest part leads, the rest is listed under it."""
    happen(dump)
    burst(dump)

    assert told(analyze([str(write_zip(dump, tmp_path))])) == {
        (code, "web", "api"): None,
        (code, "coredns", "report"): (code, "web", "api"),
    }


def test_replies_that_a_restarted_agent_refused_stand_under_the_restart(dump, tmp_path):
    """Its table of connections was restored late; the same on another node has another cause."""
    restarted(dump)
    refuse(dump, "web", "api", times=5)
    report, coredns = dump.pods["report"], dump.pods["coredns"]
    dump.recorder.connection(BEGIN - 60 * NS, report, coredns, 9153)
    for n in range(3):
        packet = tcp(9153, 40_112, "ACK", "PSH")
        dump.recorder.deny("it", BEGIN + n * NS, coredns, report, packet, "INGRESS")
    answer = told(analyze([str(write_zip(dump, tmp_path))]))

    assert answer[("FD608", "web", "api")] is None
    assert [cause for (code, _, _), cause in answer.items() if code == "FD602"] == [("FD608", "web", "api")]


def test_what_the_policies_refuse_on_the_node_is_not_the_agents(dump, tmp_path):
    """A policy isolates report and allows nobody: restart or not."""
    restarted(dump)
    dump.cilium(
        "CiliumNetworkPolicy",
        "payments",
        "web-only",
        {
            "endpointSelector": {"matchLabels": {"app": "api"}},
            "ingressDeny": [
                {
                    "fromEndpoints": [
                        {"matchLabels": {"app": "report", "k8s:io.kubernetes.pod.namespace": "shop"}}
                    ]
                }
            ],
        },
    )
    refuse(dump, "web", "api", times=5)
    refuse(dump, "report", "api")
    answer = told(analyze([str(write_zip(dump, tmp_path))]))

    assert answer[("FD608", "web", "api")] is None
    assert {cause for (code, _, _), cause in answer.items() if code != "FD608"} == {None}


def test_bursts_on_two_nodes_are_two_problems(dump, tmp_path):
    """Each agent's restart is its own."""
    spec = {"endpointSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"fromEntities": ["all"]}]}
    dump.cilium("CiliumNetworkPolicy", "shop", "web-open", spec)
    restarted(dump)
    restarted(dump, "node-a")
    refuse(dump, "coredns", "report")
    refuse(dump, "api", "web")
    answer = told(analyze([str(write_zip(dump, tmp_path))]))

    assert answer == {("FD608", "coredns", "report"): None, ("FD608", "api", "web"): None}


def test_two_full_maps_an_hour_apart_are_two_problems(dump, tmp_path):
    """What ended long before explains nothing that begins now."""
    full_map(dump)
    full_map(dump, second=1800)
    refuse(dump, "web", "api")
    refuse(dump, "coredns", "report", 1810)
    answer = told(analyze([str(write_zip(dump, tmp_path))]))

    assert answer == {("FD604", "coredns", "report"): None, ("FD604", "web", "api"): None}


def test_where_no_agent_said_anything_nothing_is_folded(dump, tmp_path):
    """Unknown: what was refused against the policies stays what it is."""
    burst(dump)
    answer = told(analyze([str(write_zip(dump, tmp_path))]))

    assert answer
    assert set(answer.values()) == {None}
