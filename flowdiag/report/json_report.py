"""The report as JSON, schema ``flowdiag.report/1``: keys in the types' order, byte for byte repeatable."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from flowdiag.model.report import Report
from flowdiag.report.escape import json_escaped
from flowdiag.report.protocol import Options

__all__ = ["JsonReporter", "inert", "json_bytes", "least_size"]

_ENCODER = msgspec.json.Encoder(order="deterministic")


def json_bytes(value: Any, *, pretty: bool = True) -> bytes:
    r"""JSON of a report or result: fields in the order of its type, labels sorted.

    File names that were not UTF-8 hold lone surrogates, which JSON cannot carry: their bytes are shown
    as ``\udcff`` text instead.  Characters that act on a terminal or an editor (C1 controls, changes of
    direction, separators of lines) are written as ``\u009b``: the same data, and nothing that acts.

    Args:
        value: a struct of the contract.
        pretty: indented, with a line end at the end; otherwise one line without.
    """
    encoded = inert(_encoded(value))
    return msgspec.json.format(encoded, indent=2) + b"\n" if pretty else encoded


def inert(encoded: bytes) -> bytes:
    """JSON as it was encoded, with what acts on a terminal or an editor as escapes."""
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return json_escaped(encoded.decode()).encode()


def least_size(value: Any) -> int:
    """Bytes that `json_bytes` gives at least, without making them: what is escaped takes more."""
    return len(_encoded(value))


def _encoded(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, order="deterministic")
        return msgspec.json.encode(_without_surrogates(plain))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


class JsonReporter:
    """``-o json``."""

    name: ClassVar[str] = "json"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """The whole report; `options` change nothing."""
        del options
        return json_bytes(report).decode()
