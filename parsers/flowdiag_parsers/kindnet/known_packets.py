"""Joining a packet's usual lines by their bytes: only what is odd is read.

A packet's lines nearly always stand together, and those of the next one say the same but for the id, the moment and a
port: one pattern cuts them all (`WHOLE`).  Where lines of several packets stand among each other, `Joining` holds what
was looked at until its verdict comes; whatever it cannot be sure of it hands over as lines, which the parser reads into
its own state as if they had never been held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from msgspec import Struct, field

from flowdiag.parserkit import (
    CLIENTS,
    LAST_PORT,
    NOTHING,
    PLAIN,
    Block,
    Reading,
    Record,
    count_lines,
    finished,
)

__all__ = ["FORM", "MOST_HELD", "Joining", "PacketMemory", "Stream", "is_one_stream", "words_of"]

MOST_HELD = 4096
"""How many packets without a verdict are remembered."""

_KLOG = rb"([IWEF]\d{4} \d\d:\d\d:\d\d)\.(\d{6}) {1,8}\d{1,10} [A-Za-z0-9_.-]{1,80}:\d{1,7}\] "
# Groups: second, fraction, the byte before the words (which tells a record from its indented text), then what each
# kind of line says, and last any other line.
# I0105 10:00:01.000001       1 engine.go:67] "Evaluating packet" id=9 direction="Egress" srcPod="shop/client" dstPod="shop/web" packet=<
#         [9] 10.0.1.3:40243 10.0.2.2:8080 TCP
#         00000000  00 00 a0 02 fa f0 19 33  00 00 02 04 05 b4 04 02  |.......3........|
#  >
# I0105 10:00:01.000100       1 engine.go:67] "Packet denied by egress policy" id=9                               v0.9
_ID = rb"(0|[1-9]\d{0,9})"
FORM = re.compile(
    rb"(?:(?:"
    + _KLOG
    + rb'|)([\t "])(?:Evaluating packet" id='
    + _ID
    + rb' direction="([A-Za-z]{1,10})" srcPod="([!#-\[\]-~]{0,300})" dstPod="([!#-\[\]-~]{0,300})" packet=<'
    rb'|(Packet (?:accepted by policy|denied by (?:e|in)gress policy))" id='
    + _ID
    + rb'|Finished syncing packet" id='
    + _ID
    + rb' duration="[^"\n]{0,40}" verdict="[a-z]{1,10}"'
    rb"|\[(\d{1,10})\] ([0-9A-Fa-f.:]{2,60}):(\d{1,5}) ([0-9A-Fa-f.:]{2,60}):(\d{1,5}) ([A-Za-z0-9-]{1,16})"
    rb"|[0-9a-f]{8} [^\n]*|>)"
    rb"|([^\n]*))\n"
)

_HEAD = rb" {1,8}\d{1,10} [A-Za-z0-9_.-]{1,80}:\d{1,7}\] "
# All lines of one packet and its verdict's behind them; the same sample as above.  Groups: id; direction and both
# pods; both addresses with their ports; protocol; the dump of its bytes; the verdict's second, fraction and words;
# whether "Finished syncing packet" follows; and last any other line.  The pattern is loose to be fast: what it
# captured may hold anything, newlines too, until `_SAID` has checked it.
WHOLE = re.compile(
    rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6}"
    + _HEAD
    + rb'"Evaluating packet" id='
    + _ID
    + rb' (direction="[^"]{1,10}" srcPod="[^"]{0,300}" dstPod="[^"]{0,300})" packet=<\n'
    rb"\t\[\d{1,10}\] ([^:]{2,40}):(\d{1,5}) ([^:]{2,40}):(\d{1,5}) (.{1,16})\n((?:\t.*\n)* >\n)"
    rb"([IWEF]\d{4} \d\d:\d\d:\d\d)\.(\d{6})"
    + _HEAD
    + rb'"(Packet (?:accepted by policy|denied by (?:e|in)gress policy))" id=\1\n'
    rb"(?:[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6}"
    + _HEAD
    + rb'"(F)inished syncing packet" id=\1 duration="[^"\n]{0,40}" verdict="[a-z]{1,10}"\n|)'
    rb"|(.*)\n"
)
_LOOKED_AT = b'"Evaluating packet" id='
_BETWEEN = b"\xff"
"""Joins the parts of what a packet's lines say; no part holds it (see `_SAID`)."""
_SAID = re.compile(
    rb'direction="([A-Za-z]{1,10})" srcPod="([!#-\[\]-~]{0,300})" dstPod="([!#-\[\]-~]{0,300})'
    rb"\xff([0-9A-Fa-f.:]{2,60})\xff([0-9A-Fa-f.:]{2,60})\xff([A-Za-z0-9-]{1,16})"
)
_MOST_SAID = 100_000
"""How many different texts of packets are remembered; when there are more, all are forgotten."""
_MICROSECOND = 1_000

