"""Whole incidents as they happen, told from the first record to the sentence that a reader acts on."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_cluster import CREATED, DB, OBJECTS, WEB, at, end, listed, pod, policy, record, write
from test_past_versions import audit

from flowdiag.analysis import EvidenceOptions, StateOptions, analyze, explain

LOCK = policy("data", "lock", {"podSelector": {}, "policyTypes": ["Ingress"]}, created=CREATED)


def arriving(seconds, src=WEB, dst=DB, **more):
    """Records of the destination's node."""
    return "".join(record(second, src, dst, way="INGRESS", **more) for second in seconds)


def reported(folder, *objects, **files):
    """The report of these objects beside the small cluster's pods and namespaces, and of these files."""
    return analyze([write(folder, state_json=listed(*OBJECTS[:-1], *objects), **files)])


def test_a_rollout_loses_the_label_that_a_rule_asks_for(tmp_path):
    """Pods of the old template passed; how late is said beside the rule, though no object remembers them."""
    rule = {"podSelector": {"matchLabels": {"tier": "front"}}, "namespaceSelector": {}}
    allow = policy(
        "data", "db", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [rule]}]}, CREATED
    )
    after = end("shop", "web-6c8d9f7b5-p9q8r", "10.0.0.6", "web", 1010)
    lines = arriving(range(20), verdict="FORWARDED") + arriving(range(30, 50), after)
    new = pod("shop", "web-6c8d9f7b5-p9q8r", "10.0.0.6", "web", created=at(25))
    (problem,) = reported(tmp_path, new, allow, flows_jsonl=lines).problems

    assert problem.code == "FD201"
    assert problem.notes[0] == "seen to pass before, as late as 2026-03-01 12:00:19 UTC"


def _request(second, method, verdict="DROPPED"):
    line = json.loads(record(second, way="INGRESS", verdict=verdict, source_port=41000 + int(second)))
    line["flow"] |= {
        "Type": "L7",
        "event_type": {"type": 129},
        "l7": {"type": "REQUEST", "http": {"method": method, "url": "http://db/api"}},
    }
    line["flow"].pop("drop_reason", None)
    line["flow"].pop("drop_reason_desc", None)
    return json.dumps(line) + "\n"


def test_what_a_proxy_refuses_is_not_cleared_by_the_connection_that_carries_it(tmp_path):
    """Connections and other requests pass after the last refused one: that one is refused as before."""
    web = {"matchLabels": {"app": "web", "k8s:io.kubernetes.pod.namespace": "shop"}}
    ports = [{"ports": [{"port": "8080", "protocol": "TCP"}], "rules": {"http": [{"method": "GET"}]}}]
    layer7 = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "l7", "namespace": "data", "creationTimestamp": CREATED, "generation": 1},
        "spec": {"endpointSelector": {}, "ingress": [{"fromEndpoints": [web], "toPorts": ports}]},
    }
    lines = ""
    for second in range(5):
        lines += arriving([second], verdict="REDIRECTED") + _request(second + 0.1, "POST")
    lines += arriving([70], verdict="REDIRECTED") + _request(70.1, "GET", "FORWARDED")
    (problem,) = reported(tmp_path, layer7, flows_jsonl=lines).problems
    asked = {"paths": [str(tmp_path)], "state": StateOptions()}
    observed = explain("shop/web", "data/db", 8080, "TCP", **asked)[0].observed

    assert problem.code == "FD504"
    assert [note for note in problem.notes if "pass" in note] == []
    assert (observed.denied, observed.requests) == (5, 5)


def test_explain_tells_of_audit_mode(tmp_path):
    """The policies refuse what passes: by audit mode, and not since nobody enforces them."""
    lines = arriving(range(4), verdict="AUDIT", event_type={"type": 5}, drop_reason=133)
    lines += arriving(range(4), verdict="FORWARDED")
    folder = write(tmp_path, state_json=listed(*OBJECTS[:-1], LOCK), flows_jsonl=lines)
    observed = explain("shop/web", "data/db", 8080, "TCP", paths=[folder], state=StateOptions())[0].observed

    assert (observed.audited, observed.denied) == (4, 0)
    assert "4 records would be denied (audit mode)" in observed.text


