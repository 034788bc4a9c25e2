"""Real flows and policies that their reporters published: replayed, they come out as they did."""

import json
from pathlib import Path

import pytest
from msgspec import structs

from flowdiag.cluster import build_snapshot
from flowdiag.model.event import Verdict
from flowdiag.model.policy import Dialect
from flowdiag.parserkit import Block, ParseContext
from flowdiag.policy import compile_policies
from flowdiag_parsers.hubble.flow_json import HubbleJson
from flowdiag_parsers.hubble.observe_compact import HubbleCompact
from tests.policy.scenes import outside, pod, pod_end

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "cilium"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples beside the repository")


def state(name, pods, *, namespace=None):
    """The policies of a sample over these pods; a policy without a namespace is put into the given one."""
    text = (SAMPLES / name).read_text()
    if namespace is not None:
        text = text.replace("metadata:\n", f"metadata:\n  namespace: {namespace}\n", 1)
    found, _ = build_snapshot([(name, text.encode())])
    return compile_policies(structs.replace(found, pods=tuple(pods)), dialect=Dialect.CILIUM)


def flows(parser, name):
    data = (SAMPLES / name).read_bytes()
    return list(parser.parse(Block(data=data, last=True), ParseContext(input=name)))


def test_an_allow_that_names_its_policy():
    """The record is FORWARDED egress, allowed by foo/policy-log-demo, by its peer alone."""
    (flow,) = flows(HubbleJson(), "hubble-json-policy-log-allowed.json")
    (hit,) = flow.policies
    client = pod(hit.namespace, "client")
    found = state("hubble-json-policy-log-allowed.policy.yaml", [client], namespace=hit.namespace)

    decision = found.evaluate(pod_end(client), outside("192.0.2.1"), "TCP", 80)

    assert flow.verdict is Verdict.ALLOWED
    assert decision.egress.allowed is True
    ref = decision.egress.decided_by.policy
    assert (ref.kind, ref.group, ref.namespace, ref.name) == (
        hit.kind,
        hit.group,
        hit.namespace,
        hit.name,
    )


def test_a_denial_by_rule():
    """A pod of default that asks 1.1.1.1 is refused by default/deny-world, as egress_denied_by said."""
    client = pod("default", "client")
    found = state("hubble-json-deny-world.policy.yaml", [client])

    decision = found.evaluate(pod_end(client), outside("1.1.1.1"), "TCP", 80)

    assert decision.allowed is False
    assert decision.egress.decided_by.policy.name == "deny-world"
    assert decision.egress.decided_by.action == "deny"


def test_a_default_denial_in_text():
    """Every line is a refusal at ingress of the backend; both policies isolate it, one admits the frontend."""
    events = flows(HubbleCompact(), "compact-training-backend-deny.txt")
    ends = {(peer.namespace, peer.pod) for event in events for peer in (event.src, event.dst)}
    pods = {name: pod(space, name, {"app": name.rsplit("-", 2)[0]}) for space, name in sorted(ends)} | {
        "frontend": pod("default", "frontend", {"app": "frontend"})
    }
    found = state("compact-training-backend-deny.policy.yaml", pods.values())

    for event in events:
        decision = found.evaluate(
            pod_end(pods[event.src.pod]), pod_end(pods[event.dst.pod]), event.protocol, event.dst.port
        )
        assert event.verdict is Verdict.DENIED
        assert decision.allowed is False
        assert decision.egress.allowed is True
        assert [ref.name for ref in decision.ingress.isolated_by] == [
            "backend-allow-ingress-frontend",
            "backend-ingress-deny",
        ]
        (miss,) = decision.ingress.nearest[0].misses
        assert (miss.wanted, miss.found) == ("app=frontend", "app=not-frontend")
    backend = pods[events[0].dst.pod]
    assert found.evaluate(pod_end(pods["frontend"]), pod_end(backend), "TCP", 8080).allowed is True


