"""Parser of weave-npc's log: what it blocked, and the policy events it wrote beside.

Format: weaveworks/weave ``npc`` and ``common`` (1.9 to 2.8; before 1.9 logrus text).
Only a TCP connection's first SYN and every UDP packet are logged; ICMP and other protocols never are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    GROUPS,
    NOTHING,
    Block,
    Cause,
    Event,
    FlowEvent,
    FlowSink,
    Frame,
    LineEnvelope,
    LineForm,
    LogEvent,
    ParseContext,
    ParseWarning,
    Peer,
    Reading,
    Record,
    TimeSource,
    Verdict,
    Witness,
    canonical_ip,
    cut_lines,
    decode,
    fold_forms,
    frame,
    iter_lines,
    parse_rfc3339,
    port_number,
    seek,
    zoned_second,
)
from flowdiag_parsers.weave.policy_event import EVENT, change

__all__ = ["WeaveNpc"]

# "WARN: 2020/09/09 13:43:06.963438 TCP connection from 10.32.0.3:33702 to 10.40.0.1:80 blocked by Weave NPC."  1.9 to 2.8
# 'time="2016-10-06T00:17:09Z" level=warning msg="TCP connection from 10.32.0.3:1 to ... blocked by Weave NPC."'  before 1.9
_HEADER = re.compile(
    r"(?P<level>DEBU|INFO|WARN|ERRO|FATA|PANI): (?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d) (?P<clock>\d\d:\d\d:\d\d\.\d{6}) "
    r"|time=\"(?P<at>[^\"]{19,40})\" level=(?P<word>[a-z]{4,7}) msg=\"?"
)
_BLOCKED = re.compile(
    r"(?P<proto>TCP|UDP) connection from (?P<src>\S{1,80}|<unknown IP>:\d{1,5}) to"
    r" (?P<dst>\S{1,80}|<unknown IP>:\d{1,5}) blocked by Weave NPC\."
)


# The same as whole lines since 1.9, with the groups of `flowdiag.parserkit.line_form.GROUPS`: but for DHCP's, whose ports
# make them what they are.
@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:WARN: (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\.(\d{6}) ((?:TCP|UDP) connection from (?!0\.0\.0\.0:)[0-9.]{7,15}|"
        rb"(?:TCP|UDP) connection from \[[0-9a-f:.]{2,45}\])():(\d{1,5}) to ([0-9.]{7,15}|\[[0-9a-f:.]{2,45}\]):(\d{1,5})"
        rb" blocked by Weave NPC\.()()()()"
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:WARN: (\d{4}/\d\d/\d\d .{8})\.(\d{6}) ((?:TCP|UDP) connection from (?!0\.0\.0\.0:)[0-9.]{7,15})():(\d{1,5})"
        rb" to ([0-9.]{7,15}):(\d{1,5}) blocked by Weave NPC\.()()()()"
        rb"|(.*))\n"
    )


_STAMP_BYTES = len("WARN: 2020/09/09 13:43:06.963438 ")
_REST = GROUPS.index("rest")
_AGAIN = b"again"
_SNIFF = re.compile(
    rb"blocked by Weave NPC\.|(?:DEBU|INFO): \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} (?:EVENT (?:Add|Update|Delete)"
    rb"(?:NetworkPolicy|Namespace|Pod) \{|adding rule .{1,400}WEAVE-NPC|Starting Weaveworks NPC )"
)
_LEVELS = {
    "DEBU": "debug",
    "INFO": "info",
    "WARN": "warning",
    "ERRO": "error",
    "FATA": "fatal",
    "PANI": "panic",
}

_SAME_PACKET_NS = 1_000_000
"""Two rules log one packet, at most some hundred microseconds apart (weaveworks/weave#2994)."""
_REMEMBERED = 256
_NEVER = -(1 << 62)

# "Starting Weave NPC 2.8.1; node name ..."   the controller's first line
_SIGNALS = (("Starting Weave NPC", "agent-started"), ("Fatal error", "agent-crashed"))


class WeaveNpc:
    """Blocked connections, policy changes (EVENT lines) and other messages of weave-npc."""

    name: ClassVar[str] = "weave-npc"
    summary: ClassVar[str] = "Weave Net policy controller log (blocked connections, EVENT lines)"
    cni: ClassVar[str | None] = "weave"
    # One packet leaves two lines: the second is told from a second packet by the line before.
    sequential: ClassVar[bool] = True
    follows_time: ClassVar[bool] = True
    document: ClassVar[bool] = False
    marks_state: ClassVar[bool] = True
    """Only blocked connections are remembered."""

    def sniff(self, head: bytes) -> float:
        """A blocked line, an EVENT line or the first line of all is a mark; the header alone is any weave component's."""
        words = (b"blocked by Weave NPC", b" EVENT ", b" adding rule ", b"Starting Weaveworks NPC ")
        return 0.97 if seek(_SNIFF, head, *words) is not None else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Every refusal says so in words; the few lines that tell how policies were before are read as well."""
        del head
        return (b"blocked by Weave NPC", b"NetworkPolicy {", b"Namespace {")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield a flow for each blocked line, a change for each policy EVENT, a message for the rest."""
        seen: dict[bytes, int] = context.memory.setdefault("weave-npc", {})
        for index, line in iter_lines(block):
            text = decode(line)
            header = _HEADER.search(text, 0, 400)
            if header is None:
                if b"blocked by Weave NPC" in line:
                    around = block.of_line(index)
                    yield ParseWarning(
                        **frame(around, context, text), code="truncated", message="the line has no beginning"
                    )
                continue
            around = block.of_line(index)
            shared = frame(around, context, text, _instant(header, context))
            yield from self._record(text[header.end() :], header, shared, seen, around)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first line of each kind."""
        with_raw = structs.replace(context, keep_raw=True)
        seen: dict[bytes, int] = context.memory.setdefault("weave-npc", {})

        def read(line: bytes, around: LineEnvelope, record: Record) -> Iterator[Event]:
            text = decode(line)
            header, blocked = _HEADER.match(text), _BLOCKED.search(text)
            if header is not None and blocked is not None:
                shared = frame(around, with_raw, text, _instant(header, with_raw))
                yield _flow(blocked, shared, again=record[_REST] == _AGAIN)

        clock = zoned_second(context.zone)
        telling = _Telling(seen, clock)
        form = LineForm(
            pattern=_form(),
            quick=_quick(),
            clock=clock,
            read=read,
            joined=telling.joined,
            whole=telling.whole,
        )
        fold_forms(self, block, context, sink, form)

    def _record(
        self, body: str, header: re.Match[str], shared: Frame, seen: dict[bytes, int], around: LineEnvelope
    ) -> Iterator[Event]:
        blocked = _BLOCKED.search(body, 0, 400)
        if blocked is not None:
            own = shared["at"] if shared["time_source"] is TimeSource.RECORD else None
            again = _is_again(blocked[0].encode("utf-8", "replace"), shared["at"], own, seen)
            yield _flow(blocked, shared, again=again)
            return
        event = EVENT.match(body)
        if event is not None and event["kind"] != "Pod":
            yield change(event, body[event.end() :], shared)
            return
        if body.startswith(("TCP connection", "UDP connection")):
            yield ParseWarning(**shared, code="truncated", message="a blocked connection, cut off")
            return
        yield LogEvent(
            **shared,
            level=_LEVELS.get(header["level"] or "", header["word"]),
            component=around.container or "weave-npc",
            message=body[:2000],
            signal=next((signal for words, signal in _SIGNALS if words in body), None),
        )


class _Telling:
    """Tells a packet's second line from the line of a second packet, by the lines' bytes.

    Args:
        seen: the texts of recent lines with their times; changed by each line.
        clock: as `LineForm.clock`.
    """

    def __init__(self, seen: dict[bytes, int], clock: Callable[[bytes, bool], int | None]) -> None:
        self._seen = seen
        self._clock = clock
        self._instants: dict[bytes, int | None] = {}

    def joined(self, place: int, record: Record, reading: Reading) -> Record:
        """See `LineForm.joined`."""
        start = self._start(record[0])
        if start is None:
            # Not a day of the calendar: the wrapper's time counts.
            reading.read(place, place + 1)
            return NOTHING
        at = start + int(record[1]) * 1000
        again = _is_again(reading.lines[place][_STAMP_BYTES:], at, at, self._seen)
        return (*record[:_REST], _AGAIN, b"") if again else record

    def whole(self, data: bytes, reading: Reading) -> bool:
        """See `LineForm.whole`: as `joined` for blocks in which nearly all lines are refusals since 1.9."""
        if not data.isascii() or not data.endswith(b"\n"):
            return False
        found = _quick().findall(data)
        lines = cut_lines(data)
        if len(found) != len(lines):
            return False
        seen, instants, give = self._seen, self._instants, reading.amend
        remembered = seen.get
        for place, record in enumerate(found):
            second = record[0]
            start = instants.get(second) if second else None
            if start is None:
                start = self._start(second) if second else None
                if start is None:
                    reading.look_at(place, place + 1)
                    continue
            at = start + int(record[1]) * 1000
            words = lines[place][_STAMP_BYTES:]
            if 0 <= at - remembered(words, _NEVER) <= _SAME_PACKET_NS:
                del seen[words]
                give(place, (*record[:_REST], _AGAIN, b""))
                continue
            if len(seen) >= _REMEMBERED:
                seen.clear()
            seen[words] = at
            give(place, record)
        return True

    def _start(self, second: bytes) -> int | None:
        if second not in self._instants:
            self._instants[second] = self._clock(second, False)
        return self._instants[second]


def _instant(header: re.Match[str], context: ParseContext) -> int | None:
    """Containers usually run in UTC, but the stamp does not say so: it is in the context's zone."""
    stamp = header["at"] or f"{header['y']}-{header['m']}-{header['d']}T{header['clock']}"
    try:
        return parse_rfc3339(stamp, context.zone)
    except (ValueError, OverflowError):
        return None


def _is_again(words: bytes, at: int | None, own: int | None, seen: dict[bytes, int]) -> bool:
    """Whether an earlier line with the same text is about the same packet.

    Args:
        words: the line's text without its stamp.
        at: its time in nanoseconds, from its own stamp or from its wrapper.
        own: the same if the stamp is its own: only such a line is remembered.
        seen: the texts of recent lines with their times; changed here.
    """
    before = seen.get(words)
    if at is not None and before is not None and 0 <= at - before <= _SAME_PACKET_NS:
        del seen[words]
        return True
    if own is not None:
        if len(seen) >= _REMEMBERED:
            seen.clear()
        seen[words] = own
    return False


def _flow(blocked: re.Match[str], shared: Frame, *, again: bool) -> FlowEvent:
    src, dst = _end(blocked["src"]), _end(blocked["dst"])
    # A client without an address asks everybody for one (weaveworks/weave#3657): no policy is meant for that.
    dhcp = (src.ip, src.port, dst.port) == ("0.0.0.0", 68, 67)  # noqa: S104 - an address in a log, not a socket
    return FlowEvent(
        **shared,
        src=src,
        dst=dst,
        protocol=blocked["proto"],
        verdict=Verdict.DENIED,
        verdict_raw="blocked",
        cause=Cause.NOISE if dhcp else Cause.POLICY,
        # NetworkPolicy knows no deny rule: what Weave blocks, no policy allowed.
        reason="dhcp-broadcast" if dhcp else "default-deny",
        witness=Witness.VERDICT if again else Witness.DROP,
    )


def _end(text: str) -> Peer:
    """``%v:%d``: the port is always there, and an IPv6 address before it has no brackets."""
    host, _, number = text.rpartition(":")
    port = port_number(number) or None
    return Peer(ip=None if host == "<unknown IP>" else canonical_ip(host.strip("[]")), port=port)
