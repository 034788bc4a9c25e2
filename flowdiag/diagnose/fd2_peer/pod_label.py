"""FD201."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.labels import IDENTITY_KEYS, alike, split_label
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import a_list, end_text, rule_text
from flowdiag.diagnose.written_peers import admits_a_pod, peers
from flowdiag.model.finding import Finding
from flowdiag.model.objects import Pod, WorkloadObject
from flowdiag.model.policy import Condition, NearestRule
from flowdiag.model.report import Severity
from flowdiag.policy.calico_labels import labels_of

__all__ = ["PodLabelNearMiss"]

# "app=front", "has(tier)", "tier", "app in {front,back}", "app starts with front": one label that is to be there.
_ONE_LABEL = re.compile(
    r"(?:has\()?([A-Za-z0-9][A-Za-z0-9._/-]*)(?:\)|=[A-Za-z0-9._-]*| (?:in|contains|starts with|ends with) [^|&]+)?"
)
_ADDED = ("projectcalico.org/", "pcns.", "pcsa.", "io.cilium.", "io.kubernetes.pod.")
"""Keys of labels that Calico and Cilium give pods: of their namespaces and service accounts."""
_LOST = "{source} cannot reach {destination} on {port}: a rollout lost the pod label that the rule wants"
_SETS = frozenset({"NetworkSet", "GlobalNetworkSet"})


class PodLabelNearMiss(Rule):
    """A rule would match but for a label of the peer's pods.

    Signature:
        One rule misses on its pod selector and on nothing else, and the peer's labels resemble what is
        wanted, or lack the key, or nothing in the snapshot carries what is wanted.

    Advice:
        Correct the label on the pod template or the selector in the rule, whichever is the mistake; on the
        template, where an earlier revision of the Deployment had it.

    Guard:
        A rule that admits another existing workload (`app=api` exists, the caller is `app=web`) or a
        network set was written for that one: the caller is simply not admitted (FD101).  The same holds for
        a selector that excludes or gives a choice, and for labels that the enforcer adds itself (a pod's
        namespace or service account), which nobody sets on a pod.  A hostNetwork peer has no labels that
        count (FD205).

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
        https://github.com/cilium/cilium/issues/41357
    """

    code = "FD201"
    slug = "pod-label-near-miss"
    title = "{source} cannot reach {destination} on {port}: a pod label does not match the rule"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.POD_PEER | Sign.MISSES_POD,)
    specificity = 70

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if not case.pod_peer:
            return
        near = case.missing_one(Condition.POD)
        found = [(rule, how) for rule in near if (how := self._how(case, rule)) is not None]
        for rule, how in found[:1]:
            wanted = a_list([miss.wanted for miss in rule.misses])
            peer = end_text(case.peer)
            lost = _lost(case, rule)
            since = (
                ""
                if lost is None
                else f" ReplicaSet {lost.namespace}/{lost.name} of an earlier revision has it."
            )
            yield self.finding(
                case,
                title=None if lost is None else _LOST,
                first=rule,
                summary=f"{rule_text(rule)} wants pod label {wanted}; the pods of {peer} {how}.{since}",
                advice=(
                    f"Set the label in the pod template of {peer}, or let the rule select a label that its "
                    "pods have; whichever was meant."
                    if lost is None
                    else f"Put {wanted} back into the pod template of {peer}, which a rollout lost, or roll back."
                ),
                elsewhere=lost is not None,
                candidates=len(found),
                cause_key=f"pod:{wanted}",
            )

    @staticmethod
    def _how(case: Case, rule: NearestRule) -> str | None:
        pod = case.peer_pod
        labels = pod.labels if pod is not None else None
        texts = peers(case, rule)
        keys = {miss.wanted.partition("=")[0].split(" ")[0] for miss in rule.misses}
        if labels is not None:
            for peer in texts:
                resemblance = alike(peer.pods, labels) if peer.pods is not None else None
                if resemblance is not None:
                    return f"have {resemblance}"
        has = a_list([miss.found for miss in rule.misses if miss.found is not None])
        plain = f"have {has}" if has else "have no such label"
        if not texts:
            # Selectors of other policy languages are not read here: a label that no pod carries, or a key
            # that the peer lacks, tells enough.
            if not all(_of_a_pod(case, miss.wanted) for miss in rule.misses):
                return None
            if all(_nowhere(case, miss.wanted) for miss in rule.misses):
                return plain
            return plain if not has and not keys & IDENTITY_KEYS else None
        if not any(admits_a_pod(case, rule, peer) for peer in texts):
            return plain
        return plain if not has and not keys & IDENTITY_KEYS else None


def _lost(case: Case, rule: NearestRule) -> WorkloadObject | None:
    """The latest earlier revision of the peer whose pods had what the rule asks for; ``None`` where none had."""
    wanted = [split_label(miss.wanted) for miss in rule.misses]
    pod = case.peer_pod
    if pod is None or any(value is None for _, value in wanted):
        return None
    return next(
        (
            one
            for one in _earlier(case.context, pod)
            if all(one.labels.get(key) == value for key, value in wanted)
        ),
        None,
    )


@cached_per_run
def _earlier(context: Context, pod: Pod) -> tuple[WorkloadObject, ...]:
    """ReplicaSets of the pod's Deployment that were made before its own, the latest first."""
    made = {
        one.name: one
        for one in context.snapshot.workloads
        if one.kind == "ReplicaSet" and one.namespace == pod.namespace and one.owner == pod.workload
    }
    own = made.get(pod.owner.name) if pod.owner is not None else None
    if own is None or own.created is None:
        return ()
    before = [
        (one.created, one.name)
        for one in made.values()
        if one.created is not None and one.created < own.created
    ]
    return tuple(made[name] for _, name in sorted(before, reverse=True))


def _of_a_pod(case: Case, wanted: str) -> bool:
    """Whether a miss is about one label that people set, and on pods."""
    found = _ONE_LABEL.fullmatch(wanted)
    if found is None or found[1].startswith(_ADDED):
        return False
    return not any(
        each.kind in _SETS and found[1] in labels_of(each) for each in case.context.snapshot.others
    )


def _nowhere(case: Case, wanted: str) -> bool:
    """Whether pods were read and none of them carries the label."""
    key, value = split_label(wanted)
    if value is None or Needs.PODS not in case.has:
        return False
    return (key, value) not in case.context.pod_label_pairs
