"""Warnings about records that were not read, in an input in which its parser found nothing.

If the parser was found by words that its records hold, the records are inside a wrapper that is not known.  If it was
forced, the input may be damaged: a parser of text says nothing of lines that are not its own, and so nothing of a record
in a collector's JSON that was cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from flowdiag.ingest.detection import HEAD_BYTES, Detection
from flowdiag.ingest.envelopes.fitting import DAMAGED
from flowdiag.ingest.problems import InputProblem
from flowdiag.ingest.reading import Source, read_head
from flowdiag.model.event import ParseWarning
from flowdiag.parserkit.lines import cut_lines

__all__ = ["nothing_read", "unread_lines"]

_MOST = 20
_ANY = msgspec.json.Decoder(msgspec.Raw)


def nothing_read(one: Detection, parser: Any) -> InputProblem | None:
    """What is to be said of an input that its parser knew by its head and gave no event and no warning of.

    Nothing, where the parser's log may hold nothing that it tells of: one that promises no marks of its records reads
    audit logs and agents' messages, and one that says so passes over all but what was refused.
    """
    if not (hasattr(parser, "record_words") or hasattr(parser, "denied_marks")):
        return None
    if getattr(parser, "passes_over", False) is True:
        return None
    return InputProblem(
        one.source.name,
        "nothing-read",
        f"it has the words of {one.parser}, but no line is a record as that writes it, so nothing of it was read: "
        "something unknown may stand around its lines; bring the log as it was written",
    )


def unread_lines(source: Source, parser: str) -> Iterator[ParseWarning]:
    """Yield a warning for each cut JSON object at the input's beginning, or for its only line, whatever it is.

    Many whole lines of something else are no damage: the format was named wrongly, which is said of the file.

    Args:
        source: an input that gave no event.
        parser: the format that it was read as.
    """
    try:
        head = read_head(source, HEAD_BYTES)
    except OSError:
        return
    lines = [(number, line) for number, line in enumerate(cut_lines(head), 1) if line.strip()]
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        # The head's end cuts a line that the file does not.
        lines.pop()
    told = 0
    for number, line in lines:
        cut = line.lstrip()[:1] == b"{" and not _whole(line)
        if (cut or len(lines) == 1) and told < _MOST:
            told += 1
            what = "a JSON object that is cut off" if cut else f"not a whole record of {parser}"
            yield ParseWarning(line=number, code="malformed-line", message=what)


def _whole(line: bytes) -> bool:
    """Whether this is a JSON object, or may be the first line of one that is printed over several."""
    if line.strip() == b"{":
        return True
    try:
        _ANY.decode(line)
    except DAMAGED:
        return False
    return True
