"""What a node's agent said around a refusal: the messages, and a sentence that quotes the nearest."""

from __future__ import annotations

from msgspec import Struct

from flowdiag.diagnose.case import Case
from flowdiag.model.finding import Said
from flowdiag.model.time import moment_text
from flowdiag.model.words import AGENT_SAID

__all__ = ["AgentMessages", "agent_messages"]

_SHOWN = 160


class AgentMessages(Struct, frozen=True):
    """Messages that bear on a refusal; nothing was heard where `said` is empty."""

    text: str = ""
    """A sentence with a blank before it, of the message nearest before the first denial, or first after it."""
    said: tuple[Said, ...] = ()
    """All of them, in time order."""


def agent_messages(case: Case, *codes: str, before_s: int = 600, after_s: int = 60) -> AgentMessages:
    """The messages with one of these signals around a refusal.

    Only messages of the node that recorded the refusals count, or where no record names one, of that on which the pod
    runs that refused them: another agent's trouble is its own.

    Args:
        case: the refusal.
        codes: signals that bear on it.
        before_s: how long before the first denial a message still matters.
        after_s: how long after the last one.
    """
    node, first = case.flow.distinct.node, case.flow.first
    if node is None and case.flow.direction is not None and case.enforcer.pod is not None:
        node = case.enforcer.pod.node
    if node is None or first is None:
        return AgentMessages()
    found = [
        signal
        for code in codes
        for signal in case.context.signals_near(
            code, node, first, case.flow.last, before_s=before_s, after_s=after_s
        )
        if signal.node is not None
    ]
    if not found:
        return AgentMessages()
    nearest = min(found, key=lambda one: (one.at > first, abs(one.at - first), one.signal, one.text))
    text = nearest.text if len(nearest.text) <= _SHOWN else f"{nearest.text[: _SHOWN - 1]}…"
    return AgentMessages(
        text=f"{AGENT_SAID}{moment_text(nearest.at)}: {text.rstrip('.')}.",
        said=tuple(Said(one.at, one.text) for one in sorted(found, key=lambda one: (one.at, one.text))),
    )
