"""What the page's filter looks through: facts of a problem and of the two ends of a connection.

They are attributes ``data-NAME``, named as hubble's flags are, with a dot before another name for the same.  The name
ends in one dot where a part of the text fits, in two where only whole words of it do (`script.js`).
"""

from __future__ import annotations

from collections.abc import Iterable

from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import Connection, NearestRuleView, Problem, RecordedPolicy, ReportEndpoint
from flowdiag.report.escape import visible
from flowdiag.report.names import end_text, label_texts, policy_name

__all__ = ["Fact", "connection_facts", "named_policies", "problem_facts"]

Fact = tuple[str, str]
"""An attribute's name behind ``data-``, and its text without case."""

_WORDS = 400
"""Characters that the filter looks through in each piece of an end."""
_POLICIES = 600
_SEARCH = 1000
_ALSO = {"from": "source", "to": "destination"}
_VERDICTS = {"denied": "denied dropped", "allowed": "allowed forwarded", "audited": "audited audit"}
"""flowdiag's word and hubble's."""
_OF_PROXIES = frozenset({"FD404", "FD504"})


def connection_facts(connection: Connection) -> list[Fact]:
    """Of one connection: its ends, port and protocol."""
    port = "" if connection.port is None else str(connection.port)
    return _told(
        [
            *_end("from", connection.source),
            *_end("to", connection.destination),
            ("to-port..", port, _WORDS),
            ("protocol.", connection.protocol, _WORDS),
        ]
    )


def named_policies(problem: Problem) -> tuple[PolicyRef | RecordedPolicy | NearestRuleView, ...]:
    """Every policy that a problem speaks of."""
    return (*problem.isolating, *problem.recorded, *problem.nearest)


def problem_facts(problem: Problem, drawn: Problem) -> list[Fact]:
    """Of one problem; `drawn` is the same with the moments of its sentences as the page shows them."""
    search = (drawn.title, drawn.code, drawn.slug, drawn.verdict, drawn.reason.name)
    # Hubble's --type as far as a report tells: drop, and l7 for what a proxy refused.
    types = ("drop" if problem.verdict == "denied" else "", "l7" if problem.code in _OF_PROXIES else "")
    return _told(
        [
            ("search.", _joined(search), _SEARCH),
            ("class.code.", problem.code, _WORDS),
            ("type.", _joined(types), _WORDS),
            ("severity.", problem.severity, _WORDS),
            ("verdict.", _VERDICTS.get(problem.verdict, problem.verdict), _WORDS),
            ("confidence.", problem.confidence, _WORDS),
            ("traffic-direction.", problem.direction, _WORDS),
            ("status.", problem.status, _WORDS),
            ("policy.", _joined(map(policy_name, named_policies(problem))), _POLICIES),
            ("drop-reason-desc.reason.", _joined((problem.reason.name, problem.reason.raw)), _WORDS),
        ]
    )


def _end(side: str, end: ReportEndpoint) -> list[tuple[str, str, int]]:
    """All of an end, as it is shown and in pieces, and a piece each."""
    where = f"{end.namespace}/" if end.namespace else ""
    labels = label_texts(end.labels)
    pods = [f"{where}{pod}" for pod in (*end.pods, *([end.name] if end.kind == "pod" and end.name else ()))]
    pieces: dict[str, Iterable[str]] = {
        "pod.": pods,
        "namespace..": [end.namespace] if end.namespace else [],
        "ip..": end.ips,
        "label..": labels,
        "fqdn.": end.dns_names,
        "identity..": [] if end.identity is None else [str(end.identity)],
        "workload.": [f"{end.workload.kind}/{end.workload.name}"] if end.workload else [],
        "service.": [f"{where}{end.name}"] if end.kind == "service" and end.name else [],
        "node.": [end.name] if end.kind == "node" and end.name else [],
    }
    whole = (end_text(end), *end.pods[:4], *end.ips[:4], *end.dns_names[:4], *labels[:8])
    return [
        (f"{side}.{_ALSO[side]}.", _joined(whole), _WORDS),
        *((f"{side}-{name}", _joined(parts), _WORDS) for name, parts in pieces.items()),
    ]


def _joined(parts: Iterable[str | None]) -> str:
    return " ".join(filter(None, parts))


def _told(facts: list[tuple[str, str | None, int]]) -> list[Fact]:
    return [(name, visible(text.lower(), most)) for name, text, most in facts if text]
