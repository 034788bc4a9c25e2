"""What a baseline denies, a NetworkPolicy opens: proposed where nothing closes that the baseline lets pass."""

import json
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from brute_force import listed, opened
from diagnosis_cases import build_case, objects

from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.diagnose.proposals import propose
from flowdiag.diagnose.proposals.proof import Ends
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies
from flowdiag.policy.ends import pod_endpoint
from tests.read_yaml import read_yaml

STATE = {
    "namespaces": {"shop": {}, "data": {}},
    "nodes": {"n1": {"ip": "192.168.0.1"}, "n2": {"ip": "192.168.0.2"}},
    "pods": {
        "shop/web-1": {"ip": "10.0.1.1", "node": "n1"},
        "shop/cron-1": {"ip": "10.0.1.2", "node": "n1"},
        "data/redis-0": {"ip": "10.0.2.1", "node": "n2"},
    },
}
EVERYTHING = [{"namespaces": {}}, {"networks": ["0.0.0.0/0"]}]
FLOW = {"from": "shop/web-1", "to": "data/redis-0", "port": "6379/TCP"}


def acnp(**rules):
    """Antrea's own kind in its baseline tier; rules without peers mean everybody."""
    spec = {"tier": "baseline", "priority": 5, "appliedTo": [{"namespaceSelector": {}}], **rules}
    return {"AntreaClusterNetworkPolicy all": spec}


def banp(**rules):
    """The upstream kind."""
    return {"BaselineAdminNetworkPolicy default": {"subject": {"namespaces": {}}, **rules}}


def proposed(policies, dialect, flow=FLOW, **more):
    """The case, its policies, what they are once the proposal is applied, and the proposal."""
    spec = {"state": {**STATE, "policies": policies}, "flow": {**flow, **more}, "dialect": dialect}
    case = build_case(spec)
    before = compile_policies(case.context.snapshot, dialect=Dialect(dialect))
    ends = Ends.of(case.context.snapshot, [case.flow.src, case.flow.dst])
    found = propose(case, before, ends)
    if found is None:
        return case, before, None, None
    mend = found.for_all(())
    items = [*objects(spec["state"]), *(read_yaml(text) for text in mend.manifests)]
    snapshot, _ = build_snapshot([("s.json", json.dumps({"kind": "List", "items": items}).encode())])
    after = compile_policies(snapshot, dialect=Dialect(dialect))
    assert after.evaluate(case.flow.src, case.flow.dst, case.protocol, case.port).allowed is True
    assert opened(case, before, after, ends) == listed(mend, before, after)
    return case, before, after, mend


DROP = {"action": "Drop"}
DENY = {"action": "Deny"}


@pytest.mark.parametrize(
    ("policies", "dialect", "direction", "summary"),
    [
        (acnp(ingress=[DROP]), "antrea", "ingress", "Add NetworkPolicy data/allow-redis-from-web"),
        (acnp(egress=[DROP]), "antrea", "egress", "Add NetworkPolicy shop/allow-web-to-redis"),
        (
            acnp(egress=[DROP], ingress=[DROP]),
            "antrea",
            "egress",
            "Add NetworkPolicy shop/allow-web-to-redis",
        ),
        (
            banp(egress=[{**DENY, "to": EVERYTHING}]),
            "ovn",
            "egress",
            "Add NetworkPolicy shop/allow-web-to-redis",
        ),
    ],
)
def test_a_default_that_denies_everything_is_opened_by_a_policy(policies, dialect, direction, summary):
    """It holds as long as no policy selects the pod, and a new one takes nothing from anybody."""
    case, *_, found = proposed(policies, dialect, direction=direction)

    assert case.denied_by_rule
    assert found is not None
    assert found.summary.startswith(summary)
    assert found.proved


def test_a_baseline_of_aws_is_opened_likewise():
    """It has a kind of its own."""
    rule = {"action": "Deny", "to": EVERYTHING}
    spec = {"tier": "Baseline", "priority": 5, "subject": {"namespaces": {}}, "egress": [rule]}
    _, _, _, found = proposed({"AwsClusterNetworkPolicy all": spec}, "aws", direction="egress")

    assert found.summary.startswith("Add NetworkPolicy shop/allow-web-to-redis")