def outside(ip, identity=2, label="reserved:world"):
    """One end of a flow that the agent knows by a reserved word alone."""
    return {"ip": ip, "end": {"identity": identity, "labels": [label]}}


def service(ip):
    """The Service before `db`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db", "namespace": "data", "creationTimestamp": CREATED},
        "spec": {"clusterIP": ip, "selector": {"app": "db"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-a"},
    "spec": {"podCIDR": "10.0.0.0/16"},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.168.7.1"}]},
}
TO_DATA = {"podSelector": {}, "egress": [{"to": [{"namespaceSelector": {}}]}]}


def test_an_agent_that_did_not_know_a_pod_is_no_mistake_of_a_rule(tmp_path):
    """Identity 0 is left out of Hubble's JSON and stands as a label alone; the rule is for this very pod."""
    allow = policy(
        "data", "db", {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}, CREATED
    )
    stranger = {"ip": WEB["ip"], "end": {"labels": ["reserved:unknown"]}}
    (problem,) = reported(tmp_path, allow, flows_jsonl=arriving(range(5), stranger)).problems

    assert (problem.code, problem.source.name, problem.counterfactual) == ("FD603", "web", None)


def test_an_address_that_a_pod_had_once_is_opened_by_no_rule(tmp_path):
    """A caller that keeps addresses: 10.0.9.9 is of the pods' range, and the agent has it as the world."""
    lines = "".join(record(second, dst=outside("10.0.9.9")) for second in range(5))
    allow = policy("shop", "out", {**TO_DATA, "policyTypes": ["Egress"]}, CREATED)
    (problem,) = reported(tmp_path, NODE, allow, flows_jsonl=lines).problems

    assert (problem.code, problem.confidence, problem.counterfactual) == ("FD603", "likely", None)
    assert problem.title == "shop/web calls an address of the pods' range that no pod has, 10.0.9.9"


def test_an_end_outside_without_an_address_is_of_no_range(tmp_path):
    """Somebody took the addresses out of the records and left a word in their place."""
    lines = "".join(record(second, dst=outside("ip-7f3a")) for second in range(5))
    allow = policy("shop", "out", {**TO_DATA, "policyTypes": ["Egress"]}, CREATED)
    (problem,) = reported(tmp_path, NODE, allow, flows_jsonl=lines).problems

    assert (problem.source.name, problem.destination.ips) == ("web", ("ip-7f3a",))
    assert problem.code != "FD603"


def test_what_passes_a_node_between_two_ends_outside_asks_for_no_rule(tmp_path):
    """It was refused on its way to the same name as a pod's call, and both are one problem."""
    named = {"destination_names": ["cdn.example.net"], "way": "INGRESS"}
    calls = ((WEB, "203.0.113.7"), (outside("1.1.1.1"), "203.0.113.8"))
    lines = "".join(record(5, src, outside(dst), 443, **named) for src, dst in calls)
    lock = policy("shop", "lock", {"podSelector": {}, "policyTypes": ["Egress"]}, CREATED)
    problems = reported(tmp_path, lock, flows_jsonl=lines).problems

    assert [len(one.connections) for one in problems] == [2]


def test_a_service_that_was_not_translated_is_opened_by_no_rule_for_its_address(tmp_path):
    """Policies see the pods behind it once the agent knows the Service."""
    lines = "".join(record(second, dst=outside("10.96.0.50"), port=80) for second in range(5))
    allow = policy("shop", "out", {**TO_DATA, "policyTypes": ["Egress"]}, CREATED)
    (problem,) = reported(tmp_path, NODE, service("10.96.0.50"), allow, flows_jsonl=lines).problems

    assert (problem.code, problem.confidence, problem.counterfactual) == ("FD603", "likely", None)
    assert "Service data/db" in problem.advice


