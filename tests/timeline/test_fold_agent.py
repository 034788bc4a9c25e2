"""Which problems an agent's restart, or a full policy map, stands for."""

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent))

from flows import pod, refusal

from flowdiag.model.finding import Said
from flowdiag.model.time import NS
from flowdiag.timeline.fold_agent import under_agents
from flowdiag.timeline.group import group

START = 100
"""Second at which the agent says that it started."""


def problem(*rows, code="FD602", said=(), node="node-a"):
    """One problem of calls to workloads of their own, each by (first, last) seconds, records and recording node."""
    refusals = []
    for number, row in enumerate(rows):
        first, last, count, where = (*row, *(None, 1, node)[len(row) - 1 :])
        one = refusal(
            pod("shop", "web-1", "web"),
            pod("pay", f"p{number}-1", f"p{number}"),
            code=code,
            at=first or 0,
            count=count,
        )
        end = last if last is not None else first
        flow = replace(
            one.flow,
            distinct=replace(one.flow.distinct, node=where),
            first=round(first * NS) if first is not None else None,
            last=round(end * NS) if end is not None else None,
        )
        words = tuple(Said(round(at * NS), "agent-started") for at in said)
        refusals.append(replace(one, flow=flow, finding=replace(one.finding, said=words)))
    (draft,) = group(refusals)
    return draft


def folded(*drafts):
    return {index: one.cause for index, one in under_agents(drafts).items()}


RESTART = problem((START, 110, 9), code="FD608", said=(START,))
FULL = problem((START, 200, 9), code="FD604")


@pytest.mark.parametrize(
    ("first", "last", "together"),
    [
        (95, 220, True),
        (94.999, 110, False),
        (110, 220.001, False),
        (None, None, False),
    ],
)
@pytest.mark.parametrize("code", ["FD602", "FD603", "FD608"])
def test_what_a_restart_breaks_is_refused_from_then_on_for_two_minutes(first, last, together, code):
    """From a few seconds before its message; what has no time may have been at any."""
    assert folded(RESTART, problem((first, last), code=code)) == ({1: 0} if together else {})


@pytest.mark.parametrize("code", ["FD101", "FD201", "FD604", "FD605"])
def test_a_restart_stands_for_nothing_that_it_does_not_break(code):
    assert folded(RESTART, problem((105, 106), code=code)) == {}


def test_every_refusal_has_to_be_of_the_time_and_the_node():
    assert folded(RESTART, problem((105, 106), (107, 108))) == {1: 0}
    assert folded(RESTART, problem((105, 106), (300, 301))) == {}
    assert folded(RESTART, problem((105, 106, 1, "node-a"), (107, 108, 1, "node-b"))) == {}
    assert folded(RESTART, problem((105, 106), node="node-b")) == {}
    assert (
        folded(
            problem((START, 110, 9), code="FD608", said=(START,), node=None), problem((105, 106), node=None)
        )
        == {}
    )


def test_each_start_of_the_agent_counts_and_one_has_to_explain_a_flow_as_a_whole():
    twice = problem((START, 1110, 9), code="FD608", said=(START, 1000))
    assert folded(twice, problem((1005, 1006))) == {1: 0}
    assert folded(twice, problem((105, 106), (1005, 1006))) == {1: 0}
    assert folded(twice, problem((105, 1006))) == {}


def test_a_restart_of_which_no_message_is_known_explains_nothing():
    assert folded(problem((START, 110, 9), code="FD608"), problem((105, 106))) == {}


def test_the_largest_stands_for_the_others_and_none_for_one_that_stands_for_some():
    small = problem((START, 110, 2), code="FD608", said=(START,))
    answer = problem((105, 106))
    assert folded(small, RESTART, answer) == {0: 1, 2: 1}
    assert folded(answer, small, RESTART) == {0: 2, 1: 2}
    assert folded(RESTART, replace(RESTART), answer) == {1: 0, 2: 0}


@pytest.mark.parametrize(("first", "together"), [(319.999, True), (320, True), (320.001, False)])
def test_refusals_while_the_map_was_full_are_one_burst(first, together):
    """Two minutes apart they are two."""
    assert folded(FULL, problem((first, 400), code="FD604")) == ({1: 0} if together else {})
    assert folded(FULL, problem((first, 400), code="FD604", node="node-b")) == {}


def test_a_full_map_stands_for_nothing_else():
    assert folded(FULL, problem((105, 106), code="FD608", said=(START,))) == {}
    assert folded(FULL, problem((105, 106))) == {}


def test_neither_of_two_other_problems_stands_for_the_other():
    assert folded(problem((105, 106, 9)), problem((105, 106), code="FD603")) == {}