@pytest.mark.parametrize(
    ("policies", "dialect", "direction"),
    [
        # Others reach it today, and would not once a policy isolates it.
        (banp(ingress=[{**DENY, "from": [{"namespaces": {}}]}]), "ovn", "ingress"),
        (banp(egress=[{**DENY, "to": [{"namespaces": {}}]}]), "ovn", "egress"),
        (acnp(ingress=[{**DROP, "ports": [{"port": 6379}]}]), "antrea", "ingress"),
        (acnp(ingress=[{"action": "Allow", "ports": [{"port": 80}]}, DROP]), "antrea", "ingress"),
        (acnp(ingress=[{**DROP, "from": [{"namespaceSelector": {}}]}]), "antrea", "ingress"),
        (
            banp(
                egress=[
                    {"action": "Allow", "to": [{"networks": ["198.51.100.0/24"]}]},
                    {**DENY, "to": EVERYTHING},
                ]
            ),
            "ovn",
            "egress",
        ),
        (
            banp(egress=[{"action": "Allow", "to": [{"nodes": {}}]}, {**DENY, "to": EVERYTHING}]),
            "ovn",
            "egress",
        ),
        # Before any NetworkPolicy.
        (
            {
                "AntreaClusterNetworkPolicy all": {
                    **acnp(ingress=[DROP])["AntreaClusterNetworkPolicy all"],
                    "tier": "emergency",
                }
            },
            "antrea",
            "ingress",
        ),
    ],
)
def test_nothing_is_proposed_where_a_policy_would_close_something(policies, dialect, direction):
    """A NetworkPolicy replaces the baseline as a whole, its allows too."""
    case, *_, found = proposed(policies, dialect, direction=direction)

    assert case.denied_by_rule
    assert found is None


def drawn(dice, kind):
    """A baseline of either kind, with some rules that allow."""
    found = {}
    ranges = ["0.0.0.0/0", "192.0.2.0/24", "10.0.0.0/8", "192.168.0.0/24"]
    for direction, word in (("ingress", "from"), ("egress", "to")):
        rules = []
        for _ in range(dice.choice([0, 1, 1, 2, 3])):
            if kind == "antrea":
                peers = [{"namespaceSelector": {}}, {"ipBlock": {"cidr": dice.choice(ranges)}}]
                rule = {"action": dice.choice(["Drop", "Drop", "Allow"])}
                rule |= {word: dice.sample(peers, 1)} if dice.random() < 0.4 else {}
                rule |= {"ports": [{"port": 6379}]} if dice.random() < 0.2 else {}
            else:
                peers = [
                    {"namespaces": {}},
                    {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
                ]
                peers += [{"networks": [dice.choice(ranges)]}, {"nodes": {}}] if direction == "egress" else []
                rule = {"action": dice.choice(["Deny", "Deny", "Allow"]), word: dice.sample(peers, 2)}
            rules.append(rule)
        found |= {direction: rules} if rules else {}
    return acnp(**found) if kind == "antrea" else banp(**found)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_baseline_lets_pass_still_passes(seed):
    """Between pods, nodes and addresses that nobody saw."""
    dice = random.Random(seed)  # noqa: S311
    dialect = dice.choice(["antrea", "ovn"])
    direction = dice.choice(["ingress", "egress"])
    _, before, after, found = proposed(drawn(dice, dialect), dialect, direction=direction)
    if found is None:
        return
    snapshot = before.snapshot
    ends = [pod_endpoint(one) for one in snapshot.pods]
    ends += [Endpoint(kind=EndpointKind.NODE, name=name, node=one) for name, one in snapshot.nodes.items()]
    ends += [
        Endpoint(kind=EndpointKind.EXTERNAL, ip=ip) for ip in ("192.0.2.9", "198.51.100.4", "172.30.0.1")
    ]
    for src in ends:
        for dst in ends:
            if src is dst or src.pod is dst.pod is None:
                continue
            for protocol, port in (("TCP", 80), ("TCP", 6379), ("UDP", 53)):
                if before.evaluate(src, dst, protocol, port).allowed is not False:
                    assert after.evaluate(src, dst, protocol, port).allowed is not False, (src, dst, port)


def test_some_of_these_baselines_have_a_proposal():
    """Else the test above would hold of nothing."""
    made = 0
    for seed in range(40):
        dice = random.Random(seed)  # noqa: S311
        dialect, direction = dice.choice(["antrea", "ovn"]), dice.choice(["ingress", "egress"])
        made += proposed(drawn(dice, dialect), dialect, direction=direction)[-1] is not None

    assert made >= 5
