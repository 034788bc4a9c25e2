"""Allow rules that no observed connection used, and what the evidence covers beside them."""

import copy
import json
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, WEB, record, world

from flowdiag.analysis import EvidenceOptions, Selection, StateOptions, analyze, examine
from flowdiag.analysis.attribute import judged
from flowdiag.analysis.collect import gather
from flowdiag.analysis.sides import Side
from flowdiag.analysis.sorting import sort_flows
from flowdiag.analysis.state import compile_state
from flowdiag.cluster import Resolver
from flowdiag.model.event import Direction
from flowdiag.policy import compile_policies

USED = {
    "calico-log-lines": 2,
    "calico-whisker": 2,
    "default-deny-egress": 2,
    "five-tellings": 0,
    "ingress-other-namespace": 1,
}
"""At least so many rules the incidents' traffic uses; all of one of them is refused."""
INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"


def state(policies, *, pods=2):
    """Two namespaces with web and db, and policies as (namespace, name, spec)."""
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}}
        for name in ("shop", "data")
    ]
    for number in range(pods):
        for one, app in ((WEB, "web"), (DB, "db")):
            namespace = one["end"]["namespace"]
            name, ip = (
                (one["end"]["pod_name"], one["ip"])
                if number == 0
                else (f"{app}-x{number}", f"10.0.9.{number}")
            )
            items.append(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
                    "spec": {"containers": [{"name": "c"}], "nodeName": f"node-{'ab'[number % 2]}"},
                    "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
                }
            )
    for namespace, name, spec in policies:
        items.append(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            }
        )
    return {"apiVersion": "v1", "kind": "List", "items": items}


DB_POLICY = {
    "podSelector": {"matchLabels": {"app": "db"}},
    "policyTypes": ["Ingress"],
    "ingress": [
        {
            "from": [
                {"namespaceSelector": {"matchLabels": {"team": "shop"}}},
                {"namespaceSelector": {"matchLabels": {"team": "audit"}}},
            ],
            "ports": [{"port": 8080}],
        },
        {"ports": [{"port": 9100}]},
    ],
}


def examined(tmp_path, lines, policies, **options):
    (tmp_path / "state.json").write_text(json.dumps(state(policies)))
    (tmp_path / "flows.jsonl").write_text("".join(lines))
    return examine(
        [str(tmp_path / "flows.jsonl")], state=StateOptions(paths=(str(tmp_path / "state.json"),)), **options
    ).rule_use


def names(use):
    return [(one.policy.name, one.rule) for one in use.unused]


def forwarded(second, way="INGRESS", **more):
    return record(second, verdict="FORWARDED", way=way, **more)


def test_rules_and_single_peers_without_use_are_listed(tmp_path):
    """The rule for 9100 was not used, and of the other rule one of two peers."""
    use = examined(tmp_path, [forwarded(1)], [("data", "db", DB_POLICY)])

    assert names(use) == [("db", "ingress[0].from[1]"), ("db", "ingress[1]")]
    assert use.rules == 2
    assert {(one.pods, one.pods_seen, one.direction) for one in use.unused} == {(2, 1, Direction.INGRESS)}


def test_refused_traffic_uses_no_rule_where_it_was_refused(tmp_path):
    """A refusal as it arrives has left by the source's rule, and used none at the destination."""
    out = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    lines = [record(1, way="INGRESS", port=9100)]
    use = examined(tmp_path, lines, [("data", "db", DB_POLICY), ("shop", "out", out)])

    assert names(use) == [("db", "ingress[0]"), ("db", "ingress[1]")]


def test_without_observed_connections_nothing_is_called_unused(tmp_path):
    """No evidence is not evidence of no use."""
    use = examined(tmp_path, [record(1, way="EGRESS")], [("data", "db", DB_POLICY)])

    assert use.unused == ()
    assert use.coverage.connections == 0


def test_an_unknown_end_may_have_used_a_rule(tmp_path):
    """Who called is not known, so that the rule is unused is not sure, and the flow counts as unplaced."""
    unknown = {"ip": None, "end": {"identity": 0}}
    use = examined(tmp_path, [forwarded(1, src=unknown)], [("data", "db", DB_POLICY)])

    assert [one.unsure for one in use.unused if one.rule.startswith("ingress[0]")] == [True]
    assert use.coverage.unplaced == 1


def test_what_passed_against_the_policies_used_none_of_their_rules(tmp_path):
    """An address of no known pod was let in although no rule admits it: by what, is not known."""
    stranger = {"ip": "10.0.77.7", "end": {"identity": 2, "labels": ["reserved:world"]}}
    use = examined(tmp_path, [forwarded(1, src=stranger)], [("data", "db", DB_POLICY)])

    assert (use.coverage.unplaced, use.coverage.unexplained) == (0, 1)
    assert names(use) == [("db", "ingress[0]"), ("db", "ingress[1]")]


