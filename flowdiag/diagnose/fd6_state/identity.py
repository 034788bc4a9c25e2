"""FD603."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from flowdiag.diagnose.agent_messages import agent_messages
from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.early import nameless
from flowdiag.diagnose.egress_addresses import egress_address
from flowdiag.diagnose.handed_on import handing_on
from flowdiag.diagnose.inside import own_service, range_owner, second_network
from flowdiag.diagnose.lost_identity import perhaps_lost, perhaps_lost_in_mesh
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.relabelled import written_since
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text
from flowdiag.model.cilium import of_range
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction, Peer
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod
from flowdiag.model.report import Confidence, Severity

__all__ = ["WrongIdentity"]

_NOBODY = frozenset({"world", "world-ipv4", "world-ipv6", "unknown"})
_NOT_THE_PODS = _NOBODY | {"init", "remote-node"}
"""Identities of a pod that its agent should know better."""
_NAMESPACE_LABEL = "k8s:io.kubernetes.pod.namespace"
_SAID = (
    "identity-allocation-failed",
    "identity-stale",
    "ipcache-error",
    "endpoint-labels-missing",
    "watcher-error",
)
"""Messages of an agent that did not learn, or lost, who an address is."""


class WrongIdentity(Rule):
    """The agent took a pod for somebody else.

    Signature:
        An address belongs to exactly one live pod at that time, and the record calls it `world`, `unknown`,
        `init` or `remote-node`, or gives it the number of a range or a name outside, or the identity of another namespace's pods
        or of pods with other labels.  Or the record calls `world` what is a Service's cluster address, a node's
        address, or an address of a node's pod range that no pod of the state has.

    Advice:
        Look at the agent on the refusing node (ipcache, operator, identity garbage collection); restart it,
        or upgrade.  Where the pod is gone, look at the caller, which kept its address.  A node taken for
        `world` may only have handed on a client of a NodePort or load balancer.

    Guard:
        An address whose pod is younger than the records, or that several pods claim, proves nothing; a pod is
        `init` or `unknown` in its first seconds (FD601).  The API server's addresses are left to FD208.  Nor does a pod in its node's network, a label that the pod is known to have carried before, or labels that
        were written since.

    References:
        https://github.com/cilium/cilium/issues/11517
        https://github.com/cilium/cilium/issues/14284
        https://github.com/cilium/cilium/issues/20243
        https://github.com/cilium/cilium/issues/25650
    """

    code = "FD603"
    slug = "wrong-identity"
    title = "The identity of {source} or {destination} was not known when it was refused"
    severity = Severity.HIGH
    needs = Needs.PODS
    signs = (Sign.POLICY | Sign.IDENTITY,)
    specificity = 91

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.not_policy or nameless(case) is not None:
            return
        pairs = ((case.flow.distinct.src, case.flow.src), (case.flow.distinct.dst, case.flow.dst))
        for peer, end in pairs:
            mistaken = _mistaken_pod(case.context, end, peer)
            if mistaken is None or not _was_there(case, mistaken[0]):
                continue
            pod, taken, most = mistaken
            if most is not Confidence.DERIVED and written_since(case, end):
                continue
            name = f"{pod.namespace}/{pod.name}"
            agent = agent_messages(case, *_SAID)
            yield self.finding(
                case,
                title=_title(end is case.flow.src, node=end.entity == "remote-node"),
                summary=f"{peer.ip} was pod {name} at that time, and the record has it {taken}.{agent.text}",
                said=agent.said,
                advice=(
                    "No rule is wrong as long as the identity is: look at the agent on the refusing node "
                    "(cilium-dbg bpf ipcache get, identity list), restart it, or upgrade."
                ),
                basis=Basis.STATE,
                most=most,
                cause_key=f"identity:{taken}",
                nearest=(),
                limits=()
                if most is Confidence.DERIVED
                else ("A label that was changed on the pod after the refusals would look the same.",),
            )
            return
        for end in (case.flow.dst, case.flow.src):
            if end.entity in _NOBODY and (found := self._of_nobody(case, end)) is not None:
                yield found
                return

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """Say whose an outside address is on another network, where policies know it by nothing but the address."""
        texts = tuple(
            f"{end.ip} is {whose}: policies see an address outside there, and neither the pod nor its labels."
            for end in (case.flow.src, case.flow.dst)
            if (whose := second_network(case.context, end)) is not None
        )
        egress = egress_address(case.context, case.flow.src) if case.default_denied else None
        if egress is not None and case.direction is Direction.INGRESS:
            told = f"{case.flow.src.ip} is the egress address of {egress}"
            texts += (f"{told}: pods that it selects call with it, and rules for pods do not mean them.",)
        mesh = perhaps_lost_in_mesh(case) if finding.code == "FD101" else None
        if mesh is not None and perhaps_lost(case) is None:
            texts += (mesh,)
        return replace(finding, limits=(*texts, *finding.limits)) if texts else finding

    def _of_nobody(self, case: Case, end: Endpoint) -> Finding | None:
        """An address that is the cluster's and no pod's, refused as one outside: a rule for it would mend nothing."""
        service = own_service(case.context, end) if end is case.flow.dst else None
        if service is not None:
            name = f"{service.namespace}/{service.name}"
            return self.finding(
                case,
                title="{source} called a Service's address, {destination}, that was not translated",
                summary=f"{end.ip} is the address of Service {name}, and the record has it as {end.entity}.",
                advice=(
                    f"No rule for {end.ip} is needed: policies see the pods behind Service {name}. Find out why its "
                    "address was not translated (cilium-dbg service list on the refusing node, its endpoints, kube-proxy)."
                ),
                basis=Basis.STATE,
                most=Confidence.LIKELY,
                cause_key=f"service:{name}",
                nearest=(),
            )
        host = _node_outside(case.context, end)
        if host is not None:
            return self._of_node(case, end, host)
        node = range_owner(case.context, end)
        if node is None:
            return None
        service = None if end is case.flow.dst else handing_on(case)
        if end is case.flow.dst:
            title = "{source} calls an address of the pods' range that no pod has, {destination}"
            advice = (
                f"No rule for {end.ip} is needed: {end_text(case.flow.src)} may hold on to the address of a pod that is "
                "gone (its own cache, a headless Service): let it look the name up again, or restart it."
            )
        else:
            title = "{destination} is called from an address of the pods' range that no pod has, {source}"
            advice = f"No rule for {end.ip} is needed: find out which pod of node {node.name} had it when it was refused."
        if service is not None:
            advice = (
                f"Look whether it is node {node.name}'s own (kubectl get ciliumnode {node.name} -o yaml): with it the node "
                f"hands on clients of Service {service.namespace}/{service.name}, and externalTrafficPolicy: Local keeps "
                "theirs. Else find out which pod had it."
            )
        return self.finding(
            case,
            title=title,
            summary=(
                f"{end.ip} is of the pod range of node {node.name}, no pod of the state has it, and the record has it as "
                f"{end.entity}."
            ),
            advice=advice,
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key="gone",
            nearest=(),
            limits=(
                "Or a pod had the address that the state does not hold, and the agent did not know it: bring the pods of that time.",
            ),
        )

    def _of_node(self, case: Case, end: Endpoint, node: str) -> Finding:
        """A node's address, refused as one outside: rules for nodes do not match it."""
        service = handing_on(case) if end is case.flow.src else None
        if end is case.flow.dst:
            title = "{source} calls a node's address, {destination}, which was taken for one outside"
        else:
            title = "{destination} is called from a node's address, {source}, which was taken for one outside"
        look = (
            f"look whether the refusing node knows {end.ip} as a node's (cilium-dbg bpf ipcache get {end.ip}; "
            f"kubectl get ciliumnode {node})"
        )
        if service is None:
            advice = f"No rule for {end.ip} is needed: {look}."
        else:
            advice = (
                f"If node {node} only hands on clients of Service {service.namespace}/{service.name}, "
                f"externalTrafficPolicy: Local keeps their addresses. Else {look}."
            )
        return self.finding(
            case,
            title=title,
            summary=(
                f"{end.ip} is an address of node {node}, and the record has it as {end.entity}: rules for nodes (host, "
                "remote-node, cluster) do not match it."
            ),
            advice=advice,
            basis=Basis.STATE,
            most=Confidence.LIKELY,
            cause_key=f"node:{node}",
            nearest=(),
            limits=(
                "Hubble before 1.18 may print world for a node that a policy's range holds (policy-cidr-match-mode: nodes).",
            ),
        )


