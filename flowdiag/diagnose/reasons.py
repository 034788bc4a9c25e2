"""One line of meaning for a drop reason, for the folded "not policy" section."""

from __future__ import annotations

from flowdiag.model.event import Cause
from flowdiag.model.reasons import REASONS, reason_by_code
from flowdiag.model.tally import DistinctFlow

__all__ = ["meaning"]

_CAUSES = {
    Cause.NOISE: "background noise",
    Cause.CONFIGURATION: "a matter of configuration",
    Cause.FAULT: "a fault in the data path",
    Cause.POLICY: "a security setting's decision",
}


def meaning(flow: DistinctFlow) -> str:
    """Say what a refused record's reason means."""
    name = flow.reason or flow.reason_raw or "an unnamed reason"
    info = REASONS.get(flow.reason or "")
    if info is None and flow.reason_code is not None:
        info = reason_by_code(flow.reason_code)
    what = _CAUSES[flow.cause] if flow.cause is not None else "of unknown cause"
    return f"{name}: {info.meaning}; {what}." if info is not None else f"{name}: {what}."
