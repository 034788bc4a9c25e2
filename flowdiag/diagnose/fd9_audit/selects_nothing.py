"""FD901."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flowdiag.diagnose.check import Check, Concern, Scene
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.model.report import ReportEndpoint, Severity
from flowdiag.model.words import object_text
from flowdiag.policy import PolicySet
from flowdiag.policy.compile.calico_hosts import may_select_hosts
from flowdiag.policy.model import Outcome
from flowdiag.policy.selecting import selects

__all__ = ["SelectsNothing"]

_SUBJECTS = ("podSelector", "endpointSelector", "selector")


class SelectsNothing(Check):
    """A policy selects no pod: what it was to protect or to allow is as if it were not there.

    Signature:
        A policy of pods whose selector no live pod of the state meets, nor the template of any workload
        that has none at the moment.

    Advice:
        Compare the selector with the labels that the pods have now; delete the policy if what it was for
        is gone.

    Guard:
        Silent where pods of its namespace were not read; where the selector takes every pod, since such a
        policy waits for the first; where a condition cannot be decided; for policies of nodes, of host
        endpoints (or of what may be such, where these were not read) and of Cilium's own endpoints
        (`reserved:ingress`, `reserved:health`, `reserved:init`), and staged ones.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/
    """

    code = "FD901"
    slug = "policy-selects-nothing"
    severity = Severity.LOW

    def look(self, scene: Scene) -> Iterator[Concern]:
        """See `Check.look`."""
        spaces = {pod.namespace for pod in scene.snapshot.pods}
        whole = _whole(scene.snapshot, spaces)
        told = set()
        for policy in scene.snapshot.policies:
            ref = policy.ref
            if ref in told or ref.kind.startswith("Staged"):
                continue
            told.add(ref)
            if scene.namespaces and ref.namespace not in scene.namespaces:
                continue
            compiled = scene.policies.register.policy(ref)
            if compiled is None or compiled.broken or compiled.implicit or "pod" not in compiled.subjects:
                continue
            if not _narrow(policy):
                continue
            if not whole and (ref.namespace is None or ref.namespace not in spaces):
                continue
            if scene.policies.register.selects(ref, unknown=True):
                continue
            if may_select_hosts(policy, scene.snapshot) or _of_reserved(scene.policies, ref):
                continue
            name = object_text(ref)
            unread = (
                ""
                if scene.snapshot.workloads
                else ("Workloads were not read: one that has no pods at the moment would not be seen.")
            )
            yield Concern(
                key=(ref.kind, ref.group, ref.namespace or "", ref.name),
                title=f"{name} selects no pod",
                summary=f"No live pod and no workload's template meets the selector of {name}.",
                advice="Compare its selector with the labels that the pods have now; delete it if what it "
                "was for is gone.",
                destination=ReportEndpoint(kind="unknown", namespace=ref.namespace, name=ref.name),
                notes=(unread,) if unread else (),
            )


def _whole(snapshot: Snapshot, spaces: set[str]) -> bool:
    """Whether all pods of the cluster were read, so that a namespace without pods has none."""
    return ("", "Namespace") in snapshot.kinds_seen and ("", "Pod") in snapshot.kinds_seen and len(spaces) > 1


def _of_reserved(policies: PolicySet, ref: PolicyRef) -> bool:
    """Whether it selects an endpoint of the enforcer's own, as Cilium's Ingress proxy, which is no pod."""
    for word in sorted(policies.dataplane.policed):
        facts = policies.ends.of(Endpoint(kind=EndpointKind.ENTITY, entity=word), None)
        if any(selects(one, facts).outcome is not Outcome.MISS for _, one in policies.register.named(ref)):
            return True
    return False


def _narrow(policy: PolicyObject) -> bool:
    """Whether the selector asks for anything: one that takes every pod is for those to come."""
    spec: dict[str, Any] = policy.spec
    given = [spec[word] for word in _SUBJECTS if word in spec]
    return any(_asks(selector) for selector in given)


def _asks(selector: Any) -> bool:
    if isinstance(selector, str):
        return selector.strip() not in ("", "all()")
    return isinstance(selector, dict) and bool(
        selector.get("matchLabels") or selector.get("matchExpressions")
    )
