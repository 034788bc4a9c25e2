"""Selectors and service accounts as Calico's policies write them."""

from __future__ import annotations

from typing import Any

from flowdiag.policy.calico_labels import ACCOUNT_LABEL, ACCOUNT_PREFIX, NAMESPACE_LABEL
from flowdiag.policy.calico_matchers import Part, Scope, with_all_as
from flowdiag.policy.calico_selector import CalicoSelector, Node, SelectorSyntaxError, parse_selector
from flowdiag.policy.compile.context import CompileContext, PolicyError, entries

__all__ = ["account_part", "host_selection", "read_calico_selector"]


def read_calico_selector(raw: Any, path: str) -> CalicoSelector:
    """Parse a selector field; missing and empty are ``all()``.

    Raises:
        PolicyError: Calico would refuse it.
    """
    if raw is None:
        return parse_selector("")
    if not isinstance(raw, str):
        raise PolicyError(f"{path} is not text")
    try:
        return parse_selector(raw)
    except SelectorSyntaxError as error:
        raise PolicyError(f"{path}: {error}") from None


def account_part(raw: Any, path: str, context: CompileContext) -> list[Part]:
    """A serviceAccounts field (``names`` and ``selector``), or a serviceAccountSelector's text.

    Raises:
        PolicyError: it cannot be read.
    """
    if raw is None:
        return []
    known = context.calico is not None and context.calico.accounts_known
    names: tuple[str, ...] = ()
    text = raw
    if isinstance(raw, dict):
        names = tuple(str(each) for each in entries(raw.get("names"), f"{path}.names"))
        text = raw.get("selector")
    parts = []
    if names:
        parts.append(Part(CalicoSelector(Node("in", "projectcalico.org/serviceaccount", names)), known))
    selector = read_calico_selector(text, path)
    if not selector.everything:
        parts.append(Part(CalicoSelector(_prefixed(selector.root)), known))
    return parts


def host_selection(spec: dict[str, Any]) -> tuple[Scope, tuple[Part, ...]]:
    """What a GlobalNetworkPolicy asks of a host endpoint (``globalnetworkpolicyprocessor.go``).

    It has no label of a namespace or of a service account, so that a selector of these which asks for the absence of a
    label (``!=``, ``not in``, ``!has``) selects it; ``all()`` means, beside one, what has a namespace, or an account.

    Raises:
        PolicyError: a selector cannot be read.
    """
    raw, spaces = spec.get("selector"), spec.get("namespaceSelector")
    accounts = spec.get("serviceAccountSelector")
    root = read_calico_selector(raw, "spec.selector").root
    scope = Scope()
    if spaces:
        scope = Scope.of(read_calico_selector(spaces, "spec.namespaceSelector"))
    # An empty one is no text in which anything would be put in the place of all().
    if raw and (spaces or accounts):
        root = with_all_as(root, NAMESPACE_LABEL)
    parts = [Part(CalicoSelector(root))]
    if accounts:
        own = read_calico_selector(accounts, "spec.serviceAccountSelector").root
        parts.append(Part(CalicoSelector(with_all_as(_prefixed(own), ACCOUNT_LABEL))))
    return scope, tuple(parts)


def _prefixed(node: Node) -> Node:
    """A selector over a service account's own labels, over the labels that its pods inherit."""
    return Node(
        node.kind,
        ACCOUNT_PREFIX + node.key if node.key else "",
        node.values,
        tuple(_prefixed(part) for part in node.parts),
    )
