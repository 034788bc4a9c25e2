"""Drops and verdicts of one packet count once, whichever way of counting is taken."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.model.event import Direction, Witness
from flowdiag.tally import Limits
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.pairs import _counts, paired
from flowdiag.tally.table import lane_code, lane_direction

counts = st.dictionaries(st.integers(0, 6), st.integers(0, 3), max_size=6)


@st.composite
def refused_lanes(draw):
    """Lanes of one flow by code, often of one direction."""
    ways = draw(st.sampled_from([[None], [Direction.EGRESS], [Direction.INGRESS], [None, *Direction]]))
    codes = [lane_code(way, witness) for way in ways for witness in (None, *Witness)]
    lanes = {}
    for code in draw(st.lists(st.sampled_from(codes), min_size=1, unique=True)):
        lane = lanes[code] = FlowLane(1, Limits())
        lane.buckets.update(draw(counts))
        lane.untimed = draw(st.integers(0, 2))
    return lanes


@settings(max_examples=200, deadline=None)
@given(lanes=refused_lanes())
def test_every_bucket_is_what_drops_and_verdicts_of_its_second_come_to(lanes):
    """Against counting second by second; a lane belongs to one part."""
    parts = paired(lanes, refused=True)

    if len(lanes) > 1:
        for way in (None, *Direction):
            ours = [part for part in parts if part.direction is way]
            assert len(ours) <= 1
            found = ours[0].buckets if ours else {}
            wanted = {start: _counts(lanes, start)[way] for start in range(7)}
            assert found == {start: count for start, count in wanted.items() if count}
            assert (ours[0].untimed if ours else 0) == _counts(lanes, None)[way]
    belonging = [id(lane) for part in parts for lane in part.lanes]
    assert len(belonging) == len(set(belonging))
    if len({lane_direction(code) for code in lanes}) == 1 and parts:
        assert len(belonging) == len(lanes)
