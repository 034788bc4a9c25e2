"""FD503."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.finding import Finding
from flowdiag.model.objects import PolicyObject
from flowdiag.model.report import Severity

__all__ = ["AdminPolicy"]

_GROUP = "policy.networking.k8s.io"


class AdminPolicy(Rule):
    """A policy of the cluster's administrators denies, before or behind the namespace's own.

    Signature:
        The replay ends at a Deny rule of an AdminNetworkPolicy, a ClusterNetworkPolicy or the
        BaselineAdminNetworkPolicy.

    Advice:
        Admin tier: no NetworkPolicy overrides it; ask its owners for an Allow or Pass of higher rank (a
        lower priority number).  Baseline: any NetworkPolicy that selects the pod replaces it.

    Guard:
        A pod that a NetworkPolicy isolates never reaches the baseline: its refusal is that policy's.

    References:
        https://network-policy-api.sigs.k8s.io/api-overview/
        https://github.com/kubernetes-sigs/network-policy-api/pull/185
    """

    code = "FD503"
    slug = "admin-policy"
    title = "An admin policy denies {source} to {destination} on {port}"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.POLICY | Sign.RULE,)
    specificity = 90

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        decided = case.end.decided_by if case.end is not None else None
        if case.not_policy or not case.denied_by_rule or decided is None or decided.policy.group != _GROUP:
            return
        policy = policy_at(case, decided.policy)
        baseline = decided.policy.kind.startswith("Baseline") or (
            policy is not None and policy.spec.get("tier") == "Baseline"
        )
        name, who = policy_text(decided.policy), end_text(case.enforcer)
        rank = self._rank(policy)
        if baseline:
            summary = f"{name} {decided.rule} denies {end_text(case.peer)} at {who}, as no NetworkPolicy selects it."
            advice = f"A NetworkPolicy that selects {who} for {case.direction} and admits it replaces the baseline."
        else:
            summary = f"{name} {decided.rule}{rank} denies {end_text(case.peer)} at {who} before any NetworkPolicy is asked."
            advice = "No NetworkPolicy overrides it: its owners can add an Allow or Pass rule of a lower priority number."
        yield self.finding(case, summary=summary, advice=advice, cause_key=f"deny:{name} {decided.rule}")

    @staticmethod
    def _rank(policy: PolicyObject | None) -> str:
        priority = policy.spec.get("priority") if policy is not None else None
        return f" (priority {priority})" if isinstance(priority, int) else ""
