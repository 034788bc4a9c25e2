"""Rows of Azure's Traffic Analytics: flow logs counted over 10 or 60 minutes, in a table of Log Analytics.

Format: Azure Network Watcher, "Traffic analytics schema and data aggregation": the table ``NTANetAnalytics`` of virtual network flow
logs, and ``AzureNetworkAnalytics_CL`` of NSG flow logs, whose columns end with their type (``SrcIP_s``).  The page's values are
letters, and the table's words (Azure-Sentinel's normaliser ``ASimNetworkSessionNTANetAnalytics``, 2026).  Source ports are not kept.  Addresses of
the internet are a list: ``203.0.113.9|3|0|0|0|0|0 203.0.113.10|1|0|0|0|0|0``, of which the second part counts flows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from flowdiag.parserkit import (
    Cause,
    Direction,
    FlowEvent,
    Frame,
    Peer,
    Verdict,
    canonical_ip,
    instant_of,
    integer_of,
    is_ip,
    port_number,
    protocol_name,
    text_of,
)

__all__ = ["NO_RULE", "AnalyticsRow", "row_of"]

# {"TimeGenerated":"...","FlowStartTime":"2026-01-05T10:00:00Z","SrcIp":"10.244.1.17","DestIp":"10.0.0.6","DestPort":5432,
#  "L4Protocol":"T","FlowDirection":"Outbound","FlowStatus":"Denied","AclRule":"deny-db","DeniedOutFlows":3,...}
_TYPE = re.compile(r"_[sdtbg]\Z")
_STAMPS = ("flowstarttime", "flowintervalstarttime", "timegenerated")
_ENDS = frozenset(("srcip", "destip", "srcpublicips", "destpublicips"))
_VERDICTS = {
    "a": Verdict.ALLOWED,
    "allowed": Verdict.ALLOWED,
    "d": Verdict.DENIED,
    "denied": Verdict.DENIED,
}
_WAYS = {
    "i": Direction.INGRESS,
    "inbound": Direction.INGRESS,
    "o": Direction.EGRESS,
    "outbound": Direction.EGRESS,
}
_REAL = re.compile(r"[0-9]{1,15}\.0")
_COUNT = re.compile(r"[0-9]{1,9}")
_PROTOCOLS = {"T": "TCP", "U": "UDP"}
_NO_VALUE = "None"
"""What az writes for a cell that is empty."""
NO_RULE = "unspecified"
"""Without a rule it was refused because it could not be encrypted."""
_NOT_ENCRYPTED = "drop"
"""How ``FlowEncryption`` begins of what was refused for want of encryption."""


class _End(NamedTuple):
    ip: str | None = None
    flows: int = 0
    """Of one of the internet's addresses, how many there were."""


_NOBODY = _End()


class AnalyticsRow(NamedTuple):
    """A row by its columns' names, small and without their types."""

    cells: dict[str, Any]

    @property
    def at(self) -> int | None:
        """When the first of its flows began; what else tells of a time where a query left that out."""
        stamps = (text_of(self.cells, column) for column in _STAMPS)
        return next((at for stamp in stamps if (at := instant_of(stamp)) is not None), None)

    def flows(self, shared: Frame) -> Iterator[FlowEvent]:
        """Give a flow for each pair of ends; none where the row does not say whether it passed."""
        cells = self.cells
        status = text_of(cells, "flowstatus") or ""
        verdict = _VERDICTS.get(status.lower())
        if verdict is None:
            return
        denied = verdict is Verdict.DENIED
        word = text_of(cells, "l4protocol") or ""
        protocol = _PROTOCOLS.get(word) or protocol_name(word)
        ports = protocol in ("TCP", "UDP", "SCTP")
        rule = text_of(cells, "aclrule", "nsgrule")
        encryption = (text_of(cells, "flowencryption") or "").lower()
        unencrypted = encryption.startswith(_NOT_ENCRYPTED) or (rule or "").lower() == NO_RULE
        reason = "network-encryption" if unencrypted else "network-security-group"
        port = integer_of(cells, "destport") if ports else None
        sources, targets = _addresses(cells, "src"), _addresses(cells, "dest")
        counts = ("deniedinflows", "deniedoutflows") if denied else ("allowedinflows", "allowedoutflows")
        # A row has one direction, so that one of them is zero.
        whole = max(integer_of(cells, name) or 0 for name in counts)
        pairs = _pairs(sources, targets)
        for source, target in pairs:
            yield FlowEvent(
                **shared,
                src=Peer(ip=source.ip),
                dst=Peer(ip=target.ip, port=port_number(port)),
                protocol=protocol,
                direction=_WAYS.get((text_of(cells, "flowdirection") or "").lower()),
                verdict=verdict,
                verdict_raw=status,
                cause=Cause.CONFIGURATION if denied else None,
                reason=reason if denied else None,
                reason_raw=rule if denied else None,
                count=max(whole if len(pairs) == 1 else source.flows or target.flows, 1),
            )


def row_of(record: dict[str, Any]) -> AnalyticsRow | None:
    """The row that an object is; ``None`` where it is another."""
    cells = {_TYPE.sub("", name).lower(): _cell(value) for name, value in record.items()}
    return AnalyticsRow(cells) if "flowstatus" in cells and not _ENDS.isdisjoint(cells) else None


def _cell(value: Any) -> Any:
    """A column of NSG flow logs that holds a number is real: az writes it as ``443.0``, in quotes."""
    if value == _NO_VALUE:
        return None
    return value[:-2] if isinstance(value, str) and _REAL.fullmatch(value) else value


def _pairs(sources: list[_End], targets: list[_End]) -> list[tuple[_End, _End]]:
    """Each source with each target; where both are lists, who met whom is not known."""
    if min(len(sources), len(targets)) == 1:
        return [(source, target) for source in sources for target in targets]
    return [(source, _NOBODY) for source in sources]


def _addresses(cells: dict[str, Any], side: str) -> list[_End]:
    """The addresses of one end; one that is not known where there are none."""
    own = text_of(cells, f"{side}ip")
    if own is not None and is_ip(own):
        return [_End(canonical_ip(own))]
    parts = re.split(r"[|\s]+", text_of(cells, f"{side}publicips") or "")
    found = [
        _End(canonical_ip(part), int(count) if _COUNT.fullmatch(count) else 0)
        for part, count in zip(parts, [*parts[1:], ""], strict=True)
        if is_ip(part)
    ]
    return found or [_NOBODY]
