"""Parser of GKE Dataplane V2's network policy log.

Format: ``pkg/gke/policylogger`` of Google's Cilium fork; on the node ``/var/log/network/policy_action.log``, in Cloud
Logging ``.../logs/policy-action`` (the envelope is peeled before, or its payload read here if it was flattened).
An allow names its policies, a deny never does.  Denies are aggregated: `count` connections since the stamp.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    WorkloadRef,
    canonical_ip,
    frame,
    instant_of,
    integer_of,
    json_lines,
    object_of,
    port_number,
    protocol_name,
    text_of,
)

__all__ = ["GkePolicyAction"]

# {"connection":{"src_ip":"10.84.1.8","dest_ip":"10.84.0.11","src_port":45084,"dest_port":8080,"protocol":"tcp",
#  "direction":"ingress"},"disposition":"deny","src":{...},"dest":{...},"count":1,"timestamp":"2020-06-13T21:30:22.292379064Z"}
_SNIFF = re.compile(rb'"disposition"\s{0,4}:\s{0,4}"(?:allow|deny)"')
_VERDICTS = {"allow": Verdict.ALLOWED, "deny": Verdict.DENIED}
_DIRECTIONS = {"ingress": Direction.INGRESS, "egress": Direction.EGRESS}
_GROUPS = {
    "NetworkPolicy": "networking.k8s.io",
    "CiliumNetworkPolicy": "cilium.io",
    "CiliumClusterwideNetworkPolicy": "cilium.io",
    "FQDNNetworkPolicy": "networking.gke.io",
}
_MAX_POLICIES = 32


class GkePolicyAction:
    """Connections that GKE Dataplane V2 allowed or denied, one JSON object a line."""

    name: ClassVar[str] = "gke-policy-action"
    summary: ClassVar[str] = "GKE Dataplane V2 policy action log (node file or Cloud Logging)"
    cni: ClassVar[str | None] = "gke-dataplane-v2"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """`disposition` beside `connection` is a mark."""
        return 0.95 if _SNIFF.search(head) is not None and b'"connection' in head else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The word of the disposition, in any spacing."""
        del head
        return (b'"deny"',)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per line."""
        for line in json_lines(block, context, b'"disposition"'):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            payload = object_of(record, "jsonPayload")
            entry = payload or record
            if "disposition" not in entry:
                continue
            labels = object_of(object_of(record, "resource"), "labels")
            at = instant_of(text_of(entry, "timestamp") or text_of(record, "timestamp"))
            node = text_of(entry, "node_name") or text_of(labels, "node_name")
            yield _flow(entry, frame(around, context, text, at, node=node))


def _flow(entry: dict[str, Any], shared: Any) -> Event:
    connection = object_of(entry, "connection")
    src_ip, dst_ip = text_of(connection, "src_ip"), text_of(connection, "dest_ip")
    word = text_of(entry, "disposition") or ""
    if src_ip is None or dst_ip is None:
        return ParseWarning(
            **shared, code="malformed-flow", message="addresses of the connection are missing"
        )
    verdict = _VERDICTS.get(word, Verdict.UNKNOWN)
    protocol = protocol_name(text_of(connection, "protocol") or "")
    icmp = protocol in ("ICMP", "ICMPv6")
    policies = entry.get("policies")
    count = integer_of(entry, "count")
    return FlowEvent(
        **shared,
        src=_end(entry, "src", src_ip, None if icmp else integer_of(connection, "src_port")),
        dst=_end(entry, "dest", dst_ip, None if icmp else integer_of(connection, "dest_port")),
        protocol=protocol,
        direction=_DIRECTIONS.get((text_of(connection, "direction") or "").lower()),
        verdict=verdict,
        verdict_raw=word or None,
        cause=Cause.POLICY if verdict is Verdict.DENIED else None,
        reason="policy-denied" if verdict is Verdict.DENIED else None,
        policies=tuple(_hits(policies)) if isinstance(policies, list) else (),
        count=count if count is not None and count > 0 else 1,
    )


def _end(entry: dict[str, Any], side: str, ip: str, port: int | None) -> Peer:
    """An end is a pod, a node (``workload_kind`` Node) or an outside ``instance``; exports may flatten it."""
    said = object_of(entry, side)
    if not said:
        prefix = f"{side}_"
        said = {key.removeprefix(prefix): value for key, value in entry.items() if key.startswith(prefix)}
    kind, workload = text_of(said, "workload_kind"), text_of(said, "workload_name")
    pod = text_of(said, "pod_name")
    return Peer(
        ip=canonical_ip(ip),
        port=port_number(port),
        namespace=text_of(said, "pod_namespace", "namespace") if pod or workload else None,
        pod=pod,
        node=text_of(said, "node_name") if kind == "Node" else None,
        workload=WorkloadRef(kind, workload) if workload else None,
    )


def _hits(policies: list[Any]) -> Iterator[PolicyHit]:
    for policy in policies[:_MAX_POLICIES]:
        if isinstance(policy, dict):
            kind = text_of(policy, "kind")
            yield PolicyHit(
                kind=kind,
                group=_GROUPS.get(kind or ""),
                namespace=text_of(policy, "namespace"),
                name=text_of(policy, "name"),
                effect="allow",
            )
