"""Sums as OpenMetrics text, which node-exporter's textfile collector and Prometheus read as well.

A report is a snapshot, so everything is a gauge.  Labels are codes and namespaces, never pods or
addresses: their number must stay small for years.  The ``info`` type is avoided because the older
Prometheus text parser, which the textfile collector uses, stops at a type it does not know.
Source: OpenMetrics 1.0, sections "Text format" and "ABNF".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from flowdiag.model.event import PASSED
from flowdiag.model.report import Report
from flowdiag.model.time import NS
from flowdiag.report.escape import visible
from flowdiag.report.protocol import Options
from flowdiag.report.times import ticks

__all__ = ["OpenMetricsReporter"]

_MAX_SERIES = 500
"""Series of one metric; the smallest beyond are added up under ``(other)``."""
_LABEL_CHARS = 128

Labels = tuple[tuple[str, str], ...]


class OpenMetricsReporter:
    """``-o openmetrics``."""

    name: ClassVar[str] = "openmetrics"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """The exposition, with ``# EOF``; `options` change nothing."""
        del options
        totals = report.totals
        lines = [
            *_metric(
                "flowdiag_build_info",
                "What made the report.",
                [((("version", report.generator.version),), 1)],
            ),
            *_metric(
                "flowdiag_complete", "1 if all of the evidence could be read.", [((), int(report.complete))]
            ),
            *_metric(
                "flowdiag_flows",
                "Recorded flows by what became of them.",
                [
                    ((("verdict", word),), number)
                    for word, number in (
                        ("denied", totals.denied),
                        ("audited", totals.audited),
                        ("allowed", totals.allowed),
                        ("not_policy", totals.not_policy),
                    )
                    if number is not None
                ],
            ),
            *_metric("flowdiag_records", "Records read.", [((), totals.records)]),
            *_metric("flowdiag_unattributed", "Denials without a problem.", [((), totals.unattributed)]),
            *_metric("flowdiag_problems", "Problems found.", _problems(report)),
            *_metric("flowdiag_denials", "Denials by diagnosis and namespace.", _records(report, let=False)),
            *_metric(
                "flowdiag_let_through",
                "Records let through against the known policies, by diagnosis and namespace.",
                _records(report, let=True),
            ),
            *_metric("flowdiag_evidence_lost_records", "Records known to be lost.", _lost(report)),
        ]
        moments = {"created": report.created, "since": report.window.since, "until": report.window.until}
        for word, moment in moments.items():
            at = ticks(moment)
            if at is not None:
                name = f"flowdiag_{word}_timestamp_seconds"
                lines.extend(_metric(name, f"Time of the report: {word}.", [((), at // NS)], unit="seconds"))
        return "\n".join([*lines, "# EOF"]) + "\n"


def _problems(report: Report) -> list[tuple[Labels, int]]:
    counts: Counter[Labels] = Counter()
    for problem in report.problems:
        counts[
            (
                ("code", problem.code),
                ("severity", problem.severity.value),
                ("confidence", problem.confidence.value),
                ("status", problem.status.value if problem.status else ""),
            )
        ] += 1
    return _bounded(counts)


def _records(report: Report, *, let: bool) -> list[tuple[Labels, int]]:
    counts: Counter[Labels] = Counter()
    for problem in report.problems:
        if (problem.verdict in PASSED) is not let:
            continue
        for connection in problem.connections:
            counts[
                (
                    ("code", problem.code),
                    ("severity", problem.severity.value),
                    ("direction", problem.direction or ""),
                    ("verdict", problem.verdict),
                    ("source_namespace", connection.source.namespace or ""),
                    ("destination_namespace", connection.destination.namespace or ""),
                )
            ] += connection.count
    return _bounded(counts)


def _lost(report: Report) -> list[tuple[Labels, int]]:
    counts: Counter[Labels] = Counter()
    for gap in report.evidence.gaps:
        if gap.lost is not None:
            counts[(("node", gap.node or ""), ("kind", gap.kind))] += gap.lost
    return _bounded(counts)


def _bounded(counts: Counter[Labels]) -> list[tuple[Labels, int]]:
    clean: Counter[Labels] = Counter()
    for labels, number in counts.items():
        # Cutting and escaping may make two sets of labels one: a series may stand only once.
        clean[tuple((name, _label(value)) for name, value in labels)] += number
    ranked = sorted(clean.items(), key=lambda item: (-item[1], item[0]))
    kept = dict(ranked[:_MAX_SERIES])
    for labels, number in ranked[_MAX_SERIES:]:
        other = tuple((name, "(other)") for name, _ in labels)
        kept[other] = kept.get(other, 0) + number
    return sorted(kept.items())


def _metric(
    name: str, text: str, samples: Iterable[tuple[Labels, int]], unit: str | None = None
) -> list[str]:
    lines = [f"# TYPE {name} gauge"]
    if unit is not None:
        lines.append(f"# UNIT {name} {unit}")
    lines.append(f"# HELP {name} {text}")
    for labels, value in samples:
        # Label values: backslash, quote and line feed are escaped, all else is as it is.
        inner = ",".join(f'{key}="{_quoted(_label(value_))}"' for key, value_ in labels)
        lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
    return lines


def _label(text: str) -> str:
    return visible(text, _LABEL_CHARS)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
