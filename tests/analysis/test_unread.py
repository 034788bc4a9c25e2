"""Which inputs that nobody could read make the evidence incomplete."""

import json

import pytest

from flowdiag.analysis import analyze
from flowdiag.analysis.unread import worth_saying
from flowdiag.ingest import Detection, Gathered, Hint, InputKind, InputProblem


@pytest.mark.parametrize(
    ("pod", "container", "said"),
    [
        ("web-5d9c7b6f4-x2v4z", "web", False),
        ("web-5d9c7b6f4-x2v4z", "istio-proxy", True),
        ("cilium-x2v4z", "cilium-agent", True),
        ("flowlogs-pipeline-x2v4z", "flowlogs-pipeline", True),
        (None, None, True),
    ],
)
def test_an_application_in_a_bundle_is_passed_over_and_its_proxy_is_not(tmp_path, pod, container, said):
    """A sidecar's access log tells who was refused, in whatever form somebody has given it."""
    (tmp_path / "current.log").write_text("nobody knows this\n")
    with Gathered([str(tmp_path)]) as gathered:
        (source,) = gathered.sources
    hint = Hint(namespace="shop", pod=pod, container=container)
    problem = InputProblem(source.name, "unknown-format", "no parser is sure")
    found = worth_saying([problem], [Detection(source=source, kind=InputKind.UNKNOWN, hint=hint)], [])

    assert bool(found) is said


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (
            'I0105 10:00:00.550851       1 agent.go:104] "Starting Antrea agent" version="v2.2.0"',
            {"no-refusals"},
        ),
        ("I0105 10:00:00.550851       1 agent.go:210] something else", set()),
    ],
)
def test_a_log_that_never_tells_of_traffic_leaves_a_bundle_whole(tmp_path, line, codes):
    """An audit of Antrea is whole every day, and one of Calico without Log rules, whose kernels log no packets.

    What to bring instead is said where the log says whose it is.
    """
    folder = tmp_path / "flowdiag-bundle-20260105-100100"
    logs = folder / "logs" / "kube-system" / "antrea-agent-x"
    logs.mkdir(parents=True)
    (folder / "state").mkdir()
    (folder / "manifest.json").write_text('{"schema":"flowdiag.bundle/1","items":[]}')
    (folder / "state" / "pods.json").write_text('{"apiVersion":"v1","kind":"PodList","items":[]}')
    (logs / "antrea-agent.log").write_text(f"2026-01-05T10:00:00.550851000Z {line}\n")

    node = folder / "nodes" / "node-1"
    node.mkdir(parents=True)
    (node / "kern.log").write_text(
        "Jan  5 09:58:01 node-1 kernel: [1.5] usb 1-1: new high-speed USB device\n"
    )

    report = analyze([str(folder)])

    assert report.complete
    assert {one.code for one in report.warnings if one.input is not None} == codes


def test_a_quiet_log_of_what_judges_packets_leaves_a_bundle_whole(tmp_path):
    """Of a kind cluster, and of one with kube-network-policies in which no packet met a policy."""
    (tmp_path / "nodes.json").write_text('{"apiVersion":"v1","kind":"NodeList","items":[]}')
    pod = tmp_path / "kube-system" / "kindnet-j6s64"
    pod.mkdir(parents=True)
    (pod.parent / "pods.json").write_text('{"apiVersion":"v1","kind":"PodList","items":[]}')
    (pod / "logs.txt").write_text(
        "==== START logs for container kindnet-cni of pod kube-system/kindnet-j6s64 ====\n"
        "I0105 10:00:02.343920       1 main.go:297] Handling node with IPs: map[192.0.2.2:{}]\n"
        "==== END logs for container kindnet-cni of pod kube-system/kindnet-j6s64 ====\n"
    )

    report = analyze([str(tmp_path)])

    assert report.complete
    assert {one.code for one in report.warnings if one.input is not None} == {"no-refusals"}


@pytest.mark.parametrize(
    ("item", "told", "complete"),
    [
        (
            {"kind": "flows", "fate": "failed", "reason": "no hubble"},
            ("collect-failed", "of a: no hubble"),
            False,
        ),
        ({"kind": "logs", "fate": "cut", "reason": "too long"}, ("collect-cut", "of a: too long"), False),
        (
            {"kind": "files", "fate": "refused", "rule": "{...}"},
            ("collect-refused", "files: forbidden; the rule that allows it: {...}"),
            True,
        ),
        ({"kind": "flows", "fate": "absent", "reason": "off"}, ("collect-absent", "of a: off"), True),
        ({"kind": "files", "fate": "absent"}, None, True),
        ({"kind": "objects", "fate": "refused"}, None, True),
        ({"kind": 7}, None, True),
    ],
)
def test_what_a_bundle_lacks_is_told_where_it_is_read(tmp_path, item, told, complete):
    """Whoever analyses it was not there when it was collected: an export that failed looks like peace."""
    folder = tmp_path / "flowdiag-bundle-20260105-100100"
    (folder / "state").mkdir(parents=True)
    items = [{"what": "of a", **item}]
    (folder / "manifest.json").write_text(json.dumps({"schema": "flowdiag.bundle/1", "items": items}))
    (folder / "state" / "pods.json").write_text('{"apiVersion":"v1","kind":"PodList","items":[]}')

    report = analyze([str(folder)])

    found = [(one.code, one.message) for one in report.warnings if one.code.startswith("collect-")]
    assert found == ([told] if told else [])
    assert report.complete is complete
