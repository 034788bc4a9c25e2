"""Warnings for JSON wrappers that were cut off, in inputs whose parser reads text.

A parser of text passes over lines that are not its own.  It would say nothing of a wrapper that was cut off, whether the
line ends there or the next wrapper begins right behind.  Parsers of JSON warn of such lines themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from flowdiag.ingest.envelopes.fitting import DAMAGED
from flowdiag.model.event import ParseWarning
from flowdiag.parserkit import Block, ParseContext

__all__ = ["cut_objects"]

_ANY = msgspec.json.Decoder(msgspec.Raw)
_OPENS = b'{"'
# '{"log":"WARN: 2026/05/19 14:02:07.595541 UDP conn{"log":"WARN: ...'  containerd killed while it wrote
_BEHIND = re.compile(rb'[^:,\[\s\\]\{"')
_GOES_ON = (b",", b"{", b"[")
"""An object that is printed over several lines is not cut."""


def cut_objects(parser: Any, block: Block, context: ParseContext) -> Iterator[ParseWarning]:
    """Yield a warning for each JSON object of a text's block that is cut off, where its parser says nothing of it.

    Args:
        parser: who reads the block.
        block: whole lines.
        context: of the input.
    """
    data = block.data
    if (not data.startswith(_OPENS) and data.find(b"\n" + _OPENS) < 0) or parser.document or _minds(parser):
        return
    line, counted, at = 0, 0, 0 if data.startswith(_OPENS) else data.find(b"\n" + _OPENS) + 1
    while at >= 0:
        end = data.find(b"\n", at)
        text = data[at : end if end >= 0 else len(data)]
        if (piece := _cut(text)) is not None:
            line += data.count(b"\n", counted, at)
            counted = at
            if not _spoken_for(parser, piece, context, alone=len(piece) == len(text)):
                where = block.of_line(line).line
                yield ParseWarning(line=where, code="malformed-line", message="a JSON object that is cut off")
        following = data.find(b"\n" + _OPENS, end) if end >= 0 else -1
        at = following + 1 if following >= 0 else -1


def _cut(text: bytes) -> bytes | None:
    """Give the part of a line that is an object without its end; ``None`` where there is none."""
    line = text.rstrip()
    behind = _BEHIND.search(line, 2)
    if behind is None and (line.endswith((b"}", *_GOES_ON)) or _whole(line)):
        return None
    if behind is not None:
        if _whole(line):
            return None
        first = line[: behind.start() + 1]
        return None if _whole(first) else first
    return text


def _whole(line: bytes) -> bool:
    try:
        _ANY.decode(line)
    except DAMAGED:
        return False
    return True


def _spoken_for(parser: Any, piece: bytes, context: ParseContext, *, alone: bool) -> bool:
    """Whether the parser has read the piece or warns of it; of one with an object behind it, it reads that alone."""
    own = msgspec.structs.replace(context, memory={}, keep_raw=False)
    events = parser.parse(Block(data=piece + b"\n"), own)
    return any(alone or not isinstance(event, ParseWarning) for event in events)


_KNOWN: dict[tuple[type, str], bool] = {}


def _minds(parser: Any) -> bool:
    """Whether a parser says of a cut object that it is one, as those of JSON do; asked once a process."""
    key = (type(parser), parser.name)
    if key not in _KNOWN:
        block = Block(data=b'{"a": "b\n')
        try:
            _KNOWN[key] = any(True for _ in parser.parse(block, ParseContext(input="")))
        except Exception:  # noqa: BLE001 - a stranger's parser may raise anything; this question costs nobody a line
            _KNOWN[key] = True
    return _KNOWN[key]
