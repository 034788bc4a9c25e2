"""FD502."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from flowdiag.diagnose.calico_places import stands_before
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.webhooks import denied_webhook
from flowdiag.diagnose.wording import isolating_text, policies_text, policy_text, refused_text
from flowdiag.model.event import PolicyHit
from flowdiag.model.finding import Finding
from flowdiag.model.policy import CALICO_GROUPS, DecidedBy, PolicyRef
from flowdiag.model.report import Severity

__all__ = ["CalicoOrder"]

_REORDER = (
    "If {} is to allow it, give it a lower order or an earlier tier, or let the earlier tier Pass it; if none does, the "
    "call needs an Allow rule before that Deny."
)
_NOTHING_BEFORE = (
    "If the call is meant, it needs an Allow rule before that Deny (a lower order or an earlier tier); if it is not, the "
    "policies work as written."
)


class CalicoOrder(Rule):
    """A Calico rule denies; the first match by tier and order decides, whatever comes later allows.

    Signature:
        The replay ends at a Deny rule of a Calico policy, or the record names a Calico policy's Deny rule.

    Advice:
        Put the allowing policy before it (a lower `order`, or an earlier tier), or Pass in the earlier tier.
        Kubernetes NetworkPolicies stand at order 1000 of the default tier.

    Guard:
        The end of a tier is nobody's Deny rule: that is a default deny (FD101), whose policies are named.
        A Deny without a condition says what the end of the tier would say anyway: if a rule before it in
        the same policy missed by a mistake (a port, a label), that finding leads.  So it does if the policy
        is the last one that is asked (a catch-all that logs what it refuses), where refused lookups are
        FD401, too.

    References:
        https://github.com/projectcalico/calico/issues/9292
        https://docs.tigera.io/calico/latest/reference/resources/tier
    """

    code = "FD502"
    slug = "calico-order"
    title = "A Calico rule denies {source} to {destination} on {port}"
    severity = Severity.HIGH
    signs = (Sign.POLICY | Sign.HITS, Sign.POLICY | Sign.RULE)
    specificity = 89
    specificity_where = MappingProxyType({Sign.REST: 65})

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.not_policy or denied_webhook(case):
            return
        whom = refused_text(case)
        decided = case.end.decided_by if case.end is not None else None
        named = [hit for hit in case.recorded_denies if hit.group in CALICO_GROUPS and hit.name is not None]
        if case.denied_by_rule and decided is not None and decided.policy.group in CALICO_GROUPS:
            behind = [
                ref for ref in case.isolating if ref != decided.policy and not _asked(case, ref, decided)
            ]
            names = policies_text(behind)
            verbs = ("selects", "is") if len(behind) == 1 else ("select", "are")
            later = f" {names} also {verbs[0]} it and {verbs[1]} not asked any more." if behind else ""
            yield self.finding(
                case,
                summary=f"{policy_text(decided.policy)} {decided.rule} denies {whom}; first match wins.{later}",
                advice=_REORDER.format(names) if behind else _NOTHING_BEFORE,
                basis=Basis.RECORD if any(_is_named(decided.policy, hit) for hit in named) else Basis.REPLAY,
                cause_key=f"deny:{policy_text(decided.policy)} {decided.rule}",
            )
            return
        for hit in named[:1]:
            place = f"{hit.namespace}/{hit.name}" if hit.namespace else hit.name
            tier = f" of tier {hit.tier}" if hit.tier else ""
            yield self.finding(
                case,
                summary=f"The record says that {hit.kind} {place}{tier} (rule {hit.rule or '?'}) denied {whom}.",
                advice=_REORDER.format("a policy"),
                basis=Basis.RECORD,
                cause_key=f"deny:{hit.kind} {place} {hit.rule}",
                limits=_against_replay(case, hit),
            )


def _against_replay(case: Case, hit: PolicyHit) -> tuple[str, ...]:
    """Where the replay comes to another answer than the record: both stand, and the reader is told (FD806)."""
    end = case.end
    if end is None or end.allowed is None:
        return ()
    if end.allowed:
        return ("The policies at hand allow it: they are not those of that time, or not all (FD806).",)
    if any(_is_named(ref, hit) for ref in case.isolating):
        return ()
    others = isolating_text(case)
    return (f"The policies at hand refuse it too, but by {others}, not by what the record names (FD806).",)


def _is_named(ref: PolicyRef, hit: PolicyHit) -> bool:
    """Up to v3.31 objects are named ``TIER.NAME`` and records leave the tier away; from v3.32 on both are as written."""
    prefix = f"{hit.tier or 'default'}."
    same = (ref.name or "").removeprefix(prefix) == (hit.name or "").removeprefix(prefix)
    return same and ref.namespace == hit.namespace and ref.kind == hit.kind


def _asked(case: Case, ref: PolicyRef, decided: DecidedBy) -> bool:
    """Whether a policy was asked before the one that decided: a rule of it came near, or it stands earlier in its tier."""
    return any(rule.policy == ref for rule in case.nearest) or stands_before(
        case.context, ref, decided.policy
    )
