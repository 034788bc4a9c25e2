r"""What every parser promises, as a test that anybody can run on theirs.

    from flowdiag.parserkit.testing import assert_parser_contract

    def test_contract() -> None:
        assert_parser_contract(MyParser(), [b"a real line\n", b"another\n"])

Needs no test framework: a broken promise is an `AssertionError` that says which.
Not checked: whether `sniff` is cheap (it must not decode the whole head), and what the events say.
"""

# ruff: noqa: S101 - a broken promise is an AssertionError, so that any test framework shows it as a failure
from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from msgspec import structs

from flowdiag.model.event import FlowEvent, GapEvent, ParseWarning, Verdict
from flowdiag.model.time import NS
from flowdiag.parserkit.block import Block, Envelope, ParseContext
from flowdiag.parserkit.damage import damaged, misshapen
from flowdiag.parserkit.lines import cut_lines
from flowdiag.parserkit.packets import canonical_ip
from flowdiag.parserkit.promises import marks_fault, most_events, parser_fault, score_fault, sound

__all__ = ["FOREIGN_HEADS", "assert_parser_contract"]

FOREIGN_HEADS: tuple[bytes, ...] = (
    b"",
    b"\n",
    b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 8,
    b"\xff\xfe\x00\x01" * 512,
    b"\xc3\x28 not utf-8 \x80\x81\n" * 20,
    b"Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n" * 40,
    b"{}\n[]\nnull\n0\n",
    b"{" * 4000,
    b"[" * 4000,
    b'{"a":' * 2000,
    b"key: value\nlist:\n  - 1\n  - 2\n",
    b"a,b,c\n1,2,3\n",
)
"""Heads that are nobody's format: a parser that claims one of them would claim anything."""

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_SURE = 0.6
_CUTS = 40
_PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")
_WITH_PORT = re.compile(r"\d+\.\d+\.\d+\.\d+:\d+\Z")
_EARLY = 30 * 86_400 * NS
_SHORT = 20_000
"""Bytes of a sample that are damaged."""
_TOGETHER = 8
_REFUSED = (Verdict.DENIED, Verdict.AUDITED)


def assert_parser_contract(
    parser: Any, samples: Iterable[bytes] = (), new_tally: Callable[[], Any] | None = None
) -> None:
    """Check that `parser` keeps the promises of `flowdiag.parserkit.Parser`.

    Args:
        parser: an instance.
        samples: inputs of its format (envelopes peeled), which are then also read damaged, cut and mixed; the
            more the better.  Samples of other formats do no harm.
        new_tally: makes an empty `flowdiag.tally.Tally`; with it a parser's ``fold`` is held against its `parse`.

    Raises:
        AssertionError: with the promise that is broken, and on which input.
    """
    _check_names(parser)
    inputs = list(samples)
    for head in (*FOREIGN_HEADS, *inputs):
        try:
            fault = score_fault(parser.sniff(head[: 1 << 16]))
        except Exception as error:
            raise AssertionError(f"sniff raises {error!r} on {_shown(head)}") from error
        assert fault is None, f"{fault}, for {_shown(head)}"
    for head in FOREIGN_HEADS:
        assert parser.sniff(head) <= 0.5, f"sniff claims what is nobody's: {_shown(head)}"
    for data in (*FOREIGN_HEADS, *inputs):
        _check_parse(parser, data)
        _check_marks(parser, data)
        _check_fold(parser, [data], new_tally)
    _check_meaning(parser, inputs)
    for data in inputs:
        _check_cuts(parser, data)
    rng = random.Random(1)  # noqa: S311 - the same damage in every run
    for data in inputs:
        broken = list(damaged(data[:_SHORT], rng))
        if parser.sniff(data[: 1 << 16]) > _SURE:
            broken += misshapen(data, rng)
        for one in broken:
            _check_parse(parser, one)
        _check_fold(parser, broken, new_tally)


def _check_names(parser: Any) -> None:
    fault = parser_fault(parser)
    assert fault is None, fault
    assert _NAME.match(parser.name), f"name is kebab-case: {parser.name!r}"


def _check_parse(parser: Any, data: bytes) -> None:
    count = len(cut_lines(data))
    for block in (
        Block(data=data, first_line=1000, last=True),
        Block(data=data, first_line=1, envelope=Envelope(lines=[5 + 2 * index for index in range(count)])),
    ):
        context = ParseContext(input="contract", keep_raw=True)
        most = most_events(data)
        try:
            events = list(islice(parser.parse(block, context), most + 1))
        except Exception as error:
            raise AssertionError(f"parse raises {error!r} on {_shown(data)}") from error
        assert len(events) <= most, f"parse does not end: {len(events)} events of {_shown(data)}"
        _check_events(parser, events, block, count, data)


