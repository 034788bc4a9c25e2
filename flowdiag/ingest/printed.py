"""What kubectl and gcloud print for people: words and tables that leave out what objects hold, records in YAML.

People keep `kubectl describe networkpolicy` beside the flows.  No parser reads it, and what to bring instead is said.
"""

from __future__ import annotations

import re

__all__ = ["printed_by_kubectl", "stands_for_objects"]

_WHOLE = "kubectl get KIND -A -o yaml"
_WORDS = f"the words of kubectl describe, which leave out parts of objects: bring {_WHOLE} instead"
_TABLE = f"a table of kubectl get, which leaves out most of the objects: bring {_WHOLE} instead"
_OF_CALICOCTL = "a table of calicoctl get, which leaves out most of the objects: bring calicoctl get KIND -A -o yaml instead"
# kubectl describe networkpolicy, v1.31: "Name:         default-deny", and below it "Namespace:    frontend"
_DESCRIBED = re.compile(rb"\s*Name: +\S+\r?\n(?:[^\n]*\n){0,4}?(?:Namespace|Labels|Created on|Priority): ")
# kubectl get networkpolicies -A, v1.31: "NAMESPACE   NAME           POD-SELECTOR   AGE"
_LISTED = re.compile(rb"\s*(?:NAMESPACE +)?NAME +(?:[A-Z][A-Z()-]* +)*AGE\b")
# kubectl get ciliumendpoints, 1.15: "NAMESPACE   NAME   SECURITY IDENTITY   ENDPOINT STATE   IPV4   IPV6"
# antctl get networkpolicy, v1.2 on: "NAME   APPLIED-TO   RULES   SOURCE"
_OTHERS = re.compile(
    rb"\s*(?:NAMESPACE +)?NAME +(?:(?:ENDPOINT ID +)?(?:SECURITY IDENTITY|IDENTITY ID)\b|APPLIED-TO +RULES +SOURCE\b)"
)
# calicoctl get, v3.20: "NAMESPACE   NAME   ORDER   SELECTOR", "NAME   ORDER   SELECTOR", "NAMESPACE   WORKLOAD   NODE   NETWORKS   INTERFACE"
_CALICOCTL = re.compile(
    rb"\s*(?:NAMESPACE +)?(?:NAME +(?:TIER +)?ORDER\b|WORKLOAD +NODE +NETWORKS +INTERFACE\b)"
)
# kubectl get events -A, v1.31: "NAMESPACE   LAST SEEN   TYPE      REASON      OBJECT      MESSAGE"
_EVENTS = re.compile(rb"\s*(?:NAMESPACE +)?LAST SEEN +(?:[A-Z]+ +)*REASON\b")
# gcloud logging read without --format, SDK 500: "---", "insertId: 1x", "jsonPayload:", "logName: projects/p/logs/policy-action"
_GCLOUD = re.compile(rb"\s*(?:---\s+)?(?:httpRequest|insertId|jsonPayload|labels|logName|protoPayload):\s")


def printed_by_kubectl(head: bytes) -> str | None:
    """Say what a text is that kubectl printed for people, and what to bring in its place; ``None`` for anything else."""
    if _DESCRIBED.match(head):
        return _WORDS
    if _GCLOUD.match(head) and b"\nlogName: " in b"\n" + head:
        return "log entries in gcloud's YAML: bring them as JSON, with gcloud logging read ... --format=json"
    if _EVENTS.match(head):
        return "a table of Events, whose ages count from an unknown moment: bring kubectl get events -A -o yaml instead"
    if _LISTED.match(head) or _OTHERS.match(head):
        return _TABLE
    if _CALICOCTL.match(head):
        return _OF_CALICOCTL
    return None


def stands_for_objects(said: str) -> bool:
    """Whether that is what `printed_by_kubectl` says of objects, which somebody brought in a form that cannot be read."""
    return said in (_WORDS, _TABLE, _OF_CALICOCTL)
