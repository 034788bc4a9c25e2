"""Calico's evidence told twice, what logged lines come to, and what a report says where there is no denial."""

import json
import zipfile
from pathlib import Path

import pytest

from flowdiag.analysis import EvidenceOptions, Selection, StateOptions, analyze, explain
from flowdiag.parserkit import interface_name
from flowdiag.report.markdown import MarkdownReporter
from flowdiag.report.protocol import Options
from flowdiag.report.terminal import TerminalReporter

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"


@pytest.fixture(scope="module")
def lines():
    """The incident as the kernel's log shows it."""
    return analyze([str(INCIDENTS / "calico-log-lines")])


@pytest.fixture(scope="module")
def whisker():
    """The same as Whisker shows it."""
    return analyze([str(INCIDENTS / "calico-whisker")])


def end(one):
    return f"{one.namespace}/{one.name}"


def denied(report):
    return [problem for problem in report.problems if problem.verdict == "denied"]


def told(problem):
    """What makes two problems the same: code, cause, policies and connections."""
    return (
        problem.fingerprint,
        problem.code,
        problem.direction,
        problem.isolating,
        problem.summary,
        [(rule.name, rule.rule, rule.misses) for rule in problem.nearest],
        sorted((end(c.source), end(c.destination), c.protocol, c.port) for c in problem.connections),
    )


def test_twins_are_the_same_problems(lines, whisker):
    """Inferred from logged lines or recorded with a verdict: the same codes, policies and connections."""
    assert [told(one) for one in denied(lines)] == [told(one) for one in denied(whisker)]
    assert {problem.code for problem in denied(lines)} == {"FD103", "FD502"}


@pytest.mark.parametrize(
    ("verdicts", "counts"),
    [(("denied",), (544, 0)), (("allowed",), (0, 108)), (("logged",), (544, 108)), (("audited",), (0, 0))],
)
def test_an_inferred_verdict_is_selected_like_a_recorded_one(lines, verdicts, counts):
    """``--verdict denied`` keeps logged lines that come to a refusal; ``logged`` keeps all that were logged."""
    report = analyze([str(INCIDENTS / "calico-log-lines")], selection=Selection(verdicts=verdicts))

    assert (lines.totals.denied, lines.totals.allowed) == (544, 108)
    assert (report.totals.denied, report.totals.allowed) == counts


def test_explain_counts_what_the_logged_lines_come_to(lines):
    """What was seen between two ends includes lines whose verdict had to be inferred."""
    whole = str(INCIDENTS / "calico-log-lines")
    (problem, *_) = denied(lines)
    refused = problem.connections[0]
    result, _, _ = explain(
        end(refused.source),
        end(refused.destination),
        refused.port,
        "TCP",
        paths=[whole],
        state=StateOptions(),
    )

    assert result.allowed is False
    assert result.observed.denied == refused.count
    assert f"refused {refused.count:,} times" in result.observed.text


def test_explain_says_what_was_only_logged(tmp_path):
    """Without the Log rule no verdict can be inferred, and the lines are told all the same."""
    line = _line("10:00:00")
    (tmp_path / "kern.log").write_text(line * 3)
    objects = [_pod("api-1", "10.0.1.9", {"app": "api"}), _calico("p", [ALLOW])]
    (tmp_path / "objects.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    result, _, _ = explain(
        "198.51.100.7", "shop/api-1", 8080, "TCP", paths=[str(tmp_path)], state=StateOptions(dialect="calico")
    )

    assert (result.observed.denied, result.observed.logged) == (0, 3)
    assert "logged 3 times without a verdict" in result.observed.text


def test_inferred_refusals_say_so(lines):
    """They keep the line's prefix, name the rules they were inferred from, and are no surer than likely."""
    problems = denied(lines)

    assert problems
    for problem in problems:
        notes = "\n".join(problem.notes)
        assert problem.confidence == "likely"
        assert (problem.reason.name, problem.reason.raw) == ("inferred-from-policies", "calico-packet")
        assert "Logged, not recorded as refused; inferred from NetworkPolicy payments/" in notes
        assert "(log), then " in notes
        assert "connections: a SYN without an answer is sent again" in notes


