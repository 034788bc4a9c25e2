"""Counting ulogd's usual lines by their bytes: pairs that settle each other, and single lines that wait."""

from __future__ import annotations

from flowdiag.parserkit import (
    CLIENTS,
    LAST_PORT,
    MONTHS,
    NOTHING,
    PLAIN,
    FlowSink,
    Reading,
    Record,
    count_lines,
    finished,
)
from flowdiag_parsers.nflog.packet_line import PAIR, packet_key
from flowdiag_parsers.nflog.waiting import BETWEEN, DROP, VERDICT, WAIT, Known, State, ready, taken

__all__ = ["Taking"]

_MOST = 100_000
"""How many kinds of pairs are remembered; when there are more, all are forgotten."""
_APART = b"\xff"
"""Joins the parts of a pair; no line that `PAIR` finds holds it."""
_NO_STAMP = 1 << 63
"""In place of a time: the line is no pair, or its stamp is no date of the calendar."""
_Pair = tuple[int, int, int]
"""The sink's lanes of the policy's line and of the last rule's, and the flags of both."""
_Pairs = dict[bytes, _Pair]
_MONTHS = frozenset(name.encode() for name in MONTHS)


class Taking:
    """Joins and counts lines of one block that need not be read.

    Args:
        state: the lines that wait for the last rule's.
        sink: where lines are counted.
        node: the node of lines whose host no envelope names.
    """

    def __init__(self, state: State, sink: FlowSink, node: str | None) -> None:
        self._state = state
        self._sink = sink
        self._known: dict[str | None, tuple[_Pairs, _Pairs]] = sink.memo.setdefault("pairs", {}).setdefault(
            node, {}
        )

    def joined(self, place: int, record: Record, reading: Reading) -> Record:
        """See `LineForm.joined`."""
        second, _, host, prefix, entered, left, src, dst, number, proto, sport, dport, flags, _ = record
        if second[:3] not in _MONTHS:
            # What looks like a stamp is none: it belongs to the prefix.
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
        found = PAIR.findall(finished(data))
        if len(found) * 4 > count_lines(data) * 3:
            # Less than half of the lines stand in pairs: line by line is faster.
            return False
        state = self._state
        state.amend = reading.amend
        # What stands in its lines tells a pair; of several nodes it does not.
        columns = reading.block.envelope
        nodes = set(columns.node) if columns is not None and columns.node else {None}
        mixed = len(nodes) > 1
        by_left, by_right = ({}, {}) if mixed else self._pairs(nodes.pop())
        join, moments = _APART.join, {b"": _NO_STAMP}
        told: list[_Pair] = []
        ats: list[int] = []
        ports: list[bytes] = []
        places: list[int] = []
        loose: list[bytes] = []
        place, waiting, lines = 0, -1, state.number
        for record in found:
            second, host, prefix, _, interfaces, ends, _, proto, sport, dport, flags, _ = record
            start = place
            at = moments.get(second)
            if at is None:
                at = moments[second] = reading.moment(second) if second[:3] in _MONTHS else _NO_STAMP
            place += 2 if second else 1
            if at == _NO_STAMP:
                if waiting < 0:
                    waiting = start
                loose.append(record[-1])
                continue
            if waiting >= 0:
                state.number = lines
                # A pair takes two lines, and is not among these.
                reading.look_at(waiting, start, loose if len(loose) == start - waiting else None)
                lines = state.number
                loose.clear()
                waiting = -1
            if state.open and _key(record) in state.open:
                # Other policies of the packet were told before.
                waiting = start
                continue
            lines += 2
            if state.queue:
                state.number = lines
                self._tell()
            # Usually exactly one port is from the range that clients get; the other is then the server's.
            client, server, pairs = sport, dport, by_left
            if len(sport) == 5 and CLIENTS <= sport <= LAST_PORT:
                sure = not (len(dport) == 5 and CLIENTS <= dport <= LAST_PORT)
            else:
                sure = len(dport) == 5 and CLIENTS <= dport <= LAST_PORT
                client, server, pairs = dport, sport, by_right
            kind = join((host, prefix, interfaces, ends, proto, server, flags))
            pair = pairs.get(kind) if sure else None
            if pair is None or at < 0:
                one, other = _records(record)
                if not sure or at < 0:
                    reading.amend(start, one)
                    reading.amend(start + 1, other)
                    continue
                pair = _known(start, one, other, reading)
                if pair is None:
                    continue
                if not mixed:
                    pairs[kind] = pair
            told.append(pair)
            ats.append(at)
            ports.append(client)
            places.append(start)
        state.number = lines
        if told:
            first, then, bits = zip(*told, strict=True)
            clients = list(map(int, ports))
            places += [start + 1 for start in places]
            reading.refuse(first + then, ats * 2, bits * 2, clients * 2, places)
        if waiting >= 0:
            reading.look_at(waiting, place, loose if len(loose) == place - waiting else None)
        if not data.endswith(b"\n"):
            reading.read(place, place + 1)
        return True

    def _pairs(self, node: str | None) -> tuple[_Pairs, _Pairs]:
        """Known kinds of pairs of a node: where the left port is the client's, and where the right one is."""
        known = self._known.setdefault(node, ({}, {}))
        for pairs in known:
            if len(pairs) > _MOST:
                pairs.clear()
        return known

    def _tell(self) -> None:
        """Give the parser's output what waits no longer."""
        state, queue = self._state, self._state.queue
        if queue and (queue[0].events is not None or queue[0].number < state.number - WAIT):
            for event in ready(state, state.number - WAIT):
                self._sink.add(event)


def _parts(record: Record) -> tuple[bytes, bytes, bytes, bytes]:
    """Both interfaces and both addresses of a pair."""
    _, _, _, _, interfaces, ends, *_ = record
    entered, _, left = interfaces.partition(b" OUT=")
    src, _, dst = ends.partition(b" DST=")
    return entered, left, src, dst


def _key(record: Record) -> bytes:
    _, host, _, _, _, _, number, proto, sport, dport, _, _ = record
    entered, _, src, dst = _parts(record)
    return packet_key((host, entered, src, sport, dst, dport, proto, number))


def _records(record: Record) -> tuple[Record, Record]:
    """What the two lines of a pair are to be counted as."""
    second, host, prefix, _, _, _, _, proto, sport, dport, flags, _ = record
    entered, left, src, dst = _parts(record)
    one, other = (
        (second, b"", host, entered, sport, src, dport, dst, left, flags, BETWEEN.join(told), b"")
        for told in ((VERDICT, proto, prefix), (DROP, proto))
    )
    return one, other


def _known(place: int, one: Record, other: Record, reading: Reading) -> _Pair | None:
    """How a pair is counted; ``None`` where its lines have been seen to."""
    first, then = reading.known(place, one), reading.known(place + 1, other)
    if first is not None and then is not None and PLAIN < first.number < 0 and PLAIN < then.number < 0:
        return ~first.number, ~then.number, first.flags
    if first is not None:
        reading.amend(place, one)
    if then is not None:
        reading.amend(place + 1, other)
    return None