_PACKET = 10
"""Index of the group of `FORM` that only a line of addresses fills."""


class Stream(Protocol):
    """The parser's own state of one container."""

    latest: int | None

    @property
    def packets(self) -> Mapping[int, object]:
        """By their id."""
        ...


class _Held(Struct):
    """A packet that waits for its verdict: its "Evaluating packet" line, the line of addresses below, and what they say."""

    place: int
    pods: tuple[bytes, bytes, bytes]
    """Direction, client and server, as the line spells them."""
    ends: Record | None = None
    before: _Held | None = None
    """The same packet in the other direction."""

    def lines(self) -> list[int]:
        """Indexes in the block of the lines that are held, in order."""
        earlier = self.before.lines() if self.before is not None else []
        return [*earlier, self.place] if self.ends is None else [*earlier, self.place, self.place + 1]


class PacketMemory(Struct):
    """What earlier blocks taught about packets."""

    said: dict[bytes, bool] = field(default_factory=dict)
    """Texts of packets that `_SAID` has accepted."""
    known: dict[str | None, tuple[dict[bytes, int], dict[bytes, int]]] = field(default_factory=dict)
    """By node the numbers of kinds of packets: where the left port is the client's, and where the right one is."""


class Joining:
    """Joins the lines of one container in one block.

    Args:
        stream: the parser's state of that container; what it holds, only the parser judges.
        memory: what earlier blocks taught; valid as long as the sink's numbers are.
        node: where the container runs.
    """

    def __init__(self, stream: Stream, memory: PacketMemory, node: str | None) -> None:
        self._stream = stream
        self._said = memory.said
        self._known = memory.known.setdefault(node, ({}, {}))
        for known in self._known:
            if len(known) > _MOST_SAID:
                known.clear()
        self._held: dict[bytes, _Held] = {}
        self._latest: tuple[int, _Held] | None = None
        """The packet that was looked at last, and the index of the line that must have its addresses."""
        self._reading: Reading | None = None

    @contextmanager
    def held(self) -> Iterator[tuple[list[int], Sequence[bytes]]]:
        """Give up every packet that still waits: its lines are to be read, in this context, by the parser itself."""
        stream = self._stream
        places = [place for one in self._held.values() for place in one.lines()]
        latest, ended = stream.latest, self._latest is None
        self._held.clear()
        self._latest = None
        yield places, self._reading.lines if places and self._reading is not None else []
        if ended:
            # Other lines followed the last packet: indented text from here on is not its.
            stream.latest = latest

    def whole(self, data: bytes, reading: Reading) -> bool:
        """See `flowdiag.parserkit.LineForm.whole`."""
        if _LOOKED_AT not in data:
            return False
        found = WHOLE.findall(finished(data))
        if len(found) * 2 > count_lines(data):
            # Over half of the matches would be single lines: packets are interleaved nearly everywhere, and line by
            # line is faster.
            return False
        stream, held, said_before, join = self._stream, self._held, self._said, _BETWEEN.join
        packets, moments = stream.packets, dict[bytes, int]()
        by_left, by_right = self._known
        passed: list[int] = []
        passed_ats: list[int] = []
        refused: list[int] = []
        refused_ats: list[int] = []
        clients: list[int] = []
        places: list[int] = []
        place, waiting, counted = 0, -1, False
        for record in found:
            start = place
            if not record[0]:
                place += 1
                if waiting < 0:
                    waiting = start
                continue
            number, pods, src, sport, dst, dport, protocol, dump, second, fraction, words, done, _ = record
            verdict = start + 2 + dump.count(b"\n")
            place = verdict + (2 if done else 1)
            # Usually exactly one port is from the range that clients get; the other is then the server's.
            client, server, known = sport, dport, by_left
            if len(sport) == 5 and CLIENTS <= sport <= LAST_PORT:
                sure = not (len(dport) == 5 and CLIENTS <= dport <= LAST_PORT)
            else:
                sure = len(dport) == 5 and CLIENTS <= dport <= LAST_PORT
                client, server, known = dport, sport, by_right
            kind = join((pods, src, dst, protocol, words, server))
            how = known.get(kind) if sure else None
            if how is None:
                said = join((pods, src, dst, protocol))
                if not (said in said_before or self._is_whole(said)):
                    if waiting < 0:
                        waiting = start
                    continue
            if waiting >= 0:
                if counted:
                    stream.latest = self._latest = None
                    counted = False
                reading.look_at(waiting, start)
                waiting = -1
            if (packets or held) and (
                number in held or int(number) in packets or len(packets) + len(held) >= MOST_HELD
            ):
                waiting = start
                continue
            counted = True
            at = moments.get(second)
            if at is None:
                at = moments[second] = reading.moment(second)
            if how is None or at < 0:
                said = join((pods, src, dst, protocol))
                one = (second, fraction, words, said, sport, b"", dport, b"", b"", b"", b"", b"")
                if not sure or at < 0:
                    reading.amend(verdict, one)
                    continue
                met = reading.known(verdict, one)
                if met is None or met.number < PLAIN:
                    if met is not None:
                        reading.amend(verdict, one)
                    continue
                how = known[kind] = met.number
            if how < 0:
                refused.append(~how)
                refused_ats.append(at + int(fraction) * _MICROSECOND)
                clients.append(int(client))
                places.append(verdict)
            else:
                passed.append(how)
                passed_ats.append(at + int(fraction) * _MICROSECOND)
        reading.repeat(passed, passed_ats, [0] * len(passed))
        reading.refuse(refused, refused_ats, [0] * len(refused), clients, places)
        if counted:
            stream.latest = self._latest = None
        if waiting >= 0:
            reading.look_at(waiting, place)
        if not data.endswith(b"\n"):
            reading.read(place, place + 1)
        return True

    def _is_whole(self, said: bytes) -> bool:
        if _SAID.fullmatch(said) is None:
            return False
        if len(self._said) >= _MOST_SAID:
            self._said.clear()
        return self._said.setdefault(said, True)

    def joined(self, place: int, record: Record, reading: Reading) -> Record:
        """See `flowdiag.parserkit.LineForm.joined`."""
        if not record[0] and not record[_PACKET] and self._latest is None and self._stream.latest is None:
            # The dump of a packet whose addresses were taken already.
            return NOTHING
        second, _, first, looked, way, src_pod, dst_pod, words, judged, finished, packet, *ends, _ = record
        stream, latest = self._stream, self._latest
        if bool(second) is not (first == b'"'):
            reading.read(place, place + 1)
            return NOTHING
        if second:
            stream.latest = None
            self._latest = None
            if looked:
                return self._look(place, looked, (way, src_pod, dst_pod), reading)
            if judged:
                return self._judge(place, record, words, judged, reading)
            if not finished or finished in self._held or int(finished) in stream.packets:
                reading.read(place, place + 1)
            return NOTHING
        if packet and latest is not None and latest[0] == place:
            latest[1].ends = tuple(ends)
            self._latest = None
        elif latest is not None or stream.latest is not None:
            # It may be the indented text of the packet that was looked at last.
            reading.read(place, place + 1)
        return NOTHING

    def _look(self, place: int, number: bytes, pods: tuple[bytes, bytes, bytes], reading: Reading) -> Record:
        before = self._held.get(number)
        full = len(self._stream.packets) + len(self._held) >= MOST_HELD
        if full or int(number) in self._stream.packets or (before is not None and before.before is not None):
            reading.read(place, place + 1)
            return NOTHING
        self._reading = reading
        one = _Held(place, pods, before=before)
        self._held.pop(number, None)
        self._held[number] = one
        self._latest = place + 1, one
        return NOTHING

    def _judge(self, place: int, record: Record, words: bytes, number: bytes, reading: Reading) -> Record:
        one = self._held.get(number)
        before = one.before if one is not None else None
        if one is None or one.ends is None or (before is not None and before.ends != one.ends):
            reading.read(place, place + 1)
            return NOTHING
        del self._held[number]
        src, sport, dst, dport, protocol = one.ends
        pods = b'direction="%s" srcPod="%s" dstPod="%s' % one.pods
        said = _BETWEEN.join((pods, src, dst, protocol))
        return (record[0], record[1], words, said, sport, b"", dport, b"", b"", b"", b"", b"")


def is_one_stream(block: Block) -> bool:
    """Whether all lines come from one container."""
    columns = block.envelope
    return columns is None or all(
        column is None or len(set(column)) <= 1 for column in (columns.node, columns.pod)
    )


def words_of(said: bytes) -> tuple[str, ...]:
    """Direction, both pods, both addresses and the protocol of a record that `Joining` gave."""
    match = _SAID.fullmatch(said)
    return () if match is None else tuple(part.decode() for part in match.groups())
