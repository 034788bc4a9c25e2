"""Cutting blocks into lines, and bytes into text that can be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flowdiag.parserkit.block import Block
from flowdiag.parserkit.native import native

__all__ = ["MAX_LINE_BYTES", "count_lines", "cut_lines", "decode", "iter_lines", "lines_at"]

MAX_LINE_BYTES = 1 << 20
"""Longer lines are cut off at the reader, with a warning."""
_NEWLINE = ord("\n")


def cut_lines(data: bytes) -> list[bytes]:
    r"""Split at ``\\n`` alone (a lone ``\\r`` or a Unicode separator is part of a record), ``\\r`` stripped from the end."""
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if b"\r" in data:
        return [line[:-1] if line.endswith(b"\r") else line for line in lines]
    return lines


def lines_at(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Some of `cut_lines`, by their index: where they are few, the others are not made."""
    if not places:
        return []
    import numpy as np

    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    begins = np.concatenate(([0], ends + 1))
    wanted = np.array(places, np.int64)
    stops = np.append(ends, len(data))[wanted].tolist()
    lines = [data[begin:end] for begin, end in zip(begins[wanted].tolist(), stops, strict=True)]
    return [line.removesuffix(b"\r") for line in lines]


def count_lines(data: bytes) -> int:
    """How many newlines there are."""
    compiled = native()
    return data.count(b"\n") if compiled is None else compiled.newlines(data, 0, len(data))


def iter_lines(block: Block) -> Iterator[tuple[int, bytes]]:
    """Yield ``(index in the block, line without its end)``; `Block.of_line` knows the rest."""
    yield from enumerate(cut_lines(block.data))


def decode(line: bytes) -> str:
    """Text of a line; bytes that are not UTF-8 become U+FFFD, so that nothing is lost silently."""
    return line.decode("utf-8", "replace")
