"""Every wrapper: an ordinary line, lines in parts, foreign lines, and stacks of wrappers."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import timedelta, timezone

import pytest

from flowdiag.ingest.envelopes import LAYERS, Peeler, Row, next_layer
from flowdiag.ingest.envelopes.cut_documents import CUT
from flowdiag.ingest.envelopes.json_lines import Batches
from flowdiag.parserkit import ParseContext, TimeSource, parse_rfc3339
from flowdiag.parserkit.block import Block

AT = "2026-01-05T10:00:00.123456789Z"
NS = parse_rfc3339(AT)
MILLI = 1767607200_123000000


def peel(data: bytes, *stack: str, first_line: int = 1, context: ParseContext | None = None) -> list[Row]:
    peeler = Peeler(stack, context or ParseContext(input="t", year=2026))
    rows = list(peeler.peel(data, first_line))
    for rest in peeler.flush():
        rows += rest
    return rows


def stack_of(data: bytes) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    while (name := next_layer(b"".join(row.data + b"\n" for row in peel(data, *found)))) and len(found) < 4:
        found = (*found, name)
    return found


LINE = b'level=info msg="a line: with blanks"'
JSON_LINE = '{"kind":"Event","n":1}'
ORDINARY: list[tuple[str, bytes, Row]] = [
    ("cri", f"{AT} stdout F ".encode() + LINE, Row(LINE, 1, NS)),
    (
        "docker-json",
        json.dumps({"log": LINE.decode() + "\n", "stream": "stderr", "time": AT}).encode(),
        Row(LINE, 1, NS),
    ),
    ("kubectl-timestamps", AT.encode() + b" " + LINE, Row(LINE, 1, NS)),
    ("kubectl-timestamps", AT.encode() + b"\t" + LINE, Row(LINE, 1, NS)),
    (
        "kafka-console",
        b"CreateTime:1767607200123\t" + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.123Z")),
    ),
    (
        "victorialogs",
        json.dumps(
            {
                "_time": AT,
                "_stream": '{kubernetes.pod_name="p"}',
                "_msg": LINE.decode(),
                "kubernetes.pod_name": "p",
                "kubernetes.pod_namespace": "ns",
                "kubernetes.container_name": "c",
                "kubernetes.pod_node_name": "n1",
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p", "c"),
    ),
    (
        "victorialogs",
        json.dumps({"_time": AT, "_msg": LINE.decode(), "k8s.pod.name": "p", "k8s.node.name": "n1"}).encode(),
        Row(LINE, 1, NS, "n1", None, "p"),
    ),
    (
        "cloudwatch-export",
        f'{{"@timestamp":"2026-01-05 10:00:00.5","@message":{JSON_LINE},"@logStream":"x"}}'.encode(),
        Row(JSON_LINE.encode(), 1, parse_rfc3339("2026-01-05T10:00:00.5Z")),
    ),
    (
        "cloudwatch-export",
        json.dumps({"@timestamp": "2026-01-05 10:00:00.5", "@message": LINE.decode()}).encode(),
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.5Z")),
    ),
    (
        "json-message",
        f'{{"_id":"AQ","date":"{AT}","host":"n1","attributes":{JSON_LINE},"tags":["pod_name:p"]}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS, "n1", pod="p"),
    ),
    (
        "json-message",
        f'{{"id":"AQ","content":{{"timestamp":"{AT}","host":"n1","message":"","attributes":{JSON_LINE}}}}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS, "n1"),
    ),
    ("json-message", f'{{"schema":null,"payload":{JSON_LINE}}}'.encode(), Row(JSON_LINE.encode(), 1)),
    (
        "json-message",
        f'{{"SequenceNumber":7,"Offset":"96","EnqueuedTimeUtc":"{AT}","Body":{JSON_LINE}}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    (
        "json-message",
        f'{{"specversion":"1.0","id":"7","source":"x","type":"y","time":"{AT}","data":{JSON_LINE}}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    (
        "json-message",
        b'{"verb":"ADDED","event":{"metadata":{},"involvedObject":{"kind":"Pod"},"message":"x"}}',
        Row(b'{"metadata":{},"involvedObject":{"kind":"Pod"},"message":"x"}', 1),
    ),
    (
        "viaq",
        f'{{"@timestamp":"{AT}","json":{JSON_LINE},"log":{{"file":{{"path":"/x"}},"offset":3}}}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    (
        "viaq",
        f'{{"@timestamp":"{AT}","message":{JSON_LINE},"kubernetes":{{"pod_name":"p"}}}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS, pod="p"),
    ),
    (
        "viaq",
        json.dumps({"time": AT, "log": '{"message":"m","n":1}', "message": "m", "kubernetes": {}}).encode(),
        Row(b'{"message":"m","n":1}', 1, NS),
    ),
    (
        "json-message",
        json.dumps({"msg": " a", "rawmsg": LINE.decode(), "hostname": "n1", "timereported": AT}).encode(),
        Row(LINE, 1, NS, "n1"),
    ),
    (
        "json-message",
        json.dumps({"PROGRAM": "a", "MESSAGE": LINE.decode(), "HOST": "n1", "ISODATE": AT}).encode(),
        Row(LINE, 1, NS, "n1"),
    ),
    ("json-message", json.dumps({"@timestamp": AT, "@rawstring": LINE.decode()}).encode(), Row(LINE, 1, NS)),
    ("json-message", json.dumps({"Timestamp": "x", "Body": LINE.decode()}).encode(), Row(LINE, 1)),
    ("talosctl", b"192.0.2.2: " + LINE, Row(LINE, 1, node="192.0.2.2")),
    ("talosctl", b"2001:db8::2: " + LINE, Row(LINE, 1, node="2001:db8::2")),
    (
        "talosctl",
        f"talos-1.example: kern:    info: [{AT}]: ".encode() + LINE,
        Row(LINE, 1, NS, "talos-1.example"),
    ),
    (
        "stern",
        b"cilium-7xk2p cilium-agent 06-01 04:39:44 " + LINE,
        Row(LINE, 1, pod="cilium-7xk2p", container="cilium-agent"),
    ),
    (
        "stern",
        b"cilium-7xk2p cilium-agent xx drop (Policy denied)",
        Row(b"xx drop (Policy denied)", 1, pod="cilium-7xk2p", container="cilium-agent"),
    ),
    (
        "stern",
        b"kube-system cilium-7xk2p cilium-agent xx drop",
        Row(b"xx drop", 1, namespace="kube-system", pod="cilium-7xk2p", container="cilium-agent"),
    ),
    (
        "fluentd-file",
        b"2026-01-05 12:00:00.123456789 +0200 kubernetes.a: " + JSON_LINE.encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    ("kafka-console", b"CreateTime:-1\tPartition:3\tOffset:7\tNO_HEADERS\tnull\t" + LINE, Row(LINE, 1)),
    ("kafka-console", b"NO_TIMESTAMP\tweb-1\t" + JSON_LINE.encode(), Row(JSON_LINE.encode(), 1)),
    ("kafka-console", b"null\t" + JSON_LINE.encode(), Row(JSON_LINE.encode(), 1)),
    (
        "kafka-record",
        f'{{"key":"k","value":{JSON_LINE},"offset":7,"timestamp":"{AT}","headers":[]}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    (
        "kafka-record",
        b'{"topic":"t","key":null,"value":"eyJraW5kIjoiRXZlbnQiLCJuIjoxfQ==","partition":0,"offset":7}',
        Row(JSON_LINE.encode(), 1),
    ),
    (
        "pubsub",
        f'{{"message":{{"data":"eyJraW5kIjoiRXZlbnQiLCJuIjoxfQ==","messageId":"1","publishTime":"{AT}"}}}}'.encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    (
        "pubsub",
        b'{"message_id":"1","publish_time":"2026-01-05 10:00:00.5 UTC","data":"{\\"kind\\":\\"Event\\",\\"n\\":1}"}',
        Row(JSON_LINE.encode(), 1, parse_rfc3339("2026-01-05T10:00:00.5Z")),
    ),
    ("grep", b"np.log:" + LINE, Row(LINE, 1)),
    ("grep", b"./node-1/np-2026-01-05T10-00-00.000.log.1:17:" + LINE, Row(LINE, 1)),
    ("grep", b"/var/log/syslog.1:" + LINE, Row(LINE, 1)),
    (
        "grep",
        b"/var/log/pods/kube-system_weave-net-2xkzp_0f1e2d3c-4b5a/weave-npc/0.log:" + LINE,
        Row(LINE, 1, None, None, "kube-system", "weave-net-2xkzp", "weave-npc"),
    ),
    ("kubectl-prefix", b"[pod/web-1/main] " + LINE, Row(LINE, 1, pod="web-1", container="main")),
    (
        "node-logs",
        f"master-0.example.com {JSON_LINE}".encode(),
        Row(JSON_LINE.encode(), 1, node="master-0.example.com"),
    ),
    (
        "node-logs",
        b"worker-1.example.com 2026-01-05T10:00:00.123Z|00004|acl_log(ovn_pinctrl0)|INFO|name=x",
        Row(
            b"2026-01-05T10:00:00.123Z|00004|acl_log(ovn_pinctrl0)|INFO|name=x",
            1,
            node="worker-1.example.com",
        ),
    ),
    (
        "svlogd",
        b"2026-01-05_10:00:00.12345 " + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.12345Z")),
    ),
    (
        "stern",
        b"calico-node-7xk2p calico-node " + LINE,
        Row(LINE, 1, pod="calico-node-7xk2p", container="calico-node"),
    ),
    (
        "stern",
        b"\x1b[36mcalico-node-7xk2p\x1b[0m \x1b[36mcalico-node\x1b[0m " + LINE,
        Row(LINE, 1, pod="calico-node-7xk2p", container="calico-node"),
    ),
    (
        "stern-json",
        json.dumps(
            {
                "message": LINE.decode(),
                "nodeName": "n1",
                "namespace": "ns",
                "podName": "p",
                "containerName": "c",
            }
        ).encode(),
        Row(LINE, 1, None, "n1", "ns", "p", "c"),
    ),
    (
        "syslog-rfc3164",
        b"Jan  5 10:00:00 n1 kernel: [307753.360525] calico-packet: IN=",
        Row(b"[307753.360525] calico-packet: IN=", 1, parse_rfc3339("2026-01-05T10:00:00Z"), "n1"),
    ),
    (
        "syslog-rfc3164",
        b"<6>Jan 05 10:00:00.5 n1 kubelet-wrapper[4713]: " + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.5Z"), "n1"),
    ),
    (
        "syslog-iso",
        b"2026-01-05T12:00:00.5+02:00 n1 kernel: " + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.5Z"), "n1"),
    ),
    (
        "syslog-iso",
        b"2026-01-05T10:00:00+0000 n1 kubelet[4713]: " + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00Z"), "n1"),
    ),
    (
        "syslog-iso",
        b"Mon 2026-01-05 10:00:00 UTC n1 kubelet[4713]: " + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00Z"), "n1"),
    ),
    ("syslog-iso", b"Mon 2026-01-05 10:00:00 CET n1 kubelet[4713]: " + LINE, Row(LINE, 1, None, "n1")),
    ("journal-unix", b"1767607200.123456 n1 kernel: " + LINE, Row(LINE, 1, 1767607200_123456000, "n1")),
    (
        "syslog-rfc5424",
        f'<134>1 {AT} n1 ovn 311 - [a@1 k="v\\"]"] '.encode() + LINE,
        Row(LINE, 1, NS, "n1"),
    ),
    ("syslog-rfc5424", b"<134>1 - - ovn 311 - - " + LINE, Row(LINE, 1)),
    (
        "journal-json",
        json.dumps(
            {"__REALTIME_TIMESTAMP": "1767607200123456", "_HOSTNAME": "n1", "MESSAGE": LINE.decode()}
        ).encode(),
        Row(LINE, 1, 1767607200_123456000, "n1"),
    ),
    (
        "journal-json",
        json.dumps({"_HOSTNAME": "n1", "MESSAGE": list(LINE)}).encode(),
        Row(LINE, 1, None, "n1"),
    ),
    (
        "logcli-json",
        json.dumps(
            {"labels": {"pod": "p", "namespace": "ns"}, "line": LINE.decode(), "timestamp": AT}
        ).encode(),
        Row(LINE, 1, NS, None, "ns", "p"),
    ),
    (
        "logcli",
        AT.encode() + b' {container="c", pod="p", node_name="n1"} ' + LINE,
        Row(LINE, 1, NS, "n1", None, "p", "c"),
    ),
    (
        "cloud-logging",
        json.dumps(
            {
                "insertId": "1",
                "logName": "projects/p/logs/policy-action",
                "resource": {"type": "k8s_node", "labels": {"node_name": "n1"}},
                "timestamp": AT,
                "jsonPayload": {"disposition": "deny", "count": 1},
            }
        ).encode(),
        Row(b'{"disposition": "deny", "count": 1}', 1, NS, "n1"),
    ),
    (
        "cloud-logging",
        json.dumps({"logName": "l", "timestamp": AT, "jsonPayload": {"message": LINE.decode()}}).encode(),
        Row(LINE, 1, NS),
    ),
    (
        "cloud-logging",
        json.dumps({"logName": "l", "timestamp": AT, "textPayload": LINE.decode() + "\n"}).encode(),
        Row(LINE, 1, NS),
    ),
    (
        "cloudwatch-lines",
        json.dumps({"timestamp": 1767607200123, "message": LINE.decode(), "eventId": "1"}).encode(),
        Row(LINE, 1, 1767607200_123000000),
    ),
    (
        "cloudwatch-tail",
        b"2026-01-05T10:00:00.123000+00:00 aws-network-policy-agent-audit-1f0c " + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.123Z")),
    ),
    (
        "cloudwatch-text",
        b"EVENTS\t38391\t1767607205000\taws-network-policy-agent-audit-1f0c\t" + LINE + b"\t1767607200123",
        Row(LINE, 1, 1767607200_123000000),
    ),
    (
        "cloudwatch-text",
        b"EVENTS\t1767607205000\t" + LINE + b"\tx\t1767607200123",
        Row(LINE + b"\tx", 1, 1767607200_123000000),
    ),
    (
        "elasticsearch-hit",
        json.dumps({"_index": "i", "_source": {"@timestamp": AT, "action": "deny"}}).encode(),
        Row(json.dumps({"@timestamp": AT, "action": "deny"}).encode(), 1, NS),
    ),
    (
        "viaq",
        json.dumps(
            {
                "@timestamp": AT,
                "hostname": "n1",
                "message": LINE.decode(),
                "kubernetes": {"namespace_name": "ns", "pod_name": "p", "container_name": "c"},
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p", "c"),
    ),
    # Filebeat: log, host and all under kubernetes are objects
    (
        "viaq",
        json.dumps(
            {
                "@timestamp": AT,
                "message": LINE.decode(),
                "log": {"file": {"path": "/x"}, "offset": 3},
                "host": {"name": "agent-host"},
                "kubernetes": {
                    "namespace": "ns",
                    "pod": {"name": "p", "uid": "1"},
                    "container": {"name": "c"},
                    "node": {"name": "n1"},
                },
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p", "c"),
    ),
    # Filebeat's journald input
    (
        "viaq",
        json.dumps(
            {"@timestamp": AT, "message": LINE.decode(), "log": {}, "host": {"hostname": "n1"}}
        ).encode(),
        Row(LINE, 1, NS, "n1"),
    ),
    # Vector
    (
        "viaq",
        json.dumps(
            {
                "file": "/var/log/pods/x/0.log",
                "kubernetes": {
                    "container_name": "c",
                    "pod_name": "p",
                    "pod_namespace": "ns",
                    "pod_node_name": "n1",
                },
                "message": LINE.decode(),
                "timestamp": AT,
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p", "c"),
    ),
    # fields of other shapes than any collector's are passed over
    (
        "viaq",
        json.dumps(
            {
                "@timestamp": AT,
                "message": LINE.decode(),
                "host": [1],
                "date": {},
                "kubernetes": {"pod": 5, "node": []},
            }
        ).encode(),
        Row(LINE, 1, NS),
    ),
    # Fluent Bit without its Kubernetes filter
    (
        "viaq",
        json.dumps({"date": 1767607200.123456, "log": LINE.decode()}, separators=(",", ":")).encode(),
        Row(LINE, 1, 1767607200_123456000),
    ),
    (
        "viaq",
        json.dumps({"@timestamp": AT, "log_processed": {"a": 1}, "kubernetes": {"pod_name": "p"}}).encode(),
        Row(b'{"a": 1}', 1, NS, pod="p"),
    ),
    (
        "fluentd-file",
        f"{AT}\tkubernetes.var.log.containers.p\t{JSON_LINE}".encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    # logcli pads labels to the longest that the query gave
    ("logcli", AT.encode() + b' {pod="p"}       ' + LINE, Row(LINE, 1, NS, None, None, "p")),
    # Grafana's Explore
    (
        "logcli-json",
        json.dumps(
            {
                "line": LINE.decode(),
                "timestamp": "1767607200123456789",
                "date": "2026-01-05T10:00:00.123Z",
                "fields": {"pod": "p", "namespace": "ns", "n": 1},
            }
        ).encode(),
        Row(LINE, 1, 1767607200_123456789, None, "ns", "p"),
    ),
    (
        "grafana-text",
        b"1767607200123\t2026-01-05T10:00:00.123Z\t" + LINE,
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.123Z")),
    ),
    (
        "azure-row",
        json.dumps(
            {
                "TimeGenerated": AT,
                "Computer": "n1",
                "PodNamespace": "ns",
                "PodName": "p",
                "ContainerName": "c",
                "LogMessage": LINE.decode(),
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p", "c"),
    ),
    # a line of JSON, which the table keeps as an object
    (
        "azure-row",
        json.dumps({"TimeGenerated": AT, "PodName": "p", "LogMessage": {"a": 1}}).encode(),
        Row(b'{"a": 1}', 1, NS, pod="p"),
    ),
    (
        "azure-row",
        json.dumps({"TimeGenerated": AT, "Computer": "n1", "LogEntry": LINE.decode()}).encode(),
        Row(LINE, 1, NS, "n1"),
    ),
    (
        "azure-row",
        json.dumps({"TimeGenerated": AT, "Category": "kube-audit", "log_s": JSON_LINE}).encode(),
        Row(JSON_LINE.encode(), 1, NS),
    ),
    (
        "splunk-row",
        json.dumps(
            {
                "preview": False,
                "offset": 0,
                "result": {"_time": "2026-01-05T10:00:00.123+0000", "host": "n1", "_raw": LINE.decode()},
            }
        ).encode(),
        Row(LINE, 1, parse_rfc3339("2026-01-05T10:00:00.123Z"), "n1"),
    ),
    (
        "splunk-row",
        json.dumps(
            {"time": "1767607200.123", "host": "n1", "sourcetype": "k", "event": LINE.decode()}
        ).encode(),
        Row(LINE, 1, 1767607200_123000000, "n1"),
    ),
    ("compose", b"agent-1  | " + LINE, Row(LINE, 1, container="agent-1")),
    ("kubetail", b"[agent-x2v4z] " + LINE, Row(LINE, 1, pod="agent-x2v4z")),
    ("kubetail", b"[agent-x2v4z main] " + LINE, Row(LINE, 1, pod="agent-x2v4z", container="main")),
    ("kail", b"ns/p-1[c]: " + LINE, Row(LINE, 1, None, None, "ns", "p-1", "c")),
    ("terminal-colours", b"\x1b[32mlevel=info\x1b[0m" + LINE[10:], Row(LINE, 1)),
    ("sent-json", b"\x1e" + JSON_LINE.encode(), Row(JSON_LINE.encode(), 1)),
    ("sent-json", b"data: " + JSON_LINE.encode(), Row(JSON_LINE.encode(), 1)),
    (
        "otlp-json",
        json.dumps(
            {
                "resourceLogs": [
                    {
                        "resource": {
                            "attributes": [
                                {"key": "k8s.pod.name", "value": {"stringValue": "p"}},
                                {"key": "k8s.namespace.name", "value": {"stringValue": "ns"}},
                                {"key": "k8s.node.name", "value": {"stringValue": "n1"}},
                            ]
                        },
                        "scopeLogs": [
                            {
                                "logRecords": [
                                    {
                                        "timeUnixNano": str(NS),
                                        "body": {"stringValue": LINE.decode()},
                                        "attributes": [
                                            {"key": "k8s.container.name", "value": {"stringValue": "c"}},
                                            {"key": "n", "value": {"intValue": "3"}},
                                        ],
                                    }
                                ]
                            }
                        ],
                    }
                ]
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p", "c"),
    ),
    # a line of JSON that the collector parsed; only when it was seen is known
    (
        "otlp-json",
        json.dumps(
            {
                "resourceLogs": [
                    {
                        "scopeLogs": [
                            {
                                "logRecords": [
                                    {
                                        "observedTimeUnixNano": str(NS),
                                        "body": {
                                            "kvlistValue": {
                                                "values": [
                                                    {"key": "kind", "value": {"stringValue": "Event"}},
                                                    {"key": "n", "value": {"intValue": "1"}},
                                                    {
                                                        "key": "l",
                                                        "value": {
                                                            "arrayValue": {"values": [{"boolValue": True}]}
                                                        },
                                                    },
                                                ]
                                            }
                                        },
                                    }
                                ]
                            }
                        ]
                    }
                ]
            }
        ).encode(),
        Row(b'{"kind":"Event","n":1,"l":[true]}', 1, NS),
    ),
    (
        "loki-streams",
        json.dumps(
            {"streams": [{"stream": {"pod": "p"}, "values": [["1767607200123456789", LINE.decode()]]}]}
        ).encode(),
        Row(LINE, 1, NS, pod="p"),
    ),
    (
        "json-message",
        json.dumps({"ts": 1767607200.5, "message": LINE.decode(), "host": "n1"}).encode(),
        Row(LINE, 1, 1767607200_500000000, "n1"),
    ),
    (
        "json-message",
        json.dumps(
            {
                "id": "AQ",
                "content": {
                    "timestamp": AT,
                    "host": "n1",
                    "message": LINE.decode(),
                    "tags": ["pod_name:p", "kube_namespace:ns", "x"],
                },
            }
        ).encode(),
        Row(LINE, 1, NS, "n1", "ns", "p"),
    ),
    (
        "viaq",
        json.dumps({"@timestamp": AT, "event": {"original": LINE.decode()}, "host": {"name": "n1"}}).encode(),
        Row(LINE, 1, NS, "n1"),
    ),
    (
        "node-logs",
        b"worker-1.example.com Jan 05 10:00:00.123456 worker-1 kubenswrapper[2431]: x",
        Row(
            b"Jan 05 10:00:00.123456 worker-1 kubenswrapper[2431]: x",
            1,
            node="worker-1.example.com",
        ),
    ),
]


@pytest.mark.parametrize(
    ("layer", "data", "row"), ORDINARY, ids=lambda value: value if isinstance(value, str) else ""
)
def test_ordinary_line(layer, data, row):
    """The wrapper is found by itself, what it wraps comes out, and what it says stands beside."""
    assert next_layer((data + b"\n") * 3) == layer
    assert peel(data + b"\n", layer) == [row]
    assert peel(data, layer) == [row]


@pytest.mark.parametrize(
    ("layer", "data", "row"), ORDINARY, ids=lambda value: value if isinstance(value, str) else ""
)
def test_foreign_lines_pass_unchanged(layer, data, row):
    """A line without the wrapper keeps its bytes and its number; the others are still peeled."""
    foreign = b"-- no wrapper here --"
    rows = peel(b"\n".join([data, foreign, b"", data]) + b"\n", layer, first_line=7)
    numbers = (1, 2) if issubclass(LAYERS[layer], Batches) else (7, 10)

    assert rows == [
        row._replace(line=numbers[0]),
        Row(foreign, 8),
        Row(b"", 9),
        row._replace(line=numbers[1]),
    ]


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_no_layer_raises_on_garbage(layer):
    """Damage passes through; it is the parser's to name."""
    for data in (
        b"\x00\xff\xfe\n",
        b"{" * 5000 + b"\n",
        b'{"log":\n',
        b"[\n{\n",
        b'{"MESSAGE":{"a":1}}\n',
        b"\n",
    ):
        assert all(isinstance(row.data, bytes) for row in peel(data, layer))


