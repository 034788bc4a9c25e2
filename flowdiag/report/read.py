"""A stored report read back: JSON, or HTML, which carries the same JSON within."""

from __future__ import annotations

import re

import msgspec

from flowdiag.model.errors import InputError
from flowdiag.model.report import SCHEMA, Report

__all__ = ["DATA_ID", "begins_as_report", "read_report"]

DATA_ID = "flowdiag-report"
"""Id of the script element that holds the report in HTML."""

# <script type="application/json" id="flowdiag-report">{"schema":"flowdiag.report/1", ...}</script>
_DATA = re.compile(
    rb'<script type="application/json" id="' + DATA_ID.encode() + rb'">([^<]*)</script>', re.ASCII
)


_WRITTEN = "a report is what -o json=FILE or -o html=FILE writes"


class _Head(msgspec.Struct):
    schema: str = ""


def begins_as_report(head: bytes) -> bool:
    """Whether a file that begins so may hold a report: JSON, HTML, or too many blanks to tell."""
    return _unspaced(head)[:1] in (b"{", b"<", b"")


def _unspaced(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()


def read_report(data: bytes, name: str = "report") -> Report:
    """The report in `data`, or the part of it that a page holds.

    Args:
        data: a file written with ``-o json`` or ``-o html``.
        name: what messages call it.

    Raises:
        InputError: it holds no report, a damaged one, or one of a schema that this version cannot read.
    """
    text = _unspaced(data)
    if not text:
        raise InputError(
            f"{name}: not a flowdiag report: there is nothing in it",
            hint=_WRITTEN,
        )
    if text[:1] == b"<":
        found = _DATA.search(text)
        if found is None:
            raise InputError(
                f"{name}: no flowdiag report in this HTML",
                hint=_WRITTEN,
            )
        text = found[1]
    try:
        schema = msgspec.json.decode(text, type=_Head).schema
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(
            f"{name}: not a flowdiag report: {_fault(error)}",
            hint=_WRITTEN,
        ) from None
    if schema != SCHEMA:
        kind, _, number = schema.partition("/")
        if kind == SCHEMA.partition("/")[0]:
            raise InputError(
                f"{name}: schema version {number} is not known here", hint=f"this version reads {SCHEMA}"
            )
        raise InputError(f"{name}: JSON, but not a flowdiag report", hint=f"its schema should be {SCHEMA}")
    try:
        return msgspec.json.decode(text, type=Report)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"{name}: a damaged report: {_fault(error)}") from None


def _fault(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
