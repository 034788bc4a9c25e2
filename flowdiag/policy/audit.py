"""Cilium's policy audit mode: what policies refuse is recorded as AUDIT, and passes.

The agent-wide setting ``policy-audit-mode`` (ConfigMap cilium-config; Cilium 1.8 and later) covers L3 and L4
only; requests that an L7 rule refuses are refused all the same.  An endpoint can be set alone
(``PolicyAuditMode``), which no object of the cluster shows.
"""

from __future__ import annotations

from msgspec.structs import replace

from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import ConnectionDecision, Dialect, EndDecision

__all__ = ["AS_ENFORCED", "LET_THROUGH", "audits_only", "let_through"]

_NOTE = "the agents run with policy-audit-mode: the policies refuse it, and it is let through"
LET_THROUGH = "the agents run with policy-audit-mode: what policies refuse is recorded, and let through"
"""For answers about packets."""
AS_ENFORCED = f"{LET_THROUGH}; this answer is what the policies say, as if they were enforced"
"""For answers about the policies themselves."""


def audits_only(snapshot: Snapshot, dialect: Dialect) -> bool:
    """Whether the agents refuse nothing on L3 and L4."""
    setting = snapshot.config.get("cilium.policy-audit-mode", "")
    return dialect is Dialect.CILIUM and setting.lower() == "true"


def let_through(decision: ConnectionDecision) -> ConnectionDecision:
    """Give the decision where policies are only audited: the connection passes, and what the policies say stays in its notes.

    It passes, too, where it is not known what the policies say.
    """
    egress, ingress = _passed(decision.egress), _passed(decision.ingress)
    return replace(decision, allowed=True, egress=egress, ingress=ingress)


def _passed(end: EndDecision | None) -> EndDecision | None:
    if end is None or end.allowed is True:
        return end
    if end.allowed is None:
        return replace(end, allowed=True, unknown=())
    return replace(end, allowed=True, notes=(*end.notes, _NOTE))
