"""Which admission webhooks and aggregated APIs a refused call would have reached, from their configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from flowdiag.cluster.index import target_port
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.first_sight import api_client
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.model.event import Direction
from flowdiag.model.objects import RawObject

__all__ = ["Called", "called", "denied_webhook", "perhaps_called"]

_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_DEFAULT_PORT = 443
_DEFAULT_TIMEOUT_S = 10


class Called(Struct, frozen=True):
    """A Service that the API server calls; `ignored` where a failure is let pass."""

    name: str
    namespace: str
    service: str
    port: int
    ignored: bool
    timeout_s: int | None


def called(case: Case) -> list[Called]:
    """Give what calls the refused end on the refused port, if the API server may be the client; empty where nothing does."""
    return perhaps_called(case) if api_client(case.context, case.flow.src) is not None else []


def perhaps_called(case: Case) -> list[Called]:
    """The same whoever the client is."""
    pod = some_pod(case.context, case.flow.dst)
    if case.direction is not Direction.INGRESS or case.protocol != "TCP" or pod is None:
        return []
    behind = {(one.namespace, one.name): one for one in case.context.services_of(pod)}
    found = []
    for one in _configured(case.context.snapshot.others):
        service = behind.get((one.namespace, one.service))
        entry = case.context.index.service_port(service, one.port, "TCP") if service is not None else None
        if entry is not None and target_port(pod, entry) == case.port:
            found.append(one)
    return found


def denied_webhook(case: Case) -> bool:
    """Whether a rule denies a webhook's call, so that the webhook is what there is to tell (FD307).

    By the replay, or by the record where the replay refuses it, too.  The pod's own node aside: its probes come from
    there, and no policy is to refuse them.
    """
    pod = case.flow.dst.pod
    own = pod is not None and pod.node is not None and case.flow.src.name == pod.node
    by_rule = case.denied_by_rule or (case.replay_agrees and bool(case.recorded_denies))
    return by_rule and not own and bool(called(case))


def _configured(others: tuple[RawObject, ...]) -> Iterator[Called]:
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


def _service(raw: Any, name: str, *, ignored: bool, timeout_s: int | None) -> Called | None:
    if not isinstance(raw, dict):
        return None
    namespace, service = raw.get("namespace"), raw.get("name")
    port = raw.get("port", _DEFAULT_PORT)
    if not isinstance(namespace, str) or not isinstance(service, str) or not isinstance(port, int):
        return None
    return Called(name, namespace, service, port, ignored, timeout_s)
