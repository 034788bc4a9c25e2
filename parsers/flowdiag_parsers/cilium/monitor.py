"""Parser of ``cilium monitor`` / ``cilium-dbg monitor`` text, short and verbose.

The monitor writes no times: a record's time is its envelope's, or a collector's stamp in front of the
line, or unknown.  The order of the lines is the order of the events either way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    Event,
    FlowSink,
    LineEnvelope,
    LineForm,
    ParseContext,
    Record,
    decode,
    fold_forms,
    iter_lines,
    line_warning,
    said_around,
    seek,
)
from flowdiag_parsers.cilium.carrier import carrier
from flowdiag_parsers.cilium.monitor_verbose import Verbose, is_dump, is_layer, start

__all__ = ["CHATTER", "CiliumMonitor"]

# "[2018-09-17 14:47:26] CPU 01: MARK 0xa902d52e FROM 0 from-host: 74 bytes"   put there by a collector
_STAMP = re.compile(r"\[(?P<stamp>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?)\] ")

CHATTER = (
    "Press Ctrl-C to quit",
    "Listening for events on ",
    "level=",
    "time=",
    "from [",
    "Error: ",
)
"""What the command itself says around its records (``from [...]`` are traces of 2017)."""

_SNIFF = re.compile(
    rb"^(?:\[\d{4}-\d\d-\d\d[ T][\d:.]{8,20}Z?\] )?(?:"
    rb"xx drop \(|drop \[ifindex \d+ / endpoint|Policy verdict log: flow 0x"
    rb"|(?:->|<-) [a-z]{1,20}[^\n]{0,80} identity [^\s>]{1,40}->\S{1,40} state "
    rb"|(?:->|<-) (?:Request|Response) \w+ (?:from|to) \d+ \("
    rb"|CPU \d{1,5}: MARK 0x[0-9a-f]+ FROM \d+ "
    rb"|\S{1,255}: drop: [^\n]{1,150} \([^\n]{1,400}\) => \("
    rb"|>> (?:Policy|Endpoint|IPCache|Agent|Service)[A-Za-z ]{1,60}: )",
    re.MULTILINE,
)
# Groups as `flowdiag.parserkit.line_form.GROUPS` has them; the flow's hash tells nothing.
# e.g. "xx drop (Policy denied) flow 0x9bdd31c4 to endpoint 61, ifindex 14, file bpf_lxc.c:2067, , identity 1000->2000:
#  10.0.1.7:45002 -> 10.0.2.9:8080 tcp SYN"
_IP = rb"(?:[0-9.]{7,15}|\[[0-9a-f:.]{2,45}\])"


@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:()()((?:xx|->|<-|Policy verdict log:)[^\n\x80-\xff]{0,150}? )flow 0x[0-9a-f]{1,16}"
        rb"([^\n\x80-\xff]{1,400} " + _IP + rb"):(\d{1,5})( -> " + _IP + rb"):(\d{1,5})"
        rb" (tcp |)()((?<=p )[A-Z, ]{1,59}[A-Z]|)(udp|sctp|)"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.  The hash has the line's first x.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:()()((?:xx|->|<-|Policy verdict log:)[^x]{0,150} )flow 0x[0-9a-f]{1,16}"
        rb"(.{1,400} " + _IP + rb"):(\d{1,5})( -> " + _IP + rb"):(\d{1,5})"
        rb" (tcp |)()((?<=p )[A-Z, ]{1,59}[A-Z]|)(udp|sctp|)"
        rb"|(.*))\n"
    )


_FOREIGN = "not a line of cilium monitor"
_VERBOSE = (b" MARK 0x", b"{Contents=")
_HEADER = re.compile(rb"^Listening for events on \d+ CPUs", re.MULTILINE)


class CiliumMonitor:
    """``cilium monitor`` text of every age, ``-v`` and ``-vv``."""

    name: ClassVar[str] = "cilium-monitor"
    summary: ClassVar[str] = "cilium monitor text: drops, policy verdicts, traces, L7, verbose layers"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True
    marks_whole_records: ClassVar[bool] = True
    """Every line of a verbose record holds a mark, so that a prefilter leaves such records whole."""

    def sniff(self, head: bytes) -> float:
        """Any of its line forms is a mark; JSON objects among them belong to the JSON form."""
        words = (
            b"xx drop (",
            b"drop [ifindex ",
            b"Policy verdict log: ",
            b" state ",
            b"> Re",
            b"- Re",
            b"CPU ",
            b": drop: ",
            b">> ",
        )
        if seek(_SNIFF, head[:65_536], *words) is None:
            return 0.7 if seek(_HEADER, head, b"Listening for events on ") else 0.0
        return 0.6 if re.search(rb'^\{[^\n]{0,400}"type":"', head[:65_536], re.MULTILINE) else 0.97

    def record_start(self, line: bytes) -> bool:
        """Layers and hex dumps belong to the record before them."""
        text = _peel(decode(line))[1]
        return not (is_layer(text) or is_dump(text))

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:  # noqa: ARG002 - the protocol's signature
        """Drops of every age, refused and audited verdicts, losses; verbose records with all of their layers."""
        return (
            b"drop",
            b"action deny",
            b"action audit",
            b"verdict Denied",
            b"Lost ",
            b" MARK 0x",
            b"{Contents=",
        )

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event a record, in order."""
        # Loaded where there are such lines: every parser is asked about every file.
        from flowdiag_parsers.cilium.monitor_lines import read_line

        final = block.data.count(b"\n") if block.last else -1
        pending: Verbose | None = None
        last = -1
        for index, line in iter_lines(block):
            original = decode(line)
            stamp, text = _peel(original)
            if not text.strip():
                continue
            around = carrier(block.of_line(index), context, original, stamp, cut=index == final)
            if index == final and any(mark in line for mark in _VERBOSE):
                # Identities and addresses stand anywhere in it: its last word may be the beginning of one.
                text = text[: text.rfind(" ") + 1].rstrip()
            follows, last = around.line == last + 1, around.line
            if pending is not None and follows and is_layer(text):
                # A layer belongs to the record whose lines it follows without a gap: so it does not
                # matter whether a prefilter took what stood between.
                pending.add(text)
                continue
            if pending is not None:
                event = pending.event()
                pending = None
                if event is not None:
                    yield event
            if is_layer(text) or is_dump(text):
                continue
            pending = start(text, around)
            if pending is not None:
                continue
            events = read_line(text, around)
            if events is not None:
                yield from events
            elif index == final:
                yield line_warning(
                    "truncated", "the last line is cut off", block.of_line(index), context, original
                )
            elif not text.startswith(CHATTER) and not said_around(text):
                yield line_warning("foreign-line", _FOREIGN, block.of_line(index), context, original)
        event = pending.event() if pending is not None else None
        if event is not None:
            yield event

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind; verbose records are read whole."""
        if any(mark in block.data for mark in _VERBOSE):
            for event in self.parse(block, structs.replace(context, keep_raw=True)):
                sink.add(event)
            return
        from flowdiag_parsers.cilium.monitor_lines import read_line

        # Endpoint numbers mean other pods elsewhere.
        scope = context.input if context.endpoint_ids else None
        with_raw = structs.replace(context, keep_raw=True)

        def read(line: bytes, around: LineEnvelope, _: Record) -> Iterator[Event]:
            original = decode(line)
            found = read_line(original.rstrip(), carrier(around, with_raw, original))
            if found is not None:
                yield from found
            else:
                yield line_warning("foreign-line", _FOREIGN, around, with_raw, original)

        form = LineForm(pattern=_form(), quick=_quick(), read=read, scope=scope)
        fold_forms(self, block, context, sink, form)


def _peel(text: str) -> tuple[str | None, str]:
    match = _STAMP.match(text) if text[:1] == "[" else None
    return (None, text.rstrip()) if match is None else (match["stamp"], text[match.end() :].rstrip())
