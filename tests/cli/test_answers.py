"""What scripts rely on: exit codes, schemas, and the same bytes twice."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))

from small_cluster import DB, OBJECTS, WEB, end, incident, listed, pod, policy, record, refused, world, write

from flowdiag.cli.main import _run

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"
INGRESS = INCIDENTS / "ingress-other-namespace"
EGRESS = INCIDENTS / "default-deny-egress"
COMMAND = [sys.executable, "-c", "import sys; from flowdiag.cli.main import main; main(sys.argv[1:])"]


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Run a command: exit code, standard output and standard error as bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    def call(*words):
        code = _run([str(word) for word in words], "flowdiag")
        sys.stdout.flush()
        output = capfdbinary.readouterr()
        return code, output.out, output.err

    return call


def validate(run, what, document):
    """Hold a document against ``flowdiag schema``."""
    _, schema, _ = run("schema", what)
    jsonschema.Draft202012Validator(json.loads(schema)).validate(document)


# --- schemas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [INGRESS, EGRESS], ids=lambda path: path.name)
def test_reports_are_what_the_schema_says(run, folder):
    """The report of both incidents."""
    code, out, _ = run("analyze", folder, "-o", "json")

    assert code == 0
    validate(run, "report", json.loads(out))


def test_events_are_what_the_schema_says(run):
    """Every line, and as many as there are records."""
    _, out, _ = run("events", EGRESS)
    _, schema, _ = run("schema", "event")
    validator = jsonschema.Draft202012Validator(json.loads(schema))
    lines = out.splitlines()

    assert len(lines) == (EGRESS / "hubble" / "events.jsonl").read_bytes().count(b"\n")
    for line in lines[::7]:
        validator.validate(json.loads(line))


def test_answers_are_what_the_schema_says(run, tmp_path):
    """explain with and without evidence, verify and reach."""
    asked = write(tmp_path, queries_json=json.dumps({"queries": [{"src": "shop/web", "dst": "data/db"}]}))
    folder = incident(tmp_path / "incident")
    question = ("explain", "shop/web", "data/db", "8080")
    for what, command in (
        ("explain", (*question, "--state", folder)),
        ("explain", (*question, folder)),
        ("verify", ("verify", f"{asked}/queries.json", "--state", folder)),
        ("reach", ("reach", "data/db", "--state", folder)),
    ):
        _, out, _ = run(*command, "-o", "json")
        document = json.loads(out)
        assert document["schema"] == f"flowdiag.{what}/1"
        validate(run, what, document)


# --- the same bytes -----------------------------------------------------------------------------------


def test_the_same_bytes_however_it_is_read(run):
    """Twice, with two processes, and with the inputs named the other way round."""
    nodes = [INGRESS / "hubble" / "node-a", INGRESS / "hubble" / "node-b", INGRESS / "state"]
    first = run("analyze", *nodes, "-o", "json")

    assert first == run("analyze", *nodes, "-o", "json")
    assert first == run("analyze", *nodes, "-o", "json", "--processes", "2")
    assert first == run("analyze", *reversed(nodes), "-o", "json")
    assert json.loads(first[1])["created"] == "2023-11-14T22:13:20.000000000Z"


def test_hash_seeds_do_not_matter(tmp_path):
    """Nothing that comes out of a set decides about order."""
    folder = incident(tmp_path, records=refused() + record(3, dst=world(), port=443))
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": "0"}
        done = subprocess.run(
            [*COMMAND, "analyze", folder, "-o", "json"], capture_output=True, check=True, env=environment
        )
        outputs.add(done.stdout)

    assert len(outputs) == 1


def test_files_besides_do_not_change_standard_output(run, tmp_path):
    """FORMAT=FILE is written besides; every file is what FORMAT on standard output is."""
    folder = incident(tmp_path / "incident")
    paths = {"json": tmp_path / "out.json", "markdown": tmp_path / "out.md"}
    _, plain, _ = run("analyze", folder)
    _, besides, _ = run("analyze", folder, *[w for f, p in paths.items() for w in ("-o", f"{f}={p}")])

    assert plain == besides
    for name, path in paths.items():
        _, alone, _ = run("analyze", folder, "-o", name)
        assert alone.rstrip(b"\n") == path.read_bytes().rstrip(b"\n")


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"protocol": "ICMP"}, "data/db ICMP: "), ({"port": "http"}, "data/db http: "), ({}, "data/db: ")],
)
def test_verify_sets_a_protocol_without_port_apart_from_the_name(run, tmp_path, asked, said):
    queries = {"queries": [{"src": "shop/wbe", "dst": "data/db", "allowed": False, **asked}]}
    folder = incident(tmp_path, queries_json=json.dumps(queries))
    _, out, _ = run("verify", tmp_path / "queries.json", "--state", folder)

    assert f"shop/wbe -> {said}".encode() in out


# --- questions ----------------------------------------------------------------------------------------


def test_verify_answers_in_order_and_fails_alone(run, tmp_path):
    """Index from 0, ends as asked, an end that nobody knows fails its own query, and the exit code is 1."""
    queries = [
        {"src": "shop/web", "dst": "data/db", "protocol": "TCP", "port": 8080, "allowed": False},
        {"src": "shop/wbe", "dst": "data/db", "protocol": "TCP", "port": 8080, "allowed": False},
        {"src": "data/db", "dst": "shop/web", "protocol": "TCP", "port": "http", "allowed": True},
        {"src": "203.0.113.7", "dst": "198.51.100.7", "protocol": "TCP", "port": 80, "allowed": True},
        {"src": "data/db", "dst": "198.51.100.0/24", "port": 443, "allowed": False},
        7,
    ]
    folder = incident(tmp_path, queries_json=json.dumps({"queries": queries}))
    code, out, _ = run("verify", tmp_path / "queries.json", "--state", folder, "-o", "json")
    answer = json.loads(out)
    results = answer["results"]

    assert code == 1
    assert (answer["total"], answer["passed"], answer["failed"]) == (6, 2, 4)
    assert list(range(6)) == [one["index"] for one in results]
    assert [one["src"] for one in results[:5]] == [query["src"] for query in queries[:5]]
    assert [one["port"] for one in results[:5]] == [query["port"] for query in queries[:5]]
    assert [one["allowed"] for one in results] == [False, None, True, None, True, None]
    assert [one["passed"] for one in results] == [True, False, True, False, False, False]
    assert "shop/web" in results[1]["error"]
    # A person finds it by the place that the file and the JSON have.
    _, shown, _ = run("verify", tmp_path / "queries.json", "--state", folder)
    assert b"FAIL queries[1] shop/wbe -> data/db 8080/TCP" in shown
    assert "outside" in results[3]["error"]
    assert results[4]["error"] is None
    assert results[4]["ingress"] is None
    assert results[0]["egress"]["isolated_by"] == [
        {"kind": "NetworkPolicy", "group": "networking.k8s.io", "namespace": "shop", "name": "deny"}
    ]


def test_what_init_writes_passes(run, tmp_path):
    """``--init`` writes what is true today."""
    queries = tmp_path / "queries.json"
    code, _, _ = run("verify", "--init", queries, "--state", INGRESS / "state")
    assert code == 0
    assert len(json.loads(queries.read_bytes())["queries"]) > 10

    code, out, _ = run("verify", queries, "--state", INGRESS / "state", "-o", "json")
    assert (code, json.loads(out)["failed"]) == (0, 0)


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        (("shop/web", "data/db", "8080"), False),
        (("shop/web-5d9c7b6f4-x2v4z", "data/db[Deployment]", "http"), False),
        (("data/db", "shop/web", "8080"), True),
        (("10.0.1.7", "10.0.0.5", "8080"), True),
        (("data/db", "198.51.100.0/24", "443"), True),
        (("shop/web", "entity:world", "443"), False),
        (("203.0.113.7", "data/db", "ICMP"), True),
    ],
)
def test_ends_of_every_kind(run, tmp_path, question, allowed):
    """Pods, workloads, addresses, ranges and entities; whatever the answer, the exit code is 0."""
    code, out, _ = run("explain", *question, "--state", incident(tmp_path), "-o", "json")
    answer = json.loads(out)

    assert code == 0
    assert answer["allowed"] is allowed
    assert (answer["src"], answer["dst"]) == question[:2]


def test_a_service_port_is_translated(run):
    """A Service's port becomes the pods' port, and a port that it does not have is an input error."""
    state = INGRESS / "state"
    _, out, _ = run("explain", "shop/checkout", "svc:payments/pay-api", "80", "--state", state, "-o", "json")
    assert '"found": "8080/TCP"' in out.decode()
    assert json.loads(out)["allowed"] is False

    code, _, err = run("explain", "shop/checkout", "svc:payments/pay-api", "81", "--state", state)
    assert code == 3
    assert b"80/TCP" in err


@pytest.mark.parametrize("ends", [("shop/nobody", "data/db"), ("198.51.100.1", "198.51.100.2")])
def test_an_end_that_cannot_be_resolved_is_an_error_in_json_too(run, tmp_path, ends):
    """Exit code 3 and words for people, and for whoever asked for JSON the result with its error, as verify has it."""
    state = incident(tmp_path)
    code, out, err = run("explain", *ends, "8080", "--state", state, "-o", "json", "-o", f"json={tmp_path}/a")
    answer = json.loads(out)

    assert code == 3
    assert err
    assert answer["error"]
    assert (answer["schema"], answer["src"], answer["dst"], answer["port"]) == (
        "flowdiag.explain/1",
        *ends,
        8080,
    )
    assert [answer[key] for key in ("allowed", "egress", "ingress", "observed")] == [None] * 4
    assert json.loads((tmp_path / "a").read_bytes()) == answer

    code, out, _ = run("explain", *ends, "8080", "--state", state)
    assert (code, out) == (3, b"")


def test_pods_that_differ_are_mixed(run, tmp_path):
    """Where a workload's pods differ the answer is null, and the pairs are named."""
    odd = json.loads(json.dumps(OBJECTS[2]))
    odd["metadata"] |= {"name": "web-5d9c7b6f4-z9k8m", "uid": "odd", "labels": {"app": "web", "free": "yes"}}
    odd["status"] |= {"podIP": "10.0.0.6", "podIPs": [{"ip": "10.0.0.6"}]}
    deny = json.loads(json.dumps(OBJECTS[-1]))
    deny["spec"]["podSelector"] = {"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]}
    state = write(tmp_path, state_json=listed(*OBJECTS[:-1], odd, deny))
    code, out, _ = run("explain", "shop/web", "data/db", "8080", "--state", state, "-o", "json")
    answer = json.loads(out)

    assert code == 0
    assert answer["allowed"] is None
    assert answer["error"].startswith("mixed")
    assert "web-5d9c7b6f4-x2v4z" in answer["error"]

    _, out, _ = run("explain", "shop/web", "data/db", "8080", "--state", state)
    told = out.decode()
    assert told.startswith("MIXED  shop/web")
    assert "egress of shop/web-5d9c7b6f4-x2v4z  denied" in told


def test_an_unknown_end_is_an_input_error_with_the_nearest_name(run, tmp_path):
    """A misspelt name is met with those that were perhaps meant."""
    code, out, err = run("explain", "shop/wbe", "data/db", "8080", "--state", incident(tmp_path))

    assert (code, out) == (3, b"")
    assert b"shop/web" in err


def test_evidence_in_words_and_numbers(run, tmp_path):
    """What was seen stands in the sentence as in the numbers, and agrees with the report."""
    folder = incident(tmp_path, records=record(0, verdict="FORWARDED") * 4 + refused(7))
    _, out, _ = run("explain", "shop/web", "data/db", "8080", folder, "-o", "json")
    _, report, _ = run("analyze", folder, "-o", "json")
    observed = json.loads(out)["observed"]
    (problem,) = json.loads(report)["problems"]

    assert (observed["denied"], observed["allowed"]) == (7, 4)
    assert (observed["denied_first"], observed["denied_last"]) == (problem["first"], problem["last"])
    assert problem["count"] == 7
    assert "7 times" in observed["text"]
    assert "4 times" in observed["text"]


API = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"namespace": "default", "name": "kubernetes"},
    "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
}
API_SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {
        "namespace": "default",
        "name": "kubernetes",
        "labels": {"kubernetes.io/service-name": "kubernetes"},
    },
    "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
    "endpoints": [{"addresses": ["192.0.2.9"]}],
}
TO_API = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"namespace": "shop", "name": "to-api"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.9/32"}}], "ports": [{"port": 6443}]}],
    },
}


