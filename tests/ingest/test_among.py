"""Records of several formats in one input: each parser reads its own lines, and nothing is lost or told twice."""

import gzip
import itertools
import json
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, analyze
from flowdiag.ingest import Gathered, ReadOptions, iter_events, run
from flowdiag.ingest.deeper import CERTAIN
from flowdiag.ingest.heads import sniffed
from flowdiag.ingest.identify import detect_all
from flowdiag.ingest.plugins import parsers

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
FORMATS = {
    "cilium-monitor": "ordinary",
    "hubble-json": "ordinary",
    "hubble-compact": "ordinary",
    "hubble-dict": "ordinary",
    "weave-npc": "ordinary",
    "ovn-acl": "network-policy",
    "calico-bpf": "trace",
    "aws-network-policy-agent": "message",
    "kube-network-policies": "klog",
}


def lines_of(name):
    folder = FIXTURES / name / FORMATS[name]
    (path,) = folder.glob("input.*")
    return [line for line in path.read_text().splitlines() if line.strip() and "Starting Weave" not in line]


def read(path, **options):
    """(parser, line, event without its place) of each event, and what is wrong."""
    problems = []
    with Gathered([str(path)]) as sources:
        found = [
            (parser, event.line, repr(event).replace(name, "IN").replace(f"line={event.line},", ""))
            for name, parser, event in iter_events(sources, ReadOptions(year=2026, **options), problems)
        ]
    return found, [problem.code for problem in problems]


def told(tmp_path, name, lines, wrap):
    path = tmp_path / "alone.log"
    path.write_text(wrap(lines))
    found, _ = read(path, format=name)
    return [(parser, line, text) for parser, line, text in found]


def bare(lines):
    return "".join(f"{line}\n" for line in lines)


def prefixed(lines):
    return "".join(f"[pod/agent-x2v4z/agent] {line}\n" for line in lines)


@pytest.mark.parametrize("wrap", [bare, prefixed])
@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(FORMATS, 2)))
def test_two_files_joined_are_read_as_both(tmp_path, one, other, wrap):
    """Every event of either, with its line in the whole."""
    first, second = lines_of(one), lines_of(other)
    expected = told(tmp_path, one, first, wrap)
    expected += [
        (parser, line + len(first), text) for parser, line, text in told(tmp_path, other, second, wrap)
    ]
    path = tmp_path / "both.log"
    path.write_text(wrap([*first, *second]))
    found, problems = read(path)

    assert sorted(found) == sorted(expected)
    assert problems == []


