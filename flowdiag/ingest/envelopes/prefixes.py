"""What stands in front of lines that somebody saved from a terminal, and around JSON that is sent as a stream.

Sources: docker compose's ``logs``; kubetail 1.6 and kail 0.17; talosctl's ``logs`` and ``dmesg``; RFC 7464 (``jq --seq``, ``journalctl -o json-seq``);
server-sent events (``journalctl -o json-sse``, Whisker's ``watch=true``); ECMA-48's colours, as ``grep --color=always`` and
stern leave them in a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.rows import Layer, Rows

__all__ = ["Colours", "ComposePrefix", "Kail", "Kubetail", "SentJson", "Talosctl"]


class Colours(Layer):
    """Escape sequences of a terminal, taken out wherever they stand."""

    name: ClassVar[str] = "terminal-colours"
    by_line: ClassVar[bool] = True
    # "WARN: ... \x1b[01;31m\x1b[Kblocked\x1b[m\x1b[K by Weave NPC."   GNU grep 3.8 --color=always
    _SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;:?]{0,32}[A-Za-z]|\(B)")

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """See `Layer.share`."""
        return sum(1 for line in lines if b"\x1b" in line and cls._SEQUENCE.search(line)) / max(len(lines), 1)

    def peel(self, rows: Rows) -> Rows:
        """See `Layer.peel`."""
        if b"\x1b" in rows.data:
            rows.data = self._SEQUENCE.sub(b"", rows.data)
        return rows


class SentJson(Header):
    """A record separator, or ``data:``, before each object; blank lines between are nobody's."""

    name = "sent-json"
    # '\x1e{"MESSAGE":"calico-packet: IN=..."}'    systemd 252, journalctl -o json-seq
    # 'data: {"start_time":"2026-03-02T10:00:00Z",...}'    calico v3.30, whisker-backend
    pattern = re.compile(rb"^(?:\x1e|data: ?)(?=\{)", re.MULTILINE)

    @classmethod
    def share(cls, lines: Sequence[bytes]) -> float:
        """Of the lines that are no other field of an event."""
        told = [line for line in lines if not line.startswith((b"id:", b"event:", b"retry:", b":"))]
        return super().share(told)


class ComposePrefix(Header):
    """``docker compose logs``: the service or container, padded, a bar, the line."""

    name = "compose"
    # "weave-npc-1  | WARN: 2026/01/05 10:00:06.963438 TCP connection from ..."   compose 2.29
    pattern = re.compile(rb"^(?P<container>[a-z0-9][a-zA-Z0-9_.-]{0,100}) {1,60}\| ", re.MULTILINE)


class Kubetail(Header):
    """kubetail: the pod, its container where there are several, the line."""

    name = "kubetail"
    # "[weave-net-2xkzp weave-npc] WARN: ..."   kubetail 1.6.18;  a pod's generated name has hyphens, a kernel's uptime has none
    pattern = re.compile(
        rb"^\[(?P<pod>[a-z0-9][a-z0-9.]{0,200}-[a-z0-9.-]{1,200})(?: (?P<container>[a-z0-9][a-z0-9-]{0,62}))?\] ",
        re.MULTILINE,
    )


class Kail(Header):
    """kail: namespace, pod and container, the line."""

    name = "kail"
    # "kube-system/weave-net-2xkzp[weave-npc]: WARN: ..."   kail 0.17
    pattern = re.compile(
        rb"^(?P<namespace>[a-z0-9][a-z0-9-]{0,62})/(?P<pod>[a-z0-9][a-z0-9.-]{0,252})\[(?P<container>[a-z0-9-]{1,63})\]: ",
        re.MULTILINE,
    )


class Talosctl(Header):
    """``talosctl logs`` and ``dmesg``: the node as it was asked for, the line; of the kernel's its facility, level and time."""

    name = "talosctl"
    # '192.0.2.2: I0105 10:00:01.000001       1 engine.go:67] "Evaluating packet" id=9 ...'               Talos 1.13
    # "192.0.2.2: kern:    info: [2021-11-10T10:09:37.662764956Z]: Command line: init_on_alloc=1 ..."     Talos 1.0 and later
    pattern = re.compile(
        rb"^(?P<node>(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}|[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?=: (?:kern|user|daemon): {1,8}[a-z]{3,8}: \[)): "
        rb"(?:[a-z]{3,8}: {1,8}[a-z]{3,8}: \[(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)\]: )?",
        re.MULTILINE,
    )
