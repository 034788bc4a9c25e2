"""Ports that are open between ends: one value for all pairs that are alike."""

from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from flowdiag.policy.matrix import Matrix
from flowdiag.policy.openness import CLOSED, OPEN, UNKNOWN, Openness
from flowdiag.policy.ports import PortSet
from flowdiag.policy.reach import openness
from tests.policy.scenes import net_policy, pod, pod_end, snapshot

EVERY = PortSet([(1, 65535)])
ALL = dict.fromkeys(("TCP", "UDP", "SCTP"), EVERY)


def test_what_passes_is_worked_out_once_for_pairs_that_meet_the_same_rules():
    """Pods whose labels differ are classes apart; what rules are about them is what counts for their ports."""
    pods = [pod("shop", f"p-{n}", {"app": f"a{n}"}, ip=f"10.0.0.{n}") for n in range(1, 9)]
    policies = [
        net_policy(
            "shop",
            "db",
            {
                "podSelector": {"matchLabels": {"app": "a1"}},
                "ingress": [
                    {"from": [{"podSelector": {"matchLabels": {"app": "a2"}}}], "ports": [{"port": 5432}]}
                ],
            },
        )
    ]
    state = snapshot(pods, policies)
    ends = [pod_end(one) for one in pods]
    compiled = compile_policies(state, dialect=Dialect.KUBERNETES)
    found = [openness(compiled, one, other) for one in ends for other in ends if one is not other]

    assert len({id(each) for each in found}) == 3
    assert openness(compiled, ends[1], ends[0]) == Openness({"TCP": PortSet.of(5432)})
    assert openness(compiled, ends[2], ends[0]) == Openness()
    assert openness(compiled, ends[0], ends[2]) == Openness(ALL)

    joined = Matrix(state, compiled).openness(ends[1:], [ends[0]])

    assert joined == Openness({"TCP": PortSet.of(5432)})


def test_ends_that_everybody_shares_remember_nobody():
    """They outlive every policy set, whose ends would be kept by them."""
    state = snapshot([pod("shop", "a", ip="10.0.0.1"), pod("shop", "b", ip="10.0.0.2")], [])
    compiled = compile_policies(state, dialect=Dialect.KUBERNETES)
    openness(compiled, *(pod_end(one) for one in state.pods))

    assert OPEN.met is CLOSED.met is UNKNOWN.met is None
    assert OPEN.meeting(OPEN) == Openness(ALL)
    assert OPEN.meeting(UNKNOWN) == UNKNOWN.meeting(OPEN) == Openness({}, ALL)
    assert UNKNOWN.meeting(CLOSED) == CLOSED.meeting(OPEN) == Openness()


def test_icmp_beside_a_port_leaves_the_port_apart():
    """An alternative without ports has none at which its answer changes: it hid those of the others."""
    rule = {
        "action": "Drop",
        "ports": [{"port": 80}],
        "protocols": [{"icmp": {}}],
        "from": [{"podSelector": {}}],
    }
    policy = net_policy(
        None,
        "p",
        {"priority": 5, "appliedTo": [{"podSelector": {}}], "ingress": [rule]},
        kind="ClusterNetworkPolicy",
        group="crd.antrea.io",
    )
    state = snapshot([pod("shop", "a", ip="10.0.0.1"), pod("shop", "b", ip="10.0.0.2")], [policy])
    compiled = compile_policies(state, dialect=Dialect.ANTREA)

    found = openness(compiled, *(pod_end(one) for one in state.pods))

    assert found.open["TCP"] == EVERY - PortSet.of(80)
    assert found.open["UDP"] == EVERY


def test_a_neighbouring_port_of_the_same_name_is_not_as_sure():
    """What another pod calls so may be meant by an egress rule of Cilium's, where the destination's own port is."""
    pods = [
        pod("shop", "a", {"app": "a"}, ip="10.0.0.1"),
        pod("shop", "b", ip="10.0.0.2", ports=[("http", 8080, "TCP")]),
        pod("shop", "c", ip="10.0.0.3", ports=[("http", 8081, "TCP")]),
    ]
    spec = {
        "endpointSelector": {"matchLabels": {"app": "a"}},
        "egress": [{"toEndpoints": [{}], "toPorts": [{"ports": [{"port": "http", "protocol": "TCP"}]}]}],
    }
    state = snapshot(pods, [net_policy("shop", "p", spec, kind="CiliumNetworkPolicy", group="cilium.io")])
    compiled = compile_policies(state, dialect=Dialect.CILIUM)

    found = openness(compiled, pod_end(pods[0]), pod_end(pods[1]))

    assert found == Openness({"TCP": PortSet.of(8080)}, {"TCP": PortSet.of(8081)})
