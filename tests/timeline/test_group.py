"""Refusals become connections, connections become problems."""

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from flows import flow, outside, pod, refusal

from flowdiag.model.event import Cause, WorkloadRef
from flowdiag.model.objects import Pod
from flowdiag.model.policy import Condition, DecidedBy, Miss, NearestRule, PolicyRef
from flowdiag.model.report import RefusedOtherwise
from flowdiag.model.uncertain import uncertain_text
from flowdiag.timeline.ends import fold_addresses
from flowdiag.timeline.fold import fold
from flowdiag.timeline.group import group
from flowdiag.timeline.problems import fingerprint, make_problem

DNS = pod("kube-system", "coredns-1", "coredns")


def test_pods_of_one_workload_are_one_connection():
    """Two pods of a Deployment refused on the same port make one connection with both counts."""
    (problem,) = group(
        [
            refusal(pod("shop", "web-1", "web"), pod("pay", "api-1", "api"), count=3),
            refusal(pod("shop", "web-2", "web"), pod("pay", "api-1", "api"), count=4),
        ]
    )

    (connection,) = problem.connections
    assert connection.count == 7


def test_many_workloads_without_dns_are_one_problem():
    """One cause with the destination in common is one problem, not one for each workload."""
    problems = group([refusal(pod(f"team-{i}", f"app-{i}"), DNS, 53, code="FD401") for i in range(40)])

    assert [len(problem.connections) for problem in problems] == [40]


def test_one_cause_without_a_common_end_is_two_problems():
    """Connections that share neither the source nor the destination stay apart."""
    problems = group([refusal(pod("a", "x"), pod("b", "y")), refusal(pod("c", "v"), pod("d", "w"))])

    assert len(problems) == 2


def test_another_missed_condition_is_another_problem():
    """The missed condition is part of the cause."""
    source = pod("a", "x")
    problems = group(
        [refusal(source, pod("b", "y"), key="port"), refusal(source, pod("b", "z"), key="label")]
    )

    assert len(problems) == 2


def test_every_connection_is_in_one_problem_even_if_its_finding_changed():
    """What is wrong now speaks for a connection whose isolating policies changed meanwhile."""
    source, destination = pod("a", "x"), pod("b", "y")
    (problem,) = group(
        [
            refusal(source, destination, key="then", at=100, count=50),
            refusal(source, destination, key="now", at=900, count=9),
        ]
    )

    assert (problem.finding.cause_key, problem.connections[0].count) == ("now", 59)


def test_a_straggler_does_not_speak_for_a_connection():
    """One late record out of a hundred does not rename the problem."""
    source, destination = pod("a", "x"), pod("b", "y")
    (problem,) = group(
        [
            refusal(source, destination, key="then", at=100, count=99),
            refusal(source, destination, key="odd", at=900, count=1),
        ]
    )

    assert problem.finding.cause_key == "then"


def test_a_connection_that_different_policies_refuse_is_in_one_problem_and_a_note_tells_of_the_other():
    """Refused on its way out, and once that was mended on its way in: the problem is what is wrong now."""
    source, destination = pod("a", "x"), pod("b", "y")
    closed = PolicyRef("NetworkPolicy", "networking.k8s.io", "a", "default-deny")
    denylist = PolicyRef("CiliumClusterwideNetworkPolicy", "cilium.io", None, "denylist")
    (draft,) = group(
        [
            refusal(source, destination, isolating=(closed,), at=100, count=50),
            refusal(
                source, destination, code="FD102", direction="ingress", at=900, count=9, reason="L7_DENIED"
            ),
            refusal(
                source, destination, code="FD103", isolating=(denylist,), at=60, count=1, reason="DENYLIST"
            ),
        ]
    )
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert (problem.code, problem.direction, problem.count) == ("FD102", "ingress", 60)
    assert [connection.count for connection in problem.connections] == [60]
    assert problem.notes == (
        "50 of them were refused otherwise, the last at 1970-01-01 00:01:40 UTC (FD101 on egress by NetworkPolicy a/default-deny)",
        "1 of them was refused otherwise, the last at 1970-01-01 00:01:00 UTC (FD103 on egress by CiliumClusterwideNetworkPolicy denylist)",
    )
    assert problem.otherwise == (
        RefusedOtherwise(
            count=50,
            last="1970-01-01T00:01:40.000000000Z",
            code="FD101",
            direction="egress",
            policies=(closed,),
        ),
        RefusedOtherwise(
            count=1,
            last="1970-01-01T00:01:00.000000000Z",
            code="FD103",
            direction="egress",
            policies=(denylist,),
        ),
    )


