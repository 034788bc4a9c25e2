"""Edits that may mend a refusal, smallest first: the nearest rule's missed condition, then a policy of its own.

Nothing here is trusted: every candidate goes through the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.deny_only import deny_only
from flowdiag.diagnose.dns import LOCAL_CACHE_IPS, dns_addresses
from flowdiag.diagnose.proposals.addresses import with_addresses
from flowdiag.diagnose.proposals.admin import GROUP as ADMIN_GROUP
from flowdiag.diagnose.proposals.admin import admin_edits
from flowdiag.diagnose.proposals.calico import calico_edits
from flowdiag.diagnose.proposals.cilium import NODES, cilium_edits
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, changed_policy
from flowdiag.diagnose.proposals.kubernetes import GROUP as KUBERNETES_GROUP
from flowdiag.diagnose.proposals.kubernetes import kubernetes_edits
from flowdiag.diagnose.proposals.misplaced import misplaced
from flowdiag.diagnose.proposals.mistyped import mistyped
from flowdiag.diagnose.proposals.namespaces import labelling
from flowdiag.diagnose.proposals.own_policy import languages, own_policy
from flowdiag.diagnose.proposals.ports import answers_lookups
from flowdiag.diagnose.proposals.selectors import pod_labels, single_range
from flowdiag.diagnose.replayed import behind_all
from flowdiag.diagnose.spec import policy_now
from flowdiag.diagnose.wording import end_text, policy_text
from flowdiag.model.cilium import NODE_ENTITIES, POLICY_KINDS
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.objects import Pod
from flowdiag.model.policy import CALICO_GROUPS, Condition, Dialect, EndDecision, NearestRule, PolicyRef
from flowdiag.policy.end_facts import recorded_labels

__all__ = ["candidates", "with_a_pod"]

_API = "kube-apiserver"
_UNMANAGED = "unmanaged"
_NODES = "nodes"
_MOST_NODES = 16
"""More are not listed one by one: whoever has so many admits the range that they are of."""
_BY_ADDRESS = frozenset({Dialect.KUBERNETES, Dialect.CALICO})
_OUTSIDE_OR_NODE = (EndpointKind.EXTERNAL, EndpointKind.NODE)
_WHO = {Condition.NAMESPACE, Condition.POD}
"""Conditions that a rule misses if it means another workload."""


def candidates(
    case: Case,
    direction: Direction,
    decision: EndDecision,
    lead: NearestRule | None = None,
    *,
    widening: bool = False,
    given: AbstractSet[PolicyRef] = frozenset(),
) -> Iterator[AnyEdit]:
    """Yield edits for one end, those of the diagnosed rule first, then by how near the rules come.

    The API server, and what answers lookups on a node, are admitted at all of their addresses: whoever is let through
    to one is sent to another next time.

    Args:
        case: the refused flow.
        direction: the end.
        decision: what the policies of now say of that end.
        lead: the rule that the diagnosis is about.
        widening: another peer may be let in by a rule that means none of the kind.
        given: names that new policies of other problems have.
    """
    src, dst = (_written(case, end) for end in (case.flow.src, case.flow.dst))
    peer = dst if direction is Direction.EGRESS else src
    own, (more, whose) = single_range(peer), _other_addresses(case, peer, direction)
    for edit in _edits(case, direction, decision, lead, (src, dst), widening=widening, given=given):
        if own is not None and more:
            edit, *_ = with_addresses((edit,), own, more, of=whose, named=end_text(peer))  # noqa: PLW2901
        yield edit


def _edits(
    case: Case,
    direction: Direction,
    decision: EndDecision,
    lead: NearestRule | None,
    ends: tuple[Endpoint, Endpoint],
    *,
    widening: bool,
    given: AbstractSet[PolicyRef],
) -> Iterator[AnyEdit]:
    """As `candidates`, for ends as they are written."""
    src, dst = ends
    if _UNMANAGED in (src.entity, dst.entity):
        # Whatever its labels, Cilium knows the pod by that word alone until it is started again.
        return
    enforcer, peer = (src, dst) if direction is Direction.EGRESS else (dst, src)
    if not decision.isolated_by:
        if enforcer.pod is not None and behind_all(case.context, decision) is not None:
            labels = pod_labels(enforcer.pod)
            new = own_policy(case, direction, decision, enforcer, peer, labels, given, None)
            if new is not None:
                yield replace(new, before_baseline=True)
        return
    if enforcer.kind is EndpointKind.ENTITY:
        # What selects the Ingress proxy or the like selects pods too: a rule there would open them all.
        return
    open_again = _not_closing(case, direction, decision)
    if open_again is not None:
        yield open_again
    led = (lead.policy, lead.rule) if lead is not None else None
    for rule in sorted(decision.nearest, key=lambda each: (each.policy, each.rule) != led):
        conditions = {miss.condition for miss in rule.misses}
        if widening and conditions == _WHO:
            conditions = {Condition.POD}
        if len(conditions) == 1 and not rule.unknown:
            edits = _editor(rule.policy)
            label = labelling(case, direction, rule)
            if label is not None and label[1]:
                # The rule means a group of namespaces, and this one lacks the group's label.
                yield label[0]
            if edits is not None:
                yield from edits(case, direction, rule, conditions.pop(), peer)
            if label is not None and not label[1]:
                yield label[0]
    if enforcer.pod is not None and not enforcer.pod.host_network:
        yield from mistyped(case, direction, enforcer.pod)
        yield from (edit for edit in misplaced(case, direction, enforcer.pod) if edit.new.ref not in given)
    if enforcer.pod is None:
        return
    usual, narrow = pod_labels(enforcer.pod), _as_isolated(case, decision, enforcer.pod)
    # Where a policy means some pods of a workload, one for all of it would isolate the others, too.
    for labels in [usual] if usual is None or narrow.items() <= usual.items() else [usual, usual | narrow]:
        for isolating in languages(decision):
            new = own_policy(case, direction, decision, enforcer, peer, labels, given, isolating)
            if new is not None:
                yield new


def _not_closing(case: Case, direction: Direction, decision: EndDecision) -> Edit | None:
    """The one policy that isolates an end, where it only denies: as it is, but for the default deny that comes with that."""
    if len(decision.isolated_by) != 1:
        return None
    policy = policy_now(case, decision.isolated_by[0])
    if policy is None or policy.spec_index is not None or not deny_only(policy, direction.value):
        return None
    mode = policy.spec.get("enableDefaultDeny")
    kept = mode if isinstance(mode, dict) else {}
    spec = {**policy.spec, "enableDefaultDeny": {**kept, direction.value: False}}
    text = f"Set enableDefaultDeny.{direction}: false in {policy_text(policy.ref)}, if it is meant to deny and not to close the rest"
    return Edit(text, direction, policy, changed_policy(policy, spec))


def _written(case: Case, end: Endpoint) -> Endpoint:
    """Give an end as policies can mean it: the API server as that, by the addresses that its endpoints list where they go by those."""
    if end.entity == _API and case.context.by_identity:
        return replace(end, kind=EndpointKind.ENTITY, name=_API, ip=None, pod=None)
    if case.context.by_identity and (end.kind is EndpointKind.NODE or end.entity in NODE_ENTITIES):
        return replace(end, kind=EndpointKind.ENTITY, entity=NODES, name="nodes", ip=None, pod=None)
    if end.ip in case.context.api_addresses and end.kind in _OUTSIDE_OR_NODE and not case.context.by_identity:
        return replace(end, kind=EndpointKind.EXTERNAL, name=_API, dns_names=(_API,), pod=None)
    if _goes_by_address(case, end):
        return replace(end, kind=EndpointKind.EXTERNAL, name=_NODES, pod=None)
    return with_a_pod(case, end)


def _goes_by_address(case: Case, end: Endpoint) -> bool:
    """Whether a node is somebody that ranges mean; where the enforcer maps its traffic otherwise nobody can say."""
    return end.kind is EndpointKind.NODE and end.ip is not None and case.context.dialect in _BY_ADDRESS


def _other_addresses(case: Case, peer: Endpoint, direction: Direction) -> tuple[list[str], str]:
    """Ranges of what else a peer outside answers at, and whose they are."""
    others, whose = set[str](), ""
    if peer.kind is EndpointKind.EXTERNAL and peer.name == _API:
        others, whose = set(case.context.api_addresses), "the API server"
    elif peer.kind is EndpointKind.EXTERNAL and peer.name == _NODES and direction is Direction.INGRESS:
        # Tomorrow the caller's pod runs on another node; what is called on one need not be on all of them.
        nodes = case.context.snapshot.nodes.values()
        own = [[ip for ip in node.addresses if (":" in ip) == (":" in (peer.ip or ""))][:1] for node in nodes]
        # Across an overlay a node has another address, and the other nodes' are not known.
        if len(own) <= _MOST_NODES and [peer.ip] in own:
            others, whose = {ip for ips in own for ip in ips}, "the nodes"
    elif peer.ip in LOCAL_CACHE_IPS and peer is not case.flow.src and answers_lookups(case):
        # The cache listens on the Service's address as well, and pods ask either.
        others, whose = set(dns_addresses(case)), "the cluster's DNS"
    ranges = [single_range(replace(peer, ip=ip)) for ip in sorted(others - {peer.ip or ""})]
    return [text for text in ranges if text is not None], whose


def with_a_pod(case: Case, end: Endpoint) -> Endpoint:
    """Give an end with a pod that policies are written for.

    For a workload of which the record names no pod (aggregated flow logs) it is one of its pods, if all are alike; for a pod
    that is gone (of a Job, of cert-manager's challenge) it has the labels that the record holds.
    """
    if end.pod is not None or end.namespace is None or end.cluster is not None:
        return end
    if end.workload is not None:
        own = case.context.index.by_workload.get((end.namespace, end.workload), ())
        pods = [pod for pod in own if pod.live]
        alike = {tuple(sorted((pod_labels(pod) or {}).items())) for pod in pods}
        if pods:
            return replace(end, pod=pods[0]) if len(alike) == 1 else end
    labels = recorded_labels(end.identity_labels or ())
    if not labels or end.kind not in (EndpointKind.POD, EndpointKind.WORKLOAD):
        return end
    return replace(end, pod=Pod(namespace=end.namespace, name=end.name or "", labels=labels))


Editor = Callable[[Case, Direction, NearestRule, Condition, Endpoint], Iterator[Edit]]


def _editor(ref: PolicyRef) -> Editor | None:
    """Who writes edits in the language of that policy."""
    if ref.group == KUBERNETES_GROUP and ref.kind == "NetworkPolicy":
        return kubernetes_edits
    if ref.group == "cilium.io" and ref.kind in POLICY_KINDS:
        return cilium_edits
    if ref.group in CALICO_GROUPS:
        return calico_edits
    return admin_edits if ref.group == ADMIN_GROUP else None


def _as_isolated(case: Case, decision: EndDecision, pod: Pod) -> dict[str, str]:
    """Labels of the pod by which the policies that isolate it select it."""
    keys: set[str] = set()
    for ref in decision.isolated_by:
        policy = policy_now(case, ref)
        selector = (
            policy.spec.get("podSelector") if policy is not None and ref.group == KUBERNETES_GROUP else None
        )
        wanted = selector.get("matchLabels") if isinstance(selector, dict) else None
        if isinstance(wanted, dict):
            keys.update(map(str, wanted))
    return {key: value for key, value in sorted(pod.labels.items()) if key in keys}