TEXT = "a line of a log with blanks, number "


def test_columns_of_a_cluster_object_are_no_answer():
    """A custom resource may describe a table."""
    table = {"apiVersion": "x/v1", "kind": "Table", "spec": {"columns": [{"name": "a"}], "rows": [["b"]]}}

    assert stack_of(json.dumps(table).encode()) == ()


def test_every_text_of_an_answer_that_nobody_knows_is_a_line():
    """On one line or printed over several; its own time beside it, and a line that stands there twice only once."""
    found = [{"Id": n, "Body": f"{TEXT}{n}", "Attributes": {"time": AT}} for n in range(2)]
    answer = {"Messages": found, "Next": "x"}

    for data in (json.dumps(answer), json.dumps(answer, indent=2)):
        stack = stack_of(data.encode())
        assert stack[-1] == "json-inside"
        assert [row.data.decode() for row in peel(data.encode(), *stack)] == [f"{TEXT}0", f"{TEXT}1"]

    logs = [
        {"raw": f"<4>{TEXT}{n}", "short": f"{TEXT}{n}", "same": f"<4>{TEXT}{n}", "time": AT} for n in range(2)
    ]
    (one, other) = peel(json.dumps({"found": logs}).encode(), "json-inside")
    assert (one.data.decode(), one.at, other.data.decode()) == (f"<4>{TEXT}0", NS, f"<4>{TEXT}1")


