"""Retina writes Hubble's records of nodes on which Cilium is not: who enforces there, the objects alone may tell."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, DENY, OBJECTS, listed, policy, record, write

from flowdiag.analysis import analyze
from flowdiag.ingest import ReadOptions
from flowdiag.ingest.follow import Follower

RETINA = {"extensions": {"@type": "type.googleapis.com/utils.RetinaMetadata", "bytes": "74"}}
BY_RANGE = {
    "podSelector": {},
    "policyTypes": ["Ingress"],
    "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/16"}}]}],
}
"""Admits every pod of the cluster, where who enforces goes by addresses."""
OPEN = [one for one in OBJECTS if one is not DENY]
CALICO = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "GlobalNetworkPolicy",
    "metadata": {"name": "default.none", "creationTimestamp": CREATED},
    "spec": {"selector": "app == 'none'", "types": ["Egress"]},
}


def refused(**more):
    return "".join(record(second, way="INGRESS", source_port=40000 + second, **more) for second in range(5))


def report(folder, text, *objects):
    return analyze([write(folder, flows_jsonl=text, state_json=listed(*OPEN, *objects))])


def test_a_range_that_admits_pods_is_not_blamed_by_cilium_s_rules(tmp_path):
    """Cilium matches no pod by its address; other enforcers do, and a rule of a firewall may have dropped it."""
    admitting = policy("data", "db-in", BY_RANGE, created=CREATED)
    told = report(tmp_path / "retina", refused(**RETINA), admitting)
    hubble = report(tmp_path / "hubble", refused(), admitting)

    assert (told.cluster.cni, told.totals.unattributed) == ((), 5)
    assert (hubble.cluster.cni, hubble.totals.unattributed) == (("cilium",), 0)


def test_objects_tell_whose_rules_decide(tmp_path):
    """With Calico's objects beside, the policies are read as Calico does, and what refuses is named."""
    closed = policy("data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]}, created=CREATED)
    told = report(tmp_path, refused(**RETINA), CALICO, closed)

    assert told.totals.unattributed == 0
    assert [problem.code for problem in told.problems] == ["FD101"]


def test_files_of_one_name_may_be_of_several_cnis(tmp_path):
    """Which of the two wrote it is asked of each file, also where the second is only asked for its format."""
    (tmp_path / "flows-1.log").write_text(refused(**RETINA))
    (tmp_path / "flows-2.log").write_text(refused())

    assert analyze([str(tmp_path)]).cluster.cni == ("cilium",)


def test_a_stream_is_asked_as_well():
    """`watch` shows no CNI either."""
    follower = Follower("-", ReadOptions())
    list(follower.feed(refused(**RETINA).encode()))
    list(follower.recognise(ended=True))

    assert (follower.parser.name, follower.cni) == ("hubble-json", None)
