"""How Azure Firewall's records look that need no reading: objects whose ports and time alone differ.

A resource log's keys come in one of two orders: the time first, or last.  All else of an object is captured as it stands.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["form_of"]

_TIME = rb'"(?:time|TimeGenerated)": ?"'
_SECOND = rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,9})(?:Z|\+00:00)"
_TO = rb'(?:[^"\n]*"){0,160}?'
"""To the next key or value that fits, by the marks around strings."""
_PORT = rb'(0|[1-9]\d{0,4})(?=[,"}])'
_WORD = re.compile(rb"\{" + _TIME)


@cache
def _columns() -> tuple[re.Pattern[bytes], ...]:
    """Of the structured categories: by whether the time comes first, and then whether the source does."""
    # {"category":"AZFWNetworkRule","properties":{..."DestinationPort":5432,..."SourcePort":44210},...,"time":"2026-01-05T10:00:02.8494370Z"}
    # {"time":"2026-01-05T10:00:02.849437+00:00",...,"properties":{..."SourcePort":44210,..."DestinationPort":5432,...},"category":"AZFWNetworkRule"}
    both = (b"Destination", b"Source"), (b"Source", b"Destination")
    ports = [
        rb"("
        + _TO
        + one
        + rb'Port": ?"?)()'
        + _PORT
        + rb"("
        + _TO
        + two
        + rb'Port": ?"?)'
        + _PORT
        + rb"()()()"
        for one, two in both
    ]
    return tuple(_whole(each, first=first) for first in (False, True) for each in ports)


@cache
def _sentences() -> tuple[re.Pattern[bytes], ...]:
    """Of the older ones: by whether the time comes first."""
    # {"category":"AzureFirewallNetworkRule",...,"properties":{"msg":"TCP request from 10.0.1.4:49680 to 203.0.113.156:1688. Action: Deny. "},...}
    ends = (
        rb"(" + _TO + rb'msg(?:_s)?": ?"[A-Za-z]{2,8} {1,3}request from [0-9.]{7,15}:)()(\d{1,5})'
        rb'( to [^ :,"\\\n]{1,253}:)(\d{1,5})(?=\. )()()()'
    )
    return tuple(_whole(ends, first=first) for first in (False, True))


def _whole(middle: bytes, *, first: bool) -> re.Pattern[bytes]:
    """A form, with the groups of `flowdiag.parserkit.line_form.GROUPS`."""
    if first:
        head = rb"(?:\{(?=[^\n]*\}\n)" + _TIME + _SECOND + rb'",'
        return re.compile(head + middle + rb"([^\n]*\})|([^\n]*))\n")
    ahead = rb"(?=[^\n]*, ?" + _TIME + _SECOND + rb'"\}\n)'
    behind = rb"([^\n]*), ?" + _TIME + rb'[^"\n]{20,45}"\}'
    return re.compile(rb"(?:\{" + ahead + middle + behind + rb"|([^\n]*))\n")


def form_of(data: bytes) -> re.Pattern[bytes]:
    """The form that a block's first lines have; lines of another are read."""
    first = _WORD.match(data) is not None
    if b"request from " in data[:65_536]:
        return _sentences()[first]
    line = data[: data.find(b"\n") + 1]
    return _columns()[2 * first + (line.find(b'"SourcePort"') < line.find(b'"DestinationPort"'))]