def test_an_object_with_one_text_is_a_record():
    """Parsers find what they know in it, and nothing around it is lost."""
    for record in ({"n": 1, "x": {"y": f"{TEXT}1"}}, {"x": [f"{TEXT}1", f"{TEXT}2"]}):
        data = json.dumps(record).encode()
        assert stack_of(data) == ()
        assert [row.data for row in peel(data, "json-inside")] == [data]


def test_answers_of_elasticsearch_in_other_forms():
    """Fields in place of sources, as Kibana asks; searches in the background; its query languages."""
    hit = {"_index": "x", "_id": "1", "fields": {"@timestamp": [AT], "message": [LINE.decode()]}}
    for answer in (
        {"hits": {"hits": [hit, hit]}},
        {"id": "a", "rawResponse": {"hits": {"hits": [hit, hit]}}},
        {"id": "a", "response": {"hits": {"hits": [hit, hit]}}},
        {"columns": [{"name": "@timestamp"}, {"name": "message"}], "values": [[AT, LINE.decode()]] * 2},
        {"schema": [{"name": "@timestamp"}, {"name": "message"}], "datarows": [[AT, LINE.decode()]] * 2},
    ):
        data = json.dumps(answer).encode()
        assert peel(data, *stack_of(data)) == [Row(LINE, 1, NS), Row(LINE, 2, NS)]


def test_rows_of_clickhouse_and_netobserv():
    """As objects, as lists with the columns' names beside, and as a table with a header."""
    meta = [{"name": "flowStartSeconds", "type": "DateTime"}, {"name": "sourceIP", "type": "String"}]
    row = {"flowStartSeconds": "2026-01-05 10:00:00", "sourceIP": "192.0.2.1"}
    for data in ([row, row], [list(row.values())] * 2):
        for indent in (None, 2):
            text = json.dumps({"meta": meta, "data": data, "rows": 2}, indent=indent).encode()
            stack = stack_of(text)
            assert stack[0] == "clickhouse"
            assert [json.loads(found.data) for found in peel(text, *stack)] == [row, row]

    flow = {"DstAddr": "192.0.2.2", "SrcAddr": "192.0.2.1", "TimeFlowEndMs": "1767607200123"}
    table = ("\n".join(",".join(cells) for cells in (flow, flow.values())) + "\n").encode()
    assert stack_of(table) == ("csv-table",)
    assert [json.loads(found.data) for found in peel(table, "csv-table")] == [flow]
    table = b'"flowStartSeconds","sourceIP","x"\n"2026-01-05 10:00:00","192.0.2.1",""\n'
    assert [json.loads(found.data) for found in peel(table, "csv-table")] == [row]


