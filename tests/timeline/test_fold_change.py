"""Which problems began with one change of policies, and which of them stands for the others."""

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from flows import pod, refusal

from flowdiag.model.event import ObjectRef, Verdict
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ClockSkew
from flowdiag.model.time import NS
from flowdiag.timeline.fold_change import under_changes
from flowdiag.timeline.group import group
from flowdiag.timeline.marks import ChangeMark

GUARD = PolicyRef("NetworkPolicy", "networking.k8s.io", "shop", "guard")
LOCK = PolicyRef("NetworkPolicy", "networking.k8s.io", "shop", "lock")
FIRST = 100
"""Second of the first refusal."""


def always(*_):
    return True


def change(at, kind="created", ref=GUARD):
    """A change of a policy, at a second."""
    return ChangeMark(
        at=round(at * NS),
        kind=kind,
        object=ObjectRef(ref.kind, ref.group, ref.namespace, ref.name),
        by=None,
        text="",
    )


def problem(name, code="FD101", *, isolating=(GUARD,), **more):
    """The problem of one refused call to a workload of `pay`."""
    more.setdefault("at", FIRST)
    one = refusal(
        pod("shop", "web-1", "web"), pod("pay", f"{name}-1", name), code=code, isolating=isolating, **more
    )
    (draft,) = group([one])
    return draft


def folded(drafts, *changes, skews=(), worked=True):
    """Index of each folded problem to that of its cause."""
    found = under_changes(drafts, changes, skews, lambda *_: worked)
    assert all(one.beside for one in found.values())
    return {index: one.cause for index, one in found.items()}


TWO = [problem("dns", "FD401"), problem("api")]


@pytest.mark.parametrize(
    ("at", "together"),
    [(69.999, False), (70, True), (99, True), (100, True), (102, True), (102.001, False)],
)
def test_what_began_within_seconds_of_a_change_began_with_it(at, together):
    """At most half a minute after it, or two seconds before by clocks that differ."""
    assert folded(TWO, change(at)) == ({1: 0} if together else {})


@pytest.mark.parametrize(
    ("code", "together"),
    [("FD101", True), ("FD102", True), ("FD104", True), ("FD402", True), ("FD201", False), ("FD301", False)],
)
def test_a_mistake_in_a_rule_stands_for_itself(code, together):
    """Only what is isolated and nothing more is explained by the change that isolated it."""
    assert folded([problem("dns", "FD401"), problem("api", code)], change(99)) == ({1: 0} if together else {})


def test_what_has_no_time_began_at_none():
    one = refusal(pod("shop", "web-1", "web"), pod("pay", "api-1", "api"), isolating=(GUARD,))
    timeless = replace(one, flow=replace(one.flow, first=None, last=None))
    assert folded([problem("dns", "FD401"), *group([timeless])], change(99)) == {}


@pytest.mark.parametrize("code", ["FD401", "FD402"])
def test_lookups_lead_however_few_they_are(code):
    """Without names nothing else is even tried."""
    assert folded([problem("api", count=50), problem("dns", code, count=2)], change(99)) == {0: 1}


def test_the_largest_leads_and_of_equals_the_first():
    drafts = [problem("a", count=2), problem("b", "FD102", count=9), problem("c", "FD104", count=9)]
    assert folded(drafts, change(99)) == {0: 1, 2: 1}


def test_a_problem_of_two_changes_is_under_the_greater_of_theirs():
    drafts = [
        problem("a", count=9),
        problem("b", count=5, isolating=(LOCK,)),
        problem("c", count=1, isolating=(GUARD, LOCK)),
    ]
    assert folded(drafts, change(99), change(98, ref=LOCK)) == {2: 0}


def test_a_problem_of_another_direction_stands_for_itself():
    """What closes egress does not explain ingress."""
    assert folded([problem("dns", "FD401"), problem("api", direction="ingress")], change(99)) == {}


def test_problems_of_different_changes_stand_for_themselves():
    drafts = [problem("dns", "FD401"), problem("api", isolating=(LOCK,))]
    assert folded(drafts, change(99), change(99, ref=LOCK)) == {}


