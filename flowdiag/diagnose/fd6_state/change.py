"""FD607."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.confidence import Basis
from flowdiag.diagnose.needs import Needs
from flowdiag.diagnose.rule import Rule
from flowdiag.diagnose.seen import SeenChange
from flowdiag.diagnose.signs import Sign
from flowdiag.model.event import ObjectRef
from flowdiag.model.finding import Finding
from flowdiag.model.report import Severity
from flowdiag.model.time import NS, moment_text
from flowdiag.model.words import object_text, was

__all__ = ["ChangeJustBefore"]

_WITHIN_S = 60
"""So soon before the first refusal a change is its most likely trigger."""
_CLOCK_S = 2
"""creationTimestamp is cut to the second and clocks differ: a change so shortly after may still be it."""


class ChangeJustBefore(Rule):
    """Something changed just before the first refusal.

    Signature:
        A policy that isolates the refusing end, the namespace of either end, or either end's workload was
        created, changed or labelled at most a minute before the first refused record.

    Advice:
        Look at that change first; reverting it is the quickest way out.

    Guard:
        Attached to other findings as a fact in time, never as their cause.  Where refusals of the same
        connection were seen before the change, it cannot have started them: silent.  A policy that was made
        for an end that an older policy had already closed refused nothing new: silent.

    References:
        https://github.com/cilium/cilium/issues/41045
        https://kubernetes.io/docs/reference/using-api/server-side-apply/#managedfields
    """

    code = "FD607"
    slug = "change-just-before"
    title = "{source} is refused by {destination} on {port} since something changed"
    severity = Severity.MEDIUM
    needs = Needs.CHANGES
    signs = (Sign.POLICY,)
    specificity = 5

    def diagnose(self, case: Case) -> Iterator[Finding]:
        """Stand alone only where the replay does not explain the refusal."""
        if case.not_policy or (case.end is not None and (case.isolating or case.replay_agrees)):
            return
        nearest = self._nearest(case)
        if nearest is None:
            return
        yield self.finding(
            case,
            summary=_sentence(nearest),
            advice="Look at that change first; the policies at hand do not explain the refusal.",
            basis=Basis.PATTERN,
            cause_key=f"change:{object_text(nearest.object)}",
        )

    def annotate(self, case: Case, finding: Finding) -> Finding:
        """Add the change to the summary of any finding but its own."""
        if finding.code == self.code or case.not_policy:
            return finding
        nearest = self._nearest(case)
        if nearest is None:
            return finding
        return replace(finding, summary=f"{finding.summary} {_sentence(nearest)}")

    @staticmethod
    def _nearest(case: Case) -> SeenChange | None:
        first = case.flow.distinct.first
        if first is None:
            return None
        near = [
            change
            for ref in _objects(case)
            for change in case.context.changes_of(ref)
            if first - _WITHIN_S * NS <= change.at <= first + _CLOCK_S * NS
            and not _found_closed(case, change)
        ]
        return min(near, key=lambda one: (abs(first - one.at), one.kind, repr(one.object)), default=None)


def _found_closed(case: Case, change: SeenChange) -> bool:
    """Whether it is the making of a policy that isolates, of an end that another one isolated before it: an allow policy's."""
    if change.kind != "created":
        return False
    own = change.object
    isolating = {ref: (ref.kind, ref.group, ref.namespace, ref.name) for ref in case.isolating}
    place = (own.kind, own.group, own.namespace, own.name)
    if place not in isolating.values():
        return False
    return any(
        one.created is not None and one.created < change.at
        for ref, other in isolating.items()
        if other != place
        for one in case.context.policy(ref)
    )


def _objects(case: Case) -> list[ObjectRef]:
    refs = dict.fromkeys(
        ObjectRef(ref.kind, ref.group, ref.namespace, ref.name) for ref in (*case.isolating, *case.involved)
    )
    for end in (case.flow.src, case.flow.dst):
        if end.namespace is not None:
            refs[ObjectRef("Namespace", "", None, end.namespace)] = None
            workload = end.workload or (end.pod.workload if end.pod is not None else None)
            if workload is not None and workload.kind is not None:
                for group in ("apps", "batch", ""):
                    refs[ObjectRef(workload.kind, group, end.namespace, workload.name)] = None
    return list(refs)


def _sentence(change: SeenChange) -> str:
    by = f" by {change.by}" if change.by else ""
    what = f" ({change.what})" if change.what else ""
    moment = moment_text(change.at)
    return f"{object_text(change.object)} {was(change.kind)}{by} at {moment}, just before the refusals began{what}."