def test_a_node_that_hands_on_clients_with_its_address_of_the_pods_range_is_thought_of(tmp_path):
    """cilium#25650: the address is in no pod, and may be the node's own, with which NodePort clients arrive."""
    lock = policy("data", "db", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}, CREATED)
    behind = service("10.96.0.50")
    behind["spec"] |= {"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}]}
    flows = arriving(range(5), outside("10.0.9.9"))
    (problem,) = reported(tmp_path, NODE, behind, lock, flows_jsonl=flows).problems
    (plain,) = reported(tmp_path, NODE, service("10.96.0.50"), lock, flows_jsonl=flows).problems

    assert (problem.code, problem.counterfactual) == ("FD603", None)
    assert "kubectl get ciliumnode node-a" in problem.advice
    assert "clients of Service data/db" in problem.advice
    assert "ciliumnode" not in plain.advice


def packet(second, before="", host="node-a"):
    """A line of k3s' ulogd: a refused packet's first line names the policy, its second none."""
    return (
        f"Mar  1 12:00:{second:02} {host} {before} IN=cni0 OUT=veth1 MAC=aa:bb:cc:dd:ee:ff:11:22:33:44:55:66:08:00 "
        f"SRC={WEB['ip']} DST={DB['ip']} LEN=60 TOS=00 PREC=0x00 TTL=62 ID={second} DF PROTO=TCP SPT={41000 + second} "
        "DPT=8080 SEQ=1 ACK=0 WINDOW=64240 SYN URGP=0 MARK=0 \n"
    )


def test_a_year_that_was_given_is_not_called_inferred(tmp_path):
    """--year settles it, and nothing says that --year would."""
    lines = "".join(packet(second, "DROP by policy data/lock") + packet(second) for second in range(1, 9))
    folder = write(tmp_path, state_json=listed(*OBJECTS[:-1], LOCK), syslogemu_log=lines)
    report = analyze([folder], evidence=EvidenceOptions(year=2026))
    (problem,) = report.problems

    assert (problem.code, problem.confidence, problem.count) == ("FD101", "derived", 8)
    assert [note for note in problem.notes if "year" in note] == []
    assert not any(one.year_inferred for one in report.inputs)


def test_a_migration_leaves_open_who_logged_what_cannot_be_evaluated(tmp_path):
    """Calico's lines and Cilium's records of one node: that no policy logs would be wrong of a policy that may."""
    logging = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": "log-db", "creationTimestamp": CREATED},
        "spec": {"selector": "app == 'db'", "ingress": [{"action": "Log"}, {"action": "Deny"}]},
    }
    line = packet(5, "kernel: calico-packet:").replace(" MARK=0", "").replace("OUT=veth1", "OUT=calidb1")
    files = {"kern_log": line.replace("TOS=00", "TOS=0x00"), "flows_jsonl": arriving(range(20, 25))}
    report = reported(tmp_path, LOCK, logging, **files)
    texts = [one.message for one in report.warnings] + [one.summary for one in report.problems]

    assert [text for text in texts if "none of the policies at hand has a Log rule" in text] == []
    assert any("GlobalNetworkPolicy log-db cannot be evaluated" in text for text in texts)


TEAM = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}]}


def test_labels_of_a_namespace_that_no_object_names_are_unknown(tmp_path):
    """A caller of a namespace that the dump lacks, by a record without the namespace's labels: no miss of the rule."""
    ghost = end("ghost", "app-6c8d9f7b5-k2k2k", "10.0.0.77", "app", 1099)
    allow = policy("data", "db", TEAM, CREATED)
    (problem,) = reported(tmp_path, allow, flows_jsonl=arriving(range(5), ghost)).problems

    assert (problem.code, problem.confidence, problem.counterfactual) == ("FD101", "possible", None)
    assert [rule.misses for rule in problem.nearest] == [()]


def test_a_label_of_a_namespace_that_was_not_read_is_likely_at_best(tmp_path):
    """Pods and policies alone: that the namespace lacks the label is what the refusal suggests, and no more."""
    objects = [one for one in OBJECTS[:-1] if one["kind"] != "Namespace"]
    files = {"state_json": listed(*objects, policy("data", "db", TEAM, CREATED))}
    (problem,) = analyze([write(tmp_path, **files, flows_jsonl=arriving(range(5)))]).problems

    assert (problem.code, problem.confidence) == ("FD101", "likely")
    assert any("holds no namespaces" in note for note in problem.notes)


