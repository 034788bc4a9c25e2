"""Hubble's flows as Azure keeps them in a table: AKS' container network logs (Advanced Container Networking Services).

Sources: Azure Monitor's table reference of ``ContainerNetworkLogs`` (``RetinaNetworkFlowLogs`` before November 2025), which says of
each column what field of the flow it holds; Azure's examples for the values inside ``IP``, ``Layer4`` and ``Layer7``; and the agent
that fills the columns (microsoft/Docker-Provider, ``mapNetworkFlowLogsToDataMap``): what it writes of policies is text within
text, of a Service four words, of labels and MAC addresses more data, and how many flows a row stands for are columns.  A row becomes
the flow that it was, for the parser of Hubble's JSON.  Columns that a query left out are not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from flowdiag.ingest.envelopes.json_lines import DAMAGED, JsonLines
from flowdiag.ingest.envelopes.rows import Row, instant
from flowdiag.model.time import rfc3339

__all__ = ["NETWORK_MARKS", "AzureFlowRow", "holds_azure_flows", "holds_network_rows"]

# az monitor log-analytics query, az 2.60, which writes the objects as text:
# one row: {"TimeGenerated":"2026-01-05T10:00:00.1234567Z","Verdict":"DROPPED","NodeName":"aks-1","SourcePodName":"web-1","Layer4":{"TCP":{...}},...}
_PLAIN = {
    "Verdict": "verdict",
    "DropReason": "drop_reason_desc",
    "FlowType": "Type",
    "NodeName": "node_name",
    "TrafficDirection": "traffic_direction",
    "TraceObservationPoint": "trace_observation_point",
}
_OBJECTS = {"IP": "IP", "Layer4": "l4", "Layer7": "l7", "EventType": "event_type"}
_ENDS = {"Source": "source", "Destination": "destination"}
_END = {
    "Namespace": "namespace",
    "PodName": "pod_name",
    "ClusterName": "cluster_name",
    "Identity": "identity",
    "Workloads": "workloads",
    "Workload": "workloads",
    "Labels": "labels",
}
_COUNTS = {
    "IngressFlowCount": "ingress_flow_count",
    "EgressFlowCount": "egress_flow_count",
    "UnknownDirectionFlowCount": "unknown_direction_flow_count",
}
_HITS = ("egress_allowed_by", "ingress_allowed_by", "egress_denied_by", "ingress_denied_by")
_SERVICES = ("source_service", "destination_service")
_TRAFFIC_ENDS = ("srcip", "destip", "srcpublicips", "destpublicips")
_MOST_DIGITS = 10
"""Identities and counts are 32 bits wide."""
_TRUE, _FALSE = ("true", "True"), ("false", "False")


def holds_azure_flows(names: Mapping[str, Any] | list[str]) -> bool:
    """Whether columns of these names are a flow's."""
    return "Verdict" in names and any(
        name in names for name in ("Layer4", "TrafficDirection", "SourcePodName", "DestinationPodName")
    )


NETWORK_MARKS = (b'"FlowStatus', b'"RuleCollection"')
"""One of these is in every answer with rows of `holds_network_rows`."""


def holds_network_rows(names: Collection[str]) -> bool:
    """Whether columns of these names are those of Traffic Analytics, which counts Azure's flow logs, or of Azure Firewall's tables.

    ``NTANetAnalytics`` has ``FlowStatus`` and ``SrcIp``, ``AzureNetworkAnalytics_CL`` has ``FlowStatus_s`` and ``SrcIP_s``;
    ``AZFWNetworkRule`` and ``AZFWApplicationRule`` have ``SourceIp``, ``Action`` and ``RuleCollection``.
    """
    small = {name.lower().removesuffix("_s") for name in names}
    if "flowstatus" in small and not small.isdisjoint(_TRAFFIC_ENDS):
        return True
    return {"sourceip", "action", "rulecollection"} <= small


class AzureFlowRow(JsonLines[dict[str, Any]]):
    """One row of the table of flows."""

    name = "azure-flows"
    marks = (b'"TimeGenerated', b'"Verdict"')
    any_marks = (b'"Layer4"', b'"TrafficDirection"', b'"SourcePodName"', b'"DestinationPodName"')
    shape = dict[str, Any]

    def unwrap(self, record: dict[str, Any], row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if not holds_azure_flows(record):
            return None
        at = instant(_text(record.get("TimeGenerated"))) or row.at
        flow = _flow(record)
        if at is not None:
            flow["time"] = rfc3339(at)
        return iter((row._replace(data=msgspec.json.encode({"flow": flow}), at=at),))


def _flow(record: dict[str, Any]) -> dict[str, Any]:
    additional = _value(record.get("AdditionalFlowData"))
    more: dict[str, Any] = dict(additional) if isinstance(additional, dict) else {}
    macs = {name: more.pop(f"Ethernet{side}", None) for side, name in _ENDS.items()}
    labels = {name: more.pop(f"{side}Labels", None) for side, name in _ENDS.items()}
    extensions = more.pop("Extensions", None)
    flow = more
    if isinstance(extensions, dict):
        flow["extensions"] = extensions
    if macs := {name: mac for name, mac in macs.items() if isinstance(mac, str) and mac}:
        flow["ethernet"] = macs
    for column, name in _PLAIN.items():
        if text := _text(record.get(column)):
            flow[name] = text
    for column, name in _OBJECTS.items():
        if isinstance(value := _value(record.get(column)), dict) and value:
            flow[name] = value
    for side, name in _ENDS.items():
        end = _end(record, side)
        if isinstance(labels[name], list) and labels[name]:
            end.setdefault("labels", labels[name])
        if end:
            flow[name] = end
    for column, names in (
        ("Policy", _HITS),
        ("Policies", _HITS),
        ("Services", _SERVICES),
        ("Service", _SERVICES),
    ):
        value = _value(record.get(column))
        if isinstance(value, dict):
            flow.update({name: _value(value[name]) for name in names if name in value})
            flow.update(_services(value))
    if counts := {
        name: count for column, name in _COUNTS.items() if (count := _number(record.get(column))) is not None
    }:
        flow["aggregate"] = counts
    reply = record.get("Reply")
    if isinstance(reply, bool) or reply in (*_TRUE, *_FALSE):
        flow["is_reply"] = reply is True or reply in _TRUE
    return flow


def _end(record: dict[str, Any], side: str) -> dict[str, Any]:
    end: dict[str, Any] = {}
    for column, name in _END.items():
        value = _value(record.get(side + column))
        if name == "identity":
            value = _number(value)
        if value not in (None, "", "None", [], 0):
            end[name] = value
    return end


def _services(value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    # {"DestinationService":"api","DestinationServiceNamespace":"backend"}   the agent's, 2025
    for side, name in _ENDS.items():
        if service := _text(value.get(f"{side}Service")):
            yield (
                f"{name}_service",
                {
                    "name": service,
                    "namespace": _text(value.get(f"{side}ServiceNamespace")),
                },
            )


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    """The query tool writes ``None`` for a cell without a value."""
    return value if isinstance(value, str) and value != "None" else None


def _value(value: Any) -> Any:
    """What a column of a dynamic type holds: the query tool and CSV write it as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except DAMAGED:
            return value
    return value
