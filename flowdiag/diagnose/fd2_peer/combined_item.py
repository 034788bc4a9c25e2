"""FD203."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_peers import PeerText, admits_a_pod, peers, selector_holds
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, NearestRule
from flowdiag.model.report import Confidence, Severity

__all__ = ["CombinedListItem"]


class CombinedListItem(Rule):
    """One list item holds both selectors, which means AND; two items (OR) were probably meant.

    Signature:
        A `from` or `to` item with namespaceSelector and podSelector misses in one of the two, and no pod
        at all meets both, while each of the two halves alone admits pods, the refused peer among them.
        An audit tells of the other way round without a refusal (`split-list-item`): two items, of which the
        second takes no pod of the policy's own namespace.

    Advice:
        Write two list items: one dash more before podSelector.  The split form admits every pod of those
        namespaces, so check that this is meant.

    Guard:
        As long as some pod meets both selectors the combined form does what it says, and the peer misses
        a label (FD201, FD202).

    References:
        https://github.com/kubernetes/website/issues/1285
        https://github.com/rancher/dashboard/issues/8400
    """

    code = "FD203"
    slug = "combined-list-item"
    title = "{source} cannot reach {destination} on {port}: a list item asks for two selectors at once"
    severity = Severity.HIGH
    needs = Needs.POLICIES | Needs.PODS | Needs.NAMESPACES
    signs = (Sign.OWN_POD | Sign.MISSES_POD, Sign.OWN_POD | Sign.MISSES_NAMESPACE)
    specificity = 74

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.peer_pod is None:
            return
        for rule in case.missing_one(Condition.POD, Condition.NAMESPACE):
            combined = [peer for peer in peers(case, rule) if self._would_match_split(case, rule, peer)]
            if not combined:
                continue
            peer = combined[0]
            namespaces = peer.namespaces.text if peer.namespaces is not None else ""
            pods = peer.pods.text if peer.pods is not None else ""
            yield self.finding(
                case,
                first=rule,
                summary=(
                    f"{rule_text(rule)} wants pods {pods} inside namespaces {namespaces or 'of any label'}, "
                    f"and no pod is both; {end_text(case.peer)} meets only one of the two."
                ),
                advice=(
                    "If either was meant to do, write two list items ('- namespaceSelector: ...' and "
                    "'- podSelector: ...'); the first then admits every pod of those namespaces."
                ),
                cause_key=f"combined:{namespaces}:{pods}",
                most=Confidence.LIKELY,
            )
            return

    @staticmethod
    def _would_match_split(case: Case, rule: NearestRule, peer: PeerText) -> bool:
        pod = case.peer_pod
        if pod is None or peer.namespaces is None or peer.pods is None or not peer.pods.requirements:
            return False
        if admits_a_pod(case, rule, peer):
            return False
        halves = (PeerText(peer.path, peer.namespaces, None), PeerText(peer.path, None, peer.pods))
        if not all(admits_a_pod(case, rule, half) for half in halves):
            return False
        namespace = case.context.snapshot.namespaces.get(pod.namespace)
        in_namespaces = namespace is not None and selector_holds(peer.namespaces, namespace.labels)
        own_with_labels = pod.namespace == rule.policy.namespace and selector_holds(peer.pods, pod.labels)
        return in_namespaces or own_with_labels
