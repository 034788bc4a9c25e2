"""Lists and texts on a terminal of any width; whoever pipes a list gets a line for each entry."""

from __future__ import annotations

import sys

import click

__all__ = ["paragraphs", "row"]

_LEAST = 24
_MOST = 100


def row(lead: str, text: str) -> None:
    """Print an entry: on a terminal `text` wraps in a column of its own behind `lead`."""
    width = _width()
    room = width - len(lead) - 1
    if not sys.stdout.isatty() or room >= len(text):
        click.echo(f"{lead}{text}")
        return
    import textwrap

    indent = " " * (len(lead) if room >= _LEAST else 4)
    click.echo(
        textwrap.fill(text, width - 1, initial_indent=lead, subsequent_indent=indent, break_on_hyphens=False)
    )


def paragraphs(text: str) -> list[str]:
    """Lines of a text whose paragraphs are parted by blank lines, no wider than the terminal, nor than is read well."""
    import textwrap

    width = min(_width(), _MOST) - 3
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), width, break_on_hyphens=False), ""]
    return lines[:-1]


def _width() -> int:
    from shutil import get_terminal_size

    return max(get_terminal_size((_MOST, 24)).columns, 40)
