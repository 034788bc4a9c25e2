"""What part of the evidence counts, and what an allowed record proves."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import (
    DB,
    OBJECTS,
    WEB,
    at,
    end,
    incident,
    listed,
    pod,
    policy,
    record,
    refused,
    world,
    write,
)

from flowdiag.analysis import EvidenceOptions, Selection, StateOptions, analyze, explain
from flowdiag.analysis.misspelt import misspelt
from flowdiag.cluster import build_snapshot
from flowdiag.model.event import Peer, Verdict, WorkloadRef
from flowdiag.model.time import parse_rfc3339
from flowdiag.report.phrases import headline
from flowdiag.report.redact import redact

INCIDENT = Path(__file__).resolve().parents[2] / "fixtures" / "incidents" / "ingress-other-namespace"


def moment(second):
    return parse_rfc3339(at(second))


def consistent(report):
    """The identities that hold for every report."""
    totals, counts = report.totals, report.buckets.counts
    denied = [p for p in report.problems if p.verdict == Verdict.DENIED]
    assert totals.denied == sum(p.count for p in denied) + totals.unattributed
    assert totals.audited == sum(p.count for p in report.problems if p.verdict == Verdict.AUDITED)
    assert totals.not_policy == sum(one.count for one in report.not_policy)
    assert sum(counts.denied) <= totals.denied
    connections = [
        (p.verdict, p.direction, p.reason, p.icmp, c.protocol, c.port, *map(name, (c.source, c.destination)))
        for p in report.problems
        for c in p.connections
    ]
    assert len(connections) == len(set(connections))
    for problem in report.problems:
        sizes = [connection.count for connection in problem.connections]
        first = problem.connections[0]
        assert sizes == sorted(sizes, reverse=True)
        assert problem.count == sum(sizes)
        assert (problem.source, problem.destination) == (first.source, first.destination)
        assert (problem.protocol, problem.port) == (first.protocol, first.port)
    severities = ["high", "medium", "low", "info"]
    order = [
        (p.explained_by is not None, severities.index(p.severity), -p.count, p.id) for p in report.problems
    ]
    assert order == sorted(order)
    return report


def name(end):
    return (end.kind, end.namespace, end.name)


@pytest.fixture(scope="module")
def whole():
    return analyze([str(INCIDENT)])


@pytest.mark.parametrize(
    ("selection", "keeps"),
    [
        (Selection(namespaces=("payments",)), lambda p: "payments" in (p.source.namespace, p.destination.namespace)),
        (Selection(from_pod="shop/checkout"), lambda p: p.source.name == "checkout"),
        (Selection(from_pod="check"), lambda p: p.source.name == "checkout"),
        (Selection(from_pod="lab/checkout"), lambda _: False),
        (Selection(to_pod="payments/ledger"), lambda p: p.destination.name == "ledger"),
        (Selection(to_port=9090), lambda p: p.port == 9090),
        (Selection(protocol="tcp"), lambda p: p.protocol == "TCP"),
        (Selection(protocol="UDP"), lambda p: p.protocol == "UDP"),
        (Selection(verdicts=("denied",)), lambda p: p.verdict == "denied"),
        (Selection(verdicts=("audited",)), lambda p: p.verdict == "audited"),
        (Selection(verdicts=("allowed",)), lambda _: False),
    ],
    ids=lambda value: str(value) if isinstance(value, Selection) else "",
)  # fmt: skip
def test_a_selection_keeps_what_it_names(whole, selection, keeps):
    """The problems that fit stay as they were, the others are gone, and the totals follow."""
    part = consistent(analyze([str(INCIDENT)], selection=selection))
    wanted = {(p.fingerprint, p.count) for p in whole.problems if keeps(p)}

    assert wanted == {(p.fingerprint, p.count) for p in part.problems}
    assert part.totals.denied == sum(p.count for p in whole.problems if keeps(p) and p.verdict == "denied")
    assert part.totals.records == whole.totals.records


def test_a_span_of_time(tmp_path):
    """Both ends count, the problem's own times lie within, and so does the window."""
    report = consistent(analyze([incident(tmp_path)], selection=Selection(since=moment(5), until=moment(11))))
    (problem,) = report.problems

    assert (problem.count, report.totals.denied) == (4, 4)
    assert (at(5), at(11)) == (problem.first, problem.last)
    assert (at(5), at(11)) == (report.window.since, report.window.until)


