"""What every text parser of Hubble and Cilium promises: no exception, sound prefilter marks, lines that grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdiag.ingest.envelopes import Rows
from flowdiag.ingest.marks import marked
from flowdiag.parserkit import (
    Block,
    Envelope,
    Event,
    FlowEvent,
    GapEvent,
    LogEvent,
    ParseContext,
    TimeSource,
    Verdict,
    parse_rfc3339,
)
from flowdiag_parsers.cilium.agent_log import CiliumAgentLog
from flowdiag_parsers.cilium.agent_signals import SIGNALS, signal_of
from flowdiag_parsers.cilium.agent_syntax import read_entry
from flowdiag_parsers.cilium.monitor import CiliumMonitor
from flowdiag_parsers.cilium.monitor_json import CiliumMonitorJson
from flowdiag_parsers.hubble.observe_compact import HubbleCompact
from flowdiag_parsers.hubble.observe_dict import HubbleDict
from flowdiag_parsers.hubble.observe_table import HubbleTable

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "parsers"
PARSERS: dict[str, Any] = {
    p.name: p
    for p in (
        HubbleCompact(),
        HubbleDict(),
        HubbleTable(),
        CiliumMonitor(),
        CiliumMonitorJson(),
        CiliumAgentLog(),
    )
}
INPUTS = {
    name: [path.read_bytes() for path in sorted((FIXTURES / name).glob("*/input.*"))] for name in PARSERS
}
LINES = {
    name: sorted({line for data in inputs for line in data.split(b"\n")}) for name, inputs in INPUTS.items()
}
REFUSED = {Verdict.DENIED, Verdict.AUDITED}


def parsed(parser: Any, data: bytes, **context: Any) -> list[Event]:
    return list(parser.parse(Block(data=data, last=True), ParseContext(input="x", year=2026, **context)))


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_lines_never_raise(name, data):
    """Any damage to any line gives events or warnings, in the order of the lines, and never an exception."""
    lines = data.draw(st.lists(st.sampled_from(LINES[name]), min_size=1, max_size=6))
    text = bytearray(b"\n".join(lines))
    for _ in range(data.draw(st.integers(0, 6))):
        if text:
            place = data.draw(st.integers(0, len(text) - 1))
            text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    events = parsed(PARSERS[name], bytes(text))
    numbers = [event.line for event in events]

    assert numbers == sorted(numbers)


@pytest.mark.parametrize("name", sorted(n for n, p in PARSERS.items() if hasattr(p, "denied_marks")))
@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_prefilter_drops_nothing_refused(name, data):
    """Reading only the lines, or whole records, that hold a mark finds every denial, audit and gap that reading all lines finds."""
    parser = PARSERS[name]
    lines = data.draw(st.lists(st.sampled_from(LINES[name]), min_size=1, max_size=12))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(lines) - 1))
        mixed = data.draw(st.permutations(lines[place].split(b" ")))
        lines[place] = b" ".join(mixed)
    text = b"\n".join(lines) + b"\n"
    marks = parser.denied_marks(text)
    rows = marked(
        Rows(data=text, lines=range(1, len(lines) + 1)), marks, getattr(parser, "record_mark", None)
    )
    kept = Block(data=rows.data, envelope=Envelope(lines=list(rows.lines)), last=True)

    def refused(events: list[Event]) -> list[Any]:
        return [
            (e.src, e.dst, e.protocol, e.reason_raw) if isinstance(e, FlowEvent) else e.lost
            for e in events
            if isinstance(e, GapEvent) or (isinstance(e, FlowEvent) and e.verdict in REFUSED)
        ]

    context = ParseContext(input="x", year=2026)
    assert refused(list(parser.parse(kept, context))) == refused(parsed(parser, text))


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_sniffers_stay_with_their_own(name):
    """Each sniffer is surest of its own fixtures by a clear margin; garbage and nothing are nobody's."""
    for data in INPUTS[name]:
        scores = {other: parser.sniff(data) for other, parser in PARSERS.items()}
        own = scores.pop(name)
        assert own >= 0.6, data[:200]
        assert own - max(scores.values()) >= 0.2, (scores, own, data[:200])
    for empty in (b"", b"\x00\xff\xfe" * 100, b"{}\n", b"just words\n", b"level=info msg=hello\n"):
        assert PARSERS[name].sniff(empty) < 0.6