def test_an_older_policy_that_isolates_too_would_have_refused_without_the_change():
    both = [problem("dns", "FD401"), problem("api", isolating=(GUARD, LOCK))]
    assert folded(both, change(99)) == {}
    assert folded(both, change(99), change(20, ref=LOCK)) == {}
    assert folded(both, change(99), change(99, ref=LOCK)) == {1: 0}


@pytest.mark.parametrize("more", [{"verdict": Verdict.AUDITED}, {"verdict": Verdict.LOGGED}])
def test_what_was_not_refused_did_not_begin_with_a_change(more):
    assert folded([problem("dns", "FD401"), problem("api", **more)], change(99)) == {}


@pytest.mark.parametrize(
    "one", [change(99, "deleted"), change(99, "labelled"), change(99, ref=LOCK)], ids=lambda one: one.kind
)
def test_only_what_put_the_policy_in_force_counts(one):
    assert folded(TWO, one) == {}


def test_a_policy_that_was_changed_has_to_have_let_it_pass_before():
    """What did not exist cannot have refused; an older text of a policy may have refused it as well."""
    assert folded(TWO, change(99, "updated")) == {1: 0}
    assert folded(TWO, change(99, "updated"), worked=False) == {}
    assert folded(TWO, change(99), worked=False) == {1: 0}
    assert folded(TWO, change(100, "updated")) == {}
    assert folded(TWO, change(101, "updated")) == {}


def test_that_it_passed_is_asked_of_the_time_before_the_change():
    asked = []
    under_changes(TWO, [change(99, "updated")], (), lambda _, at: bool(asked.append(at)))
    assert asked == [99 * NS, 99 * NS]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([change(80), change(95)], "NetworkPolicy shop/guard was created at 1970-01-01 00:01:35 UTC"),
        ([change(95), change(80)], "NetworkPolicy shop/guard was created at 1970-01-01 00:01:35 UTC"),
        (
            [change(80), change(95, "updated")],
            "NetworkPolicy shop/guard was created at 1970-01-01 00:01:20 UTC",
        ),
    ],
)
def test_the_change_is_told_that_comes_nearest_of_those_that_explain_it(changes, told):
    """Where it was created and then changed, the first of these is enough."""
    (one,) = under_changes(TWO, changes, (), always).values()
    assert one.why == f"began within seconds of the same change: {told}, and no older policy isolates here"


def test_of_two_shared_policies_the_first_by_name_is_told():
    drafts = [problem("dns", "FD401", isolating=(LOCK, GUARD)), problem("api", isolating=(LOCK, GUARD))]
    (one,) = under_changes(drafts, [change(99), change(98, ref=LOCK)], (), always).values()
    assert "NetworkPolicy shop/guard was created" in one.why


@pytest.mark.parametrize(
    ("offset", "at", "kind", "together"),
    [
        (10.0, 110, "created", True),
        (-10.0, 110, "created", True),
        (10.0, 110.001, "created", False),
        (1.0, 102, "created", True),
        (30.0, 99, "created", True),
        (30.001, 99, "created", False),
        (10.0, 89.999, "updated", True),
        (10.0, 90, "updated", False),
    ],
)
def test_clocks_that_disagree_leave_less_certain(offset, at, kind, together):
    """A change may be later by as much as they do; by more than half a minute nothing is told by them."""
    for names in (("prod/node-a", "prod/node-b"), ("node-b", "node-a")):
        assert folded(TWO, change(at, kind), skews=[ClockSkew(*names, offset)]) == (
            {1: 0} if together else {}
        )


def test_clocks_of_nodes_that_recorded_none_of_it_do_not_matter():
    assert folded(TWO, change(99), skews=[ClockSkew("prod/node-c", "prod/node-b", 900.0)]) == {1: 0}


def test_the_worst_of_several_pairs_of_clocks_counts():
    skews = [ClockSkew("node-a", "node-b", 1.0), ClockSkew("node-a", "node-c", 900.0)]
    assert folded(TWO, change(99), skews=skews) == {}
    assert folded(TWO, change(99), skews=skews[::-1]) == {}
