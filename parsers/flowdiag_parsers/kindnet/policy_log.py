"""Parser of kube-network-policies' log, also inside kindnet, Talos (1.13 and later) and flannel's chart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    GROUPS,
    KLOG_BYTES,
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
    part_of,
    seek,
    unfinished_line,
    yearless_instant,
)

if TYPE_CHECKING:
    from flowdiag_parsers.kindnet.known_packets import Joining
    from flowdiag_parsers.kindnet.streams import Streams

__all__ = ["KubeNetworkPolicies"]

_SNIFF = re.compile(
    rb'"?Evaluating packet"? (?:\[\d|id=|srcPod=)|"Packet (?:denied by (?:egress|ingress) policy|accepted by policy)"'
    rb'|"msg"\s{0,4}:\s{0,4}"Evaluating packet"|Finished syncing packet"? (?:\d|id=)|"msg"\s{0,4}:\s{0,4}"Packet (?:denied|accepted) by'
)
_WORDS = (b"Evaluating packet", b"Packet denied by", b"Packet accepted by", b"Finished syncing packet")
_HEAD, _SAID, _LEFT, _RIGHT = (GROUPS.index(name) for name in ("head", "more", "left", "right"))


class KubeNetworkPolicies:
    """Verdicts of kube-network-policies, joined to the packets they are about."""

    name: ClassVar[str] = "kube-network-policies"
    summary: ClassVar[str] = "kube-network-policies and kindnet log (klog text or JSON)"
    cni: ClassVar[str | None] = "kindnet"
    sequential: ClassVar[bool] = True
    follows_time: ClassVar[bool] = True
    document: ClassVar[bool] = False
    # kindnet's log tells of routes for hours before a policy exists and a packet is judged.
    record_words: ClassVar[tuple[bytes, ...]] = _WORDS

    def sniff(self, head: bytes) -> float:
        """The words about packets are a mark."""
        if seek(_SNIFF, head, *_WORDS) is None:
            return 0.0
        return 0.95 if KLOG_BYTES.search(head) is not None or b'"msg":' in head else 0.7

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow per verdict, and one without for a packet whose verdict is not there."""
        # What reads is loaded where there is such a log: every parser is asked about every file.
        from flowdiag_parsers.kindnet.judged import read_line, without_half
        from flowdiag_parsers.kindnet.streams import stream_of, unjudged

        streams: Streams = context.memory.setdefault("knp", {})
        cut = unfinished_line(block)
        for index, line in iter_lines(block):
            if line.strip():
                around = block.of_line(index)
                stream, text = stream_of(streams, around), decode(line)
                if index == cut:
                    text = without_half(text, stream)
                yield from read_line(text, stream, around, context)
        if block.last:
            yield from unjudged(streams)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first verdict of each kind, and what is odd."""
        from flowdiag_parsers.kindnet.known_packets import FORM, Joining, PacketMemory, is_one_stream
        from flowdiag_parsers.kindnet.streams import stream_of

        with_raw = structs.replace(context, keep_raw=True)
        if not is_one_stream(block):
            for event in self.parse(block, with_raw):
                sink.add(event)
            return
        streams: Streams = context.memory.setdefault("knp", {})
        around, memory = block.of_line(0), sink.memo.setdefault("packets", {})
        known = memory.setdefault("known", PacketMemory())
        joining = Joining(stream_of(streams, around), known, around.node or context.node)
        through = _Through(self, block, joining)
        form = LineForm(
            pattern=FORM,
            clock=_second_of(context),
            read=_reader(with_raw),
            joined=joining.joined,
            whole=joining.whole,
        )
        fold_forms(through, block, context, sink, form)
        for event in through.parse(Block(data=b"", last=block.last), with_raw):
            sink.add(event)


class _Through(KubeNetworkPolicies):
    """Has what `Joining` holds read before any other line, so that the parser's state is as if nothing had been held."""

    def __init__(self, parser: KubeNetworkPolicies, block: Block, joining: Joining) -> None:
        self._parser = parser
        self._block = block
        self._joining = joining

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """As `KubeNetworkPolicies.parse`."""
        with self._joining.held() as (held, lines):
            for place in held:
                yield from self._parser.parse(part_of(self._block, lines, place, place + 1), context)
        yield from self._parser.parse(block, context)


def _second_of(context: ParseContext) -> Callable[[bytes, bool], int | None]:
    def read(text: bytes, enveloped: bool) -> int | None:
        del enveloped  # a stamp without a known year has none of its own
        clock = int(text[6:8]), int(text[9:11]), int(text[12:14])
        return yearless_instant(context, int(text[1:3]), int(text[3:5]), clock)

    return read


def _reader(context: ParseContext) -> Callable[[bytes, LineEnvelope, Record], Iterator[Event]]:
    """Reads a verdict's line that `Joining` joined."""
    from flowdiag_parsers.kindnet.judged import read_known
    from flowdiag_parsers.kindnet.known_packets import words_of

    def read(line: bytes, around: LineEnvelope, record: Record) -> Iterator[Event]:
        way, src_pod, dst_pod, src, dst, protocol = words_of(record[_SAID])
        yield from read_known(
            decode(line),
            around,
            context,
            words=record[_HEAD].decode(),
            way=way,
            pods=(src_pod, dst_pod),
            src=(src, record[_LEFT].decode()),
            dst=(dst, record[_RIGHT].decode()),
            protocol=protocol,
        )

    return read
