"""Records that are counted in lanes many at a time are told as if they had come one by one."""

from __future__ import annotations

from functools import partial
from random import Random
from unittest import mock
from weakref import ref

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flowdiag.model.event import FlowEvent, Peer, TimeSource, Verdict
from flowdiag.model.time import NS
from flowdiag.parserkit import REFUSED, Block
from flowdiag.parserkit.block import Envelope
from flowdiag.parserkit.placing import place_event
from flowdiag.tally import Limits, Tally, batches, rows
from flowdiag.tally.collecting import uncollected
from tests.tally.test_folded_at_once import again
from tests.tally.test_folded_at_once import limits as tight
from tests.tally.test_tally_laws import results

BEYOND = (1 << 32) * NS
"""The first moment whose second has more than 32 bits."""


def batched(tally, some, parser, name, *, numbered):
    """Count flows of one input as a fast parser does: their lanes are numbered once."""
    sink = tally.sink(parser, name)
    known = sink.memo.setdefault("numbers", {})
    numbers, ats, ports, flags, raws = [], [], [], [], []
    for event in some:
        placed = place_event(event)
        src, dst, shape = sink.peer(placed.src), sink.peer(placed.dst), sink.shape(placed.shape)
        key = (src, dst, placed.port, shape, placed.direction, event.witness)
        if key not in known:
            lane = sink.lane(*key)
            known[key] = lane, sink.number(lane)
        lane, number = known[key]
        sink.note(lane, src_names=placed.src_names, dst_names=placed.dst_names, policies=event.policies)
        numbers.append(number)
        ats.append(-1 if event.at is None else event.at)
        ports.append(-1 if placed.source_port is None else placed.source_port)
        flags.append(placed.flags)
        raws.append(event.raw.encode())
    lines = [event.line for event in some]
    # With its wrapper's lines, or lines one behind the other.
    block, places = Block(data=b"", first_line=0), lines
    if numbered:
        block, places = replace(block, envelope=Envelope(lines=lines)), list(range(len(lines)))
    sink.hits(block, numbers, ats, ports, flags, places, lambda place: raws[places.index(place)])
    for event in some:
        sink.seen(1, event.at, event.at)


def distinct(found):
    """The same flows, no two of them from one line of an input, as it is in files."""
    return [
        (replace(event, line=line, raw=f"{line}"), parser, name)
        for line, (event, parser, name) in enumerate(found, 1)
    ]


@settings(max_examples=80, deadline=None)
@given(
    found=again().map(distinct), bounds_of=st.one_of(tight, st.just(Limits())), seed=st.integers(0, 1 << 32)
)
def test_batches_of_any_size_and_order_give_what_single_records_do(found, bounds_of, seed):
    """Looks at the bounds, moved lines, merges and journeys by bytes between them change nothing."""
    whole = Tally(bounds_of)
    for event, parser, name in found:
        whole.count(event, parser, name)
    whole.move_lines(lambda line: 10 * line)
    wanted = results(whole)

    chance = Random(seed)  # noqa: S311 - test data
    tallies = [Tally(bounds_of) for _ in range(2)]
    left = chance.sample(found, len(found))
    with mock.patch.object(batches, "_MOST_PORTS", 3), mock.patch.object(rows, "_ROOM", 5):
        while left:
            size = chance.choice([1, 2, 7, 40])
            some, left = left[:size], left[size:]
            at = chance.randrange(2)
            tally = tallies[at]
            for parser, name in sorted({(parser, name) for _, parser, name in some}):
                mine = [event for event, *where in some if where == [parser, name]]
                light = [event for event in mine if event.count == 1 and event.verdict in REFUSED]
                for event in mine:
                    if event not in light:
                        tally.count(event, parser, name)
                batched(tally, light, parser, name, numbered=chance.random() < 0.5)
            what = chance.random()
            if what < 0.3:
                tally.table.sort_in()
            elif what < 0.5:
                tally.compact()
            elif what < 0.6:
                tallies[at] = Tally.from_bytes(tally.to_bytes())
            elif what < 0.7:
                tally.merge(tallies[1 - at])
                tallies[1 - at] = Tally(bounds_of)
        first, other = tallies
        first.merge(other)
        first.move_lines(lambda line: 10 * line)
        assert results(first) == wanted


