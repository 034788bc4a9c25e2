"""Hubble's flows in every file they arrive in: whatever wraps or masks them, the refusals are the same."""

from __future__ import annotations

import gzip
import json

import pytest

from fixtures.bundles.cilium_sysdump import BEGIN, NS, Sysdump, tcp
from flowdiag.analysis import analyze

REFUSED = 6
"""Refused connections that `records` holds, each with a verdict and a drop."""


@pytest.fixture(scope="module")
def records():
    """Wrapped records of one node: six refused SYNs, one connection that works, one loss."""
    dump = Sysdump(flows=False)
    recorder, web, api = dump.recorder, dump.pods["web"], dump.pods["api"]
    for minute in range(REFUSED):
        recorder.deny("it", BEGIN + minute * 60 * NS, web, api, tcp(40_000 + minute, 8080, "SYN"), "INGRESS")
    recorder.connection(BEGIN + 5 * NS, api, web, 9090)
    recorder.lost(BEGIN + 400 * NS, api.node, 5)
    return [body for _, _, _, body in sorted(recorder.records, key=lambda row: row[:2])]


def lines(records):
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def report_of(tmp_path, files):
    for name, data in files.items():
        path = tmp_path / "hubble" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return analyze([str(tmp_path / "hubble")])


def refusals(report):
    """(count, source, destination, port) of every problem; ends by workload or by what is known."""
    return sorted(
        (problem.count, problem.source.name, problem.destination.name, problem.port)
        for problem in report.problems
    )


EXPECTED = [(REFUSED, "web", "api", 8080)]


def test_static_export_rotated_and_compressed(records, tmp_path):
    """The live file and its rotated ones, packed or not, are one stream; the loss is said."""
    report = report_of(
        tmp_path,
        {
            "events.log": lines(records[10:]),
            "events-2026-04-21T09-12-00.000.log.gz": gzip.compress(lines(records[:4])),
            "events-2026-04-21T09-13-00.000.log": lines(records[4:10]),
        },
    )

    assert refusals(report) == EXPECTED
    assert [one.path.rpartition("/")[2] for one in report.inputs] == [
        "events-2026-04-21T09-12-00.000.log.gz",
        "events-2026-04-21T09-13-00.000.log",
        "events.log",
    ]
    assert [gap.lost for gap in report.evidence.gaps] == [5]
    assert report.complete


def test_dynamic_export_with_a_file_per_entry(records, tmp_path):
    """Entries of a dynamic export select flows apart: one has the drops, one the verdicts, none twice."""
    drops = [one for one in records if one.get("flow", {}).get("event_type", {}).get("type") == 1]
    rest = [one for one in records if one not in drops]
    report = report_of(tmp_path, {"drops.log": lines(drops), "verdicts-and-traces.log": lines(rest)})

    assert refusals(report) == EXPECTED


def test_standard_output_of_the_agent(records, tmp_path):
    """With `hubble-export-file-path: stdout` flows stand among the agent's own lines, behind a CRI prefix."""
    text = b"".join(
        b"2026-04-21T09:10:00.000000001Z stdout F " + line + b"\n" for line in lines(records).splitlines()
    )
    own = b'2026-04-21T09:10:00.000000002Z stdout F time=2026-04-21T09:10:00Z level=info msg="Re-pinned map" subsys=bpf\n'

    assert refusals(report_of(tmp_path, {"cilium-agent.log": text + own})) == EXPECTED


@pytest.mark.parametrize("kept", [("time", "verdict", "IP", "l4", "traffic_direction", "drop_reason_desc")])
def test_field_masked(records, tmp_path, kept):
    """A mask leaves addresses, ports and the verdict: without the kind of event, pairs cannot be told."""
    masked = [
        {**one, "flow": {"source": {}, **{key: one["flow"][key] for key in kept if key in one["flow"]}}}
        for one in records
        if "flow" in one
    ]
    report = report_of(tmp_path, {"events.log": lines(masked)})

    assert report.totals.denied == 2 * REFUSED
    assert [problem.port for problem in report.problems] == [8080]
    assert report.problems[0].source.ips == (records[0]["flow"]["IP"]["source"],)


def test_masked_to_names_with_the_wrappers_time(records, tmp_path):
    """Time and node are the wrapper's; the event's kind tells verdict and drop of one packet."""
    kept = ("verdict", "source", "destination", "l4", "event_type", "traffic_direction", "drop_reason_desc")
    masked = [
        {**one, "flow": {key: one["flow"][key] for key in kept if key in one["flow"]}}
        for one in records
        if "flow" in one
    ]
    report = report_of(tmp_path, {"events.log": lines(masked)})

    assert refusals(report) == EXPECTED
    assert report.problems[0].first is not None


