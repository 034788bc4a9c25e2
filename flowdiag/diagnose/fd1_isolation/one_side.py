"""FD102."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import isolating_text, known_end_text, policies_text, policy_text, port_text
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity

__all__ = ["OneSideAllowed"]

_ONE_CHAIN = frozenset({"netfilter", "nflog"})
"""Logs of rules in one list, where those of either end may stand first if both are on the node."""
_OF_RULES = ("FD1", "FD2", "FD3", "FD4", "FD5")
"""Findings about rules of one end, which are only one half of the answer."""


class OneSideAllowed(Rule):
    """One end was opened for this connection, the other was not.

    Both the egress rules of the source and the ingress rules of the destination must allow.

    Signature:
        The other end is isolated too, and a rule there admits the connection; this end is isolated and
        has none.  Records of the same connection that passed the other end make it certain.

        Beside other findings it says where the destination would refuse what its source did not let out, and where the
        source would not have let out what arrived.

    Advice:
        Add the missing half on the refusing end; where both refuse, on both.

    Guard:
        An end that no policy isolates lets everything pass, which is not "one side allowed": the other
        end must be isolated and opened by a rule.  Without records from the other end at most likely.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation
        https://github.com/kubernetes/website/issues/38267
    """

    code = "FD102"
    slug = "one-side-allowed"
    title = "Only one side allows {source} to reach {destination} on {port}"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.DEFAULT | Sign.OTHER_OPEN,)
    specificity = 55

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        other = case.other_end
        if not case.default_denied or not case.isolating or other is None or other.allowed is not True:
            return
        if not other.isolated_by or other.decided_by is None:
            return
        who, peer = (known_end_text(case.context, one) for one in (case.enforcer, case.peer))
        opened = f"{policy_text(other.decided_by.policy)} {other.decided_by.rule}"
        isolated = isolating_text(case)
        verb = "isolates" if len(case.isolating) == 1 else "isolate"
        way = Direction.INGRESS if case.direction is Direction.EGRESS else Direction.EGRESS
        seen = any(
            flow.distinct.port == case.port
            and flow.distinct.protocol == case.protocol
            and flow.direction is way
            for flow in case.context.allowed_between(case.flow.src, case.flow.dst)
        )
        limits = () if seen else (f"No record shows the connection passing the {way} side of {peer}.",)
        yield self.finding(
            case,
            summary=(
                f"{opened} allows the {way} side at {peer}, but {isolated} {verb} {who} for "
                f"{case.direction} and no rule there admits it."
            ),
            advice=(
                f"Add the other half: an {case.direction} rule for {who} "
                f"{'from' if case.direction is Direction.INGRESS else 'to'} {peer} on {port_text(case)}."
            ),
            cause_key="other-side-open",
            most=Confidence.DERIVED if seen else Confidence.LIKELY,
            limits=limits,
        )

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """Say that the other end would refuse it, too: the destination, as nothing arrived there, no record can show."""
        other = case.other_end
        if case.flow.direction is None or not case.replay_agrees or not case.of_rules:
            return finding
        if other is None or other.allowed is not False or not finding.code.startswith(_OF_RULES):
            return finding
        who = known_end_text(case.context, case.peer)
        if other.decided_by is not None:
            why = f"{policy_text(other.decided_by.policy)} {other.decided_by.rule} denies it"
        elif not other.isolated_by:
            why = "no policy selects it, and enforcement is on without one"
        else:
            verb = "isolates" if len(other.isolated_by) == 1 else "isolate"
            why = f"{policies_text(other.isolated_by, most=3)} {verb} it, and no rule there admits this"
        if case.flow.direction is Direction.EGRESS:
            text = f"The ingress side of {who} would refuse it, too: {why}."
        elif case.same_node is True and case.flow.distinct.parser in _ONE_CHAIN:
            return finding
        else:
            text = (
                f"It arrived, so that {who} was let out, where the policies at hand refuse it: {why}. They read "
                "otherwise then, or are not enforced there."
            )
        return replace(finding, limits=(text, *finding.limits))