def _check_events(parser: Any, events: Sequence[Any], block: Block, count: int, data: bytes) -> None:
    where = f"in {_shown(data)}"
    before = 0
    for event in events:
        _check_types(event, where)
        if isinstance(event, ParseWarning):
            assert event.code, f"a warning has a code {where}"
            assert event.message, f"a warning has a message {where}"
        assert _is_frozen(event), f"events are frozen and hashable by value {where}"
        if parser.document:
            assert event.line >= 1, f"elements are counted from 1, not {event.line} {where}"
            continue
        first, last = (
            block.of_line(0).line,
            block.of_line(max(count, 1) - 1).line if count else block.first_line,
        )
        free = parser.sequential or _is_document(data)
        low = 1 if free else first
        assert low <= event.line <= last, f"line {event.line} lies outside the block {low}..{last} {where}"
        if not free:
            assert event.line >= before, f"lines go up: {event.line} after {before} {where}"
            before = event.line


def _check_meaning(parser: Any, inputs: Sequence[bytes]) -> None:
    """Check that the events of whole samples use their fields as they are meant, as far as any format shows that."""
    read = False
    claimed = False
    for data in inputs:
        events = _parsed(parser, data, keep_raw=False)
        read = read or bool(events)
        claimed = claimed or (bool(events) and parser.sniff(data[: 1 << 16]) > _SURE)
        for event in events:
            where = f"in line {event.line} of {_shown(data)}"
            assert event.raw is None, f"raw is kept only where the context's keep_raw asks for it, {where}"
            assert event.at is None or not 0 < event.at < _EARLY, (
                f"at is nanoseconds since 1970: {event.at} is January 1970; is it seconds? (from_epoch) {where}"
            )
            assert event.node != "", f"node is None where it is not known, not empty, {where}"
            if isinstance(event, FlowEvent):
                _check_flow(event, where)
    assert read or not inputs, "none of the samples gives an event"
    assert claimed or not inputs, f"sniff claims none of the samples: {_SURE} is what a parser is taken above"


def _check_flow(event: FlowEvent, where: str) -> None:
    known = (event.protocol or "").upper()
    assert known not in _PROTOCOLS or event.protocol == known, (
        f"protocol is {known!r} (protocol_name), not {event.protocol!r}, {where}"
    )
    assert event.verdict is not Verdict.ALLOWED or event.cause is None, (
        f"cause says why something was refused: None for what was allowed, not {event.cause!r}, {where}"
    )
    for word, peer in (("src", event.src), ("dst", event.dst)):
        for each in ("ip", "namespace", "pod", "node", "service", "entity"):
            value = getattr(peer, each)
            assert value != "", f"{word}.{each} is None where the record does not say, not empty, {where}"
        if peer.ip is not None:
            proper = canonical_ip(peer.ip) or peer.ip
            assert peer.ip == proper, f"{word}.ip is {proper!r} (canonical_ip), not {peer.ip!r}, {where}"
            assert not _WITH_PORT.match(peer.ip), (
                f"{word}.ip is an address without its port (split_address), not {peer.ip!r}, {where}"
            )


