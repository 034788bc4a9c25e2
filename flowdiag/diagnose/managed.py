"""Tools that keep an object as it is, and would undo a change made with kubectl; the report points to them.

Marks: Helm v3 annotations, Argo CD v2 and v3 tracking, Flux v2 labels, Config Sync, Fleet, and the names of field
managers (``metadata.managedFields``) that these tools write with.
"""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.wording import policy_text
from flowdiag.model.finding import Finding
from flowdiag.model.objects import PolicyObject

__all__ = ["manager", "with_manager"]

_MOST = 80
"""Letters of a name from a label; longer ones are cut."""

# "argocd.argoproj.io/tracking-id": "shop:networking.k8s.io/NetworkPolicy:shop/web" (Argo CD v2.2 and later)
_ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
_ARGO_INSTANCE = "argocd.argoproj.io/instance"
# "helm.toolkit.fluxcd.io/name": "shop" on objects of a HelmRelease, "kustomize..." on those of a Kustomization.
_FLUX = (("helm.toolkit.fluxcd.io", "HelmRelease"), ("kustomize.toolkit.fluxcd.io", "Kustomization"))
# "meta.helm.sh/release-name": "shop" (Helm v3.2 and later)
_HELM_NAME, _HELM_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_MANAGED_BY = "app.kubernetes.io/managed-by"
# "manager" of managedFields as these tools write it.
_FIELD_MANAGERS = {
    "argocd-application-controller": "Argo CD",
    "argocd-controller": "Argo CD",
    "configsync.gke.io": "Config Sync",
    "fleetagent": "Fleet",
    "helm": "Helm",
    "helm-controller": "Flux",
    "kustomize-controller": "Flux",
}


def manager(policy: PolicyObject) -> str | None:
    """Name what keeps the object: ``Argo CD application shop``; ``None`` where nothing says so."""
    labels, notes = policy.labels, policy.annotations
    for prefix, kind in _FLUX:
        if f"{prefix}/name" in labels:
            name = f"{labels.get(f'{prefix}/namespace', '?')}/{labels[f'{prefix}/name']}"
            return f"Flux {kind} {name[:_MOST]}"
    if _ARGO_TRACKING in notes:
        return f"Argo CD application {notes[_ARGO_TRACKING].partition(':')[0][:_MOST]}"
    if _ARGO_INSTANCE in labels:
        return f"Argo CD application {labels[_ARGO_INSTANCE][:_MOST]}"
    if _HELM_NAME in notes:
        where = f" in namespace {notes[_HELM_NAMESPACE]}" if _HELM_NAMESPACE in notes else ""
        return f"Helm release {notes[_HELM_NAME]}{where}"[:_MOST]
    if notes.get("configmanagement.gke.io/managed") == "enabled":
        return "Config Sync"
    if "objectset.rio.cattle.io/id" in notes:
        return "Fleet"
    if labels.get(_MANAGED_BY):
        return labels[_MANAGED_BY][:_MOST]
    for write in policy.managed:
        tool = _FIELD_MANAGERS.get(write.manager or "")
        if tool is not None and "spec" in write.fields:
            return tool
    return None


def _managers(context: Context) -> dict[int, str]:
    """What keeps each policy of the snapshot that something keeps, by the policy's identity."""
    texts = context.texts
    if _managers not in texts:
        texts[_managers] = {
            id(policy): source
            for policy in context.snapshot.policies
            if (source := manager(policy)) is not None
        }
    found: dict[int, str] = texts[_managers]
    return found


def with_manager(case: Case, finding: Finding) -> Finding:
    """Say in the advice where the policy that would be changed comes from, if a tool keeps it."""
    managers = _managers(case.context)
    if not managers:
        return finding
    refs = [rule.policy for rule in finding.nearest[:1]]
    if finding.decided_by is not None:
        refs.append(finding.decided_by.policy)
    for ref in dict.fromkeys(refs or finding.isolating[:1]):
        policy = policy_at(case, ref)
        source = managers.get(id(policy))
        if source is not None:
            text = f"{policy_text(ref)} comes from {source}: change it there, an edit with kubectl would be undone."
            return replace(finding, advice=f"{finding.advice} {text}".strip())
    return finding
