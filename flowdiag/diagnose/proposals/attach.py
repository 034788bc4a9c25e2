"""Proposals for a whole run: for the largest refusals, each kind of connection once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.first_sight import PROBES_OF_AMBIENT
from flowdiag.diagnose.proposals.edit import AnyEdit, Edit, object_of
from flowdiag.diagnose.proposals.join import joined, joins_of
from flowdiag.diagnose.proposals.proof import Ends, lets_pass
from flowdiag.diagnose.proposals.proposal import Proposal
from flowdiag.diagnose.proposals.propose import compiled, propose
from flowdiag.diagnose.proposals.revert import Revert, reverting
from flowdiag.diagnose.proposals.together import MOST, for_every, kind_of
from flowdiag.diagnose.relabelled import as_now
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.finding import Finding
from flowdiag.model.policy import IpBlockPods, PolicyRef
from flowdiag.policy import PolicySet

__all__ = ["attach"]

_MOST = 32
"""Problems of a run that get a proposal, largest first; a reader acts on a few, and each is proved."""

_MOST_BESIDE = 192
"""Kinds of connections of all these problems that are mended beside the first of each, or tried in its place."""

_MOST_INSTEAD = 8
"""Other connections of a problem that are tried where its first cannot be mended."""

_MENDED = frozenset(
    {
        *("FD101", "FD102", "FD103", "FD104", "FD105"),
        *("FD201", "FD202", "FD203", "FD204", "FD205", "FD206", "FD207", "FD208"),
        *("FD211", "FD213", "FD214", "FD215"),
        *("FD301", "FD302", "FD303", "FD304", "FD305", "FD306", "FD307"),
        *("FD401", "FD402"),
    }
)
"""Diagnoses that a rule mends.  Elsewhere (replies, wrong identities, probes, metadata servers) a rule would
only hide what is wrong, or open what is better closed."""


_NO_MISTAKE = frozenset({"FD101", "FD102", "FD306", "FD502"})
"""Diagnoses that find no rule mistaken: somebody more is to be let in."""


def attach(
    found: Sequence[tuple[Case, Finding]],
    policies: PolicySet,
    *,
    ip_block_pods: IpBlockPods = IpBlockPods.AUTO,
    counts: Sequence[int] | None = None,
    others: Sequence[Sequence[Sequence[Case]]] = (),
    beside: Iterable[Endpoint] = (),
) -> list[Finding]:
    """Give the findings back, in order, with proposals where one is proved.

    Args:
        found: refused flows' cases with their leading findings; one a problem is enough.
        policies: the compiled policies that the cases were held against.
        ip_block_pods: as `policies` was compiled.
        counts: refused records that each of `found` stands for; its own flow's where not given.
        others: what else is refused of the problem that each of `found` speaks for, by connection, its own one first;
            nothing where not given.
        beside: ends of other flows, which a change may open too.
    """
    found = [(as_now(case), finding) for case, finding in found]
    connections = [
        [[found[index][0], *map(as_now, own)], *([as_now(case) for case in each] for each in rest)]
        for index, (own, *rest) in enumerate(others or [[()] for _ in found])
    ]
    rests = [[case for each in parts for case in each][1:] for parts in connections]
    ends = Ends.of(
        policies.snapshot, [*beside, *(end for case, _ in found for end in (case.flow.src, case.flow.dst))]
    )
    cluster = _Cluster(policies, ends, ip_block_pods)
    mended = [finding for _, finding in found]
    changes: dict[int, Proposal] = {}
    written: dict[PolicyRef, set[bytes]] = {}
    """What the changes so far write, by object."""
    left = _MOST_BESIDE
    for alike in _kinds(found, counts):
        latest = max((found[index] for index in alike), key=lambda one: one[0].flow.last or -1)
        first = cluster.proposal(latest)
        for index in alike:
            own, rest, proposal, lead = found[index], rests[index], first, latest
            if proposal and own[0] is not latest[0] and not proposal.steps.passes(own[0]):
                # Policies tell the pods of the workload apart, so it is not one kind of connection.
                proposal, lead = cluster.proposal(own), own
            if proposal is None:
                # What no rule can open, such as a node under Cilium, keeps nothing from the problem's other connections.
                proposal, lead, tried = cluster.instead(own, rest, min(_MOST_INSTEAD, left))
                left -= tried
                rest = [case for case in (own[0], *rest) if case is not lead[0]]
            narrow = own[1].code in _NO_MISTAKE
            most = min(MOST, left)
            change = proposal and cluster.for_every(proposal, rest, narrow=narrow, most=most)
            if change and _takes_a_name(change, written):
                given = frozenset(written)
                again = cluster.proposal(lead, given)
                change = again and cluster.for_every(again, rest, given, narrow=narrow, most=most)
            kinds = len({kind_of(case) for case in rest}) if change else 0
            left -= min(kinds, most)
            if change:
                changes[index] = change
                for edit in change.edits:
                    written.setdefault(object_of(edit), set()).add(_content(edit))
            back = reverting(own[0], policies, ends, ip_block_pods=ip_block_pods)
            mended[index] = _with_revert(mended[index], back, connections[index])
    shared = frozenset(ref for ref, texts in written.items() if len(texts) > 1)
    served = {
        index: [case for case in (found[index][0], *rests[index]) if change.steps.passes(case)]
        for index, change in changes.items()
    }
    joins = joins_of(changes, served, shared, cluster.joined)
    undone = set[int]()
    if len(written) > 1:
        # What was joined stands for its members' changes.
        now = {index: joins[index][0] if index in joins else change for index, change in changes.items()}
        together = _together(policies, now.values(), ip_block_pods)
        undone = {
            index for index, cases in served.items() if not all(lets_pass(together, case) for case in cases)
        }
        joins |= joins_of(changes, served, shared, cluster.joined, undone - joins.keys())
    for index, change in changes.items():
        _, change_for_all = joins.get(index, (None, None))
        mend = change.for_all(
            connections[index], shared, undone=index in undone, joined=change_for_all is not None
        )
        mended[index] = replace(mended[index], counterfactual=mend, joined=change_for_all)
    return mended


class _Cluster(Struct, frozen=True):
    """What proposals are made for and proved in."""

    policies: PolicySet
    ends: Ends
    ip_block_pods: IpBlockPods

    def proposal(
        self, one: tuple[Case, Finding], given: AbstractSet[PolicyRef] = frozenset()
    ) -> Proposal | None:
        """Propose what mends one refusal; `given` are names that new policies of other problems have already."""
        case, finding = one
        return propose(
            case,
            self.policies,
            self.ends,
            ip_block_pods=self.ip_block_pods,
            lead=next(iter(finding.nearest), None),
            narrow=finding.code in _NO_MISTAKE,
            given=given,
        )

    def instead(
        self, one: tuple[Case, Finding], rest: Sequence[Case], most: int
    ) -> tuple[Proposal | None, tuple[Case, Finding], int]:
        """Propose what mends another connection of a problem where the first cannot be mended; say which, and how many were tried."""
        kinds = {kind_of(case): case for case in rest if kind_of(case) != kind_of(one[0])}
        few = list(kinds.values())[:most]
        for tried, case in enumerate(few, 1):
            found = self.proposal((case, one[1]))
            if found is not None:
                return found, (case, one[1]), tried
        return None, one, len(few)

    def for_every(
        self,
        proposal: Proposal,
        rest: Sequence[Case],
        given: AbstractSet[PolicyRef] = frozenset(),
        *,
        narrow: bool,
        most: int,
    ) -> Proposal:
        """Extend the proposal until it mends the other connections of its problem, too."""
        return for_every(
            proposal,
            rest,
            self.policies,
            self.ends,
            ip_block_pods=self.ip_block_pods,
            narrow=narrow,
            given=given,
            most=most,
        )

    def joined(self, members: Sequence[tuple[Proposal, Sequence[Case]]]) -> Proposal | None:
        """One change in place of those of several problems, where it is proved."""
        return joined(members, self.policies, self.ends, ip_block_pods=self.ip_block_pods)


def _kinds(found: Sequence[tuple[Case, Finding]], counts: Sequence[int] | None) -> list[list[int]]:
    """Indexes of refusals that a rule can mend, grouped by kind of connection, the most refused first."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, (case, finding) in enumerate(found):
        mended = finding.code in _MENDED and not finding.elsewhere
        if mended or _of_ambient(case, finding) or _of_the_rest(case, finding):
            alike.setdefault(kind_of(case), []).append(index)
    weights = {
        key: sum(found[index][0].flow.count if counts is None else counts[index] for index in each)
        for key, each in alike.items()
    }
    return [alike[key] for key in sorted(weights, key=lambda key: (-weights[key], repr(key)))[:_MOST]]