def _title(client: bool, *, node: bool) -> str:
    """Who was taken for whom; a node's word would stand for the pod."""
    if node:
        who = "A pod was taken for a node"
        return f"{who} when it called {{destination}}" if client else f"{who} when {{source}} called it"
    if client:
        return "{source} was taken for somebody else when it called {destination}"
    return "{destination} was taken for somebody else when {source} called it"


@cached_per_run
def _node_outside(context: Context, end: Endpoint) -> str | None:
    """The node whose address an outside end has, except where the API server is reached by it."""
    if end.kind is not EndpointKind.EXTERNAL or end.ip is None or end.ip in context.api_addresses:
        return None
    return context.node_ips.get(end.ip)


@cached_per_run
def _mistaken_pod(context: Context, end: Endpoint, peer: Peer) -> tuple[Pod, str, Confidence] | None:
    """The one pod that has the end's address now, for whom the record has it, and how sure that is at most."""
    # A number alone is resolved through CiliumIdentity and CiliumEndpoint objects.
    carried = peer.labels or end.identity_labels
    if peer.pod is not None and not carried:
        return None
    owners = context.pods_at(peer.ip)
    if len(owners) != 1:
        return None
    if not carried and of_range(peer.identity):
        return owners[0], "with the identity of a range or a name outside", Confidence.DERIVED
    mistaken = _mistaken(peer.entity, dict(carried or ()), owners[0])
    return None if mistaken is None else (owners[0], *mistaken)


def _was_there(case: Case, pod: Pod) -> bool:
    """Whether the address was the pod's already when it was refused."""
    first = case.flow.first
    if first is None or case.flow.ambiguous:
        return False
    begun = pod.started if pod.started is not None else pod.created
    return begun is not None and begun <= first


def _mistaken(entity: str | None, labels: dict[str, str], pod: Pod) -> tuple[str, Confidence] | None:
    """How a record has a pod for somebody else, and how sure that is at most."""
    namespace = labels.get(_NAMESPACE_LABEL)
    if entity in _NOT_THE_PODS:
        return f"as {entity}", Confidence.DERIVED
    if namespace is not None and namespace != pod.namespace:
        return f"with the identity of namespace {namespace}", Confidence.DERIVED
    other = _other_label(labels, pod)
    return None if other is None else (f"with an identity labelled {other}", Confidence.LIKELY)


def _other_label(labels: dict[str, str], pod: Pod) -> str | None:
    """A label of the identity that the pod carries with another value; absent ones are filtered by agents."""
    others = [
        (bare, value)
        for key, value in labels.items()
        if key.startswith("k8s:") and pod.labels.get(bare := key.removeprefix("k8s:"), value) != value
    ]
    for bare, value in sorted(others):
        if not any(change.labels.get(bare) == value for change in pod.labels_before):
            return f"{bare}={value}, while the pod has {bare}={pod.labels[bare]}"
    return None
