"""Policies of Cilium's that close nothing and have L7 rules, which older proxies held against everybody.

Source: cilium#38676 and #38841: ``enableDefaultDeny: false`` concerned addresses and ports alone; a proxy that a rule sent
traffic to refused the requests of whomever no L7 rule named, until Cilium 1.18 gave it a rule for everybody else.
"""

from __future__ import annotations

from flowdiag.diagnose.case import Case
from flowdiag.diagnose.host_selectors import cilium_selects
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.spec import objects
from flowdiag.diagnose.written_ports import admits_port
from flowdiag.model.policy import NearestRule, PolicyRef

__all__ = ["sent_to_the_proxy"]

_GROUP = "cilium.io"


def sent_to_the_proxy(case: Case) -> tuple[PolicyRef, ...]:
    """The policies that may have sent a refused request to the proxy, where no policy closes the refusing end."""
    end, direction = case.end, case.direction
    pod = some_pod(case.context, case.enforcer)
    if end is None or direction is None or pod is None or end.allowed is not True or end.isolated_by:
        return ()
    return tuple(
        policy.ref
        for policy in case.context.snapshot.policies
        if policy.ref.group == _GROUP
        and policy.valid_until is None
        and policy.ref.namespace in (None, pod.namespace)
        and _closes_nothing(policy.spec.get("enableDefaultDeny"), direction.value)
        and cilium_selects(case, policy.spec.get("endpointSelector"), policy.ref.namespace, pod)
        and _has_l7(case, policy.ref, policy.spec.get(direction.value), direction.value)
    )


def _closes_nothing(mode: object, direction: str) -> bool:
    return isinstance(mode, dict) and mode.get(direction) is False


def _has_l7(case: Case, ref: PolicyRef, rules: object, section: str) -> bool:
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict) or not any(
            group.get("rules") for group in objects(rule.get("toPorts"))
        ):
            continue
        if admits_port(case, NearestRule(policy=ref, rule=f"{section}[{index}]", misses=())):
            return True
    return False