@pytest.mark.parametrize("end", ["svc:default/kubernetes", "default/kubernetes", "10.96.0.1"])
def test_a_service_without_pods_is_whoever_its_slices_name(run, tmp_path, end):
    """The API server's Service has no selector: its endpoints are asked for, at their own port."""
    state = write(tmp_path, state_json=listed(*OBJECTS[:-1], API, API_SLICE, TO_API))
    code, out, _ = run("explain", "shop/web", end, "443", "--state", state, "-o", "json")
    assert (code, json.loads(out)["allowed"]) == (0, True)

    code, _, err = run("explain", "shop/web", end, "6443", "--state", state)
    assert code == 3
    assert b"its ports: 443/TCP" in err


def test_a_service_that_nothing_is_behind_says_what_is_missing(run, tmp_path):
    """Without endpoint slices nobody can tell where its traffic arrives."""
    state = write(tmp_path, state_json=listed(*OBJECTS, API))
    code, out, err = run("explain", "shop/web", "default/kubernetes", "443", "--state", state)
    assert (code, out) == (3, b"")
    assert b"add its EndpointSlices" in err


def test_a_quoted_port_is_its_number(run, tmp_path):
    """YAML gives "8080" as text; no port's name is all digits."""
    queries = [
        {"src": "shop/web", "dst": "data/db", "protocol": "TCP", "port": "8080", "allowed": False},
        {"src": "shop/web", "dst": "data/db", "protocol": "TCP", "port": "80800", "allowed": False},
    ]
    folder = incident(tmp_path, queries_json=json.dumps({"queries": queries}))
    code, out, _ = run("verify", tmp_path / "queries.json", "--state", folder, "-o", "json")
    first, second = json.loads(out)["results"]

    assert code == 1
    assert (first["allowed"], first["passed"], first["port"]) == (False, True, "8080")
    assert (second["allowed"], second["error"]) == (None, "port 80800 is out of range; ports are 1 to 65535")