def test_a_minute_that_begins_at_the_end_is_outside(tmp_path):
    """Allowed traffic is kept by the minute, and the minute after the span is not the span's; its own instant is."""
    records = "".join(record(second, verdict="FORWARDED") for second in (10, 59, 60, 61, 100))
    folder = incident(tmp_path, records=refused() + records)
    report = analyze([folder], selection=Selection(until=moment(60)))

    assert report.totals.allowed == 3


def _json(second):
    verdict = "FORWARDED" if second % 3 else "DROPPED"
    return record(second, verdict=verdict, port=8080 + second % 2, source_port=30000 + second % 20000)


def _line(second):
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=second)
    return (
        f"WARN: {moment:%Y/%m/%d %H:%M:%S.%f} TCP connection from 10.0.0.5:{30000 + second % 20000} "
        f"to 10.0.1.7:8080 blocked by Weave NPC.\n"
    )


def _flow_log(second):
    start = int(parse_rfc3339(at(second)) / 1_000_000_000)
    hit = "0|default|data/default.db|deny|0"
    ends = {"source_ip": "10.0.0.5", "source_name": "web-5d9c7b6f4-x2v4z", "source_namespace": "shop"}
    ends |= {
        "dest_ip": "10.0.1.7",
        "dest_name": "db-7f6b5c4d6-k8m2n",
        "dest_namespace": "data",
        "dest_port": 8080,
    }
    kinds = {"source_type": "wep", "dest_type": "wep", "source_port": None, "proto": "tcp", "num_flows": 1}
    times = {"start_time": start, "end_time": start + 15, "action": "deny", "reporter": "dst"}
    return json.dumps({**times, **ends, **kinds, "policies": {"all_policies": [hit]}}) + "\n"


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("line", [_json, _line, _flow_log])
@pytest.mark.parametrize("span", [(36_000, 36_305), (None, 1_207), (80_010, None), (50_003, 50_005)])
def test_a_span_of_a_long_log_is_what_its_own_lines_say(tmp_path, span, line, processes):
    """A flow of a day stands in buckets of minutes: neither its counts nor its times or evidence may be theirs."""
    since, until = span
    seconds = range(0, 86_400, 31)
    within = [one for one in seconds if (since or 0) <= one <= (86_400 if until is None else until)]
    evidence = EvidenceOptions(processes=processes)
    selection = Selection(
        since=None if since is None else moment(since), until=None if until is None else moment(until)
    )
    (tmp_path / "part").mkdir()
    for folder, chosen in ((tmp_path, seconds), (tmp_path / "part", within)):
        (folder / "flows.log").write_text("".join(map(line, chosen)))
        (folder / "state.json").write_text(listed(*OBJECTS))
    whole, part = (
        analyze([str(folder / "flows.log")], evidence=evidence, selection=chosen,
                state=StateOptions(paths=(str(folder / "state.json"),)))
        for folder, chosen in ((tmp_path, selection), (tmp_path / "part", None))
    )  # fmt: skip

    assert within or whole.totals.denied == 0
    assert (whole.totals.denied, whole.totals.allowed) == (part.totals.denied, part.totals.allowed)
    assert _told(whole) == _told(part)


def _told(report):
    return [
        (
            (one.code, one.count, one.first, one.last, [line.raw for line in one.evidence], one.recorded),
            [(call.count, call.first, call.last) for call in one.connections],
        )
        for one in report.problems
    ]


def test_a_span_without_evidence_says_so(tmp_path):
    """No window that ends before it begins, and the evidence's own span in words."""
    report = analyze([incident(tmp_path)], selection=Selection(since=moment(10**7)))
    (warning,) = report.warnings

    assert (report.window.since, report.window.until) == (None, None)
    assert report.totals.denied == 0
    assert warning.code == "nothing-selected"
    assert at(19)[:19].replace("T", " ") in warning.message


def test_a_misspelt_name_is_no_peace(tmp_path):
    """A selection that nothing meets is said, with its words; one that something meets is not."""
    folder = incident(tmp_path)
    (warning,) = analyze([folder], selection=Selection(namespaces=("shopp",))).warnings

    assert warning.code == "nothing-selected"
    assert "shopp" in warning.message
    assert "did you mean namespace shop?" in warning.message
    assert not analyze([folder], selection=Selection(namespaces=("shop",))).warnings


