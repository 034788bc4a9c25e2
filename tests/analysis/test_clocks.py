"""Nodes whose clocks disagree: found from both ends' records of one connection, said, and kept in mind."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import record
from test_rule_use import state

from flowdiag.analysis import analyze

LOCK = {"podSelector": {}, "policyTypes": ["Egress"]}


def _on(node, line):
    flow = json.loads(line)
    flow["node_name"] = flow["flow"]["node_name"] = node
    return json.dumps(flow) + "\n"


def _analyzed(tmp_path, offset, created):
    """Five calls that both nodes recorded, the second node's clock ahead; then refusals on the first."""
    lines = []
    for number in range(5):
        more = {"verdict": "FORWARDED", "source_port": 50000 + number, "port": 9000}
        lines.append(_on("node-a", record(number, way="EGRESS", **more)))
        lines.append(_on("node-b", record(number + offset, way="INGRESS", **more)))
    lines.append(_on("node-a", record(40, way="EGRESS")))
    whole = state([("shop", "lock", LOCK)])
    whole["items"][-1]["metadata"] |= {"creationTimestamp": created, "generation": 1}
    (tmp_path / "state.json").write_text(json.dumps(whole))
    (tmp_path / "flows.jsonl").write_text("".join(lines))
    return analyze([str(tmp_path)])


def _doubts(report):
    return [note for problem in report.problems for note in problem.notes if "clocks" in note]


def test_clocks_that_disagree_are_found_and_an_order_across_them_is_not_claimed(tmp_path):
    """Seven seconds apart; the policy stands three seconds before the first refusal."""
    report = _analyzed(tmp_path, 7, "2026-03-01T12:00:37Z")
    (skew,) = report.evidence.clock_skew

    assert (skew.node, skew.reference, skew.offset_s) == ("node-b", "node-a", 7.0)
    assert _doubts(report) == [
        (
            "the clocks of node-b and node-a are 7.0 s apart: whether NetworkPolicy shop/lock was created "
            "before the first refusal or after it is not certain"
        )
    ]


@pytest.mark.parametrize(("offset", "created"), [(0, "2026-03-01T12:00:37Z"), (7, "2026-03-01T12:00:20Z")])
def test_no_doubt_where_clocks_agree_or_the_change_is_further_away(tmp_path, offset, created):
    """Nothing is said of what the difference cannot turn round."""
    assert _doubts(_analyzed(tmp_path, offset, created)) == []


def _interval(start, node, reporter, **addresses):
    """A Calico flow log's record of fifteen seconds, of one aggregated source."""
    ends = {"source_name": "-", "source_name_aggr": "web-5d9c7b6f4-*", "source_namespace": "shop"}
    ends |= {"dest_name": "-", "dest_name_aggr": "db-7f6b5c4d6-*", "dest_namespace": "data"}
    record = {
        "start_time": 1_772_366_400 + start,
        "end_time": 1_772_366_415 + start,
        **ends,
        "source_type": "wep",
        "dest_type": "wep",
        "dest_port": 8080,
        "proto": "tcp",
        "action": "deny",
        "reporter": reporter,
        "num_flows": 1,
        "host": node,
        **addresses,
    }
    return json.dumps(record) + "\n"


@pytest.mark.parametrize(
    ("addresses", "reporter"),
    [({}, "src"), ({"source_ip": "10.0.0.5", "dest_ip": "10.0.1.7"}, "dst")],
    ids=["two pods of a workload", "both ends of one"],
)
def test_intervals_of_two_nodes_tell_nothing_of_their_clocks(tmp_path, addresses, reporter):
    """Records without addresses are of anybody, and nodes begin their intervals when they like."""
    lines = [
        line
        for start in (0, 60, 120, 180)
        for line in (
            _interval(start, "node-a", "src", **addresses),
            _interval(start + 15, "node-b", reporter, **addresses),
        )
    ]
    (tmp_path / "flows.log").write_text("".join(lines))

    assert analyze([str(tmp_path)]).evidence.clock_skew == ()
