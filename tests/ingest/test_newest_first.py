"""What collectors give from the newest line on is read from the oldest, where records hang on those before them."""

from __future__ import annotations

import json

import pytest

from flowdiag.ingest import Gathered, ReadOptions, newest_first
from flowdiag.ingest.envelopes import Row
from flowdiag.ingest.envelopes.rows import rows_from
from flowdiag.ingest.events import iter_events
from flowdiag.ingest.newest_first import in_time
from flowdiag.model.event import FlowEvent, Verdict

BEGIN = 1767607200 * 10**9
TAIL = (
    "IN=cni0 OUT=cni0 MAC= SRC=10.42.0.9 DST=10.42.0.10 LEN=60 TOS=00 PREC=0x00 TTL=64 ID=1 DF PROTO=TCP SPT=35218 DPT=80 "
    "SEQ=1 ACK=0 WINDOW=62377 SYN URGP=0 MARK=0 "
)
LOGS = {
    "kube-network-policies": [
        'I0105 10:00:01.000001       1 engine.go:67] "Evaluating packet" id=9 direction="Egress" srcPod="shop/a" dstPod="shop/b" packet=<',
        "\t[9] 10.0.1.3:40243 10.0.2.2:8080 TCP",
        " >",
        'I0105 10:00:01.000100       1 engine.go:67] "Packet denied by egress policy" id=9',
        'I0105 10:00:02.000001       1 engine.go:67] "Evaluating packet" id=9 direction="Egress" srcPod="shop/c" dstPod="shop/d" packet=<',
        "\t[9] 10.0.1.4:40244 10.0.2.3:8081 TCP",
        " >",
        'I0105 10:00:02.000100       1 engine.go:67] "Packet denied by egress policy" id=9',
    ],
    "nflog": [f"Jan  5 10:00:01 node-1 DROP by policy shop/web {TAIL}", f"Jan  5 10:00:01 node-1  {TAIL}"],
}


def loki(lines):
    values = [[str(BEGIN + at), line] for at, line in enumerate(lines)]
    return json.dumps(
        {"data": {"resultType": "streams", "result": [{"stream": {"pod": "a"}, "values": values[::-1]}]}}
    )


def logcli(lines):
    stamped = [f'2026-01-05T10:00:00.{at:06d}Z {{pod="a"}} {line}\n' for at, line in enumerate(lines)]
    return "".join(reversed(stamped))


def told(path, text):
    path.write_text(text)
    with Gathered([str(path)]) as sources:
        found = [event for _, _, event in iter_events(sources, ReadOptions(year=2026))]
    return found, [
        (event.src.ip, event.src.port, event.dst.ip, event.dst.port, event.verdict, event.policies)
        for event in found
        if isinstance(event, FlowEvent)
    ]


@pytest.mark.parametrize("export", [loki, logcli])
@pytest.mark.parametrize("parser", LOGS)
def test_joined_lines_are_joined_whichever_comes_first(tmp_path, parser, export):
    """The same flows as in the log itself; events stand as the export has their lines."""
    _, bare = told(tmp_path / "bare.log", "".join(f"{line}\n" for line in LOGS[parser]))
    events, flows = told(tmp_path / "export", export(LOGS[parser]))

    assert sorted(flows, key=repr) == sorted(bare, key=repr)
    assert {flow[4] for flow in flows} == {Verdict.DENIED}
    assert [event.line for event in events] == sorted(event.line for event in events)


def run(*rows, cut=False):
    return rows_from([Row(data, line, at) for data, line, at in rows], open_end=cut)


def lines(found):
    return [(row.data, row.line) for rows in found for row in rows]


def test_lines_of_one_message_keep_their_order():
    """What a collector took for one message was written in that order."""
    found = in_time([run((b"c", 1, 9), (b"d", 1, 9)), run((b"a", 2, 7), (b"b", 2, 7))])

    assert lines(found) == [(b"a", 2), (b"b", 2), (b"c", 1), (b"d", 1)]


def test_a_line_that_may_be_cut_off_stays_the_last():
    """A parser knows such a one by the newline that it lacks."""
    (rows,) = in_time([run((b"c", 1, 9), (b"b", 2, 8), (b"a-and-h", 3, 7), cut=True)])

    assert rows.data == b"b\nc\na-and-h"


@pytest.mark.parametrize(
    "ats",
    [(1, 2, 3, 4, 5), (5, 4, 6, 5, 7), (None, None, None, None, None), (3, 3, 3, 3, 3), (1, 2, 3, 1, 2)],
)
def test_what_does_not_fall_stays_as_it_is(ats):
    """Lines of several writers mix, and the streams of a response begin anew."""
    rows = [(b"x%d" % line, line, at) for line, at in enumerate(ats, 1)]

    assert lines(in_time([run(*rows)])) == [(data, line) for data, line, _ in rows]


def test_of_more_than_is_held_the_pieces_keep_their_order(monkeypatch):
    """Memory is bounded; a join over the border is lost."""
    monkeypatch.setattr(newest_first, "_ASKED_BYTES", 4)
    monkeypatch.setattr(newest_first, "_HELD_BYTES", 8)
    runs = [run((b"%dx" % at, 9 - at, at), (b"%dy" % at, 10 - at, at - 1)) for at in (8, 6, 4)]

    assert lines(in_time(runs)) == [(b"6y", 4), (b"6x", 3), (b"8y", 2), (b"8x", 1), (b"4y", 6), (b"4x", 5)]
