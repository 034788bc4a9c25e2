"""Rules: a place in a policy stays, a name that somebody gave goes, and either may be a number."""

from __future__ import annotations

import re
from typing import Any

from flowdiag.model.report import Report

__all__ = ["is_index", "only_calico"]

# egress[0].to[1], ingressDeny[2], specs[0].ingress[1], preDNAT.ingress[0], end-of-tier, default-deny: a place in a policy
_STEP = (
    r"(?:(?:in|e)gress(?:Deny)?|specs|from[A-Za-z]*|to[A-Za-z]*|preDNAT|applyOnForward|doNotTrack|rules|spec)"
)
_PLACE = re.compile(
    rf"{_STEP}(?:\[\d{{1,9}}\])?(?:\.{_STEP}(?:\[\d{{1,9}}\])?){{0,6}}|end-of-tier|default-deny"
)
# Calico's flow logs (v3.30) count a policy's rules: "rule_index": 2
_NUMBER = re.compile(r"-?[0-9]{1,9}")
_UNNAMED = frozenset(
    {"networking.k8s.io", "projectcalico.org", "crd.projectcalico.org", "cilium.io", "k8s.ovn.org"}
)
"""API groups in which rules have no names, so that a number is an index there.

Rules of Antrea's policies (crd.antrea.io), of admin policies (policy.networking.k8s.io) and of a mesh have names.
"""


def only_calico(report: Report) -> bool:
    """Whether flowdiag's own parsers of Calico read every flow: they give rules no names, whatever the policy."""
    ours = {one.name for one in report.generator.parsers if one.distribution == "flowdiag"}
    readers = {one.parser for one in report.inputs if one.flows}
    return (
        bool(readers)
        and all(name in ours and name.startswith("calico-") for name in readers if name)
        and None not in readers
    )


def is_index(rule: str, policy: dict[str, Any], *, unnamed: bool) -> bool:
    """Whether a rule is called by its place.

    Args:
        rule: as the report has it.
        policy: the fields beside it: ``group`` is the policy's API group; beside ``misses`` flowdiag itself wrote the rule.
        unnamed: no rule of this report can have a name (`only_calico`).
    """
    if _PLACE.fullmatch(rule) is not None or "misses" in policy:
        return True
    return _NUMBER.fullmatch(rule) is not None and (unnamed or policy.get("group") in _UNNAMED)
