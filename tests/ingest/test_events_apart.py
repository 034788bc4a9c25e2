"""Kubernetes Events in a list are records: they are read as those, and never taken for the cluster's state."""

import gzip
import json
import sys

import pytest
import yaml

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.cli.main import _run
from flowdiag.ingest import Detection, Gathered, Hint, InputKind
from flowdiag.ingest.events_apart import events_apart
from flowdiag.ingest.mixed import laid_apart
from flowdiag.ingest.printed import printed_by_kubectl
from flowdiag.model.errors import InputError

KUBELET = {"component": "kubelet", "host": "worker-1"}
PROBE = {
    "apiVersion": "v1",
    "kind": "Event",
    "count": 12,
    "eventTime": None,
    "firstTimestamp": "2026-01-05T10:00:00Z",
    "lastTimestamp": "2026-01-05T10:05:00Z",
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
    "message": 'Readiness probe failed: Get "http://10.244.1.17:8080/healthz": dial tcp 10.244.1.17:8080: i/o timeout',
    "metadata": {"name": "web-1.17a", "namespace": "shop", "managedFields": [{"manager": "kubelet"}]},
    "reason": "Unhealthy",
    "source": KUBELET,
    "type": "Warning",
}
SANDBOX = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "eventTime": "2026-01-05T10:01:00.123456Z",
    "metadata": {"name": "web-2.17b", "namespace": "shop"},
    "note": "Failed to create pod sandbox: plugin failed",
    "reason": "FailedCreatePodSandBox",
    "regarding": {"kind": "Pod", "namespace": "shop", "name": "web-2"},
    "reportingController": "kubelet",
    "type": "Warning",
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop"},
    "status": {"podIP": "10.244.1.17", "phase": "Running"},
}


def listed(*items, kind="List"):
    return {"apiVersion": "v1", "items": list(items), "kind": kind, "metadata": {"resourceVersion": ""}}


def untyped(item):
    return {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}


EVENTS = listed(PROBE, SANDBOX)
FORMS = {
    "json": json.dumps(EVENTS, indent=4),
    "one line": json.dumps(EVENTS),
    "yaml": yaml.safe_dump(EVENTS),
    "of a type": json.dumps(listed(untyped(PROBE), untyped(SANDBOX), kind="EventList"), indent=2),
    "of a type in yaml": yaml.safe_dump(listed(untyped(PROBE), untyped(SANDBOX), kind="EventList")),
    "documents": yaml.safe_dump_all([PROBE, SANDBOX]),
    "behind a prompt": "ops@bastion:~$ kubectl get events -A -o json\n" + json.dumps(EVENTS, indent=4),
}


def told(path, capfd):
    assert _run(["events", str(path)], "flowdiag") == 0
    sys.stdout.flush()
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_a_list_of_events_is_read(tmp_path, capfd, form, packed):
    """As JSON and YAML, of either API; `line` is the Event's number in the list."""
    path = tmp_path / "events"
    data = FORMS[form].encode()
    path.write_bytes(gzip.compress(data) if packed else data)

    found = told(path, capfd)

    assert [(one["line"], one["signal"], one["at"]) for one in found] == [
        (1, "probe-unanswered", "2026-01-05T10:05:00.000000000Z"),
        (2, "pod-sandbox-failed", "2026-01-05T10:01:00.123456000Z"),
    ]
    assert found[0]["fields"] == {
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-1",
        "reason": "Unhealthy",
        "count": "12",
    }


@pytest.mark.parametrize("written", [json.dumps, yaml.safe_dump])
def test_events_alone_are_no_state(tmp_path, written):
    """No policy and no pod was seen: the report goes on saying so."""
    (tmp_path / "k8s-events.yaml").write_text(written(EVENTS))

    report = analyze([str(tmp_path)])

    assert [(one.parser, one.records, one.path) for one in report.inputs] == [
        ("kubernetes-events", 2, str(tmp_path / "k8s-events.yaml"))
    ]
    assert report.inputs[0].bytes == (tmp_path / "k8s-events.yaml").stat().st_size
    assert report.evidence.snapshot.source is None
    assert report.complete


@pytest.mark.parametrize("written", [lambda value: json.dumps(value, indent=4), yaml.safe_dump])
def test_events_among_objects_are_read_beside_them(tmp_path, written):
    """``kubectl get pods,events -A``: each is what it is."""
    (tmp_path / "all.yaml").write_text(written(listed(POD, PROBE, SANDBOX)))

    report = analyze([str(tmp_path)])

    assert sorted((one.path.rpartition("/")[2], one.parser, one.records) for one in report.inputs) == [
        ("all.yaml", None, 0),
        ("all.yaml!events", "kubernetes-events", 2),
    ]
    assert report.evidence.snapshot.source is not None


TRACED = {
    "apiVersion": "crd.antrea.io/v1beta1",
    "kind": "Traceflow",
    "metadata": {"name": "why", "creationTimestamp": "2026-01-05T10:00:00Z"},
    "spec": {
        "source": {"namespace": "shop", "pod": "web-1"},
        "destination": {"namespace": "shop", "service": "db"},
        "packet": {"ipHeader": {"protocol": 6}, "transportHeader": {"tcp": {"dstPort": 80}}},
    },
    "status": {
        "phase": "Succeeded",
        "results": [
            {
                "node": "worker-1",
                "timestamp": 1767607200,
                "observations": [
                    {"action": "Forwarded", "component": "SpoofGuard"},
                    {
                        "action": "Dropped",
                        "component": "NetworkPolicy",
                        "componentInfo": "EgressDefaultRule",
                    },
                ],
            }
        ],
    },
}