def test_logged_and_allowed_lines_are_allowed_evidence(lines):
    """An Allow rule behind the Log rule: what was logged passed."""
    assert lines.totals.allowed == 108
    assert lines.totals.denied + lines.totals.allowed == lines.totals.flows
    assert not [problem for problem in lines.problems if problem.verdict == "logged"]


def test_recorded_refusals_are_not_marked(whisker):
    """A flow log has verdicts of its own."""
    assert not [note for problem in whisker.problems for note in problem.notes if "FD807" in note]
    assert {(hit.name, hit.rule) for problem in denied(whisker) for hit in problem.recorded} == {
        ("ledger-ingress", "2"),
        ("watch-api", "end-of-tier"),
    }


def test_staged_denials_stand_apart(whisker):
    """What a staged policy would deny passed: named with the staged policy, and in no denied total."""
    (problem,) = [problem for problem in whisker.problems if problem.verdict == "audited"]

    assert problem.code == "FD505"
    assert [(ref.kind, ref.name) for ref in problem.isolating] == [("StagedNetworkPolicy", "checkout-guard")]
    assert "Staged, not enforced: StagedNetworkPolicy shop/checkout-guard." in problem.summary
    assert whisker.totals.audited == problem.count


def test_repeated_records_without_a_packet_are_left_out(whisker):
    """A stale record is told, and counted nowhere (FD609)."""
    (entry,) = whisker.not_policy

    assert (entry.reason, entry.count) == ("stale-zero-packets", 1)
    assert "FD609" in entry.text


def test_policy_updates_of_several_nodes_are_one_change(lines):
    """Felix on two nodes hears of one new policy: one mark on the axis, not three."""
    names = [change.object.name for change in lines.changes if change.object.namespace == "payments"]

    assert sorted(names) == ["ledger-ingress", "watch-api"]


def test_component_logs_stand_on_the_time_axis(lines):
    """Felix' messages are signals; calico-node's own log holds no flow."""
    assert [one.flows for one in lines.inputs if one.parser == "calico-log"] == [0, 0]
    assert {entry.text.split(":")[0] for entry in lines.timeline if entry.kind == "signal"} >= {
        "dataplane-loop-summary",
        "endpoint-programmed",
    }


# --- without policies, without a Log rule, without a denial ---------------------------------------


def _copied(folder, *names):
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((INCIDENTS / "calico-log-lines" / name).read_bytes())
    return str(folder)


PODS = ("cluster/pods.json", "cluster/namespaces.json", "cluster/nodes.json")
KERNEL = ("kernel/node-a.json", "kernel/node-b.log")


def test_without_policies_a_logged_line_stays_one(tmp_path):
    """No verdict can be worked out: nothing is denied, the lines are shown, and the report says why."""
    report = analyze([_copied(tmp_path, *KERNEL)])

    assert (report.totals.denied, report.totals.allowed) == (0, 0)
    assert report.problems
    for problem in report.problems:
        assert (problem.code, problem.verdict, problem.severity) == ("FD807", "logged", "info")
        assert "no policies were read" in problem.summary
        assert (problem.isolating, problem.nearest) == ((), ())
    assert not [entry for entry in report.timeline if entry.kind.endswith("denial")]
    text = TerminalReporter().render(report, Options())
    assert "652 packets only logged, verdict unknown: no policies were read" in text
    assert "denial" not in text.replace("No denials", "").replace("no denial", "")


def test_policies_without_the_log_rule_accuse_nobody(tmp_path):
    """Policies that would not have written the line are not those that were in force."""
    names = (*KERNEL, *PODS, "cluster/networkpolicies.json", "cluster/calico-tiers.yaml")
    report = analyze([_copied(tmp_path, *names)])

    assert (report.totals.denied, report.totals.allowed) == (0, 0)
    assert {problem.code for problem in report.problems} == {"FD807"}
    assert "none of the policies at hand has a Log rule" in report.problems[0].summary


def test_only_denied_reads_logged_lines_and_counts_no_allowed():
    """What is inferred as allowed is no total where allowed traffic was left unread."""
    report = analyze([str(INCIDENTS / "calico-log-lines")], evidence=EvidenceOptions(only_denied=True))

    assert (report.totals.denied, report.totals.allowed) == (544, None)


