"""Compile every policy object of a snapshot into the tiers of a dialect."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec import Struct, field, structs

from flowdiag.cluster.wanted import POLICY_KINDS
from flowdiag.model.objects import PolicyObject, Snapshot
from flowdiag.model.policy import CILIUM_DIALECTS, KUBERNETES_GROUPS, Dialect, IpBlockPods, PolicyRef
from flowdiag.model.words import plural
from flowdiag.policy.addresses import RangeTable
from flowdiag.policy.calico_labels import CalicoLabels
from flowdiag.policy.compile import admin, calico, calico_forward, calico_hosts, cilium, kubernetes
from flowdiag.policy.compile.antrea import among_antrea, compile_antrea, is_behind
from flowdiag.policy.compile.antrea_groups import ANTREA_GROUPS, unrealized
from flowdiag.policy.compile.aws_strict import is_strict, strict_tier
from flowdiag.policy.compile.calico_tiers import CalicoTiers
from flowdiag.policy.compile.context import CompileContext
from flowdiag.policy.compile.egress_firewall import FIREWALL, compile_egress_firewall
from flowdiag.policy.compile.gke import compile_fqdn_policy, lookups
from flowdiag.policy.compile.unsupported import unsupported
from flowdiag.policy.dataplane import Dataplane
from flowdiag.policy.dialect import Traits, traits_of
from flowdiag.policy.evaluate import PolicySet
from flowdiag.policy.model import Order, Policy, Tier
from flowdiag.policy.names_controller import FQDN_POLICY, of_controller

__all__ = ["compile_policies"]

# Kinds that mirror other objects, or are for other networks or for proxies: the CNI enforces none of them.
_NOT_POLICY = {
    ("networking.k8s.aws", "PolicyEndpoint"): "an image of a NetworkPolicy that the controller keeps",
    ("k8s.cni.cncf.io", "MultiNetworkPolicy"): "for secondary networks; not evaluated",
    ("security.istio.io", "AuthorizationPolicy"): "enforced by the mesh's proxies; not evaluated",
}


class _Sorted(Struct):
    """Compiled policies by the family whose tiers they stand in."""

    firewalls: list[Policy] = field(default_factory=list)
    antrea: list[Policy] = field(default_factory=list)
    antrea_baseline: list[Policy] = field(default_factory=list)
    network: list[Policy] = field(default_factory=list)
    admin: list[Policy] = field(default_factory=list)
    baseline: list[Policy] = field(default_factory=list)
    notes: list[tuple[PolicyRef, str]] = field(default_factory=list)


def compile_policies(
    snapshot: Snapshot,
    *,
    dialect: Dialect,
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO,
    staged: bool = False,
    base: PolicySet | None = None,
) -> PolicySet:
    """Compile a snapshot's policies.  Cheap enough to be done again for every what-if.

    Args:
        snapshot: its policies, pods, namespaces and what the policies refer to.
        dialect: who enforces; see `flowdiag.policy.dialect.detect_dialect`.
        ip_block_pods: whether address ranges match pod addresses; auto follows the dialect.
        staged: put Calico's staged policies in force, as its pending evaluation does.
        base: policies compiled with the same options: of a snapshot that differs in its policies alone, what
            is the same object is not compiled again.
    """
    context = _context(snapshot, dialect, traits_of(dialect, ip_block_pods, snapshot.config), base)
    if dialect is Dialect.CALICO:
        return _calico(context, staged=staged)
    if dialect in CILIUM_DIALECTS:
        return _cilium(context)
    found = _Sorted()
    for policy in snapshot.policies:
        _enter(policy, context, found)
    tiers = (
        Tier(name="Antrea", order=Order.ORDERED, policies=tuple(found.antrea), closes=False),
        Tier(name="Admin", order=Order.ORDERED, policies=tuple(found.admin), closes=False),
        Tier(
            name="NetworkPolicy",
            order=Order.ADDITIVE,
            policies=tuple(found.network),
            others=context.traits.other_protocols,
        ),
        Tier(
            name="Antrea baseline", order=Order.ORDERED, policies=tuple(found.antrea_baseline), closes=False
        ),
        Tier(name="Baseline", order=Order.ORDERED, policies=tuple(found.baseline), closes=False),
        *([strict_tier(found.network)] if is_strict(dialect, snapshot.config) else ()),
        Tier(
            name="EgressFirewall",
            order=Order.ORDERED,
            policies=tuple(found.firewalls),
            closes=False,
            apart=True,
        ),
    )
    traits = context.traits
    return _built(
        context,
        tiers,
        found.notes,
        Dataplane(never_policed=traits.never_policed, sees_services=traits.sees_services),
    )


def _built(
    context: CompileContext,
    tiers: tuple[Tier, ...],
    notes: Iterable[tuple[PolicyRef, str]],
    dataplane: Dataplane,
    groundwork: object = None,
) -> PolicySet:
    return PolicySet(
        context.snapshot,
        context.dialect,
        tiers,
        context.ranges,
        dataplane,
        notes=tuple(notes),
        made=context.made,
        base=context.base,
        unread=_unread(context.snapshot, context.dialect),
        groundwork=groundwork,
    )


def _context(snapshot: Snapshot, dialect: Dialect, traits: Traits, base: PolicySet | None) -> CompileContext:
    if base is not None and not _alike_but_policies(snapshot, base.snapshot):
        base = None
    labels = CalicoLabels(snapshot) if dialect is Dialect.CALICO else None
    if base is None:
        return CompileContext(snapshot, dialect, traits, RangeTable(), calico=labels)
    return CompileContext(
        snapshot, dialect, traits, base.ranges.copy(), calico=labels, base=base, made=dict(base.made)
    )


def _alike_but_policies(one: Snapshot, other: Snapshot) -> bool:
    """Whether all that conditions are made from is the very same."""
    return all(
        getattr(one, name) is getattr(other, name) for name in one.__struct_fields__ if name != "policies"
    )


def _calico(context: CompileContext, *, staged: bool) -> PolicySet:
    """Every kind has its place in Calico's tiers."""
    snapshot, labels = context.snapshot, context.calico
    if labels is None:
        raise ValueError("Calico's policies need its view of labels")
    tiers = CalicoTiers(snapshot, labels)
    notes: list[tuple[PolicyRef, str]] = []
    images = not (
        ("networking.k8s.io", kubernetes.KIND) in snapshot.kinds_seen
        or any(policy.ref.group in KUBERNETES_GROUPS for policy in snapshot.policies)
    )
    policies = _once(snapshot.policies, notes)
    named = {policy.ref: policy.ref for policy in policies}
    if staged:
        policies, named = calico.with_staged(policies)
    for policy in policies:
        ref = policy.ref
        why = (
            _NOT_POLICY.get((ref.group, ref.kind))
            or calico.staged_note(policy, images=images)
            or of_controller(policy)
        )
        if why is not None:
            notes.append((ref, why))
        elif ref.kind == kubernetes.KIND and ref.group in KUBERNETES_GROUPS:
            compiled = context.compiled_once(policy, kubernetes.compile_network_policy)
            tiers.kubernetes(structs.replace(compiled, ref=named[ref]))
        elif ref.kind in admin.ADMIN_KINDS and ref.group == admin.GROUP:
            tiers.admin(admin.compile_admin(policy, context), baseline=admin.is_baseline(policy))
        elif calico.is_calico(policy):
            compile_one = partial(calico.compile_calico_policy, old_names=tiers.old)
            compiled = context.compiled_once(policy, compile_one, "old names" if tiers.old else "")
            tiers.calico(policy, structs.replace(compiled, ref=named[ref]))
            if ref.group == "crd.projectcalico.org" and not policy.spec.get("types"):
                notes.append((ref, "has no types: Felix takes both directions"))
        else:
            tiers.unsupported(unsupported(policy))
    built = tiers.build(context, *calico_hosts.host_tiers(snapshot, labels, context))
    dataplane = Dataplane(
        extra=labels.of,
        crossing=calico_forward.crossing(snapshot, labels),
        forward_logger=calico_forward.forward_loggers(snapshot, labels),
        to_own_host=calico_hosts.to_own_host(snapshot),
    )
    return _built(context, built, notes, dataplane)