def test_both_ends_refuse_and_both_are_named(tmp_path):
    """No record tells of the destination, where nothing arrives: its policy is named, and the fix is for both ends."""
    closed = policy("shop", "out", {"podSelector": {}, "policyTypes": ["Egress"]}, CREATED)
    lines = "".join(record(second) for second in range(5))
    (problem,) = reported(tmp_path, closed, LOCK, flows_jsonl=lines).problems
    both = [text for text in problem.counterfactual.manifests if "kind: NetworkPolicy" in text]

    assert [ref.name for ref in problem.isolating] == ["out"]
    assert problem.notes[0] == (
        "The ingress side of data/db would refuse it, too: NetworkPolicy data/lock isolates it, and no rule there admits this."
    )
    assert (len(both), problem.counterfactual.proved) == (2, True)


def test_one_export_in_two_forms_is_said_to_count_twice(tmp_path):
    """JSON, and the text of the same records with milliseconds; another node's records are no copy."""
    lines = [record(second + 0.123456, source_port=41000 + second) for second in range(6)]
    text = "".join(
        f"2026-03-01T12:00:0{second}.123Z: shop/web-5d9c7b6f4-x2v4z:{41000 + second} (ID:1000) <> "
        "data/db-7f6b5c4d6-k8m2n:8080 (ID:1001) Policy denied DROPPED (TCP Flags: SYN)\n"
        for second in range(6)
    )
    closed = policy("shop", "out", {"podSelector": {}, "policyTypes": ["Egress"]}, CREATED)
    twice = reported(tmp_path / "a", closed, flows_jsonl="".join(lines), observe_txt=text)
    apart = reported(tmp_path / "b", closed, flows_jsonl="".join(lines), more_jsonl=arriving(range(6)))

    assert [one.code for one in twice.warnings] == ["told-twice"]
    assert [one.code for one in apart.warnings] == []


def test_exports_that_overlap_are_said_to_count_twice(tmp_path):
    """Yesterday's and today's, a few records in both; a node that saw the same connection wrote a record of its own."""
    lines = [record(second + 0.1234567, source_port=41000 + second) for second in range(20)]
    begun = record(12.7654321, port=9090)
    closed = policy("shop", "out", {"podSelector": {}, "policyTypes": ["Egress"]}, CREATED)
    old, new = [*lines[:14], begun], [*lines[10:12], begun, *lines[12:]]
    twice = reported(tmp_path / "a", closed, a_jsonl="".join(old), b_jsonl="".join(new))
    apart = reported(tmp_path / "b", closed, a_jsonl="".join(lines[:10]), b_jsonl="".join(lines[10:]))
    second = reported(tmp_path / "c", closed, a_jsonl=begun, b_jsonl=begun.replace("node-a", "node-b"))

    (told,) = twice.warnings
    assert (told.code, told.input.rpartition("/")[2], told.line) == ("told-twice", "b.jsonl", 3)
    assert "a.jsonl holds too, word for word" in told.message
    assert [*apart.warnings, *second.warnings] == []


def test_records_of_two_enforcers_are_told_apart_by_nobody(tmp_path):
    """A migration from Calico to Cilium, node by node: whose rules refuse where is said to be open."""
    flow = {
        "start_time": 1_772_366_400,
        "end_time": 1_772_366_415,
        "action": "deny",
        "reporter": "dst",
        "proto": "tcp",
    }
    flow |= {
        "source_name": "web-5d9c7b6f4-x2v4z",
        "source_namespace": "shop",
        "source_type": "wep",
        "source_ip": WEB["ip"],
    }
    flow |= {
        "dest_name": "db-7f6b5c4d6-k8m2n",
        "dest_namespace": "data",
        "dest_type": "wep",
        "dest_ip": DB["ip"],
    }
    flow |= {"dest_port": 8080, "num_flows": 1, "packets_in": 1, "bytes_in": 60}
    report = reported(tmp_path, LOCK, flows_log=json.dumps(flow) + "\n", flows_jsonl=arriving(range(20, 25)))

    assert report.cluster.cni == ("calico", "cilium")
    assert "several-enforcers" in [one.code for one in report.warnings]
    assert [one.code for one in report.problems] == ["FD101"]


