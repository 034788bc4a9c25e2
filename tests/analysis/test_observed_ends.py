"""What `explain` finds in evidence that names workloads, Services or pods that are gone in place of today's pods."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, OBJECTS, end, listed, pod, policy, record, refused, write
from test_behind_services import REFUSED, SERVICE

from flowdiag.analysis import explain
from flowdiag.analysis.options import StateOptions

SECOND = pod("shop", "web-5d9c7b6f4-zz9pl", "10.0.0.6", "web")
GONE = end("shop", "web-6f5d8c9b7-old01", "10.0.0.77", "web")


def interval(number):
    """A refused connection in a Calico flow log, which names the workloads' pods by what they share."""
    ends = {"source_name": "-", "source_name_aggr": "web-5d9c7b6f4-*", "source_namespace": "shop"}
    ends |= {"dest_name": "-", "dest_name_aggr": "db-7f6b5c4d6-*", "dest_namespace": "data"}
    start = 1_772_366_400 + 15 * number
    rest = {"source_type": "wep", "dest_type": "wep", "dest_port": 8080, "proto": "tcp", "action": "deny"}
    rest |= {"reporter": "src", "num_flows": 1, "start_time": start, "end_time": start + 15}
    return json.dumps({**ends, **rest}) + "\n"


def seen(folder, src, dst, *objects, port=8080, **evidence):
    """What was observed, with these objects beside the small cluster's."""
    folder = write(folder, state_json=listed(*OBJECTS, *objects), **evidence)
    result, _, _ = explain(src, dst, port, "TCP", paths=[folder], state=StateOptions())
    return result.observed


def test_records_of_a_workload_are_of_all_its_pods(tmp_path):
    """Asked for the workload they count; asked for one pod of two nobody knows, and it is said."""
    lines = "".join(map(interval, range(4)))

    assert seen(tmp_path, "shop/web", "data/db", SECOND, flows_log=lines).denied == 4
    one = seen(tmp_path, "shop/web-5d9c7b6f4-x2v4z", "data/db", SECOND, flows_log=lines)
    assert (one.denied, one.unnamed) == (0, 4)
    assert one.text == (
        "nothing was seen between the two in the evidence; 4 records between their workloads name no pod"
    )


def test_a_workloads_only_pod_is_the_workload(tmp_path):
    """There is no other that the record may mean."""
    found = seen(tmp_path, "shop/web-5d9c7b6f4-x2v4z", "data/db", flows_log=interval(0))

    assert (found.denied, found.unnamed) == (1, 0)


def test_pods_that_a_rollout_replaced_were_the_workload_too(tmp_path):
    """The pod of the record is in no state any more; its workload is."""
    lines = record(1, GONE, DB, 8080)

    assert seen(tmp_path, "shop/web", "data/db", flows_jsonl=lines).denied == 1
    assert seen(tmp_path, "data/db", "shop/web", flows_jsonl=lines).denied == 0


@pytest.mark.parametrize("asked", ["data/db", "svc:data/db", "10.96.0.10"])
@pytest.mark.parametrize("other", ["db", "db-canary"])
def test_a_services_address_is_the_pods_behind_it(tmp_path, asked, other):
    """As far as the question means all of them: a workload's pods are not those of the Service of two."""
    second = pod("data", f"{other}-7f6b5c4d6-zz9pl", "10.0.1.8", "db")
    found = seen(tmp_path, "shop/web", asked, second, SERVICE, agent_log=REFUSED)

    assert found.denied == (0 if (asked, other) == ("data/db", "db-canary") else 4)


@pytest.mark.parametrize(("asked", "port"), [("svc:data/db", 80), ("data/db[Deployment]", 9090)])
def test_a_services_port_is_the_port_behind_it(tmp_path, asked, port):
    """80 in the record, 9090 on the one pod."""
    service = json.loads(json.dumps(SERVICE))
    service["spec"]["ports"] = [{"port": 80, "targetPort": 9090, "protocol": "TCP"}]
    lines = REFUSED.replace("Dest Port: 8080", "Dest Port: 80")

    assert seen(tmp_path, "shop/web", asked, service, port=port, agent_log=lines).denied == 4


@pytest.mark.parametrize(
    ("created", "mended"), [("2026-03-01T12:00:40Z", True), ("2026-03-01T11:00:00Z", False)]
)
def test_a_policy_that_came_after_the_refusals_is_named(tmp_path, created, mended):
    """The policies allow it now, and the one that does was made later: nothing disagrees."""
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    found = seen(
        tmp_path, "shop/web", "data/db", policy("shop", "open", spec, created=created), flows_jsonl=refused()
    )

    told = "NetworkPolicy shop/open was created at 2026-03-01 12:00:40 UTC"
    assert found.mended == (told if mended else None)
