"""Lines for a terminal: labels with hanging indents, names cut to fit, colour only beside words.

Text from the report is never given to rich as markup: everything is a `Text`, made visible first.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from flowdiag.report.commands import command_lines
from flowdiag.report.escape import beginning, cells, harmless, middle, phrase, visible
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import NOBODY, Foreign, spoken
from flowdiag.report.times import Clock

__all__ = ["Screen"]

_MIN_WIDTH = 40
_MAX_WIDTH = 160
_HANG = 2
_ARROWS = {"→": "->", "–": "-", "·": "-", "…": "...", "×": "x", "≥": ">="}


class Screen:
    """A page that grows downwards.  `width` is in cells, `clock` shows the times of one report.

    `among` is what its sentences must keep as it stands.
    """

    def __init__(self, options: Options, clock: Clock | None = None, among: Foreign = NOBODY) -> None:
        self.options = options
        self.clock = clock or Clock(options.timezone)
        self._among = among
        self.width = min(max(options.width, _MIN_WIDTH), _MAX_WIDTH)
        self._file = io.StringIO()
        self._console = Console(
            file=self._file,
            width=self.width,
            force_terminal=options.color,
            no_color=not options.color,
            color_system="standard" if options.color else None,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
            _environ={},
        )

    def text(self) -> str:
        """The page, without blanks at line ends."""
        return "\n".join(line.rstrip() for line in self._file.getvalue().split("\n")).rstrip("\n") + "\n"

    def _line(self, line: Text) -> None:
        line = line.copy()
        line.rstrip()
        self._console.print(line, overflow="ignore", no_wrap=True, crop=False, soft_wrap=True)

    def own(self, text: str) -> str:
        """What flowdiag itself draws, in ASCII where only that is wanted."""
        if self.options.ascii:
            for sign, plain in _ARROWS.items():
                text = text.replace(sign, plain)
        return text

    def name(self, text: str, width: int | None = None) -> str:
        """A name or phrase with text of strangers: visible, and cut in the middle to `width` columns."""
        shown = visible(text)
        return middle(shown, width or self.width, ascii_only=self.options.ascii)

    def phrase(self, text: str, width: int) -> str:
        """As `name`, for a phrase of flowdiag's: the names in it are cut before it is."""
        return phrase(text, width, ascii_only=self.options.ascii)

    def sentence(self, text: str, width: int) -> str:
        """As `name`, for a sentence of flowdiag's: moments in the zone that is shown, arrows that this terminal has."""
        return self.name(spoken(text, self.clock, self.own("→"), self._among), width)

    def ended(self, text: str, width: int) -> str:
        """A phrase cut at its end to `width` columns: what it begins with says most."""
        shown = harmless(text)
        if cells(shown) <= width:
            return shown
        mark = "..." if self.options.ascii else "…"
        return beginning(shown, max(width - cells(mark), 1)).rstrip(" ,;:") + mark

    def rows(self, text: str, room: int) -> int:
        """How many lines a value takes in a column of so many cells."""
        return len(Text(harmless(text)).wrap(self._console, room))

    def blank(self) -> None:
        """An empty line."""
        self._line(Text())

    def put(self, *parts: str | tuple[str, str], indent: int = 0, hang: int = 0) -> None:
        """A paragraph of plain or ``(text, style)`` parts, wrapped; further lines `hang` deeper."""
        text = _assembled((part, "") if isinstance(part, str) else part for part in parts)
        room = max(self.width - indent - hang, 10)
        for number, line in enumerate(text.wrap(self._console, room, tab_size=4)):
            pad = " " * (indent if number == 0 else indent + hang)
            self._line(Text(pad) + line)

    def field(self, label: str, values: Iterable[str], *, indent: int, labels: int, hang: int = 0) -> None:
        """A label once, and its values beneath each other in a column of their own."""
        lead = Text(" " * indent) + Text(label + " " * max(labels - cells(label), 1), "dim")
        blank = Text(" " * lead.cell_len)
        room = max(self.width - lead.cell_len - hang, 16)
        for value in values:
            for number, line in enumerate(Text(harmless(value) or " ").wrap(self._console, room)):
                self._line(lead + Text(" " * hang if number else "") + line)
                lead = blank

    def commands(self, label: str, commands: Iterable[str], *, indent: int, labels: int) -> None:
        """As `field`, for what is copied into a shell: lines end where that takes them together again."""
        lead = Text(" " * indent) + Text(label + " " * max(labels - cells(label), 1), "dim")
        blank = Text(" " * lead.cell_len)
        room = self.width - lead.cell_len
        for command in commands:
            shown = harmless(command)
            lines = [shown] if cells(shown) <= room else command_lines(shown, room - _HANG)
            for number, line in enumerate(lines):
                self._line(lead + Text(" " * _HANG if number else "") + Text(line))
                lead = blank

    def split(
        self, left: Sequence[tuple[str, str]], right: tuple[str, str], *, indent: int, hang: int
    ) -> None:
        """A line with `right` at the right edge; `left` wraps before it."""
        text = _assembled(left)
        if cells(right[0]) > self.width // 2:
            self.put(*left, indent=indent, hang=hang)
            self.put(right, indent=indent, hang=hang)
            return
        room = max(self.width - indent - hang - cells(right[0]) - 2, 20)
        lines = (
            text.wrap(self._console, room + hang)
            if text.cell_len <= room + hang
            else text.wrap(self._console, room)
        )
        for number, line in enumerate(lines):
            line.rstrip()
            pad = Text(" " * (indent if number == 0 else indent + hang))
            row = pad + line
            if number == 0:
                row += Text(" " * max(self.width - row.cell_len - cells(right[0]), 2))
                row += Text(harmless(right[0]), right[1])
            self._line(row)

    def literal(self, line: str, style: str = "") -> None:
        """One line as it is, not wrapped."""
        self._line(Text(harmless(line), style))


def _assembled(parts: Iterable[tuple[str, str]]) -> Text:
    # Callers cut names to fit; whatever else they pass (a time, a direction) is a stranger's text as well.
    return Text.assemble(*((harmless(text), style) for text, style in parts))