def test_refusals_that_a_selection_leaves_out_are_said(tmp_path):
    """A report of a part speaks of that part: refusals were read, and none of them was asked for."""
    folder = incident(tmp_path, records=record(0, verdict="FORWARDED") * 3 + refused())
    (warning,) = analyze([folder], selection=Selection(verdicts=("allowed",))).warnings

    assert warning.code == "no-refusal-selected"
    assert warning.message == "none of 10 refused records that were read matches --verdict allowed"
    quiet = incident(tmp_path, records=record(0, verdict="FORWARDED") * 3)
    assert not analyze([quiet], selection=Selection(verdicts=("allowed",))).warnings


def test_only_denied_leaves_allowed_unknown(tmp_path):
    """What was not read is null, the same refusals are found, and no one concludes from its absence."""
    folder = incident(tmp_path, records=record(0, verdict="FORWARDED") * 3 + refused())
    report = consistent(analyze([folder], evidence=EvidenceOptions(only_denied=True)))
    full = analyze([folder])

    assert (report.totals.allowed, report.buckets.counts.allowed) == (None, None)
    assert full.totals.allowed == 3
    assert [(p.code, p.count, p.fingerprint) for p in full.problems] == [
        (p.code, p.count, p.fingerprint) for p in report.problems
    ]


def test_state_kept_elsewhere_is_the_same_state(tmp_path):
    """``--state`` and state among the evidence give the same findings."""
    flows = write(tmp_path / "flows", flows_jsonl=refused())
    state = write(tmp_path / "state", state_json=listed(*OBJECTS))
    apart = analyze([flows], state=StateOptions(paths=(state,)))
    together = analyze([flows, state])

    assert apart.problems == together.problems
    assert apart.policies == together.policies
    assert apart.evidence.snapshot.source is not None


# --- what an allowed record proves -------------------------------------------------------------------

INGRESS = policy("data", "closed", {"podSelector": {}, "policyTypes": ["Ingress"]})
AT_DB = "".join(record(second, way="INGRESS") for second in range(1, 20, 2))
LEFT = "".join(record(second, way="EGRESS", verdict="FORWARDED") for second in range(0, 40, 2))
ARRIVED = "".join(record(second, way="INGRESS", verdict="FORWARDED") for second in range(60, 90, 2))


def closed_at_db(folder, records):
    objects = listed(*OBJECTS[:-1], INGRESS)
    return write(folder, state_json=objects, flows_jsonl=records)


def test_leaving_the_source_clears_no_refusal_at_the_destination(tmp_path):
    """Packets that went out after the last refusal say nothing of whether they arrived."""
    report = consistent(analyze([closed_at_db(tmp_path, AT_DB + LEFT)]))
    (problem,) = report.problems

    assert problem.direction == "ingress"
    assert problem.ongoing is True
    assert not [note for note in problem.notes if "allowed again" in note]


def test_arriving_clears_it(tmp_path):
    """The destination's own record of letting it in does."""
    (problem,) = analyze([closed_at_db(tmp_path, AT_DB + LEFT + ARRIVED)]).problems

    assert problem.ongoing is False
    assert [note for note in problem.notes if "allowed again" in note]


def test_explain_counts_what_got_through(tmp_path):
    """Observed: refused where it arrived is not allowed where it left."""
    folder = closed_at_db(tmp_path, AT_DB + LEFT + ARRIVED)
    result, _, _ = explain("shop/web", "data/db", 8080, "TCP", paths=[folder], state=StateOptions())

    assert result.observed is not None
    assert result.observed.denied == AT_DB.count("\n")
    assert result.observed.allowed == ARRIVED.count("\n")


def test_explain_counts_a_call_that_passed_once(tmp_path):
    """Both nodes tell of it, and of its answer: that is no reason to call it three, beside refusals that one node tells."""
    ways = ("EGRESS", "INGRESS")
    calls = "".join(record(second, verdict="FORWARDED", way=way) for second in (30, 31) for way in ways)
    answers = record(32, DB, WEB, 40000, verdict="FORWARDED", way="INGRESS", source_port=8080, is_reply=True)
    folder = incident(tmp_path, records=refused() + calls + answers)
    result, _, _ = explain("shop/web", "data/db", 8080, "TCP", paths=[folder], state=StateOptions())

    assert (result.observed.allowed, result.observed.denied) == (2, 10)


