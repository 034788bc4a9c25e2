"""The fast path through a block: the scanner counts the lines that it knows, and the rest is decoded (`json_full`).

Without a scanner all lines are decoded, in runs of 64 KiB, since that is twice as fast in a core's cache as decoding
megabytes at once.
"""

from __future__ import annotations

import gc

from flowdiag.parserkit import Block, FlowSink, ParseContext
from flowdiag_parsers.hubble.json_codes import Refused
from flowdiag_parsers.hubble.json_full import FullReading
from flowdiag_parsers.hubble.json_learnt import Learnt
from flowdiag_parsers.hubble.json_native import Found, places_of
from flowdiag_parsers.hubble.json_reading import Read
from flowdiag_parsers.hubble.json_run import Lines
from flowdiag_parsers.hubble.json_teaching import Teaching

__all__ = ["expect_lines", "fold_lines"]

_RUN = 1 << 16


def fold_lines(block: Block, context: ParseContext, sink: FlowSink) -> None:
    """Count the records of a block of lines; `sink` gets what `parse` would yield."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        _Folding(block, context, sink).run()
    finally:
        if collecting:
            gc.enable()


def expect_lines(block: Block, sink: FlowSink) -> None:
    """Begin with a block that is to be folded after others."""
    learnt: Learnt | None = sink.memo.get("hubble", {}).get("learnt")
    if learnt is not None and learnt.teaching is not None and not learnt.is_full:
        learnt.teaching.begin(block.data, bare=_are_bare(block.data))


class _Folding(FullReading):
    """One block's way through."""

    def run(self) -> None:
        data = self._block.data
        read: Read | None = self._block.found
        if read is not None:
            self._look_at(read.of(self._learnt), read.found, data, bare=read.bare)
        else:
            bare = _are_bare(data)
            teaching = self._learnt.teaching_for(len(data))
            if teaching is None:
                self._read_all(data, bare=bare)
            else:
                self._look_at(teaching, teaching.scan(data, bare=bare), data, bare=bare)
        refused = self._refusals
        columns = refused.lanes, refused.ats, refused.ports, refused.flags, refused.places
        self._sink.hits(self._block, *columns, refused.text)
        if self._records:
            timed = self._last >= 0
            self._sink.seen(self._records, self._first if timed else None, self._last if timed else None)

    def _read_all(self, data: bytes, *, bare: bool) -> None:
        start, index, size = 0, 0, len(data)
        while start < size:
            end = data.rfind(b"\n", start, start + _RUN) + 1
            if not end:
                end = data.find(b"\n", start + _RUN - 1) + 1 or size
            run = data[start:end]
            lines = Lines.all_of(run, index)
            index += len(lines)
            self._read(run, lines, bare=bare)
            start = end

    def _look_at(self, teaching: Teaching, found: Found, data: bytes, *, bare: bool) -> None:
        self._take(teaching, found, data, bare=bare)
        # Since these lines were left, the scanner may have learnt from others all that it needs to know them.
        for again in teaching.again(data, found.left, self._sink, bare=bare):
            self._take(teaching, again, data, bare=bare)
            if again.left:
                lines = Lines(data, *places_of(again.left))
                self._read(lines.joined(), lines, bare=bare)

    def _take(self, teaching: Teaching, found: Found, data: bytes, *, bare: bool) -> None:
        """Count the lines that the scanner knows."""
        if found.is_empty:
            return
        self._first, self._last = min(self._first, found.first), max(self._last, found.last)
        if found.times:
            waiting = self._sink.waiting
            waiting.srcs.frombytes(found.sources)
            waiting.dsts.frombytes(found.destinations)
            waiting.ports.frombytes(found.ports)
            waiting.kinds.frombytes(found.kinds)
            waiting.ats.frombytes(found.times)
            waiting.flags.frombytes(found.flags)
            self._records += len(found.times) // 8
        if found.hits:
            begins, ends, numbers, *said = found.hits_of()
            self._refusals.add(Lines(data, begins, ends, numbers), *said)
            self._records += len(begins)
        if found.laned:
            begins, ends, numbers, *said = found.laned_of()
            kinds = said[4]
            records: list[Refused] = [
                (position, at, src, dst, port, other, teaching.laned[kind])
                for position, (src, dst, port, other, kind, at) in enumerate(zip(*said, strict=True))
            ]
            lanes = self._count(records, Lines(data, begins, ends, numbers))
            for record, kind, lane in zip(records, kinds, lanes, strict=True):
                teaching.lane(record, kind, lane)
            self._records += len(begins)
        if found.akin:
            self._adopt(teaching, found, data, bare=bare)
        for name, ips, ttl, at in found.answers:
            self._answer(name, ips, None if ttl < 0 else ttl, at)

    def _adopt(self, teaching: Teaching, found: Found, data: bytes, *, bare: bool) -> None:
        """Count lines that are known but for their node, and have the scanner count others like them by itself."""
        memory, sink, waiting = self._memory, self._sink, self._sink.waiting
        begins, ends, numbers, *columns = found.akin_of()
        laned: list[Refused] = []
        for position, (src, dst, port, other, number, at, start, size) in enumerate(
            zip(*columns, strict=True)
        ):
            family = teaching.families[number]
            node = data[start : start + size].decode()
            code = memory.code_at(node, family.code)
            way = memory.way_of(code, node, sink, turned=family.turned)
            kind = teaching.adopt(data, begins[position], ends[position], code, way, family.flags, bare=bare)
            if kind is not None:
                laned.append((position, at, src, dst, port, other, kind))
                continue
            waiting.srcs.append(src)
            waiting.dsts.append(dst)
            waiting.ports.append(port or -1)
            waiting.kinds.append(way.number)
            waiting.ats.append(at)
            waiting.flags.append(family.flags)
        self._count(laned, Lines(data, begins, ends, numbers))
        self._records += len(begins)


def _are_bare(data: bytes) -> bool:
    """Whether lines are flows without a wrapper."""
    return data.find(b'"flow"', 0, 4096) < 0
