"""A port asked for by a name that the destination does not declare."""

import pytest

from flowdiag.analysis.ask import Asker
from flowdiag.cluster.snapshot import build_snapshot
from flowdiag.model.errors import InputError
from flowdiag.model.policy import Dialect
from flowdiag.policy import compile_policies

PODS = b"""
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{containerPort: 8080, name: http}]}]}
status: {phase: Running, podIP: 10.0.1.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: c, ports: [{containerPort: 5432, name: pg}, {containerPort: 9187}]}]}
status: {phase: Running, podIP: 10.0.1.2}
---
"""
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: %s}]}]}
"""


def ask(dst, port, rule="postgres", protocol="TCP", src="shop/web"):
    snapshot, _ = build_snapshot([("state.yaml", PODS + (POLICY % rule).encode())])
    policies = compile_policies(snapshot, dialect=Dialect.KUBERNETES)
    return Asker(snapshot, policies).ask(src, dst, protocol, port)


def test_a_rule_by_that_name_matches_nothing():
    """Every port is refused then, so the answer is known, and why it is so is said."""
    answer = ask("shop/db", "postgres")

    assert answer.allowed is False
    assert answer.ingress.nearest[0].misses[0].wanted == "postgres/TCP (no such name)"
    assert answer.error == (
        "shop/db declares no TCP port called postgres; it declares 5432/TCP pg, 9187/TCP; "
        "whatever port is meant, it is denied"
    )


def test_where_ports_differ_it_is_unknown():
    """A rule by number may be meant or not."""
    answer = ask("shop/db", "postgres", rule="5432")

    assert answer.allowed is None
    assert (
        answer.error
        == "unknown: shop/db declares no TCP port called postgres; it declares 5432/TCP pg, 9187/TCP"
    )


@pytest.mark.parametrize(
    ("src", "dst", "says"),
    [
        ("shop/db", "shop/web", "shop/web declares no TCP port called pg; it declares 8080/TCP http"),
        ("shop/web", "198.51.100.7", "198.51.100.7 has no ports by name, so pg is none of them"),
    ],
)
def test_where_everything_is_open_it_is_allowed_and_said(src, dst, says):
    """A misspelt name is not silently taken for a port."""
    answer = ask(dst, "pg", src=src)

    assert answer.allowed is True
    assert answer.error == f"{says}; whatever port is meant, it is allowed"


def test_the_declared_name_has_no_error():
    """It is the number's answer."""
    assert ask("shop/db", "pg", rule="5432").error is None
    assert ask("shop/db", "pg", rule="pg").allowed is True
    assert ask("shop/db", "pg", rule="9187").allowed is False


def test_icmp_has_no_ports():
    """A name beside it says nothing, as a number does."""
    assert ask("shop/web", "pg", protocol="ICMP", src="shop/db").error is None


def test_any_port_says_which_are_allowed():
    """The first question of somebody who does not know the port."""
    assert (
        ask("shop/db", None, rule="5432").error == "unknown: ports or protocols differ: allowed are TCP 5432"
    )
    assert ask("shop/db", None, rule="5432", protocol=None).error == (
        "unknown: ports or protocols differ: allowed are TCP 5432"
    )
    assert ask("shop/db", 5432, rule="5432", protocol=None).error == (
        "unknown: ports or protocols differ: allowed are TCP 5432"
    )


@pytest.mark.parametrize(
    ("end", "message", "hint"),
    [
        ("web", "not an end of a connection: 'web'", "write shop/web"),
        ("db.shop.svc.cluster.local", "not an end", "write svc:shop/db"),
        ("10.0.0.0/33", "not a range of addresses", "write a CIDR such as 10.0.0.0/24"),
        ("entity:nobody", "no such entity", "one of all, cluster, health"),
        ("shop/web[Stone]", "no such kind: 'Stone'", "there are CronJob, DaemonSet"),
    ],
)
def test_what_is_no_end_is_told_how_to_be_written(end, message, hint):
    """As people copy names from elsewhere."""
    with pytest.raises(InputError, match=message) as caught:
        ask(end, 80)

    assert caught.value.hint.startswith(hint)


SERVICES = """
---
apiVersion: v1
kind: Service
metadata: {name: pgs, namespace: shop}
spec: {clusterIP: %s, selector: {app: db}, ports: [{port: 3306, targetPort: 5432, name: sql}]}
"""


@pytest.mark.parametrize(
    ("address", "port", "allowed", "said"),
    [
        ("None", 5432, True, False),
        ("None", 9187, False, False),
        ("None", "pg", True, False),
        ("None", 3306, True, True),
        ("None", "sql", True, True),
        ("10.96.0.7", 3306, True, False),
    ],
)
def test_a_headless_services_callers_reach_the_port_that_they_call(address, port, allowed, said):
    """One of its own ports is translated, as the contract has it, and it is said that nobody else does."""
    state = PODS + (POLICY % "5432" + SERVICES % address).encode()
    snapshot, problems = build_snapshot([("state.yaml", state)])
    asker = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.KUBERNETES))

    assert problems == []
    for _ in range(2):
        assert asker.ask("shop/web", "svc:shop/pgs", "TCP", port).allowed is allowed
    assert [text.endswith("who calls its pods at 3306 reaches 3306") for text in asker.readings] == [
        True
    ] * said


def test_a_service_with_an_address_has_its_own_ports_alone():
    """What its pods listen on is not reached by it."""
    state = PODS + (POLICY % "5432" + SERVICES % "10.96.0.7").encode()
    snapshot, _ = build_snapshot([("state.yaml", state)])
    asker = Asker(snapshot, compile_policies(snapshot, dialect=Dialect.KUBERNETES))

    with pytest.raises(InputError, match="has no port 5432/TCP"):
        asker.ask("shop/web", "svc:shop/pgs", "TCP", 5432)
