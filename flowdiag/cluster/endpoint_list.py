"""The list of a node's endpoints that Cilium's agent prints: which local number is which pod.

Source: ``cilium-dbg endpoint list`` of Cilium 1.19, as JSON (``-o json``), as a table, and in a bugtool's
``cmd/cilium-endpoint-list*`` files, where a heading and a fence stand around either.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from flowdiag.cluster.addresses import canonical_ip, canonical_ips
from flowdiag.cluster.meta import as_int, as_list, as_map, as_text
from flowdiag.parserkit import seek

__all__ = ["LocalEndpoint", "read_endpoint_list", "sniff_endpoint_list"]

# e.g. "ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])   IPv6   IPv4   STATUS"
_HEADER = re.compile(rb"^ENDPOINT +POLICY \(ingress\) +POLICY \(egress\) +IDENTITY +LABELS\b", re.MULTILINE)
# e.g. '[{"id": 423, "spec": {"label-configuration": {}, "options": {'   the keys of each element
_JSON = re.compile(rb'^[ \t]*\[\s*\{\s*"id": ?\d{1,10},\s*"(?:spec|status)": ?\{', re.MULTILINE)
_KEYS = (b'"label-configuration"', b'"options"', b'"external-identifiers"', b'"identity"')
_KEY = re.compile(b"|".join(_KEYS))
_KEY_WITHIN = 20_000
"""Bytes behind an element's beginning in which one of its keys begins."""
# e.g. "3365       Disabled           Disabled          37299      k8s:id=app3       f00d::a0f:0:0:d25    10.15.191.0     ready"
_ROW = re.compile(r"(\d{1,10})\s{2,}")
_NAMESPACE = re.compile(r"k8s:io\.kubernetes\.pod\.namespace=([a-z0-9][a-z0-9-]{0,62})")
_MAX_ENDPOINTS = 10_000


class LocalEndpoint(Struct, frozen=True, kw_only=True):
    """One endpoint of one node."""

    id: int
    """The node-local number; the same number means another endpoint on another node."""
    pod: str | None = None
    """``namespace/name``, where the list says so; tables do not."""
    namespace: str | None = None
    ips: tuple[str, ...] = ()


def sniff_endpoint_list(head: bytes) -> bool:
    """Whether this is the beginning of such a list."""
    if seek(_HEADER, head, b"ENDPOINT ") is not None:
        return True
    if seek(_JSON, head, *_KEYS) is None:
        return False
    key = None
    for begun in _JSON.finditer(head):
        if key is None or key.start() < begun.end():
            key = _KEY.search(head, begun.end())
            if key is None:
                return False
        if key.start() - begun.end() <= _KEY_WITHIN:
            return True
    return False


def read_endpoint_list(data: bytes) -> list[LocalEndpoint]:
    """Read a list in either form; what is none gives nothing."""
    if _HEADER.search(data):
        return _from_table(data.decode("utf-8", "replace"))
    start, end = data.find(b"["), data.rfind(b"]")
    if start < 0 or end < start:
        return []
    try:
        body: Any = msgspec.json.decode(data[start : end + 1])
    except (msgspec.DecodeError, RecursionError):
        return []
    found = [_from_object(as_map(one)) for one in as_list(body)[:_MAX_ENDPOINTS]]
    return [one for one in found if one is not None]


def _from_object(body: dict[str, Any]) -> LocalEndpoint | None:
    number = as_int(body.get("id"))
    if number is None:
        return None
    status = as_map(body.get("status"))
    outside = as_map(status.get("external-identifiers"))
    namespace = as_text(outside.get("k8s-namespace")) or None
    name = as_text(outside.get("k8s-pod-name")) or None
    pod = f"{namespace}/{name}" if namespace and name else as_text(outside.get("pod-name")) or None
    entries = as_list(as_map(status.get("networking")).get("addressing"))
    ips = canonical_ips(as_map(entry).get(family) for entry in entries for family in ("ipv4", "ipv6"))
    return LocalEndpoint(id=number, pod=pod if pod and "/" in pod else None, namespace=namespace, ips=ips)


def _from_table(text: str) -> list[LocalEndpoint]:
    """Rows begin with a number; labels go on in indented lines below."""
    rows: list[tuple[int, list[str]]] = []
    for line in text.splitlines():
        begins = _ROW.match(line)
        if begins is not None and len(rows) < _MAX_ENDPOINTS:
            rows.append((int(begins[1]), [line]))
        elif rows and line.startswith(" ") and line.strip():
            rows[-1][1].append(line)
    found = []
    for number, row in rows:
        namespace = _NAMESPACE.search("\n".join(row))
        # The columns before the labels are four; addresses stand behind them.
        ips = [ip for word in row[0].split()[4:] if (ip := canonical_ip(word)) is not None]
        found.append(LocalEndpoint(id=number, namespace=namespace[1] if namespace else None, ips=tuple(ips)))
    return found
