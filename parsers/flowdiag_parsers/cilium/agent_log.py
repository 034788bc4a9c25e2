"""Parser of the logs of cilium-agent, cilium-operator and hubble-relay, whatever their format option."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import ClassVar

from msgspec import structs

from flowdiag.parserkit import (
    Block,
    ChangeEvent,
    Event,
    FlowSink,
    GapEvent,
    LineEnvelope,
    LogEvent,
    ObjectRef,
    ParseContext,
    ParseWarning,
    QuietForm,
    TimeSource,
    decode,
    fold_quiet,
    frame,
    iter_lines,
    lines_holding,
    parse_rfc3339,
    said_around,
    seek,
    yearless_instant,
)
from flowdiag_parsers.cilium.agent_signals import signal_of
from flowdiag_parsers.cilium.agent_syntax import Entry, is_trace, read_entry
from flowdiag_parsers.cilium.exported import is_exported, read_exported
from flowdiag_parsers.cilium.policies import policy_in_text, policy_of_resource

__all__ = ["CiliumAgentLog"]

_KEYS = rb"(?:level|Level)=(?:trace|debug|info|warn|warning|error|fatal|panic)\b[^\n]{0,400}?(?:msg|Message)="
# "subsys=" is logrus, "module=agent." slog; both are Cilium's own habit
_OWN = re.compile(
    _KEYS + rb"[^\n]{0,4000}?(?:\bsubsys=|\bSubsystem=|\bmodule=(?:agent|operator|hubble|health)\b)"
)
_SOURCE = re.compile(rb"level=\w+ source=/go/src/github\.com/cilium/|cilium\.io/agent: \"")
_JSON = re.compile(rb'^\{(?=[^\n]{0,4000}"level": ?")(?=[^\n]{0,4000}"msg": ?")', re.MULTILINE)
_JSON_OWN = re.compile(rb'"subsys": ?"|"module": ?"(?:agent|operator|hubble|health)\b')
_ANY = re.compile(_KEYS)
_GO = re.compile(rb"^goroutine \d+ \[running\]:", re.MULTILINE)
_UNQUOTED = re.compile(r"\\.")
_QUEUE = re.compile(r"(\d{1,12}) (?:messages|events)")

# A record without an error of its own; groups as `flowdiag.parserkit.quiet_lines` has them.
# time=2026-03-17T14:09:46.120Z level=info source=/go/src/... msg="Rewrote endpoint BPF program" module=agent.datapath
# level=info msg="Rewrote endpoint BPF program" endpointID=2013 subsys=endpoint                       logrus, to 1.17
_QUOTE = rb'(?:"(?=[0-9T:.-]{19,30}Z" )|(?=[0-9T:.-]{19,30}Z ))'
"""Before a stamp: quoted on both sides, or on none."""


@cache
def _form() -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:(?:time="
        + _QUOTE
        + rb'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z"? )?(level=[a-z]{4,7}) (?:source=[^ \n]{1,300} )?'
        rb'msg="([^"\\\n]{0,1000})"([^\n]*)'
        rb"|([^\n]*))\n"
    )


# The same for the most usual of them, tried first: see `flowdiag.parserkit.QuietForm`.
@cache
def _quick() -> re.Pattern[bytes]:
    return re.compile(
        rb"^time="
        + _QUOTE
        + rb'(\d.{9}T.{8}(?:\.\d{1,9}|))Z"? level=[a-z]{4,7} (?:source=[^ ]{1,300} |)msg="([^"]{0,1000})".*\n',
        re.MULTILINE,
    )


_MAX_KNOWN = 20_000

_DELETED = "deleted"
_UPDATED = "updated"


class CiliumAgentLog:
    """Logs of Cilium's components: logrus logfmt, slog text, JSON, klog lines and stack traces among them."""

    name: ClassVar[str] = "cilium-agent-log"
    summary: ClassVar[str] = "logs of cilium-agent, cilium-operator and hubble-relay (logfmt, slog, JSON)"
    cni: ClassVar[str | None] = "cilium"
    sequential: ClassVar[bool] = False
    document: ClassVar[bool] = False
    tells_inferred_years: ClassVar[bool] = True
    carries: ClassVar[tuple[str, ...]] = ("hubble-json",)

    def sniff(self, head: bytes) -> float:
        """Cilium's keys beside level and message are a mark; level and message alone are any Go program's."""
        head = head[:65_536]
        json = seek(_JSON, head, b'"level":') is not None
        if (
            seek(_OWN, head, b"evel=")
            or seek(_SOURCE, head, b"evel=", b"cilium.io/agent: ")
            or (json and _JSON_OWN.search(head))
        ):
            # One line of the agent's among a command's output is not yet a log.
            return 0.95 if _mostly_log(head) else 0.55
        if json:
            return 0.4
        if seek(_ANY, head, b"evel="):
            return 0.5
        return 0.3 if seek(_GO, head, b"goroutine ") else 0.0

    def parse(self, block: Block, context: ParseContext) -> Iterator[Event]:
        """Yield one log event a line, and the change or gap that it reports; of an exported flow its event."""
        final = block.data.count(b"\n") if block.last else -1
        for index, line in iter_lines(block):
            yield from _line(line, block.of_line(index), context, last=index == final)

    def fold(self, block: Block, context: ParseContext, sink: FlowSink) -> None:
        """Count records that carry no signal, and read the others."""
        known: dict[bytes, bool] = sink.memo.setdefault("messages", {})

        def says_nothing(message: bytes) -> bool:
            quiet = known.get(message)
            if quiet is None:
                if len(known) >= _MAX_KNOWN:
                    known.clear()
                quiet = known[message] = b"\\" not in message and signal_of(decode(message), None) is None
            return quiet

        def is_quiet(kind: bytes, message: bytes, rest: bytes) -> bool:  # noqa: ARG001 - levels do not matter
            # What may end in an error's key: both cases of the long one, and the short one.
            return says_nothing(message) and b"rror=" not in rest and b"err=" not in rest

        def loud(messages: Sequence[bytes], data: bytes) -> list[int]:
            # A message comes again and again, and errors are rare.
            speaking = {message for message in set(messages) if not says_nothing(message)}
            telling = (
                [index for index, message in enumerate(messages) if message in speaking] if speaking else []
            )
            # Both keys of errors end so.
            failing = lines_holding(data, (b"rror=", b"err="))
            return sorted({*telling, *failing}) if failing else telling

        def clock(second: bytes, enveloped: bool) -> int | None:  # noqa: ARG001 - as `LineForm.clock` is called
            try:
                return parse_rfc3339(f"{second.decode('ascii')}Z")
            except ValueError:  # not a day of the calendar
                return None

        with_raw = structs.replace(context, keep_raw=True)

        def read(line: bytes, around: LineEnvelope) -> Iterator[Event]:
            return _line(line, around, with_raw, last=False)

        form = QuietForm(
            pattern=_form(), quick=_quick(), is_quiet=is_quiet, loud=loud, clock=clock, read=read
        )
        fold_quiet(self, block, context, sink, form)


