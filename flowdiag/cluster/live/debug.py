"""A pod's containers, and an ephemeral one added to it.

An ephemeral container shares the pod's network, and stays in the pod's spec until the pod is gone
(kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers).
"""

from __future__ import annotations

import secrets
import time

import msgspec
from msgspec import Struct

from flowdiag.cluster.live.api import Api
from flowdiag.cluster.live.errors import ApiError

__all__ = ["add_debug_container", "default_container"]

_DEFAULT = "kubectl.kubernetes.io/default-container"
_POLL_S = 0.5
# What the Pod Security Standard "restricted" asks for; connecting needs no right at all.
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class _Named(Struct):
    name: str = ""


class _Meta(Struct, frozen=True):
    annotations: dict[str, str] | None = None


class _Spec(Struct):
    containers: list[_Named] = []


class _Waiting(Struct):
    reason: str = ""
    message: str = ""


class _State(Struct):
    running: dict[str, str] | None = None
    waiting: _Waiting | None = None
    terminated: _Waiting | None = None


class _Status(Struct):
    name: str = ""
    state: _State | None = None


class _Statuses(Struct, rename="camel"):
    ephemeral_container_statuses: list[_Status] = []


class _Pod(Struct):
    metadata: _Meta = _Meta()
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Statuses = msgspec.field(default_factory=_Statuses)


def _path(pod: tuple[str, str]) -> str:
    return f"/api/v1/namespaces/{pod[0]}/pods/{pod[1]}"


def _read(api: Api, pod: tuple[str, str]) -> _Pod:
    return msgspec.json.decode(api.get(_path(pod)), type=_Pod)


def default_container(api: Api, pod: tuple[str, str], wanted: str | None) -> str:
    """The container that `wanted` names, else the pod's default one, as kubectl exec chooses.

    Raises:
        ApiError: there is no such pod or container.
    """
    found = _read(api, pod)
    names = [one.name for one in found.spec.containers]
    chosen = wanted or (found.metadata.annotations or {}).get(_DEFAULT) or (names[0] if names else "")
    if chosen not in names:
        raise ApiError(
            f"pod {pod[0]}/{pod[1]} has no container {chosen!r}", hint=f"it has {', '.join(names) or 'none'}"
        )
    return chosen


def add_debug_container(api: Api, pod: tuple[str, str], image: str, *, lasts_s: int, within_s: float) -> str:
    """Add a container that sleeps for `lasts_s` seconds, and wait until it runs; its name.

    Raises:
        ForbiddenError: the user may not.
        ApiError: it does not come up: the image cannot be pulled, or admission refuses it.
    """
    name = f"flowdiag-{secrets.token_hex(4)}"
    container = {
        "name": name,
        "image": image,
        "command": ["sleep", str(lasts_s)],
        "securityContext": _RESTRICTED,
    }
    api.patch(f"{_path(pod)}/ephemeralcontainers", {"spec": {"ephemeralContainers": [container]}})
    until = time.monotonic() + within_s
    reason = "not started"
    while time.monotonic() < until:
        for status in _read(api, pod).status.ephemeral_container_statuses:
            if status.name != name or status.state is None:
                continue
            if status.state.running is not None:
                return name
            if status.state.terminated is not None:
                raise ApiError(
                    f"debug container {name} in {pod[0]}/{pod[1]} ended at once: {status.state.terminated.reason}",
                    hint=f"does {image} hold sleep, and does it run as another user than root?",
                )
            if status.state.waiting is not None:
                reason = f"{status.state.waiting.reason} {status.state.waiting.message}".strip()
        time.sleep(_POLL_S)
    raise ApiError(
        f"debug container {name} in {pod[0]}/{pod[1]} did not start within {within_s:.0f} s: {reason[:300]}",
        hint=f"can the node pull {image}?",
    )