def test_any_port_is_told_as_a_range(run, tmp_path):
    """A question for any port names the refused ports, not the one that stands for them."""
    state = write(tmp_path, state_json=listed(*OBJECTS[:-1], TO_API))
    _, out, _ = run("explain", "shop/web", "192.0.2.9", "--state", state, "-o", "json")
    (nearest,) = json.loads(out)["egress"]["nearest"]

    assert {"condition": "port", "wanted": "6443/TCP", "found": "1-6442/TCP"} in nearest["misses"]


def test_a_folder_that_is_called_as_a_port_could_be_is_not_read_in_silence(run, tmp_path, monkeypatch):
    """The word is a port's name, as ever; what lies there under it was perhaps meant."""
    state = incident(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    code, _, err = run("explain", "shop/web", "data/db", "logs", "--state", state)

    assert (code, b"write ./logs" in err) == (0, True)


def test_a_folder_of_a_day_is_evidence(run, tmp_path, monkeypatch):
    """Ports' names hold a letter, so that a date is none; nor are several ports one."""
    state = incident(tmp_path)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "2026-03-01", flows_jsonl=refused())
    _, out, _ = run("explain", "shop/web", "data/db", "2026-03-01", "--state", state, "-o", "json")
    assert json.loads(out)["observed"]["denied"] > 0

    code, _, err = run("explain", "shop/web", "data/db", "8080-8090", "--state", state)
    assert code == 2
    assert b"'8080-8090' is not one port" in err


