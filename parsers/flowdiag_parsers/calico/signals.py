"""Which messages of Calico's components matter to a diagnosis, under codes that stay.

A message is looked up by its source file and how it starts (`signal_entry`); texts that travel between components
(a CNI error quoted by the kubelet) are known by what they hold.
"""

from __future__ import annotations

from flowdiag_parsers.calico import signals_dataplane, signals_node, signals_policy
from flowdiag_parsers.calico.signal_entry import Signal
from flowdiag_parsers.calico.signals_quoted import BIRD, TEXTS

__all__ = ["BIRD", "SIGNALS", "TEXTS", "Signal", "bird_signal", "signal_of", "text_signal"]

SIGNALS: tuple[Signal, ...] = (*signals_policy.SIGNALS, *signals_dataplane.SIGNALS, *signals_node.SIGNALS)

_BY_FILE: dict[str, list[Signal]] = {}
for _entry in SIGNALS:
    _BY_FILE.setdefault(_entry.file, []).append(_entry)


def signal_of(file: str | None, level: str | None, message: str, text: str) -> str | None:
    """Code of a component's record.

    Args:
        file: base name of the source file, as recorded.
        level: as recorded; PANIC and FATAL end the process whatever they say.
        message: the record's message without its fields.
        text: message and fields: errors of others are quoted in fields.
    """
    if level in ("PANIC", "FATAL"):
        return "agent-crashed"
    quoted = text_signal(text)
    if quoted is not None:
        return quoted
    for entry in _BY_FILE.get(file or "", ()):
        if message.startswith(entry.starts):
            return entry.code
    return None


def text_signal(text: str) -> str | None:
    """Code of words that mean the same wherever they stand."""
    for words, code, _ in TEXTS:
        if words in text:
            return code
    return None


def bird_signal(text: str) -> str | None:
    """Code of a BIRD message."""
    for words, code, _ in BIRD:
        if words in text:
            return code
    return None
