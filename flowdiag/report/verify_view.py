"""Answers of ``flowdiag verify`` for a person and for a pipeline (JUnit)."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from flowdiag.model.policy import CONDITION_WORDS
from flowdiag.report.escape import visible
from flowdiag.report.query_types import EndResult, QueryResult, VerifyResult

__all__ = ["render_junit", "render_verify"]

_WORDS = {True: "allowed", False: "denied", None: "unknown"}


def render_verify(result: VerifyResult) -> str:
    """Failed queries with what decided them, then the sums."""
    lines = []
    for one in result.results:
        if not one.passed:
            lines.extend(_failure(one))
    lines.append(f"{result.passed} of {result.total} queries pass, {result.failed} fail")
    return "\n".join(lines) + "\n"


def _failure(one: QueryResult) -> list[str]:
    if one.error is not None:
        return [f"FAIL queries[{one.index}] {_name(one)}: {visible(one.error)}"]
    lines = [
        f"FAIL queries[{one.index}] {_name(one)}: expected {_WORDS[one.expected]}, is {_WORDS[one.allowed]}"
    ]
    for side, end in (("egress", one.egress), ("ingress", one.ingress)):
        if end is not None and end.allowed is not True:
            lines.extend(f"  {side}: {text}" for text in _reasons(end))
    if one.allowed is True:
        for side, end in (("egress", one.egress), ("ingress", one.ingress)):
            if end is not None and end.decided_by is not None:
                by = end.decided_by
                lines.append(f"  {side}: allowed by {_ref(by.kind, by.namespace, by.name)} {by.rule}")
    return lines


def _reasons(end: EndResult) -> list[str]:
    texts = []
    if end.decided_by is not None and end.allowed is False:
        by = end.decided_by
        texts.append(f"denied by {_ref(by.kind, by.namespace, by.name)} {by.rule}")
    elif end.isolated_by:
        refs = ", ".join(_ref(ref.kind, ref.namespace, ref.name) for ref in end.isolated_by)
        texts.append(f"isolated by {refs}, and no rule admits it")
    for near in end.nearest[:1]:
        misses = "; ".join(
            f"{CONDITION_WORDS[miss.condition]}: wants {visible(miss.wanted)}, found {visible(miss.found or 'none')}"
            for miss in near.misses
        )
        texts.append(f"nearest: {_ref(near.kind, near.namespace, near.name)} {near.rule}: {misses}")
    return texts


def _ref(kind: str, namespace: str | None, name: str) -> str:
    return visible(f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}")


def _name(one: QueryResult) -> str:
    asked = "/".join(str(part) for part in (one.port, one.protocol) if part is not None)
    return visible(" ".join(filter(None, (one.src, "->", one.dst, asked))))


def render_junit(result: VerifyResult) -> str:
    """One test case a query; one that could not be answered is an error, a wrong answer a failure."""
    errors = sum(1 for one in result.results if one.error is not None)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites tests="{result.total}" failures="{result.failed - errors}" errors="{errors}">',
        (
            f'<testsuite name="flowdiag verify" tests="{result.total}" failures="{result.failed - errors}" '
            f'errors="{errors}" skipped="0">'
        ),
    ]
    for one in result.results:
        case = f"<testcase classname={_attribute(one.src)} name={_attribute(_name(one))}"
        if one.passed:
            lines.append(f"{case}/>")
            continue
        tag = "failure" if one.error is None else "error"
        text = "\n".join(_failure(one))
        lines.append(
            f"{case}><{tag} message={_attribute(text.splitlines()[0])}>{_text(text)}</{tag}></testcase>"
        )
    lines.append("</testsuite></testsuites>")
    return "\n".join(lines) + "\n"


def _attribute(text: str) -> str:
    return quoteattr(visible(text))


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
