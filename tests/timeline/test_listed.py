"""What a report lists beside its problems."""

import sys
from pathlib import Path

from msgspec import UNSET

sys.path.insert(0, str(Path(__file__).parent))

from flows import flow, outside, pod

from flowdiag.model.event import Cause
from flowdiag.model.report import DroppedPair
from flowdiag.timeline.listed import not_policy

WEB = pod("shop", "web-1", "web", ip="10.0.1.1")


def _dropped(port, count, cause=Cause.FAULT, reason="STALE_OR_UNROUTABLE_IP"):
    return flow(WEB, outside("10.0.2.9"), port, count=count, cause=cause, reason=reason), "the pod is gone"


def test_who_was_refused_by_no_policy_is_told_largest_first():
    """A fault concerns somebody; three pairs of each reason are told."""
    (listed,) = not_policy([_dropped(port, count) for port, count in ((80, 3), (81, 9), (82, 1), (83, 2))])

    assert (listed.reason, listed.cause, listed.count) == ("STALE_OR_UNROUTABLE_IP", "fault", 15)
    assert listed.largest == tuple(
        DroppedPair(src="shop/web", dst="10.0.2.9", protocol="TCP", port=port, count=count)
        for port, count in ((81, 9), (80, 3), (83, 2))
    )


def test_nobody_asks_between_whom_noise_was():
    """Router solicitations of every pod would be a list of all pods."""
    (listed,) = not_policy([_dropped(None, 5, Cause.NOISE, "UNSUPPORTED_L3_PROTOCOL")])

    assert listed.largest is UNSET