def _cilium(context: CompileContext) -> PolicySet:
    """NetworkPolicy and Cilium's own kinds are one set, over identities."""
    snapshot = context.snapshot
    own = cilium.CiliumSet(context)
    found = _Sorted()
    for policy in snapshot.policies:
        why = own.not_in_force(policy) or kubernetes.of_other_network(policy, context.dialect)
        if why is not None:
            found.notes.append((policy.ref, why))
        elif own.knows(policy):
            found.network.append(own.compile(policy))
        else:
            _enter(policy, context, found)
    admins, baselines = (
        [own.by_identity(each) for each in each_of] for each_of in (found.admin, found.baseline)
    )
    tiers = (
        Tier(name="Admin", order=Order.ORDERED, policies=tuple(admins), closes=False),
        own.tier(found.network),
        Tier(name="Baseline", order=Order.ORDERED, policies=tuple(baselines), closes=False),
    )
    dataplane = Dataplane(
        extra=own.book,
        relational=True,
        own_node=False,
        loopback=True,
        policed=cilium.POLICED,
    )
    return _built(context, tiers, found.notes, dataplane, own.groundwork)


def _unread(snapshot: Snapshot, dialect: Dialect) -> str | None:
    """Why no verdict on a pod is sure: policies of a kind that counts here could not be read."""
    kinds = sorted(
        {
            kind
            for group, kind in snapshot.unread
            if (group, kind) in POLICY_KINDS
            and (group, kind) not in _NOT_POLICY
            and not kind.startswith("Staged")
            and not (dialect is Dialect.CILIUM and group == admin.GROUP and kind != "ClusterNetworkPolicy")
        }
    )
    if kinds:
        return f"policies of these kinds could not be read: {', '.join(kinds)}"
    if snapshot.damaged:
        more = f" and {plural(len(snapshot.damaged) - 1, 'more place')}" if len(snapshot.damaged) > 1 else ""
        return f"a part of the cluster objects could not be read ({snapshot.damaged[0]}{more}), and may hold a policy"
    return None