@pytest.mark.parametrize("name", ["weave-npc", "hubble-compact", "ovn-acl"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("only_denied", [False, True])
def test_lines_that_take_turns_count_each_for_its_format(tmp_path, name, packed, only_denied):
    """In whatever the input came, and in the report as in the stream of events."""
    mine, others = lines_of(name), lines_of("hubble-json")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.log").write_text(bare(mine))
    (tmp_path / "a" / "b.jsonl").write_text(bare(others))
    turns = bare(line for pair in itertools.zip_longest(mine, others) for line in pair if line).encode()
    path = tmp_path / ("all.log.gz" if packed else "all.log")
    path.write_bytes(gzip.compress(turns) if packed else turns)
    options = EvidenceOptions(year=2026, only_denied=only_denied)

    found = analyze([str(path)], evidence=options)
    apart = analyze([str(tmp_path / "a")], evidence=options)

    assert found.totals == apart.totals
    assert sorted((one.path, one.parser) for one in found.inputs) == [
        (str(path), name),
        (f"{path}!hubble-json", "hubble-json"),
    ]
    assert found.complete == apart.complete


def test_a_line_is_asked_about_once_for_all_who_read_the_input(tmp_path, monkeypatch):
    """However many these are; and nobody else is asked about one that somebody is certain of."""
    mine, others = lines_of("ovn-acl"), lines_of("hubble-json")
    path = tmp_path / "all.log"
    path.write_text(bare([*mine, *others] * 40))
    asked = []
    known = {parser.name: parser for parser in parsers()[0]}
    monkeypatch.setattr(
        "flowdiag.ingest.among.sniffed",
        lambda parser, line: asked.append((parser.name, line)) or sniffed(parser, line),
    )
    with Gathered([str(path)]) as gathered:
        outcome = run(gathered, ReadOptions(year=2026, processes=1))

    assert [one.parser for one in outcome.inputs] == ["ovn-acl", "hubble-json"]
    certain = {
        line.encode(): [
            name for name in ("ovn-acl", "hubble-json") if sniffed(known[name], line.encode()) >= CERTAIN
        ]
        for line in [*mine, *others]
    }
    assert asked == [
        (name, line)
        for line in [*certain] * 40
        for name in (["ovn-acl"] if certain[line] == ["ovn-acl"] else ["ovn-acl", "hubble-json"])
    ]


@pytest.mark.parametrize("folder", sorted(FIXTURES.iterdir()), ids=lambda folder: folder.name)
def test_of_one_line_one_parser_is_certain_at_most(folder):
    """By which lines are told apart: who is certain is asked first, and nobody after."""
    readers = [parser for parser in parsers()[0] if not parser.document]
    inputs = list(folder.glob("*/input.*"))
    assert inputs
    for path in inputs:
        for line in {line for line in path.read_bytes()[:100_000].splitlines() if line.strip()}:
            certain = [reader.name for reader in readers if sniffed(reader, line) >= CERTAIN]
            assert len(certain) <= 1, (path, line, certain)


def test_a_document_of_two_formats_is_read_as_both(tmp_path):
    """Loki's answer to a query over several streams; elements keep their numbers."""
    weave, hubble = lines_of("weave-npc"), lines_of("hubble-json")
    streams = [
        {"stream": {"pod": pod}, "values": [["1767607200123456789", line] for line in lines]}
        for pod, lines in (("weave-net-a", weave), ("cilium-b", hubble))
    ]
    path = tmp_path / "loki.json"
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "streams", "result": streams}}))
    found, problems = read(path)

    assert {parser for parser, _, _ in found} == {"weave-npc", "hubble-json"}
    assert min(line for parser, line, _ in found if parser == "hubble-json") == len(weave) + 1
    assert len([one for one in found if one[0] == "hubble-json"]) == len(
        told(tmp_path, "hubble-json", hubble, bare)
    )
    assert problems == []


