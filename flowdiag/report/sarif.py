"""Problems as SARIF 2.1.0, for code scanning of repositories that hold policies.

A result points at the policy's file and line where the report knows them, else at the object (a logical
location) and the line of evidence: GitHub rejects an upload with a result that has no place.  Source: OASIS SARIF 2.1.0; sections are named where a rule comes from them.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import quote

from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import NearestRuleView, PolicyView, Problem, Report, Severity, Status
from flowdiag.report.escape import visible
from flowdiag.report.json_report import json_bytes
from flowdiag.report.meanings import meanings
from flowdiag.report.names import miss_text, policy_text
from flowdiag.report.phrases import state_text, what_text
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import spoken_report
from flowdiag.report.times import Clock

__all__ = ["SarifReporter"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_BASELINE = {
    Status.NEW: "new",
    Status.KNOWN: "unchanged",
    Status.ACCEPTED: "unchanged",
    Status.GONE: "absent",
}
_MAX_RESULTS = 5000
_NOWHERE = "cluster"
"""The place of what no file holds: objects of a running cluster."""

PolicyKey = tuple[str | None, str | None, str | None, str | None]


class SarifReporter:
    """``-o sarif``."""

    name: ClassVar[str] = "sarif"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """One run; consequences of other problems are left to their causes."""
        # A result is read alone, and days later: nothing beside it says which day it was.
        clock = Clock(options.timezone, named=True)
        report = spoken_report(report, clock)
        shown = [
            p
            for p in report.problems
            if (p.explained_by is None or options.all) and options.problem in (None, p.id)
        ][:_MAX_RESULTS]
        codes = sorted({problem.code: problem for problem in shown})
        slugs = {problem.code: problem.slug for problem in reversed(shown)}
        known = meanings(codes)
        files = {_key(policy): policy for policy in report.policies}
        driver = {
            "name": visible(report.generator.name, 200) or "flowdiag",
            "version": visible(report.generator.version, 80),
            "rules": [
                {
                    "id": visible(code, 80),
                    "name": visible(slugs[code], 120),
                    "shortDescription": {"text": _message(slugs[code].replace("-", " "))},
                    **({"fullDescription": {"text": _message(known[code])}} if code in known else {}),
                }
                for code in codes
            ],
        }
        run = {
            "tool": {"driver": driver},
            "columnKind": "unicodeCodePoints",
            "results": [_result(problem, codes, files, clock, _place(problem, report)) for problem in shown],
            "invocations": [{"executionSuccessful": True}],
        }
        return json_bytes({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}).decode()


def _key(ref: PolicyRef | NearestRuleView | PolicyView) -> PolicyKey:
    return (ref.kind, ref.group, ref.namespace, ref.name)


def _place(problem: Problem, report: Report) -> dict[str, Any]:
    """Where it was read: its first line of evidence, else the first input."""
    for line in problem.evidence[:1]:
        return _physical(line.input, line.line)
    return _physical(report.inputs[0].path if report.inputs else _NOWHERE, None)


def _result(
    problem: Problem,
    codes: list[str],
    files: dict[PolicyKey, PolicyView],
    clock: Clock,
    place: dict[str, Any],
) -> dict[str, Any]:
    sentences = [
        problem.title,
        f"{what_text(problem, problem.count)}, {state_text(problem, clock)}",
    ]
    for rule in problem.nearest[:1]:
        misses = "; ".join(miss_text(miss) for miss in rule.misses)
        sentences.append(f"Nearest rule {policy_text(rule)} {rule.rule} misses {misses}")
    if problem.counterfactual is not None:
        sentences.append(f"Fix: {problem.counterfactual.summary}")
    elif problem.advice:
        sentences.append(problem.advice)
    if problem.revert is not None:
        sentences.append(f"Or: {problem.revert.summary}")
    refs: list[PolicyRef | NearestRuleView] = [*problem.nearest[:1], *problem.isolating]
    unique = list({_key(ref): ref for ref in refs}.values())
    result: dict[str, Any] = {
        "ruleId": visible(problem.code, 80),
        "ruleIndex": codes.index(problem.code),
        "level": "note" if problem.verdict == "audited" else _LEVELS[problem.severity],
        "kind": "fail",
        "message": {"text": _message(". ".join(sentence.rstrip(". ") for sentence in sentences) + ".")},
        "partialFingerprints": {"flowdiag/v1": visible(problem.fingerprint, 200)},
        "occurrenceCount": max(problem.count, 1),
        "properties": {
            "confidence": problem.confidence.value,
            "severity": problem.severity.value,
            "problem": visible(problem.id, 200),
        },
    }
    here = _location(unique[0], files) if unique else {}
    result["locations"] = [{"physicalLocation": place} | here]
    if unique[1:]:
        result["relatedLocations"] = [_location(ref, files) for ref in unique[1:20]]
    if problem.status is not None:
        result["baselineState"] = _BASELINE[problem.status]
    if problem.status is Status.ACCEPTED:
        result["suppressions"] = [{"kind": "external", "status": "accepted"}]
    return result


def _location(ref: PolicyRef | NearestRuleView, files: dict[PolicyKey, PolicyView]) -> dict[str, Any]:
    name = visible("/".join(part for part in (ref.kind, ref.namespace, ref.name) if part), 300)
    location: dict[str, Any] = {
        "logicalLocations": [{"name": visible(ref.name, 200), "fullyQualifiedName": name, "kind": "resource"}]
    }
    policy = files.get(_key(ref))
    if policy is not None and policy.path is not None:
        location["physicalLocation"] = _physical(policy.path, policy.line)
    return location


# Surrogates other than those that stand for a byte of a file's name (PEP 383): U+DC80 to U+DCFF.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def _physical(path: str, line: int | None) -> dict[str, Any]:
    named = _NO_BYTE.sub("\ufffd", path).encode("utf-8", "surrogateescape")
    uri = quote(named, safe="/._-~") or _NOWHERE
    place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    return place | {"region": {"startLine": line}} if line is not None and line > 0 else place


def _message(text: str) -> str:
    """Plain text in which nothing is a placeholder (3.11.5) or an embedded link (3.11.6)."""
    shown = visible(text, 4000).replace("{", "{{").replace("}", "}}")
    return shown.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
