"""A drop of which Hubble and a Kubernetes Event tell, and an object that lies in two dumps."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "timeline"))

from flows import flow, outside, pod
from msgspec.structs import replace
from small_cluster import OBJECTS, at, listed, record, write

from flowdiag.analysis import analyze
from flowdiag.analysis.told_by_events import counted_once
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS

WEB, DB = pod("shop", "web-1"), pod("data", "db-1")


def seconds(one):
    """(second, count) of each bucket of a flow."""
    return [(bucket.start and bucket.start // NS, bucket.count) for bucket in one.buckets]


def hubble(*counts, src=WEB, dst=DB, **more):
    """A flow of Hubble's with (second, count)."""
    buckets = tuple(Bucket(second if second is None else second * NS, NS, count) for second, count in counts)
    timed = [second for second, _ in counts if second is not None]
    made = flow(src, dst, at=100, **more)
    return replace(
        made,
        buckets=buckets,
        count=sum(count for _, count in counts),
        first=timed[0] * NS + NS // 2 if timed else None,
        last=timed[-1] * NS + NS // 2 if timed else None,
    )


def events(*counts, **more):
    """The same of Events."""
    made = hubble(*counts, **more)
    return replace(made, distinct=replace(made.distinct, parser="kubernetes-events"))


def left(own, *others):
    """What of an Event's flow counts beside others."""
    found = [one for one in counted_once([own, *others]) if one.distinct.parser == "kubernetes-events"]
    assert len(found) <= 1
    return found[0] if found else None


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


def test_only_the_time_of_an_event_is_looked_at():
    """A flow that others tell long before or after is no telling of this refusal; those beside it are, a second each way."""
    own = events((100, 1))

    assert left(own, hubble((99, 1))) is None
    assert left(own, hubble((101, 1))) is None
    assert left(own, hubble((98, 9))) is own
    assert left(own, hubble((102, 9))) is own
    assert left(own, hubble((50, 1), (150, 1))) is own


def test_each_refusal_that_others_tell_stands_for_one():
    """Not for two Events; and those of before the first are not taken for it."""
    assert seconds(left(events((100, 1), (101, 1)), hubble((100, 1)))) == [(101, 1)]
    assert left(events((100, 1), (101, 1)), hubble((100, 1)), hubble((101, 1))) is None
    assert seconds(left(events((100, 1), (160, 4)), hubble((20, 9), (100, 1), (160, 1)))) == [(160, 3)]
    assert left(events((100, 1), (160, 4)), hubble((100, 3), (130, 1), (160, 1))) is None


def test_what_is_left_has_times_of_its_own():
    """A bucket knows its records' times only to its width; the flow's own ends are exact."""
    own = events((100, 1), (200, 2), (300, 1))
    early = left(own, hubble((300, 5)))
    late = left(own, hubble((100, 5)))
    most = left(own, hubble((200, 1)))

    assert (early.count, early.first, early.last) == (3, own.first, 201 * NS - 1)
    assert (late.count, late.first, late.last) == (3, 200 * NS, own.last)
    assert (most.count, most.first, most.last, seconds(most)) == (
        3,
        own.first,
        own.last,
        [(100, 1), (200, 1), (300, 1)],
    )


def test_without_a_time_nothing_is_taken_for_the_same():
    """Neither an Event's refusals without one, nor those of others."""
    undated = events((None, 2))

    assert left(undated, hubble((100, 5))) is undated
    assert left(events((100, 1)), hubble((None, 5))) == events((100, 1))
    assert seconds(left(events((None, 2), (100, 1)), hubble((100, 1)))) == [(None, 2)]


def test_refusals_of_another_reason_or_other_ends_are_others():
    """An Event without a reason is of any; outside, the address tells."""
    one, two = outside("203.0.113.7"), outside("203.0.113.8")

    assert left(events((100, 1), reason=None), hubble((100, 1))) is None
    assert left(events((100, 1), reason="INVALID_PACKET"), hubble((100, 1))) is not None
    assert left(events((100, 1), dst=one), hubble((100, 1), dst=one)) is None
    assert left(events((100, 1), dst=one), hubble((100, 1), dst=two)) is not None
    assert left(events((100, 1)), hubble((100, 1), port=9090)) is not None


def test_flows_beside_it_stay_the_objects_that_they_are():
    """Nothing is made anew of what no Event tells of."""
    others = [hubble((100, 1)), hubble((100, 1), port=53)]

    assert all(one is other for one, other in zip(counted_once(others), others, strict=True))
    assert [*counted_once([*others, events((100, 1))])] == others