def test_a_node_whose_clock_is_ahead_tells_of_a_policy_that_is_gone(tmp_path):
    """Its refusals stand five minutes late, after the deletion by the API server's clock: the policy is named with both."""
    place = {"name": "lock", "namespace": "data"}
    log = audit(-60, "create", **place, requestObject=LOCK, responseObject=LOCK)
    log += audit(60, "delete", **place, responseObject=LOCK)
    (problem,) = reported(tmp_path, audit_log=log, flows_jsonl=arriving(range(300, 310))).problems

    assert problem.code == "FD806"
    assert problem.notes[0] == (
        "NetworkPolicy data/lock refuses this on the ingress side of data/db, and was deleted at 2026-03-01 12:01:00 UTC, "
        "before these refusals: an agent lags behind, or a clock is wrong."
    )


def test_one_replica_of_two_is_refused_while_the_other_is_reached(tmp_path):
    """No moment parts what passes from what does not; that it is other pods is the hint."""
    second = end("data", "db-7f6b5c4d6-zzzzz", "10.0.1.9", "db", 1001)
    second["end"]["labels"].append("k8s:track=canary")
    closed = {"podSelector": {"matchLabels": {"track": "canary"}}, "policyTypes": ["Ingress"]}
    canary = pod("data", "db-7f6b5c4d6-zzzzz", "10.0.1.9", "db")
    canary["metadata"]["labels"]["track"] = "canary"
    lines = arriving(range(0, 20, 2), verdict="FORWARDED") + arriving(range(1, 21, 2), dst=second)
    (problem,) = reported(
        tmp_path, canary, policy("data", "canary", closed, CREATED), flows_jsonl=lines
    ).problems

    assert problem.code == "FD101"
    assert problem.notes[0] == "seen to pass in the same time as well, between other pods"


def test_a_name_is_reached_by_one_family_and_refused_by_the_other(tmp_path):
    """The same pod calls: what passes is at other addresses, and the rule is for one family, its exception aside."""
    rule = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}
    allow = policy("shop", "out", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}, CREATED)
    named = {"way": "EGRESS", "destination_names": ["api.example.com"], "node_name": "node-1"}
    four, six = outside("203.0.113.50"), outside("2001:db8::50", 10, "reserved:world-ipv6")
    lines = "".join(record(second, WEB, four, verdict="FORWARDED", **named) for second in range(0, 16, 2))
    lines += "".join(record(second, WEB, six, **named) for second in range(1, 19, 2))
    (problem,) = reported(tmp_path, allow, flows_jsonl=lines).problems

    assert problem.code == "FD101"
    assert problem.notes[0] == "seen to pass in the same time as well, at other addresses"
    assert problem.advice.startswith(
        "0.0.0.0/0 in NetworkPolicy shop/out egress[0].to[0] is every IPv4 address"
    )


def agents_of_two_nodes():
    """Cilium's pods on node-a and node-b."""
    agents = [
        pod("kube-system", f"cilium-{end}", f"192.0.2.{number}", "cilium")
        for number, end in ((1, "x7k2p"), (2, "9zvbn"))
    ]
    for agent, node in zip(agents, ("node-a", "node-b"), strict=True):
        agent["spec"] |= {"hostNetwork": True, "nodeName": node}
    return agents


@pytest.mark.parametrize(
    "place",
    ["cilium-x7k2p.log", "var/log/pods/kube-system_cilium-x7k2p_0f1e2d3c/cilium-agent/0.log", "agent.log"],
)
def test_an_agents_log_is_of_the_node_whose_pod_its_name_has(tmp_path, place):
    """As `kubectl logs` was sent to a file, or as it lies on the node; another name tells nothing, and nobody guesses."""
    web = {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}]}
    allow = policy("data", "db", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [web]}, CREATED)
    agents = agents_of_two_nodes()
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(
        'time="2026-03-01T11:59:55.1Z" level=info msg="Initializing daemon" subsys=daemon\n'
    )
    (problem,) = reported(tmp_path, allow, *agents, flows_jsonl=arriving(range(5, 25))).problems

    assert problem.code == ("FD806" if place == "agent.log" else "FD608")


