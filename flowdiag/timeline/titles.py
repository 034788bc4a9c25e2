"""Titles of problems: a rule's own, with the ends and ports of all its connections in the places of its marks."""

from __future__ import annotations

import re

from flowdiag.model.words import protocol_text
from flowdiag.timeline.drafts import ConnectionDraft, ProblemDraft
from flowdiag.timeline.ends import EndKey, end_name
from flowdiag.timeline.ports import count_ports

__all__ = ["destinations_text", "ports_text", "sources_text", "title_of"]

_TITLE_MARK = re.compile(r"\{source\}|\{destination\}|\{port\}")
"""Marks in a rule's title: ``DNS is blocked for {source}``."""


def title_of(draft: ProblemDraft) -> str:
    """Say what is refused, in one line."""
    replaced = {
        "{source}": sources_text(draft),
        "{destination}": destinations_text(draft),
        "{port}": ports_text(draft),
    }
    # One pass over the rule's template: a name that holds a mark itself stays a name.
    return _TITLE_MARK.sub(lambda mark: replaced[mark[0]], draft.finding.title)


def sources_text(draft: ProblemDraft) -> str:
    """Who calls, of all connections: ``3 workloads in shop``."""
    return _names(sorted({c.source for c in draft.connections}), draft.connections[0].source)


def destinations_text(draft: ProblemDraft) -> str:
    """Who is called, of all connections."""
    return _names(sorted({c.destination for c in draft.connections}), draft.connections[0].destination)


def ports_text(draft: ProblemDraft) -> str:
    """The ports of all connections: ``80/TCP, 443/TCP``."""
    services = sorted({(c.port, c.protocol or "", c.icmp or "") for c in draft.connections}, key=repr)
    return _ports(services, draft.connections)


def _names(keys: list[EndKey], lead: EndKey) -> str:
    if len(keys) == 1:
        return _name(keys[0])
    namespaces = sorted({key[1] for key in keys if key[1]})
    kinds = {key[0] for key in keys}
    word = "workloads" if kinds == {"pod"} else "outside ranges" if kinds <= {"external"} else "ends"
    if kinds == {"node"} and all(key[3] for key in keys):
        return f"nodes {keys[0][3]} and {keys[1][3]}" if len(keys) == 2 else f"{len(keys)} nodes"
    if len(keys) == 2:
        other = next(key for key in keys if key != lead)
        return f"{_name(lead)} and {_name(other)}"
    where = (
        f" in {namespaces[0]}"
        if len(namespaces) == 1
        else f" in {len(namespaces)} namespaces"
        if namespaces
        else ""
    )
    return f"{len(keys)} {word}{where}"


def _name(key: EndKey) -> str:
    """An end; of a range that stands for the addresses seen in it, that it is these: others of it may well pass."""
    name = end_name(key)
    return f"addresses of {name}" if key[0] == "external" and "/" in key[3] else name


def _ports(services: list[tuple[int | None, str, str]], connections: list[ConnectionDraft]) -> str:
    if len(services) > 3:
        return f"{len(services)} ports"
    texts = []
    for port, protocol, icmp in services:
        if port is not None:
            texts.append(f"{port}/{protocol}" if protocol else str(port))
        elif icmp:
            texts.append(f"{protocol or 'ICMP'} {icmp}")
        else:
            ports = count_ports(
                refusal.flow.distinct
                for connection in connections
                if connection.port is None and (connection.protocol or "") == protocol
                for refusal in connection.refusals
            )
            texts.append(
                f"{ports} {protocol} ports"
                if ports.most > 1 and protocol
                else f"{ports} ports"
                if ports.most > 1
                else protocol_text(protocol)
                if protocol
                else "any port"
            )
    return ", ".join(texts)
