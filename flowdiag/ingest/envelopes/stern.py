"""stern's output: ``pod container line``, or one JSON object per line.

Source: stern v1.30 ``cmd/cmd.go`` (templates ``default`` and ``json``).  The default template has no mark
of its own, so it is believed only where the pod's name ends as generated names do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.json_lines import JsonLines
from flowdiag.ingest.envelopes.rows import Row, text_rows

__all__ = ["Stern", "SternJson"]

_COLOUR = rb"(?:\x1b\[[0-9;]{0,16}m){0,4}"


class Stern(Header):
    """stern's default template, with or without colours and namespaces (``-A``)."""

    name = "stern"
    # "calico-node-7xk2p calico-node 2024-06-01 04:39:44.041 [INFO][69] felix/table.go 521: ..."   stern v1.30
    # "kube-system calico-node-7xk2p calico-node 2024-06-01 ..."                                   stern v1.30 -A
    # "calico-node-7xk2p calico-node 06-01 04:39:44 2024-06-01 ..."                                stern v1.30 -t short, without a year
    pattern = re.compile(
        rb"^" + _COLOUR + rb"(?:(?P<namespace>[a-z0-9][a-z0-9-]{0,62}) "
        # Of a pod whose container is called cilium-agent or istio-proxy the first word is no namespace: no name that
        # Kubernetes makes ends in letters that could be a word.
        rb"(?=[a-z0-9][a-z0-9.-]{0,240}-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d{1,4})[ \x1b]))?"
        rb"(?P<pod>[a-z0-9][a-z0-9.-]{0,240}-(?:[a-z0-9]{5}|\d{1,4}))"
        + _COLOUR
        + rb" "
        + _COLOUR
        + rb"(?P<container>[a-z0-9][a-z0-9-]{0,62})"
        + _COLOUR
        + rb"(?: |$)(?:\d\d-\d\d \d\d:\d\d:\d\d )?",
        re.MULTILINE,
    )
    # "+ calico-node-7xk2p › calico-node", "- ...": on standard error, and in a file of both
    _BEGUN = re.compile(rb"(?:\x1b\[[0-9;]{0,16}m){0,4}[+-] .{1,600}\xe2\x80\xba")

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Of the lines that do not say which log begins or ends."""
        return super().share([line for line in lines if cls._BEGUN.match(line) is None])


class _Line(Struct, rename={"node_name": "nodeName", "pod": "podName", "container": "containerName"}):
    message: str | None = None
    node_name: str | None = None
    namespace: str | None = None
    pod: str | None = None
    container: str | None = None


class SternJson(JsonLines[_Line]):
    """``stern -o json``."""

    name = "stern-json"
    marks = (b'"message"', b'"podName"', b'"containerName"')
    shape = _Line

    def unwrap(self, record: _Line, row: Row) -> Iterator[Row] | None:
        """See `JsonLines.unwrap`."""
        if record.message is None or record.pod is None:
            return None
        return text_rows(
            record.message,
            row._replace(
                node=record.node_name or row.node,
                namespace=record.namespace or row.namespace,
                pod=record.pod,
                container=record.container or row.container,
            ),
        )
