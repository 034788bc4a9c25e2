"""What an audit finds besides refusals, as problems of the report, so that history and formats need no second kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from flowdiag.diagnose.check import Check, Concern
from flowdiag.diagnose.fd9_audit.acceptances import AcceptanceExpired, AcceptanceUnused
from flowdiag.diagnose.rule import sections
from flowdiag.history import Acceptance
from flowdiag.model.report import Confidence, Problem, Reason, ReportEndpoint
from flowdiag.model.time import rfc3339

__all__ = ["acceptance_problems", "concern_problem"]

_NOBODY = ReportEndpoint(kind="unknown")


def concern_problem(check: Check, concern: Concern) -> Problem:
    """A problem without connections: it has no refused record, so its count is 0."""
    mark = hashlib.sha256(repr((check.code, concern.key)).encode()).hexdigest()[:16]
    references = sections(type(check)).get("References", "").split()
    return Problem(
        id=f"p-{mark[:8]}",
        fingerprint=mark,
        code=check.code,
        slug=check.slug,
        title=concern.title,
        severity=concern.severity or check.severity,
        confidence=Confidence.DERIVED,
        status=None,
        first=None if concern.first is None else rfc3339(concern.first),
        last=None if concern.last is None else rfc3339(concern.last),
        ongoing=None,
        count=0,
        direction="ingress" if concern.source is not None else None,
        verdict="allowed" if concern.source is not None else "unknown",
        reason=Reason(None, None, None),
        source=concern.source or _NOBODY,
        destination=concern.destination or _NOBODY,
        protocol=concern.protocol,
        port=concern.port,
        icmp=None,
        connections=(),
        recorded=(),
        isolating=(),
        nearest=(),
        counterfactual=None,
        changes=(),
        explains=(),
        explained_by=None,
        evidence=(),
        advice=concern.advice,
        verify=(),
        references=tuple(one for one in references if one.startswith("https://")),
        summary=concern.summary,
        notes=concern.notes,
    )


def acceptance_problems(
    expired: Iterable[Acceptance], unused: Iterable[Acceptance], where: str
) -> Iterable[Problem]:
    """Entries of the accepted findings that have passed their day, or accept nothing any more."""
    for check, entries, what in (
        (AcceptanceExpired(), expired, "has expired"),
        (AcceptanceUnused(), unused, "accepts nothing any more"),
    ):
        for entry in entries:
            yield concern_problem(
                check,
                Concern(
                    key=(entry.key,),
                    title=f"{where}: the entry for {entry.text} {what}",
                    summary=f"Accepted by {entry.owner} until {entry.expires}: {entry.reason}",
                    advice=f"Ask {entry.owner}: mend the cause and delete the entry, or accept it anew."
                    if check.code == AcceptanceExpired.code
                    else f"Delete the entry, or correct its selectors; its owner is {entry.owner}.",
                    notes=(f"accepted by {entry.owner} until {entry.expires}: {entry.reason}",),
                ),
            )