@pytest.mark.parametrize("name", ["hubble-dict", "cilium-monitor"])
def test_blocks_cut_between_records_give_the_same(name):
    """Cutting an input where a record starts, anywhere, changes no event."""
    parser = PARSERS[name]
    for data in INPUTS[name]:
        whole = parsed(parser, data)
        lines = data.split(b"\n")
        starts = [n for n in range(1, len(lines)) if lines[n] and parser.record_start(lines[n])]
        assert starts or len(whole) <= 1
        for cut in starts:
            head, tail = b"\n".join(lines[:cut]) + b"\n", b"\n".join(lines[cut:])
            context = ParseContext(input="x", year=2026)
            parts = [
                *parser.parse(Block(data=head), context),
                *parser.parse(Block(data=tail, first_line=cut + 1, last=True), context),
            ]
            assert parts == whole


@pytest.mark.parametrize("name", sorted(PARSERS))
def test_line_ends_do_not_matter(name):
    """CRLF gives the events that LF gives."""
    folder = FIXTURES / name / "crlf"
    data = next(folder.glob("input.*")).read_bytes()

    assert b"\r\n" in data
    assert parsed(PARSERS[name], data) == parsed(PARSERS[name], data.replace(b"\r\n", b"\n"))


def test_monitor_takes_times_and_node_from_the_envelope():
    """A monitor line has no time of its own: the envelope's is taken, and said to be."""
    line = (
        b"xx drop (Policy denied) flow 0x1 to endpoint 0, , identity 1->2: 10.0.0.1:1 -> 10.0.0.2:2 tcp SYN\n"
    )
    around = Envelope(lines=[7], at=[1234], node=["worker-1"])
    events = list(CiliumMonitor().parse(Block(data=line, envelope=around), ParseContext(input="x")))

    assert [(e.line, e.at, e.time_source, e.node) for e in events] == [
        (7, 1234, TimeSource.ENVELOPE, "worker-1")
    ]
    assert parsed(CiliumMonitor(), line)[0].at is None


def test_year_comes_from_the_envelope_when_nobody_gives_it():
    """A stamp without a year lands next to the time at which its envelope received it."""
    line = b"Dec 31 23:59:59.500: 10.0.0.1:1 (ID:9) <> 10.0.0.2:2 (ID:8) Policy denied DROPPED (UDP)\n"
    received = parse_rfc3339("2026-01-01T00:00:01Z")
    block = Block(data=line, envelope=Envelope(at=[received]))
    event = next(iter(HubbleCompact().parse(block, ParseContext(input="x"))))

    assert (event.at, event.time_source) == (
        parse_rfc3339("2025-12-31T23:59:59.5Z"),
        TimeSource.INFERRED_YEAR,
    )


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda s: s.code)
def test_signal_samples_are_recognised(signal):
    """The sample beside each signal is read as a log line and gives that signal."""
    entry = read_entry(signal.sample)

    assert entry is not None
    assert signal_of(entry.message, entry.fields.get("error")) == signal.code
    messages = [e for e in parsed(CiliumAgentLog(), signal.sample.encode()) if isinstance(e, LogEvent)]
    assert [m.signal for m in messages] == [signal.code]


@pytest.mark.parametrize(
    ("error", "signal"),
    [("update: the map is full", "policy-map-full"), ("invalid argument", "policy-map-error")],
)
def test_a_full_map_is_that_of_the_message(error, signal):
    """An error need not name the map that is full; the message says which key did not go in."""
    assert signal_of("Failed to add PolicyMap key", error) == signal
    assert signal_of("Unable to insert conntrack entry", error) is None


PIECES = (
    " k=v",
    ' k="two words"',
    " k=[a b]",
    " k=",
    " k=other",
    ' msg="again"',
    " time=x",
    " level=error",
    " source=b",
    ' "',
    "x=1",
    " =",
    " [",
    '="',
    " é=ü",
    " v=" + "y" * 4100,
)


@given(
    st.booleans(),
    st.sampled_from(("", " source=/go/src/a.go:1", " source=[a]b")),
    st.lists(st.sampled_from(PIECES), max_size=70),
)
def test_a_line_in_its_usual_order_reads_as_in_any_other(
    quoted: bool, source: str, pieces: list[str]
) -> None:
    """The short way for what Cilium's handler writes gives what reading pair by pair gives."""
    stamp = '"2026-04-21T09:00:00.1Z"' if quoted else "2026-04-21T09:00:00.1Z"
    rest = f'{source} msg="Upserted policy"{"".join(pieces)}'

    assert read_entry(f"time={stamp} level=warn{rest}") == read_entry(f"level=warn time={stamp}{rest}")
