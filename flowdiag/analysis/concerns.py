"""What an audit finds besides refusals, as problems of the report, so that history and formats need no second kind."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from flowdiag.analysis.rule_use import RuleUse, UnusedRule
from flowdiag.diagnose.check import Check, Concern, Looked
from flowdiag.diagnose.fd9_audit.acceptances import AcceptanceExpired, AcceptanceUnused
from flowdiag.diagnose.fd9_audit.unused_rules import UnusedRules
from flowdiag.diagnose.rule import sections
from flowdiag.history import Acceptance
from flowdiag.model.policy import PolicyRef
from flowdiag.model.problem import problem_without_refusals
from flowdiag.model.report import Confidence, Problem, ReportEndpoint
from flowdiag.model.time import rfc3339_or_none
from flowdiag.model.words import object_text, plural

__all__ = ["acceptance_problems", "check_problems", "unused_rule_problems"]


def check_problems(found: Looked) -> Iterator[Problem]:
    """What the registered checks found."""
    for check, concern in found.found:
        yield _problem(check, concern)


def unused_rule_problems(use: RuleUse) -> Iterator[Problem]:
    """One problem for a policy of which allow rules were not used, where the evidence can say so."""
    by_policy: dict[PolicyRef, list[UnusedRule]] = defaultdict(list)
    for rule in use.unused:
        if rule.unsure or rule.since is not None or not rule.pods or rule.pods_seen != rule.pods:
            continue
        by_policy[rule.policy].append(rule)
    cover = use.coverage
    silent = f"; no record of {plural(len(cover.nodes_silent), 'node')}" if cover.nodes_silent else ""
    lost = "an unknown number of records" if cover.lost is None else plural(cover.lost, "record")
    seen = (
        f"{plural(cover.connections, 'distinct connection')} looked at; {cover.unplaced} could not be placed, "
        f"{cover.unexplained} passed against the policies, {lost} known to be missing{silent}"
    )
    for ref, rules in sorted(by_policy.items(), key=lambda item: repr(item[0])):
        name = object_text(ref)
        paths = ", ".join(rule.rule for rule in rules)
        yield _problem(
            UnusedRules(),
            Concern(
                key=(ref.kind, ref.group, ref.namespace or "", ref.name),
                title=f"Nothing observed used {paths} of {name}",
                summary=f"{plural(cover.connections, 'connection was', 'connections were')} held against {plural(use.rules, 'allow rule')}.",
                advice="Ask the owner whether a rarer job needs it; try its removal with flowdiag whatif.",
                destination=ReportEndpoint(kind="unknown", namespace=ref.namespace, name=ref.name),
                notes=(seen,),
            ),
        )


def _problem(check: Check, concern: Concern) -> Problem:
    """A problem without connections: it has no refused record, so its count is 0."""
    mark = hashlib.sha256(repr((check.code, concern.key)).encode()).hexdigest()[:16]
    references = sections(type(check)).get("References", "").split()
    ends = {
        name: end
        for name, end in (("source", concern.source), ("destination", concern.destination))
        if end is not None
    }
    return problem_without_refusals(
        **ends,
        id=f"p-{mark[:8]}",
        fingerprint=mark,
        code=check.code,
        slug=check.slug,
        title=concern.title,
        severity=concern.severity or check.severity,
        confidence=Confidence.DERIVED,
        first=rfc3339_or_none(concern.first),
        last=rfc3339_or_none(concern.last),
        direction="ingress" if concern.source is not None else None,
        verdict="allowed" if concern.source is not None else "unknown",
        protocol=concern.protocol,
        port=concern.port,
        advice=concern.advice,
        references=tuple(one for one in references if one.startswith("https://")),
        summary=concern.summary,
        notes=concern.notes,
    )


def acceptance_problems(
    expired: Iterable[Acceptance], unused: Iterable[Acceptance], where: str
) -> Iterator[Problem]:
    """Entries of the accepted findings that have passed their day, or accept nothing any more."""
    for check, entries, what in (
        (AcceptanceExpired(), expired, "has expired"),
        (AcceptanceUnused(), unused, "accepts nothing any more"),
    ):
        for entry in entries:
            yield _problem(
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