def test_explain_counts_answers_where_of_two_pods_nothing_else_was_recorded(tmp_path):
    """What was recorded of another replica's requests says nothing of this one's."""
    other = end("shop", "web-5d9c7b6f4-q8r7t", "10.0.0.6", "web")
    answers = "".join(
        record(second, DB, src, 40000, verdict="FORWARDED", way="INGRESS", source_port=8080, is_reply=True)
        for second, src in ((30, WEB), (31, other), (32, other))
    )
    call = record(30, verdict="FORWARDED")
    objects = [pod("shop", "web-5d9c7b6f4-q8r7t", "10.0.0.6", "web")]
    folder = incident(tmp_path, *objects, records=refused() + call + answers)
    result, _, _ = explain("shop/web", "data/db", 8080, "TCP", paths=[folder], state=StateOptions())

    assert result.observed.allowed == 3


def test_explain_agrees_with_the_report(tmp_path):
    """The same refusals, counted and timed the same."""
    folder = incident(tmp_path, records=refused() + record(3, dst=world(), port=443))
    (problem, *_) = analyze([folder]).problems
    result, _, _ = explain("shop/web", "data/db", 8080, "TCP", paths=[folder], state=StateOptions())

    connection = next(each for each in problem.connections if each.port == 8080)
    assert (connection.count, connection.first, connection.last) == (
        result.observed.denied,
        result.observed.denied_first,
        result.observed.denied_last,
    )
    assert result.allowed is False
    assert (WEB["end"]["namespace"], DB["end"]["namespace"]) == ("shop", "data")


def test_refused_records_without_a_time_are_said_to_be_left_out(tmp_path):
    """Of a span nobody knows whether they lie in it; without one they count, and of other ports nothing is said."""
    log = tmp_path / "node.log"
    log.write_text(
        "2026-03-17T14:03:13.850123456Z: shop/web-1:41022 (ID:19942) <> shop/db-1:5432 (ID:7399) Policy denied DROPPED (TCP Flags: SYN)\n"
        "shop/web-1:41023 (ID:19942) <> shop/db-1:5432 (ID:7399) Policy denied DROPPED (TCP Flags: SYN)\n"
        "shop/web-1:41024 (ID:19942) <> shop/db-1:5433 (ID:7399) Policy denied DROPPED (TCP Flags: SYN)\n"
    )

    def said(**selection):
        report = analyze([str(log)], selection=Selection(**selection))
        return report.totals.denied, [
            one.message for one in report.warnings if one.code == "undated-left-out"
        ]

    since = parse_rfc3339("2026-03-17T14:00:00Z")
    assert said() == (3, [])
    assert said(to_port=5432) == (2, [])
    assert said(since=since) == (
        1,
        [
            "2 refused records without a time are left out: nobody knows whether they lie in the span that is looked at"
        ],
    )
    assert said(since=since, to_port=5433) == (
        0,
        [
            "1 refused record without a time is left out: nobody knows whether it lies in the span that is looked at"
        ],
    )


def peer(namespace, pod, workload):
    """An end as a record names it."""
    return Peer(namespace=namespace, pod=pod, workload=WorkloadRef("Deployment", workload))


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (
            Selection(namespaces=("fronted",)),
            ["no namespace fronted is known; did you mean namespace frontend?"],
        ),
        (
            Selection(namespaces=("zzz",)),
            ["no namespace zzz is known; known are namespace backend, namespace frontend"],
        ),
        (
            Selection(from_pod="wbe-app"),
            ["no pod or workload wbe-app is known; did you mean frontend/web-app?"],
        ),
        (
            Selection(to_pod="frontend/user-api"),
            ["no pod or workload user-api is known in frontend; did you mean backend/user-api?"],
        ),
        (
            Selection(to_pod="backnd/user-api"),
            ["no namespace backnd is known; did you mean namespace backend?"],
        ),
        (Selection(protocol="tpc"), ["did you mean protocol TCP?"]),
        # What is known, and only was not seen, is spelt right; protocols without a name here may be meant.
        (Selection(namespaces=("frontend",), from_pod="web-app", to_pod="user", protocol="udp"), []),
        (Selection(protocol="GRE"), []),
    ],
)
def test_what_a_name_was_meant_for(selection, said):
    """Names of the records themselves are enough: no state is read here."""
    peers = [
        peer("frontend", "web-app-7d9f-x1", "web-app"),
        peer("backend", "user-api-5c6b-z9", "user-api"),
        Peer(ip="198.51.100.7"),
    ]

    assert said == list(misspelt(selection, peers, None))


