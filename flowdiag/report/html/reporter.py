"""``-o html``: one file, offline, with a strict Content-Security-Policy (REPORTS.md 5.2).

The script is allowed by its hash, so that text of the report could not run even if it came out
unescaped; every value goes through jinja2's autoescape after `visible`.  The report itself stands
within as JSON, and ``flowdiag show`` reads it back.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any, ClassVar

from msgspec.structs import replace

from flowdiag.model.report import Report, ReportWarning
from flowdiag.report.escape import MAX_TEXT, visible, visible_block
from flowdiag.report.html.view import page
from flowdiag.report.json_report import json_bytes
from flowdiag.report.protocol import Options
from flowdiag.report.read import DATA_ID

__all__ = ["HtmlReporter"]

_MAX_DATA = 1_200_000
"""Bytes of JSON that a page carries; with what is shown, a page stays below 3 MB."""
_KEPT_CONNECTIONS = 40
_KEPT_PROBLEMS = 150
_KEPT_MARKS = 300


class HtmlReporter:
    """``-o html``."""

    name: ClassVar[str] = "html"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """The page; `options` give the zone of the times, and one problem alone."""
        if options.problem is not None:
            only = tuple(p for p in report.problems if p.id == options.problem)
            report = replace(report, problems=only)
        report, data = _carried(report)
        script = _asset("script.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        template = _environment().get_template("page.html.j2")
        text: str = template.render(
            **page(report, options),
            style=_safe(_asset("style.css")),
            script=_safe(script),
            script_digest=digest,
            data=_safe(data),
            data_id=DATA_ID,
        )
        return text


def _asset(name: str) -> str:
    return files(__package__ or "flowdiag.report.html").joinpath(name).read_text(encoding="utf-8")


def _safe(text: str) -> Any:
    from markupsafe import Markup

    # Our own files, and JSON in which every < > and & is already an escape.
    return Markup(text)  # noqa: S704 - nothing of a stranger's is left to escape


def _environment() -> Any:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        if isinstance(value, str) and not isinstance(value, Markup):
            return visible(value, MAX_TEXT)
        return "" if value is None else value

    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["block"] = lambda text: Markup("{}").format(visible_block(text))
    environment.filters["long"] = lambda text: Markup("{}").format(visible(text, 4000))
    return environment


def _carried(report: Report) -> tuple[Report, str]:
    """The report as the page carries it, cut where it would be too large, and its JSON."""
    data = json_bytes(report, pretty=False)
    for connections in (_KEPT_CONNECTIONS, 8, 2):
        if len(data) <= _MAX_DATA:
            break
        report = _cut(report, connections)
        data = json_bytes(report, pretty=False)
    text = data.decode()
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return report, text


def _cut(report: Report, connections: int) -> Report:
    problems = tuple(
        replace(
            problem,
            connections=problem.connections[:connections],
            evidence=tuple(replace(e, raw=visible(e.raw, 300)) for e in problem.evidence[:2]),
        )
        for problem in report.problems[: _KEPT_PROBLEMS if connections > 2 else 40]
    )
    kept = {problem.id for problem in problems}
    rows = {key: row for key, row in report.buckets.counts.by_problem.items() if key in kept}
    warning = ReportWarning(
        code="report-cut",
        message=(
            f"this page was too large: the first {len(problems)} of {len(report.problems)} problems with at most "
            f"{connections} connections each are here; -o json holds all of them"
        ),
        input=None,
        line=None,
    )
    others = tuple(w for w in report.warnings if w.code != "report-cut")
    counts = replace(report.buckets.counts, by_problem=rows)
    return replace(
        report,
        problems=problems,
        timeline=report.timeline[:_KEPT_MARKS],
        changes=report.changes[:_KEPT_MARKS],
        policies=report.policies[:_KEPT_MARKS],
        inputs=report.inputs[:_KEPT_MARKS],
        buckets=replace(report.buckets, counts=counts),
        warnings=(warning, *others[:_KEPT_MARKS]),
    )
