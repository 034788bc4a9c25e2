"""Lines and documents of Hubble JSON to decoded objects: what is cut, glued or badly encoded costs itself only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from flowdiag.parserkit import Block, decode

__all__ = ["Piece", "is_document", "pieces_of_document", "pieces_of_line"]

_decoder = msgspec.json.Decoder()
_scanner = json.JSONDecoder()
_BETWEEN = " \t\r\n,[]\x1e"


class Piece(msgspec.Struct, frozen=True):
    """One object, or what could not be read of one."""

    value: Any
    raw: bytes
    problem: str | None = None
    """Warning code: ``malformed-json``, ``invalid-utf8`` (then `value` is there too)."""
    message: str | None = None


_GLANCE = 64
"""Bytes that are enough to tell, but where a block begins with white space."""


def is_document(block: Block) -> bool:
    """Whether the block is a JSON array or objects printed over several lines, not one object a line.

    A document is its input's only block: a later one that begins like this is lines, the first of them damaged.
    """
    if block.envelope is not None or block.first_line > 1:
        return False
    for size in (_GLANCE, 65_536):
        start = block.data[:size].lstrip()
        rest = start[1:].lstrip(b" \t\r\v\f")
        if rest:
            break
    return start[:1] == b"[" or (start[:1] == b"{" and rest[:1] == b"\n")


def pieces_of_line(line: bytes) -> Iterator[Piece]:
    """The object of a line; several, where a line break got lost between them."""
    value, reason = _decoded(line)
    if reason is None:
        yield Piece(value, line)
        return
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = decode(line)
        value, reason = _decoded(text.encode())
        if reason is None:
            yield Piece(value, line, "invalid-utf8", "bytes that are not UTF-8")
            return
    yield from _scan(text.lstrip("\ufeff"), line, reason)


def _decoded(data: bytes) -> tuple[Any, str | None]:
    """The value, or why there is none."""
    try:
        return _decoder.decode(data), None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return None, str(error)


def pieces_of_document(data: bytes) -> Iterator[Piece]:
    """The elements of an array (``jq -s``), or objects one after another, printed over several lines.

    After what cannot be read it goes on at the next line that begins an object at its left edge.
    """
    text = decode(data).lstrip("\ufeff")
    at = 0
    while True:
        at = _past(text, at, _BETWEEN)
        if at >= len(text):
            return
        try:
            value, end = _scanner.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            end = _next_start(text, at)
            yield Piece(None, text[at:end].encode(), "malformed-json", str(error)[:200])
        else:
            yield Piece(value, text[at:end].encode())
        at = end


def _scan(text: str, line: bytes, reason: str) -> Iterator[Piece]:
    at, found = _past(text, 0, _BETWEEN), 0
    while at < len(text):
        try:
            value, end = _scanner.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        if not isinstance(value, dict):
            break
        yield Piece(value, text[at:end].encode("utf-8", "replace"))
        found += 1
        at = _past(text, end, _BETWEEN)
    if at < len(text):
        yield Piece(None, line, "malformed-json", reason[:200])


def _past(text: str, at: int, skipped: str) -> int:
    while at < len(text) and text[at] in skipped:
        at += 1
    return at


def _next_start(text: str, at: int) -> int:
    indent = at - (text.rfind("\n", 0, at) + 1)
    mark = text.find("\n" + " " * indent + "{", at)
    return mark + 1 + indent if mark >= 0 else len(text)
