"""FD307."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.first_sight import api_client
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.webhooks import called, denied_webhook
from flowdiag.diagnose.wording import a_list, end_text, isolating_text, policy_text
from flowdiag.model.finding import Finding
from flowdiag.model.policy import CALICO_GROUPS
from flowdiag.model.report import Confidence, Severity

__all__ = ["AdmissionWebhook"]

_ADMIN = "policy.networking.k8s.io"


class AdmissionWebhook(Rule):
    """The API server may not call an admission webhook, or an aggregated API.

    Signature:
        Ingress from a node or the API server to a pod behind the Service that a ValidatingWebhook-,
        MutatingWebhookConfiguration or APIService names, on the target of the port named there.

    Advice:
        Allow the API server on the webhook's target port: Cilium `fromEntities: [kube-apiserver,
        remote-node, host]`, others an ipBlock of the control plane's addresses, and where it calls through pods
        (konnectivity) these; where a rule denies it, before that rule.  `failurePolicy: Ignore` lets requests pass, but each waits for the timeout first.

    Guard:
        Other pods that call the webhook's port are not the API server, and another port of the same pod is
        not the webhook.  A node is not certainly the API server: if the API server's endpoints are not
        known, the finding is likely; if they are known and none is the node's, only a konnectivity agent
        there may speak for it.

    References:
        https://github.com/kubernetes/kubernetes/issues/128162
        https://github.com/tigera/operator/pull/5212
        https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
    """

    code = "FD307"
    slug = "admission-webhook"
    title = "The API server cannot call {destination} on {port}"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.SERVICES | Needs.PODS
    signs = (Sign.DEFAULT | Sign.INGRESS | Sign.API_CLIENT, Sign.RULE | Sign.INGRESS | Sign.API_CLIENT)
    specificity = 83

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not (case.default_denied or denied_webhook(case)):
            return
        sure = api_client(case.context, case.flow.src)
        found = called(case)
        if not found:
            return
        names = a_list(sorted({one.name for one in found}))
        waits = max((one.timeout_s for one in found if one.timeout_s is not None), default=None)
        effect = "requests that it concerns fail"
        if all(one.ignored for one in found):
            effect = "requests pass without it (failurePolicy Ignore)"
        if waits is not None:
            effect += f", each after up to {waits} s"
        refuses, advice = self._refuses(case)
        tunnels = case.flow.src.pod is not None or _tunnel(case) is not None
        source = "the API server's address" if sure else "which tunnels for it" if tunnels else "a node"
        yield self.finding(
            case,
            summary=(
                f"{names} calls Service {found[0].namespace}/{found[0].service}; {end_text(case.flow.src)} "
                f"({source}) is refused on its target port {case.port} by {refuses}, so {effect}."
            ),
            advice=advice,
            severity=Severity.MEDIUM if all(one.ignored for one in found) else None,
            most=Confidence.DERIVED if sure else Confidence.LIKELY,
            cause_key=f"webhook:{found[0].namespace}/{found[0].service}",
            limits=()
            if sure
            else ("It may tunnel other calls, too.",)
            if tunnels
            else ("Other processes of the node share its address.",),
        )

    @staticmethod
    def _refuses(case: Case) -> tuple[str, str]:
        """Who refuses it, and what to do about that."""
        cilium = case.context.by_identity
        who = (
            "fromEntities: [kube-apiserver, remote-node, host]"
            if cilium
            else f"an ipBlock of the control plane ({case.flow.src.ip or 'see kubectl get endpoints kubernetes'})"
        )
        tunnel = _tunnel(case)
        if tunnel is not None:
            who = f"the pods of {tunnel}, through which the control plane calls,"
        where = f"on {case.port}/TCP, the webhook's target port"
        decided = case.end.decided_by if case.end is not None else None
        if not case.denied_by_rule or decided is None:
            said = [f"{hit.kind or 'policy'} {hit.name}" for hit in case.recorded_denies if hit.name]
            named = f"{a_list(said)} (as the record says, and by {isolating_text(case)} in the replay)"
            return named if said else isolating_text(case), f"Allow {who} {where}."
        by = f"{policy_text(decided.policy)} {decided.rule}, which denies it"
        if decided.policy.group in CALICO_GROUPS:
            nets = case.flow.src.ip or "see kubectl get endpoints kubernetes"
            who = who if tunnel is not None else f"nets of the control plane ({nets})"
            return by, (
                f"Allow {who} {where}, before that Deny: in a policy of a lower order or an earlier tier."
            )
        if decided.policy.group == _ADMIN:
            return by, (
                f"Its owners can let the control plane through {where}: by an Allow or Pass rule of a lower priority "
                "number, or of the baseline by a NetworkPolicy that admits it."
            )
        return by, f"Take the control plane out of that deny rule {where}: no allow overrides it."


def _tunnel(case: Case) -> str | None:
    """The workload through whose pods the control plane calls, where they have addresses of their own."""
    src = case.flow.src
    if src.pod is not None:
        return None if src.pod.host_network else end_text(src)
    return end_text(src) if src.workload is not None else None
