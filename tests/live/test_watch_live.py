"""A running cluster that changes while somebody watches: its objects are read again, and what held before is known."""

import io
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from flowdiag.analysis import reread, window_report
from flowdiag.analysis.options import EvidenceOptions, Selection, StateOptions
from flowdiag.analysis.reread import Objects
from flowdiag.analysis.watch import Watch
from flowdiag.cluster.live.options import ClusterOptions
from tests.apiserver.cluster import policy, small
from tests.apiserver.server import Fault
from tests.live.clusters import server

OPEN = {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}


@pytest.fixture
def cluster():
    with server(small()) as one:
        yield one


@pytest.fixture
def objects(cluster, tmp_path, monkeypatch):
    """As they were when the watch began; due at once."""
    monkeypatch.setattr(reread, "AGAIN_S", 0.0)
    monkeypatch.setattr(reread, "_SHARE", 0)
    live = ClusterOptions(kubeconfig=str(cluster.kubeconfig(tmp_path / "kubeconfig")))
    return Objects.read(StateOptions(live=live))


def drop(cluster, name):
    """Take a policy out of the store."""
    for held in cluster.objects.values():
        held[:] = [one for one in held if (one["kind"], one["metadata"]["name"]) != ("NetworkPolicy", name)]


def names(objects):
    (manifest,) = objects.inputs.manifests.values()
    return {entry.key[3] for entry in manifest.entries if entry.key[1] == "NetworkPolicy"}


def test_a_policy_that_is_applied_while_somebody_watches_counts(cluster, objects):
    """It says itself when it was made."""
    before = objects.inputs.taken
    cluster.add(policy("data", "allow-all", OPEN))

    assert objects.again() == []
    assert names(objects) == {"default-deny", "allow-all"}
    assert (objects.readings, objects.inputs.taken > before) == (2, True)


def test_what_was_deleted_or_changed_is_told_with_what_it_was(cluster, objects):
    """As an audit log would tell it, so that refusals of that time are replayed against what held then."""
    (deny,) = [one for one in small() if one["kind"] == "NetworkPolicy"]
    cluster.add(policy("data", "other", OPEN))
    objects.again()
    drop(cluster, "other")
    cluster.add(policy("data", "other", {"podSelector": {}}))
    drop(cluster, "default-deny")
    told = {event.object.name: event for _, event in objects.again()}

    assert {name: event.change for name, event in told.items()} == {
        "other": "updated",
        "default-deny": "deleted",
    }
    assert told["default-deny"].before["spec"] == deny["spec"]
    assert told["other"].before["spec"]["ingress"] == OPEN["ingress"]
    assert "ingress" not in told["other"].after["spec"]
    assert abs(told["default-deny"].at - time.time_ns()) < 300 * 10**9
    assert len({event.line for event in told.values()}) == 2
    assert objects.again() == []


def test_a_cluster_that_cannot_be_read_again_keeps_the_objects_there_are(cluster, objects):
    """And says so, until it can."""
    before = objects.inputs
    fault = Fault("/", "status", status=403, times=999)
    cluster.faults.append(fault)
    assert (objects.again(), objects.inputs) == ([], before)
    (warning,) = objects.warnings
    assert warning.code == "objects-old"
    assert "could not be read again (" in warning.message
    cluster.faults.clear()

    assert (objects.again(), objects.warnings) == ([], ())


def test_what_is_forbidden_by_now_is_not_deleted(cluster, objects):
    """Nobody looked, so that nothing is known of it."""
    cluster.faults.append(Fault("/networkpolicies", "status", status=403, times=99))

    assert objects.again() == []
    assert objects.readings == 2


def test_a_refusal_by_a_policy_that_is_deleted_by_now_is_still_laid_to_it(cluster, tmp_path, monkeypatch):
    """The report at the end reads the cluster once more, and knows what held before."""
    monkeypatch.setattr(reread, "AGAIN_S", 0.0)
    monkeypatch.setattr(reread, "_SHARE", 0)
    at = datetime.now(UTC) - timedelta(seconds=20)
    flow = {
        "time": at.isoformat().replace("+00:00", "Z"),
        "verdict": "DROPPED",
        "drop_reason": 133,
        "drop_reason_desc": "POLICY_DENIED",
        "traffic_direction": "INGRESS",
        "IP": {"source": "10.42.0.10", "destination": "10.42.0.20", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 40000, "destination_port": 5432, "flags": {"SYN": True}}},
        "source": {"namespace": "shop", "pod_name": "web-1"},
        "destination": {"namespace": "data", "pod_name": "db-1"},
        "Type": "L3_L4",
        "node_name": "node-1",
        "event_type": {"type": 1, "sub_type": 133},
    }
    stream = tmp_path / "flows.json"
    stream.write_text("")
    live = ClusterOptions(kubeconfig=str(cluster.kubeconfig(tmp_path / "kubeconfig")))
    window_report._read.clear()
    with Watch(
        str(stream),
        evidence=EvidenceOptions(),
        state=StateOptions(live=live),
        selection=Selection(),
        window=900 * 10**9,
        stdin=io.BytesIO(),
    ) as watch:
        stream.write_text(json.dumps({"flow": flow, "node_name": "node-1", "time": flow["time"]}) + "\n")
        for _ in watch.pictures(0.2, lambda: watch.started):
            pass
        drop(cluster, "default-deny")
        report = watch.report()

    (problem,) = report.problems
    assert [(ref.namespace, ref.name) for ref in problem.isolating] == [("data", "default-deny")]
    (change,) = [one for one in report.changes if one.kind == "deleted"]
    assert (change.object.kind, change.object.name) == ("NetworkPolicy", "default-deny")
    assert (report.totals.records, [one.name for one in report.generator.parsers]) == (1, ["hubble-json"])
    assert names(window_report._read[StateOptions(live=live)]) == set()
