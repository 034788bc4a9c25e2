"""FD504."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.open_l7 import sent_to_the_proxy
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, policies_text, port_text, rule_text
from flowdiag.model.finding import Finding
from flowdiag.model.masking import masked
from flowdiag.model.policy import Condition
from flowdiag.model.report import Severity

__all__ = ["L7Denied"]

_MAX_URL = 120
_ADVICE = (
    "Compare method, path and host with the rule: GET does not include HEAD, and paths are "
    "regular expressions that must match as a whole."
)
# Antrea's rules with l7Protocols, which take every connection that their addresses and ports match.
_ANTREA = "crd.antrea.io"
_ANTREA_ADVICE = (
    "Compare method, path, host and protocol with l7Protocols of the policy's rules: paths and hosts take * for any text, and "
    "what such a rule takes and does not match no later rule allows."
)


class L7Denied(Rule):
    """The connection was allowed, and the proxy refused the request inside it.

    Signature:
        A refused record with an L7 part: HTTP (403 by the proxy) or Kafka.

    Advice:
        Compare method, path and host with the rule: paths are anchored regular expressions, `/status` is
        not `/status/`, and `GET` does not include `HEAD`.  Antrea's paths take `*`; what a rule with
        `l7Protocols` takes and does not match, no later rule allows.  `enableDefaultDeny: false` opens no
        L7 before Cilium 1.18.

    Guard:
        A 403 in an allowed record is the application's own answer, not the proxy's.  Refused DNS requests
        are FD404.

    References:
        https://github.com/cilium/cilium/issues/13280
        https://docs.cilium.io/en/stable/security/policy/language/#layer-7-examples
        https://antrea.io/docs/main/docs/antrea-l7-network-policy/
    """

    code = "FD504"
    slug = "l7-denied"
    title = "The proxy refuses requests from {source} to {destination} on {port}"
    severity = Severity.HIGH
    signs = (Sign.POLICY | Sign.L7,)
    specificity = 96

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        l7 = case.flow.distinct.l7
        if l7 is None or l7.kind == "dns" or case.not_policy:
            return
        url = masked(l7.url or "")[:_MAX_URL]
        request = " ".join(part for part in (l7.method, url) if part) or _unnamed(l7.kind)
        # The connection was admitted, so the rule that speaks of requests is the one that it came nearest to.
        near = next(iter(case.missing_one(Condition.L7)), None)
        allows = f" {rule_text(near)} allows {a_list([m.wanted for m in near.misses])}." if near else ""
        yield self.finding(
            case,
            first=near,
            summary=(
                f"{end_text(case.flow.src)} was let through to {end_text(case.flow.dst)} on {port_text(case)}, "
                f"and the proxy refused {request}.{allows}"
            ),
            advice=_of_an_open_end(case)
            or (_ANTREA_ADVICE if any(hit.group == _ANTREA for hit in case.recorded_denies) else _ADVICE),
            basis=Basis.RECORD,
            cause_key=f"l7:{l7.kind}:{l7.method or ''}",
        )


def _of_an_open_end(case: Case) -> str | None:
    """What to change where only policies that close nothing can have sent the request to the proxy."""
    refs = sent_to_the_proxy(case)
    if not refs:
        return None
    return (
        f"{policies_text(refs)}: enableDefaultDeny.{case.direction} false opens addresses and ports alone, and proxies of Cilium "
        "before 1.18 refuse on this port whatever no L7 rule of theirs names. Update, or add an L7 rule for everybody "
        "(rules: http: [{}])."
    )


def _unnamed(kind: str) -> str:
    """A request of which only the protocol is known, or not even that."""
    return "a request" if kind == "unknown" else f"a {kind.upper()} request"
