"""Problems as JUnit XML: what every CI system shows as failed tests, a case a problem."""

from __future__ import annotations

from typing import ClassVar
from xml.etree import ElementTree as ET

from flowdiag.model.report import Problem, Report, Severity, Status
from flowdiag.model.words import plural
from flowdiag.report.escape import visible
from flowdiag.report.isolating import closing_first
from flowdiag.report.names import miss_text, policy_text, reason_text, who_to_whom
from flowdiag.report.phrases import cut_off, state_text, what_text
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import spoken_report
from flowdiag.report.times import Clock
from flowdiag.report.told_once import told_once

__all__ = ["JunitReporter"]

_CONNECTIONS = 20


class JunitReporter:
    """``-o junit``: suites are namespaces.

    A problem fails its case.  What is only informational passes, what was accepted or is explained by
    another problem is skipped, and evidence with a part missing is a skipped case of its own.
    """

    name: ClassVar[str] = "junit"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """XML; `options.problem` leaves only that case."""
        # A result is read alone, and days later: nothing beside it says which day it was.
        clock = Clock(options.timezone, named=True)
        report = spoken_report(told_once(closing_first(report)), clock)
        suites: dict[str, list[ET.Element]] = {}
        for problem in report.problems:
            if options.problem is None or problem.id == options.problem:
                namespace = problem.source.namespace if problem.direction != "ingress" else None
                where = namespace or problem.destination.namespace or problem.source.namespace or "cluster"
                suites.setdefault(where, []).append(_case(problem, where, clock))
        suites.setdefault("evidence", []).append(_evidence(report, clock))
        root = ET.Element("testsuites", {"name": "flowdiag"})
        sums = dict.fromkeys(("tests", "failures", "skipped"), 0)
        for where, cases in sorted(suites.items()):
            numbers = {
                "tests": len(cases),
                "failures": sum(case.find("failure") is not None for case in cases),
                "skipped": sum(case.find("skipped") is not None for case in cases),
            }
            sums = {key: sums[key] + numbers[key] for key in sums}
            suite = ET.SubElement(root, "testsuite", {"name": visible(where, 200), **_numbers(numbers)})
            suite.extend(cases)
        for key, text in _numbers(sums).items():
            root.set(key, text)
        ET.indent(root)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _numbers(numbers: dict[str, int]) -> dict[str, str]:
    return {
        "tests": str(numbers["tests"]),
        "failures": str(numbers["failures"]),
        "errors": "0",
        "skipped": str(numbers["skipped"]),
        "time": "0",
    }


def _case(problem: Problem, where: str, clock: Clock) -> ET.Element:
    case = ET.Element(
        "testcase",
        {
            "classname": visible(f"{where}.{problem.code}", 200),
            "name": visible(f"{problem.title} [{problem.id}]", 300),
            "time": "0",
        },
    )
    text = _text(problem, clock)
    title = visible(problem.title, 300)
    if problem.explained_by is not None:
        ET.SubElement(case, "skipped", {"message": visible(f"explained by {problem.explained_by}", 200)})
    elif problem.status is Status.ACCEPTED:
        ET.SubElement(case, "skipped", {"message": "accepted"})
    elif problem.severity is not Severity.INFO and problem.status is not Status.GONE:
        failure = ET.SubElement(case, "failure", {"message": title, "type": visible(problem.code, 40)})
        failure.text = text
        return case
    ET.SubElement(case, "system-out").text = text
    return case


def _text(problem: Problem, clock: Clock) -> str:
    lines = [
        f"{problem.code} {problem.slug}, {problem.severity}, {problem.confidence}",
        f"{what_text(problem, problem.count)}, {state_text(problem, clock)}",
        reason_text(problem),
    ]
    connections = problem.connections[:_CONNECTIONS]
    lines.extend(f"{who_to_whom(connection)} ({connection.count})" for connection in connections)
    if len(connections) < problem.connection_count:
        lines.append(f"and {plural(problem.connection_count - len(connections), 'more connection')}")
    lines.extend(f"isolated by {policy_text(ref)}" for ref in problem.isolating)
    for rule in problem.nearest[:1]:
        lines.append(f"nearest rule {policy_text(rule)} {rule.rule}")
        lines.extend(f"  misses {miss_text(miss)}" for miss in rule.misses)
    if problem.counterfactual is not None:
        lines.append(f"fix: {problem.counterfactual.summary}")
    elif problem.advice:
        lines.append(problem.advice)
    if problem.revert is not None:
        lines.append(f"or: {problem.revert.summary}")
    return "\n".join(visible(line, 1000) for line in lines)


def _evidence(report: Report, clock: Clock) -> ET.Element:
    read = f"{plural(report.totals.records, 'record')} of {plural(len(report.inputs), 'input')} read"
    case = ET.Element("testcase", {"classname": "evidence", "name": "evidence is complete", "time": "0"})
    limits = "; ".join(cut_off(report, clock))
    if not report.complete or report.evidence.gaps:
        ET.SubElement(case, "skipped", {"message": visible(limits or "parts could not be read", 1000)})
    ET.SubElement(case, "system-out").text = visible(f"{read}. {limits}".strip(), 2000)
    return case
