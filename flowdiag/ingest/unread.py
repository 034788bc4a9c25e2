"""Records that nobody read, in an input whose parser was forced and found nothing.

A parser of text passes over lines that are not its own, and so over what is left of one of its records where the
collector's JSON around it was cut off, or the record inside: a log of one such line would be read without a word.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flowdiag.ingest.detect import HEAD_BYTES
from flowdiag.ingest.reading import Source, read_head
from flowdiag.model.event import ParseWarning
from flowdiag.parserkit.lines import cut_lines

__all__ = ["unread_lines"]

_MOST = 20
_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ANY = msgspec.json.Decoder(msgspec.Raw)


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
    except _DAMAGED:
        return False
    return True