def test_a_default_denial_carries_its_identities():
    """The record's labels are the identity: a policy over them selects, one over other labels does not."""
    (flow,) = flows(HubbleJson(), "hubble-json-policy-verdict-world.jsonl")
    client = pod(flow.src.namespace, flow.src.pod, {"name": "other"})
    end = structs.replace(pod_end(client), identity=flow.src.identity, identity_labels=flow.src.labels)
    world = structs.replace(outside(flow.dst.ip), identity=flow.dst.identity, identity_labels=flow.dst.labels)

    def verdict(selector, rule):
        spec = {"endpointSelector": {"matchLabels": selector}, "egress": [rule]}
        text = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNetworkPolicy",
            "metadata": {"name": "p", "namespace": flow.src.namespace},
            "spec": spec,
        }
        found, _ = build_snapshot([("p.json", json.dumps(text).encode())])
        made = compile_policies(structs.replace(found, pods=(client,)), dialect=Dialect.CILIUM)
        return made.evaluate(end, world, flow.protocol, flow.dst.port).allowed

    assert flow.verdict is Verdict.DENIED
    assert verdict({"name": "client"}, {}) is False
    assert verdict({"name": "other"}, {}) is True
    assert verdict({"k8s:io.cilium.k8s.namespace.labels.app.kubernetes.io/name": "cilium-cli"}, {}) is False
    assert verdict({"name": "client"}, {"toEntities": ["world-ipv4"]}) is True
    assert verdict({"name": "client"}, {"toEntities": ["world-ipv6"]}) is False


@pytest.mark.parametrize(
    ("name", "protocol", "port", "allowed"),
    [
        ("case-egressdeny-combined.yaml", "TCP", 1025, False),
        ("case-egressdeny-combined.yaml", "UDP", 1025, False),
        ("case-egressdeny-combined.yaml", "TCP", 1026, True),
        ("case-egressdeny-combined.yaml", "TCP", 80, False),
        ("case-enabledefaultdeny.yaml", "TCP", 80, True),
        ("case-service-port.yaml", "TCP", 80, False),
        ("case-service-port.yaml", "TCP", 8080, True),
        ("case-upstream-policy-test.yaml", "TCP", 80, None),
    ],
)
def test_reported_cases_towards_the_outside(name, protocol, port, allowed):
    """What their authors and maintainers said is meant."""
    client = pod("default", "client")
    found = state(name, [client])

    assert found.evaluate(pod_end(client), outside("192.0.2.1"), protocol, port).allowed is allowed


def test_reported_cases_inside():
    """A denied metadata address, an API server by ipBlock, and what an own namespace means."""
    client, other, dns = (
        pod("default", "client"),
        pod("else", "some-pod", {"app": "some-pod"}),
        pod("kube-system", "dns", {"k8s-app": "kube-dns"}),
    )
    mate = pod("default", "mate")
    server = pod("kube-system", "api", ip="10.137.17.30", host_network=True, node="n9")
    pods = [client, other, dns, mate, server]

    def verdict(name, src, dst, protocol, port):
        ends = [each if not hasattr(each, "host_network") else pod_end(each) for each in (src, dst)]
        return state(name, pods).evaluate(*ends, protocol, port).allowed

    metadata = outside("169.254.169.254")
    assert verdict("case-enabledefaultdeny.yaml", client, metadata, "TCP", 80) is False
    assert verdict("case-ipblock-apiserver.yaml", client, server, "TCP", 6443) is False
    upstream = "case-upstream-policy-test.yaml"
    assert verdict(upstream, client, mate, "TCP", 80) is True
    assert verdict(upstream, client, other, "TCP", 80) is False
    assert verdict(upstream, client, dns, "UDP", 53) is True
    assert verdict(upstream, client, dns, "TCP", 53) is False
    assert verdict(upstream, client, outside("1.1.1.1"), "TCP", 443) is True
