"""JSON Schemas of what flowdiag writes, generated from the types, so that they cannot drift apart."""

from __future__ import annotations

from typing import Any

import msgspec

from flowdiag.model.report import SCHEMA, Report
from flowdiag.report.events import EVENT_SCHEMA, EventLine
from flowdiag.report.query_types import ExplainResult, VerifyResult, WhatifResult
from flowdiag.report.reach_view import ReachResult

__all__ = [
    "SCHEMAS",
    "event_schema",
    "explain_schema",
    "reach_schema",
    "report_schema",
    "verify_schema",
    "whatif_schema",
]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_schema() -> dict[str, Any]:
    """``flowdiag.report/1``."""
    schema = _schema(Report, SCHEMA, "A flowdiag report")
    # The type's field is any text, so that a reader can name a version it does not know.
    schema["$defs"]["Report"]["properties"]["schema"] = {"const": SCHEMA}
    schema["$defs"]["Report"]["required"] = ["schema", *schema["$defs"]["Report"]["required"]]
    return schema


def event_schema() -> dict[str, Any]:
    """``flowdiag.event/1``: one line of ``flowdiag events``."""
    return _schema(EventLine, EVENT_SCHEMA, "One record, as flowdiag events prints it")


def explain_schema() -> dict[str, Any]:
    """``flowdiag.explain/1``."""
    return _schema(ExplainResult, "flowdiag.explain/1", "The answer of flowdiag explain")


def verify_schema() -> dict[str, Any]:
    """``flowdiag.verify/1``."""
    return _schema(VerifyResult, "flowdiag.verify/1", "The answers of flowdiag verify")


def reach_schema() -> dict[str, Any]:
    """``flowdiag.reach/1``."""
    return _schema(ReachResult, "flowdiag.reach/1", "Who can reach a workload, and what it can reach")


def whatif_schema() -> dict[str, Any]:
    """``flowdiag.whatif/1``."""
    return _schema(WhatifResult, "flowdiag.whatif/1", "What a policy change does")


SCHEMAS = {
    "report": report_schema,
    "event": event_schema,
    "explain": explain_schema,
    "verify": verify_schema,
    "reach": reach_schema,
    "whatif": whatif_schema,
}
"""The words that ``flowdiag schema`` takes."""


def _schema(kind: Any, name: str, title: str) -> dict[str, Any]:
    body = msgspec.json.schema(kind)
    return {"$schema": _DIALECT, "$id": f"urn:{name.replace('/', ':')}", "title": title, **_plain(body)}


def _plain(node: Any) -> Any:
    """Drop what is written for readers of the code: docstrings in reStructuredText do not belong outside."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value) for key, value in node.items()}
    if isinstance(plain.get("description"), str) and "type" in plain:
        plain["description"] = " ".join(plain["description"].replace("``", "'").split())
    return plain
