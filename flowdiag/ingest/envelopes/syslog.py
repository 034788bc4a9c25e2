"""Syslog headers, as rsyslog, syslog-ng and ``journalctl`` print them.

Sources: RFC 3164 section 4.1, RFC 5424 section 6, RFC 6587 section 3.4.1 (frames on TCP), rsyslog's ``RSYSLOG_FileFormat``, ``journalctl(1)`` -o.
The program's tag goes with the header (``kernel: ``, ``kubelet[4713]: ``); the kernel's uptime stays with the line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.rows import Layer, Row, Rows, ends_open, instant, rows_from
from flowdiag.parserkit import MONTHS, ParseContext, from_epoch, yearless_instant

__all__ = ["JournalMonotonic", "Syslog3164", "Syslog5424", "SyslogFrames", "SyslogIso", "SyslogUnix"]

_PRIORITY = rb"(?:<\d{1,3}>)?"
_HOST = rb" (?P<node>[A-Za-z0-9_.-]{1,253})"
# What stands before a colon and is no program's tag: the line begins there, behind a stream's name or kubectl's time.
_NO_TAG = b"|".join(
    (
        # "2026-01-05T10:00:00.123456+00:00 agent-1f0c WARN: 2026/01/05 ..." is a stream of CloudWatch's with a line of
        # Weave's behind it; so are the next ones.
        rb"(?:DEBUG?|INFO|WARN(?:ING)?|ERRO?R?|FATAL?|PANIC?):",
        # "... agent-1f0c Node: ip-10-0-1-2;SIP: 10.0.0.1;SPORT: ...", a verdict of the AWS network policy agent.
        rb"Node: [^;\s]{1,253};SIP: ",
        # "... agent-1f0c DESTINATION: 10.0.0.2:8080", a field of `hubble observe -o dict`.
        rb"(?:TIMESTAMP|NODE|SOURCE|DESTINATION|TYPE|VERDICT|SUMMARY): ",
        # "... agent-1f0c panic: runtime error: ...", what Go's runtime writes first of a crash.
        rb"panic: ",
        # "... agent-1f0c bird: Mesh_192_0_2_7: State changed to down", as calico-node's log has it; and a library there.
        rb"(?:bird6?|libbpf): ",
        # "2026-01-05T10:00:00.123456789Z CPU 03: MARK 0x51c2d3e4 FROM 1904 DROP: ..." of cilium monitor -v.
        rb"\d{1,64}:",
        # "2026-01-05T10:00:00.123456789Z End Tier: default  (action: deny)" of Calico's dump of eBPF policies.
        rb"Tier: ",
    )
)
_TAG = rb" (?!" + _NO_TAG + rb")[A-Za-z0-9_./()@-]{1,64}(?:\[\d{1,10}\])?:(?: |$)"


class Syslog3164(Header):
    """``Mon dd hh:mm:ss host tag: line``: no year, no zone."""

    name = "syslog-rfc3164"
    year_inferred = True
    # "Dec  4 01:30:07 node3 kernel: [307753.360525] calico-packet: IN=..."    rsyslog traditional format
    # "Nov 08 03:22:19.123456 node-1 weave[311]: ..."                          journalctl -o short-precise
    # A blank after the host instead of a tag (ulogd's syslogemu.log) is no syslog: its line starts there.
    pattern = re.compile(
        rb"^" + _PRIORITY + rb"(?P<at>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)" + _HOST + _TAG,
        re.MULTILINE,
    )

    def stamp(self, text: bytes) -> int | None:
        """The instant in the context's zone and year (given or inferred); ``None`` where neither is known."""
        words = text.decode("ascii")
        month = MONTHS.get(words[:3])
        if month is None:
            return None
        clock, _, fraction = words[7:].partition(".")
        hour, minute, second = (int(part) for part in clock.split(":"))
        return yearless_instant(
            self.context, month, int(words[4:6]), (hour, minute, second), int(fraction.ljust(9, "0") or 0)
        )


