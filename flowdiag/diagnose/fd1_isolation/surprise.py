"""FD104."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.deny_only import deny_only
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.finding import Finding
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import KUBERNETES_GROUPS, PolicyRef
from flowdiag.model.report import Confidence, Severity

__all__ = ["IsolationBySurprise"]

_CILIUM = "cilium.io"
_DENY_WORDS = ("deny", "block", "isolat", "lock", "quarantine", "reject")
"""A policy with such a word in its name closes on purpose."""
_CERTAIN = ("implied", "deny-only", "untyped")
"""Ways that are nobody's intent, whatever else the author meant."""


class IsolationBySurprise(Rule):
    """A policy closes a direction that its author probably did not mean to close.

    Signature:
        All policies that isolate the refusing end in that direction do so without a rule for it: (a)
        `policyTypes` is left out or names both directions while rules are written for the other one
        only, or leaves out one that rules are written for, which Cilium takes all the same; (b) the list of rules is there and empty; (c) a Cilium policy that only denies puts the
        endpoint into default deny.

    Advice:
        Set `policyTypes` to the directions that are meant, or add a rule that allows all; for Cilium set
        `enableDefaultDeny` to false.

    Guard:
        A policy without any rules, or whose name says deny, isolate or lock, closes on purpose.  A policy
        that only denies is usually named after what it denies, so it closes everything on purpose only if
        its name says so.  Silent as soon as one other policy isolates the same direction.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-resource
        https://github.com/cilium/cilium/issues/20914
    """

    code = "FD104"
    slug = "isolation-by-surprise"
    title = "{source} cannot reach {destination} on {port}: a policy isolates more than it seems to"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.DEFAULT,)
    specificity = 60

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.default_denied or not case.isolating or case.direction is None:
            return
        for ref in case.isolating:
            if self._way(case, ref) is None:
                return
        ref = case.isolating[0]
        way = self._way(case, ref)
        name, who, direction = policy_text(ref), end_text(case.enforcer), case.direction
        other = "egress" if direction == "ingress" else "ingress"
        texts = {
            "implied": (
                f"{name} has only {other} rules and no policyTypes, which isolates {who} for ingress too.",
                "Set policyTypes: [Egress] if only egress was meant, or add an ingress rule.",
            ),
            "listed": (
                (
                    f"{name} lists {direction.title()} in policyTypes but has {other} rules only, so {who} is "
                    f"isolated for {direction} with nothing allowed."
                ),
                f"Remove {direction.title()} from policyTypes, or add the {direction} rules that are meant.",
            ),
            "empty": (
                f"{name} has an empty list of {direction} rules, which allows nothing to {who}.",
                (
                    f"To allow all write {direction}: [{{}}]; to leave it open remove {direction.title()} "
                    "from policyTypes."
                ),
            ),
            "untyped": (
                (
                    f"{name} has {direction} rules and leaves {direction.title()} out of policyTypes: Cilium takes them all "
                    f"the same, which isolates {who} for {direction}."
                ),
                (
                    f"Remove the {direction} rules if {direction} was to stay open; else add {direction.title()} to "
                    "policyTypes, and the rules that are meant."
                ),
            ),
            "deny-only": (
                f"{name} only has deny rules for {direction}, which puts {who} into default deny as well.",
                f"Set enableDefaultDeny.{direction}: false, or add an allow rule beside the deny rules.",
            ),
        }
        summary, advice = texts[way or "empty"]
        yield self.finding(
            case,
            summary=summary,
            advice=advice,
            cause_key=f"{way}",
            candidates=len(case.isolating),
            most=Confidence.DERIVED if way in _CERTAIN else Confidence.LIKELY,
            limits=()
            if way in _CERTAIN
            else ("Whether this direction was meant to be closed, only its author knows.",),
        )

    @staticmethod
    def _way(case: Case, ref: PolicyRef) -> str | None:
        policy = policy_at(case, ref)
        if policy is None or case.direction is None:
            return None
        key = (IsolationBySurprise, id(policy), case.direction)
        known = case.context.texts
        if key not in known:
            known[key] = _closes(policy, case.direction, by_identity=case.context.by_identity)
        way: str | None = known[key]
        return way


def _closes(policy: PolicyObject, direction: str, *, by_identity: bool) -> str | None:
    """How it closes a direction that it seems to leave alone; ``None`` where it does not, or says so."""
    name = policy.ref.name.lower()
    if policy.ref.group == _CILIUM:
        return "deny-only" if deny_only(policy, direction) else None
    if any(word in name for word in _DENY_WORDS):
        return None
    if by_identity and _untyped(policy, direction):
        return "untyped"
    return _without_rules(policy, direction)


def _without_rules(policy: PolicyObject, direction: str) -> str | None:
    """How a NetworkPolicy that isolates a direction has no rule for it; ``None`` where it has one, or means to have none.

    ``implied``: ``policyTypes`` is left out, so Ingress is isolated, while only egress rules are written;
    ``listed``: ``policyTypes`` names the direction, while rules are written for the other one only;
    ``empty``: the list of rules is there and empty.
    """
    if policy.ref.kind != "NetworkPolicy" or policy.ref.group not in KUBERNETES_GROUPS:
        return None
    spec = policy.spec
    types = spec.get("policyTypes")
    given = [str(each).lower() for each in types] if isinstance(types, list) else []
    if (given and direction not in given) or spec.get(direction):
        return None
    if spec.get("egress" if direction == "ingress" else "ingress"):
        return "listed" if given else "implied"
    return "empty" if spec.get(direction) == [] and spec.get("podSelector") else None


def _untyped(policy: PolicyObject, direction: str) -> bool:
    """Rules of a direction that ``policyTypes`` leaves out: the API ignores them, Cilium's translation does not."""
    types = policy.spec.get("policyTypes")
    if not isinstance(types, list) or not types:
        return False
    return bool(policy.spec.get(direction)) and direction.title() not in types
