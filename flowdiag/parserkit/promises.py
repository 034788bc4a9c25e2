"""Checks of what a parser and each of its events promise; a broken promise is told in words.

The contract tests and the run itself use the same checks, so that an author is told of a mistake alike by both.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from flowdiag.model.errors import PluginError
from flowdiag.model.event import Event, FlowEvent, GapEvent, TimeSource

__all__ = ["BrokenPromiseError", "marks_fault", "most_events", "parser_fault", "score_fault", "sound"]

_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[type, Any] = {kind: msgspec.msgpack.Decoder(kind) for kind in get_args(Event)}
_HINTS = {
    "at": "; whole nanoseconds since 1970, as parse_rfc3339 and from_epoch give them, or None",
    "verdict": "; the source's own word goes into verdict_raw",
    "direction": "; None where the record does not say",
}
_PORTS = 1 << 16
_METHODS = ("sniff", "parse")
_OPTIONAL = ("denied_marks", "record_start", "fold", "expect", "takes_two_cores", "interval_of", "cni_in")
_FEWEST_BYTES = 4
"""No record of any format is shorter."""
_SOME = 1024
"""Events that even an empty block may give: of records that a parser had held back."""


class BrokenPromiseError(PluginError):
    """A plugin of another distribution broke a promise; its own part of the run is lost, and nothing else.

    `line` is that of the record that shows it, where one does.  It is not in the text, since a worker counts lines from
    the start of its part, and the line's number in the whole input is only known later.
    """

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parser_fault(plugin: Any, name: str | None = None) -> str | None:
    """Say what keeps an object from being a parser; ``None`` where nothing does.

    Args:
        plugin: an instance.
        name: what it is registered as, if it is.
    """
    lacking = [
        word
        for word in ("name", "summary", "cni", "sequential", "document", *_METHODS)
        if not hasattr(plugin, word)
    ]
    if lacking:
        return f"it has no {', '.join(lacking)}: a parser has name, summary, cni, sequential, document, sniff and parse"
    for word in ("name", "summary"):
        value = getattr(plugin, word)
        if not isinstance(value, str) or not value.strip() or "\n" in value:
            return f"{word} is one line of text, not {value!r}"
    if name is not None and plugin.name != name:
        return f"its name is {plugin.name!r}, and it is registered as {name!r}: both must be the same word"
    if plugin.cni is not None and not (isinstance(plugin.cni, str) and plugin.cni):
        return f"cni is a word, or None where the format shows none, not {plugin.cni!r}"
    for word in ("sequential", "document"):
        if not isinstance(getattr(plugin, word), bool):
            return f"{word} is True or False, not {getattr(plugin, word)!r}"
    for word in (*_METHODS, *_OPTIONAL):
        if not callable(getattr(plugin, word, len)):
            return f"{word} is a method, not {getattr(plugin, word)!r}"
    return None


def score_fault(score: Any) -> str | None:
    """Say what is wrong with what ``sniff`` gave; ``None`` where nothing is."""
    if isinstance(score, bool) or not isinstance(score, int | float):
        return f"sniff gives a number, not {score!r}"
    # The comparisons are written so that NaN fails them, too.
    return None if 0.0 <= score <= 1.0 else f"sniff stays within 0 and 1, not {score}"


def marks_fault(marks: Any) -> str | None:
    """Say what is wrong with what ``denied_marks`` gave; ``None`` where nothing is."""
    if marks is None:
        return None
    if not isinstance(marks, tuple):
        return f"denied_marks gives a tuple of byte strings, or None, not {marks!r}"
    if not all(isinstance(mark, bytes) and mark for mark in marks):
        return f"denied_marks are byte strings, none empty, not {marks!r}"
    # With no marks at all, every line would be left out.
    return None if marks else "denied_marks gives at least one mark, or None where it can promise nothing"


def most_events(data: bytes) -> int:
    """The most events that a block of so many bytes can hold; a parser that gives more would never end."""
    return len(data) // _FEWEST_BYTES + _SOME


def sound(event: Any) -> Event:
    """Give the event with every part of its declared type: a list becomes a tuple, a word a member of its enum.

    Raises:
        ValueError: it is no event, or some part of it is of another type, or out of bounds; says which, and what it must be.
    """
    decoder = _DECODERS.get(type(event))
    if decoder is None:
        raise ValueError(f"parse yields events, not {type(event).__name__}")
    kind = type(event).__name__
    try:
        # msgspec checks types when it decodes, and not when a struct is made: so the event is encoded, and decoded by
        # its types.
        found: Event = decoder.decode(_ENCODER.encode(event))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        hint = next((text for place, text in _HINTS.items() if str(error).endswith(f"`$.{place}`")), "")
        raise ValueError(f"{kind}: {error}{hint}") from error
    fault = _fault(found)
    if fault is not None:
        raise ValueError(f"{kind}: {fault}")
    return found


def _fault(event: Event) -> str | None:
    if event.at is not None and event.at >= 1 << 63:
        return f"at is whole nanoseconds since 1970, not {event.at}"
    if event.line < 1:
        return f"line counts from 1, not {event.line}"
    if (event.at is None) is not (event.time_source is TimeSource.NONE):
        return (
            f"time_source says whether there is a time: at={event.at} with {event.time_source.value!r}; "
            "frame(...) fills both"
        )
    if isinstance(event, GapEvent):
        if event.lost is not None and event.lost < 0:
            return f"lost is how many records, or None where nobody knows, not {event.lost}"
        return None
    if not isinstance(event, FlowEvent):
        return None
    if event.count < 1:
        return f"count is how many records or connections this one stands for, from 1 on, not {event.count}"
    for word, peer in (("src", event.src), ("dst", event.dst)):
        if peer.port is not None and not 0 <= peer.port < _PORTS:
            return f"{word}.port is 0 to 65535 (port_number), or None, not {peer.port}"
    return None