class SyslogIso(Header):
    """An ISO stamp instead: rsyslog's file format, ``journalctl -o short-iso`` and ``short-full``."""

    name = "syslog-iso"
    # "2024-11-19T12:15:03.023805-08:00 c1-control kernel: calico-packet: IN=..."  rsyslog 8 RSYSLOG_FileFormat
    # "2024-11-08T03:22:19+0000 node-1 kubelet[4713]: ..."                         journalctl -o short-iso, systemd 252
    # "Fri 2024-11-08 03:22:19 UTC node-1 kubelet[4713]: ..."                      journalctl -o short-full
    pattern = re.compile(
        rb"^"
        + _PRIORITY
        + rb"(?:[A-Z][a-z]{2} )?(?P<at>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
        + rb"(?:Z|[+-]\d\d:?\d\d| [A-Z]{2,5}))"
        + _HOST
        + _TAG,
        re.MULTILINE,
    )

    def stamp(self, text: bytes) -> int | None:
        """Zones by name other than UTC are not unique: unknown."""
        return instant(text.decode("ascii"))


class SyslogUnix(Header):
    """``journalctl -o short-unix``."""

    name = "journal-unix"
    # "1731036139.123456 node-1 kernel: calico-packet: IN=..."  systemd 252
    pattern = re.compile(rb"^(?P<at>\d{9,10}\.\d{6})" + _HOST + _TAG, re.MULTILINE)

    def stamp(self, text: bytes) -> int | None:
        """Seconds and microseconds since the epoch."""
        seconds, _, micros = text.partition(b".")
        return from_epoch(int(seconds), int(micros) * 1000)


class JournalMonotonic(Header):
    """``journalctl -o short-monotonic``: time since the boot, which is no moment."""

    name = "journal-monotonic"
    # "[   12.345678] node-1 kubelet[4713]: ...", "[307753.360525] node-1 kernel: calico-packet: IN=..."   systemd 252
    # Without a process id only the kernel's own lines are known: dmesg has the prefix of a rule where the host stands here.
    pattern = re.compile(
        rb"^\[ {0,6}\d{1,9}\.\d{6}\]" + _HOST + rb" (?:kernel|[A-Za-z0-9_./()@-]{1,64}\[\d{1,10}\]):(?: |$)",
        re.MULTILINE,
    )


class Syslog5424(Header):
    """``<PRI>1 TIME HOST APP PROCID MSGID SD MESSAGE``."""

    name = "syslog-rfc5424"
    # As rsyslog 8 forwards it: "<134>1 2021-07-06T08:26:58.687Z node-1 ovn-controller 311 - - 2021-07-06T08:26:58.687Z|00004|acl_log(...)|INFO|..."
    # The alternatives inside structured data start with different bytes, so nothing is tried twice.
    pattern = re.compile(
        rb"^<\d{1,3}>1 (?P<at>\S{1,40}) (?P<node>\S{1,255}) \S{1,48} \S{1,128} \S{1,32} "
        rb"(?:-|(?:\[(?:[^\]\\\"\n]|\"(?:[^\"\\\n]|\\.)*\")*\])+)(?: (?:\xef\xbb\xbf)?|$)",
        re.MULTILINE,
    )


class SyslogFrames(Layer):
    """A message's length in bytes before it, as syslog goes over TCP; messages may stand behind one another in a line.

    They are counted, since rows of one number would be the lines of one message.
    """

    name = "syslog-frames"
    splittable: ClassVar[bool] = False
    by_line: ClassVar[bool] = True
    # "142 <134>1 2021-07-06T08:26:58.687Z node-1 ovn-controller 311 - - ..."   rsyslog 8, omfwd TCP_Framing="octet-counted"
    _LENGTH = re.compile(rb"([1-9]\d{0,5}) (?=<\d{1,3}>)")

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._count = 0

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`."""
        return sum(1 for line in lines if cls._LENGTH.match(line)) / max(len(lines), 1)

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        out: list[Row] = []
        cut = False
        for row in rows:
            at, data, cut = 0, row.data, True
            while (found := self._LENGTH.match(data, at)) is not None:
                size = int(found[1])
                at, begin = found.end() + size, found.end()
                cut = at > len(data)
                self._count += 1
                out.append(row._replace(data=data[begin:at], line=self._count))
            if data[at:].strip() or not data:
                cut = True
                self._count += 1
                out.append(row._replace(data=data[at:], line=self._count))
        return rows_from(out, year_inferred=rows.year_inferred, open_end=cut and ends_open(rows))
