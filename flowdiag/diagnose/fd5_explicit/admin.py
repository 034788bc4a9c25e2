"""FD503."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.dns import lookups_closed
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.webhooks import denied_webhook
from flowdiag.diagnose.wording import end_text, policy_text, refused_text
from flowdiag.model.finding import Finding
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import Severity

__all__ = ["AdminPolicy"]

_GROUP = "policy.networking.k8s.io"
_GROUPS = frozenset({_GROUP, "networking.k8s.aws"})
"""Whose replayed denials are an admin policy's: AWS has a ClusterNetworkPolicy of its own."""


class AdminPolicy(Rule):
    """A policy of the cluster's administrators denies, before or behind the namespace's own.

    Signature:
        The replay ends at a Deny rule of an AdminNetworkPolicy, a ClusterNetworkPolicy or the
        BaselineAdminNetworkPolicy, or the record names one that denied.

    Advice:
        Admin tier: no NetworkPolicy overrides it; ask its owners for an Allow or Pass of higher rank (a
        lower priority number, or an earlier rule).  Baseline: any NetworkPolicy that selects the pod replaces it.

    Guard:
        A pod that a NetworkPolicy isolates never reaches the baseline: its refusal is that policy's.  A
        baseline that denies lookups with all else is FD401.

    References:
        https://network-policy-api.sigs.k8s.io/api-overview/
        https://github.com/kubernetes-sigs/network-policy-api/pull/185
    """

    code = "FD503"
    slug = "admin-policy"
    title = "An admin policy denies {source} to {destination} on {port}"
    severity = Severity.HIGH
    signs = (Sign.POLICY | Sign.HITS, Sign.POLICY | Sign.RULE)
    specificity = 90

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.not_policy or denied_webhook(case) or lookups_closed(case) is not None:
            return
        whom = refused_text(case)
        named = [hit for hit in case.recorded_denies if hit.group == _GROUP and hit.name is not None]
        decided = case.end.decided_by if case.end is not None else None
        said = decided is not None and any(
            (hit.kind, hit.name) == (decided.policy.kind, decided.policy.name) for hit in named
        )
        # Where the record names others, it was there, and the replay goes by policies of another time.
        known = said or not named
        if case.denied_by_rule and decided is not None and decided.policy.group in _GROUPS and known:
            policy = policy_at(case, decided.policy)
            name = f"{policy_text(decided.policy)} {decided.rule}"
            baseline = _is_baseline(decided.policy.kind, policy)
            if baseline:
                summary = f"{name} denies {whom}, as no NetworkPolicy selects it."
            else:
                summary = f"{name}{self._rank(policy)} denies {whom} before any NetworkPolicy is asked."
            yield self.finding(
                case,
                summary=summary,
                advice=_advice(case, decided.policy.kind, baseline=baseline),
                basis=Basis.RECORD if said else Basis.REPLAY,
                cause_key=f"deny:{name}",
            )
            return
        for hit in named[:1]:
            policy = policy_at(
                case, PolicyRef(kind=hit.kind or "", group=_GROUP, namespace=None, name=hit.name or "")
            )
            name = f"{hit.kind} {hit.name}{f' {hit.rule}' if hit.rule else ''}"
            yield self.finding(
                case,
                summary=f"The record says that {name} denied {whom}.",
                advice=_advice(case, hit.kind or "", baseline=_is_baseline(hit.kind or "", policy)),
                basis=Basis.RECORD,
                cause_key=f"deny:{name}",
            )

    @staticmethod
    def _rank(policy: PolicyObject | None) -> str:
        priority = policy.spec.get("priority") if policy is not None else None
        return f" (priority {priority})" if isinstance(priority, int) else ""


def _is_baseline(kind: str, policy: PolicyObject | None) -> bool:
    return kind.startswith("Baseline") or (policy is not None and policy.spec.get("tier") == "Baseline")


def _advice(case: Case, kind: str, *, baseline: bool) -> str:
    if baseline:
        who = end_text(case.enforcer)
        return (
            f"A NetworkPolicy that selects {who} for {case.direction} and admits it replaces the baseline; it then decides "
            f"alone about all {case.direction} there."
        )
    word = "Accept" if kind == "ClusterNetworkPolicy" else "Allow"
    return f"No NetworkPolicy overrides it: its owners can add an {word} or Pass rule before it, or in a policy of a lower priority number."
