"""Everything that the stages of one run have worked out, from which the report is made."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.analysis.attribute import Attributed
from flowdiag.analysis.collect import Evidence
from flowdiag.analysis.logged import Judged
from flowdiag.analysis.marks import Marks
from flowdiag.analysis.options import EvidenceOptions, Selection
from flowdiag.analysis.sorting import Sorted
from flowdiag.analysis.state import State
from flowdiag.diagnose import Context
from flowdiag.model.flow import Flow
from flowdiag.model.report import ReportWarning
from flowdiag.tally.view import FlowView

__all__ = ["Workings"]


class Workings(Struct, frozen=True, kw_only=True):
    """Evidence and cluster objects, and what was worked out from both."""

    read: Evidence
    state: State | None
    """``None`` where no cluster objects were read."""
    evidence: EvidenceOptions
    selection: Selection
    marks: Marks
    view: FlowView
    flows: Sorted
    logged: Judged
    allowed: list[Flow]
    """Flows that passed, those among the logged ones too."""
    context: Context
    attributed: Attributed
    span: tuple[int | None, int | None]
    """Of the evidence that was asked for, nanoseconds."""
    unenforced: list[ReportWarning]
    """Says that nobody enforces the policies, where that is so."""