def _pod(name, ip, labels, namespace="shop"):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"nodeName": "node-a", "containers": [{"name": "main"}]},
        "status": {"phase": "Running", "podIP": ip},
    }


def _calico(name, rules, created=None, **spec):
    meta = {"name": name, "namespace": "shop", "generation": 1}
    if created is not None:
        meta["creationTimestamp"] = created
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "NetworkPolicy",
        "metadata": meta,
        "spec": {"selector": "app == 'api'", "types": ["Ingress"], "ingress": rules, **spec},
    }


def _netpol(name, created, **spec):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop", "generation": 1, "creationTimestamp": created},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], **spec},
    }


def _line(clock, prefix="calico-packet: ", entered="eth0"):
    left = interface_name("shop", "api-1")
    return (
        f"2026-05-12T{clock}+00:00 node-a kernel: {prefix}IN={entered} OUT={left} MAC= SRC=198.51.100.7 DST=10.0.1.9 "
        "LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=1 DF PROTO=TCP SPT=40000 DPT=8080 WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    )


def _report(folder, text, *objects):
    (folder / "kern.log").write_text(text)
    items = [_pod("api-1", "10.0.1.9", {"app": "api"}), *objects]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    (folder / "objects.json").write_text(json.dumps(document))
    return analyze([str(folder)], state=StateOptions(dialect="calico"))


LOG, DENY, ALLOW = {"action": "Log"}, {"action": "Deny"}, {"action": "Allow"}


def test_allow_rule_before_the_log_rule_never_wrote_the_line(tmp_path):
    """An Allow rule that stands first ends the walk: whoever wrote the line, it was not this policy."""
    report = _report(tmp_path, _line("10:00:00"), _calico("p", [ALLOW, LOG, DENY]))

    (problem,) = report.problems
    assert (problem.code, report.totals.denied, report.totals.allowed) == ("FD807", 0, 0)


@pytest.mark.parametrize(
    ("prefix", "cni", "dialect", "asked"),
    [
        ("calico-packet: ", ("calico",), "calico", True),
        ("calico-drop: ", ("calico",), "calico", False),
        ("[UFW BLOCK] ", (), "kubernetes", False),
        ("mine: ", (), "kubernetes", False),
    ],
)
def test_calicos_own_prefix_tells_whose_cluster_it_is(tmp_path, prefix, cni, dialect, asked):
    """The kernel's log has everybody's lines, and NetworkPolicies alone do not say who enforces them.

    Nor do they hold the Log rule that wrote a line; where the line says no more, Calico's own policies are asked for.
    """
    (tmp_path / "kern.log").write_text(_line("10:00:00", prefix))
    items = [_pod("api-1", "10.0.1.9", {"app": "api"}), _netpol("p", "2026-05-12T09:00:00Z")]
    (tmp_path / "objects.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    report = analyze([str(tmp_path)])

    assert (report.cluster.cni, str(report.cluster.dialect)) == (cni, dialect)
    assert asked is any("calicoctl get networkpolicies" in one.message for one in report.warnings)


def test_what_was_only_logged_is_neither_mended_nor_refused_otherwise(tmp_path):
    """Whether any of it was refused is not known: no later policy mended it, and nothing else refused a part of it.

    Seconds after a change it is open which end's policy wrote the line, and later it is not.
    """
    deny = _netpol("default-deny", "2026-05-12T09:59:58Z")
    allow = _netpol("allow-all", "2026-05-12T10:10:00Z", ingress=[{}])
    lines = (
        _line(clock, entered=interface_name("shop", "web-1")).replace("198.51.100.7", "10.0.1.8")
        for clock in ("10:00:00", "10:05:00", "10:05:20")
    )
    report = _report(tmp_path, "".join(lines), _pod("web-1", "10.0.1.8", {"app": "web"}), deny, allow)

    (problem,) = report.problems
    assert (problem.code, problem.count, report.totals.denied) == ("FD807", 3, 0)
    assert problem.advice.startswith("Add the policies of that time")
    assert (problem.otherwise, [note for note in problem.notes if "refused" in note]) == ((), [])


def test_prefix_that_names_another_policy_is_not_this_one(tmp_path):
    """A template wrote the policy's name into the line; a policy of another name did not log it."""
    policy = _calico("guard", [LOG, DENY])
    named = _line("10:00:00", "calico-packet np:shop/guard: ")
    other = _line("10:00:00", "calico-packet np:shop/old: ")

    (found,) = _report(tmp_path, named, policy).problems
    assert (found.code, found.reason.raw) == ("FD502", "calico-packet np:shop/guard")
    (found,) = _report(tmp_path, other, policy).problems
    assert found.code == "FD807"


def test_call_of_a_pod_to_itself_has_perhaps_its_log_rule(tmp_path):
    """Policies do not say what they make of it, so that nobody can say that none of them has the rule."""
    line = _line("10:00:00", entered=interface_name("shop", "api-1")).replace("198.51.100.7", "10.0.1.9")
    (problem,) = _report(tmp_path, line, _calico("p", [LOG, DENY])).problems

    assert problem.code == "FD807"
    assert "which rule wrote this line is not known" in problem.summary


def test_policy_of_the_time_decides(tmp_path):
    """The same line before and after a policy: allowed by the old one's rules, refused by the new one's."""
    watch = _calico("watch", [LOG, ALLOW], created="2026-05-12T08:00:00Z", order=20)
    guard = _calico("guard", [DENY], created="2026-05-12T10:30:00Z", order=30)
    text = _line("10:00:00") + _line("11:00:00")

    report = _report(tmp_path, text, watch, guard)
    assert (report.totals.denied, report.totals.allowed) == (0, 2)

    lead = _calico("lead", [LOG, DENY], created="2026-05-12T10:30:00Z", order=10)
    report = _report(tmp_path, text, watch, lead)
    assert (report.totals.denied, report.totals.allowed) == (1, 1)


def test_nobody_knows_right_after_a_change(tmp_path):
    """Seconds after a change the dataplane may follow either policy: where they differ, nothing is said."""
    watch = _calico("watch", [LOG, ALLOW], created="2026-05-12T08:00:00Z", order=20)
    lead = _calico("lead", [LOG, DENY], created="2026-05-12T10:30:00Z", order=10)

    report = _report(tmp_path, _line("10:30:02"), watch, lead)

    (problem,) = report.problems
    assert problem.code == "FD807"
    assert "policies changed just before" in problem.summary


CALICO_NODE = """\
2024-11-01 13:30:55.077 [INFO][83] monitor-addresses/autodetection_methods.go 103: Using autodetected IPv4 address on interface eth0: 192.0.2.2/24
2024-11-01 13:31:32.770 [INFO][80] felix/summary.go 100: Summarising 11 dataplane reconciliation loops over 1m4.5s: avg=11ms longest=38ms ()
2024-11-01 13:31:55.083 [INFO][83] monitor-addresses/autodetection_methods.go 103: Using autodetected IPv4 address on interface eth0: 192.0.2.2/24
"""


def test_calico_nodes_own_log_holds_no_denial(tmp_path):
    """What people see first is read, and the report says plainly what it cannot hold and what to collect."""
    (tmp_path / "calico-node.log").write_text(CALICO_NODE)

    report = analyze([str(tmp_path / "calico-node.log")])

    assert (report.totals.records, report.totals.flows, report.problems, report.complete) == (3, 0, (), True)
    assert [entry.text.split(":")[0] for entry in report.timeline] == [
        "address-autodetected",
        "dataplane-loop-summary",
        "address-autodetected",
    ]
    advice = "\n".join(warning.message for warning in report.warnings if warning.code == "FD807")
    assert "holds no denial, and no record of traffic at all" in advice
    for command in (
        "svc/whisker",
        "journalctl -k -o json",
        "iptables-save -c",
        "-bpf counters dump",
        "kubectl get",
    ):
        assert command in advice
    for text in (
        TerminalReporter().render(report, Options(width=200)),
        MarkdownReporter().render(report, Options()),
    ):
        assert "No record of traffic was found" in text
        assert "holds no denial" in text
        assert "svc/whisker" in text


TRACE = """\
            curl-5288    [001] ..s2.  3055.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED  proto 6 src 10.0.1.5:40001 dest 10.0.2.9:8080
            ping-5290    [001] ..s2.  3056.982021: bpf_trace_printk: cali43878a68a0a-E: policy DENIED  proto 1 src 10.0.1.5:0 dest 192.0.2.8:8
"""


def test_what_an_ebpf_program_refused_is_a_problem_without_any_objects(tmp_path):
    """The program's word is final: the denial is told, and that only the policies would say more."""
    (tmp_path / "trace.txt").write_text(TRACE)

    report = analyze([str(tmp_path / "trace.txt")])

    (problem,) = report.problems
    assert (problem.code, problem.confidence, problem.count) == ("FD101", "possible", 2)
    assert report.totals.unattributed == 0
    text = TerminalReporter().render(report, Options(width=200))
    assert "8080/TCP" in text
    assert "ICMP 8" in text
    assert "None" not in text


def test_explain_counts_no_record_that_was_repeated_without_a_packet(tmp_path):
    """A flow log repeats an old denial for hours (FD609): the last refusal is the one that had packets."""
    record = {
        "start_time": "2026-05-12T09:00:00Z",
        "action": "Deny",
        "reporter": "Dst",
        "source_name": "web-1",
        "dest_name": "api-1",
        "source_namespace": "shop",
        "dest_namespace": "shop",
        "protocol": "tcp",
        "dest_port": 8080,
        "policies": {"enforced": [], "pending": []},
        "packets_in": 3,
        "packets_out": 0,
    }
    stale = record | {"start_time": "2026-05-12T11:00:00Z", "packets_in": 0}
    (tmp_path / "flows.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(stale)}\n")
    objects = [_pod("web-1", "10.0.1.5", {}), _pod("api-1", "10.0.1.9", {})]
    (tmp_path / "objects.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    result, _, _ = explain(
        "shop/web-1", "shop/api-1", 8080, "TCP", paths=[str(tmp_path)], state=StateOptions(dialect="calico")
    )

    assert (result.observed.denied, result.observed.denied_last) == (1, "2026-05-12T09:00:00.000000000Z")


def test_counters_of_refusals_are_not_called_nothing_and_not_asked_for_again(tmp_path):
    """Who brings counters reads that packets were refused, and what names them."""
    (tmp_path / "tables.txt").write_text(
        "*filter\n:cali-tw-cali43878a68a0a - [0:0]\n"
        '[7:420] -A cali-tw-cali43878a68a0a -m comment --comment "cali:ykjyQpE2NwkWpbTd" '
        '-m comment --comment "Drop if no policies passed packet" -j DROP\nCOMMIT\n'
    )
    report = analyze([str(tmp_path / "tables.txt")])

    advice = [warning.message for warning in report.warnings if warning.code == "FD807"]
    assert advice[0].startswith("packets were refused, by the counters")
    assert not [text for text in advice if "holds no denial" in text or "iptables-save" in text]
    assert [text for text in advice if "svc/whisker" in text]
    (counted,) = [one.message for one in report.warnings if one.code == "counted-refusals"]
    assert "7 packets refused" in counted


def test_several_logs_give_the_reason_first_and_then_the_commands(tmp_path):
    """Whatever the words begin with: the sentence that says why stands before what to collect."""
    for name in ("node-a.log", "node-b.log"):
        (tmp_path / name).write_text(CALICO_NODE)

    report = analyze([str(tmp_path)])

    (why, *commands) = [warning.message for warning in report.warnings if warning.code == "FD807"]
    assert why.startswith("none of 2 inputs holds a denial")
    assert "svc/whisker" in commands[0]
    text = TerminalReporter().render(report, Options(width=200))
    assert "why           none of 2 inputs" in text


def test_objects_at_hand_are_not_asked_for(tmp_path):
    """Where the cluster's objects were read, the advice leaves them out."""
    (tmp_path / "calico-node.log").write_text(CALICO_NODE)
    _copied(tmp_path, *PODS)

    advice = [one.message for one in analyze([str(tmp_path)]).warnings if one.code == "FD807"]

    assert advice
    assert not [text for text in advice if "state.yaml" in text]


def test_traffic_without_a_denial_needs_no_advice(tmp_path):
    """Flow records that were all allowed are an answer."""
    record = {
        "start_time": "2026-05-12T09:00:00Z",
        "action": "Allow",
        "reporter": "Dst",
        "source_name": "web-*",
        "dest_name": "api-*",
        "source_namespace": "shop",
        "dest_namespace": "shop",
        "protocol": "tcp",
        "dest_port": 8080,
        "policies": {"enforced": [], "pending": []},
    }
    (tmp_path / "flows.jsonl").write_text(json.dumps(record) + "\n")

    report = analyze([str(tmp_path / "flows.jsonl")])

    assert not [one for one in report.warnings if one.code == "FD807"]


# --- bundles ---------------------------------------------------------------------------------------

TABLES = "*filter\n:cali-FORWARD - [0:0]\nCOMMIT\n"
REFUSES = '-m comment --comment "cali:d" -m comment --comment "Drop if no policies passed packet" -j DROP'
RULESET = """\
table ip calico {{
\tchain filter-cali-pi-_abc {{
\t\tmeta mark set meta mark | 0x40000 counter packets 3 bytes 180 comment "cali:e; Policy shop/default.web ingress"
\t\tcounter packets 3 bytes 180 drop comment "cali:g;"
\t}}
\tchain filter-cali-fw-{interface} {{
\t\tcounter packets 7 bytes 420 drop comment "cali:j; Drop if no policies passed packet"
\t}}
}}
"""


def test_counters_of_what_felix_drops_beside_policies_say_so(tmp_path):
    """Tunnels of hosts that it does not know, and pods that it has not programmed yet."""
    saved = (
        "*filter\n:cali-INPUT - [0:0]\n"
        '[567:56700] -A cali-INPUT -p udp -m comment --comment "cali:b" -m comment --comment '
        '"Drop IPv4 VXLAN packets from non-allowed hosts" -m multiport --dports 4789 -j DROP\n'
        '[3:180] -A cali-from-wl-dispatch -m comment --comment "cali:d" -m comment --comment "Unknown interface" '
        "-j DROP\nCOMMIT\n"
    )
    (tmp_path / "iptables-save.txt").write_text(saved)
    told = [one.message for one in analyze([str(tmp_path)]).warnings if one.code == "counted-refusals"]

    assert [one.partition(": 5")[0].partition(": 3")[0] for one in told] == [
        "Drop IPv4 VXLAN packets from non-allowed hosts (no policy's: the sender is none of the nodes that Felix knows)",
        "Unknown interface (no policy's: a pod's interface that Felix has not programmed yet, or no more)",
    ]


def test_a_protocol_without_a_name_is_called_one(tmp_path):
    """The kernel prints IPIP by its number, which alone reads as a port."""
    line = (
        "2026-05-12T12:00:03.1+00:00 w2 kernel: calico-drop: IN=eth0 OUT= MAC=ee:ee SRC=192.0.2.99 DST=192.0.2.12 LEN=60 "
        "TOS=0x00 PREC=0x00 TTL=63 ID=5 DF PROTO=4 \n"
    )
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "w2"},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.12"}]},
    }
    (tmp_path / "kern.log").write_text(line)
    (tmp_path / "objects.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [node]}))
    (problem,) = analyze([str(tmp_path)]).problems

    assert problem.summary.startswith("node w2 dropped protocol 4 from 192.0.2.99")


def test_counters_of_a_dump_are_told_where_nothing_else_is(tmp_path):
    """Node diags hold no denial, but their rules have counted some: whose, which way, and why."""
    interface = interface_name("shop", "api-1")
    saved = f"*filter\n:cali-FORWARD - [0:0]\n[11:660] -A cali-tw-{interface} {REFUSES}\nCOMMIT\n"
    top = "diags-20260512_092500/diagnostics"
    files = {
        f"{top}/ipv4_tables": saved.encode(),
        f"{top}/ipv6_tables": TABLES.encode(),
        f"{top}/nft_ruleset": RULESET.format(interface=interface).encode(),
        f"{top}/logs/calico-node.log": CALICO_NODE.encode(),
        "objects.json": json.dumps(
            {"kind": "List", "apiVersion": "v1", "items": [_pod("api-1", "10.0.1.9", {})]}
        ),
    }
    report = analyze([_zipped(tmp_path / "diags.zip", files)])
    told = [
        (one.input.rpartition("/")[2], one.message)
        for one in report.warnings
        if one.code == "counted-refusals"
    ]

    by = "packets refused, by the dump's counters"
    assert told == [
        ("ipv4_tables", f"ingress of shop/api-1 ({interface}), Drop if no policies passed packet: 11 {by}"),
        ("nft_ruleset", f"policy shop/default.web ingress: 3 {by}"),
        ("nft_ruleset", f"egress of shop/api-1 ({interface}), Drop if no policies passed packet: 7 {by}"),
    ]
    assert report.complete
    assert report.totals.denied == 0


def _bundle(files):
    base = INCIDENTS / "calico-log-lines"
    return {name: (base / source).read_bytes() for name, source in files.items()}


def _zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(name, data)
    return str(path)


def _node_diags(node, log):
    """``calicoctl node diags``: files without an extension, and a copy of /var/log/calico."""
    top = f"diags-{node}-20260512_092500/diagnostics"
    return {
        f"{top}/hostname": f"{node}\n".encode(),
        f"{top}/date": b"Tue May 12 09:25:00 UTC 2026\n",
        f"{top}/ipv4_tables": TABLES.encode(),
        f"{top}/ipv6_tables": TABLES.encode(),
        f"{top}/ipv4_route": b"default via 10.30.0.1 dev eth0\n",
        f"{top}/logs/calico-node.log": log,
    }


def test_bundles_in_one_archive(lines, tmp_path):
    """Node diags, objects as calicoctl prints them and a cluster-info dump, zipped with the kernel's lines."""
    files = {
        **_node_diags("node-a", (INCIDENTS / "calico-log-lines/calico-node/node-a.log").read_bytes()),
        **_node_diags("node-b", (INCIDENTS / "calico-log-lines/calico-node/node-b.log").read_bytes()),
        **_bundle(
            {
                "calico/networkpolicies.yaml": "cluster/calico-networkpolicies.yaml",
                "calico/globalnetworkpolicies.yaml": "cluster/calico-globalnetworkpolicies.yaml",
                "calico/tiers.yaml": "cluster/calico-tiers.yaml",
                "kernel/node-a.json": "kernel/node-a.json",
                "kernel/node-b.log": "kernel/node-b.log",
                "dump/nodes.json": "cluster/nodes.json",
            }
        ),
    }
    # kubectl cluster-info dump writes a folder a namespace, and logs of a pod's containers between marks.
    objects = {
        kind: json.loads((INCIDENTS / f"calico-log-lines/cluster/{kind}.json").read_text())["items"]
        for kind in ("pods", "services")
    }
    for kind, items in objects.items():
        for namespace in sorted({item["metadata"]["namespace"] for item in items}):
            own = [item for item in items if item["metadata"]["namespace"] == namespace]
            listed = {"kind": f"{kind.title()[:-1]}List", "apiVersion": "v1", "items": own}
            files[f"dump/{namespace}/{kind}.json"] = json.dumps(listed).encode()
    marks = (
        "==== START logs for container calico-node of pod calico-system/calico-node-x2x4z ====\n",
        "==== END",
    )
    files["dump/calico-system/calico-node-x2x4z/logs.txt"] = (
        f"{marks[0]}{CALICO_NODE}{marks[1]}{marks[0][10:]}"
    ).encode()

    report = analyze([_zipped(tmp_path / "everything.zip", files)])

    assert [told(one) for one in denied(report)] == [told(one) for one in denied(lines)]
    assert (report.totals.denied, report.totals.allowed) == (lines.totals.denied, lines.totals.allowed)
    parsers = {one.path.rpartition("!")[2]: one.parser for one in report.inputs if one.parser is not None}
    assert sorted(set(parsers.values())) == ["calico-log", "calico-rules", "netfilter"]
    assert len(parsers) == 9
    assert not [one for one in report.warnings if one.code != "not-enforced"]