@pytest.mark.parametrize("objects", [True, False])
def test_a_pod_whose_name_the_records_shorten_is_told_to_be_named_by_its_workload(objects):
    """Whisker names all pods of a template alike, so that one of them cannot be selected."""
    own = WEB["end"]["pod_name"]
    name = f"{own.rpartition('-')[0]}-*"
    peers = [Peer(namespace="shop", pod=name)]
    snapshot = build_snapshot([("state.json", listed(*OBJECTS).encode())])[0] if objects else None
    (said,) = misspelt(Selection(from_pod=f"shop/{own}"), peers, snapshot)

    assert said == f"the records shorten names of pods, this one's to shop/{name}" + (
        "; did you mean shop/web?" if objects else ""
    )


def test_logged_packets_that_a_verdict_leaves_out_are_no_peace(tmp_path):
    """Somebody who asks for what was denied is told that nobody knows it of these."""
    (tmp_path / "kern.log").write_text(
        "Mar  2 10:00:00 node-1 kernel: calico-packet: IN=cali43878a68a0a OUT=eth0 SRC=10.0.1.5 DST=192.0.2.10 LEN=60 "
        "TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40001 DPT=443 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )
    path = str(tmp_path / "kern.log")
    year = EvidenceOptions(year=2026)
    report = analyze([path], evidence=year, selection=Selection(verdicts=("denied",)))
    (warning,) = report.warnings

    assert headline(report) == "No denied traffic in what was selected"
    assert warning.code == "no-refusal-selected"
    assert warning.message == (
        "1 packet only logged, verdict unknown: it is left out by --verdict denied, and may have been refused (FD807); "
        "--verdict logged shows what is known"
    )
    shown = analyze([path], evidence=year, selection=Selection(verdicts=("logged",)))
    assert [one.code for one in shown.problems] == ["FD807"]


def test_names_that_only_a_hint_holds_are_left_out_of_a_redacted_report(tmp_path):
    """Where nothing was selected no other field of the report names them."""
    folder = incident(tmp_path)
    report = analyze([folder], selection=Selection(namespaces=("zzz",)))
    (told,) = [one.message for one in report.warnings]
    (message,) = [one.message for one in redact(report).warnings if one.code == "nothing-selected"]

    assert "known are namespace data, namespace shop" in told
    assert re.fullmatch(r"no flow matches --namespace \S+", message)


@pytest.mark.parametrize(
    ("since", "until", "lost"), [(None, None, [5, 7]), (7000, None, [7]), (None, 3000, [5]), (3640, 3650, [])]
)
def test_evidence_is_missing_where_it_was_asked_for(tmp_path, since, until, lost):
    """What an earlier day of a rotated export lost is nothing that today's report lacks."""

    def gap(second, number):
        told = {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": str(number)}
        return json.dumps({"lost_events": told, "node_name": "node-a", "time": at(second)}) + "\n"

    records = refused() + gap(30, 5) + record(7200) + gap(7260, 7)
    asked = Selection(since=since and moment(since), until=until and moment(until))

    found = analyze([write(tmp_path, flows_jsonl=records)], selection=asked)

    assert [one.lost for one in found.evidence.gaps] == lost


def test_a_node_that_is_gone_is_missing_from_then_on(tmp_path):
    """Hubble Relay says it once, and never when it ends."""
    status = {"state_change": "NODE_UNAVAILABLE", "node_names": ["node-b"]}
    line = json.dumps({"node_status": status, "node_name": "relay", "time": at(30)}) + "\n"
    records = refused() + line + record(7200)

    late = analyze([write(tmp_path, flows_jsonl=records)], selection=Selection(since=moment(7000)))
    early = analyze([write(tmp_path, flows_jsonl=records)], selection=Selection(until=moment(-4000)))

    assert [one.kind for one in late.evidence.gaps] == ["node-unavailable"]
    assert not early.evidence.gaps
