"""Whether a change came before the first refusal, where the clocks of the recording nodes disagree."""

from types import SimpleNamespace

import pytest

from flowdiag.model.event import ObjectRef
from flowdiag.model.report import ClockSkew
from flowdiag.timeline.clocks import clock_doubt

POLICY = ObjectRef(kind="NetworkPolicy", group="networking.k8s.io", namespace="shop", name="deny")


def change(delta_s):
    """A policy that was created so long before the first refusal, or after it."""
    return SimpleNamespace(kind="policy-created", object=POLICY, delta_s=delta_s)


def doubt(changes, skews, nodes=("prod/node-a",)):
    return clock_doubt(SimpleNamespace(changes=tuple(changes)), nodes, skews)


@pytest.mark.parametrize(("deltas", "more"), [([1.0], ""), ([1.0, -1.5], " (and 1 more)"), ([1.0, 9.0], "")])
def test_changes_nearer_than_the_clocks_agree_are_in_doubt(deltas, more):
    """The nearest is named, and how many others are as near."""
    told = doubt(map(change, deltas), [ClockSkew("prod/node-a", "prod/node-b", -2.0)])

    assert told is not None
    assert told.endswith(f"created{more} before the first refusal or after it is not certain")
    assert "NetworkPolicy shop/deny" in told
    assert "2.0 s apart" in told


@pytest.mark.parametrize(
    ("node", "reference", "offset"), [("node-c", "node-b", 2.0), ("node-a", "node-b", 0.5)]
)
def test_clocks_that_did_not_record_it_or_hardly_differ_leave_no_doubt(node, reference, offset):
    """Of other nodes, or with a difference below the time between change and refusal."""
    assert doubt([change(1.0)], [ClockSkew(node, reference, offset)]) is None


def test_the_worst_pair_of_clocks_counts():
    """As a node's own name, with or without its cluster."""
    skews = [
        ClockSkew("node-b", "node-a", 1.0),
        ClockSkew("node-a", "node-c", -3.0),
        ClockSkew("x", "y", 9.0),
    ]

    assert "node-a and node-c are 3.0 s apart" in (doubt([change(2.5)], skews) or "")
