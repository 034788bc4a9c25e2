"""A drop of which Hubble and a Kubernetes Event tell, and an object that lies in two dumps."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import OBJECTS, at, listed, record, write

from flowdiag.analysis import analyze


def event(
    first, last=None, count=1, *, to="data/db-7f6b5c4d6-k8m2n (10.0.1.7)", port=8080, uid="e1", rest=""
):
    """What Cilium's agent (v1.19) writes of a packet that web's pod lost on its way out."""
    about = {"kind": "Pod", "namespace": "shop", "name": "web-5d9c7b6f4-x2v4z"}
    stamps = {
        "firstTimestamp": at(first)[:19] + "Z",
        "lastTimestamp": at(first if last is None else last)[:19] + "Z",
    }
    return (
        json.dumps(
            {
                "kind": "Event",
                "apiVersion": "v1",
                "metadata": {"name": f"web.{uid}", "namespace": "shop", "uid": uid},
                "involvedObject": about,
                "reason": "PacketDrop",
                "message": f"Outgoing packet dropped (policy_denied) to {to} TCP/{port}{rest}",
                "source": {"component": "cilium", "host": "node-a"},
                **stamps,
                "count": count,
                "type": "Warning",
            }
        )
        + "\n"
    )


def found(folder, **files):
    """The problem of this evidence beside the small cluster's objects, and its report."""
    report = analyze([write(folder, state_json=listed(*OBJECTS), **files)])
    (problem,) = report.problems
    return problem, report


@pytest.mark.parametrize("told_a_second_later", [False, True])
def test_a_drop_that_an_event_tells_too_counts_once(tmp_path, told_a_second_later):
    """The agent makes the Event of the same drop, and stamps it with a whole second."""
    problem, report = found(
        tmp_path, flows_jsonl=record(1.98), events_jsonl=event(2 if told_a_second_later else 1)
    )

    assert (problem.count, report.totals.denied, report.totals.records) == (1, 1, 2)


def test_what_hubble_does_not_tell_stays(tmp_path):
    """Events of before the export begins, of other ports and ends, and those that name a policy which no flow names."""
    flows = "".join(record(second + 0.5) for second in (300, 310, 320)) + record(310.5, port=7070)
    more = event(0, uid="before") + event(300, uid="same") + event(305, port=9090, uid="port")
    more += event(300, to="data/db-7f6b5c4d6-zzzzz (10.0.1.9)", uid="pod")
    more += event(310, port=7070, uid="named", rest=". Denied by policies: CiliumNetworkPolicy/deny.")
    report = analyze([write(tmp_path, state_json=listed(*OBJECTS), flows_jsonl=flows, events_jsonl=more)])
    ports = {
        port: sum(one.count for problem in report.problems for one in problem.connections if one.port == port)
        for port in (7070, 8080, 9090)
    }

    assert ports == {7070: 2, 8080: 3 + 1 + 1, 9090: 1}
    assert min(problem.first for problem in report.problems) == at(0)


def test_an_event_that_came_again_stands_for_what_hubble_told_since(tmp_path):
    """It has the times of its first and its last refusal alone; where there are more of them than flows, the larger number stands."""
    flows = "".join(record(second + 0.5) for second in (0, 20, 40, 60))
    fewer, _ = found(tmp_path / "a", flows_jsonl=flows, events_jsonl=event(0, 60, 3))
    more, _ = found(tmp_path / "b", flows_jsonl=flows, events_jsonl=event(0, 60, 6))
    alone, _ = found(tmp_path / "c", events_jsonl=event(0, 60, 6))

    assert (fewer.count, more.count, alone.count) == (4, 6, 6)


def test_an_object_in_two_dumps_is_said_to_count_twice(tmp_path):
    """An Event is the same by its uid, though its count rose between the dumps; others beside it are not."""
    once, _ = event(0), event(9, uid="e2")
    _, report = found(tmp_path / "a", a_jsonl=once, b_jsonl=event(0, 30, 4))
    _, apart = found(tmp_path / "b", a_jsonl=once, b_jsonl=event(0, uid="e3"))

    (told,) = report.warnings
    assert (told.code, told.input.rpartition("/")[2], told.line) == ("told-twice", "b.jsonl", 1)
    assert "a.jsonl holds too: what both" in told.message
    assert apart.warnings == ()


def test_a_traceflow_in_two_files_is_said_to_count_twice(tmp_path):
    """As it came from the API and in a list, where only some of its metadata is kept."""
    trace = {
        "apiVersion": "crd.antrea.io/v1beta1",
        "kind": "Traceflow",
        "metadata": {
            "name": "why",
            "uid": "t1",
            "resourceVersion": "77",
            "creationTimestamp": at(0)[:19] + "Z",
        },
        "spec": {
            "source": {"namespace": "shop", "pod": "web-5d9c7b6f4-x2v4z"},
            "destination": {"namespace": "data", "pod": "db-7f6b5c4d6-k8m2n"},
            "packet": {"ipHeader": {"protocol": 6}, "transportHeader": {"tcp": {"dstPort": 8080}}},
        },
        "status": {
            "phase": "Succeeded",
            "results": [
                {
                    "node": "node-a",
                    "timestamp": 1772366400,
                    "observations": [
                        {
                            "action": "Dropped",
                            "component": "NetworkPolicy",
                            "componentInfo": "EgressDefaultRule",
                        }
                    ],
                }
            ],
        },
    }
    _, report = found(tmp_path, a_jsonl=json.dumps(trace) + "\n", traces_json=listed(trace))

    assert [one.code for one in report.warnings] == ["told-twice"]
