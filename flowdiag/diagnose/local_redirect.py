"""Lookups that a CiliumLocalRedirectPolicy takes to other pods than those that a DNS rule is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.fqdn import dns_rules
from flowdiag.model.objects import Pod, RawObject

__all__ = ["redirected_past"]

_KIND = "CiliumLocalRedirectPolicy"
_DNS = 53
_SOURCES = ("k8s:", "any:")
_NAMESPACE = "io.kubernetes.pod.namespace"
_DERIVED = "io.cilium."
"""What Cilium adds to a pod's labels (cluster, service account, namespace's labels) is not asked here."""


def redirected_past(case: Case) -> tuple[RawObject, Pod] | None:
    """The redirect of lookups to pods that no DNS rule of these policies is for, and one of those pods."""
    for redirect, pod in _redirects(case.context):
        if not any(_is_for(rule, pod) for rule in dns_rules(case)):
            return redirect, pod
    return None


def _redirects(context: Context) -> Iterator[tuple[RawObject, Pod]]:
    for one in context.snapshot.others:
        if one.kind != _KIND:
            continue
        spec = one.body.get("spec")
        front = _dict(_dict(spec, "redirectFrontend"), "serviceMatcher")
        service = next(
            (
                each
                for each in context.snapshot.services
                if (each.namespace, each.name) == (front.get("namespace"), front.get("serviceName"))
            ),
            None,
        )
        labels = _dict(_dict(_dict(spec, "redirectBackend"), "localEndpointSelector"), "matchLabels")
        if service is None or not labels or all(port.port != _DNS for port in service.ports):
            continue
        wanted = {_bare(key): value for key, value in labels.items()}
        for pod in context.snapshot.pods:
            if pod.live and pod.namespace == one.namespace and wanted.items() <= pod.labels.items():
                yield one, pod
                break


def _is_for(rule: dict[str, Any], pod: Pod) -> bool:
    """Whether a rule may mean a pod: surely not only where each of its peers asks for a label that the pod does not have."""
    peers = rule.get("toEndpoints")
    if (
        not isinstance(peers, list)
        or len([key for key in rule if key.startswith("to") and key != "toPorts"]) != 1
    ):
        return True
    return any(_may_have(_dict(peer, "matchLabels"), pod) for peer in peers)


def _may_have(labels: dict[str, Any], pod: Pod) -> bool:
    known = {**pod.labels, _NAMESPACE: pod.namespace}
    asked = ((_bare(key), value) for key, value in labels.items())
    return all(known.get(key) == value for key, value in asked if not key.startswith(_DERIVED))


def _bare(key: str) -> str:
    for source in _SOURCES:
        key = key.removeprefix(source)
    return key


def _dict(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
