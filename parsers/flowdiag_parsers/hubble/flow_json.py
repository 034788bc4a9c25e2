"""Parser of Hubble flow exports: JSON lines of the exporter, ``hubble observe -o json``, sysdumps.

Format: api/v1/flow/flow.proto and api/v1/observer/observer.proto, Cilium 1.10 to 1.20; exporter files
are described in Documentation/observability/hubble/configuration/export.rst.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, ClassVar

from flowdiag.parserkit import (
    Block,
    Event,
    FileLines,
    FlowSink,
    LineEnvelope,
    ParseContext,
    cut_lines,
    native,
    seek,
)
from flowdiag_parsers.hubble.json_events import line_events, piece_events
from flowdiag_parsers.hubble.json_lines import is_document, pieces_of_document
from flowdiag_parsers.hubble.json_retina import RETINA

__all__ = ["HubbleJson"]

_HEAD = 1 << 16
"""Bytes by which `is_document` tells."""
# '{"flow":{"time":"2025-07-15T01:30:19.361221854Z","uuid":"...","verdict":"DROPPED",'   1.16
# '{"flow": {"verdict": "FORWARDED", "traffic_direction": "EGRESS",'                    protojson spacing
_WRAPPED = re.compile(rb'"flow"\s{0,99}:\s{0,99}\{')
# a loss, as 1.10 to 1.20 write it: '{"lost_events":{"source":"PERF_EVENT_RING_BUFFER","num_events_lost":"5"},'
_OTHER = re.compile(
    rb'"(?:lost_?[eE]vents|node_?[sS]tatus|agent_?[eE]vent|debug_?[eE]vent)"\s{0,99}:\s{0,99}\{'
)
# without a wrapper, before 0.9: '{"time":"2024-01-01T10:00:00Z","verdict":"FORWARDED","source":{"namespace":"x",'
# '{"flow":', '[{"flow":', '[' and an object in the next line; "[pod/cilium-x/agent] {" is a line of somebody else's
_ARRAY = re.compile(rb"\[\s*+(?:\{|\Z)")
_BEGINS = re.compile(rb"[\xef\xbb\xbf \t\r\n\x1e]*+(?:\{|\[\s*+(?:\{|\Z))")
_VERDICT = re.compile(
    rb'"verdict"\s{0,99}:\s{0,99}(?:"(?:FORWARDED|DROPPED|ERROR|AUDIT|REDIRECTED|TRACED|TRANSLATED)"|[1-7]\b)'
)
# Go's encoder writes a space behind each colon or nowhere, which hangs on how the program was built
_COMPACT = re.compile(rb'"verdict":"')
_OF_FLOWS = re.compile(
    rb'"(?:IP|l4|source|destination|event_?[tT]ype|traffic_?[dD]irection|drop_?[rR]eason_?[dD]esc|node_?[nN]ame)"'
    rb"\s{0,99}:"
)
# Suricata writes "event_type":"alert" beside a "flow":{...} of its own; Hubble's event_type is an object: {"type":1,"sub_type":133}
_OF_HUBBLE = re.compile(
    rb'"(?:IP|l4|traffic_?[dD]irection|drop_?[rR]eason_?[dD]esc|node_?[nN]ame)"\s{0,99}:'
    rb'|"event_?[tT]ype"\s{0,99}:\s{0,99}\{'
)
# the agent's own messages, among which it exports with hubble-export-file-path: stdout
# e.g. 'time=2026-04-21T09:10:01.000Z level=info msg="Upserted policy to repository" module=agent.controlplane.policy'
_AGENT = re.compile(
    rb'^(?:time=\S{1,60} )?level=[a-z]{4,7} |^\{(?:"time": ?"[^"\n]{1,60}", ?)?"level": ?"', re.MULTILINE
)
_AMONG_OTHERS = 0.7
_NUMBERED = re.compile(rb'"verdict"\s{0,99}:\s{0,99}\d')
# Each mark costs a search through the input, so the other spelling is looked for only where it may be.
_MARKS = (b'"DROPPED"', b'"AUDIT"', b'"ERROR"', b'"lost_events"', b'"node_status"')
_CAMEL_MARKS = (b'"lostEvents"', b'"nodeStatus"')
_SNAKE = re.compile(rb'"(?:node_name|event_type|traffic_direction|drop_reason_desc|pod_name|is_reply)"')
_CAMEL = re.compile(rb'"(?:nodeName|eventType|trafficDirection|dropReasonDesc|podName|isReply)"')


class HubbleJson:
    """Hubble flows as JSON, one object a line; arrays and objects over several lines too."""

    name: ClassVar[str] = "hubble-json"
    summary: ClassVar[str] = "Hubble flow export: JSON lines of the exporter and of hubble observe -o json"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    @staticmethod
    def takes_two_cores(head: bytes) -> bool:
        """Whether lines are taken in a thread, by the extension in C, which knows those without white space."""
        return native() is not None and _COMPACT.search(head) is not None

    @staticmethod
    def cni_in(head: bytes) -> str | None:
        """Retina writes such records of nodes where any CNI is, and does not say which."""
        return None if RETINA.encode() in head else HubbleJson.cni

    def sniff(self, head: bytes) -> float:
        """A wrapper around a flow, or a Hubble verdict beside fields that only flows have, is a mark."""
        ceiling = 1.0
        if _BEGINS.match(head) is None:
            # The end of a line whose beginning was cut away, or somebody else's line.
            ceiling = _AMONG_OTHERS
            start = head.find(b"\n{")
            if start < 0:
                return 0.0
            head = head[start:]
        if seek(_AGENT, head, b"level=", b'"level":') is not None:
            ceiling = _AMONG_OTHERS
        return min(self._sure(head), ceiling)

    @staticmethod
    def _sure(head: bytes) -> float:
        verdict = _VERDICT.search(head) is not None
        of_hubble = verdict or _OF_HUBBLE.search(head) is not None
        if of_hubble and _WRAPPED.search(head) is not None:
            return 0.95
        if verdict and _OF_FLOWS.search(head) is not None:
            return 0.92
        return 0.9 if of_hubble and _OTHER.search(head) is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Verdicts as their encoders write them, and what tells of gaps; whatever the white space.

        Nothing is promised where verdicts are numbers, where none was seen, or where records are
        spread over lines.
        """
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        if _ARRAY.match(start) is not None or start.partition(b"\n")[0].strip() == b"{":
            return None
        if _VERDICT.search(head) is None or _NUMBERED.search(head) is not None:
            return None
        if _SNAKE.search(head) is not None and _CAMEL.search(head) is None:
            return _MARKS
        return _MARKS + _CAMEL_MARKS

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield what each object says; what cannot be read becomes a warning at its line."""
        if is_document(block):
            for number, piece in enumerate(pieces_of_document(block.data), start=1):
                yield from piece_events(piece, LineEnvelope(line=number), context)
            return
        lines = cut_lines(block.data)
        cut_off = len(lines) - 1 if block.last and not block.data.endswith(b"\n") else -1
        for index, line in enumerate(lines):
            if line and not line.isspace():
                yield from line_events(line, block.of_line(index), context, last=index == cut_off)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count what `parse` would yield, without an object per record."""
        from flowdiag_parsers.hubble.json_fold import fold_lines

        if block.found is None and is_document(block):
            for event in self.parse(block, context):
                sink.add(event)
        else:
            fold_lines(block, context, sink)

    def read_file(
        self,
        file: BinaryIO,
        start: int,
        end: int | None,
        sink: Callable[[], FlowSink],
        idle: Callable[[], object],
    ) -> Iterator[FileLines]:
        """Read lines of a plain file in a thread of the scanner's."""
        from flowdiag_parsers.hubble.json_reading import read_lines

        file.seek(start)
        if not is_document(Block(data=file.read(_HEAD))):
            yield from read_lines(file, start, end, sink, idle)

    def expect(self, block: Block, sink: FlowSink) -> None:
        """Begin with a block that `fold` gets later."""
        from flowdiag_parsers.hubble.json_fold import expect_lines

        if not is_document(block):
            expect_lines(block, sink)
