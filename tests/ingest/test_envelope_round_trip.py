"""Whatever a collector puts around a log's lines, its events are those of the bare log, for every parser."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from flowdiag.ingest import Gathered, ReadOptions
from flowdiag.ingest.events import iter_events
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.plugins import parsers
from flowdiag.model.event import TimeSource
from flowdiag.model.time import NS, parse_rfc3339, rfc3339

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
BEGIN = parse_rfc3339("2026-01-05T10:00:00Z")


def stamp(index: int) -> str:
    return rfc3339(BEGIN + index * NS + 123_456_789)


Wrap = Callable[[list[str]], str]


def each(form: Callable[[int, str], str]) -> Wrap:
    """A wrapper of single lines."""
    return lambda lines: "".join(f"{form(index, line)}\n" for index, line in enumerate(lines))


def as_json(form: Callable[[int, str], Any]) -> Wrap:
    return each(lambda index, line: json.dumps(form(index, line)))


def cri_in_parts(lines: list[str]) -> str:
    """The runtime cuts lines at 16 KiB; here they are cut anywhere, with another stream in between."""
    out = []
    for index, line in enumerate(lines):
        cut = len(line) * (index % 7) // 7
        out += [f"{stamp(index)} stderr P {line[:cut]}"] if cut > 0 else []
        out.append(f"{stamp(index)} stderr F {line[cut:]}")
    return "".join(f"{line}\n" for line in out)


def docker_in_parts(lines: list[str]) -> str:
    """Docker leaves the newline out of all parts but the last."""
    out = []
    for index, line in enumerate(lines):
        cut = len(line) * (index % 5) // 5
        pieces = [line[:cut], line[cut:] + "\n"] if 0 < cut < len(line) else [line + "\n"]
        out += [{"log": piece, "stream": "stdout", "time": stamp(index)} for piece in pieces]
    return "".join(json.dumps(record) + "\n" for record in out)


def loki(lines: list[str]) -> str:
    values = [[str(BEGIN + index * NS), line] for index, line in enumerate(lines)]
    stream = {"stream": {"pod": "agent-x2v4z", "namespace": "kube-system"}, "values": values}
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": [stream]}})


def table(header: list[str], cells: Callable[[int, str], list[str]]) -> Wrap:
    def wrap(lines: list[str]) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(cells(index, line) for index, line in enumerate(lines))
        return out.getvalue()

    return wrap


def otlp(lines: list[str]) -> str:
    resource = {"attributes": [{"key": "k8s.pod.name", "value": {"stringValue": "agent-x2v4z"}}]}
    logs = [
        {"timeUnixNano": str(BEGIN + index * NS), "body": {"stringValue": line}}
        for index, line in enumerate(lines)
    ]
    batches = [logs[at : at + 3] for at in range(0, len(logs), 3)]
    return "".join(
        json.dumps(
            {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": batch}]}]}
        )
        + "\n"
        for batch in batches
    )


def verbose(lines: list[str]) -> str:
    return "".join(
        f"Mon 2026-01-05 10:00:00.123456 UTC [s=7d1c;i={index:x};b=9c;m=1f;t={(BEGIN + index * NS) // 1000:x};x=4f]\n"
        f"    _HOSTNAME=node-1\n    MESSAGE={line}\n    PRIORITY=6\n"
        for index, line in enumerate(lines)
    )


def datadog(lines: list[str]) -> str:
    found = [
        {"type": "log", "attributes": {"timestamp": stamp(i), "message": line}}
        for i, line in enumerate(lines)
    ]
    return json.dumps({"data": found, "meta": {"elapsed": 3}})


def packed(line: str) -> str:
    return base64.b64encode(line.encode()).decode()


def published(index: int, line: str) -> dict[str, Any]:
    return {
        "data": packed(line),
        "messageId": str(index),
        "publishTime": stamp(index),
        "attributes": {"a": "b"},
    }


def subscribed(lines: list[str]) -> str:
    """A batch of CloudWatch's for a subscriber, packed and as base64."""
    found = [
        {"id": str(i), "timestamp": (BEGIN + i * NS) // 10**6, "message": line}
        for i, line in enumerate(lines)
    ]
    batch = {"messageType": "DATA_MESSAGE", "logGroup": "g", "logStream": "s", "logEvents": found}
    return base64.b64encode(gzip.compress(json.dumps(batch).encode(), mtime=0)).decode()


def kinesis(lines: list[str]) -> str:
    read = [
        {
            "SequenceNumber": "495",
            "ApproximateArrivalTimestamp": stamp(at),
            "Data": subscribed(lines[at : at + 3]),
        }
        for at in range(0, len(lines), 3)
    ]
    return json.dumps({"Records": read, "NextShardIterator": "A", "MillisBehindLatest": 0}, indent=4)


KUBERNETES = {"namespace_name": "kube-system", "pod_name": "agent-x2v4z", "container_name": "agent"}
WRAPPERS: dict[str, Wrap] = {
    "cri": each(lambda index, line: f"{stamp(index)} stdout F {line}"),
    "cri-in-parts": cri_in_parts,
    "docker-json": as_json(lambda index, line: {"log": f"{line}\n", "stream": "stdout", "time": stamp(index)}),
    "docker-in-parts": docker_in_parts,
    "kubectl-timestamps": each(lambda index, line: f"{stamp(index)} {line}"),
    "kubectl-prefix": each(lambda _, line: f"[pod/agent-x2v4z/agent] {line}"),
    "kubectl-prefix-and-timestamps": each(lambda index, line: f"[pod/agent-x2v4z/agent] {stamp(index)} {line}"),
    "stern": each(lambda _, line: f"agent-x2v4z agent {line}"),
    "stern-json": as_json(
        lambda _, line: {"message": line, "nodeName": "n", "namespace": "a", "podName": "p", "containerName": "c"}
    ),
    "syslog-rfc3164": each(lambda index, line: f"Jan  5 10:00:{index % 60:02d} node-1 agent[311]: {line}"),
    "syslog-rfc5424": each(lambda index, line: f"<134>1 {stamp(index)} node-1 agent 311 - - {line}"),
    "syslog-frames": lambda lines: "".join(
        f"{len(frame.encode())} {frame}"
        for frame in (f"<134>1 {stamp(index)} node-1 agent 311 - - {line}" for index, line in enumerate(lines))
    ),
    "syslog-iso": each(lambda index, line: f"{stamp(index)[:26]}+00:00 node-1 agent[311]: {line}"),
    "journal-json": as_json(
        lambda index, line: {
            "__REALTIME_TIMESTAMP": str((BEGIN + index * NS) // 1000),
            "_HOSTNAME": "node-1",
            "MESSAGE": line,
        }
    ),
    "loki": loki,
    "logcli": each(lambda index, line: f'{stamp(index)} {{namespace="kube-system", pod="agent-x2v4z"}} {line}'),
    "logcli-json": as_json(
        lambda index, line: {"labels": {"pod": "agent-x2v4z"}, "line": line, "timestamp": stamp(index)}
    ),
    "elasticsearch-hits": as_json(
        lambda index, line: {"_index": "logs", "_id": str(index), "_source": {"@timestamp": stamp(index), "message": line}}
    ),
    "elasticsearch": lambda lines: json.dumps(
        {
            "took": 3,
            "hits": {
                "hits": [
                    {"_index": "logs", "_id": str(i), "_source": {"@timestamp": stamp(i), "message": line}}
                    for i, line in enumerate(lines)
                ]
            },
        }
    ),
    "cloud-logging-text": as_json(
        lambda index, line: {
            "insertId": str(index),
            "logName": "projects/p/logs/stdout",
            "timestamp": stamp(index),
            "textPayload": line,
        }
    ),
    "cloud-logging-message": as_json(
        lambda index, line: {
            "insertId": str(index),
            "logName": "projects/p/logs/stdout",
            "timestamp": stamp(index),
            "jsonPayload": {"message": line},
        }
    ),
    "cloudwatch": lambda lines: json.dumps(
        {
            "events": [
                {"logStreamName": "s", "timestamp": (BEGIN + i * NS) // 1_000_000, "message": line, "eventId": str(i)}
                for i, line in enumerate(lines)
            ]
        },
        indent=4,
    ),
    "cloudwatch-function": lambda lines: json.dumps({"awslogs": {"data": subscribed(lines)}}),
    "kinesis": kinesis,
    "sqs": lambda lines: json.dumps(
        {
            "Messages": [
                {"MessageId": str(i), "Body": line, "Attributes": {"SentTimestamp": str((BEGIN + i * NS) // 10**6)}}
                for i, line in enumerate(lines)
            ]
        },
        indent=4,
    ),
    "cloudwatch-tail": each(lambda index, line: f"{stamp(index)[:26]}+00:00 agent-1f0c {line}"),
    "cloudwatch-tail-whole-seconds": each(lambda index, line: f"{stamp(index)[:19]}+00:00 agent-1f0c {line}"),
    "cloudwatch-tail-short": each(lambda index, line: f"{stamp(index)[:19]} {line}"),
    "cloudwatch-text": each(
        lambda index, line: (
            f"EVENTS\t{index}\t{BEGIN // 1_000_000}\tagent-1f0c\t{line}\t{(BEGIN + index * NS) // 1_000_000}"
        )
    ),
    "cloudwatch-insights-csv": table(
        ["@timestamp", "@message"], lambda index, line: [stamp(index)[:23].replace("T", " "), line]
    ),
    "splunk-csv": table(
        ["_time", "host", "_raw"], lambda index, line: [f"{stamp(index)[:23]}+0000", "node-1", line]
    ),
    "kibana-csv": table(
        ["@timestamp", "message"],
        lambda index, line: [f"Jan 5, 2026 @ 10:{index // 60:02d}:{index % 60:02d}.123", line],
    ),
    "viaq": as_json(
        lambda index, line: {
            "@timestamp": stamp(index),
            "message": line,
            "level": "info",
            "hostname": "node-1",
            "kubernetes": KUBERNETES,
            "openshift": {"sequence": index},
            "log_type": "infrastructure",
        }
    ),
    "grep": each(lambda index, line: f"/var/log/agent/agent.log:{index + 1}:{line}"),
    "filebeat": as_json(
        lambda index, line: {
            "@timestamp": stamp(index),
            "message": line,
            "log": {"file": {"path": "/var/log/x"}, "offset": index},
            "kubernetes": {"pod": {"name": "agent-x2v4z"}, "namespace": "kube-system"},
        }
    ),
    "fluent-bit": as_json(lambda index, line: {"date": stamp(index), "log": line}),
    # Each flush is an array of its own.
    "fluent-bit-arrays": lambda lines: "".join(
        json.dumps([{"date": BEGIN / NS + i, "log": lines[i]} for i in range(at, min(at + 3, len(lines)))]) + "\n"
        for at in range(0, len(lines), 3)
    ),
    "kcat": as_json(
        lambda index, line: {"topic": "logs", "offset": index, "ts": BEGIN // 10**6, "key": None, "payload": line}
    ),
    "kafka-console": each(lambda index, line: f"CreateTime:{BEGIN // 10**6 + index * 1000}\t{line}"),
    "kafka-console-all": each(
        lambda index, line: f"CreateTime:{BEGIN // 10**6}\tPartition:0\tOffset:{index}\tNO_HEADERS\tnull\t{line}"
    ),
    "kafka-record": as_json(
        lambda index, line: {"key": "k", "value": line, "offset": index, "timestamp": stamp(index), "headers": []}
    ),
    "kafka-rest": as_json(
        lambda index, line: {"topic": "t", "key": None, "value": packed(line), "partition": 0, "offset": index}
    ),
    "pubsub-pull": lambda lines: json.dumps(
        [{"ackId": "a", "message": published(index, line)} for index, line in enumerate(lines)], indent=2
    ),
    "pubsub-push": as_json(
        lambda index, line: {"message": published(index, line), "subscription": "projects/p/subscriptions/s"}
    ),
    "pubsub-bigquery": as_json(
        lambda index, line: {
            "subscription_name": "s",
            "message_id": str(index),
            "publish_time": stamp(index)[:23].replace("T", " ") + " UTC",
            "data": line,
            "attributes": "{}",
        }
    ),
    "elasticsearch-bulk": each(
        lambda index, line: (
            json.dumps({"create": {"_index": "logs", "_id": str(index)}})
            + "\n"
            + json.dumps({"@timestamp": stamp(index), "message": line})
        )
    ),
    "victorialogs": as_json(
        lambda index, line: {"_time": stamp(index), "_stream": "{}", "_msg": line, "kubernetes.pod_name": "agent-x2v4z"}
    ),
    "talosctl": each(lambda _, line: f"192.0.2.2: {line}"),
    "talosctl-dmesg": each(lambda index, line: f"node-1: kern:  notice: [{stamp(index)}]: {line}"),
    "grafana-json": lambda lines: json.dumps(
        [
            {"line": line, "timestamp": str(BEGIN + i * NS), "date": stamp(i), "fields": {"pod": "agent-x2v4z"}}
            for i, line in enumerate(lines)
        ],
        indent=2,
    ),
    "grafana-text": each(lambda index, line: f"1767607200123\t{stamp(index)[:23]}Z\t{line}"),
    "azure": lambda lines: json.dumps(
        [
            {"TimeGenerated": stamp(i), "PodName": "agent-x2v4z", "LogMessage": line} for i, line in enumerate(lines)
        ],
        indent=2,
    ),
    "splunk": as_json(
        lambda index, line: {"preview": False, "offset": index, "result": {"_time": stamp(index), "_raw": line}}
    ),
    "splunk-api": lambda lines: json.dumps(
        {
            "preview": False,
            "init_offset": 0,
            "messages": [],
            "fields": [{"name": "_raw"}],
            "results": [{"_time": stamp(i), "_raw": line, "host": "node-1"} for i, line in enumerate(lines)],
        }
    ),
    "splunk-rows": lambda lines: json.dumps(
        {"preview": False, "fields": ["_time", "_raw"], "rows": [[stamp(i), line] for i, line in enumerate(lines)]}
    ),
    "splunk-collector": as_json(
        lambda index, line: {
            "time": BEGIN / NS + index,
            "sourcetype": "kube",
            "event": {"log": line, "stream": "stdout"},
        }
    ),
    "sns": as_json(lambda index, line: {"Type": "Notification", "Message": line, "Timestamp": stamp(index)}),
    "azure-resource-logs": lambda lines: json.dumps(
        {
            "records": [
                {
                    "time": stamp(i),
                    "category": "guard",
                    "properties": {"log": line + "\n", "stream": "stdout", "pod": "agent-x2v4z"},
                }
                for i, line in enumerate(lines)
            ]
        }
    ),
    "fluent-bit-file": each(lambda index, line: f"kube.a: [{BEGIN // NS + index}.5, {json.dumps({'log': line})}]"),
    "fluent-bit-file-2.1": each(
        lambda index, line: f"kube.a: [[{BEGIN // NS + index}.5, {{}}], {json.dumps({'log': line})}]"
    ),
    "docker-trimmed": as_json(lambda index, line: {"log": line, "stream": "stdout", "time": stamp(index)}),
    "journal-monotonic": each(lambda index, line: f"[{index + 12:5}.123456] node-1 agent[311]: {line}"),
    "compose": each(lambda _, line: f"agent-1  | {line}"),
    "kubetail": each(lambda _, line: f"[agent-x2v4z] {line}"),
    "kail": each(lambda _, line: f"kube-system/agent-x2v4z[agent]: {line}"),
    "colours": each(lambda _, line: f"\x1b[32m{line}\x1b[0m"),
    "otlp": otlp,
    "journal-verbose": verbose,
    "journal-json-seq": each(lambda _, line: "\x1e" + json.dumps({"_HOSTNAME": "node-1", "MESSAGE": line})),
    "datadog": datadog,
    "datadog-csv": table(["Date", "Host", "Service", "Content"], lambda index, line: [stamp(index), "n", "s", line]),
    "gelf": as_json(
        lambda index, line: {"version": "1.1", "host": "node-1", "short_message": line, "timestamp": 1767607200 + index}
    ),
    "a stamp and a message": as_json(lambda index, line: {"timestamp": stamp(index), "message": line}),
    "logstash": as_json(lambda index, line: {"@timestamp": stamp(index), "event": {"original": line}}),
    "loki-streams": lambda lines: json.dumps({"streams": json.loads(loki(lines))["data"]["result"]}),
}  # fmt: skip

IN_PARTS = ("cri-in-parts", "docker-in-parts", "journal-verbose", "elasticsearch-bulk")
NOT_IN_PARTS = ("cilium-monitor",)
"""Layers of its verbose records are told by their line numbers: no line of its is near the 16 KiB of a part, or a document."""

LINE_PARSERS = sorted(
    parser.name for parser in parsers()[0] if not parser.document and (FIXTURES / parser.name).is_dir()
)


def wrapped_already(path: Path, parser: str) -> bool:
    with Gathered([str(path)]) as sources:
        (detected,), _ = detect_all(sources, ReadOptions(format=parser))
    return bool(detected.stack)


@cache
def samples(parser: str) -> dict[str, list[str]]:
    """Whole lines of each of the parser's golden inputs that stand in no wrapper of their own."""
    found = {}
    for folder in sorted((FIXTURES / parser).iterdir()):
        for path in sorted(folder.glob("input.*")):
            if path.suffix == ".gz" or wrapped_already(path, parser):
                continue
            text = path.read_bytes().decode("utf-8", "replace").replace("\r", "")
            lines = [line for line in text.split("\n") if line.strip()]
            if lines:
                found[folder.name] = lines
    return found


def events(path: Path, text: str, parser: str) -> list[dict[str, Any]]:
    path.write_text(text)
    options = ReadOptions(format=parser, year=2026)
    with Gathered([str(path)]) as sources:
        detected, _ = detect_all(sources, options)
        found = [asdict(event) for _, _, event in iter_events(sources, options, detected=detected)]
    # Of an input that gave nothing at all its only line is named as it stands there, wrapped or not.
    return [
        event for event in found if not str(event.get("message", "")).startswith("not a whole record of ")
    ]


OF_ITS_POD = ("linkerd-proxy",)
"""Parsers of logs whose lines do not say where they were written: the refusing pod is the one that the wrapper names."""


def alike(bare: dict[str, Any], wrapped: dict[str, Any], parser: str = "") -> bool:
    """Equal but for what the wrapper adds where the record is silent: its time, its node, its container's name."""
    differing = {key for key in bare if bare[key] != wrapped.get(key)} - {"line"}
    if parser in OF_ITS_POD:
        differing -= {"dst", "policies"}
    if bare["time_source"] is not TimeSource.RECORD:
        # No stamp, one without a year, or one of a wrapper that the golden input has itself.
        differing -= {"at", "time_source", "until"}
        fields = dict(bare.get("fields") or {})
        if fields.pop("time_of_line", None) is not None and fields == wrapped["fields"]:
            # A message of several lines had its time from the line before.
            differing -= {"fields"}
    if bare["node"] is None:
        differing -= {"node"}
    return type(bare) is type(wrapped) and differing <= {"component"}


@cache
def bare_events(folder: Path, parser: str, lines: tuple[str, ...]) -> list[dict[str, Any]]:
    return events(folder / f"{parser}.log", "".join(f"{line}\n" for line in lines), parser)


def check(folder: Path, parser: str, lines: list[str], wrapper: str) -> None:
    bare = bare_events(folder, parser, tuple(lines))
    wrapped = events(folder / "wrapped.log", WRAPPERS[wrapper](lines), parser)

    assert len(bare) == len(wrapped), (parser, wrapper)
    for one, other in zip(bare, wrapped, strict=True):
        differing = {key: (one[key], other.get(key)) for key in one if one[key] != other.get(key)}
        assert alike(one, other, parser), (parser, wrapper, differing)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("parser", LINE_PARSERS)
def test_golden_inputs_behind_every_wrapper(folder, parser, wrapper):
    """The first lines of each golden input, one after another."""
    if parser in NOT_IN_PARTS and wrapper in IN_PARTS:
        pytest.skip("its lines are never cut")
    lines = [line for case in samples(parser).values() for line in case[:6]]
    check(folder, parser, lines, wrapper)


def test_words_before_a_colon_that_are_no_program_s_tag(folder):
    """A crash, fields of hubble's dictionaries and a library behind a stream's name; a processor's number behind a time."""
    monitor = "CPU 03: MARK 0x51c2d3e4 FROM 1904 DROP: 93 bytes, reason Invalid source ip, to ifindex 0, identity 41008->0"
    for count in (1, 5):
        check(folder, "cilium-monitor", [monitor] * count, "kubectl-timestamps")
    check(folder, "calico-log", ["bird: Mesh_192_0_2_7: State changed to down"], "cloudwatch-tail")
    check(folder, "calico-bpf", ["End Tier: default  (action: deny)"], "kubectl-timestamps")
    check(folder, "calico-log", ["libbpf: prog 'calico_tc': failed to load: -13"], "cloudwatch-tail")
    check(folder, "cilium-agent-log", ["panic: runtime error: invalid memory address"], "cloudwatch-tail")
    check(folder, "hubble-dict", ["DESTINATION: 192.0.2.7:8080"], "cloudwatch-tail")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_lines_behind_any_wrapper(folder, data):
    """Any run of lines, also one that begins in the middle of a record."""
    parser = data.draw(st.sampled_from(LINE_PARSERS))
    case = data.draw(st.sampled_from(sorted(samples(parser))))
    lines = samples(parser)[case]
    start = data.draw(st.integers(0, len(lines) - 1))
    count = data.draw(st.integers(1, 20))
    wrappers = sorted(WRAPPERS if parser not in NOT_IN_PARTS else WRAPPERS.keys() - set(IN_PARTS))
    check(folder, parser, lines[start : start + count], data.draw(st.sampled_from(wrappers)))


AS_OBJECT: dict[str, Callable[[int, Any], Any]] = {
    "datadog": lambda i, record: {
        "id": "A",
        "content": {"timestamp": stamp(i), "host": "n", "attributes": record},
    },
    "datadog-archive": lambda i, record: {
        "_id": "A",
        "date": stamp(i),
        "host": "n",
        "attributes": record,
        "tags": [],
    },
    "filebeat": lambda i, record: {
        "@timestamp": stamp(i),
        "json": record,
        "log": {"offset": i},
        "host": {"name": "n"},
    },
    "insights": lambda i, record: {"@timestamp": stamp(i)[:23].replace("T", " "), "@message": record},
    "connect": lambda _, record: {"schema": None, "payload": record},
    "event-hub": lambda i, record: {
        "SequenceNumber": i,
        "Offset": "1",
        "EnqueuedTimeUtc": stamp(i),
        "Body": record,
    },
    "cloudevents": lambda i, record: {"specversion": "1.0", "id": "7", "time": stamp(i), "data": record},
    "kafka": lambda i, record: {"topic": "t", "partition": 0, "offset": i, "key": None, "value": record},
    "fluent-bit": lambda i, record: {"date": stamp(i), "message": record, "kubernetes": KUBERNETES},
    "cloud-logging": lambda i, record: {
        "insertId": "1",
        "logName": "l",
        "timestamp": stamp(i),
        "jsonPayload": record,
    },
    "splunk": lambda i, record: {"time": 1767607200 + i, "host": "n", "sourcetype": "k", "event": record},
}
RECORDS = {
    "hubble-json": '{"flow":{"time":"2026-01-05T10:00:00Z","verdict":"DROPPED","drop_reason_desc":"POLICY_DENIED",'
    '"IP":{"source":"10.0.0.1","destination":"10.0.0.2"},"Type":"L3_L4"},"time":"2026-01-05T10:00:00Z"}',
    "aws-network-policy-agent": '{"level":"info","ts":"2026-01-05T10:00:01.562Z","caller":"a","msg":"Flow Info: Src IP: 10.0.2.50 '
    'Src Port: 45000 Dest IP: 10.0.1.100 Dest Port: 443 Proto TCP Verdict DENY Direction egress"}',
    "gke-policy-action": '{"connection":{"src_ip":"10.84.1.8","dest_ip":"10.84.0.11","src_port":45084,"dest_port":8080,'
    '"protocol":"tcp","direction":"ingress"},"disposition":"deny","count":3,"timestamp":"2026-01-05T10:00:32.4Z"}',
    "netobserv-flow": '{"SrcAddr":"10.128.0.29","SrcPort":1234,"DstAddr":"10.129.0.26","DstPort":5678,"Proto":6,'
    '"TimeFlowStartMs":1767607200660,"TimeFlowEndMs":1767607200703,"PktDropPackets":1,"PktDropLatestDropCause":"OVS_DROP_EXPLICIT"}',
    "calico-flowlog": '{"start_time":"2026-03-02T10:00:00Z","end_time":"2026-03-02T10:00:15Z","action":"Deny","source_name":"a-*",'
    '"source_namespace":"shop","dest_name":"web-*","dest_namespace":"shop","protocol":"tcp","dest_port":80,"reporter":"Dst"}',
}


@pytest.mark.parametrize("wrapper", AS_OBJECT)
@pytest.mark.parametrize("parser", RECORDS)
def test_records_that_are_objects_in_a_shipper_s(folder, parser, wrapper):
    """The format is found, and each refusal is what it was."""
    lines = [RECORDS[parser]] * 3
    (bare, *_) = bare_events(folder, parser, tuple(lines))
    path = folder / "shipped.json"
    path.write_text(
        "".join(json.dumps(AS_OBJECT[wrapper](i, json.loads(line))) + "\n" for i, line in enumerate(lines))
    )
    with Gathered([str(path)]) as sources:
        detected, _ = detect_all(sources, ReadOptions())
        found = [asdict(event) for _, _, event in iter_events(sources, ReadOptions(), detected=detected)]

    assert [one.parser for one in detected] == [parser]
    assert len(found) == 3
    assert all(alike(bare, event) for event in found)
