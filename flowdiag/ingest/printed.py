"""What kubectl prints for people: words and tables that leave out what objects hold.

People keep `kubectl describe networkpolicy` beside the flows.  No parser reads it, and what to bring instead is said.
"""

from __future__ import annotations

import re

__all__ = ["printed_by_kubectl"]

# kubectl describe networkpolicy, v1.31: "Name:         default-deny", and below it "Namespace:    frontend"
_DESCRIBED = re.compile(rb"\s*Name: +\S+\r?\n(?:[^\n]*\n){0,4}?(?:Namespace|Labels|Created on|Priority): ")
# kubectl get networkpolicies -A, v1.31: "NAMESPACE   NAME           POD-SELECTOR   AGE"
_LISTED = re.compile(rb"\s*(?:NAMESPACE +)?NAME +(?:[A-Z][A-Z()-]* +)*AGE\b")


def printed_by_kubectl(head: bytes) -> str | None:
    """Say what to bring in place of a text that kubectl printed for people; ``None`` for anything else."""
    if _DESCRIBED.match(head):
        return "the words of kubectl describe, which leave out parts of objects"
    if _LISTED.match(head):
        return "a table of kubectl get, which leaves out most of the objects"
    return None
