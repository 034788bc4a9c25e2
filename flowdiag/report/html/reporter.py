"""``-o html``: one file, offline, with a strict Content-Security-Policy.

The script is allowed by its hash, so that text of the report could not run even if it came out
unescaped; every value goes through jinja2's autoescape after `visible`.  The report itself stands
within as JSON, and ``flowdiag show`` reads it back.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from flowdiag.model.report import Counterfactual, Problem, Report
from flowdiag.model.words import plural
from flowdiag.report.cut import alone_warning, as_part, cut_warning, held
from flowdiag.report.escape import MAX_TEXT, bounded, fitted, json_in_page, phrase, visible, visible_block
from flowdiag.report.html.said import said
from flowdiag.report.html.view import page
from flowdiag.report.json_report import json_bytes, least_size
from flowdiag.report.names import dropped_text, record_text
from flowdiag.report.phrases import headline
from flowdiag.report.protocol import Options
from flowdiag.report.read import DATA_ID

__all__ = ["HtmlReporter"]

_Mend = TypeVar("_Mend", bound=Counterfactual)

_MAX_PAGE = 2_900_000
"""Bytes that a page may have: it must go through mail and chat, and open at once."""
_MAX_DATA = 1_200_000


class _Level(Struct, frozen=True):
    """How much of a report too large for one page is kept."""

    problems: int
    """At most."""
    least: int
    """With fewer problems the next level is tried, which leaves more out of each."""
    connections: int
    marks: int
    text: int


_LEVELS = (
    _Level(problems=150, least=40, connections=40, marks=400, text=2000),
    _Level(problems=80, least=30, connections=8, marks=200, text=300),
    _Level(problems=30, least=1, connections=3, marks=60, text=120),
)
_SPARE = 0.95
"""Of the problems that would fit by the size of those that were tried: no two are of one size."""


class HtmlReporter:
    """``-o html``."""

    name: ClassVar[str] = "html"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """The page; `options` give the zone of the times, and one problem alone."""
        whole = headline(report)
        # A report that is a part of another does not tell whether all of the evidence was read.
        read = report.complete if held(report) is None else None
        if options.problem is not None:
            only = tuple(p for p in report.problems if p.id == options.problem)
            if len(only) < len(report.problems):
                alone = alone_warning(len(report.problems))
                report = replace(report, problems=only, warnings=(alone, *report.warnings))
        text, _ = _tried(report, options, whole, read)
        if text:
            return text
        for level in _LEVELS:
            problems = min(level.problems, len(report.problems))
            while problems >= level.least:
                shorter = _cut(report, level, problems)
                text, times = _tried(shorter, options, whole, read)
                if text:
                    return text
                problems = min(problems - 1, int(problems / times * _SPARE))
        return _render(_cut(report, _LEVELS[-1], 1), options, whole, read)


def _tried(report: Report, options: Options, whole: str, read: bool | None) -> tuple[str, float]:
    """The page, or nothing and how many times too large it is."""
    # If the data alone are too long, the page need not be made to know it.
    data = least_size(report)
    if data <= _MAX_DATA:
        data = len(json_bytes(report, pretty=False))
    if data > _MAX_DATA:
        return "", data / _MAX_DATA
    text = _render(report, options, whole, read)
    size = len(text.encode())
    return (text, 1.0) if size <= _MAX_PAGE else ("", size / _MAX_PAGE)


def _render(report: Report, options: Options, whole: str, read: bool | None) -> str:
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text: str = (
        _environment()
        .get_template("page.html.j2")
        .render(
            **page(report, options, whole, read),
            style=_safe(_asset("style.css")),
            script=_safe(script),
            script_digest=digest,
            data=_safe(json_in_page(json_bytes(as_part(report), pretty=False).decode())),
            data_id=DATA_ID,
        )
    )
    return text


def _asset(name: str) -> str:
    return files(__package__ or "flowdiag.report.html").joinpath(name).read_text(encoding="utf-8")


# A string or a template of one line; the last semicolon of a block; or what needs no blanks around it.
_UNSPACED = re.compile(r"""("[^"\n]*"|`[^`\n]*`)|;?\s*(\})\s*|\s*([{()\[\],;:?=<>&|+*%!/-])\s*""")


