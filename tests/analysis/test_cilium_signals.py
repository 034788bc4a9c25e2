"""Each state-and-time diagnosis of Cilium from flows and agents' logs, as files, to the report."""

from __future__ import annotations

import pytest

from fixtures.bundles.cilium_sysdump import BEGIN, NS, PARTNER, Sysdump, World, tcp, udp, write_zip
from flowdiag.analysis import analyze

WARNING = "level=warning"


@pytest.fixture
def dump():
    return Sysdump(flows=False)


@pytest.fixture
def problems(dump, tmp_path):
    """The report's problems, and its signals by the code of the problem that each explains.

    Whatever a problem quotes stands on the time axis under that problem's id.
    """

    def of():
        report = analyze([str(write_zip(dump, tmp_path))])
        codes = {problem.id: problem.code for problem in report.problems}
        marks = [entry for entry in report.timeline if entry.kind == "signal"]
        for problem in report.problems:
            _, said, quoted = problem.summary.partition("The agent said at ")
            if said:
                named = [mark.text for mark in marks if mark.problem == problem.id]
                assert any(text[:100].rstrip(".") in quoted for text in named)
        return {problem.code: problem for problem in report.problems}, {
            mark.text: codes.get(mark.problem) for mark in marks
        }

    return of


def open_api(dump):
    """Let web call api, so that what is refused is refused for another reason."""
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


def refuse(dump, *, at=BEGIN, src=None, flags=("SYN",), ports=(40_112, 8080), times=3, change=None):
    """Refusals of web by api at its ingress, one a second; `change` alters each flow record."""
    before = len(dump.recorder.records)
    for second in range(times):
        dump.recorder.deny(
            "it", at + second * NS, src or dump.pods["web"], dump.pods["api"], tcp(*ports, *flags), "INGRESS"
        )
    for _, _, _, body in dump.recorder.records[before:]:
        if change is not None:
            change(body["flow"])


def test_fd403_an_address_that_came_too_late(dump, problems):
    """The agent could not bring the answer's address into force in time, and says so."""
    web = dump.pods["web"]
    dump.answer(BEGIN - 2 * NS, web, dump.pods["coredns"], PARTNER, 30)
    dump.said("node-a", BEGIN - NS, WARNING, "Timed out waiting for datapath updates of FQDN IP information")
    dump.said("node-b", BEGIN - NS, WARNING, "Raise tofqdns-endpoint-max-ip-per-hostname to mitigate this")
    dump.recorder.syn_refused("it", BEGIN, web, PARTNER, 443, "EGRESS")
    found, signals = problems()

    assert set(found) == {"FD403"}
    assert "fqdn-update-timeout on node-a" in found["FD403"].summary
    assert "fqdn-limit" not in found["FD403"].summary
    assert {text.partition(" ")[0]: code for text, code in signals.items()} == {
        "fqdn-update-timeout": "FD403",
        "fqdn-limit": None,
    }


def test_fd404_the_dns_proxy_refuses_a_name(dump, problems):
    """A refused question, and the agent's own line about it."""
    web, dns = dump.pods["web"], dump.pods["coredns"]
    dump.recorder.record(
        BEGIN,
        web.node,
        web,
        dns,
        udp(40_200, 53),
        "DROPPED",
        direction="EGRESS",
        event=(129, 0),
        is_reply=False,
        Type="L7",
        l7={"type": "REQUEST", "dns": {"query": "ads.example.net.shop.svc.cluster.local.", "qtypes": ["A"]}},
    )
    dump.said("node-a", BEGIN + 100_000, "level=debug", "Rejecting DNS query from endpoint due to error")
    found, signals = problems()

    assert set(found) == {"FD404"}
    assert "ads.example.net.shop.svc.cluster.local" in found["FD404"].summary
    assert "dns-proxy-refused on node-a" in found["FD404"].summary
    assert list(signals.values()) == ["FD404"]


def test_fd405_names_without_lookups_seen(dump, problems):
    """toFQDNs, and no rule that sends lookups through the proxy."""
    dump.cilium(
        "CiliumNetworkPolicy",
        "payments",
        "api-names",
        {
            "endpointSelector": {"matchLabels": {"app": "api"}},
            "egress": [{"toFQDNs": [{"matchName": "hooks.example.org"}]}],
        },
    )
    world = World("203.0.113.77")
    dump.said(
        "node-b",
        BEGIN - 20 * NS,
        "level=info",
        "Upserted policy to repository",
        "resource=cnp/payments/api-names policyRevision=41",
    )
    dump.recorder.syn_refused("it", BEGIN, dump.pods["api"], world, 443, "EGRESS")
    found, signals = problems()

    assert set(found) == {"FD405"}
    assert "api-names" in found["FD405"].summary
    assert "policy-imported on node-b: Upserted policy to repository resource=cnp/payments/api-names" in (
        found["FD405"].summary
    )
    assert list(signals.values()) == ["FD405"]


def test_fd601_the_first_seconds_of_a_pod(dump, problems):
    """Refused four seconds after the caller started, allowed from the tenth on."""
    open_api(dump)
    young = dump.pod(
        "shop", "web-canary", dump.pods["web"].node, labels={"app": "web"}, created=BEGIN - 4 * NS
    )
    refuse(dump, src=young)
    dump.recorder.connection(BEGIN + 10 * NS, young, dump.pods["api"], 8080)
    dump.said(
        "node-b", BEGIN - 3 * NS, "level=info", "Identity of endpoint changed", "endpointID=157 identity=5"
    )
    found, signals = problems()

    assert set(found) == {"FD601"}
    assert found["FD601"].count == 3
    assert "was allowed later" in found["FD601"].summary
    assert "identity-changed on node-b: Identity of endpoint changed endpointID=157" in found["FD601"].summary
    assert list(signals.values()) == ["FD601"]


