"""What an end that the state does not hold may have been meant for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from flowdiag.model.objects import Snapshot

__all__ = ["KINDS_TYPED", "closest", "how_to_write"]

_SHOWN = 12
"""So many names that exist are told where none is near the one that does not."""
_WITH_KIND = 3
KINDS_TYPED = {
    "po": "Pod",
    "deploy": "Deployment",
    "sts": "StatefulSet",
    "ds": "DaemonSet",
    "rs": "ReplicaSet",
    "rc": "ReplicationController",
    "cj": "CronJob",
    "svc": "Service",
    **{
        form: kind
        for kind in (
            "Pod",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "Job",
            "CronJob",
            "Service",
        )
        for form in (kind.lower(), f"{kind.lower()}s")
    },
}
"""What kubectl takes for kinds, as people write them before a name."""


def how_to_write(text: str, snapshot: Snapshot) -> str:
    """What a name that is no end may have been meant for."""
    # kubectl's own names: deploy/web-app in a namespace of its own, frontend/deploy/web-app
    parts = text.split("/")
    if len(parts) == _WITH_KIND and parts[1].lower() in KINDS_TYPED:
        return f"write {parts[0]}/{parts[2]}, or {parts[0]}/{parts[2]}[{KINDS_TYPED[parts[1].lower()]}]"
    # as in: http://user-api.backend:8080/users, out of an application's log
    scheme, is_url, address = text.partition("://")
    if is_url and scheme.isalnum():
        authority = address.partition("/")[0].rpartition("@")[2]
        if authority:
            return f"write {authority}, without the scheme and path"
    # as in: user-api.backend, user-api.backend.svc.cluster.local:8080
    host, _, port = text.partition(":")
    name, _, rest = host.partition(".")
    namespace, _, after = rest.partition(".")
    service = (namespace, name) in {(one.namespace, one.name) for one in snapshot.services}
    if service or after.split(".")[0] == "svc":
        return f"write svc:{namespace}/{name}{f', and {port} as the port' if port else ''}"
    spaces = sorted(
        {pod.namespace for pod in snapshot.pods if text in (pod.name, pod.workload and pod.workload.name)}
    )
    if spaces:
        return f"write {' or '.join(f'{space}/{text}' for space in spaces[:_SHOWN])}"
    if rest and host.rpartition(".")[2].isalpha():
        return "policies know addresses and not names: write one that it resolves to, or namespace/name"
    return "write namespace/name, an address, a CIDR, node:NAME, svc:namespace/name or entity:WORD"


def closest(text: str, known: Iterable[str]) -> str:
    """The known names that are spelt nearly so; all of them where they are few."""
    names = sorted(known)
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names)}" if 0 < len(names) <= _SHOWN else ""
