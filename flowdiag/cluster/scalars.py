"""What an unquoted YAML scalar of a manifest means.

The rules are those of the API machinery's YAML 1.1 reader, with one deliberate difference: times stay
text (so do sexagesimal numbers and ``.inf``), and where a Kubernetes type is a string (labels,
annotations, selector values, names) the scalar stays the text a person sees, so that
``version: 1.10`` is ``"1.10"`` and ``enabled: no`` is ``"no"``.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["TEXT_FIELDS", "TEXT_PARENTS", "plain_text", "plain_value", "text_of"]

TEXT_PARENTS = frozenset(
    {
        "annotations",
        "data",
        "labels",
        "labelsToApply",
        "matchLabels",
        "nodeSelector",
        "security-labels",
        "selector",
        "values",
    }
)
"""Keys whose scalar children are strings by their Kubernetes type; null is the empty string."""

TEXT_FIELDS = frozenset(
    {"apiVersion", "key", "kind", "name", "namespace", "operator", "resourceVersion", "uid", "uuid"}
)
"""Keys whose own scalar is a string by its Kubernetes type; null stays null."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_WORDS: dict[str, Any] = {
    **dict.fromkeys(_NULLS),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_NUMBER_START = frozenset("0123456789+-.")
# "8080"  "-1"  "0644" (octal)  "0o644"  "0x1f"  "10.5"  "1e3"
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_OCTAL = re.compile(r"[-+]?0o?([0-7]{1,22})")
_HEX = re.compile(r"[-+]?0x([0-9a-fA-F]{1,16})")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18}|[0-9]{1,18}(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?"
)


def plain_value(text: str) -> Any:
    """The value of an unquoted scalar: None, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    sign = -1 if text[0] == "-" else 1
    if match := _OCTAL.fullmatch(text):
        return sign * int(match[1], 8)
    if match := _HEX.fullmatch(text):
        return sign * int(match[1], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def plain_text(text: str, *, null: str | None) -> str | None:
    """An unquoted scalar where a string is meant; `null` is what a YAML null becomes."""
    return null if text in _NULLS else text


def text_of(value: Any) -> str:
    """The string a user sees for a decoded scalar (JSON, or an alias into another place)."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)
