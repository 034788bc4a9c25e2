"""Reading JSON of strangers: any value may be missing or of another type, and none of that may raise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from flowdiag.model.event import ParseWarning
from flowdiag.parserkit.block import Block, LineEnvelope, ParseContext
from flowdiag.parserkit.framing import frame
from flowdiag.parserkit.lines import decode, iter_lines

__all__ = [
    "JsonLine",
    "beheaded",
    "bounded",
    "chosen_objects",
    "has_long_number",
    "integer_of",
    "json_lines",
    "json_object",
    "object_behind",
    "object_of",
    "text_of",
]


_INT64 = 1 << 63
# "count":100000000000000000000, one digit more than 9223372036854775807 has
_LONG = re.compile(rb"\d{20}")
_LONG_TEXT = re.compile(r"\d{20}")


def json_object(line: bytes | str) -> dict[str, Any] | None:
    """The object that `line` is; ``None`` where it is no whole JSON object."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return bounded(value) if has_long_number(line) else value


def bounded(value: Any) -> Any:
    """A JSON value with nothing in the place of whole numbers past 64 bits, which no field of any record has.

    They are damage, or were written to make a worker fail: neither MessagePack nor SQLite nor numpy can hold one.
    """
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else None
    if isinstance(value, list):
        return [bounded(one) for one in value]
    return {key: bounded(one) for key, one in value.items()} if isinstance(value, dict) else value


def has_long_number(text: bytes | str) -> bool:
    """Whether a text may hold a whole number past 64 bits; if not, its numbers need not be looked at."""
    pattern = _LONG_TEXT if isinstance(text, str) else _LONG
    return pattern.search(text) is not None  # type: ignore[arg-type]


def beheaded(line: bytes, around: LineEnvelope) -> bool:
    """Whether an input's first line is the end of an object whose beginning was cut away, as ``tail -c`` leaves it."""
    text = line.strip()
    return (
        around.line == 1
        and text[-1:] == b"}"
        and text[:1] != b"{"
        # "Common labels: {}" above what Grafana saved is whole.
        and text.count(b"}") > text.count(b"{")
    )


def object_behind(line: bytes, mark: bytes) -> bytes:
    """Cut off what stands before the object in a line with this mark, of a wrapper that is not known: ``17:``, ``agent_1 | ``."""
    start = line.find(b"{")
    return line[start:] if start > 0 and mark in line else line


class JsonLine(NamedTuple):
    """A line's object, and what stands around it."""

    record: dict[str, Any]
    around: LineEnvelope
    text: str


def json_lines(block: Block, context: ParseContext, mark: bytes) -> Iterator[JsonLine | ParseWarning]:
    """Yield the objects of a log with one per line; lines of text are skipped, and damaged objects become warnings.

    Args:
        block: whole lines.
        context: of the input.
        mark: what every record has, by which one is known behind a prefix that no wrapper has.
    """
    for index, line in iter_lines(block):
        around = block.of_line(index)
        body = object_behind(line, mark)
        if body.lstrip()[:1] != b"{" and not beheaded(line, around):
            continue
        record, text = json_object(body), decode(line)
        if record is None:
            shared = frame(around, context, text)
            yield ParseWarning(**shared, code="malformed-json", message="not a whole record")
        else:
            yield JsonLine(record, around, text)


def chosen_objects(
    block: Block, context: ParseContext, wanted: Callable[[bytes], object], what: str
) -> Iterator[JsonLine | ParseWarning]:
    """Yield the objects of those lines that are wanted; a wanted line that is no whole object becomes a warning.

    Args:
        block: whole lines.
        context: of the input.
        wanted: whether a line is read; most are passed over so, before their JSON is.
        what: what a record of this log is called in that warning.
    """
    for index, line in iter_lines(block):
        if not wanted(line):
            continue
        around, text = block.of_line(index), decode(line)
        record = json_object(line)
        if record is None:
            shared = frame(around, context, text)
            yield ParseWarning(**shared, code="malformed-json", message=f"not a whole {what}")
        else:
            yield JsonLine(record, around, text)


def text_of(record: dict[str, Any], *keys: str) -> str | None:
    """The first of these that is text with something in it."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def integer_of(record: dict[str, Any], *keys: str) -> int | None:
    """The first of these that is a whole number of 64 bits: as such, as a float without a fraction, or as digits."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, bool):
            continue
        if (isinstance(value, float) and value.is_integer()) or (
            isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
        ):
            value = int(value)
        if isinstance(value, int) and -_INT64 <= value < _INT64:
            return value
    return None


def object_of(record: dict[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`; empty where there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}
