"""A doubt that two parts of a diagnosis come upon is one sentence of the report."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, listed, record, world, write

from flowdiag.analysis import analyze

LOOKUPS = {
    "toEndpoints": [{"matchLabels": {"k8s-app": "kube-dns"}}],
    "toPorts": [{"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": [{"matchPattern": "*"}]}}],
}
BY_NAME = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumNetworkPolicy",
    "metadata": {"name": "by-name", "namespace": "shop", "creationTimestamp": "2026-02-01T12:00:00Z"},
    "spec": {"endpointSelector": {}, "egress": [LOOKUPS, {"toFQDNs": [{"matchName": "api.example.net"}]}]},
}


def test_whose_address_it_is_stays_one_doubt(tmp_path):
    """The rule may match: that is why the replay cannot decide, and it is not said again of the rule."""
    records = "".join(record(second, dst=world(), port=443) for second in range(1, 20, 2))
    folder = write(tmp_path, state_json=listed(*OBJECTS[:-1], BY_NAME), flows_jsonl=records)
    (problem,) = analyze([folder]).problems

    assert problem.nearest[0].misses == ()
    assert (
        len([note for note in problem.notes if "whether the address belongs to api.example.net" in note]) == 1
    )