@settings(max_examples=60, deadline=None)
@given(
    found=again().map(distinct), bounds_of=st.one_of(tight, st.just(Limits())), seed=st.integers(0, 1 << 32)
)
def test_what_waits_is_forgotten_as_what_was_counted(found, bounds_of, seed):
    """Between any two records: what is held until there are more is as old as it is."""
    chance = Random(seed)  # noqa: S311 - test data
    whole, many = Tally(bounds_of), Tally(bounds_of)
    moments = [event.at for event, *_ in found if event.at is not None] or [0]
    for event, parser, name in chance.sample(found, len(found)):
        whole.count(event, parser, name)
        if event.count == 1 and event.verdict in REFUSED:
            batched(many, [event], parser, name, numbered=chance.random() < 0.5)
        else:
            many.count(event, parser, name)
        if chance.random() < 0.1:
            before = chance.choice(moments)
            whole.forget(before)
            many.forget(before)

    assert results(many) == results(whole)


def refused(line, at, port=40_000, verdict=Verdict.DENIED):
    """A record of one pair."""
    return FlowEvent(
        line=line,
        at=at,
        time_source=TimeSource.RECORD if at is not None else TimeSource.NONE,
        raw=f"{line}",
        src=Peer(ip="10.0.0.1", port=port),
        dst=Peer(ip="10.0.0.2", port=80),
        protocol="TCP",
        verdict=verdict,
    )


def told(some, limits=None):
    """What single records give, and what batches do."""
    one, many = Tally(limits), Tally(limits)
    for event in some:
        one.count(event, "p", "f")
    batched(many, some, "p", "f", numbered=False)
    return results(one), results(many)


def test_times_far_away_and_odd_ports_are_counted_too():
    """Neither fits into the columns."""
    one, many = told([refused(1, BEYOND - 1), refused(2, BEYOND), refused(3, 10**9, port=70_000)])

    assert many == one


def test_what_was_allowed_keeps_no_example_and_no_port():
    """Also where it comes with a time, and where it has none."""
    one, many = told(
        [refused(1, None, verdict=Verdict.ALLOWED), refused(2, 90 * NS, verdict=Verdict.ALLOWED)]
    )

    assert many == one


def test_of_few_records_a_block_few_blocks_are_held():
    """Texts are let go of long before there are many records."""
    tally = Tally()
    sink = tally.sink("p", "f")
    placed = place_event(refused(1, NS))
    ends = sink.peer(placed.src), sink.peer(placed.dst)
    number = sink.number(sink.lane(*ends, placed.port, sink.shape(placed.shape), None, None))
    texts = []
    for line in range(1, 100):
        raw = {0: b"%d" % line}.__getitem__
        held = partial(raw)
        texts.append(ref(held))
        sink.hits(Block(data=b"", first_line=line), [number], [line * NS], [-1], [0], [0], held)
        sink.seen(1, line * NS, line * NS)
        del raw, held

    assert sum(text() is not None for text in texts) < 20
    assert [kept.raw for kept in tally.flows()[0].examples][:2] == ["1", "2"]


def test_nothing_of_a_parser_is_held_when_nothing_more_comes():
    """Not its memory either, which may have a thread; nobody has to look for cycles first."""
    tally = Tally()
    sink = tally.sink("p", "f")
    sink.memo["memory"] = memory = set()
    remembered = ref(memory)
    number = sink.number(sink.lane(0, 0, 80, sink.shape(place_event(refused(1, NS)).shape), None, None))
    sink.hits(Block(data=b"", first_line=1), [number], [NS], [-1], [0], [0], {0: b"1"}.__getitem__)
    with uncollected():
        del sink, memory
        tally.rest()
        assert remembered() is None


def test_a_lane_that_was_widened_is_not_widened_twice():
    """What was given to it once is not given again."""
    limits = Limits(refused_buckets=4)
    tally, whole = Tally(limits), Tally(limits)
    for start in (0, 50):
        some = [refused(n, n * 10 * NS) for n in range(start + 1, start + 20)]
        batched(tally, some, "p", "f", numbered=False)
        tally.compact()
        for event in some:
            whole.count(event, "p", "f")

    assert results(tally) == results(whole)


def test_lines_that_moved_do_not_keep_earlier_ones_out():
    """A record without a time comes before another by its line alone, and lines are counted anew at a part's end."""
    tally = Tally(Limits(examples=1))

    batched(tally, [refused(5, None)], "p", "f", numbered=False)
    tally.shift_lines(100)
    batched(tally, [refused(50, None)], "p", "f", numbered=False)

    assert [example.line for flow in tally.flows() for example in flow.examples] == [50]
