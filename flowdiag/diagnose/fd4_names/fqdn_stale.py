"""FD403."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.fqdn import allowed_names
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.endpoint import OUTSIDE_KINDS
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity
from flowdiag.model.tally import DnsAnswer
from flowdiag.model.time import NS

__all__ = ["FqdnNotInSet"]

_SAID = ("fqdn-update-timeout", "fqdn-limit", "ipcache-error")
"""Messages of an agent that could not bring a name's addresses into force."""


_CILIUM = (
    "Raise tofqdns-min-ttl and tofqdns-endpoint-max-ip-per-hostname, set "
    "tofqdns-idle-connection-grace-period, or allow the provider's range; a client that "
    "keeps addresses longer than their TTL needs mending."
)
_GKE = (
    "Let the pods ask the cluster's own DNS, whose answers alone count, and keep a policy's names within the 50 addresses "
    "that GKE takes of them, or allow the provider's range; a client that keeps addresses longer than their TTL needs "
    "mending."
)


class FqdnNotInSet(Rule):
    """The address belongs to a name that a rule allows (toFQDNs, GKE's FQDNNetworkPolicy), but it is not in the rule's set.

    Signature:
        Egress to an outside address; the records or an earlier DNS answer tie it to a name that an
        isolating policy allows, and it is refused, often long after the answer's TTL.

    Advice:
        Raise the minimum TTL or `tofqdns-endpoint-max-ip-per-hostname`, set an idle connection grace
        period, mend clients that cache addresses, or allow the provider's range.  On GKE only answers of the
        cluster's own DNS count, and a policy's names may come to 50 addresses.

    Guard:
        A name that no rule covers is simply not allowed.  One address may serve many names, so at
        most likely.

    References:
        https://github.com/cilium/cilium/issues/23086
        https://github.com/cilium/cilium/issues/18023
        https://cloud.google.com/kubernetes-engine/docs/how-to/fqdn-network-policies
    """

    code = "FD403"
    slug = "fqdn-not-in-set"
    title = "{source} cannot reach {destination} on {port}, though its name is allowed"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.NAMES
    signs = (Sign.POLICY | Sign.EGRESS | Sign.OUTWARD | Sign.BY_NAME,)
    specificity = 81

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        dst = case.flow.dst
        if case.direction is not Direction.EGRESS or case.not_policy or case.singled_out:
            return
        if dst.kind not in OUTSIDE_KINDS:
            return
        answers = case.context.names_of(dst.ip)
        names = sorted({*dst.dns_names, *case.flow.distinct.dns_names, *(one.name for one in answers)})
        for ref, patterns in allowed_names(case):
            found = next(((n, p) for n in names for p in patterns if p.holds(n)), None)
            if found is None:
                continue
            name, pattern = found
            own = [one for one in answers if one.name.rstrip(".") == name.rstrip(".")]
            age = _run_out(own, case.flow.first)
            when = f" The last answer's TTL had run out {age:.0f} s before." if age is not None else ""
            agent = agent_messages(case, *_SAID)
            yield self.finding(
                case,
                summary=(
                    f"{policy_text(ref)} allows {pattern.text} and {dst.ip} was answered for {name}, but "
                    f"{end_text(case.flow.src)} is refused.{when}"
                    f"{agent.text}"
                ),
                said=agent.said,
                advice=_GKE if ref.group != "cilium.io" else _CILIUM,
                basis=Basis.STATE,
                most=Confidence.LIKELY,
                cause_key=f"fqdn:{pattern.text}",
            )
            return


def _run_out(answers: Iterable[DnsAnswer], at: int | None) -> float | None:
    """Seconds since the last of a name's answers ran out; ``None`` where one holds, or its time or TTL is not known."""
    ages: list[float] = []
    for one in answers:
        if at is None or one.last is None or one.ttl is None:
            return None
        ages.append((at - one.last) / NS - one.ttl)
    return min(ages) if ages and min(ages) > 0 else None
