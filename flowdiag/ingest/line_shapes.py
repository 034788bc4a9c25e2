"""What lines look like: how they begin, with all digits alike.

The lines that one program writes have few shapes.  A line whose shape is that of a line that a parser was certain of, with
nothing around it, is that parser's too, and to see that costs a hundredth of asking.
"""

from __future__ import annotations

from flowdiag.ingest.reading import Source
from flowdiag.ingest.text import is_binary

__all__ = ["behind_shape", "line_ends", "shapes_of"]

# '{"flow":{"time":"2026-04-01T06:00:00.216', 'I0401 06:00:00.216545       1 proxier.go:'; a CRI line's header alone
# has 39 bytes, and begins like many a log without one.
_BEGIN = 48
_TOLD = 1 << 12
"""Bytes that tell whether a file is text; what has shapes of lines behind them is."""
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)


def shapes_of(lines: bytes) -> set[bytes]:
    """The shapes of whole lines; blank ones have none."""
    begun = [line[:_BEGIN] for line in lines.split(b"\n") if line and not line.isspace()]
    return set(b"\n".join(begun).translate(_DIGITS).split(b"\n")) if begun else set()


def behind_shape(line: bytes) -> bytes:
    """A line without what its shape is of; an object stays one."""
    return (b"{" if line.startswith(b"{") else b"") + line[_BEGIN:]


def line_ends(source: Source, reach: int) -> bytes | None:
    """The whole lines among the first and the last `reach` bytes of a plain file on disk.

    Returns:
        ``None`` where no line ends in the first ones, or where they are no text.

    Raises:
        OSError: it cannot be read.
    """
    with open(source.path, "rb") as file:  # noqa: PTH123 - a path in the spool, or the user's own
        head = file.read(reach)
        whole = head.rfind(b"\n") + 1 if len(head) == reach else len(head)
        if not whole or is_binary(head[:_TOLD]):
            return None
        if len(head) < reach:
            return head
        file.seek(max(source.size - reach, reach))
        file.readline(reach)
        return head[:whole] + file.read(reach)