def _of_ambient(case: Case, finding: Finding) -> bool:
    """Whether probes are refused that come from outside, as policies see them: only a rule lets these pass."""
    return finding.code == "FD209" and case.flow.src.ip in PROBES_OF_AMBIENT


def _of_the_rest(case: Case, finding: Finding) -> bool:
    """Whether a Deny that singles nobody out refused: as a default deny it is opened for who is meant to pass."""
    return finding.code == "FD502" and case.rest_denied is not None


def _together(policies: PolicySet, changes: Iterable[Proposal], ip_block_pods: IpBlockPods) -> PolicySet:
    """The policies with all of the changes; of an object that several write, with what comes last."""
    edits = {object_of(edit): edit for change in changes for edit in change.edits}
    return compiled(policies, tuple(edits.values()), ip_block_pods)


def _takes_a_name(change: Proposal, written: Mapping[PolicyRef, AbstractSet[bytes]]) -> bool:
    """Whether a change adds an object under a name that another problem's has: applied later it would replace that."""
    return any(
        isinstance(edit, Edit)
        and edit.old is None
        and written.get(edit.new.ref, {_content(edit)}) != {_content(edit)}
        for edit in change.edits
    )


def _content(edit: AnyEdit) -> bytes:
    """What an edit writes, in a form that can be compared; to write it as YAML would take a hundred times as long."""
    if isinstance(edit, Edit):
        return msgspec.json.encode((edit.new.api_version, edit.new.spec), order="sorted")
    return msgspec.json.encode(edit.labels, order="sorted")


def _with_revert(finding: Finding, back: Revert | None, connections: Sequence[Sequence[Case]]) -> Finding:
    if back is None:
        return finding
    revert = back.proposal and back.proposal.for_all(connections)
    advice = f"{finding.advice} {back.sentence([case for each in connections for case in each])}".strip()
    return replace(finding, advice=advice, revert=revert)
