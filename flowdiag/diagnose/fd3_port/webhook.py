"""FD307."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.first_sight import api_client
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.wording import a_list, end_text, isolating_text
from flowdiag.model.event import Direction
from flowdiag.model.finding import Finding
from flowdiag.model.objects import RawObject
from flowdiag.model.policy import Dialect
from flowdiag.model.report import Confidence, Severity

__all__ = ["AdmissionWebhook"]

_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_DEFAULT_PORT = 443
_DEFAULT_TIMEOUT_S = 10


class _Called(Struct, frozen=True):
    """A Service that the API server calls; `ignored` where a failure is let pass."""

    name: str
    namespace: str
    service: str
    port: int
    ignored: bool
    timeout_s: int | None


class AdmissionWebhook(Rule):
    """The API server may not call an admission webhook, or an aggregated API.

    Signature:
        Ingress from a node or the API server to a pod behind the Service that a ValidatingWebhook-,
        MutatingWebhookConfiguration or APIService names, on the target of the port named there.

    Advice:
        Allow the API server on the webhook's target port: Cilium `fromEntities: [kube-apiserver,
        remote-node, host]`, others an ipBlock of the control plane's addresses.  `failurePolicy: Ignore`
        lets requests pass, but each waits for the timeout first.

    Guard:
        Other pods that call the webhook's port are not the API server, and another port of the same pod is
        not the webhook.  A node is not surely the API server: where its endpoints are not known, likely; where
        they are, and none is the node's, only a konnectivity agent there may speak for it.

    References:
        https://github.com/kubernetes/kubernetes/issues/128162
        https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
    """

    code = "FD307"
    slug = "admission-webhook"
    title = "The API server cannot call {destination} on {port}"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.SERVICES | Needs.PODS
    signs = (Sign.DEFAULT | Sign.INGRESS | Sign.API_CLIENT,)
    specificity = 83

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        pod = some_pod(case.context, case.flow.dst)
        if case.direction is not Direction.INGRESS or not case.default_denied or pod is None:
            return
        sure = api_client(case.context, case.flow.src)
        if sure is None:
            return
        behind = {(one.namespace, one.name): one for one in case.context.services_of(pod)}
        called = []
        for one in _called(case.context.snapshot.others):
            service = behind.get((one.namespace, one.service))
            entry = None
            if service is not None:
                entry = case.context.index.service_port(service, one.port, "TCP")
            if entry is not None and case.protocol == "TCP" and target_port(pod, entry) == case.port:
                called.append(one)
        if not called:
            return
        names = a_list(sorted({one.name for one in called}))
        waits = max((one.timeout_s for one in called if one.timeout_s is not None), default=None)
        effect = "requests that it concerns fail"
        if all(one.ignored for one in called):
            effect = "requests pass without it (failurePolicy Ignore)"
        if waits is not None:
            effect += f", each after up to {waits} s"
        isolating = isolating_text(case)
        source = "the API server's address" if sure else "a node"
        cilium = case.context.dialect in (Dialect.CILIUM, Dialect.GKE)
        allow = (
            "fromEntities: [kube-apiserver, remote-node, host]"
            if cilium
            else f"an ipBlock of the control plane ({case.flow.src.ip or 'see kubectl get endpoints kubernetes'})"
        )
        yield self.finding(
            case,
            summary=(
                f"{names} calls Service {called[0].namespace}/{called[0].service}; {end_text(case.flow.src)} "
                f"({source}) is refused on its target port {case.port} by {isolating}, so {effect}."
            ),
            advice=f"Allow {allow} on {case.port}/TCP, the webhook's target port.",
            severity=Severity.MEDIUM if all(one.ignored for one in called) else None,
            most=Confidence.DERIVED if sure else Confidence.LIKELY,
            cause_key=f"webhook:{called[0].namespace}/{called[0].service}",
            limits=() if sure else ("Other processes of the node share its address.",),
        )


def _called(others: tuple[RawObject, ...]) -> Iterator[_Called]:
    for one in others:
        if one.kind in _WEBHOOKS:
            hooks = one.body.get("webhooks")
            for hook in hooks if isinstance(hooks, list) else ():
                if not isinstance(hook, dict):
                    continue
                config = hook.get("clientConfig")
                timeout = hook.get("timeoutSeconds")
                called = _service(
                    config.get("service") if isinstance(config, dict) else None,
                    f"{one.kind} {one.name}",
                    ignored=hook.get("failurePolicy") == "Ignore",
                    timeout_s=timeout if isinstance(timeout, int) else _DEFAULT_TIMEOUT_S,
                )
                if called is not None:
                    yield called
        elif one.kind == "APIService":
            spec = one.body.get("spec")
            named = spec.get("service") if isinstance(spec, dict) else None
            called = _service(named, f"APIService {one.name}", ignored=False, timeout_s=None)
            if called is not None:
                yield called


def _service(raw: Any, name: str, *, ignored: bool, timeout_s: int | None) -> _Called | None:
    if not isinstance(raw, dict):
        return None
    namespace, service = raw.get("namespace"), raw.get("name")
    port = raw.get("port", _DEFAULT_PORT)
    if not isinstance(namespace, str) or not isinstance(service, str) or not isinstance(port, int):
        return None
    return _Called(name, namespace, service, port, ignored, timeout_s)