@pytest.mark.parametrize(
    ("dst", "told"),
    [
        ("http://db.data:5432/users?all=1", b"write db.data:5432, without the scheme and path"),
        ("https://user:word@db.data/", b"write db.data, without the scheme and path"),
    ],
)
def test_an_address_out_of_an_applications_log_is_met_with_what_to_write(run, tmp_path, dst, told):
    """People paste what failed."""
    code, _, err = run("explain", "shop/web", dst, "--state", incident(tmp_path))

    assert code == 3
    assert told in err


def test_a_forced_kind_may_have_its_port_behind_it(run, tmp_path):
    """As other ends may."""
    state = incident(tmp_path)
    _, apart, _ = run("explain", "shop/web", "data/db[Deployment]", "5432", "--state", state, "-o", "json")
    code, out, _ = run("explain", "shop/web", "data/db[Deployment]:5432", "--state", state, "-o", "json")

    assert (code, out) == (0, apart)


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "-"],
        ["explain", "shop/web", "data/db", "8080", "-"],
        ["verify", "-"],
        ["whatif", "--apply", "-"],
        ["audit", "-", "--history", "unused.db"],
        ["watch"],
        ["watch", "-"],
    ],
)
def test_standard_input_gives_one_thing(run, words):
    """Whatever came second would find it empty."""
    code, _, err = run(*words, "--state", "-")

    assert (code, b"standard input is named twice" in err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["whatif", "-", "--apply", "-"],
        ["whatif", "-", "--to", "-"],
        ["whatif", "--apply", "-", "--apply", "-"],
        ["audit", "-", "--baseline", "-", "--history", "unused.db"],
    ],
)
def test_standard_input_gives_one_thing_beside_the_state(run, tmp_path, words):
    """Evidence, a change of policies and a baseline are as much as cluster objects are."""
    code, _, err = run(*words, "--state", incident(tmp_path, records=refused(1)))

    assert (code, b"standard input is named twice" in err) == (2, True)


