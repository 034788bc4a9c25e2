"""A Cilium sysdump gives a whole report with no option, and the agents' settings change what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.bundles.cilium_sysdump import BEGIN, STAMP, TAKEN, Sysdump, write_folder, write_zip
from flowdiag.analysis import StateOptions, analyze, explain
from flowdiag.analysis.records import detect_inputs
from flowdiag.cluster.endpoint_list import read_endpoint_list, sniff_endpoint_list
from flowdiag.model.time import rfc3339
from flowdiag.report.explain_view import render_explain
from flowdiag.report.protocol import Options

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "cilium"


@pytest.fixture(scope="module")
def dump():
    return Sysdump()


@pytest.fixture(scope="module", params=[write_zip, write_folder])
def report(request, dump, tmp_path_factory):
    return analyze([str(request.param(dump, tmp_path_factory.mktemp("dump")))])


def test_both_mistakes_are_named(report, dump):
    """A label in a NetworkPolicy, and a name's address that the agent did not bring into force in time."""
    found = {problem.code: problem for problem in report.problems}

    assert set(found) == {"FD201", "FD403"}
    assert found["FD201"].count == dump.recorder.refused["label"].count
    assert found["FD403"].count == dump.recorder.refused["fqdn"].count
    assert report.totals.denied == found["FD201"].count + found["FD403"].count
    assert report.totals.unattributed == 0
    assert "wants pod label app=webshop; the pods of shop/web have app=web" in found["FD201"].summary


def test_the_state_is_the_dumps(report):
    """Taken from the stamp; who enforces, the cluster's name and its policies are known."""
    assert report.evidence.snapshot.taken == rfc3339(TAKEN)
    assert (report.cluster.dialect, report.cluster.name) == ("cilium", "pay-eu")
    assert {(p.kind, p.name) for p in report.policies} >= {
        ("NetworkPolicy", "api-callers"),
        ("CiliumNetworkPolicy", "web-partner"),
    }


def test_nothing_of_a_dump_is_complained_of(report):
    """Tables, metrics, HTML, helm values, empty logs and what a bugtool holds are known and of no use."""
    assert report.warnings == ()
    assert report.complete


def test_agents_are_placed_on_their_nodes(report):
    """What an agent says names the node of its pod, and stands on the time axis."""
    texts = [entry.text for entry in report.timeline if entry.kind == "signal"]

    assert any(text.startswith("fqdn-update-timeout on node-a: ") for text in texts)
    assert any(text.startswith("policy-imported on node-b: ") for text in texts)
    assert [gap.lost for gap in report.evidence.gaps] == [17]


def test_a_message_that_explains_a_denial_is_named_by_the_problem(report):
    """The refusals to the partner come with what the agent of that node said just before."""
    problem = next(one for one in report.problems if one.code == "FD403")

    assert "The agent said at 2026-04-21 09:09:58 UTC: fqdn-update-timeout on node-a" in problem.summary


def test_endpoint_numbers_come_from_the_bugtool(dump, tmp_path):
    """L7 lines of the monitor name ends by number alone; the lists are in a tarball and in a folder."""
    for node in ("node-a", "node-b"):
        web, api = (dump.pods["web"], dump.pods["api"])
        local = web.endpoint if node == "node-a" else api.endpoint
        here = tmp_path / node
        here.mkdir()
        line = (
            f"-> Request http from {web.endpoint if node == 'node-a' else 0} ([k8s:app=web]) to "
            f"{local if node == 'node-b' else 0} ([k8s:app=api]), identity {web.identity}->{api.identity}, "
            "verdict Denied POST http://api.payments/admin => 403\n"
        )
        (here / f"monitor-{dump.agents[node].name}.txt").write_text(line)
        report = analyze([str(write_zip(dump, tmp_path)), str(here)])
        problem = next(one for one in report.problems if one.code == "FD504")
        end = problem.source if node == "node-a" else problem.destination

        assert end.pods == ({"node-a": web, "node-b": api}[node].name,) or end.name == (
            "web" if node == "node-a" else "api"
        )
        assert end.known_by == "record"