def test_which_logs_stern_follows_is_no_line_of_theirs():
    """It says so on standard error, of hundreds of pods before their first lines."""
    begun = "+ calico-node-7xk2p › calico-node\n".encode()
    lines = b"calico-node-7xk2p calico-node " + LINE + b"\n"

    assert stack_of(begun * 9 + lines + begun)[:1] == ("stern",)


def test_a_bulk_request_is_its_documents():
    """What says where to is taken out; a document that looks the same is none where it is alone."""
    sent = b'{"index":{"_index":"flows"}}\n{"n":1}\n{ "create": {} }\n{"n":2}\n'

    assert stack_of(sent) == ("elasticsearch-bulk",)
    assert [Row(b'{"n":1}', 2), Row(b'{"n":2}', 4)] == peel(sent, "elasticsearch-bulk")
    assert stack_of(b'{"index":{"a":1}}\n') == ()


def test_names_that_stand_deeper_are_no_queue_s():
    """A record in which a field, somewhere, is called as a queue's is."""
    assert stack_of(b'{"offset":{"value":2},"value":1,"env":[{"key":"a"}]}\n') == ()
    assert stack_of(b'{"spec":{"data":"x","messageId":"1"}}\n') == ()


def test_cri_parts_are_joined_by_stream():
    """Parts of one line join even where the other stream writes between; the number is the first part's."""
    data = (
        b"2026-01-05T10:00:00Z stdout P one \n"
        b"2026-01-05T10:00:01Z stderr F other\n"
        b"2026-01-05T10:00:02Z stdout F line\n"
        b"2026-01-05T10:00:03Z stdout P cut off"
    )
    rows = peel(data, "cri")

    assert [(row.line, row.data) for row in rows] == [(2, b"other"), (1, b"one line"), (4, b"cut off")]
    assert rows[1].at == parse_rfc3339("2026-01-05T10:00:00Z")


def test_docker_parts_are_joined():
    """Docker cuts lines at 16 KiB; the part before has no newline."""
    parts = [
        {"log": "one ", "stream": "stdout", "time": AT},
        {"log": "line\n", "stream": "stdout", "time": AT},
        {"log": "end", "stream": "stdout", "time": AT},
    ]
    rows = peel(b"".join(json.dumps(part).encode() + b"\n" for part in parts), "docker-json")

    assert [(row.line, row.data) for row in rows] == [(1, b"one line"), (3, b"end")]


@pytest.mark.parametrize("key", ["_p", "logtag"])
def test_fluent_bit_marks_parts(key):
    """Fluent Bit takes the newline away and keeps the container runtime's mark: F ends a line, P does not."""
    parts = [("one", "F"), ("two ", "P"), ("parts", "F"), ("cut off", "P")]
    lines = [
        json.dumps({"time": AT, "stream": "stdout", key: mark, "log": text}).encode() for text, mark in parts
    ]
    data = b"".join(line + b"\n" for line in lines)

    assert stack_of(data) == ("docker-json",)
    assert [row.data for row in peel(data, "docker-json")] == [b"one", b"two parts", b"cut off"]


@pytest.mark.parametrize("mark", [{}, {"_p": "F"}])
def test_fluent_bit_with_kubernetes_metadata(mark):
    """Whole lines without a newline: none waits for another, and the metadata say who wrote them."""
    who = {"pod_name": "aws-node-1", "host": "n1", "namespace_name": "kube-system", "container_name": "c"}
    record = {"time": AT, "stream": "stdout", **mark, "log": JSON_LINE, "kubernetes": who}
    data = (json.dumps(record) + "\n").encode() * 2

    assert stack_of(data)[0] == "viaq"
    assert peel(data, "viaq") == [
        Row(JSON_LINE.encode(), line, NS, "n1", "kube-system", "aws-node-1", "c") for line in (1, 2)
    ]


def test_quoted_metadata_in_a_docker_line():
    """A log text that speaks of `kubernetes` is still Docker's."""
    data = json.dumps({"log": '{"kubernetes":1}\n', "stream": "stdout", "time": AT}).encode() + b"\n"

    assert next_layer(data) == "docker-json"


def test_journal_export_with_binary_field():
    """Fields with newlines carry their length; the record has the number of its first line."""
    message = b"two\nlines"
    data = (
        b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1767607200123456\n_HOSTNAME=n1\nMESSAGE\n"
        + len(message).to_bytes(8, "little")
        + message
        + b"\n\n__CURSOR=s=2\nMESSAGE=single\n"
    )
    assert next_layer(data) == "journal-export"
    assert peel(data, "journal-export") == [
        Row(b"two", 1, 1767607200_123456000, "n1"),
        Row(b"lines", 1, 1767607200_123456000, "n1"),
        Row(b"single", 8),
    ]


def test_cluster_info_dump_sections_name_pod_and_container():
    """The marker lines go, numbers stay."""
    data = (
        b"==== START logs for container weave-npc of pod kube-system/weave-net-2xkzp ====\n"
        b"WARN: x\n"
        b"==== END logs for container weave-npc of pod kube-system/weave-net-2xkzp ====\n"
        b"between\n"
    )
    assert next_layer(data) == "cluster-info-dump"
    assert peel(data, "cluster-info-dump") == [
        Row(b"WARN: x", 2, None, None, "kube-system", "weave-net-2xkzp", "weave-npc"),
        Row(b"between", 4),
    ]


DOCUMENTS = [
    (
        "loki",
        {
            "status": "success",
            "data": {
                "resultType": "streams",
                "result": [
                    {
                        "stream": {"namespace": "ns", "pod": "p"},
                        "values": [[str(NS), "one"], [str(NS + 1), "two"]],
                    },
                    {"stream": {"SrcK8S_Namespace": "a"}, "values": [[str(NS), '{"Bytes":1}']]},
                ],
            },
        },
        [
            Row(b"one", 1, NS, None, "ns", "p"),
            Row(b"two", 2, NS + 1, None, "ns", "p"),
            Row(b'{"SrcK8S_Namespace":"a","Bytes":1}', 3, NS),
        ],
    ),
    # Loki 3, asked as Grafana asks
    (
        "loki",
        {
            "data": {
                "result": [
                    {
                        "stream": {"pod": "p"},
                        "values": [
                            [str(NS), "one", {"structuredMetadata": {"a": "b"}}],
                            [str(NS), "two", {}],
                        ],
                    }
                ],
                "encodingFlags": ["categorize-labels"],
            }
        },
        [Row(b"one", 1, NS, pod="p"), Row(b"two", 2, NS, pod="p")],
    ),
    (
        "azure-tables",
        {
            "tables": [
                {
                    "name": "PrimaryResult",
                    "columns": [
                        {"name": "TimeGenerated", "type": "datetime"},
                        {"name": "PodName", "type": "string"},
                        {"name": "LogMessage", "type": "dynamic"},
                    ],
                    "rows": [[AT, "p", "one"], [AT, None, '{"a": 1}']],
                }
            ]
        },
        [Row(b"one", 1, NS, pod="p"), Row(b'{"a": 1}', 2, NS)],
    ),
    (
        "elasticsearch",
        {
            "took": 1,
            "hits": {
                "total": {"value": 1},
                "hits": [{"_index": "i", "_source": {"a": 1}}, {"_source": {"b": 2}}],
            },
        },
        [Row(b'{"a": 1}', 1), Row(b'{"b": 2}', 2)],
    ),
    (
        "cloudwatch",
        {
            "events": [
                {"timestamp": 1767607200123, "message": "one", "logStreamName": "s"},
                {"message": "two\n"},
            ]
        },
        [Row(b"one", 1, 1767607200_123000000), Row(b"two", 2)],
    ),
    (
        "cloudwatch-query",
        {
            "results": [
                [
                    {"field": "@timestamp", "value": "2026-01-05 10:00:00.123"},
                    {"field": "@message", "value": "one"},
                ]
            ],
            "status": "Complete",
        },
        [Row(b"one", 1, parse_rfc3339("2026-01-05T10:00:00.123Z"))],
    ),
    ("json-array", [{"a": 1}, {"b": 2}], [Row(b'{"a": 1}', 1), Row(b'{"b": 2}', 2)]),
]


@pytest.mark.parametrize(
    ("layer", "document", "rows"), DOCUMENTS, ids=lambda value: value if isinstance(value, str) else ""
)
@pytest.mark.parametrize("indent", [None, 2])
def test_documents_count_elements(layer, document, rows, indent):
    """Elements are numbered from 1 however the document is laid out."""
    data = json.dumps(document, indent=indent).encode()

    assert next_layer(data) == layer
    peeled = peel(data, layer)
    assert [(row.line, row.at, row.pod) for row in peeled] == [(row.line, row.at, row.pod) for row in rows]
    for mine, wanted in zip(peeled, rows, strict=True):
        assert b"\n" not in mine.data
        if wanted.data.startswith(b"{"):
            assert json.loads(mine.data) == json.loads(wanted.data)
        else:
            assert mine.data == wanted.data


def test_array_cut_off_gives_its_whole_elements():
    """The damaged rest comes last, for the parser to name."""
    rows = peel(b'[{"a":1},\n {"b":2},\n {"c":', "json-array")

    assert rows == [Row(b'{"a":1}', 1), Row(b'{"b":2}', 2), Row(CUT, 3)]


