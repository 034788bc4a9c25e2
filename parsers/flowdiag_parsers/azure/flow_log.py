"""Parser of Azure's flow logs: what the network around the nodes refused, never a NetworkPolicy.

Format: Azure Network Watcher, "Virtual network flow logs" (version 4) and "NSG flow logs" (versions 1 and 2), blobs ``PT1H.json``
whose ``records`` the envelope lays apart: one object a minute and network interface, with a text of commas for each flow.  A
flow that lasts is written again each five minutes.  What Traffic Analytics makes of them are rows (`analytics_row`).
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
    from_epoch,
    is_ip,
    json_lines,
    object_of,
    port_number,
    protocol_name,
    seek,
    text_of,
)
from flowdiag_parsers.azure.analytics_row import NO_RULE, AnalyticsRow, row_of

__all__ = ["AzureFlowLog"]

# version 4: {"time":"...","flowLogVersion":4,"macAddress":"00224871C205","category":"FlowLogFlowEvent","flowRecords":{"flows":[
#  {"aclID":"...","flowGroups":[{"rule":"DenyWeb","flowTuples":["1767607258065,198.51.100.9,10.0.0.6,55188,22,6,I,D,NX,0,0,0,0"]}]}]}}
# version 2: {"time":"...","category":"NetworkSecurityGroupFlowEvent","properties":{"Version":2,"flows":[{"rule":"UserRule_deny",
#  "flows":[{"mac":"000D3AF8801A","flowTuples":["1767607421,198.51.100.9,10.1.0.4,51529,5358,T,I,D,B,,,,"]}]}]}}
_SNIFF = re.compile(
    rb'"category"\s{0,4}:\s{0,4}"(?:FlowLogFlowEvent|NetworkSecurityGroupFlowEvent)"|"flowTuples"\s{0,4}:\s{0,4}\['
)
# "FlowStatus":"Denied"   "FlowStatus_s":"D"   of Traffic Analytics, beside "SrcIp":"10.0.0.6" or "DestPublicIPs_s":"203.0.113.9|1|..."
_STATUS = re.compile(rb'"FlowStatus(?:_s)?"\s{0,4}:')
_ADDRESSES = re.compile(rb'"(?:Src|Dest)(?:I[pP]|PublicI[pP]s)(?:_s)?"\s{0,4}:')
# time in seconds or milliseconds, source, destination, their ports, protocol, direction, decision or state, and what differs
_TUPLE = re.compile(
    r"(?P<at>\d{10}|\d{13}),(?P<src>[^,]{2,45}),(?P<dst>[^,]{2,45}),(?P<sport>\d{0,5}),(?P<dport>\d{0,5}),"
    r"(?P<protocol>[A-Z]|\d{1,3}),(?P<way>[IO]),(?P<state>[ABCDE])(?:,.{0,200})?"
)
_PROTOCOLS = {"T": "TCP", "U": "UDP"}
_WAYS = {"I": Direction.INGRESS, "O": Direction.EGRESS}
_MILLISECONDS = 13


def _is_row(head: bytes) -> bool:
    return _STATUS.search(head) is not None and _ADDRESSES.search(head) is not None


class AzureFlowLog:
    """Flows at network interfaces of a virtual network."""

    name: ClassVar[str] = "azure-flow-log"
    summary: ClassVar[str] = "Azure VNet and NSG flow logs (network security groups, not a NetworkPolicy)"
    cni: ClassVar[str | None] = None
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The category of its records, or their tuples; of rows of Traffic Analytics the columns."""
        known = seek(_SNIFF, head, b"FlowEvent", b'"flowTuples"') is not None or _is_row(head)
        return 0.95 if known else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """The letter of a refused flow, behind that of its direction; rows have words of several spellings."""
        return None if _is_row(head) else (b",I,D", b",O,D")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per tuple; all of one record have its line."""
        for line in json_lines(block, context, b'"flowTuples"'):
            if isinstance(line, ParseWarning):
                yield line
                continue
            record, around, whole = line
            row = row_of(record)
            if row is not None:
                yield from _of_row(row, frame(around, context, whole, row.at))
                continue
            for rule, text in _tuples(record):
                found = _TUPLE.fullmatch(text)
                at = _instant(found["at"]) if found is not None else None
                shared = frame(around, context, text, at)
                if found is None or not (is_ip(found["src"]) and is_ip(found["dst"])):
                    yield ParseWarning(**shared, code="malformed-flow", message="not a flow's tuple")
                else:
                    yield _flow(found, rule, shared)


def _of_row(row: AnalyticsRow, shared: Frame) -> Iterator[Event]:
    found = False
    for flow in row.flows(shared):
        found = True
        yield flow
    if not found:
        yield ParseWarning(
            **shared, code="malformed-flow", message="a row that says neither allowed nor denied"
        )


def _tuples(record: dict[str, Any]) -> Iterator[tuple[str | None, str]]:
    """Each flow's text with the rule that decided; version 4, then versions 1 and 2."""
    groups = [
        (group, group)
        for flows in _objects(object_of(record, "flowRecords"), "flows")
        for group in _objects(flows, "flowGroups")
    ]
    groups += [
        (rule, flows)
        for rule in _objects(object_of(record, "properties"), "flows")
        for flows in _objects(rule, "flows")
    ]
    for rule, holder in groups:
        texts = holder.get("flowTuples")
        for text in texts if isinstance(texts, list) else ():
            if isinstance(text, str):
                yield text_of(rule, "rule"), text


def _objects(holder: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = holder.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _flow(found: re.Match[str], rule: str | None, shared: Frame) -> FlowEvent:
    protocol = _PROTOCOLS.get(found["protocol"]) or protocol_name(found["protocol"])
    ports = protocol in ("TCP", "UDP", "SCTP")
    denied = found["state"] == "D"
    unencrypted = rule is not None and rule.lower() == NO_RULE
    reason = "network-encryption" if unencrypted else "network-security-group"
    return FlowEvent(
        **shared,
        src=Peer(ip=canonical_ip(found["src"]), port=port_number(found["sport"]) if ports else None),
        dst=Peer(ip=canonical_ip(found["dst"]), port=port_number(found["dport"]) if ports else None),
        protocol=protocol,
        direction=_WAYS[found["way"]],
        verdict=Verdict.DENIED if denied else Verdict.ALLOWED,
        verdict_raw=found["state"],
        cause=Cause.CONFIGURATION if denied else None,
        reason=reason if denied else None,
        reason_raw=rule if denied else None,
    )


def _instant(digits: str) -> int | None:
    seconds, thousandths = int(digits[:10]), int(digits[10:]) if len(digits) == _MILLISECONDS else 0
    return from_epoch(seconds, thousandths * 1_000_000)