def test_what_is_said_of_one_sides_refusals_is_not_said_of_the_others():
    """ "The ingress side would refuse it, too" stood in a problem of the ingress side."""
    source, destination = pod("a", "x"), pod("b", "y")
    out = refusal(source, destination, at=100, count=50)
    too = "The ingress side of b/y would refuse it, too: NetworkPolicy b/lock isolates it."
    (draft,) = group(
        [
            replace(out, finding=replace(out.finding, limits=(too,))),
            refusal(source, destination, code="FD102", direction="ingress", at=900, count=9),
        ]
    )
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.direction == "ingress"
    assert too not in problem.notes


def test_that_a_policy_may_have_read_otherwise_is_told_once_for_all_moments():
    """Each connection has a moment of its own, and a problem of many would say the same for each."""
    old, other = (f"NetworkPolicy b/{name}" for name in ("old", "other"))
    refusals = []
    for name, second in ((old, 300), (old, 100), (other, 200), (old, 200)):
        one = refusal(pod("a", f"x{second}", f"x{second}{name[-1]}"), pod("b", "y"), at=second)
        limit = f"{uncertain_text(name, 1, second * 10**9)} (FD804)"
        refusals.append(replace(one, finding=replace(one.finding, limits=(limit,))))
    (draft,) = group(refusals)
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert sorted(problem.notes) == [
        f"It is not certain that {old} read the same from 1970-01-01 00:01:40 UTC to 1970-01-01 00:05:00 UTC: its last change is later or not known. (FD804)",
        f"It is not certain that {other} read the same at 1970-01-01 00:03:20 UTC: its last change is later or not known. (FD804)",
    ]


def test_what_the_same_policies_refused_otherwise_is_told_by_what_their_rule_missed():
    """Two requests inside one connection: code, direction and policy say nothing of the other one."""
    source, destination = pod("a", "x"), pod("b", "y")
    policy = PolicyRef("CiliumNetworkPolicy", "cilium.io", "b", "l7")
    head, get = (Miss(Condition.L7, "GET /status", found) for found in ("HEAD /status", "GET /status/"))
    refusals = []
    for at, miss in ((100, get), (900, head)):
        one = refusal(source, destination, code="FD504", key=miss.found, isolating=(policy,), at=at)
        nearest = (NearestRule(policy=policy, rule="ingress[0]", misses=(miss,)),)
        refusals.append(replace(one, finding=replace(one.finding, nearest=nearest)))
    (draft,) = group(refusals)
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.otherwise[0].misses == (get,)
    assert problem.notes == (
        "1 of them was refused otherwise, the last at 1970-01-01 00:01:40 UTC (FD504; request: wants GET /status, found GET /status/)",
    )


def test_what_is_no_policy_s_or_was_let_through_stands_apart():
    """Audited traffic is counted apart, and no policy mends what a fault dropped."""
    source, destination = pod("a", "x"), pod("b", "y")
    problems = group(
        [
            refusal(source, destination, count=5),
            refusal(source, destination, count=3, verdict="audited"),
            refusal(source, destination, code="FD701", count=2, cause=Cause.FAULT),
        ]
    )

    assert sorted(problem.count for problem in problems) == [2, 3, 5]


def test_scans_that_different_policies_refuse_are_one_connection():
    """Ports that nobody lists cannot tell two connections between the same ends apart."""
    source, destination = outside("203.0.113.7"), pod("edge", "gateway-1", "gateway")
    (problem,) = group(
        [
            refusal(source, destination, port, key=key, at=port, count=2)
            for key, first in (("then", 1000), ("now", 2000))
            for port in range(first, first + 12)
        ]
    )

    (connection,) = problem.connections
    assert (connection.port, connection.count, connection.ports) == (None, 48, (24, 24))
    assert problem.finding.cause_key == "now"


