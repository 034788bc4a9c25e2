"""The contract test that parserkit gives to authors of parsers catches their mistakes, each in words that name it.

One parser of an invented format that keeps every promise, and beside it the same with one mistake each.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import count
from typing import ClassVar

import msgspec
import pytest

from flowdiag.parserkit import (
    Cause,
    FlowEvent,
    GapEvent,
    ParseWarning,
    Peer,
    Verdict,
    canonical_ip,
    decode,
    frame,
    iter_lines,
    parse_rfc3339,
)
from flowdiag.parserkit.testing import assert_parser_contract

SAMPLE = b"""\
2026-03-02T10:00:00Z acmewall@worker-1: BLOCK tcp 192.0.2.3:40000 -> 192.0.2.5:8080
2026-03-02T10:00:01Z acmewall@worker-1: OK tcp 192.0.2.3:40001 -> 192.0.2.5:8081
2026-03-02T10:00:02Z acmewall@worker-1: MISSED 12
2026-03-02T10:00:03Z acmewall@worker-1: BLOCK udp 192.0.2.3:40000 -> 192.0.2.5:53
2026-03-02T10:00:04Z acmewall@worker-1: BLOCK tc
"""
# "2026-03-02T10:00:00Z acmewall@worker-1: BLOCK tcp 192.0.2.3:40000 -> 192.0.2.5:8080"  an invented firewall
_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) acmewall@([a-z0-9-]{1,63}): (BLOCK|OK|MISSED) (.{0,200})"
)
_ENDS = re.compile(r"(tcp|udp) ([\d.]{7,15}):(\d{1,4}|[1-5]\d{4}) -> ([\d.]{7,15}):(\d{1,4}|[1-5]\d{4})\Z")


class Right:
    """Keeps every promise."""

    name = "acme-wall"
    summary = "Acme wall log"
    cni = None
    sequential = False
    document = False

    def sniff(self, head):
        return 0.95 if b" acmewall@" in head else 0.0

    def denied_marks(self, head):
        del head
        return (b": BLOCK ", b": MISSED ")

    def parse(self, block, context):
        for index, line in iter_lines(block):
            text = decode(line)
            found = _LINE.match(text)
            if found is not None:
                yield self.event(found, self.shared(block, index, context, text, found))

    def shared(self, block, index, context, text, found):
        return frame(block.of_line(index), context, text, self.at(found[1]), node=found[2])

    def at(self, stamp):
        try:
            return parse_rfc3339(stamp)
        except ValueError:
            return None

    def event(self, found, shared):
        ends = _ENDS.match(found[4])
        if found[3] == "MISSED" and found[4].isascii() and found[4].isdigit() and len(found[4]) < 10:
            return GapEvent(**shared, kind="lost-events", lost=int(found[4]))
        if ends is None:
            return ParseWarning(**shared, code="malformed-line", message="neither a connection nor a loss")
        denied = found[3] == "BLOCK"
        return FlowEvent(
            **shared,
            src=Peer(ip=ends[2], port=int(ends[3])),
            dst=Peer(ip=ends[4], port=int(ends[5])),
            protocol=ends[1].upper(),
            verdict=Verdict.DENIED if denied else Verdict.ALLOWED,
            cause=Cause.POLICY if denied else None,
        )


def changed(**more):
    """The right parser, with parts of its flow events replaced."""

    class Changed(Right):
        def event(self, found, shared):
            event = super().event(found, shared)
            return msgspec.structs.replace(event, **more) if isinstance(event, FlowEvent) else event

    return Changed


def having(**members):
    """The right parser with other members."""
    return type("Having", (Right,), members)


class Remembering(Right):
    """Takes the node of the line before."""

    def parse(self, block, context):
        before = None
        for event in super().parse(block, context):
            yield msgspec.structs.replace(event, node=before) if before and event.line % 2 else event
            before = f"{event.node}-{event.line}"


class KeptInContext(Right):
    """Keeps something between blocks, and does not say so."""

    def parse(self, block, context):
        context.memory["seen"] = True
        yield from super().parse(block, context)


class Stateful(Right):
    """Numbers its events across blocks in the instance."""

    def __init__(self):
        self.counted = count()

    def parse(self, block, context):
        for event in super().parse(block, context):
            yield msgspec.structs.replace(event, node=f"n{next(self.counted)}")


class Endless(Right):
    """Never stops."""

    def parse(self, block, context):
        del block, context
        for number in count(1):
            yield ParseWarning(line=1, code="again", message=str(number))


class OwnLines(Right):
    """Counts lines by itself, whatever the block says."""

    def shared(self, block, index, context, text, found):
        return {**super().shared(block, index, context, text, found), "line": index + 1}


class AlwaysRaw(Right):
    """Keeps the text that nobody asked for."""

    def shared(self, block, index, context, text, found):
        return {**super().shared(block, index, context, text, found), "raw": text}


class Trusting(Right):
    """Believes that what looks like a time is one."""

    def at(self, stamp):
        return parse_rfc3339(stamp)


class Seconds(Right):
    """Gives seconds."""

    def at(self, stamp):
        at = super().at(stamp)
        return None if at is None else at // 10**9


class Floats(Right):
    """Gives nanoseconds with a fraction."""

    def at(self, stamp):
        at = super().at(stamp)
        return None if at is None else float(at)


class Datetimes(Right):
    """Gives what Python calls a time."""

    def at(self, stamp):
        at = super().at(stamp)
        return None if at is None else datetime.fromtimestamp(at // 10**9, UTC)


def raising(*_):
    """What no parser does."""
    raise KeyError("flow")


MISTAKES = {
    "no summary": (having(summary=""), "summary is one line of text"),
    "a name in two words": (having(name="Acme Wall"), "kebab-case"),
    "sequential is a word": (having(sequential="no"), "sequential is True or False"),
    "parse is no method": (having(parse=[]), "parse is a method"),
    "sniff in words": (having(sniff=lambda *_: "high"), "sniff gives a number, not 'high'"),
    "sniff in per cent": (having(sniff=lambda *_: 95), "sniff stays within 0 and 1, not 95"),
    "sniff of no number": (having(sniff=lambda *_: float("nan")), "sniff stays within 0 and 1"),
    "sniff raises": (having(sniff=raising), "sniff raises KeyError"),
    "sniff of everything": (having(sniff=lambda *_: 0.9), "claims what is nobody's"),
    "sniff of nothing": (having(sniff=lambda *_: 0.0), "sniff claims none of the samples"),
    "marks in a list": (having(denied_marks=lambda *_: [b"BLOCK"]), "a tuple of byte strings"),
    "marks of text": (having(denied_marks=lambda *_: ("BLOCK",)), "byte strings, none empty"),
    "no marks": (having(denied_marks=lambda *_: ()), "at least one mark"),
    "marks raise": (having(denied_marks=raising), "denied_marks raises KeyError"),
    "marks forget the losses": (having(denied_marks=lambda *_: (b": BLOCK ",)), "without any of"),
    "nothing is read": (having(parse=lambda *_: iter(())), "none of the samples gives an event"),
    "garbage": (having(parse=lambda *_: iter([{"src": "192.0.2.3"}])), "parse yields events, not dict"),
    "parse raises": (having(parse=raising), "parse raises KeyError"),
    "the 31st of February": (Trusting, "parse raises ValueError"),
    "never ends": (Endless, "parse does not end"),
    "seconds": (Seconds, "is it seconds"),
    "fractions": (Floats, "whole nanoseconds"),
    "datetimes": (Datetimes, "whole nanoseconds"),
    "lines of its own": (OwnLines, "outside the block"),
    "text that nobody asked for": (AlwaysRaw, "keep_raw"),
    "a record hangs on another": (Remembering, "sequential = True"),
    "state in the instance": (Stateful, "sequential = True"),
    "state in the context": (KeptInContext, "memory is for sequential parsers"),
    "a negative count": (changed(count=-1), "from 1 on, not -1"),
    "a count of none": (changed(count=0), "from 1 on, not 0"),
    "the vendor's verdict": (changed(verdict="BLOCK"), "verdict_raw"),
    "the verdict as text": (changed(verdict="denied"), "verdict is "),
    "policies in a list": (changed(policies=[]), "policies is ()"),
    "a protocol in small letters": (changed(protocol="tcp"), "protocol_name"),
    "a cause for what was allowed": (changed(cause=Cause.POLICY), "cause says why"),
    "no end": (changed(src=None), "$.src"),
    "a port in words": (changed(dst=Peer(ip="192.0.2.5", port="8080")), "$.dst.port"),
    "a port too high": (changed(dst=Peer(ip="192.0.2.5", port=80_800)), "port_number"),
    "an address with its port": (changed(dst=Peer(ip="192.0.2.5:8080")), "split_address"),
    "an address that is not canonical": (changed(dst=Peer(ip="::ffff:192.0.2.5")), "canonical_ip"),
    "an empty name": (changed(dst=Peer(ip="192.0.2.5", pod="")), "not empty"),
    "labels in a dictionary": (changed(src=Peer(labels={"app": "web"})), "$.src.labels"),
    "a time that is denied": (changed(time_source="none"), "time_source says"),
}


def test_right_parser_passes():
    """What is right is not called wrong."""
    assert_parser_contract(Right(), [SAMPLE])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_caught(mistake):
    """Each mistake fails the contract, and the failure says what must be instead."""
    parser, words = MISTAKES[mistake]

    with pytest.raises(AssertionError, match=re.escape(words)):
        assert_parser_contract(parser(), [SAMPLE])


@pytest.mark.parametrize("word", ["name", "summary", "cni", "sequential", "document", "sniff", "parse"])
def test_lacking_member_is_named(word):
    """A member that is not there is named."""
    members = {
        each: getattr(Right, each) for each in dir(Right) if not each.startswith("__") and each != word
    }

    with pytest.raises(AssertionError, match=f"it has no {word}"):
        assert_parser_contract(type("Lacking", (), members)(), [SAMPLE])


JSON_SAMPLE = b"".join(
    b'{"at":"2026-03-02T10:00:0%dZ","wall":{"action":"%s","from":"192.0.2.3","to":"192.0.2.5"}}\n'
    % (second, action)
    for second, action in enumerate((b"BLOCK", b"OK", b"BLOCK"))
)


class Lookup:
    """Looks a value of JSON up as it stands, whatever it is."""

    name = "acme-json"
    summary = "Acme wall in JSON"
    cni = None
    sequential = False
    document = False
    verdicts: ClassVar = {"BLOCK": Verdict.DENIED, "OK": Verdict.ALLOWED}

    def sniff(self, head):
        return 0.95 if b'"wall":' in head else 0.0

    def parse(self, block, context):
        for index, line in iter_lines(block):
            try:
                body = json.loads(line)
                at = parse_rfc3339(body["at"])
                wall = body["wall"]
                action = wall["action"]
                src, dst = (Peer(ip=canonical_ip(wall[word]) or None) for word in ("from", "to"))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            verdict = self.verdicts.get(self.word(action), Verdict.UNKNOWN)
            shared = frame(block.of_line(index), context, decode(line), at)
            yield FlowEvent(**shared, verdict=verdict, src=src, dst=dst)

    def word(self, action):
        return action


class Careful(Lookup):
    """Asks first whether it is a word."""

    def word(self, action):
        return action if isinstance(action, str) else None


def test_value_of_another_kind_is_tried():
    """A list where a word belongs, of which no damage of bytes makes one: sets and dictionaries take none."""
    assert_parser_contract(Careful(), [JSON_SAMPLE])
    with pytest.raises(AssertionError, match="parse raises TypeError"):
        assert_parser_contract(Lookup(), [JSON_SAMPLE])