def test_pretty_objects_have_the_line_they_start_on():
    """``jq .`` output; an object that was cut off comes as it is."""
    data = b'{\n  "a": "x y"\n}\n{\n  "b": 2\n}\n{\n  "c":'

    assert next_layer(data) == "json-pretty"
    assert peel(data, "json-pretty") == [Row(b'{"a": "x y"}', 1), Row(b'{"b": 2}', 4), Row(b'{"c":', 7)]


def test_a_table_of_records_becomes_an_object_a_row():
    """Kibana's report of an index without messages: columns are fields, and empty cells are absent ones."""
    data = (
        b'"@timestamp",action,"dest_port","policies.all_policies",host\n'
        b'"Mar 2, 2026 @ 10:00:00.500",deny,"8,080","0|default|shop/default.web|deny|0, 1|x|y|allow|0",n1\n'
        b'"Mar 2, 2026 @ 10:00:01.000",allow,"",-,n2\n'
    )
    assert next_layer(data) == "csv-table"
    rows = list(Peeler(("csv-table",), ParseContext(input="flows.csv")).peel(data, 1))

    assert [json.loads(row.data) for row in rows] == [
        {
            "@timestamp": "Mar 2, 2026 @ 10:00:00.500",
            "action": "deny",
            "dest_port": "8,080",
            "policies.all_policies": "0|default|shop/default.web|deny|0, 1|x|y|allow|0",
            "host": "n1",
        },
        {
            "@timestamp": "Mar 2, 2026 @ 10:00:01.000",
            "action": "allow",
            "policies.all_policies": "-",
            "host": "n2",
        },
    ]
    assert [(row.node, row.at) for row in rows] == [
        ("n1", 1_772_445_600_500_000_000),
        ("n2", 1_772_445_601_000_000_000),
    ]


def test_insights_csv():
    """Quoted cells; the header row is no record."""
    data = b'@timestamp,@message\n2026-01-05 10:00:00.123,"Node: n;SIP: ""a"", b"\n'

    assert next_layer(data) == "csv-table"
    assert peel(data, "csv-table") == [
        Row(b'Node: n;SIP: "a", b', 2, parse_rfc3339("2026-01-05T10:00:00.123Z"))
    ]


@pytest.mark.parametrize(
    "message",
    [
        b"Node: ip-10-0-1-2;SIP: 10.0.1.3;SPORT: 1;DIP: 10.0.1.4;DPORT: 2;PROTOCOL: TCP;PolicyVerdict: DENY",
        b"WARN: 2026/01/05 10:00:00.123000 TCP connection from 10.32.0.3:1 to 10.40.0.1:80 blocked by Weave NPC.",
    ],
)
def test_a_message_that_begins_like_a_program(message):
    """A stream of CloudWatch's with a colon near the start of its message is no host of syslog's."""
    data = b"2026-01-05T10:00:00.123456+00:00 agent-audit-1f0c " + message + b"\n"

    assert next_layer(data) == "cloudwatch-tail"
    assert [row.data for row in peel(data, "cloudwatch-tail")] == [message]


@pytest.mark.parametrize(
    ("data", "stack"),
    [
        (b"[pod/p/c] 2026-01-05T10:00:00.1Z level=info\n", ("kubectl-prefix", "kubectl-timestamps")),
        (b"2026-01-05T10:00:00.1Z 2026-01-05T10:00:00.2Z stdout F x y\n", ("kubectl-timestamps", "cri")),
        (
            json.dumps(
                [{"logName": "l", "timestamp": AT, "textPayload": "2026-01-05T10:00:00Z stdout F x"}]
            ).encode(),
            ("json-array", "cloud-logging", "cri"),
        ),
    ],
)
def test_stacks(data, stack):
    """Wrappers come off one after another, outermost first."""
    assert stack_of(data) == stack


def test_nearest_wrapper_wins():
    """What the inner wrapper says of the line is nearer to its writer."""
    data = b"2026-01-05T10:00:09Z Jan  5 10:00:01 n1 app: x\n2026-01-05T10:00:09Z plain\n"
    rows = peel(data, "kubectl-timestamps", "syslog-rfc3164")

    assert [row.at for row in rows] == [
        parse_rfc3339("2026-01-05T10:00:01Z"),
        parse_rfc3339("2026-01-05T10:00:09Z"),
    ]


@pytest.mark.parametrize(
    ("context", "at", "source"),
    [
        (ParseContext(input="t"), None, TimeSource.NONE),
        (ParseContext(input="t", year=2024), "2024-12-31T23:00:00Z", TimeSource.INFERRED_YEAR),
        (
            ParseContext(input="t", reference_time=parse_rfc3339("2026-01-02T00:00:00Z")),
            "2025-12-31T23:00:00Z",
            TimeSource.INFERRED_YEAR,
        ),
        (
            ParseContext(input="t", year=2024, zone=timezone(timedelta(hours=1))),
            "2024-12-31T22:00:00Z",
            TimeSource.INFERRED_YEAR,
        ),
    ],
)
def test_year_of_syslog_is_inferred_and_marked(context, at, source):
    """Without a year the time is unknown; with one it says that it stands on it."""
    rows = Peeler(("syslog-rfc3164",), context).peel(b"Dec 31 23:00:00 n1 kernel: x\n", 1)
    line = Block(data=rows.data, envelope=rows.envelope()).of_line(0)

    assert line.at == (parse_rfc3339(at) if at else None)
    assert line.time_source is source
    assert line.node == "n1"


@pytest.mark.parametrize(
    "data",
    [
        b"Nov  3 16:23:17 ip-172-31-34-84 DROP by policy default/np IN=cni0 OUT=cni0 MAC=a6:7c SRC=10.42.0.9\n",
        b"Nov  3 16:23:17 ip-172-31-34-84  IN=cni0 OUT=cni0 MAC=a6:7c SRC=10.42.0.9\n",
        b"2023-11-02T16:28:54.139Z|00004|acl_log(ovn_pinctrl0)|INFO|name=x\n",
        b'[2025-07-22T17:55:52.085Z] "GET / HTTP/1.1" 403 - rbac_access_denied_matched_policy[none]\n',
        b"WARN: 2020/09/09 13:43:06.963438 TCP connection from a to b blocked by Weave NPC.\n",
        b"I0712 09:53:52.257809       1 logging.go:67] x\n",
        b'{"flow":{"verdict":"DROPPED"},"node_name":"n","time":"2026-01-05T10:00:00Z"}\n',
        b"Mar  4 10:00:00.123: default/a:1 (ID:1) -> default/b:80 (ID:2) policy-verdict:none EGRESS DENIED (TCP Flags: SYN)\n",
    ],
)
def test_records_that_only_look_wrapped(data):
    """A format's own header stays with its records."""
    assert next_layer(data * 3) is None


TABLES = [
    # Splunk: a search's export, and outputcsv with an unformatted time
    (
        b'"_time","_raw","host"\n"2026-01-05T10:00:00.123+0000","a ""b"" c",n1\n',
        [Row(b'a "b" c', 2, parse_rfc3339("2026-01-05T10:00:00.123Z"), "n1")],
    ),
    (b"_time,host,_raw\n1767607200.5,n1,x\n", [Row(b"x", 2, 1767607200_500000000, "n1")]),
    # Kibana's report of a saved search
    (
        b'"@timestamp","kubernetes.pod.name",message\n"Jan 5, 2026 @ 10:00:00.123","p","x"\n',
        [Row(b"x", 2, parse_rfc3339("2026-01-05T10:00:00.123Z"), pod="p")],
    ),
    # Grafana Explore
    (
        b'Time,Line,tsNs,pod\n2026-01-05 11:00:00.000,"x, y",1767607200123456789,p\n',
        [Row(b"x, y", 2, 1767607200_123456789, pod="p")],
    ),
    # Azure Log Analytics
    (
        b'"TimeGenerated [UTC]",PodName,LogMessage\n"2026-01-05 10:00:00.000",p,x\n',
        [Row(b"x", 2, parse_rfc3339("2026-01-05T10:00:00Z"), pod="p")],
    ),
    (
        b'"TimeGenerated [UTC]",PodName,LogMessage\n"1/5/2026, 12:00:00.123 PM",p,x\n',
        [Row(b"x", 2, parse_rfc3339("2026-01-05T12:00:00.123Z"), pod="p")],
    ),
    # CloudWatch's console, a stream's events; Athena's answer for a log group; Sumo Logic
    (b"timestamp,message\n1767607200123,x\n", [Row(b"x", 2, MILLI)]),
    (b'"log_stream","time","message"\n"s","1767607200123","x ""y"""\n', [Row(b'x "y"', 2, MILLI)]),
    (b'"_messagetimems","_sourcehost","_raw"\n"1767607200123","n1","x"\n', [Row(b"x", 2, MILLI, "n1")]),
    # one message of two lines, a row that is cut off
    (
        b'_time,_raw\n2026-01-05T10:00:00Z,"a\nb"\n2026-01-05T10:00:01Z,"c\n',
        [
            Row(b"a", 2, parse_rfc3339("2026-01-05T10:00:00Z")),
            Row(b"b", 2, parse_rfc3339("2026-01-05T10:00:00Z")),
            Row(b'2026-01-05T10:00:01Z,"c', 4),
        ],
    ),
]


@pytest.mark.parametrize(
    ("data", "expected"),
    TABLES,
    ids=["splunk", "outputcsv", "kibana", "grafana", "azure", "portal", "console", "athena", "sumo", "cut"],
)
def test_exported_tables(data, expected):
    """What search tools export: the message is peeled, with its time and where it came from."""
    assert next_layer(data) == "csv-table"
    assert peel(data, "csv-table") == expected


