"""An input read by a forced format that gives nothing: what is damaged in it is named by file and line."""

from __future__ import annotations

import json

import pytest

from flowdiag.ingest import Gathered, ReadOptions, iter_events, run
from flowdiag.ingest.problems import InputProblem

NP = (
    "2026/01/05 12:45:21.804416 IngressRule K8sNetworkPolicy:shop/web <nil> Ingress Allow 190 shop/web-1 "
    "10.10.1.7 53646 10.10.1.14 80 TCP 60 <nil>"
)
MONITOR = (
    "xx drop (Policy denied) flow 0x61e8a2a1 to endpoint 0, ifindex 12, file bpf_lxc.c:1531, , "
    "identity 19942->20817: 10.244.1.17:41022 -> 10.244.2.63:8080 tcp SYN"
)
WHISKER = '{"start_time":"2026-03-02T10:00:00Z","action":"Deny","source_name":"client-*","reporter":"Dst"}'
RECORDS = {"antrea-np-log": NP, "cilium-monitor": MONITOR, "calico-flowlog": WHISKER}
AT = "2026-03-17T14:03:13.1Z"
WRAPPERS = {
    "cloud-logging": lambda line: json.dumps(
        {"insertId": "a", "timestamp": AT, "logName": "x", "textPayload": line}
    ),
    "docker-json": lambda line: json.dumps({"log": line + "\n", "stream": "stdout", "time": AT}),
    "viaq": lambda line: json.dumps({"@timestamp": AT, "kubernetes": {"pod_name": "a"}, "message": line}),
}
CUTS = {
    "the wrapper cut": lambda wrap, line: wrap(line)[:-20],
    "the wrapper cut early": lambda wrap, line: wrap(line)[:40] + "\n",
    "the record cut": lambda wrap, line: wrap(line[: len(line) // 2]) + "\n",
}


def told(path, parser):
    """(code, line) of the warnings of `run`, and of `iter_events`; problems of `run`."""
    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(format=parser, year=2026))
        events = list(iter_events(gathered, ReadOptions(format=parser, year=2026)))
    return (
        [(one.event.code, one.event.line) for one in outcome.tally.warnings],
        [(event.code, event.line) for _, _, event in events],
        [one.code for one in outcome.problems],
    )


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize(("parser", "line"), RECORDS.items(), ids=RECORDS)
def test_one_damaged_record_alone_is_a_warning_with_its_line(parser, line, wrap, cut, tmp_path):
    """Whatever was cut off, the record or the collector's JSON around it; blank lines before are counted."""
    path = tmp_path / "cut.log"
    path.write_text("\n\n" + cut(wrap, line))
    folded, read, problems = told(path, parser)

    assert folded == read
    assert [number for _, number in read] == [3]
    assert problems == []


def test_each_of_several_cut_objects_is_named(tmp_path):
    """And lines beside them that are whole, but another format's, are not called damaged."""
    path = tmp_path / "cut.log"
    whole = WRAPPERS["docker-json"]("hello")
    path.write_text(f"{whole[:50]}\n{whole}\n{whole[:60]}\n")

    assert told(path, "antrea-np-log")[:2] == ([("malformed-line", 1), ("malformed-line", 3)],) * 2


@pytest.mark.parametrize("text", ["{}\n" * 3, '{\n  "a": 1\n}\n', "one\ntwo\n", ""])
def test_another_format_is_no_damage(text, tmp_path):
    """Whole objects, one printed over lines, lines of text: the format is wrong, not the file."""
    path = tmp_path / "other.log"
    path.write_text(text)
    folded, read, problems = told(path, "antrea-np-log")

    assert folded == read == []
    assert problems == (["not-that-format"] if text else ["empty"])


TRACE = (
    "            curl-5288    [000] ..s2.  3055.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED proto 6 "
    "src 10.0.1.5:56042 dest 192.0.2.12:80"
)
KNP = (
    'I0105 10:00:01.000001       1 engine.go:67] "Evaluating packet" id=9 direction="Egress" srcPod="shop/client" packet=<\n'
    "\t[9] 10.0.1.3:40243 10.0.2.2:8080 TCP\n >\n"
    'I0105 10:00:01.000100       1 engine.go:67] "Packet denied by egress policy" id=9'
)


@pytest.mark.parametrize("text", [TRACE, KNP])
def test_an_input_known_by_its_words_that_gives_nothing_is_said(text, tmp_path):
    """Its lines stand behind something that nobody knows: no report of it is silent, or complete."""
    path = tmp_path / "around.log"
    path.write_text("".join(f"#7 :: {line}\n" for line in text.split("\n")))

    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(year=2026))
        problems: list[InputProblem] = []
        assert list(iter_events(gathered, ReadOptions(year=2026), problems)) == []
    assert [one.code for one in outcome.problems] == [one.code for one in problems] == ["nothing-read"]


def test_an_audit_log_of_reads_is_no_damage(tmp_path):
    """Nothing was changed, and nothing is missing."""
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "stage": "ResponseComplete",
        "verb": "get",
        "auditID": "a",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-05T10:00:01.636907Z",
    }
    path = tmp_path / "audit.log"
    path.write_text(json.dumps(record) + "\n")

    with Gathered([str(path)]) as gathered:
        assert run(gathered, ReadOptions()).problems == ()


def test_a_log_of_which_most_is_passed_over_may_give_nothing(tmp_path):
    """A mesh's proxy writes every connection, and most went through: nothing is unread where all did."""
    line = (
        "2026-01-05T10:00:16.000000Z\tinfo\taccess\tconnection complete\tsrc.addr=10.244.1.6:42028 "
        'dst.addr=10.244.1.9:15008 direction="inbound" bytes_sent=9 bytes_recv=9 duration="1ms"\n'
    )
    path = tmp_path / "ztunnel.log"
    path.write_text(line)
    with Gathered([str(path)]) as gathered:
        assert run(gathered, ReadOptions()).problems == ()