def test_endpoint_lists_in_both_forms(dump):
    """JSON names pods, a table their addresses; the same numbers come out."""
    by_json = read_endpoint_list(dump.endpoint_list("node-a"))
    by_table = read_endpoint_list(dump.endpoint_table("node-a"))

    assert [one.id for one in by_json] == [one.id for one in by_table]
    assert [one.ips for one in by_json] == [one.ips for one in by_table]
    assert {one.pod for one in by_json} == {
        f"{pod.namespace}/{pod.name}" for name, pod in dump.pods.items() if name in ("web", "coredns")
    }
    assert sniff_endpoint_list(dump.endpoint_list("node-a"))
    assert sniff_endpoint_list(dump.endpoint_table("node-a"))


@pytest.mark.parametrize("data", [b"", b"[", b'[{"id": "x"}]', b"[1, null, {}]", b"ENDPOINT\n", b"{}", b"]["])
def test_broken_endpoint_lists_give_nothing(data):
    """What is no list has no endpoints, and raises nothing."""
    assert read_endpoint_list(data) == []


@pytest.mark.usefixtures("never_endless")
@pytest.mark.parametrize("again", [b"\n", b" ", b"[ ", b'[{"id":1,"spec":{\n'])
def test_text_that_begins_like_a_list_time_and_again_is_given_up(again):
    """Of what is no list each beginning is looked at once, and not all of the rest from each of them."""
    assert not sniff_endpoint_list(again * (600_000 // len(again)) + b"x" * 20_001 + b'"options"')


def test_the_old_table(shared):
    """A table of 2018, with labels on lines of their own."""
    data = (shared / "samples" / "cilium" / "endpoint-list-old.txt").read_bytes()

    assert sniff_endpoint_list(data)
    assert [(one.id, one.namespace) for one in read_endpoint_list(data)] == [
        (3365, "default"),
        (11004, "default"),
        (29898, None),
    ]


# --- the agents' settings -------------------------------------------------------------------------------


def allowed(dump, tmp_path, src, dst, port):
    """What explain says with the dump as the only state."""
    folder = write_folder(dump, tmp_path)
    result, _, _ = explain(src, dst, port, "TCP", state=StateOptions(paths=(str(folder),)))
    return result.allowed


@pytest.mark.parametrize(("mode", "wanted"), [(None, False), ("nodes", True)])
def test_the_cidr_match_mode_decides_about_nodes(tmp_path, mode, wanted):
    """toCIDR over the nodes' range matches a node only where the agents are told so."""
    settings = {"policy-cidr-match-mode": mode} if mode else {}

    assert allowed(Sysdump(settings, flows=False), tmp_path, "shop/report", "node:node-a", 9100) is wanted


@pytest.mark.parametrize(("mode", "wanted"), [("default", True), ("always", False), ("never", True)])
def test_the_enforcement_mode_decides_where_no_policy_selects(tmp_path, mode, wanted):
    """`always` closes an endpoint that no policy selects; `never` opens all."""
    dump = Sysdump({"enable-policy": mode}, flows=False)

    assert allowed(dump, tmp_path, "kube-system/coredns", "shop/web", 8181) is wanted


def test_the_walk_does_not_call_selected_what_the_mode_alone_closes(tmp_path):
    """No policy selects the endpoint: the agent's mode refuses, and the walk says that."""
    folder = write_folder(Sysdump({"enable-policy": "always"}, flows=False), tmp_path)
    state = StateOptions(paths=(str(folder),))
    _, decision, _ = explain("kube-system/coredns", "shop/web", 8181, "TCP", state=state)

    told = [step.text for step in decision.ingress.walk if step.outcome == "tier-deny"]
    assert told == [
        "tier NetworkPolicy: denied: no policy selects it, and the agent's enable-policy is always"
    ]


def test_never_opens_what_policies_isolate(tmp_path):
    """With `enable-policy: never` nothing is refused, whatever policies are there."""
    dump = Sysdump({"enable-policy": "never"}, flows=False)

    assert allowed(dump, tmp_path, "shop/web", "payments/api", 8080) is True


@pytest.mark.parametrize(("value", "wanted"), [("true", "FD214"), ("false", "FD806")])
def test_the_default_cluster_decides_about_selectors_without_one(tmp_path, value, wanted):
    """A selector that names no cluster admits a peer of another one only where it means every cluster.

    Where it does, the replay allows what the record refuses, and says that they disagree.
    """
    dump = Sysdump({"policy-default-local-cluster": value}, flows=False)
    pod = dump.pods["web"]
    labels = [
        f"{label.rpartition('=')[0]}=pay-us" if "policy.cluster" in label else label
        for label in dump.labels(pod)
    ]
    dump.cilium(
        "CiliumNetworkPolicy",
        "payments",
        "api-web",
        {
            "endpointSelector": {"matchLabels": {"app": "api"}},
            "ingress": [
                {
                    "fromEndpoints": [
                        {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "shop", "app": "web"}}
                    ]
                }
            ],
        },
    )
    dump.recorder.deny("remote", BEGIN, pod, dump.pods["api"], _syn(), "INGRESS")
    for _, _, _, body in dump.recorder.records:
        body["flow"]["source"].update({"cluster_name": "pay-us", "labels": labels})
        body["flow"]["source"].pop("ID", None)
        body["flow"]["source"]["identity"] = (1 << 16) + 77_001
        body["flow"]["IP"]["source"] = "10.142.7.9"
    report = analyze([str(write_zip(dump, tmp_path))])

    assert [problem.code for problem in report.problems] == [wanted]


def _syn():
    return {"TCP": {"source_port": 40_112, "destination_port": 8080, "flags": {"SYN": True}}}


def test_audit_mode_is_said(tmp_path):
    """Where the agents only audit, policies refuse nothing: the report says so."""
    dump = Sysdump({"policy-audit-mode": "true"}, flows=False)
    dump.recorder.deny("audit", BEGIN, dump.pods["web"], dump.pods["api"], _syn(), "INGRESS")
    for _, _, _, body in dump.recorder.records:
        body["flow"]["verdict"] = "AUDIT"
    report = analyze([str(write_zip(dump, tmp_path))])

    assert (report.totals.denied, [one.code for one in report.problems]) == (0, ["FD505"])
    assert report.totals.audited >= 1
    assert "audit-mode" in {one.code for one in report.warnings}


@pytest.mark.parametrize(("setting", "wanted"), [("true", True), ("false", False)])
def test_audit_mode_lets_pass_what_policies_refuse(tmp_path, setting, wanted):
    """What would be refused passes, and the answer says that the policies would refuse it."""
    folder = write_folder(Sysdump({"policy-audit-mode": setting}, flows=False), tmp_path)
    options = StateOptions(paths=(str(folder),))
    result, answer, finding = explain("shop/web", "payments/api", 8080, "TCP", state=options)

    assert result.allowed is wanted
    assert [ref.name for ref in result.ingress.isolated_by]
    assert result.ingress.nearest
    assert bool(answer.ingress.notes) is wanted
    assert (finding is None) is wanted
    shown = render_explain(result, answer, Options(width=160), finding)
    assert ("policy-audit-mode" in shown) is wanted


# --- detection ------------------------------------------------------------------------------------------


def test_every_member_is_what_it_is(dump, tmp_path):
    """Flows and logs are evidence, lists are state, and nothing is unknown."""
    rows = {row["path"].rpartition("/")[2]: row for row in detect_inputs([str(write_zip(dump, tmp_path))])}
    unknown = {name for name, row in rows.items() if row["kind"] == "unknown"}
    state = {name for name, row in rows.items() if row["kind"] == "state"}

    assert unknown == set()
    assert state >= {
        f"k8s-pods-{STAMP}.yaml",
        f"ciliumidentities-{STAMP}.yaml",
        f"cilium-configmap-{STAMP}.yaml",
    }
    assert {row["parser"] for name, row in rows.items() if name.startswith("hubble-flows-")} == {
        "hubble-json"
    }
