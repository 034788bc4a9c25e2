"""Hubble's records among the agent's own messages, where it exports to ``stdout``.

Source: ``hubble-export-file-path: stdout`` (Documentation/observability/hubble/configuration/export.rst, 1.15 to
1.19).  Whichever parser is registered for Hubble's JSON reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from flowdiag.parserkit import Block, Envelope, Event, LineEnvelope, ParseContext, Parser, registry

__all__ = ["is_exported", "read_exported"]

# {"flow":{"time":"2026-04-21T09:10:00.1Z","verdict":"DROPPED",...},"node_name":"worker-1","time":"..."}   1.19
_RECORD = re.compile(rb'\{ ?"(?:flow|lost_events|node_status|agent_event|debug_event)" ?: ?\{')
_READER = "hubble-json"


def is_exported(line: bytes) -> bool:
    """Whether a line is a record of the exporter, whole or cut off."""
    return line[:1] == b"{" and _RECORD.match(line) is not None


def read_exported(line: bytes, around: LineEnvelope, context: ParseContext, *, last: bool) -> Iterable[Event]:
    """Events of one such line; `last` says that the input ends in it, without its newline."""
    envelope = Envelope(
        lines=[around.line],
        at=[around.at],
        node=[around.node],
        namespace=[around.namespace],
        pod=[around.pod],
        container=[around.container],
        year_inferred=around.year_inferred,
    )
    data = line if last else line + b"\n"
    return _reader().parse(Block(data=data, envelope=envelope, last=last), context)


@cache
def _reader() -> Parser:
    plugin: Parser = registry.load("flowdiag.parsers", _READER).plugin
    return plugin
