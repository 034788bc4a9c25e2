"""What passed against the policies stands in the report as a problem of its own, and in no count of refusals."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import record
from test_past_versions import audit
from test_rule_use import state

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze

LOCK = {"podSelector": {}, "policyTypes": ["Ingress"]}
EMPTY = [
    {"apiVersion": "cilium.io/v2", "kind": f"{kind}List", "items": []}
    for kind in ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
]


def analyzed(tmp_path, lines, policies, *, created="2026-02-01T00:00:00Z", **options):
    whole = state(policies)
    for item in whole["items"]:
        if item["kind"] == "NetworkPolicy":
            item["metadata"] |= {"creationTimestamp": created, "generation": 1}
    (tmp_path / "state.json").write_text(json.dumps(whole))
    for number, empty in enumerate(EMPTY):
        (tmp_path / f"empty-{number}.json").write_text(json.dumps(empty))
    (tmp_path / "flows.jsonl").write_text("".join(lines))
    return analyze([str(tmp_path)], **options)


def passed(second, way="INGRESS", **more):
    return record(second, verdict="FORWARDED", way=way, **more)


def gaps(report):
    return [problem for problem in report.problems if problem.code == "FD810"]


def test_a_gap_is_a_problem_with_its_policies(tmp_path):
    """Two records arrived where a default deny has stood for a month."""
    report = analyzed(tmp_path, [passed(1), passed(2)], [("data", "lock", LOCK)])
    (gap,) = gaps(report)

    assert (gap.count, gap.verdict, gap.direction, str(gap.confidence)) == (2, "allowed", "ingress", "likely")
    assert [ref.name for ref in gap.isolating] == ["lock"]
    assert gap.title.endswith(" on 8080/TCP, which the known policies refuse")
    assert gap.counterfactual is None
    assert (report.totals.denied, report.totals.allowed) == (0, 2)
    assert all(count == 0 for count in report.buckets.counts.denied)


def test_a_gap_stands_beside_refusals_and_in_none_of_their_counts(tmp_path):
    """The same call was refused before; the refusal leads."""
    lines = [record(1, way="INGRESS"), passed(600)]
    report = analyzed(tmp_path, lines, [("data", "lock", LOCK)])

    assert [(one.code, one.count) for one in report.problems] == [("FD101", 1), ("FD810", 1)]
    assert report.totals.denied == 1


def test_what_the_source_let_go_proves_nothing_of_the_destination(tmp_path):
    """Its egress is not policed, and what came of it where it arrived is in no record."""
    assert gaps(analyzed(tmp_path, [passed(1, way="EGRESS")], [("data", "lock", LOCK)])) == []


def test_what_arrived_had_been_let_go(tmp_path):
    """A record of the destination proves that the source's default deny let it out."""
    lock = {"podSelector": {}, "policyTypes": ["Egress"]}
    (gap,) = gaps(analyzed(tmp_path, [passed(1)], [("shop", "lock", lock)]))

    assert gap.direction == "egress"


@pytest.mark.parametrize("created", ["2026-03-01T11:59:55Z", "2026-03-01T12:00:30Z", "2026-03-01T13:00:00Z"])
def test_no_gap_around_a_change(tmp_path, created):
    """Dataplanes lag behind a new policy, and what came before it met none."""
    lines = [passed(second) for second in (1, 20, 40)]

    assert gaps(analyzed(tmp_path, lines, [("data", "lock", LOCK)], created=created)) == []


def test_no_gap_around_a_change_of_labels(tmp_path):
    """Until then the namespace had the label that lets it in, and dataplanes lag behind a label as well."""
    spaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": team}}}
        for team in ("front", "shop")
    ]
    names = {"resource": "namespaces", "namespace": "shop", "name": "shop"}
    changes = zip((-600, 30), spaces, strict=True)
    (tmp_path / "audit.log").write_text(
        "".join(audit(second, "update", **names, responseObject=space) for second, space in changes)
    )
    rule = {"from": [{"namespaceSelector": {"matchLabels": {"team": "front"}}}]}
    lock = ("data", "lock", {**LOCK, "ingress": [rule]})

    assert gaps(analyzed(tmp_path, [passed(second) for second in (1, 20, 40)], [lock])) == []
    (gap,) = gaps(analyzed(tmp_path, [passed(second) for second in (1, 20, 60)], [lock]))
    assert gap.count == 1


def test_no_gap_where_allowed_traffic_was_not_read(tmp_path):
    """Nothing passed, as far as this run looked."""
    report = analyzed(
        tmp_path, [passed(1)], [("data", "lock", LOCK)], evidence=EvidenceOptions(only_denied=True)
    )
    assert report.problems == ()


def test_no_gap_without_all_kinds_of_policy(tmp_path):
    """Cilium's own policies were not read; one of them may allow it."""
    (tmp_path / "state.json").write_text(json.dumps(state([("data", "lock", LOCK)])))
    (tmp_path / "flows.jsonl").write_text(passed(1))

    assert (
        analyze(
            [str(tmp_path / "flows.jsonl")], state=StateOptions(paths=(str(tmp_path / "state.json"),))
        ).problems
        == ()
    )