AZURE_FLOW = {
    "TimeGenerated": AT,
    "Verdict": "DROPPED",
    "DropReason": "POLICY_DENIED",
    "TrafficDirection": "EGRESS",
    "FlowType": "L3_L4",
    "NodeName": "aks-1",
    "SourceNamespace": "shop",
    "SourcePodName": "web-1",
    "SourceIdentity": 19942,
    "SourceWorkloads": [{"name": "web", "kind": "Deployment"}],
    "DestinationNamespace": "",
    "IP": {"source": "10.244.1.17", "destination": "192.0.2.7"},
    "Layer4": {"TCP": {"source_port": 41022, "destination_port": 443}},
    "Layer7": None,
    "EventType": {"type": 5},
    "Policy": {"egress_denied_by": [{"name": "no-web"}], "unknown": 1},
    "Reply": False,
    "AdditionalFlowData": {"Summary": "TCP Flags: SYN"},
    "_BilledSize": 300,
}


def as_text(value):
    """A cell as the query tool and CSV hold it."""
    return json.dumps(value) if isinstance(value, dict | list) else "None" if value is None else str(value)


@pytest.mark.parametrize(
    ("data", "stack"),
    [
        (json.dumps(AZURE_FLOW) + "\n", ("azure-flows",)),
        (
            json.dumps([{**{key: as_text(value) for key, value in AZURE_FLOW.items()}}]),
            ("json-array", "azure-flows"),
        ),
        (
            json.dumps(
                {
                    "tables": [
                        {
                            "columns": [{"name": name} for name in AZURE_FLOW],
                            "rows": [list(AZURE_FLOW.values())],
                        }
                    ]
                }
            ),
            ("azure-tables", "azure-flows"),
        ),
        (
            ",".join(name.replace("Generated", "Generated [UTC]") for name in AZURE_FLOW)
            + "\n"
            + ",".join('"' + as_text(value).replace('"', '""') + '"' for value in AZURE_FLOW.values())
            + "\n",
            ("csv-table", "azure-flows"),
        ),
    ],
    ids=["exported", "az", "api", "portal"],
)
def test_container_network_logs_of_azure_are_the_flows_that_they_were(data, stack):
    """Rows of ContainerNetworkLogs, however they were taken out; what a column of no flow holds is left out."""
    assert stack_of(data.encode()) == stack
    (row,) = peel(data.encode(), *stack)

    assert row.at == NS
    assert json.loads(row.data) == {
        "flow": {
            "Summary": "TCP Flags: SYN",
            "verdict": "DROPPED",
            "drop_reason_desc": "POLICY_DENIED",
            "Type": "L3_L4",
            "node_name": "aks-1",
            "traffic_direction": "EGRESS",
            "IP": {"source": "10.244.1.17", "destination": "192.0.2.7"},
            "l4": {"TCP": {"source_port": 41022, "destination_port": 443}},
            "event_type": {"type": 5},
            "source": {
                "namespace": "shop",
                "pod_name": "web-1",
                "identity": 19942,
                "workloads": [{"name": "web", "kind": "Deployment"}],
            },
            "egress_denied_by": [{"name": "no-web"}],
            "is_reply": False,
            "time": AT,
        }
    }


TRAFFIC = {
    "TimeGenerated": "1970-01-01T01:00:00Z",
    "FlowStartTime": "1970-01-01T00:00:01Z",
    "SrcIp": "10.244.1.17",
    "DestIp": "10.0.0.6",
    "DestPort": "5432",
    "FlowStatus": "Denied",
}
"""A row of Traffic Analytics."""
API = {"tables": [{"columns": [{"name": name} for name in TRAFFIC], "rows": [list(TRAFFIC.values())]}]}
PORTAL = (
    '"TimeGenerated [UTC]","FlowStartTime [UTC]",SrcIp,DestIp,DestPort,FlowStatus\n'
    '"1/1/1970, 1:00:00.000 AM","1/1/1970, 12:00:01.000 AM","10.244.1.17","10.0.0.6",5432,Denied\n'
)


@pytest.mark.parametrize(
    ("data", "layer", "start"),
    [
        (json.dumps(API), "azure-tables", "1970-01-01T00:00:01Z"),
        (PORTAL, "csv-table", "1970-01-01T00:00:01.000Z"),
    ],
    ids=["api", "portal"],
)
def test_rows_of_azure_s_traffic_analytics_keep_their_columns(data, layer, start):
    """The parser gets a row by the table's own names; the portal's stamps are in the form of all others."""
    assert stack_of(data.encode()) == (layer,)
    (row,) = peel(data.encode(), layer)
    found = json.loads(row.data)

    assert found.pop("TimeGenerated").startswith("1970-01-01T01:00:00")
    assert found == {
        **{name: value for name, value in TRAFFIC.items() if name != "TimeGenerated"},
        "FlowStartTime": start,
    }


def test_container_network_logs_of_azure_hold_what_its_agent_writes():
    """Policies as text within text, a Service in four words, labels and MAC addresses as more data, counts as columns."""
    hits = [{"name": "no-web", "namespace": "shop", "kind": "CiliumNetworkPolicy"}]
    columns = {
        "Policies": json.dumps({"egress_denied_by": json.dumps(hits)}),
        "Service": json.dumps({"DestinationService": "api", "DestinationServiceNamespace": "backend"}),
        "AdditionalFlowData": json.dumps(
            {
                "EthernetSource": "0a:58:0a:f4:01:11",
                "SourceLabels": ["k8s:app=web"],
                "DestinationLabels": ["reserved:world"],
                "Summary": "TCP Flags: SYN",
                "Extensions": {"drop_reason": "IPTABLE_RULE_DROP"},
            }
        ),
        "IngressFlowCount": 0,
        "EgressFlowCount": 12,
        "UnknownDirectionFlowCount": "3",
    }
    row = {key: value for key, value in AZURE_FLOW.items() if key != "Policy"} | columns
    (peeled,) = peel((json.dumps(row) + "\n").encode(), "azure-flows")
    flow = json.loads(peeled.data)["flow"]

    assert flow["egress_denied_by"] == hits
    assert flow["destination_service"] == {"name": "api", "namespace": "backend"}
    assert flow["ethernet"] == {"source": "0a:58:0a:f4:01:11"}
    assert flow["extensions"] == {"drop_reason": "IPTABLE_RULE_DROP"}
    assert flow["source"]["labels"] == ["k8s:app=web"]
    assert flow["destination"] == {"labels": ["reserved:world"]}
    assert flow["aggregate"] == {
        "ingress_flow_count": 0,
        "egress_flow_count": 12,
        "unknown_direction_flow_count": 3,
    }
    assert not {"SourceLabels", "EthernetSource"} & flow.keys()


@pytest.mark.parametrize(
    "text",
    [
        '{"records":[{"a":1},{"a":2}]}',
        '{\n  "records" : [\n    {"a":1},\n    {"a":2}\n  ]\n}\n',
        '{"records":[{"a":1},\n{"a":2}',
    ],
    ids=["blob", "printed", "cut"],
)
def test_records_of_azure_monitor_are_laid_apart(text):
    """A blob of a storage account, printed, and cut off."""
    assert next_layer(text.encode()) == "azure-records"
    assert peel(text.encode(), "azure-records") == [Row(b'{"a":1}', 1), Row(b'{"a":2}', 2)]


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("> one\n>\n>   two\n> > three\n", "quoted"),
        (">one\n>\n>   two\n>three\n", "quoted"),
        ('"one"\n""\n"  two"\n"three"', "json-strings"),
        ("     1\tone\n     2\t\n     3\t  two\n     4\tthree\n", "numbered"),
        ("    one\n\n      two\n    three\n" + "    x\n" * 9, "indented"),
        ("\tone\n\t\n\t  two\n\tthree\n", "indented"),
    ],
)
def test_lines_that_people_passed_on(text, layer):
    """As Markdown quotes them, with their numbers, and as a code block; what a line is indented by itself stays."""
    assert next_layer(text.encode()) == layer
    assert [row.data for row in peel(text.encode(), layer)][:4] == [b"one", b"", b"  two", b"three"]
    assert [row.line for row in peel(text.encode(), layer)][:4] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        '>> Policy updated: {"labels":[],"revision":5}\n>> Endpoint created: {"id":1}\n',
        "7\ta\n9\tb\n8\tc\n",
        "  TIMESTAMP: Mar 17 14:09:41.852\n     SOURCE: a\nDESTINATION: b\n       TYPE: c\n",
        '{\n  "a": 1\n}\n{\n  "a": 2\n}\n',
    ],
    ids=["monitor", "table", "dict", "printed"],
)
def test_what_only_looks_passed_on(text):
    """cilium monitor's own mark, numbers that count nothing, hubble observe -o dict, printed objects."""
    assert next_layer(text.encode()) in (None, "json-pretty")


def test_lines_quoted_among_words():
    """A ticket says something of what it quotes; its own lines stay."""
    text = b"Since Monday web cannot reach db:\n\n> one\n> two\n\nPolicies are attached.\nThanks,\nJane\n"

    assert stack_of(text) == ("quoted",)
    assert [row.data for row in peel(text, "quoted")][:4] == [
        b"Since Monday web cannot reach db:",
        b"",
        b"one",
        b"two",
    ]


