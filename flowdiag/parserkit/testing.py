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
from typing import Any, get_args

from msgspec import structs

from flowdiag.model.event import (
    Event,
    FlowEvent,
    GapEvent,
    ParseWarning,
    TimeSource,
    Verdict,
)
from flowdiag.parserkit.block import Block, Envelope, ParseContext
from flowdiag.parserkit.lines import cut_lines
from flowdiag.parserkit.protocol import Parser

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
_EVENTS = get_args(Event)
_DAMAGES = 24
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
        score = parser.sniff(head[: 1 << 16])
        assert isinstance(score, int | float), f"sniff gives a number, not {score!r} for {_shown(head)}"
        assert 0.0 <= score <= 1.0, f"sniff stays within 0 and 1, not {score} for {_shown(head)}"
    for head in FOREIGN_HEADS:
        assert parser.sniff(head) <= 0.5, f"sniff claims what is nobody's: {_shown(head)}"
    for data in (*FOREIGN_HEADS, *inputs):
        _check_parse(parser, data)
        _check_marks(parser, data)
        _check_fold(parser, [data], new_tally)
    rng = random.Random(1)  # noqa: S311 - the same damage in every run
    for data in inputs:
        broken = list(_damaged(data[:20_000], rng))
        for one in broken:
            _check_parse(parser, one)
        _check_fold(parser, broken, new_tally)


def _check_names(parser: Any) -> None:
    assert isinstance(parser, Parser), (
        "a parser has name, summary, cni, sequential, document, sniff and parse"
    )
    assert _NAME.match(parser.name), f"name is kebab-case: {parser.name!r}"
    assert parser.summary, "summary is one line of text"
    assert "\n" not in parser.summary, "summary is one line of text"
    assert parser.cni is None or parser.cni, "cni is a word, or None where the format shows none"
    assert isinstance(parser.sequential, bool), "sequential is True or False"
    assert isinstance(parser.document, bool), "document is True or False"


def _check_parse(parser: Any, data: bytes) -> None:
    count = len(cut_lines(data))
    for block in (
        Block(data=data, first_line=1000, last=True),
        Block(data=data, first_line=1, envelope=Envelope(lines=[5 + 2 * index for index in range(count)])),
    ):
        context = ParseContext(input="contract", keep_raw=True)
        try:
            events = list(parser.parse(block, context))
        except Exception as error:
            raise AssertionError(f"parse raises {error!r} on {_shown(data)}") from error
        _check_events(parser, events, block, count, data)


def _check_events(parser: Any, events: Sequence[Any], block: Block, count: int, data: bytes) -> None:
    where = f"in {_shown(data)}"
    before = 0
    for event in events:
        assert isinstance(event, _EVENTS), f"parse yields events, not {type(event).__name__} {where}"
        assert event.at is None or type(event.at) is int, f"at is whole nanoseconds, not {event.at!r} {where}"
        known = event.at is not None
        assert known == (event.time_source is not TimeSource.NONE), (
            f"time_source says whether there is a time: at={event.at}, {event.time_source!r} {where}"
        )
        assert event.raw is None or isinstance(event.raw, str), f"raw is text {where}"
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


def _is_document(data: bytes) -> bool:
    """One JSON value over several lines: a parser that reads it counts its elements."""
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
    """Every line (or record) that gave a refusal or a gap holds one of the marks, or skipping would lose it."""
    denied_marks = getattr(parser, "denied_marks", None)
    if denied_marks is None or parser.document:
        return
    marks = denied_marks(data[: 1 << 16])
    if marks is None:
        return
    assert isinstance(marks, tuple), "denied_marks gives a tuple, or None"
    assert all(isinstance(mark, bytes) and mark for mark in marks), (
        "denied_marks are byte strings, none empty"
    )
    lines = cut_lines(data)
    for event in parser.parse(Block(data=data, last=True), ParseContext(input="contract")):
        refused = isinstance(event, FlowEvent) and event.verdict in _REFUSED
        if not refused and not isinstance(event, GapEvent):
            continue
        line = _record_of(lines, event.line - 1, getattr(parser, "record_mark", None))
        assert any(mark in line for mark in marks), f"a refusal without any of {marks}: {_shown(line)}"


def _record_of(lines: Sequence[bytes], index: int, begins: bytes | None) -> bytes:
    """The line, or from the record's first line that begins so to the next one."""
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
    """Folding a block gives what parsing it and adding the events gives.

    Many inputs go into one pair of tallies, since asking these for their flows takes most of the time and most inputs
    have none; where these have, or differ, each input is held up alone.
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
    if len(inputs) > 1 and any(results["flows"]):
        for data in inputs:
            _check_fold(parser, [data], new_tally)
    for what, (one, other) in results.items():
        assert one == other, f"fold and parse differ in {what} on {_shown(inputs[0])}"


def _told(tally: Any, what: str) -> Any:
    found = getattr(tally, what)
    return found() if callable(found) else found


def _damaged(data: bytes, rng: random.Random) -> Iterable[bytes]:
    yield data.replace(b"\n", b"\r\n")
    yield data.removesuffix(b"\n")
    yield data + b"\x00" * 64
    yield b"\n\n" + data
    lines = data.split(b"\n")
    for _ in range(_DAMAGES):
        yield data[: rng.randrange(len(data) + 1)]
        yield data[rng.randrange(len(data) + 1) :]
        broken = bytearray(data)
        for _ in range(1 + len(data) // 200):
            if broken:
                broken[rng.randrange(len(broken))] = rng.randrange(256)
        yield bytes(broken)
        mixed = [*lines, *(bytes(rng.randrange(32, 127) for _ in range(40)) for _ in range(3))]
        rng.shuffle(mixed)
        yield b"\n".join(mixed)


def _shown(data: bytes) -> str:
    return repr(data[:160]) + ("..." if len(data) > 160 else "")