def test_aggregated_records_count_for_many(records, tmp_path):
    """An aggregated record stands for the sum of its counts."""
    first = next(one for one in records if one.get("flow", {}).get("event_type", {}).get("type") == 1)
    flow = {
        key: first["flow"][key] for key in ("time", "verdict", "source", "destination", "drop_reason_desc")
    }
    counts = {"ingress_flow_count": 40, "unknown_direction_flow_count": 2}
    aggregated = {**first, "flow": {**flow, "aggregate": counts}}
    report = report_of(tmp_path, {"events.log": lines([aggregated])})

    assert (report.totals.denied, report.totals.flows) == (42, 1)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_of_a_store(records, tmp_path, indent):
    """What `jq -s` or a flow store's query hands out: an array of wrapped records."""
    assert (
        refusals(report_of(tmp_path, {"flows.json": json.dumps(records, indent=indent).encode()})) == EXPECTED
    )


def test_a_store_that_adds_its_own_keys(records, tmp_path):
    """Flow stores and log shippers put their keys beside the flow's."""
    shipped = [
        {"cluster": "pay-eu", "ingested_at": one["time"], "kubernetes": {"pod_name": "cilium-x"}, **one}
        for one in records
    ]

    assert refusals(report_of(tmp_path, {"timescape.jsonl": lines(shipped)})) == EXPECTED


def camel(value):
    if isinstance(value, dict):
        return {
            (parts := key.split("_"))[0] + "".join(part[:1].upper() + part[1:] for part in parts[1:]): camel(
                part_of
            )
            for key, part_of in value.items()
        }
    return [camel(one) for one in value] if isinstance(value, list) else value


def test_names_encoded_again(records, tmp_path):
    """Programs that encode protobuf's default names say the same."""
    assert refusals(report_of(tmp_path, {"flows.jsonl": lines([camel(one) for one in records])})) == EXPECTED


def test_retina_drops_name_no_policy(records, tmp_path):
    """Retina's reasons are not Cilium's: they are kept, and blame no policy."""
    drops = [
        {**one, "flow": {**one["flow"], "drop_reason_desc": "IPTABLE_RULE_DROP", "drop_reason": 0}}
        for one in records
        if one.get("flow", {}).get("event_type", {}).get("type") == 1
    ]
    report = report_of(tmp_path, {"retina.jsonl": lines(drops)})

    assert report.totals.denied + sum(one.count for one in report.not_policy) == REFUSED


def test_container_network_logs_of_a_node(records, tmp_path):
    """Azure's ACNS writes the exporter's format below its own folder."""
    files = {
        "acns/hubble/events.log": lines(records[6:]),
        "acns/hubble/events-2026-04-21T09-12-00.000.log": lines(records[:6]),
    }

    assert refusals(report_of(tmp_path, files)) == EXPECTED


def test_gke_node_files(tmp_path):
    """GKE's node agent writes its own format, aggregated; its counts are honoured."""
    entry = {
        "connection": {
            "src_ip": "10.84.1.8",
            "dest_ip": "10.84.0.11",
            "src_port": 45_084,
            "dest_port": 8080,
            "protocol": "tcp",
            "direction": "ingress",
        },
        "disposition": "deny",
        "src": {"pod_name": "web-1", "pod_namespace": "shop", "namespace": "shop"},
        "dest": {"pod_name": "api-1", "pod_namespace": "payments", "namespace": "payments"},
        "count": 3,
        "timestamp": "2026-04-21T09:10:00.123456789Z",
        "node_name": "gke-a-1",
    }
    second = {**entry, "count": 2, "timestamp": "2026-04-21T09:10:05.000000001Z"}
    report = report_of(tmp_path, {"network/policy_action.log": lines([entry, second])})

    assert (report.totals.denied, report.totals.flows) == (5, 2)
    assert [one.parser for one in report.inputs] == ["gke-policy-action"]


def test_records_of_two_clusters_are_not_taken_for_one_in_silence(records, tmp_path):
    """One cluster's addresses are another one's too: the report says whose records it counted together."""
    (name,) = {one["node_name"].partition("/")[0] for one in records}
    other = json.loads(json.dumps(records).replace(f'"{name}/', '"elsewhere/'))
    one = report_of(tmp_path / "one", {"a.log": lines(records)})
    both = report_of(tmp_path / "both", {"a.log": lines(records), "b.log": lines(other)})

    assert (one.cluster.name, [each.code for each in one.warnings]) == (name, [])
    assert both.cluster.name is None
    (told,) = [each.message for each in both.warnings if each.code == "several-clusters"]
    assert told.startswith(f"records of 2 clusters (elsewhere, {name}) are counted together")