@cache
def _script() -> str:
    """The script without comments, which have lines of their own, and without what only people need."""
    lines = (line.strip() for line in _asset("script.js").split("\n"))
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    return _UNSPACED.sub(lambda match: match[match.lastindex or 0], code)


def _safe(text: str) -> Any:
    from markupsafe import Markup

    # Our own files, and JSON in which every < > and & is already an escape.
    return Markup(text)  # noqa: S704 - nothing of a stranger's is left to escape


@cache
def _environment() -> Any:
    from jinja2 import Environment, FunctionLoader, StrictUndefined, pass_context
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
        # The page ends with a newline, as it does on standard output.
        keep_trailing_newline=True,
    )

    @pass_context
    def in_zone(context: Any, text: str, limit: int = MAX_TEXT) -> Any:
        return said(text, context["clock"], limit, context["foreign"])

    environment.globals["plural"] = plural
    environment.globals["dropped_text"] = dropped_text
    environment.filters["said"] = in_zone
    environment.filters["block"] = lambda text: Markup("{}").format(visible_block(text))
    environment.filters["short"] = lambda text: phrase(text, 240)
    environment.filters["long"] = lambda text: Markup("{}").format(visible(text, 4000))
    environment.filters["record"] = lambda line: Markup("{}").format(visible(record_text(line), 4000))
    return environment


def _cut(report: Report, level: _Level, most: int) -> Report:
    """The report's first problems and connections with short texts, and a warning that says so."""
    problems = tuple(_shorter(problem, level) for problem in report.problems[:most])
    kept = {problem.id for problem in problems}
    counts = report.buckets.counts
    rows = {key: row for key, row in counts.by_problem.items() if key in kept}
    warning = cut_warning(len(problems), len(report.problems), level.connections)
    smaller = replace(
        report,
        problems=problems,
        timeline=report.timeline[: level.marks],
        changes=report.changes[: level.marks],
        policies=tuple(
            replace(one, manifest=_whole_or_none(one.manifest, level))
            for one in report.policies[: level.marks]
        ),
        inputs=report.inputs[: level.marks],
        not_policy=report.not_policy[: level.marks],
        buckets=replace(report.buckets, counts=replace(counts, by_problem=rows)),
        warnings=report.warnings[: level.marks],
    )
    shorter: Report = msgspec.convert(_short(msgspec.to_builtins(smaller), level.text), Report)
    return replace(shorter, warnings=(warning, *shorter.warnings))


def _shorter(problem: Problem, level: _Level) -> Problem:
    """A problem with fewer connections, and with names in its title cut before the title is."""
    left = problem.connection_count - len(problem.connections[: level.connections])
    mends = (problem.counterfactual, problem.revert, problem.joined or None)
    fix, back, joined = (None if mend is None else _without_long(mend, level) for mend in mends)
    return replace(
        problem,
        title=fitted(problem.title, level.text),
        connections=problem.connections[: level.connections],
        connections_left=left or UNSET,
        evidence=problem.evidence[:2],
        changes=problem.changes[:5],
        notes=problem.notes[:5],
        counterfactual=fix,
        revert=back,
        joined=UNSET if joined is None else joined,
        verify=tuple(command for command in problem.verify if len(command) <= level.text),
    )


def _without_long(mend: _Mend, level: _Level) -> _Mend:
    """A change without manifests that would have to be cut: half a manifest is none, and somebody may apply it."""
    short = all(len(manifest) <= level.text for manifest in mend.manifests)
    return replace(mend, manifests=mend.manifests if short else (), patch=_whole_or_none(mend.patch, level))


def _whole_or_none(text: str | None, level: _Level) -> str | None:
    return text if text is None or len(text) <= level.text else None


def _short(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return bounded(value, limit)
    if isinstance(value, dict):
        return {bounded(key, limit): _short(item, limit) for key, item in value.items()}
    return [_short(item, limit) for item in value] if isinstance(value, list | tuple) else value
