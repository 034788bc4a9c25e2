"""Observed traffic under the old and the new policies, on the incidents' real exports."""

import json
from collections import Counter
from pathlib import Path

import pytest

from flowdiag.analysis.options import Selection, StateOptions
from flowdiag.analysis.whatif import Revision, whatif
from flowdiag.model.errors import InputError
from flowdiag.model.policy import PolicyRef

INCIDENTS = Path(__file__).resolve().parents[2] / "fixtures" / "incidents"
DENY = INCIDENTS / "default-deny-egress"
EXPORT = DENY / "hubble" / "events.jsonl"
ISOLATED = INCIDENTS / "ingress-other-namespace"
STATE = StateOptions(paths=(str(DENY / "cluster"),))

PROMO = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-content, namespace: frontend}
spec:
  podSelector: {matchLabels: {app: promo-banner}}
  policyTypes: [Egress]
  egress: [{to: [{ipBlock: {cidr: 198.51.100.80/32}}], ports: [{port: 443}]}]
"""


def records(protocol, port):
    """Requests to a port in the export, by source workload: a verdict and its drop once, replies aside."""
    counts, times = Counter(), {}
    for line in EXPORT.read_text().splitlines():
        flow = json.loads(line).get("flow", {})
        layer = flow.get("l4", {}).get(protocol, {})
        if layer.get("destination_port") != port or flow.get("is_reply"):
            continue
        name = flow["source"]["workloads"][0]["name"]
        # Hubble tells a drop twice: as the policy's verdict (type 5) and as the drop (type 1).
        if flow["verdict"] != "DROPPED" or flow["event_type"]["type"] == 1:
            counts[name] += 1
        times.setdefault(name, []).append(flow["time"])
    return counts, {name: (min(seen), max(seen)) for name, seen in times.items()}


@pytest.fixture(scope="module")
def without_dns():
    return whatif(
        Revision(delete=("NetworkPolicy/frontend/allow-dns-access",)), state=STATE, paths=[str(EXPORT)]
    )


def test_a_deleted_allowance_breaks_what_used_it(without_dns):
    """DNS of both workloads, each record once, with the first and last of them; nothing else."""
    counts, times = records("UDP", 53)
    flows = without_dns.result.flows

    assert set(counts) == {"web-app", "promo-banner"}
    assert {
        f"frontend/{name}": (count, *(time[:26] for time in times[name])) for name, count in counts.items()
    } == {one.src: (one.count, one.first[:26], one.last[:26]) for one in flows.newly_denied}
    assert {("kube-system/coredns", "UDP", 53)} == {
        (one.dst, one.protocol, one.port) for one in flows.newly_denied
    }
    assert flows.newly_allowed == ()
    assert flows.unknown == 0
    assert flows.unchanged > 0


def test_isolation_without_a_rule_names_the_isolating_policies(without_dns):
    """No rule decides a default deny, so the policies that isolate are told beside."""
    promo = next(one for one in without_dns.result.flows.newly_denied if one.src.endswith("promo-banner"))

    assert promo.decided_by is None
    assert without_dns.isolating[promo] == (
        PolicyRef("NetworkPolicy", "networking.k8s.io", "frontend", "default-deny"),
    )


def test_an_applied_allowance_opens_the_refused_connection(tmp_path):
    """What was refused and still is would pass; what passed in better days is not counted with it."""
    path = tmp_path / "promo.yaml"
    path.write_text(PROMO)
    answer = whatif(Revision(apply=(str(path),)), state=STATE, paths=[str(DENY)])
    flows = answer.result.flows
    (opened,) = flows.newly_allowed

    assert (
        opened.src,
        opened.dst,
        opened.protocol,
        opened.port,
        opened.count,
    ) == ("frontend/promo-banner", "content.example.net", "TCP", 443, 39)
    assert opened.first.startswith("2026-03-17T14:09:47.004965143")
    assert (
        opened.decided_by.name,
        opened.decided_by.rule,
        opened.decided_by.action,
    ) == ("allow-content", "egress[0]", "allow")
    assert flows.newly_denied == ()
    assert [(one.src, one.dst) for one in answer.result.connections] == [
        ("frontend/promo-banner", "198.51.100.80-198.51.100.80")
    ]


@pytest.mark.parametrize("incident", [DENY, ISOLATED], ids=lambda path: path.name)
def test_no_change_changes_nothing(incident):
    """The same state on both sides: every observed connection is as it was, and none is in doubt."""
    state = "cluster" if incident is DENY else "state"
    answer = whatif(
        Revision(to=(str(incident / state),)),
        state=StateOptions(paths=(str(incident / state),)),
        paths=[str(incident)],
    ).result

    assert answer.connections == ()
    assert answer.connections_v6 == ()
    assert answer.flows.newly_denied == ()
    assert answer.flows.newly_allowed == ()
    assert answer.flows.unknown == 0
    assert answer.flows.unchanged > 0


def test_labels_of_now_count_not_those_of_the_record(tmp_path):
    """Hubble records carry the labels of their time; a namespace that loses its label loses its allowance."""
    path = tmp_path / "ns.yaml"
    path.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
        "metadata: {name: allow-web-app-to-call-user-api, namespace: frontend}\n"
        "spec:\n  podSelector: {matchLabels: {app: web-app}}\n  policyTypes: [Egress]\n"
        "  egress: [{to: [{namespaceSelector: {matchLabels: {team: backend}}}], ports: [{port: 8080}]}]\n"
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: backend, labels: {team: other}}\n"
    )
    flows = whatif(Revision(apply=(str(path),)), state=STATE, paths=[str(EXPORT)]).result.flows

    assert [(one.src, one.dst, one.port) for one in flows.newly_denied] == [
        ("frontend/web-app", "backend/user-api", 8080)
    ]


def test_traffic_of_what_is_gone_is_unknown():
    """A workload that the new state does not have is neither refused nor admitted by policies."""
    flows = whatif(Revision(delete=("Deployment/frontend/web-app",)), state=STATE, paths=[str(EXPORT)]).result
    gone = {one.src for one in flows.connections if one.change == "removed"}

    assert "frontend/web-app" in gone
    assert flows.flows.newly_denied == ()
    assert flows.flows.unknown > 0


def test_a_selection_narrows_the_evidence():
    """Only the last minutes, only one port."""
    whole = records("UDP", 53)[0]["web-app"]
    flows = whatif(
        Revision(delete=("netpol/frontend/allow-dns-access",)),
        state=STATE,
        paths=[str(EXPORT)],
        selection=Selection(from_pod="frontend/web-app", to_port=53),
    ).result.flows

    assert [("frontend/web-app", whole)] == [(one.src, one.count) for one in flows.newly_denied]
    assert flows.unchanged == 0


def test_evidence_without_records_is_an_error():
    """A manifest among the paths is most likely a second file for --apply."""
    with pytest.raises(InputError, match="no records"):
        whatif(Revision(delete=("ns/frontend",)), state=STATE, paths=[str(DENY / "cluster")])


LOGGED = INCIDENTS / "calico-log-lines"


def test_what_a_log_rule_noted_fares_as_the_rules_behind_it_say():
    """The record has no verdict; the old policies hold the rule that wrote it, and those behind it, which refuse."""
    state = StateOptions(paths=(str(LOGGED / "cluster"),))
    revision = Revision(delete=("NetworkPolicy/payments/watch-api",))
    flows = whatif(revision, state=state, paths=[str(LOGGED / "kernel")]).result.flows

    assert flows.newly_denied == ()
    assert {(one.dst, one.port) for one in flows.newly_allowed} == {("payments/pay-api", 8080)}
    assert sum(one.count for one in flows.newly_allowed) == 320
    assert flows.unchanged > 0


def test_what_was_logged_by_no_rule_of_the_old_policies_is_unknown(tmp_path):
    """Those policies are not the ones that were in force, and whether it passed is not known."""
    names = ("pods", "namespaces", "services", "nodes", "networkpolicies")
    state = StateOptions(paths=tuple(str(LOGGED / "cluster" / f"{name}.json") for name in names))
    closed = tmp_path / "closed.yaml"
    closed.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: payments}\n"
        "spec: {podSelector: {matchLabels: {app: ledger}}, policyTypes: [Ingress]}\n"
    )
    found = whatif(Revision(apply=(str(closed),)), state=state, paths=[str(LOGGED / "kernel")]).result.flows

    assert (found.newly_denied, found.newly_allowed) == ((), ())
    assert found.unknown > 0
