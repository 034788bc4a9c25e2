"""Lookups that a policy by DNS names forgot to allow, where the rule that comes nearest is for something else."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest
import yaml
from small_cluster import CREATED, OBJECTS, end, listed, namespace, pod, record, write

from flowdiag.analysis import analyze

DNS = end("kube-system", "coredns-7d764666f9-k2x4z", "10.0.9.10", "coredns", 1003)
BY_NAME = {
    "toFQDNs": [{"matchName": "scale.example.com"}],
    "toPorts": [{"ports": [{"port": "443", "protocol": "TCP"}]}],
}


@pytest.mark.parametrize(
    ("rules", "proxied"),
    [([BY_NAME], {"dns": [{"matchPattern": "*"}]}), ([], None)],
    ids=["by name", "without names"],
)
def test_dns_is_admitted_on_its_port_and_through_the_proxy_where_names_need_it(tmp_path, rules, proxied):
    """The rule for the API server is for every port: a new one beside it opens one, and toFQDNs learn from the proxy."""
    spec = {
        "endpointSelector": {"matchLabels": {"app": "web"}},
        "egress": [{"toEntities": ["kube-apiserver"]}, *rules],
    }
    meta = {"name": "web", "namespace": "shop", "creationTimestamp": CREATED, "generation": 1}
    cnp = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": meta, "spec": spec}
    lookups = [json.loads(record(second, dst=DNS, port=53)) for second in range(0, 40, 4)]
    for one in lookups:
        one["flow"]["l4"] = {"UDP": {"source_port": 40000, "destination_port": 53}}
    lines = "".join(json.dumps(one) + "\n" for one in lookups)
    dns = pod("kube-system", "coredns-7d764666f9-k2x4z", "10.0.9.10", "coredns", port=53)
    state = listed(*OBJECTS[:-1], namespace("kube-system"), dns, cnp)
    (problem,) = analyze([write(tmp_path, state_json=state, flows_jsonl=lines)]).problems
    mend = problem.counterfactual

    assert (problem.code, mend.proved) == ("FD401", True)
    # What is too long for UDP is asked for again over TCP.
    assert [(one.dst, one.protocol, one.ports) for one in mend.also_allows] == [
        ("kube-system/coredns", "TCP", ("53",))
    ]
    assert mend.summary == (
        "Admit kube-system/coredns on 53/UDP and 53/TCP in CiliumNetworkPolicy shop/web by a rule beside egress[0]."
    )
    assert not problem.advice.startswith("Correct the entity")
    added = yaml.safe_load(mend.manifests[0])["spec"]["egress"][-1]
    assert list(added) == ["toEndpoints", "toPorts"]
    assert added["toPorts"][0]["ports"] == [{"port": "53", "protocol": each} for each in ("UDP", "TCP")]
    assert added["toPorts"][0].get("rules") == proxied
