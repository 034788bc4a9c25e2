"""Parser of tollgate's log.  tollgate is an invented eBPF firewall; its format is what home-grown ones look like.

A line for each connection that was judged, and one where the ring buffer overran:

    2026-01-05T10:00:00.123456Z tollgate[worker-1] DROP ingress tcp 10.1.2.3:40000 > 10.1.4.5:8080 rule=default pod=shop/web-1
    2026-01-05T10:00:07.000000Z tollgate[worker-1] LOST 12 events
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from flowdiag.parserkit import (
    Block,
    Cause,
    Direction,
    Event,
    FlowEvent,
    Frame,
    GapEvent,
    ParseContext,
    ParseWarning,
    Peer,
    PolicyHit,
    Verdict,
    canonical_ip,
    decode,
    frame,
    iter_lines,
    parse_rfc3339,
    protocol_name,
    split_address,
)

__all__ = ["Tollgate"]

# "2026-01-05T10:00:00.123456Z tollgate[worker-1] DROP ..."      tollgate 1.0
_HEADER = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) tollgate\[(?P<node>[a-z0-9.-]{1,253})\] "
)
# "DROP ingress tcp 10.1.2.3:40000 > 10.1.4.5:8080 rule=default pod=shop/web-1"
# "PASS egress udp [fd00::3]:5000 > [fd00::a]:53 rule=dns pod=shop/web-1"
# "DROP ingress icmp 10.1.2.3 > 10.1.4.5 rule=default pod=shop/web-1"
_FLOW = re.compile(
    r"(?P<word>DROP|PASS) (?P<way>ingress|egress) (?P<proto>[a-z0-9]{2,10}) (?P<src>\S{2,60}) > (?P<dst>\S{2,60})"
    r" rule=(?P<rule>\S{1,253}) pod=(?P<ns>[a-z0-9-]{1,63})/(?P<pod>[a-z0-9.-]{1,253})$"
)
# "LOST 12 events"
_LOST = re.compile(r"LOST (?P<lost>\d{1,12}) events$")

_SNIFF = re.compile(
    rb"^\d{4}-\d\d-\d\dT[\d:.]{15}Z tollgate\[[a-z0-9.-]{1,253}\] (?:DROP|PASS|LOST) ", re.MULTILINE
)
_VERDICTS = {"DROP": Verdict.DENIED, "PASS": Verdict.ALLOWED}


class Tollgate:
    """Connections that tollgate let pass or dropped."""

    name: ClassVar[str] = "tollgate"
    summary: ClassVar[str] = "tollgate firewall log (example of a third-party parser)"
    cni: ClassVar[str | None] = "tollgate"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False

    def sniff(self, head: bytes) -> float:
        """The program's name behind the stamp is nobody else's."""
        return 0.95 if _SNIFF.search(head) else 0.0

    def denied_marks(self, head: bytes) -> tuple[bytes, ...] | None:
        """Every line that can be a refusal or a gap holds one of these: ``--only denied`` skips the rest unread."""
        del head
        return (b" DROP ", b" LOST ")

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield an event per line of tollgate's; lines of others are nobody's record and are passed over."""
        for index, line in iter_lines(block):
            text = decode(line)
            header = _HEADER.match(text)
            if header is None:
                continue
            shared = frame(block.of_line(index), context, text, _instant(header["at"]), node=header["node"])
            yield _event(text[header.end() :].rstrip(), shared)


def _instant(stamp: str) -> int | None:
    """The 31st of February has the shape of a time, and is none."""
    try:
        return parse_rfc3339(stamp)
    except ValueError:
        return None


def _event(body: str, shared: Frame) -> Event:
    lost = _LOST.match(body)
    if lost is not None:
        return GapEvent(**shared, kind="lost-events", lost=int(lost["lost"]))
    flow = _FLOW.match(body)
    if flow is None:
        return ParseWarning(**shared, code="malformed-line", message="neither a connection nor a loss")
    denied = flow["word"] == "DROP"
    by_default = flow["rule"] == "default"
    return FlowEvent(
        **shared,
        # The firewall runs at one pod's door: that end's name is known, the other end's is not.
        src=_end(flow["src"], flow if flow["way"] == "egress" else None),
        dst=_end(flow["dst"], flow if flow["way"] == "ingress" else None),
        protocol=protocol_name(flow["proto"]),
        direction=Direction(flow["way"]),
        verdict=_VERDICTS[flow["word"]],
        verdict_raw=flow["word"],
        cause=Cause.POLICY if denied else None,
        reason=("default-deny" if by_default else "policy-rule-denied") if denied else None,
        policies=() if by_default else (_policy(flow, denied=denied),),
    )


def _policy(flow: re.Match[str], *, denied: bool) -> PolicyHit:
    return PolicyHit(
        kind="TollgateRule",
        group="tollgate.example.com",
        namespace=flow["ns"],
        name=flow["rule"],
        effect="deny" if denied else "allow",
    )


def _end(text: str, pod: re.Match[str] | None) -> Peer:
    host, port = split_address(text)
    return Peer(
        ip=canonical_ip(host),
        port=port,
        namespace=pod["ns"] if pod else None,
        pod=pod["pod"] if pod else None,
    )
