"""Bad input: each fault is named with file and line, and the rest of the report is complete."""

import gzip
import json
import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import DB, OBJECTS, WEB, incident, listed, pod, policy, record, refused, write

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze
from flowdiag.cli.main import _run
from flowdiag.model.errors import InputError

BINARY = bytes(range(256)) * 50


def said(report, code):
    """(file's name, line) of every warning with this code."""
    return [(Path(one.input).name, one.line) for one in report.warnings if one.code == code]


def without(text, *fields):
    """A record without some fields of its flow."""
    line = json.loads(text)
    for field in fields:
        del line["flow"][field]
    return json.dumps(line) + "\n"


def broken(name, selector, namespace="shop"):
    return policy(namespace, name, {"podSelector": selector, "policyTypes": ["Egress"]})


INVALID_YAML = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: [x\n  y: {\n"
BETWEEN = (
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n\tname: x\n"
    "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n"
)

CASES = {
    "truncated last line": ({"records": refused()[:-200]}, "truncated", ("flows.jsonl", 10), 9, False),
    "binary file": ({"noise_log": BINARY}, "binary", ("noise.log", None), 10, False),
    "empty file": ({"empty_log": ""}, "empty", ("empty.log", None), 10, True),
    "invalid YAML": ({"more_yaml": INVALID_YAML}, "invalid-document", ("more.yaml", 5), 10, False),
    "invalid YAML between documents": (
        {"more_yaml": BETWEEN},
        "invalid-document",
        ("more.yaml", 8),
        10,
        False,
    ),
    "archive cut off": (
        {"cut_jsonl.gz": gzip.compress(refused(60).encode(), mtime=0)[:200]},
        "truncated",
        # The stream, and the line that it ends in.
        [("cut.jsonl.gz", None), ("cut.jsonl.gz", 1)],
        10,
        False,
    ),
    "flow without ends": (
        {"records": refused() + without(record(5), "IP", "source", "destination")},
        "no-ends",
        ("flows.jsonl", 11),
        11,
        True,
    ),
    "flow without a readable time": (
        {"records": refused() + record(5, time="yesterday")},
        "bad-time",
        ("flows.jsonl", 11),
        11,
        False,
    ),
    "foreign line": (
        {"records": refused(4) + "Defaulted container\n" + refused(6)},
        "malformed-json",
        ("flows.jsonl", 5),
        10,
        False,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_named_and_costs_only_itself(tmp_path, case):
    """File and line of the fault, all other refusals counted, and completeness told truly."""
    files, code, place, denied, complete = CASES[case]
    report = analyze([incident(tmp_path, **files)])

    assert said(report, code) == (place if isinstance(place, list) else [place])
    assert denied == report.totals.denied
    assert complete is report.complete
    leading = report.problems[0]
    assert (leading.code, leading.source.name, leading.destination.name) == ("FD101", "web", "db")
    assert leading.isolating[0].name == "deny"


def test_a_flow_without_addresses_is_known_by_its_names(tmp_path):
    """Names of pods are enough: nothing is wrong with such a record."""
    folder = incident(tmp_path, records=refused() + without(record(5), "IP"))
    report = analyze([folder])

    assert [problem.count for problem in report.problems] == [11]
    assert not report.warnings


def test_a_flow_without_ends_accuses_nobody(tmp_path):
    """It is counted, as unattributed, and makes no problem."""
    folder = incident(tmp_path, records=without(record(5), "IP", "source", "destination"))
    report = analyze([folder])

    assert (report.totals.denied, report.totals.unattributed) == (1, 1)
    assert not report.problems


def test_an_invalid_selector_is_named_and_not_guessed(tmp_path):
    """Each policy that no API server would take, with its line; the denial is sure, as none of them could allow it."""
    odd = [
        broken("operator", {"matchExpressions": [{"key": "app", "operator": "Nope", "values": ["x"]}]}),
        broken("labels", {"matchLabels": "app"}, "data"),
        broken("values", {"matchExpressions": [{"key": "app", "operator": "In"}]}, "data"),
    ]
    report = analyze([incident(tmp_path, *odd)])
    text = (tmp_path / "state.json").read_text().splitlines()
    names = [one.message.split()[1].rstrip(":") for one in report.warnings if one.code == "invalid-policy"]

    assert names == ["shop/operator", "data/labels", "data/values"]
    for (_, line), name in zip(said(report, "invalid-policy"), names, strict=True):
        assert any(f'"name": "{name.partition("/")[2]}"' in row for row in text[line - 1 : line + 8])
    assert not report.complete
    assert report.problems[0].confidence == "derived"


def test_an_address_of_two_pods_is_named(tmp_path):
    """Both pods and their places; the end stays an address, and the finding is no more than likely."""
    twin = pod("data", "cache-6c4d5b7f8-b2c4d", "10.0.1.7", "cache")
    records = "".join(record(1 + index, dst={"ip": "10.0.1.7", "end": {}}) for index in range(5))
    report = analyze([incident(tmp_path, twin, records=records)])
    (warning,) = [one for one in report.warnings if one.code == "address-owned-twice"]
    (problem,) = report.problems

    assert warning.line is not None
    assert "data/db-7f6b5c4d6-k8m2n" in warning.message
    assert "data/cache-6c4d5b7f8-b2c4d" in warning.message
    assert "10.0.1.7" in warning.message
    assert problem.destination.workload is None
    assert problem.confidence in ("likely", "possible")


def test_a_finished_pod_shares_no_address(tmp_path):
    """An address that was reused after a Job had finished belongs to one pod."""
    done = pod("data", "cache-6c4d5b7f8-b2c4d", "10.0.1.7", "cache")
    done["status"]["phase"] = "Succeeded"
    report = analyze([incident(tmp_path, done)])

    assert not said(report, "address-owned-twice")
    assert [problem.destination.name for problem in report.problems] == ["db"]


@pytest.mark.parametrize(
    "files",
    [{}, {"a_bin": BINARY, "b_txt": "hello\nworld\n"}, {"empty_log": ""}],
    ids=["empty folder", "nothing known", "empty file"],
)
def test_nothing_readable(tmp_path, capsys, files):
    """Exit code 3, the folder or its first file named, and what to do next."""
    folder = write(tmp_path, **files)
    with pytest.raises(InputError):
        analyze([folder])
    for command in (
        ["analyze", folder],
        ["events", folder],
        ["explain", "a/b", "c/d", "80", "--state", folder],
    ):
        assert _run(command, "flowdiag") == 3
        output = capsys.readouterr()
        assert not output.out
        assert "flowdiag" in output.err


def test_exit_codes_of_partial_input(tmp_path, capsys):
    """Partial input keeps 0 or 1 and is said; --strict turns it into 3."""
    folder = incident(tmp_path, noise_log=BINARY)

    assert _run(["analyze", folder], "flowdiag") == 0
    assert "noise.log" in capsys.readouterr().out
    assert _run(["analyze", folder, "--fail-on", "high"], "flowdiag") == 1
    assert _run(["analyze", folder, "--strict"], "flowdiag") == 3
    assert _run(["analyze", folder, "--strict", "--fail-on", "high"], "flowdiag") == 3
    assert "--strict" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("never", 0),
        ("low", 1),
        ("medium", 1),
        ("high", 1),
        ("new", 1),
        ("new-high", 1),
        ("FD101", 1),
        ("FD401", 0),
        ("fd101", 1),
        ("fd999", 2),
        ("severe", 2),
    ],
)
def test_fail_on(tmp_path, capsys, wanted, expected):
    """Levels, codes and novelty; without history every problem is new."""
    assert expected == _run(["analyze", incident(tmp_path), "--fail-on", wanted], "flowdiag")
    capsys.readouterr()


def test_state_alone(tmp_path, capsys):
    """Objects without evidence are no error and no all-clear."""
    folder = write(tmp_path, state_json=listed(*OBJECTS))
    report = analyze([folder])

    assert (report.totals.records, report.totals.denied) == (0, 0)
    assert (report.window.since, report.window.until) == (None, None)
    assert report.evidence.snapshot.source is not None
    assert _run(["analyze", folder], "flowdiag") == 0
    assert "No record of traffic" in capsys.readouterr().out


def test_ends_of_which_only_a_name_is_known(tmp_path):
    """A pod that is in no dump may be whom a policy selects: the refusal is told, with why it stays open."""
    gone = {"ip": "10.0.1.9", "end": {"namespace": "data", "pod_name": "db-old-x2v4z"}}
    closed = policy(
        "data", "closed", {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}
    )
    report = analyze([incident(tmp_path, closed, records=record(1, dst=gone, way="INGRESS"))])
    (problem,) = report.problems

    assert (problem.code, problem.confidence, report.totals.unattributed) == ("FD101", "possible", 0)
    assert problem.destination.pods == ("db-old-x2v4z",)
    assert not problem.isolating
    assert [note for note in problem.notes if "labels are not known" in note]


def test_evidence_alone(tmp_path):
    """Without objects a refusal is told, with what is unknown as unknown, and no better than likely."""
    report = analyze([write(tmp_path, flows_jsonl=refused())])
    (problem,) = report.problems

    assert (problem.isolating, problem.nearest, problem.counterfactual) == ((), (), None)
    assert problem.confidence in ("likely", "possible")
    assert report.cluster.dialect is None
    assert (WEB["ip"], DB["ip"]) == (problem.source.ips[0], problem.destination.ips[0])


def test_objects_kept_elsewhere_are_inputs_too(tmp_path):
    """Files of ``--state`` are listed with their size and checksum, once, also where they are evidence's neighbours."""
    folder = write(tmp_path / "logs", flows_jsonl=refused())
    state = write(tmp_path / "state", objects_json=listed(*OBJECTS))
    report = analyze(
        [folder, state], evidence=EvidenceOptions(checksum=True), state=StateOptions(paths=(state,))
    )

    assert [(Path(one.path).name, one.parser, one.records) for one in report.inputs] == [
        ("flows.jsonl", "hubble-json", 10),
        ("objects.json", None, 0),
    ]
    assert all(one.sha256 and one.bytes for one in report.inputs)


def test_a_report_carries_no_credentials_of_requests(tmp_path):
    """Evidence lines show what was asked for and not with which token; they stay JSON."""
    headers = [{"key": "Authorization", "value": "Bearer hunter2"}, {"key": "X-Request-Id", "value": "kept"}]
    record = {
        "flow": {
            "time": "2026-11-03T12:00:00Z",
            "verdict": "DROPPED",
            "drop_reason_desc": "POLICY_DENIED",
            "traffic_direction": "INGRESS",
            "Type": "L7",
            "IP": {"source": "192.0.2.10", "destination": "192.0.2.20", "ipVersion": "IPv4"},
            "l4": {"TCP": {"source_port": 40000, "destination_port": 8080}},
            "source": {"identity": 1001, "namespace": "shop", "pod_name": "web-1"},
            "destination": {"identity": 1002, "namespace": "data", "pod_name": "db-1"},
            "l7": {
                "type": "REQUEST",
                "http": {"method": "GET", "url": "http://u:hunter2@db/x", "headers": headers},
            },
            "node_name": "node-1",
        }
    }
    (tmp_path / "flows.json").write_text(json.dumps(record) + "\n")
    report = analyze([str(tmp_path / "flows.json")])
    (line,) = report.problems[0].evidence

    assert b"hunter2" not in msgspec.json.encode(report)
    assert json.loads(line.raw)["flow"]["l7"]["http"]["headers"][1] == headers[1]
    assert "GET http://***@db/x" in report.problems[0].summary


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("notes.md", "# What we saw\n\nThe checkout times out.\n", "parsers knows it"),
        (
            "endpoints.txt",
            (
                "ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])   "
                "IPv6   IPv4   STATUS\n           ENFORCEMENT        ENFORCEMENT\n"
                "3365       Disabled           Disabled          37299      k8s:id=app3   f00d::a0f:0:0:d25   "
                "10.15.191.0     ready\n"
            ),
            "it holds no refusal",
        ),
    ],
)
def test_what_is_no_evidence_is_told_why_where_it_is_all_there_is(tmp_path, name, text, reason):
    """A report says nothing of documents and endpoint lists; where there is nothing else, the error says why."""
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(InputError) as error:
        analyze([str(path)])

    assert f"first: {path}: " in str(error.value)
    assert reason in str(error.value)
    assert error.value.hint == f"see what was tried: flowdiag parsers detect {path}"