def test_kubernetes_events_among_flows_are_no_flows(tmp_path):
    """Their ``source`` is no end of a connection."""
    event = {
        "kind": "Event",
        "apiVersion": "v1",
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
        "source": {"component": "kubelet", "host": "worker-1"},
        "reason": "Unhealthy",
        "message": "Readiness probe failed: context deadline exceeded",
        "lastTimestamp": "2026-01-05T10:00:30Z",
    }
    hubble = lines_of("hubble-json")
    path = tmp_path / "all.jsonl"
    path.write_text(bare([*hubble, *[json.dumps(event)] * 3]))
    found, problems = read(path)

    assert [parser for parser, _, _ in found].count("kubernetes-events") == 3
    assert len(found) == len(told(tmp_path, "hubble-json", hubble, bare)) + 3
    assert problems == []

    path.write_text(bare([*hubble, json.dumps(event)]))
    assert analyze([str(path)]).totals.flows == len(hubble)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_second_format_behind_megabytes_is_found_at_the_end(tmp_path, processes):
    """As joining files leaves it; by any number of processes."""
    weave, hubble = lines_of("weave-npc"), lines_of("hubble-json")
    path = tmp_path / "all.log"
    path.write_text(bare(weave * (3_000_000 // len(bare(weave)))) + bare(hubble))
    report = analyze([str(path)], evidence=EvidenceOptions(year=2026, processes=processes))

    assert [(one.parser, one.records) for one in report.inputs if one.parser == "hubble-json"] == [
        ("hubble-json", len(told(tmp_path, "hubble-json", hubble, bare)))
    ]


@pytest.mark.parametrize(
    ("parser", "case"), [("cilium-agent-log", "exported-flows"), ("cilium-monitor-json", "ordinary")]
)
def test_what_a_parser_reads_itself_is_not_given_to_another(parser, case):
    """An agent's log with the flows that it exports; monitor's JSON with its lines of text."""
    (path,) = (FIXTURES / parser / case).glob("input.*")
    with Gathered([str(path)]) as sources:
        detected, _ = detect_all(sources, ReadOptions())

    assert [(one.parser, one.among) for one in detected] == [(parser, ())]


@pytest.mark.parametrize(
    ("parser", "case"), [("cilium-agent-log", "exported-flows"), ("hubble-json", "interleaved")]
)
@pytest.mark.parametrize(
    "merged",
    [
        lambda line, record: {"log": line, "kubernetes": {"pod_name": "cilium-x2v4z"}, "log_processed": record},
        lambda line, record: {"@timestamp": "2026-01-05T10:00:00Z", "json": record} if record else {"@timestamp": "2026-01-05T10:00:00Z", "message": line},
        lambda line, record: {"insertId": "1", "logName": "l", "timestamp": "2026-01-05T10:00:00Z"} | ({"jsonPayload": record} if record else {"textPayload": line}),
    ],
    ids=["fluent-bit", "filebeat", "cloud-logging"],
)  # fmt: skip
def test_lines_of_json_that_a_collector_made_objects_of_among_lines_of_text(tmp_path, parser, case, merged):
    """The collector's objects are taken off, and the log is that of whoever writes both."""
    (path,) = (FIXTURES / parser / case).glob("input.*")
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    (tmp_path / "in.json").write_text(
        "".join(json.dumps(merged(line, record_in(line))) + "\n" for line in lines)
    )
    (tmp_path / "alone.log").write_text(bare(lines))
    with Gathered([str(tmp_path / "in.json")]) as sources:
        (detected,), _ = detect_all(sources, ReadOptions())

    assert detected.parser == parser
    assert flows_in(tmp_path / "in.json") == flows_in(tmp_path / "alone.log") > 0


def test_a_request_whose_headers_hold_sentences_is_a_record(tmp_path):
    """Texts of a record's own are no lines of another log, however many of its neighbours have them."""
    (path,) = (FIXTURES / "hubble-json" / "ordinary").glob("input.*")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    took = "text/html, application/xhtml+xml, application/xml;q=0.9, image/avif, image/webp, */*;q=0.8"
    headers = [{"key": "User-Agent", "value": browser}, {"key": "Accept", "value": took}]
    for record in records[:-1]:
        record["flow"]["l7"] = {"type": "REQUEST", "http": {"method": "GET", "url": "/", "headers": headers}}
    (tmp_path / "in.json").write_text("".join(json.dumps(record) + "\n" for record in records))
    with Gathered([str(tmp_path / "in.json")]) as sources:
        (detected,), _ = detect_all(sources, ReadOptions())

    assert (detected.parser, detected.stack) == ("hubble-json", ())
    assert flows_in(tmp_path / "in.json") == len(records)


def record_in(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


def flows_in(path):
    return sum(text.startswith("FlowEvent") for _, _, text in read(path)[0])


@pytest.mark.parametrize("mixed", [0, 1, 2])
def test_a_second_format_in_one_file_of_a_rotation_is_read(tmp_path, mixed):
    """Whichever file has it; the others are only looked at by the parser of the first one."""
    weave, hubble = lines_of("weave-npc"), lines_of("hubble-compact")
    for number in range(3):
        (tmp_path / f"node-{number}.log").write_text(bare(weave * 300 + hubble * (number == mixed)))
    report = analyze([str(tmp_path)], evidence=EvidenceOptions(year=2026))

    assert [Path(one.path).name for one in report.inputs if one.parser == "hubble-compact"] == [
        f"node-{mixed}.log!hubble-compact"
    ]
    assert len(report.inputs) == 4


def test_a_forced_format_is_the_only_one(tmp_path):
    """Whatever else stands there."""
    path = tmp_path / "all.log"
    path.write_text(bare([*lines_of("weave-npc"), *lines_of("hubble-json")]))
    found, _ = read(path, format="weave-npc")

    assert {parser for parser, _, _ in found} == {"weave-npc"}