def test_lines_in_an_array_of_strings():
    """What jq prints of a collector's answer where nobody asked it for the bare lines."""
    text = b'[\n  "a \\"b\\"\\n",\n  "c\\nd",\n  7\n]\n'

    assert stack_of(text) == ("json-strings",)
    assert [(row.data, row.line) for row in peel(text, "json-strings")] == [
        (b'a "b"', 2),
        (b"c", 3),
        (b"d", 3),
        (b"  7", 4),
    ]


def test_entries_of_google_as_a_table():
    """Logs Explorer's CSV: dots in a column's name are the entry's levels, and a cell may be empty."""
    text = (
        "insertId,jsonPayload.connection.dest_ip,jsonPayload.disposition,jsonPayload.x,logName,resource.labels.node_name,timestamp\n"
        f"1,10.84.0.11,deny,,projects/p/logs/policy-action,gke-1,{AT}\n"
    ).encode()

    assert stack_of(text) == ("csv-table", "cloud-logging")
    (row,) = peel(text, "csv-table", "cloud-logging")
    assert (row.at, row.node, row.line) == (NS, "gke-1", 2)
    assert json.loads(row.data) == {"connection": {"dest_ip": "10.84.0.11"}, "disposition": "deny"}


def test_records_among_other_lines_stay_as_they_are():
    """An event hub's messages, one a line among others: their parser knows them, and their lines keep their numbers."""
    text = b'{"records":[{"a":1}]}\n\n{"b":2}\n'

    assert next_layer(text) is None
    assert peel(text, "azure-records") == [Row(b'{"records":[{"a":1}]}', 1), Row(b"", 2), Row(b'{"b":2}', 3)]


def test_browser_times_are_in_the_given_zone():
    """Kibana and Grafana export times as the browser showed them, without a zone."""
    zone = ParseContext(input="t", zone=timezone(timedelta(hours=2)))
    for stamp, header in (("Jan 5, 2026 @ 12:00:00.000", "@timestamp"), ("2026-01-05 12:00:00.000", "Time")):
        data = f'{header},message\n"{stamp}",x\n'.encode()
        (row,) = peel(data, "csv-table", context=zone)
        assert row.at == parse_rfc3339("2026-01-05T10:00:00Z"), header


@pytest.mark.parametrize(
    "head",
    [
        b"1767607200,1767607260,10.10.0.79,10.10.0.80,44752,5201,TCP\n",
        b"message,level\nx,info\n",
        b"type,at,time_source,parser,input,line\nflow,2026-01-05T10:00:00Z,record,p,i,1\n",
        b'level=info msg="a, b", time, message\n',
    ],
    ids=["antrea", "no-time", "own-events", "a-sentence"],
)
def test_other_tables_are_left_alone(head):
    """A table is believed only where its header names a time, and a message or several fields as Kibana does."""
    assert next_layer(head) != "csv-table"


def test_journalctl_verbose_has_the_time_of_its_cursor():
    """Whatever zone the printed one is in; a message over several lines keeps them, and other fields are passed over."""
    data = (
        b"-- Logs begin at Mon 2026-01-05 09:00:00 CET. --\n"
        b"Mon 2026-01-05 11:00:00.123456 CET [s=7d1c;i=1;b=9c;m=1f;t=%x;x=4f]\n"
        b"    _TRANSPORT=kernel\n    MESSAGE=one\n            two\n    _HOSTNAME=n1\n"
        b"Mon 2026-01-05 11:00:01.123456 CET [s=7d1c;i=2;b=9c;m=1f;x=4f]\n"
        b"    PRIORITY=5\n    MESSAGE=three\n" % (NS // 1000)
    )
    at = NS // 1000 * 1000

    assert next_layer(data) == "journal-verbose"
    assert peel(data, "journal-verbose") == [
        Row(b"one", 2, at, "n1"),
        Row(b"two", 2, at, "n1"),
        Row(b"three", 7),
    ]


def test_what_aws_logs_prints_beside_a_few_events_is_no_event():
    """Tokens first, and the streams that were searched last, pass as they are."""
    event = b"EVENTS\t1767607205000\t" + LINE + b"\t1767607200123"
    around = [b"b/38391\tf/38392", event, b"SEARCHEDLOGSTREAMS\tagent-1f0c\tTrue"]
    data = b"\n".join(around) + b"\n"

    assert next_layer(data) == "cloudwatch-text"
    assert [row.data for row in peel(data, "cloudwatch-text")] == [around[0], LINE, around[2]]


def test_the_answer_of_a_search_in_datadog():
    """Logs are counted from 1; what has no message passes as it is, for the parser to name."""
    logs = [
        {"id": "a", "attributes": {"timestamp": AT, "host": "n1", "message": LINE.decode()}},
        {"id": "b", "attributes": {"timestamp": AT}},
    ]
    data = json.dumps({"data": logs, "meta": {"elapsed": 1}}).encode()

    assert next_layer(data) == "datadog"
    assert peel(data, "datadog") == [Row(LINE, 1, NS, "n1"), Row(json.dumps(logs[1]).encode(), 2)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"Event","apiVersion":"v1","involvedObject":{"kind":"Pod"},"message":"Readiness probe failed"}',
        b"[  307.753360] calico-packet: IN=eth0",
        b"[9] 10.0.1.3:40243 10.0.2.2:8080 TCP",
        b'{"level":"info","ts":"2026-01-05T10:00:00Z","msg":"Flow Info: ..."}',
        b"Jan  5 10:00:00 n1 x | y",
    ],
)
def test_what_is_no_wrapper_of_a_terminal_or_a_shipper(line):
    """Records that only look so."""
    assert next_layer((line + b"\n") * 3) is None


def beside(base, place, value):
    """`base` with another value at a path of keys."""
    found = json.loads(json.dumps(base))
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return json.dumps(found).encode()