def test_a_port_by_name_is_asked_of_the_evidence_by_its_number(run, tmp_path):
    """Records of other ports between the two do not count, as little as for the number."""
    folder = incident(tmp_path, records=refused(7) + record(0, port=9090, verdict="FORWARDED"))
    seen = []
    for port in ("http", "8080"):
        _, out, _ = run("explain", "shop/web", "data/db", port, folder, "-o", "json")
        seen.append(json.loads(out)["observed"])

    assert seen[0] == seen[1]
    assert (seen[0]["denied"], seen[0]["allowed"]) == (7, 0)


# --- what a word names that nobody has -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--format", "no-such-parser"), b"no parser 'no-such-parser'"),
        (("--fail-on", "FD299"), b"no diagnosis has that code"),
    ],
)
def test_a_name_that_nobody_has_is_a_usage_error(run, words, told):
    """A parser or code that does not exist is said at once: a gate on it would never close."""
    code, out, err = run("analyze", EGRESS, *words)
    assert (code, out) == (2, b"")
    assert told in err


def test_a_check_is_a_code_to_fail_on(run):
    """The audit's own codes count as well as diagnoses."""
    assert run("analyze", EGRESS, "--fail-on", "FD901")[0] in (0, 1)


@pytest.mark.parametrize("selector", ["fd401", "HIGH", "New-High"])
def test_a_selector_counts_however_it_is_spelled(run, selector):
    """As `flowdiag codes fd401` finds it, too."""
    assert run("analyze", EGRESS, "--fail-on", selector)[0] == 1


@pytest.mark.parametrize("name", ["weave-npc", "antrea-flows", "cilium-monitor-json"])
def test_a_forced_format_that_reads_nothing_is_no_usable_input(run, tmp_path, name):
    """Flows of one CNI read as another's log are not an empty report, whether its parser warns of each line or passes it over."""
    (tmp_path / "flows.jsonl").write_text(refused(30))
    code, out, err = run("analyze", tmp_path / "flows.jsonl", "--format", name)
    assert (code, out) == (3, b"")
    assert f"nothing in it is a record of {name}".encode() in err


def test_an_input_without_a_refusal_has_its_format_all_the_same(run, tmp_path):
    """Where nothing but refusals is looked for, none of them is no other format; what is one, is still said to be."""
    (tmp_path / "flows.jsonl").write_text(refused(3).replace("DROPPED", "FORWARDED"))
    wanted = run("analyze", tmp_path / "flows.jsonl", "--only", "denied", "-o", "json")
    found = run(
        "analyze", tmp_path / "flows.jsonl", "--only", "denied", "--format", "hubble-json", "-o", "json"
    )

    assert (wanted[0], found[0]) == (0, 0)
    assert json.loads(found[1])["warnings"] == json.loads(wanted[1])["warnings"]
    assert run("analyze", tmp_path / "flows.jsonl", "--only", "denied", "--format", "weave-npc")[0] == 3


def test_an_input_that_is_not_of_a_forced_format_is_named(run, tmp_path):
    """Where others can be used."""

    code, out, _ = run(
        "analyze", incident(tmp_path, records=refused(3)), "--format", "weave-npc", "-o", "json"
    )
    report = json.loads(out)
    assert (code, report["complete"]) == (0, False)
    assert [one["code"] for one in report["warnings"]] == ["not-that-format"]


