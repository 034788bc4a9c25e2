"""Parser of ``hubble observe`` (default printer ``compact``): one flow a line, with arrows."""

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
from flowdiag_parsers.hubble.observe_event import clean, flow_event, lost_event, notice_event, record_frame
from flowdiag_parsers.hubble.observe_time import QUICK_STAMP, STAMP, STAMP_BYTES, Clock
from flowdiag_parsers.hubble.observe_words import VERDICTS

__all__ = ["HubbleCompact"]

_VERDICT_WORDS = "|".join(VERDICTS)

# e.g. "Jan  1 00:20:34.567 [k8s1]: ", "2021-06-22T14:24:00.345Z: "; "[k8s1]: " where an envelope took the stamp
_PREFIX = rf"(?:(?P<stamp>{STAMP})?(?: ?\[(?P<node>[^\]\s]{{1,300}})\])?: )?"


# e.g. "Jan  1 00:20:34.567 [k8s1]: 1.1.1.1:31793 (health) -> 2.2.2.2:8080 (ID:12345) Policy denied DROPPED (TCP Flags: SYN)"
#                                                                                             1.20, --print-node-name
# "Feb  7 13:43:46.791: default/xwing:54842 (ID:22654) <> default/deathstar-6fb5694d48-5hmds:80 (ID:16530)
#  policy-verdict:none DENIED (TCP Flags: SYN)"                                               1.11
# "... policy-verdict:none EGRESS DENIED BY my-policy (CiliumNetworkPolicy) (TCP Flags: SYN)"  1.20, --print-policy-names
# "May 14 22:45:49.857 [minikube]: kube-system/hubble-gnjtk:34850 -> kube-system/coredns-66bff467f8-tzfv9:53(domain)
#  dns-request FORWARDED (DNS Query google.com. AAAA)"                                        hubble 0.5
# The type is free text, so it is bounded; what follows the verdict never starts over.
@cache
def _flow() -> re.Pattern[str]:
    return re.compile(
        rf"{_PREFIX}"
        r"(?P<left>\S{1,1000})(?: \((?P<left_id>ID:\d{1,10}|[a-z][a-z0-9-]{0,40})\))?"
        r" (?P<arrow>->|<-|<>) "
        r"(?P<right>\S{1,1000})(?: \((?P<right_id>ID:\d{1,10}|[a-z][a-z0-9-]{0,40})\))?"
        rf" (?P<type>.{{1,200}}?) (?P<verdict>{_VERDICT_WORDS})"
        r"(?: BY (?P<by>[^\s(),]{1,253}(?: \([A-Z][A-Za-z]{0,50}Policy\))?"
        r"(?:, [^\s(),]{1,253}(?: \([A-Z][A-Za-z]{0,50}Policy\))?){0,15}))?"
        r"(?: \((?P<summary>.*)\))?\s*"
    )


# e.g. "Jan  1 00:20:34.567 [k8s1]: EVENTS LOST: HUBBLE_RING_BUFFER CPU(3) 12"   "... EVENTS LOST: PERF_EVENT_RING_BUFFER CPU(0) 7"
# "Jan  1 00:20:34.567 EVENTS LOST: HUBBLE_RING_BUFFER CPU(3) 12": no colon behind the stamp     1.19
@cache
def _lost() -> re.Pattern[str]:
    return re.compile(rf"(?:{_PREFIX}|(?P<bare>{STAMP}) )EVENTS LOST: (?P<source>\w{{1,60}})(?P<rest> .*)?")


# e.g. "Jan  1 00:20:34.567 [k8s1]: POLICY_UPDATED (labels: [key1=val1], revision: 123, count: 2)"
@cache
def _notice() -> re.Pattern[str]:
    return re.compile(rf"{_PREFIX}(?P<kind>[A-Z][A-Z_]{{2,40}})(?: \((?P<details>.*)\))?\s*")


_SNIFF = re.compile(
    rb"^(?:[\x80-\xff]{1,16} {1,2}\[\d{1,9}\] )?(?P<stamp>(?:[A-Z][a-z]{2}[ ,]|\d{4}-)[^\n]{10,340}?: )?\S{1,300}(?: \([\w:-]{1,40}\))?"
    rb" (?:->|<-|<>) \S{1,300}[^\n]{1,240}? (?:"
    + _VERDICT_WORDS.encode()
    + rb")(?: BY [^\n]{1,300})?(?:\x1b\[0m)? \([^\n]*\)\s*$",
    re.MULTILINE,
)
# Groups as `flowdiag.parserkit.line_form.GROUPS` has them; MAC addresses, colours and other alphabets go the slow way.
# e.g. "Feb  7 13:43:46.791: shop/web-1:54842 (ID:22654) <> shop/api-1:80 (ID:16530) Policy denied DROPPED (TCP Flags: SYN)"
_END = rb"(?:[^ \n:\[\x1b\x80-\xff]{1,500}|\[[0-9a-f:.]{2,45}\])"
_ID = rb"(?: \([\w:-]{1,41}\))?"