def _once(policies: tuple[PolicyObject, ...], notes: list[tuple[PolicyRef, str]]) -> list[PolicyObject]:
    """Leave out the raw storage form of a Calico policy that is there in its API form too."""
    api = {
        (each.ref.kind, each.ref.namespace, each.ref.name.removeprefix("default."))
        for each in policies
        if each.ref.group == "projectcalico.org"
    }
    kept = []
    for each in policies:
        ref = each.ref
        plain = (ref.kind, ref.namespace, ref.name.removeprefix("default."))
        if ref.group == "crd.projectcalico.org" and plain in api:
            notes.append((ref, "the stored form of a policy that is here in its API form"))
        else:
            kept.append(each)
    return kept


def _enter(policy: PolicyObject, context: CompileContext, found: _Sorted) -> None:
    ref = policy.ref
    why = (
        _NOT_POLICY.get((ref.group, ref.kind)) or calico.staged_note(policy) or _not_in_force(policy, context)
    )
    if why is not None:
        found.notes.append((ref, why))
    elif ref.kind == kubernetes.KIND and ref.group in KUBERNETES_GROUPS:
        found.network.append(context.compiled_once(policy, kubernetes.compile_network_policy))
    elif ref.kind in admin.ADMIN_KINDS and ref.group == admin.GROUP:
        behind, compiled = admin.is_baseline(policy), admin.compile_admin(policy, context)
        if context.dialect is Dialect.ANTREA:
            tier = found.antrea_baseline if behind else found.antrea
            tier.append(among_antrea(compiled, baseline=behind))
        else:
            (found.baseline if behind else found.admin).append(compiled)
    elif ref.group in ANTREA_GROUPS and context.dialect is Dialect.ANTREA:
        tier = found.antrea_baseline if is_behind(policy) else found.antrea
        tier.append(compile_antrea(policy, context))
    elif (ref.group, ref.kind) == FQDN_POLICY and context.dialect is Dialect.GKE:
        compiled = context.compiled_once(policy, compile_fqdn_policy)
        found.network += [compiled] if compiled.broken else [compiled, lookups(compiled)]
    elif context.dialect in CILIUM_DIALECTS:
        found.network.append(unsupported(policy))
    elif (ref.group, ref.kind) == FIREWALL:
        found.firewalls.append(context.compiled_once(policy, compile_egress_firewall))
    elif (ref.group, ref.kind) == admin.AWS_ADMIN:
        tier = found.baseline if admin.is_baseline(policy) else found.admin
        tier.append(admin.compile_admin(policy, context))
    elif (ref.group, ref.kind) == kubernetes.AWS_APPLICATION:
        found.network.append(context.compiled_once(policy, kubernetes.compile_network_policy))
    else:
        found.network.append(unsupported(policy))


def _not_in_force(policy: PolicyObject, context: CompileContext) -> str | None:
    """Why this enforcer ignores what others do not; ``None`` where it does not."""
    why = kubernetes.of_other_network(policy, context.dialect) or of_controller(policy)
    if why is None and policy.ref.group in ANTREA_GROUPS and context.dialect is Dialect.ANTREA:
        why = unrealized(policy, context)
    if why is not None:
        return why
    if context.dialect is not Dialect.CILIUM or policy.ref.group != admin.GROUP:
        return None
    if policy.ref.kind != "ClusterNetworkPolicy":
        return "Cilium does not enforce it"
    # Cilium 1.20 knows ClusterNetworkPolicy behind this setting, off by default.
    if context.snapshot.config.get("cilium.enable-k8s-cluster-network-policy") == "true":
        return None
    return "Cilium does not enforce it unless enable-k8s-cluster-network-policy is set"
