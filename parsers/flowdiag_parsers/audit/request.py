"""One write request to the API server, whoever logged it, and the change that it made."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flowdiag.parserkit import integer_of, json_object, object_of, text_of
from flowdiag_parsers.audit.resources import kind_of, matters

__all__ = ["LABELLED", "Request", "from_audit", "from_gcp", "merged"]

_CHANGES = {
    "create": "created",
    "update": "updated",
    "patch": "updated",
    "apply": "updated",
    "delete": "deleted",
    "deletecollection": "deleted",
}
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DEPTH = 40
LABELLED = ("Namespace", "Pod")
"""Of these only labels matter: everything else of theirs changes all the time."""
_CONTROLLERS = ("system:node:", "system:serviceaccount:kube-system:", "system:kube-", "system:apiserver")


class Request(Struct, frozen=True, kw_only=True):
    """A request that changed something."""

    identity: str | None
    """The same in every copy of the record."""
    kind: str
    group: str
    namespace: str | None
    name: str | None
    change: str
    by: str | None
    stamp: str | None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    patch: dict[str, Any] | None = None
    """A merge patch that was sent: what it makes of the object, where the answer is not there (level Request)."""


def from_audit(event: dict[str, Any]) -> Request | None:
    """A Kubernetes audit event (``audit.k8s.io/v1``, v1beta1) as a change; ``None`` where it changed nothing.

    One request leaves a record per stage: only the last, ResponseComplete, tells whether it was done.  Refused requests
    (403, 409, 422), dry runs, reads and writes of status are no change.
    """
    if event.get("stage") != "ResponseComplete":
        return None
    change = _CHANGES.get(text_of(event, "verb") or "")
    ref = object_of(event, "objectRef")
    group, resource = text_of(ref, "apiGroup") or "", text_of(ref, "resource") or ""
    kind = kind_of(group, resource)
    if change is None or kind is None or not matters(group, resource, text_of(ref, "subresource")):
        return None
    if not _done(event) or "dryRun=" in (text_of(event, "requestURI") or ""):
        return None
    asked, answered = object_of(event, "requestObject"), object_of(event, "responseObject")
    user = text_of(object_of(event, "user"), "username")
    if kind in LABELLED and not _labels_matter(kind, change, asked, user):
        return None
    whole = answered if answered.get("kind") == kind else {}
    name = text_of(ref, "name")
    if name is None and text_of(event, "verb") != "deletecollection":
        # A POST to a collection has its name in the answer only (generateName), or in what was sent.
        name = text_of(object_of(answered, "metadata"), "name") or text_of(
            object_of(asked, "metadata"), "name"
        )
    namespace = text_of(ref, "namespace") if kind != "Namespace" else None
    return Request(
        identity=text_of(event, "auditID"),
        kind=kind,
        group=group,
        namespace=namespace,
        name=name,
        change=change,
        by=_actor(user, object_of(event, "impersonatedUser")),
        stamp=text_of(event, "requestReceivedTimestamp", "stageTimestamp", "timestamp"),
        before=whole or None if change == "deleted" else None,
        after=(whole or _sent(asked, kind)) if change != "deleted" else None,
        patch=_patch(asked, kind) if change == "updated" else None,
    )


def _done(event: dict[str, Any]) -> bool:
    code = integer_of(object_of(event, "responseStatus"), "code")
    return code is not None and 200 <= code < 300


def _sent(asked: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """What was sent, where it is the whole object and not a patch (level Request).

    ``kubectl apply`` sends a patch, and in one of its annotations the whole object that was applied.
    """
    if asked.get("kind") == kind and "spec" in asked:
        return asked
    annotations = object_of(object_of(asked, "metadata"), "annotations")
    applied = json_object(text_of(annotations, _APPLIED) or "")
    return applied if applied is not None and applied.get("kind") == kind and "spec" in applied else None


def _patch(asked: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """A patch that says what becomes of each field; one with directives needs the API server's schema to be read."""
    if not asked or asked.get("kind") == kind:
        return None
    return None if _directives(asked, 0) else asked


