"""Texts on shelves: what is read is what was put, wherever the tally has been meanwhile."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.model.event import Direction, FlowEvent, Peer, Verdict
from flowdiag.tally import Limits, Tally
from flowdiag.tally.examples import NO_TEXT, Shelves, StoredExample

texts = st.text(st.characters(), max_size=20) | st.just("\ud800 is no character") | st.just("x" * 3000)


@given(put=st.lists(texts, max_size=100))
@settings(deadline=None)
def test_texts_come_back(put):
    """In any order, open shelf or packed, and what is moved to other shelves says the same."""
    shelves, others = Shelves(), Shelves()
    stored = [StoredExample(number, "in", number, shelves.put(text)) for number, text in enumerate(put)]
    moved = [others.moved(one) for one in reversed(stored)]

    assert [one.raw for one in stored] == put
    assert [one.raw for one in moved] == put[::-1]
    assert moved[::-1] == stored
    assert all((one.text is NO_TEXT) == (not one.raw) == (not one.text) for one in [*stored, *moved])


@given(one=texts, other=texts)
def test_records_of_one_line_are_in_the_order_of_their_texts(one, other):
    """A line may hold two records: which of them stays must not hang on where they are put."""
    shelves = Shelves()
    first, second = (StoredExample(1, "in", 1, shelves.put(text)) for text in (one, other))

    assert (first < second, first == second) == (one < other, one == other)


def refusal(number: int) -> FlowEvent:
    """A refused packet of a pod of its own, with a text."""
    return FlowEvent(
        at=1_800_000_000_000_000_000 + number,
        line=number,
        raw=f"record {number}",
        verdict=Verdict.DENIED,
        direction=Direction.EGRESS,
        src=Peer(namespace="shop", pod=f"web-{number}", ip="10.1.0.1"),
        dst=Peer(namespace="shop", pod="db", ip="10.2.0.1", port=5432),
        protocol="TCP",
    )


def test_texts_that_nobody_wants_do_not_stay():
    """Of 9,000 flows 300 keep their texts: the shelves hold about as many, and say them after a journey."""
    tally = Tally(Limits(example_texts=300))
    for number in range(9000):
        tally.add(refusal(number), "hubble", "in")
    out = BytesIO()
    tally.write(out)
    lanes = [lane for lane in tally.table.lanes.values() if lane.examples]
    wanted = {one.text for lane in lanes for one in lane.examples if one.text is not NO_TEXT}
    shelves = {text.shelf for text in wanted}
    arrived = Tally.from_bytes(out.getvalue())
    told = {example.line: example.raw for flow in arrived.flows() for example in flow.examples}

    assert len(lanes) == len(told) == 9000
    assert 0 < len(wanted) <= 300
    assert sum(len(shelf.packed()[1]) for shelf in shelves) < 3 * len(wanted) + 1100
    assert {raw for raw in told.values() if raw} == {str(text) for text in wanted}
    assert all(raw in ("", f"record {line}") for line, raw in told.items())
