"""What a change of manifests opens and closes, against another analyser's answers."""

import json
from pathlib import Path

import pytest

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.policy import Dialect, IpBlockPods
from flowdiag.policy import compile_policies
from flowdiag.policy.matrix import texts
from flowdiag.policy.whatif import compare

SUITE = Path(__file__).resolve().parents[3] / "shared" / "suites" / "policy-diff"
CASES = sorted(path.parent for path in SUITE.glob("*/expect.json"))


def load(folder, mode):
    inputs = [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*.y*ml"))]
    snapshot, _ = build_snapshot(inputs)
    policies = compile_policies(snapshot, dialect=Dialect.KUBERNETES, ip_block_pods=mode)
    return snapshot, policies


@pytest.mark.skipif(not CASES, reason="the suites are not beside the checkout (shared/suites/policy-diff)")
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_the_changes_and_nothing_else(case):
    """Every changed pair with its ports before and after, and no other pair."""
    expected = json.loads((case / "expect.json").read_text())
    mode = {"match": IpBlockPods.MATCH, "no-match": IpBlockPods.NO_MATCH}.get(
        expected.get("pod_ip_in_ip_block"), IpBlockPods.AUTO
    )
    found = compare(load(case / "resources-old", mode), load(case / "resources-new", mode))
    mine = {
        (change.src, change.dst): (change.change, texts(change.old), texts(change.new))
        for change in found
        if change.change is not None and change.version != 6
    }
    theirs = {
        (row["src"], row["dst"]): (
            row["type"],
            {protocol: tuple(ports) for protocol, ports in row["old"].items()},
            {protocol: tuple(ports) for protocol, ports in row["new"].items()},
        )
        for row in expected["changes"]
    }

    missing = {pair: value for pair, value in theirs.items() if mine.get(pair) != value}
    assert {pair: (value, mine.get(pair)) for pair, value in list(missing.items())[:5]} == {}
    assert sorted(set(mine) - set(theirs))[:5] == []
