"""Counting ulogd's usual lines by their bytes: pairs that settle each other, and single lines that wait."""

from __future__ import annotations

from flowdiag.parserkit import MONTHS, NOTHING, FlowSink, Reading, Record
from flowdiag_parsers.nflog.packet_line import PAIR, packet_key
from flowdiag_parsers.nflog.waiting import BETWEEN, DROP, VERDICT, WAIT, Known, State, ready, taken

__all__ = ["Taking"]

_MONTHS = frozenset(name.encode() for name in MONTHS)


class Taking:
    """Takes lines that are only counted."""

    def __init__(self, state: State, sink: FlowSink) -> None:
        self._state = state
        self._sink = sink

    def joined(self, place: int, record: Record, reading: Reading) -> Record:
        """See `LineForm.joined`."""
        second, _, host, prefix, entered, left, src, dst, number, proto, sport, dport, flags, _ = record
        if second[:3] not in _MONTHS:
            # No stamp: its words belong to the prefix.
            reading.read(place, place + 1)
            return NOTHING
        state = self._state
        state.amend = reading.amend
        now = taken(
            state,
            packet_key((host, entered, src, sport, dst, dport, proto, number)),
            Known(
                place,
                prefix,
                (second, b"", host, entered, sport, src, dport, dst, left, flags, proto, b""),
            ),
        )
        self._tell()
        return now

    def whole(self, data: bytes, reading: Reading) -> bool:
        """See `LineForm.whole`: pairs of lines that settle each other at once."""
        found = PAIR.findall(data)
        lines = data.count(b"\n")
        if len(found) * 4 > lines * 3:
            # Less than half of the lines stand in pairs.
            return False
        state = self._state
        state.amend = give = reading.amend
        join = BETWEEN.join
        place, waiting = 0, -1
        for (
            second,
            _,
            host,
            prefix,
            _,
            entered,
            left,
            src,
            dst,
            number,
            proto,
            sport,
            dport,
            flags,
            _,
        ) in found:
            start = place
            place += 2 if second else 1
            if not second or second[:3] not in _MONTHS:
                if waiting < 0:
                    waiting = start
                continue
            if waiting >= 0:
                reading.look_at(waiting, start)
                waiting = -1
            if (
                state.open
                and packet_key((host, entered, src, sport, dst, dport, proto, number)) in state.open
            ):
                # Other policies of the packet were told before.
                waiting = start
                continue
            state.number += 2
            told = join((VERDICT, proto, prefix))
            give(start, (second, b"", host, entered, sport, src, dport, dst, left, flags, told, b""))
            told = join((DROP, proto))
            give(start + 1, (second, b"", host, entered, sport, src, dport, dst, left, flags, told, b""))
            if state.queue:
                self._tell()
        if waiting >= 0:
            reading.look_at(waiting, place)
        if not data.endswith(b"\n"):
            reading.read(place, place + 1)
        return True

    def _tell(self) -> None:
        """Tell what waits no longer."""
        state, queue = self._state, self._state.queue
        if queue and (queue[0].events is not None or queue[0].number < state.number - WAIT):
            for event in ready(state, state.number - WAIT):
                self._sink.add(event)
