"""An input read by a forced format that gives nothing: what is damaged in it is named by file and line."""

from __future__ import annotations

import json

import pytest

from flowdiag.ingest import Gathered, ReadOptions, iter_events, run

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