def _line(line: bytes, around: LineEnvelope, context: ParseContext, *, last: bool) -> Iterator[Event]:
    """`last` where it is the input's last line, without a newline."""
    if is_exported(line):
        yield from read_exported(line, around, context, last=last)
        return
    text = decode(line)
    if not text.strip():
        return
    # A last line that ends inside a quoted value was cut off: half of a message may mislead.
    cut = last and _UNQUOTED.sub("", text).count('"') % 2 == 1
    entry = None if cut else read_entry(text)
    raw = text if context.keep_raw else None
    if entry is not None:
        yield from _events(entry, around, context, raw)
    elif not is_trace(text) and not said_around(text):
        yield ParseWarning(
            **frame(around, context, text),
            code="truncated" if last else "foreign-line",
            message="the last line is cut off" if last else "not a line of a Cilium component's log",
        )


def _mostly_log(head: bytes) -> bool:
    """Whether half of the first lines, stack traces aside, are entries of a log, or what is exported into it."""
    lines = [text for line in head.split(b"\n")[:40] if (text := decode(line)).strip() and not is_trace(text)]
    if len(lines) > 1 and len(lines[-1]) > 0 and not head.endswith(b"\n"):
        lines.pop()
    entries = sum(1 for text in lines if is_exported(text.encode()) or read_entry(text) is not None)
    return entries * 2 >= len(lines)


def _time(entry: Entry, around: LineEnvelope, context: ParseContext) -> tuple[int | None, TimeSource]:
    if entry.stamp is not None:
        try:
            return parse_rfc3339(entry.stamp, context.zone), TimeSource.RECORD
        except ValueError:  # another spelling of time, or no day of the calendar
            pass
    if entry.yearless is not None and around.at is None:
        month, day, hour, minute, second, nanos = entry.yearless
        at = yearless_instant(context, month, day, (hour, minute, second), nanos)
        if at is not None:
            return at, TimeSource.INFERRED_YEAR
    return around.at, around.time_source


def _events(entry: Entry, around: LineEnvelope, context: ParseContext, raw: str | None) -> Iterator[Event]:
    at, source = _time(entry, around, context)
    node = around.node or context.node
    fields = entry.fields
    error = fields.get("error") or fields.get("Error") or fields.get("err")
    signal = signal_of(entry.message, error)
    yield LogEvent(
        line=around.line,
        at=at,
        time_source=source,
        node=node,
        raw=raw,
        level=entry.level,
        component=entry.component or around.container or context.container or "cilium",
        message=entry.message,
        fields=fields,
        signal=signal,
    )
    if signal in {"policy-imported", "policy-deleted"}:
        policy = _policy(fields)
        if policy is not None:
            # The agent imports every policy again when it starts, so an import is never "created".
            change = _DELETED if signal == "policy-deleted" else _UPDATED
            yield ChangeEvent(
                line=around.line,
                at=at,
                time_source=source,
                node=node,
                raw=raw,
                object=policy,
                change=change,
                by="cilium-agent",
            )
    elif signal == "events-lost":
        lost = _QUEUE.search(entry.message)
        yield GapEvent(
            line=around.line,
            at=at,
            time_source=source,
            node=node,
            raw=raw,
            kind="lost-events",
            lost=int(lost[1]) if lost else None,
            message=entry.message,
        )


def _policy(fields: dict[str, str]) -> ObjectRef | None:
    """The one policy that an import or delete names, however that version names it."""
    resource = fields.get("resource")
    if resource is not None:
        return policy_of_resource(resource)
    name = fields.get("ciliumNetworkPolicyName")
    if name is not None:
        namespace = fields.get("k8sNamespace") or None
        kind = "CiliumNetworkPolicy" if namespace else "CiliumClusterwideNetworkPolicy"
        return ObjectRef(kind, "cilium.io", namespace, name)
    name = fields.get("k8sNetworkPolicyName")
    if name is not None:
        return ObjectRef("NetworkPolicy", "networking.k8s.io", fields.get("k8sNamespace") or None, name)
    for key in ("ciliumNetworkPolicy", "policyLabels", "labels", "ruleLabels"):
        if key in fields:
            return policy_in_text(fields[key])
    return None