def test_of_several_agents_in_one_file_each_line_is_of_its_node(tmp_path):
    """`kubectl logs --prefix` of a label names the pod before each line: another node's restart explains nothing here."""
    web = {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}]}
    allow = policy("data", "db", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [web]}, CREATED)
    agents = agents_of_two_nodes()
    said = 'time="2026-03-01T11:59:55.1Z" level=info msg="Initializing daemon" subsys=daemon\n'
    quiet = 'time="2026-03-01T11:59:55.1Z" level=info msg="Regenerating endpoint" subsys=endpoint\n'

    def code(folder, restarting, other):
        log = f"[pod/cilium-{restarting}/cilium-agent] {said}[pod/cilium-{other}/cilium-agent] {quiet}"
        folder.mkdir()
        files = {"flows_jsonl": arriving(range(5, 25)), "agents_log": log}
        return [one.code for one in reported(folder, allow, *agents, **files).problems]

    assert code(tmp_path / "here", "x7k2p", "9zvbn") == ["FD608"]
    assert code(tmp_path / "there", "9zvbn", "x7k2p") == ["FD806"]


def test_an_address_that_another_pod_took_over_is_two_callers(tmp_path):
    """Records of addresses alone: the first caller is gone from the state, and nobody says it was the second."""
    flow = {"Src IP": WEB["ip"], "Dest IP": DB["ip"], "Dest Port": 8080, "Proto": "TCP", "Verdict": "DENY"}
    lines = "".join(
        json.dumps(
            {
                "level": "info",
                "ts": at(second)[:23] + "Z",
                "msg": "Flow Info:  ",
                "Src Port": 41000 + second,
                **flow,
            }
        )
        + "\n"
        for second in (*range(5), *range(80, 85))
    )
    items = [one for one in OBJECTS[:-1] if one["metadata"]["name"] != "web-5d9c7b6f4-x2v4z"]
    items += [pod("shop", "loader-6d5c4b3a2-k2k2k", WEB["ip"], "loader", created=at(70))]
    closed = {"podSelector": {"matchLabels": {"app": "loader"}}, "policyTypes": ["Egress"]}
    items.append(policy("shop", "out", closed, CREATED))
    report = analyze([write(tmp_path, state_json=listed(*items), agent_log=lines)])
    first, second = sorted(report.problems, key=lambda one: one.first)

    assert [(one.source.kind, one.source.name, one.count) for one in (first, second)] == [
        ("unknown", WEB["ip"], 5),
        ("pod", "loader", 5),
    ]
    assert (first.confidence, second.confidence) == ("possible", "derived")
    assert "now shop/loader-6d5c4b3a2-k2k2k" in first.advice


def test_answers_after_conntrack_forgot_the_question_are_given_no_rule(tmp_path):
    """Nothing recorded the question; that packets without a SYN come from a server's port is what can be told."""
    closed = policy("shop", "in", {"podSelector": {}, "policyTypes": ["Ingress"]}, CREATED)
    flags = {"TCP": {"source_port": 8080, "destination_port": 41000, "flags": {"PSH": True, "ACK": True}}}
    (problem,) = reported(tmp_path, closed, flows_jsonl=arriving(range(5), DB, WEB, l4=flags)).problems

    assert (problem.code, problem.confidence, problem.counterfactual) == ("FD101", "likely", None)
    assert problem.advice.startswith("If these are answers of data/db from port 8080, add no rule")


def test_a_second_interface_is_an_address_to_policies(tmp_path):
    """Multus: the caller is a pod that a rule admits, by an address of which the CNI knows nothing."""
    status = [
        {"name": "cilium", "ips": [WEB["ip"]], "default": True},
        {"name": "shop/macvlan", "ips": ["192.168.50.7"]},
    ]
    caller = pod("shop", "web-5d9c7b6f4-x2v4z", WEB["ip"], "web")
    caller["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/network-status": json.dumps(status)}
    allow = policy(
        "data", "db", {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}, CREATED
    )
    items = [one for one in OBJECTS[:-1] if one["metadata"]["name"] != caller["metadata"]["name"]]
    lines = arriving(range(5), outside("192.168.50.7"))
    (problem,) = analyze(
        [write(tmp_path, state_json=listed(*items, caller, allow), flows_jsonl=lines)]
    ).problems

    assert problem.code == "FD101"
    assert problem.notes[0] == (
        "192.168.50.7 is pod shop/web-5d9c7b6f4-x2v4z's on a second network: policies see an address outside there, and "
        "neither the pod nor its labels."
    )
