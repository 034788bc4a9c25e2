"""A policy's text with the rule that came nearest, and in it the lines that the connection missed."""

from __future__ import annotations

import re
from typing import Any

from flowdiag.model.policy import Condition, Miss
from flowdiag.model.report import NearestRuleView

__all__ = ["marked_lines"]

_MAX_CHARS = 20_000
_MAX_LINES = 400

# Rule paths: egress[0].to[1]; ingress[2]; ingressDeny[0].fromEndpoints[0]
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(\d{1,6})\])?")

_PORTS = (Condition.PORT, Condition.PROTOCOL, Condition.ICMP, Condition.L7)
"""Conditions that stand beside the rule's peers, not in one."""


def marked_lines(manifest: str, rule: NearestRuleView) -> list[tuple[str, str]]:
    """(kind, line): ``missed``, ``near`` for other lines of the rule, else ``same``.

    Args:
        manifest: the policy as YAML text.
        rule: its rule path and what the connection missed.
    """
    text = manifest[:_MAX_CHARS].rstrip("\n")
    lines = text.split("\n")[:_MAX_LINES]
    whole, peer = _spans(text, rule.rule)
    kinds = ["near" if number in whole else "same" for number in range(len(lines))]
    if not whole:
        whole = peer = range(len(lines))
    for miss in rule.misses:
        needle = _needle(miss)
        for number in whole if miss.condition in _PORTS else peer:
            if needle and number < len(lines) and needle.match(lines[number][:500]):
                kinds[number] = "missed"
    return list(zip(kinds, lines, strict=True))


def _needle(miss: Miss) -> re.Pattern[str] | None:
    if miss.condition in (Condition.NAMESPACE, Condition.POD) and "=" in miss.wanted:
        key, _, value = miss.wanted.partition("=")
        # Cilium's selectors carry where a label comes from: "k8s:app: web", "any:app: web".
        return re.compile(
            rf"\s*(?:- )?[\"']?(?:k8s:|any:)?{re.escape(key)}[\"']?:\s*[\"']?{re.escape(value)}[\"']?\s*$"
        )
    if miss.condition in (Condition.PORT, Condition.IP, Condition.PROTOCOL, Condition.ENTITY, Condition.FQDN):
        # "53/TCP" is wanted, "port: 53" is written.
        wanted = miss.wanted.partition("/")[0] if miss.condition is Condition.PORT else miss.wanted
        return re.compile(rf"\s*(?:- )*(?:\w+:\s*)?[\"']?{re.escape(wanted)}[\"']?\s*$")
    return None


def _spans(text: str, path: str) -> tuple[range, range]:
    """Lines of the rule, and of its peer where the path names one; empty where they are not found."""
    import yaml

    from flowdiag.cluster.yamlsafe import YamlError, compose

    nothing = range(0)
    try:
        root = compose(text)
    except YamlError:
        return nothing, nothing
    node = _child(root, "spec")
    rule: Any = None
    for match in _STEP.finditer(path):
        node = _child(node, match[1])
        if node is not None and match[2] is not None:
            items = node.value if isinstance(node, yaml.SequenceNode) else []
            node = items[int(match[2])] if int(match[2]) < len(items) else None
        if node is None:
            break
        rule = rule or node
    if rule is None:
        return nothing, nothing
    return _lines(rule), _lines(node or rule)


def _child(node: Any, key: str) -> Any:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _lines(node: Any) -> range:
    # A block's end mark stands where the next token begins.
    end = node.end_mark.line + (1 if node.end_mark.column > node.start_mark.column else 0)
    return range(node.start_mark.line, max(end, node.start_mark.line + 1))
