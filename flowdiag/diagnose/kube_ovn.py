"""What Kube-OVN makes of a rule's exceptions, where the API means something else.

Source: kubeovn/kube-ovn ``pkg/ovs``, 2022 to 2026 (rancher/k3k#690, kubeovn/kube-ovn#4349): the addresses of all of
a rule's peers are one set, the exceptions of its ipBlocks another, and what the rule allows is in the first and not in the second.
"""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.wording import end_text, rule_text
from flowdiag.diagnose.written_ranges import ip_blocks

__all__ = ["excepted_for_all"]

_DROPS = "np/"
"""How the names of its ACLs for NetworkPolicies begin."""


def excepted_for_all(case: Case) -> str | None:
    """Say what to change where one peer's exception holds the address that another peer of the rule allows."""
    decided = case.end.decided_by if case.end is not None else None
    if decided is None or not (case.flow.distinct.reason_raw or "").startswith(_DROPS):
        return None
    rule = decided.place
    for block in ip_blocks(case, rule):
        exception = block.excepting(case.peer.ip)
        if exception is not None:
            return (
                f"Kube-OVN takes the exception {exception} of {block.cidr} out of all that {rule_text(rule)} allows, and "
                f"so {end_text(case.peer)}: give this ipBlock an item of {case.direction} of its own."
            )
    return None
