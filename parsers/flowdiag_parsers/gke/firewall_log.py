"""Parser of Google Cloud's firewall rules log: refused by the network around the nodes, never by a NetworkPolicy.

Format: Google Cloud's reference of log fields of VPC firewall rules and of firewall policies; in Cloud Logging
``.../logs/compute.googleapis.com%2Ffirewall`` (the envelope is peeled before, or its payload read here).  Only rules with logging
enabled write it, and of TCP and UDP alone.  A record says one connection of one machine, whose name is the node's on GKE.
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
    Frame,
    ParseContext,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    frame,
    instant_of,
    integer_of,
    json_lines,
    object_of,
    port_number,
    protocol_name,
    seek,
    text_of,
)

__all__ = ["GcpFirewall"]

# one record, Cloud Logging 2024: {"connection":{"src_ip":"10.84.0.11","src_port":45084,"dest_ip":"203.0.113.7","dest_port":443,
#  "protocol":6},"disposition":"DENIED","rule_details":{"reference":"network:shop/firewall:deny-egress",...},"instance":{...},...}
_SNIFF = re.compile(rb'"disposition"\s{0,4}:\s{0,4}"(?:ALLOWED|DENIED|INTERCEPTED)"')
_VERDICTS = {
    "ALLOWED": Verdict.ALLOWED,
    "DENIED": Verdict.DENIED,
    # To a firewall endpoint that looks inside: let through so far.
    "INTERCEPTED": Verdict.REDIRECTED,
}
_DIRECTIONS = {"INGRESS": Direction.INGRESS, "EGRESS": Direction.EGRESS}


class GcpFirewall:
    """Connections that a rule of a Google Cloud network allowed or denied."""

    name: ClassVar[str] = "gcp-firewall"
    summary: ClassVar[str] = "Google Cloud firewall rules log (the network's firewall, not a NetworkPolicy)"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """A disposition in capitals beside the rule's details."""
        return 0.95 if b'"rule_details' in head and seek(_SNIFF, head, b'"disposition"') is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The word of the disposition, in any spacing."""
        del head
        return (b'"DENIED"',)

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per record."""
        for line in json_lines(block, context, b'"disposition"'):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, text = line
            entry = object_of(record, "jsonPayload") or record
            rule = object_of(entry, "rule_details")
            if "disposition" not in entry or not rule:
                continue
            node = text_of(object_of(entry, "instance"), "vm_name")
            at = instant_of(text_of(record, "timestamp"))
            yield _flow(entry, rule, frame(around, context, text, at, node=node))


def _flow(entry: dict[str, Any], rule: dict[str, Any], shared: Frame) -> Event:
    connection = object_of(entry, "connection")
    src, dst = text_of(connection, "src_ip"), text_of(connection, "dest_ip")
    if src is None or dst is None:
        return ParseWarning(
            **shared, code="malformed-flow", message="addresses of the connection are missing"
        )
    word = text_of(entry, "disposition")
    verdict = _VERDICTS.get(word or "", Verdict.UNKNOWN)
    denied = verdict is Verdict.DENIED
    number = integer_of(connection, "protocol")
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(src), port=port_number(integer_of(connection, "src_port"))),
        dst=Peer(ip=canonical_ip(dst), port=port_number(integer_of(connection, "dest_port"))),
        protocol=protocol_name(str(number)) if number is not None else None,
        direction=_DIRECTIONS.get(text_of(rule, "direction") or ""),
        verdict=verdict,
        verdict_raw=word,
        cause=Cause.CONFIGURATION if denied else None,
        reason="cloud-firewall-rule" if denied else None,
        reason_raw=text_of(rule, "reference") if denied else None,
    )