def test_fd602_replies_judged_as_new(dump, problems):
    """Answers of an allowed connection refused after the agent lost its connections."""
    open_api(dump)
    web, api = dump.pods["web"], dump.pods["api"]
    dump.recorder.connection(BEGIN - 60 * NS, web, api, 8080)
    dump.said("node-a", BEGIN - 5 * NS, WARNING, "conntrack table full", "map=cilium_ct4_global")
    for second in range(3):
        dump.recorder.deny("it", BEGIN + second * NS, api, web, tcp(8080, 40_112, "ACK", "PSH"), "INGRESS")
    found, signals = problems()

    assert set(found) == {"FD602"}
    assert "conntrack-full on node-a" in found["FD602"].summary
    assert list(signals.values()) == ["FD602"]


def as_world(flow):
    flow["source"] = {"identity": 2, "labels": ["reserved:world"]}


def test_fd603_a_pod_taken_for_the_world(dump, problems):
    """The address is a pod's for weeks, the record says world, and the agent lost an identity."""
    open_api(dump)
    refuse(dump, change=as_world)
    dump.said("node-b", BEGIN - 30 * NS, WARNING, "Error changing endpoint identity", 'error="timed out"')
    found, signals = problems()
    problem = found["FD603"]

    assert set(found) == {"FD603"}
    assert f"was pod shop/{dump.pods['web'].name} at that time" in problem.summary
    assert "as world" in problem.summary
    assert "identity-allocation-failed on node-b" in problem.summary
    assert list(signals.values()) == ["FD603"]


def test_fd603_a_number_that_means_another_pod(dump, problems):
    """The record has a number alone; the CiliumIdentity of that number is another namespace's."""
    open_api(dump)
    other = dump.pods["coredns"].identity
    refuse(dump, change=lambda flow: flow.update(source={"identity": other}))
    found, _ = problems()

    assert set(found) == {"FD603"}
    assert "with the identity of namespace kube-system" in found["FD603"].summary


def test_fd603_another_workload_of_the_same_namespace(dump, problems):
    """Labels of the number contradict the pod's: likely at most, as labels can change."""
    open_api(dump)
    other = dump.pods["report"].identity
    refuse(dump, change=lambda flow: flow.update(source={"identity": other}))
    found, _ = problems()

    assert set(found) == {"FD603"}
    assert found["FD603"].confidence == "likely"
    assert "labelled app=report, while the pod has app=web" in found["FD603"].summary


def test_the_right_number_is_no_contradiction(dump, problems):
    """The pod's own number resolves to its own labels: a refusal is a policy's then."""
    own = dump.pods["web"].identity
    refuse(dump, change=lambda flow: flow.update(source={"identity": own}))
    found, _ = problems()

    assert set(found) == {"FD201"}
    assert found["FD201"].source.name == "web"


def test_fd604_a_full_policy_map(dump, problems):
    """The policies allow it; the endpoint's map could not take the entry."""
    open_api(dump)
    dump.said(
        "node-b",
        BEGIN - 40 * NS,
        "level=error",
        "Failed to add PolicyMap key",
        'endpointID=61 error="Unable to update element for cilium_policy_00061 map: the map is full, please '
        'consider resizing it. argument list too long"',
    )
    refuse(dump)
    found, signals = problems()

    assert set(found) == {"FD604"}
    assert "policy-map-full on node-b: Failed to add PolicyMap key" in found["FD604"].summary
    assert list(signals.values()) == ["FD604"]


def test_another_nodes_full_map_explains_nothing(dump, problems):
    """Its endpoints are others."""
    open_api(dump)
    dump.said("node-a", BEGIN - 40 * NS, "level=error", "syncPolicyMap failed", "endpointID=61")
    refuse(dump)
    found, signals = problems()

    assert "FD604" not in found
    assert list(signals.values()) == [None]


def test_fd605_a_pod_that_cilium_does_not_manage(dump, problems):
    """The record gives the reserved identity 3."""
    refuse(dump, change=lambda flow: flow.update(source={"identity": 3, "labels": ["reserved:unmanaged"]}))
    dump.said("node-b", BEGIN - 900 * NS, "level=info", "Daemon initialization completed", "bootstrapTime=4s")
    found, signals = problems()

    assert set(found) == {"FD605"}
    assert "agent-started on node-b" in found["FD605"].summary
    assert list(signals.values()) == ["FD605"]


def test_fd608_the_window_of_a_restart(dump, problems):
    """Refused for some seconds after the node's agent started, though policies allow it."""
    open_api(dump)
    dump.said("node-b", BEGIN - 6 * NS, "level=info", "Daemon initialization completed", "bootstrapTime=4.8s")
    refuse(dump)
    found, signals = problems()

    assert set(found) == {"FD608"}
    assert "The agent on " in found["FD608"].summary
    assert "node-b started at 2026-04-21 09:09:54 UTC" in found["FD608"].summary
    assert {text.partition(":")[0]: code for text, code in signals.items()} == {
        "agent-started on node-b": "FD608"
    }
