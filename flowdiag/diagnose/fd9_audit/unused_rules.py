"""FD903."""

from __future__ import annotations

from flowdiag.diagnose.check import Check
from flowdiag.model.report import Severity

__all__ = ["UnusedRules"]


class UnusedRules(Check):
    """Allow rules of a policy that no observed connection used: access that may no longer be needed.

    Signature:
        Asked for with --unused-rules.  No allowed flow of the window passed by the rule, and each live pod
        that the policy selects has recorded connections in the rule's direction.

    Advice:
        Look at a window that holds the rare jobs too (a month's end, a restore), ask the owner, then try
        the removal with flowdiag whatif on the recorded traffic.

    Guard:
        Silent where a pod of the policy was not seen at all or its node recorded nothing, where the policy
        came or changed within the window, and where something observed may have used the rule.

    References:
        https://kubernetes.io/docs/concepts/services-networking/network-policies/
    """

    code = "FD903"
    slug = "unused-allow-rules"
    severity = Severity.INFO
