"""Evidence lines: JSON by its structure, everything else word by word.

In JSON a string is a name's place unless its key says that words of the format stand there (a verdict, a
direction) or a line of text (a message).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from flowdiag.report.redact.keys import is_count_key, is_enum_key, is_message_key, is_name_key
from flowdiag.report.redact.text import Texts

__all__ = ["Evidence"]

_MAX_RAW = 20_000
_MAX_DEPTH = 64
# Field names of exports: traffic_direction, IP, l4, @timestamp; what else stands as a key is somebody's.
_FIELD = re.compile(r"@?[A-Za-z][A-Za-z0-9]{0,40}(?:[_ ][A-Za-z0-9]{1,30}){0,8}")
_DIGITS = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?")
# Maps of labels are somebody's keys: "labels":{...}, "podLabels", "matchLabels", "annotations"
_LABEL_MAP = re.compile(r".*(?:[Ll]abels?|[Aa]nnotations?)|selector|nodeSelector")
# Where a program said it: "caller":"events/events.go:195", "module":"agent.controlplane.policy".  Calico's tier
# "default" is its own, too.
_OF_PROGRAMS = frozenset({"caller", "logger", "module", "subsys"})
# Words of selectors and label lists themselves: "dest_labels":{"labels":["app=web"]}
_IN_LABELS = frozenset({"labels", "matchLabels", "matchExpressions", "selector", "key", "operator", "values"})


class Evidence:
    """The evidence lines of one report."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._done: dict[str, str] = {}

    def forget(self) -> None:
        """More numbers are known as names now: lines may hold them where no place tells."""
        self._done.clear()

    def raw(self, text: str) -> str:
        """A line as it was recorded; a long one is cut."""
        shown = self._done.get(text)
        if shown is None:
            shown = self._done[text] = self._line(text[:_MAX_RAW], 0)
        return shown

    def _line(self, text: str, depth: int) -> str:
        """JSON, a line, or a line with JSON at its end (``data: {...}``)."""
        at = text.find("{")
        if at >= 0 and depth < _MAX_DEPTH:
            try:
                decoded = msgspec.json.decode(text[at:])
            except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
                return self._texts.record(text)
            before = text[:at] if text[:at] == "data: " else self._texts.record(text[:at])
            return before + msgspec.json.encode(self._json(decoded, "", depth)).decode()
        return self._texts.record(text)

    def _json(self, value: Any, key: str, depth: int) -> Any:
        if isinstance(value, str):
            return self._string(value, key, depth)
        if depth > _MAX_DEPTH:
            return None
        if isinstance(value, dict):
            labels = _LABEL_MAP.fullmatch(key) is not None
            shown = {}
            for name, item in value.items():
                label = labels and name not in _IN_LABELS
                shown[self._key(name, label)] = self._json(item, "" if label else name, depth + 1)
            return shown
        if isinstance(value, list):
            return [self._json(item, key, depth + 1) for item in value]
        if isinstance(value, int) and not isinstance(value, bool) and is_name_key(key):
            return self._texts.value(str(value), "text")  # a table's export writes a namespace 1234 so
        return value

    def _key(self, name: str, labels: bool) -> str:
        if labels or not _FIELD.fullmatch(name):
            return self._texts.key(name)
        return self._texts.field(name)

    def _string(self, value: str, key: str, depth: int) -> str:
        if value.startswith("{") and depth < _MAX_DEPTH:
            return self._line(value, depth + 1)
        if is_message_key(key):
            return self._line(value, depth + 1)
        if _DIGITS.fullmatch(value) and is_count_key(key):
            return value
        if _LABEL_MAP.fullmatch(key) and "=" not in value:
            return self._texts.key(value)
        if key in _OF_PROGRAMS or (key == "tier" and value == "default"):
            return value
        return self._texts.line(value) if is_enum_key(key) else self._texts.value(value, "text")