def test_the_coverage_names_what_was_not_watched(tmp_path):
    """One of two pods was seen, on one of two nodes; of another node there is no record at all."""
    use = examined(tmp_path, [forwarded(1), forwarded(61)], [("data", "db", DB_POLICY)])
    covered = use.coverage

    assert (covered.pods, covered.pods_seen, covered.nodes_silent) == (2, 1, ("node-b",))
    assert (covered.connections, covered.records, covered.lost) == (1, 2, 0)
    assert covered.until - covered.since == 60 * 10**9


def test_a_policy_that_came_within_the_window_was_not_watched_from_its_beginning(tmp_path):
    """It was created after the first record, and the answer says when."""
    whole = state([("data", "db", DB_POLICY)])
    whole["items"][-1]["metadata"]["creationTimestamp"] = "2026-03-01T12:00:30Z"
    (tmp_path / "state.json").write_text(json.dumps(whole))
    (tmp_path / "flows.jsonl").write_text(forwarded(1) + forwarded(61))
    use = examine([str(tmp_path)]).rule_use

    assert {one.since for one in use.unused} == {1772366430 * 10**9}


def test_a_policy_that_selects_nobody_is_listed_with_no_pods(tmp_path):
    """Its rules concern nobody, which an audit wants to know."""
    spec = {**DB_POLICY, "podSelector": {"matchLabels": {"app": "gone"}}}
    use = examined(tmp_path, [forwarded(1)], [("data", "gone", spec)])

    assert {(one.pods, one.pods_seen) for one in use.unused} == {(0, 0)}


def test_traffic_from_outside_uses_a_range(tmp_path):
    """An ipBlock is in use where an address of it was let in."""
    spec = {
        **DB_POLICY,
        "ingress": [
            {"from": [{"ipBlock": {"cidr": "203.0.113.0/28"}}, {"ipBlock": {"cidr": "203.0.113.16/28"}}]}
        ],
    }
    use = examined(tmp_path, [forwarded(1, src=world())], [("data", "db", spec)])

    assert names(use) == [("db", "ingress[0].from[1]")]


def test_denied_traffic_alone_answers_nothing(tmp_path):
    """Where allowed traffic was not read, there is no answer, and none without policies."""
    lines = [forwarded(1)]
    assert (
        examined(tmp_path, lines, [("data", "db", DB_POLICY)], evidence=EvidenceOptions(only_denied=True))
        is None
    )
    assert examine([str(tmp_path / "flows.jsonl")]).rule_use is None


@pytest.mark.parametrize("incident", sorted(USED))
def test_an_unused_rule_can_go_and_no_observed_connection_changes(incident):
    """Held against the policies without each unused rule, every observed flow fares as before."""
    path = str(INCIDENTS / incident)
    use = examine([path]).rule_use
    read = gather([path], evidence=EvidenceOptions())
    known = compile_state(read.state, StateOptions(), read.cnis, read.manifests)
    found = sort_flows(
        read.tally.view(), Resolver(known.snapshot, read.tally.dns), Selection(), all_allowed=True
    )
    flows = [*found.allowed, *judged(found.logged, known, Selection()).allowed]
    before = Side(known.snapshot, known.policies)
    idle = [one for one in use.unused if "." not in one.rule]
    without = _without(known.snapshot, {(one.policy, one.rule) for one in idle})
    after = Side(without, compile_policies(without, dialect=known.dialect))

    assert flows
    assert [before.decide(flow).allowed for flow in flows] == [after.decide(flow).allowed for flow in flows]
    assert len(idle) <= use.rules - USED[incident]


def _without(snapshot, idle):
    """The snapshot with the rules at these paths taken out of their policies."""
    policies = []
    for policy in snapshot.policies:
        spec = copy.deepcopy(policy.spec)
        for way in ("ingress", "egress"):
            kept = [
                rule
                for index, rule in enumerate(spec.get(way) or [])
                if (policy.ref, f"{way}[{index}]") not in idle
            ]
            if spec.get(way) is not None:
                spec[way] = kept
        policies.append(replace(policy, spec=spec))
    return replace(snapshot, policies=tuple(policies))


def test_an_examination_holds_the_same_report(monkeypatch):
    """What an audit asks besides changes nothing in the report."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    path = str(INCIDENTS / "ingress-other-namespace")

    assert examine([path]).report == analyze([path])