@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:"
        + STAMP_BYTES
        + rb"((?:Z?(?: ?\[[^\] \n\x1b\x80-\xff]{1,300}\])?: )?"
        + _END
        + rb")()(?::(\d{1,5}))?"
        rb"(" + _ID + rb" (?:->|<-|<>) " + _END + rb")(?::(\d{1,5}))?"
        rb"("
        + _ID
        + rb" [^\n\x1b\x80-\xff]{1,400}\()()(?:TCP Flags: ([A-Z, ]{2,59}[A-Z]))?([^\n(\x1b\x80-\xff]{0,2000}\))"
        rb"|([^\n]*))\n"
    )


_QUICK_END = rb"(?:\[[^\]]{2,45}\]|[^:]{1,500})"


# The same for the most usual of them, tried first: see `flowdiag.parserkit.LineForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:"
        + QUICK_STAMP
        + rb"(Z?[^:]{0,300}: "
        + _QUICK_END
        + rb")():(\d{1,5})((?: \([^)]{1,41}\)|) [-<>]{2} "
        + _QUICK_END
        + rb"):(\d{1,5})( .{1,400}\()()(?:TCP Flags: ([A-Z, ]{2,59}[A-Z])|)(.{0,2000}\))"
        rb"|(.*))\n"
    )


_COLOUR = re.compile(rb"\x1b\[[0-9;]{0,20}[A-Za-z]")
_LOST_MARK = re.compile(rb"^[^\n]{0,340}?:? EVENTS LOST: \w+ ", re.MULTILINE)

# Said by the agent and the command itself around the flows, on the same terminal.
_CHATTER = ("time=", "level=", "Filter:")


class HubbleCompact:
    """``hubble observe -o compact``."""

    name: ClassVar[str] = "hubble-compact"
    summary: ClassVar[str] = "hubble observe text, one flow a line with arrows (-o compact)"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True

    def sniff(self, head: bytes) -> float:
        """A line with an arrow between two ends, a verdict word and a summary is a mark."""
        head = head[:65_536]
        if b"\x1b" in head:
            head = _COLOUR.sub(b"", head)
        match = seek(_SNIFF, head, b" -> ", b" <- ", b" <> ")
        if match is not None:
            return 0.97 if match["stamp"] else 0.9
        return 0.9 if b"EVENTS LOST: " in head and _LOST_MARK.search(head) else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:  # noqa: ARG002 - the protocol's signature
        """The verdict words of a denial and an audit, and the loss line."""
        return (b"DROPPED", b"DENIED", b"AUDIT", b"EVENTS LOST")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one event a line; ``<-`` lines are turned back to how the packet went."""
        clock = Clock(context)
        final = block.data.count(b"\n") if block.last else -1
        for index, line in iter_lines(block):
            if not line.strip():
                continue
            around = block.of_line(index)
            text = decode(line)
            yield from _line(text, around, context, clock, cut=index == final)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count as reading would, but read only the first record of each kind."""
        clock, with_raw = Clock(context), structs.replace(context, keep_raw=True)

        def read(line: bytes, around: LineEnvelope, _: Record) -> Iterator[Event]:
            return _line(decode(line), around, with_raw, clock, cut=False)

        form = LineForm(pattern=_form(), quick=_quick(), clock=clock.start, read=read)
        fold_forms(self, block, context, sink, form)


def _line(
    original: str, around: LineEnvelope, context: ParseContext, clock: Clock, *, cut: bool
) -> Iterator[Event]:
    text = clean(original)
    match = _flow().fullmatch(text)
    if match is not None and not (cut and not text.rstrip().endswith(")")):
        (stamp, node, left, left_id, arrow, right, right_id, kind, verdict, by, summary) = match.groups()
        left_end, right_end = (left, left_id), (right, right_id)
        swapped = arrow == "<-"
        yield flow_event(
            record_frame(original, around, context, clock, stamp, node),
            source=right_end if swapped else left_end,
            destination=left_end if swapped else right_end,
            kind=kind,
            verdict=verdict,
            by=by,
            summary=summary,
            is_reply=None if arrow == "<>" else swapped,
        )
        return
    if match := _lost().fullmatch(text):
        rest, stamp = match["rest"] or "", match["stamp"] or match["bare"]
        shared = record_frame(original, around, context, clock, stamp, match["node"])
        yield lost_event(rest, match["source"], context, shared)
    elif (match := _notice().fullmatch(text)) and (match["stamp"] or match["node"]):
        shared = record_frame(original, around, context, clock, match["stamp"], match["node"])
        yield notice_event(match["kind"], match["details"] or "", shared)
    elif cut:
        yield line_warning("truncated", "the last line is cut off", around, context, original)
    elif not text.startswith(_CHATTER) and not said_around(text):
        yield line_warning("foreign-line", "not a line of hubble observe", around, context, original)
