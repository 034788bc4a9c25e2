"""A question about two workloads comes down to all pairs of their pods; one of these is shown with its walk."""

import json

import pytest
from msgspec.structs import replace

from flowdiag.analysis.ask import Asker
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import Service, ServicePort
from flowdiag.model.policy import Dialect
from flowdiag.policy import PolicySet, compile_policies
from tests.policy.scenes import net_policy, pod, snapshot

WEB, API = (WorkloadRef("Deployment", name) for name in ("web", "api"))


def asker(labels_of_last):
    clients = [pod("shop", f"web-{n}", {"app": "web"}, ip=f"10.0.0.{n}", workload=WEB) for n in (1, 2, 3)]
    servers = [pod("shop", f"api-{n}", {"app": "api"}, ip=f"10.0.1.{n}", workload=API) for n in (1, 2)]
    servers.append(pod("shop", "api-3", labels_of_last, ip="10.0.1.3", workload=API))
    policy = net_policy(
        "shop",
        "p",
        {
            "podSelector": {"matchLabels": {"guarded": "yes"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "cron"}}}]}],
        },
    )
    state = snapshot((*clients, *servers), [policy])
    return Asker(state, compile_policies(state, dialect=Dialect.KUBERNETES))


@pytest.mark.parametrize(
    ("labels", "allowed", "shown"), [({"app": "api"}, True, "api-1"), ({"guarded": "yes"}, None, "api-3")]
)
def test_one_pair_of_many_is_walked(labels, allowed, shown, monkeypatch):
    """The walk of hundreds of pods to hundreds took 20 s for one that was shown; the answer is what it was."""
    asked = asker(labels)
    walked = []
    evaluate = PolicySet.evaluate

    def counted(self, src, dst, *args, **more):
        if more.get("walk"):
            walked.append(dst.name)
        return evaluate(self, src, dst, *args, **more)

    plain = asked.ask("shop/web", "shop/api", "TCP", 8080)
    monkeypatch.setattr(PolicySet, "evaluate", counted)
    answer = asked.ask("shop/web", "shop/api", "TCP", 8080, walk=True)

    assert walked == [shown]
    assert len(answer.pairs) == 9
    assert (answer.allowed, answer.error) == (plain.allowed, plain.error) == (allowed, plain.error)
    assert answer.ingress.walk
    assert not plain.ingress.walk
    assert [pair.decision.allowed for pair in answer.pairs] == [pair.decision.allowed for pair in plain.pairs]


def networked(space, name, network, at):
    """A pod whose namespace has a primary network of its own, or one of the cluster's."""
    annotations = {}
    if network is not None:
        networks = {"default": {"role": "infrastructure-locked"}, f"{space}/{network}": {"role": "primary"}}
        annotations = {"k8s.ovn.org/pod-networks": json.dumps(networks)} if network else {}
    own = pod(space, name, {"app": name}, ip=at)
    return replace(own, annotations=annotations, own_ips=own.ips if network is not None else ())


@pytest.mark.parametrize(
    ("src", "dst", "closed", "allowed"),
    [
        ("shop", "blue", False, None),
        ("shop", "both", False, True),
        ("shop", "plain", False, None),
        ("plain", "blue", False, None),
        ("shop", "names", False, True),
        ("names", "blue", False, None),
        ("plain", "opened", False, True),
        ("shop", "nameless", False, True),
        ("nameless", "plain", False, True),
        ("shop", "blue", True, False),
    ],
)
def test_whether_a_packet_crosses_between_networks_no_policy_says(src, dst, closed, allowed):
    """Networks of other names are apart; one that several namespaces share is not, and the cluster's has DNS.

    A pod may open ports in the cluster's network.
    """
    networks = {"shop": "shared", "blue": "own", "both": "shared", "opened": "own", "nameless": ""}
    networks |= {"plain": None, "names": None}
    pods = [networked(space, "a", name, f"10.0.{n}.1") for n, (space, name) in enumerate(networks.items())]
    pods = [
        replace(
            one,
            annotations=one.annotations | {"k8s.ovn.org/open-default-ports": "- protocol: tcp\n  port: 80\n"},
        )
        if one.namespace == "opened"
        else one
        for one in pods
    ]
    policies = [net_policy(dst, "p", {"podSelector": {}})] if closed else []
    dns = Service(namespace="names", name="dns", ports=(ServicePort(None, "UDP", 53, 5353, None),))
    state = snapshot([*pods, networked("shop", "b", "shared", "10.0.0.2")], policies, services=(dns,))
    asked = Asker(state, compile_policies(state, dialect=Dialect.OVN))
    answer = asked.ask(f"{src}/a", f"{dst}/a", "TCP", 80)

    assert answer.allowed is allowed
    said = answer.error or ""
    assert ("shop/shared and blue/own are apart" in said) is (src == "shop" and dst == "blue" and not closed)
    assert ("in the network" in said) is ((allowed is None and "plain" in (src, dst)) or src == "names")
    assert asked.ask("shop/a", "shop/b", "TCP", 80).allowed is True
