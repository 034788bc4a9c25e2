"""Names that rules allow to an endpoint (Cilium's toFQDNs, GKE's FQDNNetworkPolicy), and whether its lookups are seen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flowdiag.diagnose.caching import cached_per_run
from flowdiag.diagnose.case import Case
from flowdiag.diagnose.context import Context
from flowdiag.diagnose.host_selectors import cilium_selects
from flowdiag.diagnose.some_pod import some_pod
from flowdiag.diagnose.spec import policy_at
from flowdiag.diagnose.written_ports import admits_port
from flowdiag.model.policy import NearestRule, PolicyRef
from flowdiag.policy.compile.cilium_names import NamePattern, read_name
from flowdiag.policy.compile.context import PolicyError
from flowdiag.policy.compile.gke import read_match
from flowdiag.policy.names_controller import FQDN_POLICY

__all__ = ["allowed_names", "dns_rules", "has_dns_rule"]


def _egress_rules(case: Case) -> Iterator[tuple[NearestRule, dict[str, Any]]]:
    """Yield the egress rules of the policies that matter here and have a rule that goes by names.

    Of Cilium's, also those that open alone (``enableDefaultDeny: {egress: false}``).
    """
    asked = case.context.egress_by_name
    known = dict.fromkeys(ref for ref in (*case.isolating, *case.involved) if ref in asked)
    for ref in (
        *known,
        *(ref for ref in _open_alone(case.context) if ref not in known and _opens(case, ref)),
    ):
        policy = policy_at(case, ref)
        rules = policy.spec.get("egress") if policy is not None else None
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict):
                yield NearestRule(policy=ref, rule=f"egress[{index}]", misses=()), rule


@cached_per_run
def _open_alone(context: Context) -> tuple[PolicyRef, ...]:
    """Those that close no egress (``enableDefaultDeny``): they isolate nobody, and their rules count all the same."""
    found = {
        policy.ref
        for policy in context.snapshot.policies
        if policy.ref in context.egress_by_name
        and isinstance(mode := policy.spec.get("enableDefaultDeny"), dict)
        and mode.get("egress") is False
    }
    return tuple(sorted(found))


def _opens(case: Case, ref: PolicyRef) -> bool:
    """Whether a policy of Cilium's selects the source, or may."""
    policy, source = policy_at(case, ref), case.flow.src
    if policy is None or ref.namespace not in (None, source.namespace):
        return False
    pod = some_pod(case.context, source)
    return pod is None or cilium_selects(case, policy.spec.get("endpointSelector"), ref.namespace, pod)


def allowed_names(case: Case) -> Iterator[tuple[PolicyRef, tuple[NamePattern, ...]]]:
    """Names and patterns of every rule by names of the policies that matter to the refusing end.

    A rule for other ports or protocols than the refused ones is left out: knowing the name would not help.
    """
    for place, rule in _egress_rules(case):
        of_gke = (place.policy.group, place.policy.kind) == FQDN_POLICY
        entries, read = (rule.get("matches"), read_match) if of_gke else (rule.get("toFQDNs"), read_name)
        names = []
        for entry in entries if isinstance(entries, list) else ():
            with suppress(PolicyError):
                names.append(read(entry, place.rule))
        if names and admits_port(case, place):
            yield place.policy, tuple(names)


def has_dns_rule(case: Case) -> bool:
    """Whether one of those policies sends lookups through the DNS proxy (``rules.dns``)."""
    return any(True for _ in dns_rules(case))


def dns_rules(case: Case) -> Iterator[dict[str, Any]]:
    """Egress rules of those policies that send lookups through the DNS proxy, as they are written."""
    for _, rule in _egress_rules(case):
        groups = rule.get("toPorts")
        for group in groups if isinstance(groups, list) else ():
            rules = group.get("rules") if isinstance(group, dict) else None
            if isinstance(rules, dict) and rules.get("dns"):
                yield rule
                break
