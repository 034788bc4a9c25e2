"""FD214."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.signs import Sign
from flowdiag.diagnose.spec import rule_at
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.model.cilium import CLUSTER_LABEL
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.policy import Condition, Dialect, NearestRule
from flowdiag.model.report import Confidence, Severity

__all__ = ["OtherCluster"]

_LABEL = CLUSTER_LABEL
# cilium-config "policy-default-local-cluster": "true" (v1.18; on by default from v1.19 on).
_SETTING = "cilium.policy-default-local-cluster"


class OtherCluster(Rule):
    """The peer is a pod of another cluster of the mesh, and the selector says nothing of clusters.

    Signature:
        The peer's identity carries `io.cilium.k8s.policy.cluster` of another cluster; a rule would admit it
        but for that, and does not name a cluster.

    Advice:
        Name the cluster in the selector (`io.cilium.k8s.policy.cluster: NAME`, or an `In` or `Exists`
        requirement for several), or set `policy-default-local-cluster: "false"` while migrating.

    Guard:
        Selectors without a cluster mean every cluster before Cilium 1.19, and wherever
        `policy-default-local-cluster` is false: then another condition refused.  A selector that names a
        cluster leaves others out on purpose.  Where the setting is not written down it depends on the
        release, and no more than possible is said.

    References:
        https://github.com/cilium/cilium/issues/40609
        https://docs.cilium.io/en/stable/network/clustermesh/policy/
    """

    code = "FD214"
    slug = "other-cluster"
    title = "{source} cannot reach {destination} on {port}: the selector means this cluster only"
    severity = Severity.HIGH
    needs = Needs.POLICIES
    signs = (Sign.CILIUM | Sign.DEFAULT | Sign.IDENTITY,)
    specificity = 79

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """See `Rule.diagnose`."""
        if case.context.dialect is not Dialect.CILIUM or not case.default_denied:
            return
        theirs = _cluster(case.context, case.peer)
        ours = case.context.snapshot.config.get("cilium.cluster-name") or _cluster(
            case.context, case.enforcer
        )
        if theirs is None or ours is None or theirs == ours:
            return
        setting = case.context.snapshot.config.get(_SETTING)
        if setting == "false":
            return
        rule = next((one for one in case.nearest if _by_cluster_alone(case, one, theirs)), None)
        if rule is None:
            return
        limits: tuple[str, ...] = ()
        if setting != "true":
            limits = ("Whether policy-default-local-cluster is on is not known: it is from Cilium 1.19 on.",)
        yield self.finding(
            case,
            first=rule,
            summary=(
                f"{rule_text(rule)} selects pods like {end_text(case.peer)} without naming a cluster, which "
                f"means those of {ours}; this one is of {theirs}."
            ),
            advice=(
                f"Add {_LABEL}: {theirs} to the selector, or set policy-default-local-cluster to false until "
                "every policy names its clusters."
            ),
            cause_key=f"cluster:{theirs}",
            most=Confidence.DERIVED if setting == "true" else Confidence.POSSIBLE,
            limits=limits,
        )


@cached_per_run
def _cluster(context: Context, end: Endpoint) -> str | None:
    del context
    for key, value in end.identity_labels or ():
        if key.removeprefix("k8s:") == _LABEL:
            return value
    return None


def _by_cluster_alone(case: Case, rule: NearestRule, theirs: str) -> bool:
    """Whether only the cluster that the selector does not name keeps the peer out, surely or perhaps."""
    if _LABEL in repr(rule_at(case, rule)):
        return False
    if rule.misses:
        only = all(
            miss.condition is Condition.POD and miss.wanted.partition("=")[0] == _LABEL
            for miss in rule.misses
        )
        return only and not rule.unknown
    return bool(rule.unknown) and all(f"the cluster {theirs} " in reason for reason in rule.unknown)