def test_refused_traffic_alone_holds_nothing_that_was_allowed(run):
    """Asking for both would look like peace."""
    code, out, err = run("analyze", EGRESS, "--only", "denied", "--verdict", "allowed")

    assert (code, out) == (2, b"")
    assert b"--only denied reads no allowed traffic" in err


def test_what_could_not_be_read_is_said_beside_formats_for_programs(run, tmp_path):
    """The terminal's report holds the warnings; who writes JSON to a file is told on standard error."""
    (tmp_path / "flows.jsonl").write_text(refused(3))
    words = ("analyze", tmp_path / "flows.jsonl", tmp_path / "gone.jsonl")
    code, out, err = run(*words, "-o", "json")
    assert (code, json.loads(out)["complete"]) == (0, False)
    assert b"evidence is incomplete" in err
    assert b"gone.jsonl: no such file or directory" in err

    code, out, err = run(*words)
    assert (code, err) == (0, b"")
    assert b"no such file or directory (missing)" in b" ".join(out.split())

    _, out, _ = run(*words, "-o", "markdown")
    assert b"gone.jsonl`: no such file or directory" in out


def test_a_report_beside_the_evidence_keeps_no_second_run_from_being_whole(run, tmp_path):
    """Written into the folder that is read, it is met again by the next run, with --strict too."""
    (tmp_path / "flows.jsonl").write_text(refused(3))
    written = [f"{name}={tmp_path / name}" for name in ("json", "jsonl", "csv", "markdown", "sarif", "junit")]
    words = ("analyze", tmp_path, "--strict", *(word for one in written for word in ("-o", one)))

    assert run(*words)[0] == 0
    assert run(*words)[0] == 0
    report = json.loads((tmp_path / "json").read_text())
    assert (report["complete"], report["totals"]["denied"]) == (True, 3)


def test_detecting_a_file_that_is_not_there_is_no_usable_input(run, tmp_path):
    """The exit code says so, as it does of other commands."""
    assert run("parsers", "detect", tmp_path / "nothing.log")[0] == 3
    assert run("parsers", "detect", EGRESS)[0] == 0


@pytest.mark.parametrize(
    ("hubble", "own"), [("DROPPED", "denied"), ("FORWARDED", "allowed"), ("audit", "audited")]
)
def test_verdicts_in_hubbles_words(run, tmp_path, hubble, own):
    """--verdict takes what hubble observe --verdict takes."""
    folder = incident(tmp_path, records=record(0, verdict="FORWARDED") * 2 + refused(3))
    totals = [
        json.loads(run("analyze", folder, "--verdict", word, "-o", "json")[1])["totals"]
        for word in (hubble, own)
    ]

    assert totals[0] == totals[1]
    assert (totals[0]["denied"], totals[0]["allowed"]) == {"denied": (3, 0), "allowed": (0, 2)}.get(
        own, (0, 0)
    )


