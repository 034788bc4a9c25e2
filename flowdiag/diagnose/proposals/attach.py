"""Proposals for a whole run: for the largest refusals, each kind of connection once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import workload_id
from flowdiag.diagnose.proposals.proof import Ends
from flowdiag.diagnose.proposals.propose import propose
from flowdiag.diagnose.proposals.revert import Revert, reverting
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.policy import IpBlockPods
from flowdiag.model.report import Counterfactual
from flowdiag.policy import PolicySet

__all__ = ["attach"]

_MOST = 32
"""Problems of a run that get a proposal, largest first; a reader acts on a few, and each is proved."""

_MENDED = frozenset(
    {
        *("FD101", "FD102", "FD103", "FD104", "FD105"),
        *("FD201", "FD202", "FD203", "FD204", "FD206", "FD208", "FD211", "FD213", "FD215"),
        *("FD301", "FD302", "FD303", "FD304", "FD305", "FD306", "FD307"),
        *("FD401", "FD402"),
    }
)
"""Diagnoses that a rule mends.  Elsewhere (replies, wrong identities, probes, metadata servers) a rule would
only hide what is wrong, or open what is better closed."""


def attach(
    found: Sequence[tuple[Case, Finding]],
    policies: PolicySet,
    *,
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO,
    counts: Sequence[int] | None = None,
    beside: Iterable[Endpoint] = (),
) -> list[Finding]:
    """Give the findings back, in order, with proposals where one is proved.

    Args:
        found: refused flows' cases with their leading findings; one a problem is enough.
        policies: the compiled policies that the cases were held against.
        ip_block_pods: as `policies` was compiled.
        counts: refused records that each of `found` stands for; its own flow's where not given.
        beside: ends of other flows, which a change may open too.
    """
    ends = Ends.of(
        policies.snapshot, [*beside, *(end for case, _ in found for end in (case.flow.src, case.flow.dst))]
    )
    weights: dict[tuple[object, ...], int] = {}
    leads: dict[tuple[object, ...], int] = {}
    for index, (case, finding) in enumerate(found):
        if finding.code not in _MENDED:
            continue
        key = _key(case)
        weights[key] = weights.get(key, 0) + (case.flow.count if counts is None else counts[index])
        last = found[leads[key]][0].flow.last if key in leads else None
        if key not in leads or (case.flow.last or -1) > (last or -1):
            leads[key] = index
    largest = sorted(weights, key=lambda key: (-weights[key], repr(key)))[:_MOST]
    proposals: dict[tuple[object, ...], Counterfactual | None] = {
        key: propose(
            case, policies, ends, ip_block_pods=ip_block_pods, lead=next(iter(finding.nearest), None)
        )
        for key, (case, finding) in ((key, found[leads[key]]) for key in largest)
    }
    reverts: dict[tuple[object, ...], Revert | None] = {
        key: reverting(found[leads[key]][0], policies, ends, ip_block_pods=ip_block_pods) for key in largest
    }
    result = []
    for case, finding in found:
        mended = finding
        if finding.code in _MENDED:
            key = _key(case)
            mended = replace(mended, counterfactual=proposals.get(key) or mended.counterfactual)
            back = reverts.get(key)
            if back is not None:
                advice = f"{mended.advice} {back.sentence}".strip()
                mended = replace(mended, advice=advice, revert=back.proposal)
        result.append(mended)
    return result


def _key(case: Case) -> tuple[object, ...]:
    return (workload_id(case.flow.src), workload_id(case.flow.dst), case.protocol, case.port)
