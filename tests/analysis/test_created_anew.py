"""A StatefulSet's pod that was created anew under its name, with another address: what is to be tried is the new one."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DENY, OBJECTS, end, listed, namespace, pod, record, write

from flowdiag.analysis import analyze

OLD, NEW = "10.0.1.7", "10.0.1.8"


def db(ip):
    """The pod ``db-0`` as records have it."""
    one = json.loads(json.dumps(end("data", "db-0", ip, "db", 1001)))
    one["end"]["workloads"] = [{"name": "db", "kind": "StatefulSet"}]
    return one


def now(created="2026-03-01T12:05:00Z"):
    """Its object, of five minutes past noon unless said otherwise."""
    one = pod("data", "db-0", NEW, "db", created=created)
    one["metadata"]["ownerReferences"][0] |= {"kind": "StatefulSet", "name": "db"}
    return one


def address_to_try(folder, state, *records):
    lines = "".join(record(second, dst=db(ip)) for second, ip in records)
    objects = listed(namespace("shop"), namespace("data"), OBJECTS[2], state, DENY)
    (problem,) = analyze([write(folder, state_json=objects, flows_jsonl=lines)]).problems
    assert problem.verify[0].startswith("kubectl -n shop exec deploy/web -- nc -zvw3 ")
    return problem.verify[0].split()[-2]


@pytest.mark.parametrize(
    "records",
    [[(2, OLD), (4, OLD)], [(2, OLD), (4, OLD), (600, NEW)]],
    ids=["before alone", "before and since"],
)
def test_the_address_of_the_pod_that_is_gone_is_not_tried(tmp_path, records):
    """Nobody answers there any more, which would look as if it were refused still."""
    assert address_to_try(tmp_path, now(), *records) == NEW


@pytest.mark.parametrize("created", ["2026-03-01T11:00:00Z", None])
def test_another_address_of_the_pod_itself_is_tried_as_it_was_recorded(tmp_path, created):
    """It may be one in a further network, which the object does not list."""
    state = now(created)
    if created is None:
        del state["metadata"]["creationTimestamp"]
        del state["status"]["startTime"]

    assert address_to_try(tmp_path, state, (2, OLD), (4, OLD)) == OLD
