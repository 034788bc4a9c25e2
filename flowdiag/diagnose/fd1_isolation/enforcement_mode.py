"""FD105."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.finding import Finding
from flowdiag.model.report import Confidence, Severity
from flowdiag.policy.compile.aws_strict import is_strict

__all__ = ["EnforcementMode"]


class EnforcementMode(Rule):
    """The agent closes every endpoint, with or without a policy.

    Signature:
        Refused by policy, no policy selects the refusing end, and the agent's configuration says
        `enable-policy: always` (Cilium's `policyEnforcementMode`), or the DaemonSet aws-node's variable
        `NETWORK_POLICY_ENFORCING_MODE` is `strict`.

    Advice:
        Add a policy that allows the traffic; kubelet probes need `fromEntities: [host]` since Cilium 1.20.
        AWS's agent asks for one on each of the two pods, and CoreDNS is a pod like any other.

    Guard:
        Fires only where the configuration was read and says so; an endpoint without policies is
        otherwise a sign of missing policy state (FD806).  Where no policies were read at all it is possible
        at most, since one of those may isolate the endpoint.  Under AWS a policy for one direction opens the
        other, so that a pod with any policy is not closed by the mode.

    References:
        https://docs.cilium.io/en/stable/security/policy/intro/
        https://github.com/cilium/cilium/issues/48444
        https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html
        https://github.com/aws/aws-network-policy-agent/issues/288
    """

    code = "FD105"
    slug = "enforcement-mode-always"
    title = "{source} cannot reach {destination} on {port}: enforcement is on without a policy"
    severity = Severity.HIGH
    needs = Needs.NONE
    signs = (Sign.POLICY | Sign.ALWAYS,)
    specificity = 62

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        config = case.context.snapshot.config
        strict = is_strict(case.context.dialect, config)
        always = config.get("cilium.enable-policy", "").lower() == "always"
        if not (strict or always) or case.not_policy or case.isolating or case.denied_by_rule:
            return
        read = Needs.POLICIES in case.context.has
        if case.end is None and (read or not case.refused_by_policy):
            return
        if strict and case.end is not None and case.end.allowed is True:
            return
        who, way = end_text(case.enforcer), case.direction or "this"
        mode = _STRICT if strict else _ALWAYS
        if read:
            summary = f"No policy selects {who} for {way}, and {mode.what}."
        else:
            closes = mode.what[0].upper() + mode.what[1:]
            summary = f"{closes}, and none of the policies that would open {who} for {way} was read."
        yield self.finding(
            case,
            summary=summary,
            advice=f"Add a policy that allows what {who} needs, or {mode.instead}",
            basis=Basis.STATE,
            most=Confidence.DERIVED if read else Confidence.POSSIBLE,
            cause_key=mode.setting,
            limits=() if read else (_NONE_READ,),
        )


class _Mode(NamedTuple):
    setting: str
    what: str
    instead: str


_ALWAYS = _Mode(
    "enable-policy=always",
    "the agent's enable-policy is always, which closes every endpoint",
    "set enable-policy to default; kubelet probes need fromEntities: [host].",
)
_STRICT = _Mode(
    "network-policy-enforcing-mode=strict",
    "the agent's mode is strict, which closes every pod that no policy selects",
    "set NETWORK_POLICY_ENFORCING_MODE to standard; in strict mode the pod at the other end, CoreDNS too, needs a policy "
    "as well.",
)
_NONE_READ = "No policies were read: where the cluster has some, one that isolates it may be what refuses."
