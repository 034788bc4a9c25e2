"""Which Log rules a packet passes before something decides about it, of Calico's tiers."""

import pytest

from flowdiag.model.event import Direction
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies, log_rules
from tests.policy.scenes import net_policy, outside, pod, pod_end, raw, snapshot

WEB = pod("shop", "web-1", {"app": "web"}, ip="10.0.0.1")
DB = pod("shop", "db-1", {"app": "db"}, ip="10.0.0.2")
TIERS = [
    raw("Tier", name, {"order": order}) for name, order in (("first", 10), ("second", 20), ("third", 30))
]
LOG = {"action": "Log"}


def gnp(name, tier, *rules, selector="app == 'db'"):
    """A policy for ingress in a tier, whose rules are these."""
    spec = {"tier": tier, "order": 1, "selector": selector, "types": ["Ingress"], "ingress": list(rules)}
    return net_policy(None, name, spec, kind="GlobalNetworkPolicy", group="projectcalico.org", version="v3")


def logged(*policies, src=WEB, direction=Direction.INGRESS):
    """Names and rules of what logs a call of the database."""
    found = compile_policies(snapshot([WEB, DB], policies, others=TIERS), dialect=Dialect.CALICO)
    source = src if isinstance(src, type(outside("192.0.2.1"))) else pod_end(src)
    rules = log_rules(found, direction, source, pod_end(DB), "TCP", 5432, icmp=None, at=None)
    return [(one.policy.name, one.rule) for one in rules]


def test_each_log_rule_is_named_once_in_the_order_of_the_tiers():
    """A packet that passes from tier to tier is logged in each of them, and no further than where it is decided."""
    policies = [
        gnp("a", "first", LOG, {"action": "Pass"}, LOG),
        gnp("b", "second", LOG, {"action": "Deny"}, LOG),
        gnp("c", "third", LOG, {"action": "Deny"}),
    ]

    assert logged(*policies) == [("a", "ingress[0]"), ("b", "ingress[0]")]


def test_what_the_end_of_a_tier_refuses_passed_all_of_its_log_rules():
    """No rule decides there."""
    assert logged(gnp("a", "first", LOG, LOG), gnp("c", "third", LOG)) == [
        ("a", "ingress[0]"),
        ("a", "ingress[1]"),
    ]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({"source": {"selector": "app == 'web'"}}, ["ingress[0]"]),
        ({"source": {"selector": "app == 'cron'"}}, []),
        ({"http": {"methods": ["GET"]}}, ["ingress[0]"]),
    ],
)
def test_a_rule_that_cannot_be_decided_may_have_logged(rule, found):
    """A request is not known from a line of the kernel; what surely does not match logs nothing."""
    policies = [gnp("a", "first", {**LOG, **rule}, {"action": "Allow"})]

    assert [path for _, path in logged(*policies)] == found


def test_nobody_logs_for_an_end_outside():
    """No policy polices it."""
    assert logged(gnp("a", "first", LOG), src=outside("192.0.2.1"), direction=Direction.EGRESS) == []
