"""FD103."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.wording import end_text, isolating_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import CALICO_GROUPS, PolicyRef
from flowdiag.model.report import Severity

__all__ = ["LogOnlyPolicy"]


class LogOnlyPolicy(Rule):
    """A Calico policy whose rules only log selects the endpoint, and so closes it.

    `Log` decides nothing; what no rule decides is denied at the end of the tier.

    Signature:
        Every policy that isolates the refusing end in that direction is a Calico policy, and at least one
        of them has rules there that are all `Log`.

    Advice:
        Add an `Allow` or a `Pass` behind the `Log` rule, or delete the policy if it was made to debug.

    Guard:
        Silent where another selecting policy allows or denies something in that direction: then the
        endpoint would be closed without the logging policy, too.

    References:
        https://github.com/projectcalico/calico/issues/3801
        https://docs.tigera.io/calico/latest/reference/resources/networkpolicy
    """

    code = "FD103"
    slug = "log-only-policy"
    title = "A policy that only logs blocks {source} from {destination} on {port}"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.DEFAULT | Sign.CALICO,)
    specificity = 82

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.default_denied or not case.isolating:
            return
        if any(ref.group not in CALICO_GROUPS for ref in case.isolating):
            return
        if any(self._actions(case, ref) != {"Log"} for ref in case.isolating):
            return
        names = isolating_text(case)
        selects = "selects" if len(case.isolating) == 1 else "select"
        yield self.finding(
            case,
            summary=(
                f"{names} {selects} {end_text(case.enforcer)} for {case.direction} with Log rules only, so all "
                "traffic is logged and then denied at the end of the tier."
            ),
            advice="Add a Pass (or Allow) rule after the Log rule, or delete the policy if it was made to debug.",
            cause_key="log-only",
        )

    @staticmethod
    def _actions(case: Case, ref: PolicyRef) -> set[str]:
        policy = policy_at(case, ref)
        rules: Any = policy.spec.get(str(case.direction)) if policy is not None else None
        if not isinstance(rules, list):
            return set()
        return {str(rule.get("action", "")).title() for rule in rules if isinstance(rule, dict)}
