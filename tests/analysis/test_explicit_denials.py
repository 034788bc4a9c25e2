"""What a rule denied is put down to that rule, and to no policy that merely isolates the end beside it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, listed, policy, record, write

from flowdiag.analysis import analyze
from flowdiag.parserkit.registry import load
from flowdiag.report import GROUP, Options

CLOSED = policy(
    "data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]}, created="2026-02-01T00:00:00Z"
)
BLOCK = {"name": "block-web", "namespace": "data", "kind": "CiliumNetworkPolicy"}
DENIED = {"drop_reason": 181, "drop_reason_desc": "POLICY_DENY", "ingress_denied_by": [BLOCK]}


def test_a_policy_that_isolates_had_no_part_in_a_recorded_denial(tmp_path):
    """The record names a policy that the state lacks; the default deny beside it is counted for nothing."""
    lines = "".join(
        record(second, way="INGRESS", source_port=40000 + second, **DENIED) for second in range(1, 9, 2)
    )
    report = analyze([write(tmp_path, state_json=listed(*OBJECTS[:-1], CLOSED), flows_jsonl=lines)])
    (problem,) = report.problems
    text = load(GROUP, "terminal").plugin.render(report, Options(width=100))

    assert (problem.code, problem.confidence, problem.count) == ("FD501", "recorded", 4)
    assert {view.name: view.denials for view in report.policies} == {"closed": 0}
    assert "CiliumNetworkPolicy data/block-web: deny" in text
    assert "isolated by" not in text
