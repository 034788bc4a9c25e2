"""Cutting blocks into lines, and bytes into text that can be shown."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.parserkit.block import Block

__all__ = ["MAX_LINE_BYTES", "cut_lines", "decode", "iter_lines"]

MAX_LINE_BYTES = 1 << 20
"""Longer lines are cut off at the reader, with a warning."""


def cut_lines(data: bytes) -> list[bytes]:
    r"""Split at ``\\n`` alone (a lone ``\\r`` or a Unicode separator is part of a record), ``\\r`` stripped from the end."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if b"\r" in data:
        return [line[:-1] if line.endswith(b"\r") else line for line in lines]
    return lines


def iter_lines(block: Block) -> Iterator[tuple[int, bytes]]:
    """Yield ``(index in the block, line without its end)``; `Block.of_line` knows the rest."""
    yield from enumerate(cut_lines(block.data))


def decode(line: bytes) -> str:
    """Text of a line; bytes that are not UTF-8 become U+FFFD, so that nothing is lost silently."""
    return line.decode("utf-8", "replace")
