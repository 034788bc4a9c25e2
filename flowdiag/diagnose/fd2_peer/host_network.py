"""FD205."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.host_selectors import would_mean
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.model.endpoint import EndpointKind
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, Dialect, PolicyRef
from flowdiag.model.report import Confidence, Severity

__all__ = ["HostNetworkPeer"]

_ENTITIES = "Allow the entities host and remote-node instead"
_KIND = {Dialect.CILIUM: "CiliumNetworkPolicy", Dialect.GKE: "CiliumClusterwideNetworkPolicy"}
"""Where these are, the kind that has a word for entities; GKE takes no CiliumNetworkPolicy."""


class HostNetworkPeer(Rule):
    """The peer's pod uses its node's network, so no selector ever matches it.

    Signature:
        The refused end is a node's address, a rule misses only on its pod or namespace selector, and a
        hostNetwork pod on that node has the labels the rule asks for, or is the only one there of the
        namespace that the rule asks for.

    Advice:
        Calico: host endpoints with `global()`, or an ipBlock of the nodes; Cilium: the entities `host` and
        `remote-node`, for which a NetworkPolicy has no word.

    Guard:
        Several hostNetwork pods share the address: the pod meant is a guess, so at most likely.  Where
        none on that node carries the labels, the traffic is the node's own.  A selector that only excludes
        was not written for that pod, and of a namespace with several such workloads (kube-system) nobody
        knows which is meant.  OVN-Kubernetes takes hostNetwork pods for what selectors mean.

    References:
        https://github.com/projectcalico/calico/issues/4667
        https://github.com/projectcalico/calico/issues/4493
    """

    code = "FD205"
    slug = "host-network-peer"
    title = "{source} cannot reach {destination} on {port}: a hostNetwork pod has no labels that count"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.PODS
    signs = (Sign.DEFAULT | Sign.HOST_PEER,)
    specificity = 73

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.default_denied or case.peer.kind not in (EndpointKind.NODE, EndpointKind.POD):
            return
        if case.peer.kind is EndpointKind.POD and case.peer_pod is not None:
            return
        pod = case.peer.pod
        # Where the record names the pod, no other of the node's can have been the one.
        node = case.peer.name if case.peer.kind is EndpointKind.NODE else None
        here = (pod,) if pod is not None else case.context.host_pods(node, case.peer.ip)
        for rule in case.nearest:
            if not rule.misses or {miss.condition for miss in rule.misses} - {
                Condition.POD,
                Condition.NAMESPACE,
            }:
                continue
            pods = sorted(here, key=lambda one: (one.namespace, one.name))
            meant = next((pod for pod in pods if would_mean(case, rule, pod)), None)
            if meant is None:
                continue
            name = f"{meant.namespace}/{meant.name}"
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} selects pods like {name}, but that pod runs in the network of "
                    f"{end_text(case.peer)}, where selectors do not match."
                ),
                advice=_advice(case.context.dialect, rule.policy, case.peer.ip),
                cause_key="host-network",
                most=Confidence.LIKELY,
                limits=("Other processes share the node's address: which one it was, no record tells.",),
            )
            return


def _advice(dialect: Dialect | None, policy: PolicyRef, seen: str | None) -> str:
    kind = _KIND.get(dialect) if dialect is not None else None
    if kind is not None:
        return (
            f"{_ENTITIES}."
            if policy.group == "cilium.io"
            else f"{_ENTITIES}, in a {kind}: a {policy.kind} has no word for them."
        )
    if dialect is Dialect.CALICO:
        # Across an overlay a node has its tunnel's address, and one of its own in a rule would do nothing.
        here = f" (here {seen})" if seen is not None else ""
        word = "an ipBlock" if policy.group == "networking.k8s.io" else "nets"
        return (
            f"Allow the addresses by which nodes reach pods{here} with {word}, or use automatic host endpoints with "
            "global()."
        )
    return "Allow the nodes' addresses with an ipBlock."
