"""Records of the tigera-operator: zap's JSON, one object a line, with controller-runtime's keys.

Source: operator ``cmd/main.go`` (controller-runtime's zap logger).  ``ts`` is seconds since the epoch up to
v1.30 and RFC 3339 after; errors carry ``error`` and a ``stacktrace`` in one string.
"""

from __future__ import annotations

from typing import Any

import msgspec

from flowdiag.parserkit import ParseContext, TimeSource, from_micros, parse_rfc3339
from flowdiag_parsers.calico.outer import Foreign

__all__ = ["read_operator"]

_HOUSEKEEPING = ("level", "ts", "msg", "logger", "stacktrace")
_MAX_FIELDS = 40
_MAX_VALUE = 4000


def read_operator(text: str, context: ParseContext) -> Foreign | None:
    """Read one record; ``None`` where the line is none."""
    if '"msg":' not in text or '"logger":' not in text:
        return None
    try:
        body: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("msg"), str):
        return None
    at = _instant(body.get("ts"), context)
    level, logger = body.get("level"), body.get("logger")
    fields = {
        str(key)[:100]: (value if isinstance(value, str) else msgspec.json.encode(value).decode())[
            :_MAX_VALUE
        ]
        for key, value in list(body.items())[:_MAX_FIELDS]
        if key not in _HOUSEKEEPING and value != ""
    }
    if isinstance(logger, str):
        fields["logger"] = logger
    return Foreign(
        kind="operator",
        text=body["msg"],
        at=at,
        time_source=TimeSource.NONE if at is None else TimeSource.RECORD,
        level=level if isinstance(level, str) else None,
        component="tigera-operator",
        fields=fields,
    )


def _instant(stamp: Any, context: ParseContext) -> int | None:
    if isinstance(stamp, float | int) and not isinstance(stamp, bool) and 0 < stamp < 1e11:
        # A double holds microseconds of these numbers, not more.
        return from_micros(round(stamp * 1_000_000))
    if isinstance(stamp, str):
        try:
            return parse_rfc3339(stamp, context.zone)
        except ValueError:
            return None
    return None
