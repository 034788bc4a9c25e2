"""Services that rules of egress of Antrea's policies are for (``toServices``).

Source: antrea-io/antrea ``docs/antrea-network-policy.md``, v2.2: such a rule means what is sent to a Service's address, and
nothing that is sent to its pods by theirs.  By which of the two a pod was called is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowdiag.model.event import Direction
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import PEER_WORDS, Condition
from flowdiag.policy.matchers import NamespaceNamed, NodeSelected, Nothing, PodSelected, Undecidable
from flowdiag.policy.model import Matcher
from flowdiag.policy.selectors import LabelSelector, Requirement, read_selector

__all__ = ["SERVICES", "served", "services_of"]

SERVICES = "toServices"


def services_of(raw: Mapping[str, Any], direction: Direction) -> list[Any]:
    """The Services that a rule is for; none where it has other peers as well, which Antrea refuses."""
    found = raw.get(SERVICES)
    alone = direction is Direction.EGRESS and not raw.get(PEER_WORDS[direction])
    return found if isinstance(found, list) and alone else []


def served(raw: Any, path: str, policy: PolicyObject, snapshot: Snapshot) -> Iterator[tuple[Matcher, ...]]:
    """Yield what whoever is behind a Service meets, with the doubt whether it was called by the Service's address.

    Args:
        raw: an entry of ``toServices``.
        path: where it stands.
        policy: whose; a Service without a namespace is of the policy's.
        snapshot: Services and pods.
    """
    given = raw if isinstance(raw, dict) else {}
    name, namespace = given.get("name"), given.get("namespace") or policy.ref.namespace
    own = given.keys() <= {"name", "namespace", "scope"} and given.get("scope") in (None, "Cluster")
    if not own or not isinstance(name, str) or not isinstance(namespace, str):
        yield (Undecidable(f"whom {path} means is not looked up"),)
        return
    text = f"{namespace}/{name}"
    service = next(
        (each for each in snapshot.services if (each.namespace, each.name) == (namespace, name)), None
    )
    if service is None and ("", "Service") in snapshot.kinds_seen:
        yield (Nothing(Condition.SERVICE, f"Service {text}, which does not exist"),)
        return
    if service is None or not service.selector:
        yield (Undecidable(f"who is behind Service {text} is not known"),)
        return
    called = Undecidable(f"whether it is called by the address of Service {text} is not known")
    needs = (Requirement(key, "In", (value,)) for key, value in sorted(service.selector.items()))
    yield NamespaceNamed(namespace), PodSelected(LabelSelector(tuple(needs))), called
    if any(
        pod.host_network
        and pod.live
        and pod.namespace == namespace
        and service.selector.items() <= pod.labels.items()
        for pod in snapshot.pods
    ):
        yield NodeSelected(read_selector({})), called