@pytest.mark.parametrize("written", [lambda value: json.dumps(value, indent=4), yaml.safe_dump])
def test_a_packet_that_antrea_traced_is_a_record(tmp_path, written):
    """As one object and in lists, beside Events; one that is only asked for is an object."""
    (tmp_path / "one.yaml").write_text(written(TRACED))
    (tmp_path / "typed.yaml").write_text(
        written(
            {
                "apiVersion": "crd.antrea.io/v1beta1",
                "kind": "TraceflowList",
                "items": [untyped(TRACED)],
            }
        )
    )
    (tmp_path / "with.yaml").write_text(written(listed(TRACED, PROBE)))
    (tmp_path / "asked.yaml").write_text(written({**TRACED, "status": None}))

    report = analyze([str(tmp_path)])

    assert sorted((one.path.rpartition("/")[2], one.parser, one.records) for one in report.inputs) == [
        ("asked.yaml", None, 0),
        ("one.yaml", "antrea-traceflow", 1),
        ("typed.yaml", "antrea-traceflow", 1),
        ("with.yaml!events", "kubernetes-events", 1),
        ("with.yaml!traceflows", "antrea-traceflow", 1),
    ]
    (problem,) = report.problems
    assert (problem.code, problem.destination.name, problem.count) == ("FD101", "db", 3)
    assert any("one packet that somebody sent" in note for note in problem.notes)


def test_a_format_that_is_forced_is_not_forced_on_events(tmp_path):
    """Nor do they then pass for the cluster's state."""
    (tmp_path / "events.json").write_text(FORMS["json"])
    (tmp_path / "weave.log").write_text(
        "WARN: 2026/01/05 10:00:06.963438 TCP connection from 10.32.0.17:43912 to 10.32.0.5:8080 blocked by Weave NPC.\n"
    )
    report = analyze([str(tmp_path)], evidence=EvidenceOptions(format="weave-npc"))

    assert sorted((one.parser, one.records) for one in report.inputs) == [
        ("kubernetes-events", 2),
        ("weave-npc", 1),
    ]
    assert report.evidence.snapshot.source is None


def test_objects_that_speak_of_events_stay_state(tmp_path):
    """A role for Events, an annotation with one inside."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "a", "namespace": "b", "annotations": {"x": json.dumps(PROBE)}},
        "rules": [{"apiGroups": [""], "resources": ["events"], "verbs": ["get"]}],
    }
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(listed(POD, role)))

    report = analyze([str(tmp_path)])

    assert [(one.parser, one.records) for one in report.inputs] == [(None, 0)]


def test_a_packed_list_that_is_cut_off_is_said_to_be(tmp_path):
    """What is left of it is not taken for all there was."""
    (tmp_path / "events.json.gz").write_bytes(
        gzip.compress(json.dumps(listed(*[PROBE] * 400)).encode(), 0)[:-40]
    )

    with pytest.raises(InputError, match="ended before"):
        analyze([str(tmp_path)])


def test_an_empty_list_of_events_is_nothing(tmp_path):
    """No Event is made of it."""
    (tmp_path / "events.json").write_text(json.dumps(listed(kind="EventList")))
    (tmp_path / "pods.json").write_text(json.dumps(listed(POD)))

    assert [one.parser for one in analyze([str(tmp_path)]).inputs] == [None, None]


@pytest.mark.parametrize(
    "table",
    [
        "NAMESPACE   LAST SEEN   TYPE      REASON      OBJECT      MESSAGE\nshop        5m12s       Warning   Unhealthy   pod/web-1   Readiness probe failed\n",
        "LAST SEEN   TYPE      REASON      OBJECT      MESSAGE\n5m12s       Warning   Unhealthy   pod/web-1   Readiness probe failed\n",
    ],
)
def test_a_table_of_events_is_told_what_to_bring_instead(tmp_path, capfd, table):
    """Its ages mean nothing without the moment that it was printed at."""
    (tmp_path / "events.txt").write_text(table)

    assert _run(["analyze", str(tmp_path / "events.txt")], "flowdiag") == 3
    assert "kubectl get events -A -o yaml" in capfd.readouterr().err


@pytest.mark.usefixtures("never_endless")
def test_capitals_that_go_on_are_no_table():
    """Whatever stands behind the first heading is read once."""
    assert printed_by_kubectl(b"LAST SEEN " + b"A " * 30_000) is None
    assert printed_by_kubectl(b"NAMESPACE   NAME   " + b"A  B " * 10_000) is None


def test_a_list_that_is_being_written_anew_is_no_error(tmp_path):
    """The shell empties the file of ``kubectl get ... > objects.json`` before anything is asked."""
    path = tmp_path / "objects.json"
    path.write_text(FORMS["json"])
    with Gathered([str(path)]) as gathered:
        (source,) = gathered.sources
    path.write_text("")
    found = Detection(source=source, kind=InputKind.STATE, hint=Hint())

    def never(*given):
        raise AssertionError(given)

    assert laid_apart(found, never, never) == [found]
    assert events_apart(found, never, never, lambda _: ({}, False)) == [found]
