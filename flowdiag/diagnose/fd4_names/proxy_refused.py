"""FD404."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity

__all__ = ["DnsProxyRefused"]

_SEARCH_SUFFIXES = (".svc.cluster.local", ".cluster.local", ".svc")


class DnsProxyRefused(Rule):
    """The DNS proxy refused a lookup by name.

    Signature:
        An L7 DNS record that was refused.  A search-domain expansion (`api.example.org.shop.svc...`) that is
        refused ends the lookup on musl (Alpine) before the real name is tried.

    Advice:
        `tofqdns-dns-reject-response-code: nameError`, allow the search suffixes in the DNS rule, or set
        `ndots: 1` on the pod.

    Guard:
        If the lookup was refused on L3/L4, the proxy never saw a name: that is FD401.  A name that does not
        exist (NXDOMAIN) was answered, not refused.

    References:
        https://github.com/cilium/cilium/issues/8697
        https://docs.cilium.io/en/stable/security/policy/language/#dns-based
    """

    code = "FD404"
    slug = "dns-proxy-refused"
    title = "The DNS proxy refuses lookups of {source}"
    severity = Severity.MEDIUM
    signs = (Sign.POLICY | Sign.L7,)
    specificity = 96

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        l7 = case.flow.distinct.l7
        if l7 is None or l7.kind != "dns" or l7.rcode == 3 or case.not_policy:
            return
        query = (l7.query or "").rstrip(".")
        search = query.endswith(_SEARCH_SUFFIXES)
        what = f"the name {query}" if query else "a name"
        more = " It is a search-domain expansion, after which musl gives up." if search else ""
        agent = agent_messages(case, "dns-proxy-refused", "dns-proxy-timeout", before_s=60)
        yield self.finding(
            case,
            summary=(
                f"The DNS proxy refused {end_text(case.flow.src)} {what}: no DNS rule allows it.{more}{agent.text}"
            ),
            said=agent.said,
            advice=(
                "Set tofqdns-dns-reject-response-code: nameError, allow the search suffixes, or set ndots: 1."
                if search
                else "Add the name to the DNS rule (rules.dns) if it is meant to be asked."
            ),
            basis=Basis.RECORD,
            cause_key="search-domain" if search else f"dns-name:{query}",
        )
