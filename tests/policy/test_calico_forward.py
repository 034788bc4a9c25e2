"""Calico policies on what host endpoints forward: unknown for pods, and said."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from flowdiag.policy.matrix import Matrix

STATE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: node-a, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: near, namespace: shop, labels: {app: near}}
spec: {nodeName: node-a, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.1.2}
---
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: shop, labels: {app: far}}
spec: {nodeName: node-b, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.2.1}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: node-a-eth0, labels: {host: edge}}
spec: {node: node-a, interfaceName: eth0, expectedIPs: [192.0.2.1], profiles: [projectcalico-default-allow]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: edge}
spec: {selector: host == 'SELECTED', types: [Ingress], applyOnForward: FORWARD, order: 1, ingress: [{action: Deny}]}
"""


def asker(selected="edge", forward="true"):
    text = STATE.replace("SELECTED", selected).replace("FORWARD", forward)
    snapshot, _ = build_snapshot([("state.yaml", text.encode())])
    return Asker(snapshot, compile_policies(snapshot, dialect=Dialect.CALICO))


def test_traffic_that_the_host_endpoint_forwards_to_a_pod_is_unknown():
    """The policy may refuse it on its way; that is not evaluated, and named."""
    answer = asker().ask("shop/far", "shop/web", "TCP", 80)

    assert answer.allowed is None
    assert "applyOnForward" in answer.error
    assert "edge" in answer.error


@pytest.mark.parametrize(
    ("src", "dst"), [("shop/near", "shop/web"), ("shop/web", "shop/far"), ("shop/web", "shop/near")]
)
def test_what_does_not_enter_by_the_host_endpoint_is_decided(src, dst):
    """Traffic on one node, and traffic that leaves while the policy is for what enters."""
    assert asker().ask(src, dst, "TCP", 80).allowed is True


@pytest.mark.parametrize(("selected", "forward"), [("other", "true"), ("edge", "false")])
def test_a_policy_that_concerns_no_forwarded_traffic_changes_nothing(selected, forward):
    """It must select a host endpoint, and apply on forward."""
    assert asker(selected, forward).ask("shop/far", "shop/web", "TCP", 80).allowed is True


@pytest.mark.parametrize("spec", ["namespaceSelector: all(), types: [Ingress]", "egress: [{action: Deny}]"])
def test_pods_alone_and_the_other_direction_are_no_forwarded_traffic(spec):
    """A namespaceSelector of all() leaves host endpoints out; without types a policy is for what it has rules for."""
    text = STATE.replace("SELECTED", "edge").replace("FORWARD", "true")
    text = text.replace("types: [Ingress]", spec).replace("ingress: [{action: Deny}]", "performanceHints: []")
    snapshot, _ = build_snapshot([("state.yaml", text.encode())])
    known = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.CALICO))

    assert known.ask("shop/far", "shop/web", "TCP", 80).allowed is True


def test_the_matrix_does_not_call_it_open():
    """Ports that may be refused on the way are not counted as open; others are."""
    known = asker()
    matrix = Matrix(known.snapshot, known.policies)

    assert matrix.between("shop/far", "shop/web") == {}
    assert "TCP" in matrix.between("shop/near", "shop/web")


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        (
            "preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{action: Deny, source: {nets: [0.0.0.0/0]}}]",
            None,
        ),
        ("doNotTrack: true, applyOnForward: true, types: [Ingress], ingress: [{action: Deny}]", None),
        # Nothing closes what these leave undecided, and they are for what they have rules for.
        (
            "preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{action: Allow, source: {nets: [192.0.2.0/24]}}]",
            True,
        ),
        ("doNotTrack: true, applyOnForward: true, types: [Egress], egress: [{action: Deny}]", True),
    ],
)
def test_a_denial_before_conntrack_or_nat_may_refuse_what_is_forwarded_to_a_pod(spec, allowed):
    """Such policies meet all that enters by the host endpoint, pods' traffic too."""
    head, _, _ = STATE.replace("FORWARD", "true").rpartition("spec: {selector: host == 'SELECTED'")
    text = head + "spec: {selector: host == 'edge', order: 1, " + spec + "}"
    snapshot, _ = build_snapshot([("state.yaml", text.encode())])
    known = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.CALICO))

    assert known.ask("203.0.113.9", "shop/web", "TCP", 80).allowed is allowed
    assert known.ask("shop/near", "shop/web", "TCP", 80).allowed is True


NODES = """
---
apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: node-b}
status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: NAME}
spec: {defaultEndpointToHostAction: ACTION}
"""


@pytest.mark.parametrize(
    ("name", "action", "allowed"),
    [
        *(("default", "Drop", None), ("node.node-a", "Drop", None)),
        *(("default", "Accept", True), ("default", "Return", True), ("node.node-b", "Drop", True)),
    ],
)
def test_a_pod_may_not_reach_its_own_node_where_felix_drops_it(name, action, allowed):
    """Behind the pod's own policies stands defaultEndpointToHostAction, for the node that it runs on and no other."""
    text = STATE.replace("SELECTED", "other").replace("FORWARD", "false")
    text += NODES.replace("NAME", name).replace("ACTION", action)
    snapshot, _ = build_snapshot([("state.yaml", text.encode())])
    known = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.CALICO))
    own = known.ask("shop/web", "node:node-a", "TCP", 9100)

    assert own.allowed is allowed
    assert ("defaultEndpointToHostAction" in (own.error or "")) is (allowed is None)
    assert known.ask("shop/web", "node:node-b", "TCP", 9100).allowed is True
    assert known.ask("shop/far", "node:node-a", "TCP", 9100).allowed is True


def test_an_action_for_one_node_goes_before_the_default():
    """FelixConfiguration node.NAME says otherwise for that node."""
    text = STATE.replace("SELECTED", "other").replace("FORWARD", "false")
    one = NODES.replace("NAME", "default").replace("ACTION", "Drop")
    other = NODES.rpartition("---")[2].replace("NAME", "node.node-a").replace("ACTION", "Accept")
    snapshot, _ = build_snapshot([("state.yaml", (text + one + "---" + other).encode())])
    known = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.CALICO))

    assert known.ask("shop/web", "node:node-a", "TCP", 9100).allowed is True
    assert known.ask("shop/far", "node:node-b", "TCP", 9100).allowed is None
