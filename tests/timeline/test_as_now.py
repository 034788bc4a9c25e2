"""Ends as they can be tried now: without pods that have ended, and at addresses that pods still have."""

from __future__ import annotations

import pytest

from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import WorkloadRef
from flowdiag.model.objects import Pod
from flowdiag.model.report import ReportEndpoint
from flowdiag.timeline.as_now import NOBODY, as_now


def end(name, ip, pod_ips=None, *, phase="Running", created=50):
    """A pod that records name or have by its address; `pod_ips` are those that it has in the state, if it is there."""
    pod = (
        Pod(namespace="shop", name=name, ips=pod_ips, phase=phase, created=created)
        if pod_ips is not None
        else None
    )
    return Endpoint(kind=EndpointKind.POD, namespace="shop", name=name, ip=ip, pod=pod)


def view(*pods, ips=(), kind="Deployment"):
    workload = WorkloadRef(kind, "web") if kind else None
    return ReportEndpoint(kind="pod", namespace="shop", pods=pods, ips=ips, workload=workload)


@pytest.mark.parametrize(
    ("ends", "before", "after"),
    [
        ([(end("a", "10.0.0.1", ("10.0.0.1",)), 100)], ("10.0.0.1",), ("10.0.0.1",)),
        ([(end("a", None, ("10.0.0.1", "fd00::1")), 100)], (), ("10.0.0.1",)),
        ([(end("b", None, ("10.0.0.2",)), 100), (end("a", None, ("10.0.0.1",)), 100)], (), ("10.0.0.1",)),
        ([(end("a", None, ("10.0.0.9",)), 100)], ("10.0.0.5",), ("10.0.0.5",)),
        ([(end("a", None), 100)], (), ()),
        ([(end("a", None, ()), 100)], (), ()),
    ],
    ids=[
        "its own",
        "none recorded",
        "the least of several",
        "recorded all the same",
        "not in the state",
        "without one",
    ],
)
def test_an_end_without_a_recorded_address_has_one_of_its_pods(ends, before, after):
    assert as_now(view("a", ips=before), ends).ips == after


@pytest.mark.parametrize(
    ("ip", "last", "created", "pod_ips", "after"),
    [
        ("10.0.0.7", 49, 50, ("10.0.0.9", "fd00::9"), ("10.0.0.9",)),
        ("10.0.0.7", 50, 50, ("10.0.0.9",), ("10.0.0.7",)),
        ("10.0.0.7", None, 50, ("10.0.0.9",), ("10.0.0.7",)),
        ("10.0.0.7", 49, None, ("10.0.0.9",), ("10.0.0.7",)),
        ("10.0.0.7", 49, 50, (), ("10.0.0.7",)),
        ("10.0.0.9", 49, 50, ("10.0.0.9",), ("10.0.0.9",)),
    ],
    ids=["an earlier pod's", "its own, then", "no time", "no age", "none in the state", "the same again"],
)
def test_an_address_of_an_earlier_pod_of_the_name_answers_no_more(ip, last, created, pod_ips, after):
    """A StatefulSet's pod that was created anew has another address, which is the one to try."""
    found = as_now(
        view("db-0", ips=(ip,), kind="StatefulSet"), [(end("db-0", ip, pod_ips, created=created), last)]
    )
    assert (found.pods, found.ips) == (("db-0",), after)


def test_an_address_that_a_later_record_has_too_is_kept():
    ends = [(end("db-0", "10.0.0.7", ("10.0.0.9",)), 49), (end("db-1", "10.0.0.7"), 100)]
    assert as_now(view("db-0", "db-1", ips=("10.0.0.7",)), ends).ips == ("10.0.0.7",)


def test_pods_that_have_ended_are_left_out_with_their_addresses():
    ends = [
        (end("a", "10.0.0.1", ("10.0.0.1",), phase="Succeeded"), 100),
        (end("b", "10.0.0.2", ("10.0.0.2",)), 100),
    ]
    found = as_now(view("a", "b", ips=("10.0.0.1", "10.0.0.2")), ends)
    assert (found.pods, found.ips) == (("b",), ("10.0.0.2",))


def test_an_address_that_a_pod_which_runs_has_as_well_is_kept():
    """The pod that ended had it before, and one that runs has it now."""
    ends = [
        (end("a", "10.0.0.1", ("10.0.0.1",), phase="Failed"), 60),
        (end("b", "10.0.0.1", ("10.0.0.1",)), 100),
    ]
    found = as_now(view("a", "b", ips=("10.0.0.1",)), ends)
    assert (found.pods, found.ips) == (("b",), ("10.0.0.1",))


def test_where_no_recorded_address_is_left_one_of_a_pod_that_runs_stands_in():
    ends = [
        (end("a", "10.0.0.1", ("10.0.0.1",), phase="Failed"), 60),
        (end("b", None, ("10.0.0.2", "fd00::2")), 100),
    ]
    assert as_now(view("a", "b", ips=()), ends).ips == ("10.0.0.2",)
    assert as_now(view("a", "b", ips=("10.0.0.1",)), ends).ips == ("10.0.0.2",)
    assert as_now(view("a", "b", ips=("10.0.0.1", "10.0.0.5")), ends).ips == ("10.0.0.5",)


@pytest.mark.parametrize(
    ("kind", "nobody"),
    [("Job", True), ("CronJob", True), ("Pod", True), ("Deployment", False), ("StatefulSet", False), ("DaemonSet", False), ("ReplicaSet", False), (None, False)],
)  # fmt: skip
def test_of_what_ended_and_is_not_started_again_nobody_is_left(kind, nobody):
    found = as_now(
        view("a", ips=("10.0.0.1",), kind=kind),
        [(end("a", "10.0.0.1", ("10.0.0.1",), phase="Succeeded"), 100)],
    )
    assert (found == NOBODY) is nobody
    assert (found.pods, found.ips) == ((), ())


def test_a_pod_that_runs_speaks_for_a_job():
    """Another pod of it is there yet."""
    ends = [(end("a", None, ("10.0.0.1",), phase="Failed"), 60), (end("b", None), 100)]
    assert as_now(view("a", "b", kind="Job"), ends).pods == ("b",)