def _directives(value: Any, depth: int) -> bool:
    """Strategic merge patch's own words (``$patch``, ``$retainKeys``, ``$setElementOrder/...``)."""
    if depth > _DEPTH:
        return True
    if isinstance(value, dict):
        return any(key.startswith("$") or _directives(inner, depth + 1) for key, inner in value.items())
    return isinstance(value, list) and any(_directives(inner, depth + 1) for inner in value)


def merged(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """`before` under a merge patch (RFC 7386): null takes a field away, lists are replaced whole.

    So do the API server's own patches of the objects here, whose lists have no merge keys (Kubernetes v1.31).
    """
    result = dict(before)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            known = result.get(key)
            result[key] = merged(known if isinstance(known, dict) else {}, value)
        else:
            result[key] = value
    return result


def _labels_matter(kind: str, change: str, asked: dict[str, Any], user: str | None) -> bool:
    """Whether a namespace's or pod's write may have moved it in or out of a selector.

    Pods come and go by their controllers' hands; what is asked here is who relabelled one.
    """
    if change != "updated":
        return kind == "Namespace"
    hand = kind == "Namespace" or not (user or "").startswith(_CONTROLLERS)
    if asked.get("kind") == kind:
        # A whole object was sent: whether its labels are new, only its last state tells (`KubernetesAudit`).
        return hand
    if asked:
        return "labels" in object_of(asked, "metadata")
    return hand


def _actor(user: str | None, impersonated: dict[str, Any]) -> str | None:
    """The real actor is `user`; whom it acted for stands beside."""
    other = text_of(impersonated, "username")
    if user is not None and other is not None:
        return f"{user} as {other}"
    return user


def from_gcp(payload: dict[str, Any]) -> Request | None:
    """GCP's audit form: ``methodName`` ``io.k8s.networking.v1.networkpolicies.patch``, ``resourceName`` the path.

    The stamp is outside, in the log entry, where the caller or an envelope has it.
    """
    method = (text_of(payload, "methodName") or "").split(".")
    # "io.k8s.core.v1.namespaces.patch", "io.k8s.apps.v1.deployments.update", "io.cilium.v2.ciliumnetworkpolicies.create"
    if len(method) < 4 or method[0] != "io":
        return None
    change = _CHANGES.get(method[-1])
    path = (text_of(payload, "resourceName") or "").split("/")
    # "networking.k8s.io/v1/namespaces/shop/networkpolicies/web", "core/v1/namespaces/shop"
    if change is None or len(path) < 4:
        return None
    status = object_of(payload, "status")
    if (integer_of(status, "code") or 0) != 0:  # google.rpc.Status: 0 is done
        return None
    group = "" if path[0] == "core" else path[0]
    rest = path[2:]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 3:
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0], rest[1] if len(rest) > 1 else None
    kind = kind_of(group, resource)
    if kind is None or not matters(group, resource, rest[2] if len(rest) > 2 else None):
        return None
    asked, answered = object_of(payload, "request"), object_of(payload, "response")
    user = text_of(object_of(payload, "authenticationInfo"), "principalEmail")
    if kind in LABELLED and not _labels_matter(kind, change, asked, user):
        return None
    if name is None and method[-1] != "deletecollection":
        name = text_of(object_of(answered, "metadata"), "name") or text_of(
            object_of(asked, "metadata"), "name"
        )
    whole = answered if "spec" in answered and isinstance(answered.get("metadata"), dict) else None
    return Request(
        identity=None,
        kind=kind,
        group=group,
        namespace=namespace,
        name=name,
        change=change,
        by=user,
        stamp=None,
        before=whole if change == "deleted" else None,
        after=(whole or _sent(asked, kind)) if change != "deleted" else None,
        patch=_patch(asked, kind) if change == "updated" else None,
    )
