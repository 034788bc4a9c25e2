"""What a node's agent said around a refusal, in a sentence."""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.model.time import rfc3339_seconds

__all__ = ["heard"]

_SHOWN = 160


def heard(case: Case, *codes: str, before_s: int = 600, after_s: int = 60) -> str:
    """The message with one of these signals that came nearest before the first denial, or first after it.

    Only messages of the node that recorded the refusals count: another agent's trouble is its own.

    Args:
        case: the refusal.
        codes: signals that bear on it.
        before_s: how long before the first denial a message still matters.
        after_s: how long after the last one.

    Returns:
        A sentence with a blank before it; empty where nothing was said.
    """
    node, first = case.flow.distinct.node, case.flow.first
    if node is None or first is None:
        return ""
    found = [
        signal
        for code in codes
        for signal in case.context.signals_near(
            code, node, first, case.flow.last, before_s=before_s, after_s=after_s
        )
        if signal.node is not None
    ]
    if not found:
        return ""
    nearest = min(found, key=lambda one: (one.at > first, abs(one.at - first), one.signal, one.text))
    text = nearest.text if len(nearest.text) <= _SHOWN else f"{nearest.text[: _SHOWN - 1]}…"
    return f" The agent said at {rfc3339_seconds(nearest.at)[11:19]} UTC: {text.rstrip('.')}."