def _check_cuts(parser: Any, data: bytes) -> None:
    """Check that a block's events do not depend on other blocks: several processes read them, in any order."""
    if parser.document or parser.sequential or _is_document(data):
        return
    whole = _parsed(parser, data, keep_raw=True)
    lines = data.splitlines(keepends=True) if b"\r" not in data else []
    starts = getattr(parser, "record_start", None)
    places = [
        place
        for place in range(1, len(lines))
        if lines[place - 1].endswith(b"\n") and (starts is None or starts(lines[place].rstrip(b"\r\n")))
    ]
    for place in places[:: 1 + len(places) // _CUTS]:
        front, back = b"".join(lines[:place]), b"".join(lines[place:])
        # The later block first, as it may happen with several processes.
        second = _parsed(parser, back, keep_raw=True, first_line=1 + place)
        first = _parsed(parser, front, keep_raw=True, last=False)
        assert [*first, *second] == whole, (
            f"cut before line {1 + place} other events come: a record depends on others of its input, "
            f"which sequential = True is for (or record_start, where records span lines), in {_shown(data)}"
        )


def _parsed(parser: Any, data: bytes, *, keep_raw: bool, first_line: int = 1, last: bool = True) -> list[Any]:
    context = ParseContext(input="contract", keep_raw=keep_raw)
    events = list(parser.parse(Block(data=data, first_line=first_line, last=last), context))
    assert parser.sequential or not context.memory, (
        "the context's memory is for sequential parsers: for all others blocks are independent"
    )
    return events


def _check_types(event: Any, where: str) -> None:
    try:
        found = sound(event)
    except ValueError as error:
        raise AssertionError(f"{error} {where}") from error
    for word in event.__struct_fields__:
        is_, must = getattr(event, word), getattr(found, word)
        assert type(is_) is type(must), f"{word} is {must!r}, not {is_!r} {where}"
        assert is_ == must, f"{word} is {must!r}, not {is_!r} {where}"


def _is_document(data: bytes) -> bool:
    """Whether this is one JSON value over several lines, whose elements a parser counts instead of lines."""
    start = data.lstrip()
    return start.startswith(b"[") or (
        start.startswith(b"{") and not start.split(b"\n", 1)[0].rstrip().endswith(b"}")
    )


def _is_frozen(event: Any) -> bool:
    try:
        event.line = event.line
    except AttributeError:
        return True
    return False


def _check_marks(parser: Any, data: bytes) -> None:
    """Check that every line (or record) that gave a refusal or a gap holds one of the marks; without one it would be skipped."""
    denied_marks = getattr(parser, "denied_marks", None)
    if denied_marks is None or parser.document:
        return
    try:
        marks = denied_marks(data[: 1 << 16])
    except Exception as error:
        raise AssertionError(f"denied_marks raises {error!r} on {_shown(data)}") from error
    fault = marks_fault(marks)
    assert fault is None, fault
    if marks is None:
        return
    lines = cut_lines(data)
    for event in parser.parse(Block(data=data, last=True), ParseContext(input="contract")):
        refused = isinstance(event, FlowEvent) and event.verdict in _REFUSED
        if not refused and not isinstance(event, GapEvent):
            continue
        line = _record_of(lines, event.line - 1, getattr(parser, "record_mark", None))
        assert any(mark in line for mark in marks), f"a refusal without any of {marks}: {_shown(line)}"


def _record_of(lines: Sequence[bytes], index: int, begins: bytes | None) -> bytes:
    """Give the line; with a mark that records begin with, all lines of its record."""
    if begins is None:
        return lines[index]
    start, end = index, index + 1
    while start > 0 and not lines[start].startswith(begins):
        start -= 1
    while end < len(lines) and not lines[end].startswith(begins):
        end += 1
    return b"\n".join(lines[start:end])


_RESULTS = (
    "flows",
    "logs",
    "log_counts",
    "changes",
    "change_count",
    "gaps",
    "gap_counts",
    "warnings",
    "warning_counts",
    "dns",
    "inputs",
)
"""All that a tally tells."""


def _check_fold(parser: Any, inputs: Sequence[bytes], new_tally: Callable[[], Any] | None) -> None:
    """Check that folding a block gives the same as parsing it and adding the events.

    To ask a tally for its flows takes most of the time, and most inputs have none, so many inputs go into one pair of
    tallies.  Where the two differ, each input is tried alone to name the one at fault.
    """
    if new_tally is None or getattr(parser, "fold", None) is None:
        return
    folded, added = new_tally(), new_tally()
    for number, data in enumerate(inputs):
        context = ParseContext(input=f"contract-{number}", keep_raw=True)
        block = Block(data=data, first_line=7, last=True)
        try:
            folded.take(parser, block, context)
        except Exception as error:
            raise AssertionError(f"fold raises {error!r} on {_shown(data)}") from error
        for event in parser.parse(block, structs.replace(context, memory={})):
            added.add(event, parser.name, context.input)
    results = {what: tuple(_told(tally, what) for tally in (folded, added)) for what in _RESULTS}
    differ = any(one != other for one, other in results.values())
    size = 1 if differ else _TOGETHER
    if len(inputs) > size and (differ or any(results["flows"])):
        for first in range(0, len(inputs), size):
            _check_fold(parser, inputs[first : first + size], new_tally)
    for what, (one, other) in results.items():
        assert one == other, f"fold and parse differ in {what} on {_shown(inputs[0])}"


def _told(tally: Any, what: str) -> Any:
    found = getattr(tally, what)
    return found() if callable(found) else found


def _shown(data: bytes) -> str:
    return repr(data[:160]) + ("..." if len(data) > 160 else "")
