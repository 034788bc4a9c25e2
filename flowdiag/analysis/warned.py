"""All that a report warns of: inputs, objects and rules that could not be read, and doubts about what was."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.analysis.about import pod_names
from flowdiag.analysis.cautions import (
    left_out_logged,
    left_out_undated,
    nothing_selected,
    several_clusters,
    several_enforcers,
    told_twice,
    unknown_reasons,
    without_ends,
    without_policies,
    without_times,
)
from flowdiag.analysis.counted import counted_refusals
from flowdiag.analysis.no_denials import only_logged, only_objects, what_to_collect
from flowdiag.analysis.overlaps import told_again
from flowdiag.analysis.workings import Workings
from flowdiag.cluster.interfaces import InterfaceIndex
from flowdiag.diagnose import Context, broken_rules
from flowdiag.model.objects import Snapshot
from flowdiag.model.report import ReportWarning, general_warning
from flowdiag.model.words import object_text, plural
from flowdiag.policy.audit import LET_THROUGH, audits_only

__all__ = ["warned"]


def warned(found: Workings) -> list[ReportWarning]:
    """Collect the warnings; a report sorts them.  Asked last, when all rules had their chance to fail."""
    read, state, flows = found.read, found.state, found.flows
    snapshot = state.snapshot if state is not None else None
    counted = counted_refusals(read.tally.logs, InterfaceIndex(snapshot or Snapshot(), pod_names(read)))
    copied = [*told_twice(read.inputs)]
    evidence = [one for one in read.inputs if one.parser is not None]
    return [
        *what_to_collect(
            evidence,
            read.cnis,
            state=state,
            counted=bool(counted),
            only_denied=found.evidence.only_denied,
        ),
        *(() if found.evidence.format else only_objects(evidence, state)),
        *only_logged((flow for flow, _, _ in found.logged.unknown), state, read.cnis),
        *counted,
        *read.warnings,
        *_of_objects(found),
        *without_policies(flows, state, read.cnis),
        *_broken_rules(),
        *found.unenforced,
        *nothing_selected(found.selection, (read.first, read.last), flows, found.view.peers, snapshot),
        *left_out_logged(
            found.logged.left_out, found.selection, refused=bool(flows.refused or found.logged.refused)
        ),
        *left_out_undated(flows),
        *without_ends(found.attributed.unattributed),
        *unknown_reasons(found.attributed.unattributed),
        *without_times(read.inputs),
        *several_clusters(found.view.nodes),
        *several_enforcers(state, read.cnis),
        *copied,
        *told_again(flows.refused, {one.input for one in copied if one.input is not None}),
        *_failed(found.context),
    ]


def _of_objects(found: Workings) -> Iterator[ReportWarning]:
    state = found.state
    if state is None:
        return
    for problem in state.problems:
        yield ReportWarning(
            code=problem.code, message=problem.message, input=problem.input, line=problem.line
        )
    for ref, text in state.policies.notes:
        yield general_warning("not-enforced", f"{object_text(ref)}: {text}")
    if audits_only(state.snapshot, state.dialect):
        yield general_warning("audit-mode", LET_THROUGH)


def _broken_rules() -> Iterator[ReportWarning]:
    for one in broken_rules():
        message = f"diagnosis {one.origin} does not load: {one.error}"
        yield general_warning("broken-plugin", message)


def _failed(context: Context) -> Iterator[ReportWarning]:
    """Warnings for rules of other distributions that failed, each rule once."""
    for origin, (why, times) in sorted(context.failed.items()):
        more = f", and failed on {plural(times - 1, 'more part')} of the refusals" if times > 1 else ""
        message = f"{origin} {why}{more}; what it would have said is left to the other rules"
        yield general_warning("broken-plugin", message)