REFUSED_BY = st.lists(
    st.tuples(
        st.sampled_from([pod("a", "x"), pod("a", "x-2", "x"), outside("192.0.2.7")]),
        st.sampled_from([pod("b", "y"), pod("b", "z")]),
        st.sampled_from([53, 8080, *range(1000, 1012), None]),
        st.sampled_from(["TCP", "UDP"]),
        st.sampled_from(["egress", "ingress", None]),
        st.sampled_from(["FD101", "FD204"]),
        st.sampled_from(["POLICY_DENIED", "POLICY_DENY", None]),
        st.integers(1, 90),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=40,
)


@given(REFUSED_BY)
def test_every_refused_connection_stands_once_in_all_problems(rows):
    """Whichever side refuses it, by whichever policies and in whichever words."""
    problems = group(
        [
            refusal(s, d, port, protocol=protocol, direction=way, code=code, reason=reason, count=n, at=at)
            for s, d, port, protocol, way, code, reason, n, at in rows
        ]
    )
    listed = [(c.source, c.destination, c.protocol, c.port) for p in problems for c in p.connections]

    assert len(listed) == len(set(listed))
    assert sum(row[-2] for row in rows) == sum(p.count for p in problems)


def test_a_scanner_is_one_connection():
    """Many addresses of one range on many ports fold into the range without a port."""
    target = pod("edge", "gateway-1", "gateway")
    (problem,) = group(
        [
            refusal(outside(f"203.0.113.{i}"), target, port, count=2)
            for i in range(20)
            for port in range(1000, 1030)
        ]
    )

    (connection,) = problem.connections
    assert (
        connection.source[3],
        connection.port,
        connection.ports,
        connection.count,
    ) == ("203.0.113.0/24", None, (30, 30), 1200)


SMALL = st.lists(
    st.tuples(
        st.sampled_from([pod("a", "x"), pod("a", "y"), outside("192.0.2.7"), outside("192.0.2.8")]),
        st.sampled_from([pod("b", "z"), DNS, outside("2001:db8::1")]),
        st.sampled_from([53, 80, 8080]),
        st.sampled_from(["FD101", "FD401"]),
        st.integers(1, 9),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=25,
)


@given(SMALL, st.randoms(use_true_random=False))
def test_order_never_matters_and_nothing_is_lost(rows, rng: random.Random):
    """Any order of refusals gives the same problems, and their counts add up."""
    refusals = [refusal(s, d, p, code=c, count=n, at=at) for s, d, p, c, n, at in rows]
    shuffled = list(refusals)
    rng.shuffle(shuffled)

    def view(problems):
        return [
            (p.finding.code, [(c.source, c.destination, c.port, c.count) for c in p.connections])
            for p in problems
        ]

    assert view(group(refusals)) == view(group(shuffled))
    assert sum(r.flow.count for r in refusals) == sum(c.count for p in group(refusals) for c in p.connections)


def test_the_fingerprint_forgets_pods_addresses_counts_and_times():
    """The same problem met again tomorrow, with other pods, has the same fingerprint."""
    (today,) = group(
        [refusal(pod("a", "web-abc", "web", "10.0.0.1"), pod("b", "api-1", "api"), count=3, at=100)]
    )
    (later,) = group(
        [refusal(pod("a", "web-xyz", "web", "10.0.9.9"), pod("b", "api-7", "api"), count=8, at=99999)]
    )
    (other,) = group([refusal(pod("a", "web-abc", "web"), pod("b", "api-1", "api"), 9090)])

    assert fingerprint(today) == fingerprint(later)
    assert fingerprint(today) != fingerprint(other)


def test_lookups_tried_elsewhere_are_consequences_of_refused_dns():
    """A retry over TCP or to another resolver folds under the refused DNS of the same workload."""
    web = pod("a", "web")
    drafts = group(
        [
            refusal(web, DNS, 53, code="FD401", count=50, at=100, last=200),
            refusal(web, outside("198.51.100.53"), 53, code="FD101", count=5, at=120, last=150),
            refusal(web, pod("b", "api"), 8080, code="FD101", key="x", count=5, at=120, last=150),
        ]
    )
    codes = {
        (drafts[one].finding.code, drafts[one].connections[0].port, drafts[one_cause.cause].finding.code)
        for one, one_cause in fold(
            drafts, changes=(), skews=(), worked_before=lambda _draft, _at: False
        ).items()
    }

    assert {("FD101", 53, "FD401")} == codes


def test_a_title_does_not_say_that_all_of_a_range_is_refused():
    """A range stands for the addresses that were seen in it; a rule may well allow others."""
    (draft,) = group([refusal(outside(f"203.0.113.{i}"), pod("b", "api")) for i in range(50, 60)])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.title.startswith("addresses of 203.0.113.0/24 ")
    assert problem.source.name == "203.0.113.0/24"


def test_a_title_is_not_a_format_string():
    """Braces in a name stay braces."""
    (draft,) = group([refusal(pod("a", "{destination}"), pod("b", "api"))])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.title == "a/{destination} may not reach b/api 8080/TCP"


@given(st.sets(st.integers(0, 2**32 - 1), max_size=200))
def test_folded_addresses_lie_in_their_range_and_are_bounded(numbers):
    """Whatever the world sends, the list of ranges stays short and true."""
    from ipaddress import ip_address, ip_network

    addresses = {str(ip_address(number)) for number in numbers}
    folded = fold_addresses(addresses)

    assert all(ip_address(address) in ip_network(cidr) for address, cidr in folded.items())
    assert len(set(folded.values())) + len(addresses - set(folded)) <= 32 + 3


def test_allowed_flows_are_no_problem_of_their_own():
    """Grouping counts what it is given: a flow keeps its own verdict."""
    (draft,) = group([refusal(pod("a", "x"), pod("b", "y"), verdict="audited")])

    assert make_problem(draft, changes=(), until=None, allowed_since=None, notes=()).verdict == "audited"
    assert flow(pod("a", "x"), pod("b", "y")).count == 1


def test_the_policy_whose_rule_denied_is_looked_at_first():
    """It need not isolate: what is denied before conntrack and NAT is left open otherwise."""
    one = refusal(pod("a", "x"), pod("b", "y"), code="FD502")
    early = PolicyRef("GlobalNetworkPolicy", "projectcalico.org", None, "early")
    one = replace(one, finding=replace(one.finding, decided_by=DecidedBy(early, "ingress[0]", "Deny")))
    (draft,) = group([one])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.verify[-1] == "kubectl describe globalnetworkpolicy.projectcalico.org early"


@pytest.mark.parametrize(("port", "tried"), [(41000, False), (6379, True)])
def test_the_port_of_a_client_is_not_tried_again(port, tried):
    """Nobody listens on it any more, whatever the policies say; an answer that was turned round has the server's."""
    (draft,) = group([refusal(pod("a", "x"), pod("b", "y", ip="10.0.0.9"), port, code="FD602", at=100)])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert any(" exec " in command for command in problem.verify) is tried


def _run(name, ip, phase, workload):
    """A pod of a Job's run, as the state has it."""
    known = Pod(namespace="batch", name=name, phase=phase, ips=(ip,), workload=workload)
    end = pod("batch", name, ip=ip)
    return replace(end, pod=known, workload=workload)


@pytest.mark.parametrize(
    ("kind", "phases", "asked"),
    [
        ("CronJob", ("Succeeded", "Running"), ["exec pod/run-1", "debug pod/run-1"]),
        ("CronJob", ("Succeeded", "Failed"), []),
        ("Pod", ("Succeeded", "Failed"), []),
        ("Deployment", ("Failed", "Running"), ["exec deploy/nightly", "debug pod/run-1"]),
        ("Deployment", ("Failed", "Failed"), ["exec deploy/nightly"]),
    ],
)
def test_nothing_is_tried_in_a_pod_that_has_ended(kind, phases, asked):
    """kubectl cannot exec in a completed pod, nor debug it; a Deployment has another."""
    workload = WorkloadRef(kind, "nightly")
    runs = [_run(f"run-{i}", f"10.0.1.{i}", phase, workload) for i, phase in enumerate(phases)]
    (draft,) = group([refusal(run, pod("data", "db", ip="10.0.2.9")) for run in runs])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert [" ".join(command.split()[3:5]) for command in problem.verify] == asked
    assert problem.source.pods == ("run-0", "run-1")


def test_an_address_whose_pod_has_ended_is_not_asked():
    """Nobody answers there, whatever the policies say."""
    workload = WorkloadRef("StatefulSet", "db")
    runs = [
        _run("db-0", ip, phase, workload) for ip, phase in (("10.0.1.1", "Gone"), ("10.0.1.2", "Running"))
    ]
    (draft,) = group([refusal(pod("shop", "web"), run) for run in runs])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.verify[0].endswith(" 10.0.1.2 8080")


def test_a_pod_that_is_known_by_name_is_asked_at_its_address():
    """Whisker's flows have no addresses; the state has the pod's."""
    run = replace(_run("db-0", "10.0.1.7", "Running", WorkloadRef("StatefulSet", "db")), ip=None)
    (draft,) = group([refusal(pod("shop", "web"), run)])
    problem = make_problem(draft, changes=(), until=None, allowed_since=None, notes=())

    assert problem.verify[0] == "kubectl -n shop exec deploy/web -- nc -zvw3 10.0.1.7 8080"
    assert problem.destination.ips == ()


@pytest.mark.parametrize(("names", "folded"), [(1, 1), (32, 32), (40, 1)])
def test_a_names_addresses_stand_under_the_name_unless_names_are_many(names, folded):
    """Forty neighbours are one range, and so many names as they are called by; the outside world stays a bounded list."""
    source = pod("shop", "web-1", "web")
    neighbours = [
        replace(outside(f"198.51.100.{place}"), dns_names=(f"api-{place % names}.example.com",))
        for place in range(40)
    ]
    (problem,) = group([refusal(source, each, 443) for each in neighbours])

    assert len(problem.connections) == folded
    assert (problem.connections[0].destination[3] == "198.51.100.0/24") == (names == 40)