LINES_IN_JSON: dict[str, tuple[dict, list[list[str | int]]]] = {
    "viaq": (
        {"@timestamp": AT, "message": "x", "hostname": "n", "kubernetes": {"pod_name": "p"}},
        [["@timestamp"], ["hostname"], ["kubernetes"], ["kubernetes", "pod_name"], ["kubernetes", "host"], ["log"], ["time"]],
    ),
    "docker-json": ({"log": "x\n", "stream": "stdout", "time": AT}, [["_p"], ["logtag"]]),
    "journal-json": ({"MESSAGE": "x", "_HOSTNAME": "n", "__REALTIME_TIMESTAMP": "1"}, [["_HOSTNAME"], ["__REALTIME_TIMESTAMP"]]),
    "stern-json": ({"message": "x", "podName": "p", "containerName": "c"}, [["nodeName"], ["namespace"], ["containerName"]]),
    "cloud-logging": (
        {"logName": "l", "textPayload": "x", "timestamp": AT, "resource": {"labels": {"pod_name": "p"}}},
        [["timestamp"], ["resource"], ["resource", "labels"], ["resource", "labels", "pod_name"]],
    ),
    "cloudwatch-lines": ({"timestamp": 1, "message": "x", "eventId": "1"}, [["timestamp"]]),
    "azure-row": ({"TimeGenerated": AT, "LogMessage": "x"}, [["TimeGenerated"], ["Computer"], ["PodName"]]),
    "splunk-row": ({"result": {"_raw": "x"}}, [["result", "_time"], ["result", "host"], ["time"]]),
    "logcli-json": ({"labels": {"pod": "p"}, "line": "x", "timestamp": AT}, [["labels"], ["labels", "pod"], ["fields"]]),
    "json-message": ({"message": "x", "ts": AT}, [["ts"], ["host"], ["tags"], ["content"], ["event"]]),
    "otlp-json": (
        {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]},
        [
            ["resourceLogs", 0, "resource"],
            ["resourceLogs", 0, "resource", "attributes"],
            ["resourceLogs", 0, "scopeLogs", 0, "logRecords", 0, "timeUnixNano"],
            ["resourceLogs", 0, "scopeLogs", 0, "logRecords", 0, "attributes"],
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("odd", [None, 5, 1.5, True, "y", "", [], [1], ["a"], {}, {"a": 1}], ids=repr)
@pytest.mark.parametrize("layer", LINES_IN_JSON)
def test_nothing_beside_a_line_keeps_it_from_being_read(layer, odd):
    """Whatever type a field has that tells of node, time or pod: what does not fit is as if it were not there."""
    base, places = LINES_IN_JSON[layer]
    for place in places:
        (row,) = peel(beside(base, place, odd) + b"\n", layer)

        assert row.data == b"x", place


def test_what_fits_of_a_record_is_kept():
    """The fields beside one that does not."""
    line = beside(LINES_IN_JSON["viaq"][0], ["kubernetes", "host"], 7)

    assert peel(line, "viaq") == [Row(b"x", 1, NS, "n", pod="p")]


def test_a_record_without_its_line_is_no_wrapper():
    """Its text is an object, or it has none of the right type: it passes as it is, for the parser to name."""
    for line in (b'{"log":5,"stream":"stdout","time":"x"}', b'{"MESSAGE":{"a":1},"_HOSTNAME":"n"}'):
        layer = "docker-json" if b"log" in line else "journal-json"
        assert [row.data for row in peel(line, layer)] == [line]


FRAMES = [
    b"<134>1 2026-01-05T10:00:00Z n1 ovn 311 - - one",
    b"<134>1 2026-01-05T10:00:00Z n1 ovn 311 - - two",
]


@pytest.mark.parametrize("between", [b"", b"\n"])
def test_frames_of_syslog_over_tcp(between):
    """Each is a record of its own, behind the last one or on a line; they are counted."""
    data = between.join(b"%d %s" % (len(frame), frame) for frame in FRAMES * 2)

    assert next_layer(data) == "syslog-frames"
    rows = peel(data + b"\n", "syslog-frames", "syslog-rfc5424")
    assert [(row.line, row.data, row.node) for row in rows] == [
        (1, b"one", "n1"),
        (2, b"two", "n1"),
        (3, b"one", "n1"),
        (4, b"two", "n1"),
    ]


def test_a_frame_whose_length_is_wrong_is_not_lost():
    """What stands behind the last whole one comes as it is."""
    frame = b"%d %s" % (len(FRAMES[0]), FRAMES[0])

    assert [row.data for row in peel(frame + b"rest\n", "syslog-frames")] == [FRAMES[0], b"rest"]
    assert [row.data for row in peel(b"999 " + FRAMES[0] + b"\n", "syslog-frames")] == [FRAMES[0]]


def test_objects_behind_one_another_on_one_line():
    """As Firehose writes batches: each is one, whatever braces stand in its texts; the wrapper inside is found."""
    batches = [
        {
            "messageType": "DATA_MESSAGE",
            "logStream": "s",
            "logEvents": [
                {"id": f"{n}{m}", "timestamp": 1767607200123, "message": f'event {n}{m}: {{"a":1}}{{"b":2}}'}
                for m in "ab"
            ],
        }
        for n in range(3)
    ]
    data = "".join(json.dumps(batch) for batch in batches).encode()

    assert stack_of(data) == ("json-glued", "cloudwatch-batches")
    rows = peel(data, "json-glued", "cloudwatch-batches")
    assert [(row.line, row.data, row.at) for row in rows] == [
        (2 * n + m + 1, f'event {n}{"ab"[m]}: {{"a":1}}{{"b":2}}'.encode(), 1767607200_123000000)
        for n in range(3)
        for m in range(2)
    ]
    assert next_layer(json.dumps(batches[0]).encode()) == "cloudwatch-batches"
    assert next_layer(json.dumps(batches[0]).encode() + b"\n" + data) == "cloudwatch-batches"


PACKED = base64.b64encode(gzip.compress(b"one") + gzip.compress(b" two")).decode()
AWS_EVENTS = {
    "CloudWatch": ({"awslogs": {"data": PACKED}}, None),
    "Kinesis": ({"Records": [{"kinesis": {"data": PACKED, "approximateArrivalTimestamp": 1767607200.123}}]}, MILLI),
    "its CLI": (
        {"Records": [{"SequenceNumber": "4", "ApproximateArrivalTimestamp": "2026-01-05T10:00:00.123000+00:00", "Data": PACKED}]},
        MILLI,
    ),
    "Firehose": ({"invocationId": "i", "records": [{"recordId": "4", "approximateArrivalTimestamp": 1767607200123, "data": PACKED}]}, MILLI),
    "Firehose over HTTP": ({"requestId": "r", "timestamp": 1767607200123, "records": [{"data": PACKED}]}, None),
    "SQS": ({"Records": [{"messageId": "m", "body": "one two", "attributes": {"SentTimestamp": "1767607200123"}}]}, MILLI),
    "its CLI's messages": ({"Messages": [{"MessageId": "m", "Body": "one two", "Attributes": {"SentTimestamp": "1767607200123"}}]}, MILLI),
    "SNS": ({"Records": [{"Sns": {"Message": "one two", "Timestamp": "2026-01-05T10:00:00.123Z"}}]}, MILLI),
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "layer", "expected"),
    [
        (
            {"preview": False, "results": [{"_time": "1767607200.123", "_raw": "x", "host": "n1"}]},
            "splunk-results",
            Row(b"x", 1, MILLI, "n1"),
        ),
        (
            {"preview": False, "fields": ["_raw", "_time"], "rows": [["x", "2026-01-05T10:00:00.123+00:00"]]},
            "splunk-results",
            Row(b"x", 1, MILLI),
        ),
        (
            {
                "time": "2026-01-05T10:00:00.123Z",
                "category": "guard",
                "properties": {"log": "x\n", "pod": "p"},
            },
            "azure-resource-log",
            Row(b"x", 1, MILLI, pod="p"),
        ),
        (
            {"Type": "Notification", "Message": "x", "Timestamp": "2026-01-05T10:00:00.123Z"},
            "json-message",
            Row(b"x", 1, MILLI),
        ),
    ],
)
def test_answers_and_notices_with_their_time(line, layer, expected):
    """What stands around a line says when and where it was written."""
    data = json.dumps(line).encode() + b"\n"

    assert next_layer(data) == layer
    assert peel(data, layer) == [expected]


def test_what_aws_logs_tail_prints_in_each_form():
    """Whole seconds have no fraction; the short form is in UTC, which it does not say; an object goes on in lines below."""
    at = parse_rfc3339("2026-01-05T10:00:00Z")
    plain = b"2026-01-05T10:00:00+00:00 2026/01/05/[$LATEST]1f0c x\n"
    short = b"2026-01-05T10:00:00 x\n"
    pretty = b'2026-01-05T10:00:00.123000+00:00 s {\n    "a": 1,\n    "b": 2\n}\n' * 2

    assert (next_layer(plain), next_layer(short)) == ("cloudwatch-tail", "cloudwatch-short")
    assert peel(plain, "cloudwatch-tail") == peel(short, "cloudwatch-short") == [Row(b"x", 1, at)]
    assert stack_of(pretty) == ("cloudwatch-tail", "json-pretty")
    assert peel(pretty, "cloudwatch-tail", "json-pretty") == [
        Row(b'{"a": 1,"b": 2}', line, MILLI) for line in (1, 5)
    ]


def test_lines_of_fluent_bit_s_output_file():
    """Its time in seconds; other lines stay."""
    data = b'kube.a: [1767607200.123000000, {"log":"x"}]\nkube.a: [[1767607200.123, {"a":"b"}], {"log":"[y]"}]\nz: [1, 2]\n'

    assert next_layer(data) == "fluent-bit-file"
    assert peel(data, "fluent-bit-file") == [
        Row(b'{"log":"x"}', 1, MILLI),
        Row(b'{"log":"[y]"}', 2, MILLI),
        Row(b"z: [1, 2]", 3),
    ]


def test_the_journal_s_monotonic_time_is_no_moment():
    """The host is known; a kernel's line of dmesg keeps the prefix of its rule."""
    line = b"[   12.345678] node-1 kernel: calico-packet: IN=eth0"

    assert next_layer(line) == "journal-monotonic"
    assert peel(line, "journal-monotonic") == [Row(b"calico-packet: IN=eth0", 1, node="node-1")]
    assert next_layer(b"[   12.345678] DROP input: IN=eth0 OUT=") is None


@pytest.mark.parametrize(
    "merged",
    [
        {"MESSAGE": "x", "_HOSTNAME": "n"},
        {"log": "x\n", "stream": "stdout", "time": AT},
        {"message": "x", "podName": "p", "containerName": "c"},
        {"result": {"_raw": "x"}},
        {"logName": "l", "textPayload": "x"},
        {"timestamp": 1, "message": "x", "eventId": "1"},
    ],
)
def test_another_collector_s_keys_deeper_in_an_object(merged):
    """What Fluent Bit merged into its record is not around it."""
    line = {
        "log": json.dumps(merged),
        "log_processed": merged,
        "kubernetes": {"pod_name": "p"},
        "@timestamp": AT,
    }

    assert next_layer(json.dumps(line).encode() + b"\n") == "viaq"


def test_docker_s_lines_whose_newlines_were_taken_away_are_no_parts():
    """Unless one of them still has its newline."""
    trimmed = [json.dumps({"log": text, "stream": "stdout", "time": AT}).encode() for text in "ab"]
    whole = json.dumps({"log": "c\n", "stream": "stdout", "time": AT}).encode()

    assert [row.data for row in peel(b"\n".join(trimmed), "docker-json")] == [b"a", b"b"]
    assert [row.data for row in peel(b"\n".join([*trimmed, whole]), "docker-json")] == [b"abc"]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("sender", AWS_EVENTS)
def test_events_of_functions_in_aws(sender, indent):
    """What a stream carries is unpacked; one event, or several behind one another."""
    event, at = AWS_EVENTS[sender]
    data = json.dumps(event, indent=indent).encode() + b"\n"

    for times in (1, 3):
        assert next_layer(data * times) == "aws-events"
        assert peel(data * times, "aws-events") == [Row(b"one two", n + 1, at) for n in range(times)]


def test_an_event_that_was_cut_off_keeps_its_whole_records():
    """And one that is called cut off; a text that is not base64, or not of gzip after all, stays that."""
    records = [{"SequenceNumber": "4", "Data": text} for text in (PACKED, "not base64", "H4sIAAAA", PACKED)]
    data = json.dumps({"Records": records}).encode()[:-50]

    rows = [row.data for row in peel(data, "aws-events")]
    assert rows == [b"one two", b"not base64", b"H4sIAAAA", CUT]


def test_an_audit_trail_of_aws_is_no_wrapper():
    """Its Records hold neither data nor bodies."""
    assert next_layer(json.dumps({"Records": [{"eventVersion": "1.08", "eventName": "x"}]}).encode()) is None


def test_what_asks_whether_a_subscriber_is_there_is_no_record():
    """CloudWatch sends it before the first batch."""
    batch = {
        "messageType": "CONTROL_MESSAGE",
        "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE"}],
    }

    assert peel(json.dumps(batch).encode(), "cloudwatch-batches") == []
