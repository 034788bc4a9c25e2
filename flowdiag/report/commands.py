"""Commands on a screen that is too narrow for them: cut so that a shell takes what was copied."""

from __future__ import annotations

from collections.abc import Iterator

from flowdiag.report.escape import cells

__all__ = ["command_lines"]

_MORE = " \\"
_LEAST = 24
"""Columns below which a line is not worth its backslash."""


def command_lines(command: str, room: int) -> list[str]:
    """The command in lines of at most so many columns, each but the last ending in a backslash.

    It is cut between words alone, and never within quotes: there a shell keeps the line's end.  A word that is longer
    than a line stays whole.

    Args:
        command: one line.
        room: columns.
    """
    if cells(command) <= room or room < _LEAST:
        return [command]
    lines = [""]
    for word in _words(command):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cells(longer) > room - len(_MORE):
            lines.append(word)
        else:
            lines[-1] = longer
    return [f"{line}{_MORE}" for line in lines[:-1]] + lines[-1:]


def _words(command: str) -> Iterator[str]:
    """Pieces between blanks outside of quotes."""
    word, quote, escaped = "", "", False
    for letter in command:
        if letter == " " and not quote and not escaped:
            yield word
            word = ""
            continue
        word += letter
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
    yield word
