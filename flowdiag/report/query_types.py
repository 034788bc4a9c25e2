"""What ``explain``, ``verify`` and ``whatif`` answer as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from flowdiag.model.policy import ConnectionDecision, EndDecision, Miss, PolicyRef

__all__ = [
    "ConnectionChange",
    "DecidedByView",
    "EndResult",
    "ExplainResult",
    "FlowChange",
    "FlowChanges",
    "NearestView",
    "Observed",
    "QueryResult",
    "VerifyResult",
    "WhatifResult",
    "end_result",
    "explain_result",
    "query_result",
    "verify_result",
]


class DecidedByView(Struct, frozen=True, kw_only=True):
    """The rule that decided: a policy ref, the rule's path and its action."""

    kind: str
    group: str
    namespace: str | None
    name: str
    rule: str
    action: str


class NearestView(Struct, frozen=True, kw_only=True):
    """A rule that came near to allowing it: a policy ref, the rule's path and what it missed."""

    kind: str
    group: str
    namespace: str | None
    name: str
    rule: str
    misses: tuple[Miss, ...]


class EndResult(Struct, frozen=True, kw_only=True):
    """What the policies on one end say; `allowed` is ``None`` where they cannot be evaluated."""

    allowed: bool | None
    isolated_by: tuple[PolicyRef, ...]
    decided_by: DecidedByView | None
    nearest: tuple[NearestView, ...]


class QueryResult(Struct, frozen=True, kw_only=True):
    """The answer to one query of a file; `index` counts from 0, ends and port are as asked."""

    index: int
    src: str
    dst: str
    protocol: str | None
    port: int | str | None
    expected: bool | None
    allowed: bool | None
    passed: bool
    egress: EndResult | None
    ingress: EndResult | None
    error: str | None


class VerifyResult(Struct, frozen=True, kw_only=True):
    """``flowdiag verify -o json``."""

    schema: Literal["flowdiag.verify/1"] = "flowdiag.verify/1"
    total: int
    passed: int
    failed: int
    results: tuple[QueryResult, ...]


class Observed(Struct, frozen=True, kw_only=True):
    """What the evidence shows between the two ends, counted as the report counts.

    `allowed` is ``None`` where allowed traffic was not read.
    """

    denied: int
    denied_first: str | None
    denied_last: str | None
    allowed: int | None
    allowed_first: str | None
    allowed_last: str | None
    audited: int
    text: str
    """In a sentence: ``allowed 4,012 times until 12:01:05, refused 38 times since 12:01:07 (UTC)``."""
    unnamed: int = 0
    """Records between the workloads of two pods that do not say which of their pods they are of."""
    requests: int = 0
    """Of `denied`, requests that a proxy refused inside connections that pass."""
    mended: str | None = None
    """What allows it and was made after the last refusal: ``NetworkPolicy a/b was created at ...``."""
    logged: int = 0
    """Packets that a Log rule noted, and of which nothing tells what became of them."""
    on_the_way: int = 0
    """Records of firewalls of the network that let it by, before policies at the destination; not in `allowed`."""


class ExplainResult(Struct, frozen=True, kw_only=True):
    """``flowdiag explain -o json``: a query's result, and what was really seen.

    `expected` and `passed` are ``None``: nothing was expected.
    """

    schema: Literal["flowdiag.explain/1"] = "flowdiag.explain/1"
    index: int = 0
    src: str
    dst: str
    protocol: str | None
    port: int | str | None
    expected: bool | None = None
    allowed: bool | None
    passed: bool | None = None
    egress: EndResult | None
    ingress: EndResult | None
    error: str | None
    observed: Observed | None


class ConnectionChange(Struct, frozen=True, kw_only=True):
    """A pair whose allowed ports differ: sorted, merged ranges by protocol, ``1-65535`` is all."""

    src: str
    dst: str
    change: Literal["added", "removed", "changed"]
    old: dict[str, tuple[str, ...]]
    new: dict[str, tuple[str, ...]]


class UnknownChange(Struct, frozen=True, kw_only=True):
    """A pair of whose ports other ones cannot be decided after a change: those of each side, as ranges."""

    src: str
    dst: str
    old: dict[str, tuple[str, ...]]
    new: dict[str, tuple[str, ...]]


class FlowChange(Struct, frozen=True, kw_only=True):
    """An observed connection that a change would decide otherwise."""

    src: str
    dst: str
    protocol: str | None
    port: int | None
    count: int
    first: str | None
    last: str | None
    decided_by: DecidedByView | None


class FlowChanges(Struct, frozen=True, kw_only=True):
    """Observed connections under both sets of policies; `unchanged` and `unknown` count connections."""

    newly_denied: tuple[FlowChange, ...]
    newly_allowed: tuple[FlowChange, ...]
    unchanged: int
    unknown: int


class WhatifResult(Struct, frozen=True, kw_only=True):
    """``flowdiag whatif -o json``; `flows` is ``None`` where no evidence was given."""

    schema: Literal["flowdiag.whatif/1"] = "flowdiag.whatif/1"
    connections: tuple[ConnectionChange, ...]
    connections_v6: tuple[ConnectionChange, ...] = ()
    unknown: tuple[UnknownChange, ...] = ()
    """Pairs, of both address families, that hold ports which become unknown or cease to be."""
    unread: str | None = None
    """Why nothing is known of what pods may do, before or after: policies that could not be read."""
    flows: FlowChanges | None


def end_result(decision: EndDecision | None) -> EndResult | None:
    """An evaluation's end in the contract's flat form."""
    if decision is None:
        return None
    by = decision.decided_by
    return EndResult(
        allowed=decision.allowed,
        isolated_by=decision.isolated_by,
        decided_by=None
        if by is None
        else DecidedByView(
            kind=by.policy.kind,
            group=by.policy.group,
            namespace=by.policy.namespace,
            name=by.policy.name,
            rule=by.rule,
            action=by.action,
        ),
        nearest=tuple(
            NearestView(
                kind=near.policy.kind,
                group=near.policy.group,
                namespace=near.policy.namespace,
                name=near.policy.name,
                rule=near.rule,
                misses=near.misses,
            )
            for near in decision.nearest
        ),
    )


def query_result(
    index: int,
    src: str,
    dst: str,
    protocol: str | None,
    port: int | str | None,
    *,
    expected: bool | None,
    allowed: bool | None,
    egress: EndDecision | None,
    ingress: EndDecision | None,
    error: str | None,
) -> QueryResult:
    """The answer to one query; it passes where something was expected, it came so, and nothing erred."""
    return QueryResult(
        index=index,
        src=src,
        dst=dst,
        protocol=protocol,
        port=port,
        expected=expected,
        allowed=allowed,
        passed=expected is not None and allowed is expected and error is None,
        egress=end_result(egress),
        ingress=end_result(ingress),
        error=error,
    )


def verify_result(results: Iterable[QueryResult]) -> VerifyResult:
    """All answers in the order of the queries, with their sums."""
    every = tuple(results)
    passed = sum(result.passed for result in every)
    return VerifyResult(total=len(every), passed=passed, failed=len(every) - passed, results=every)


def explain_result(
    src: str,
    dst: str,
    protocol: str | None,
    port: int | str | None,
    decision: ConnectionDecision,
    *,
    error: str | None = None,
    observed: Observed | None = None,
) -> ExplainResult:
    """One connection's decision with what was observed."""
    return ExplainResult(
        src=src,
        dst=dst,
        protocol=protocol,
        port=port,
        allowed=decision.allowed,
        egress=end_result(decision.egress),
        ingress=end_result(decision.ingress),
        error=error,
        observed=observed,
    )
