"""Names that Cilium's toFQDNs rules allow to an endpoint, and whether its lookups are seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.spec import policy_at
from flowdiag.model.policy import PolicyRef

__all__ = ["allowed_names", "has_dns_rule", "names_match"]

_MAX_NAME = 255


def _egress_rules(case: Case) -> Iterator[tuple[PolicyRef, dict[str, Any]]]:
    """Egress rules of those policies that matter here, of which one goes by names."""
    asked = case.context.egress_by_name
    for ref in dict.fromkeys(ref for ref in (*case.isolating, *case.involved) if ref in asked):
        policy = policy_at(case, ref)
        rules = policy.spec.get("egress") if policy is not None else None
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict):
                yield ref, rule


def allowed_names(case: Case) -> Iterator[tuple[PolicyRef, tuple[str, ...]]]:
    """Names and patterns of every toFQDNs rule of the policies that matter to the refusing end."""
    for ref, rule in _egress_rules(case):
        entries = rule.get("toFQDNs")
        names = tuple(
            str(entry.get("matchName") or entry.get("matchPattern"))
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and (entry.get("matchName") or entry.get("matchPattern"))
        )
        if names:
            yield ref, names


def has_dns_rule(case: Case) -> bool:
    """Whether one of those policies sends lookups through the DNS proxy (``rules.dns``)."""
    for _, rule in _egress_rules(case):
        groups = rule.get("toPorts")
        for group in groups if isinstance(groups, list) else ():
            rules = group.get("rules") if isinstance(group, dict) else None
            if isinstance(rules, dict) and rules.get("dns"):
                return True
    return False


def names_match(name: str, pattern: str) -> bool:
    """Whether a name meets a matchName or matchPattern; ``*`` stands for letters within one label.

    Source: Cilium v1.19, policy language, DNS based: ``*`` alone is every name.
    """
    name, pattern = name.rstrip(".").lower(), pattern.rstrip(".").lower()
    if pattern in ("*", name):
        return True
    labels, wanted = name.split("."), pattern.split(".")
    if len(labels) != len(wanted) or max(len(name), len(pattern)) > _MAX_NAME:
        return False
    return all(_label_matches(label, want) for label, want in zip(labels, wanted, strict=True))


def _label_matches(label: str, pattern: str) -> bool:
    pieces = pattern.split("*")
    if len(pieces) == 1:
        return label == pattern
    if not label.startswith(pieces[0]) or not label.endswith(pieces[-1]):
        return False
    at, end = len(pieces[0]), len(label) - len(pieces[-1])
    for piece in pieces[1:-1]:
        found = label.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end