# --- signals and pipes --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["analyze", "-"], ["events", "-"], ["verify", "-", "--state", "."]])
def test_an_interrupt_is_quiet(command):
    """Ctrl-C while it waits for input: 130 and no traceback."""
    process = subprocess.Popen(
        [*COMMAND, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # The interpreter's own start-up would answer an interrupt with a traceback.  A pipe holds less than this: once it
    # is written, the command reads.
    process.stdin.write(refused(400)[:70_000].encode())
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)

    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize("command", ["events", "events -o csv", "analyze -v --all"])
def test_a_reader_who_leaves_is_no_finding(tmp_path, command):
    """``| head -1``: nothing on standard error and exit code 0, though much is left to write."""
    folder = incident(tmp_path, records=refused(3000))
    words = [*COMMAND, *command.split(), folder]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert (process.wait(timeout=300), err) == (0, b"")


@pytest.mark.parametrize(
    "command",
    [
        "analyze --fail-on high",
        "analyze --fail-on high -o png",
        "audit --history {0}/history.db",
        "verify {0}/queries.json --state",
        "whatif --fail-on newly-allowed --delete NetworkPolicy/shop/deny --state",
        "diff --fail-on new {0}/old.json {0}/new.json",
    ],
)
def test_a_reader_who_leaves_hides_no_finding(run, tmp_path, command):
    """The exit code is what it would be: the next audit finds known what this one found new."""
    (tmp_path / "in").mkdir()
    folder = incident(tmp_path / "in", records=refused(30))
    (tmp_path / "queries.json").write_text(
        '{"queries": [{"src": "shop/web", "dst": "data/db", "port": 8080, "allowed": true}]}'
    )
    run("analyze", folder, "-o", f"json={tmp_path / 'new.json'}", "--to-port", "8080")
    run("analyze", folder, "-o", f"json={tmp_path / 'old.json'}", "--to-port", "1")
    words = command.format(tmp_path).split()
    process = subprocess.Popen(
        [*COMMAND, *words, *([] if words[0] == "diff" else [folder])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=300) == 1, err
    assert b"Broken" not in err


def test_standard_input(run, tmp_path, monkeypatch):
    """``-`` is evidence like a file's."""
    folder = incident(tmp_path)
    with (tmp_path / "flows.jsonl").open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": stream, "isatty": lambda _: False})())
        code, out, _ = run("analyze", "-", "--state", folder, "-o", "json")
    report = json.loads(out)

    assert (code, report["totals"]["denied"]) == (0, 10)
    assert [Path(one["path"]).name for one in report["inputs"]] == ["-", "state.json"]


# --- hostile text -------------------------------------------------------------------------------------

EVIL = "[bold red]x[/] \x1b[31mRED\x07 **md** `c` <script>alert(1)</script> | =cmd() \u202e $(rm)"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def hostile(tmp_path):
    """Pods, names and paths as a stranger would choose them."""
    pod = end("shop", EVIL, "10.0.0.5", EVIL)
    names = {"destination_names": ["evil.example|`*[link](http://x)\x1b]0;title\x07"]}
    l7 = {"type": "REQUEST", "http": {"method": "GET", "url": f"http://x/{EVIL}", "protocol": "HTTP/1.1"}}
    lines = "".join(record(index, pod, world(), 443, **names) for index in range(3))
    lines += record(5, end("sh[op]\x1b[2J", "web-5d9c7b6f4-x2v4z", "10.0.0.6", "web"), pod, 80, l7=l7)
    return incident(tmp_path, records=lines + refused(2))


@pytest.mark.parametrize(
    "command",
    [["analyze"], ["analyze", "-v", "--all"], ["analyze", "-o", "markdown"], ["events", "-o", "csv"]],
    ids=" ".join,
)
def test_hostile_text_is_text(run, hostile, command):
    """No control character reaches a terminal, a ticket or a spreadsheet, and the words stay readable."""
    _, out, _ = run(*command, hostile)
    text = out.decode()

    assert not CONTROL.findall(text.replace("\n", "").replace("\r", ""))
    assert "bold red" in text
    assert "\\x1b" in text


def test_hostile_objects_are_text_in_every_answer(run, tmp_path):
    """Of policies, labels and files too, whatever is asked: nothing that acts reaches a terminal, a ticket or a log."""
    named = policy("shop", f"allow-{EVIL}", {"podSelector": {"matchLabels": {"app": EVIL}}, "egress": [{}]})
    second = pod("shop", "api-6c5f7d-w9v2p", "10.0.0.9", EVIL)
    evil = "\x1b[2J\u202e.json"
    folder = Path(incident(tmp_path / "in", named, second))
    report, queries, history = tmp_path / evil, tmp_path / f"q{evil}", tmp_path / "history.db"
    queries.write_text(json.dumps({"queries": [{"src": "shop/web", "dst": EVIL, "allowed": True}]}))
    change = ("whatif", folder, "--state", folder, "--delete", f"NetworkPolicy/shop/allow-{EVIL}")
    seen = [run("analyze", folder, "-o", f"json={report}")]
    folder.joinpath(evil).write_text("no log")
    for command in (
        ("explain", "shop/web", "data/db", "8080", "--state", folder),
        ("explain", EVIL, "data/db", "8080", "--state", folder),
        ("reach", "shop/api-6c5f7d-w9v2p", "--state", folder),
        ("verify", queries, "--state", folder),
        ("verify", queries, "--state", folder, "-o", "junit"),
        change,
        (*change, "-o", "markdown"),
        ("show", report, "-v", "--all"),
        ("diff", report, report),
        ("audit", folder, "--history", history, "--unused-rules"),
        ("parsers", "detect", folder),
        ("analyze", tmp_path / f"none{evil}"),
        ("analyze", folder, "-n", EVIL),
    ):
        seen.append(run(*command))
        text = b"".join(seen[-1][1:]).decode()
        assert not CONTROL.findall(text.replace("\n", "").replace("\r", "")), command

    assert sum(b"\\x1b" in out + err for _, out, err in seen) > 8


def test_colour_is_ours_alone(run, hostile, monkeypatch):
    """With colour on, escape sequences are those of styles, and markup in names is not one of them."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    _, out, _ = run("analyze", "-v", "--all", hostile)
    sequences = set(re.findall(r"\x1b[^m]{0,12}.?", out.decode()))

    assert sequences
    assert all(re.fullmatch(r"\x1b\[[0-9;]*m", one) for one in sequences)
    assert "[bold red]" in out.decode()


def test_markdown_in_names_stays_in_code(run, hostile):
    """Outside code spans and blocks nothing of a stranger's is left that a ticket would act on."""
    _, out, _ = run("analyze", hostile, "-o", "markdown")
    text = re.sub(r"```.*?```", "", out.decode(), flags=re.DOTALL)
    text = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)

    for word in ("<script", "**md**", "](http"):
        assert word not in text


def test_formulas_are_no_formulas(run, tmp_path):
    """A name that a spreadsheet would run is kept from running."""
    folder = incident(tmp_path, records=record(1, end("shop", "=cmd|' /C calc'!A0", "10.0.0.5", "@web"), DB))
    _, out, _ = run("events", "-o", "csv", folder)

    assert WEB["end"]["pod_name"] not in out.decode()
    assert not re.search(r'(^|,)"?[=@+]', out.decode(), flags=re.MULTILINE)


def test_a_full_disk_is_no_bug_of_ours():
    """It is said where there is no room, with the exit code of what cannot be written."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "codes"], stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"bug" not in done.stderr


@pytest.mark.parametrize("content", [None, ""])
def test_evidence_that_cannot_be_read_was_not_looked_through(run, tmp_path, content):
    """That nothing was seen between the two would be said of a file that is not there."""
    folder = incident(tmp_path / "incident")
    path = tmp_path / "flows.jsonl"
    if content is not None:
        path.write_text(content)
    code, out, err = run("explain", "shop/web", "data/db", "8080", path, "--state", folder, "-o", "json")

    assert (code, out) == (3, b"")
    assert b"flows.jsonl" in err


def test_paths_of_objects_alone_are_no_evidence(run, tmp_path):
    """What was observed is unknown then, and not nothing."""
    folder = write(tmp_path / "state", state_json=listed(*OBJECTS))
    code, out, _ = run("explain", "shop/web", "data/db", "8080", folder, "-o", "json")

    assert code == 0
    assert json.loads(out)["observed"] is None


def test_policies_that_count_for_nothing_are_said(run, tmp_path):
    """A verdict that they would change is no news to who wrote them."""
    rules = {"endpointSelector": {}}
    silent = [
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": rules,
        }
        for name in ("a", "b", "c")
    ]
    folder = write(tmp_path / "state", state_json=listed(*OBJECTS, *silent))
    _, _, err = run("explain", "shop/web", "data/db", "8080", "--state", folder, "--dialect", "cilium")

    assert err.count(b"CiliumNetworkPolicy") == 1
    assert b"CiliumNetworkPolicy shop/a and 2 more: it has no rules: the agent rejects it" in err


@pytest.mark.parametrize(
    ("src", "seen"), [("10.0.0.0/24", 10), ("10.0.0.5", 10), ("10.0.0.6", 0), ("10.0.9.0/24", 0)]
)
def test_what_was_seen_of_a_range_is_what_its_addresses_sent(run, tmp_path, src, seen):
    """And of one address what its pod sent."""
    folder = incident(tmp_path / "incident")
    code, out, _ = run("explain", src, "data/db", "8080", folder, "-o", "json")

    assert code == 0
    assert json.loads(out)["observed"]["denied"] == seen


@pytest.mark.parametrize(("number", "name"), [("17", "udp"), ("6", "TCP")])
def test_a_protocol_may_be_its_number(run, tmp_path, number, name):
    """As packet logs have it."""
    found = []
    for given in (number, name):
        run("analyze", str(EGRESS), "-o", f"json={tmp_path / given}", "--protocol", given)
        found.append(json.loads((tmp_path / given).read_text())["problems"])

    assert found[0]
    assert found[0] == found[1]
