"""Every refused connection on a terminal, in columns."""

from __future__ import annotations

from flowdiag.model.report import Report
from flowdiag.report.connection_rows import chosen_columns, connection_rows
from flowdiag.report.escape import cells, middle, visible
from flowdiag.report.screen import Screen

__all__ = ["connection_table"]

_MIN_CELL = 5
_TABLE = ("count", "source", "destination", "port", "protocol", "first", "last", "code")


def connection_table(screen: Screen, report: Report) -> None:
    """Put the table; `Options.columns` chooses its columns, else as many as fit."""
    options = screen.options
    columns = chosen_columns(options.columns or _TABLE)
    rows: list[list[str]] = [list(columns)]
    for facts in connection_rows(report, options.problem):
        texts = []
        for column in columns:
            value = facts[column]
            if column in ("first", "last") and isinstance(value, str):
                texts.append(visible(screen.clock.text(value), 30))
            else:
                texts.append("-" if value is None else screen.name(str(value), 60))
        rows.append(texts)
    if len(rows) == 1:
        return
    widths = [max(cells(row[index]) for row in rows) for index in range(len(columns))]
    while not options.columns and len(widths) > 4 and len(widths) * 2 + 12 * len(widths) > screen.width + 20:
        widths.pop()
    over = sum(widths) + 2 * len(widths) - 1 - screen.width
    while over > 0 and max(widths) > _MIN_CELL:
        widths[widths.index(max(widths))] -= 1
        over -= 1
    for number, row in enumerate(rows):
        line = "  ".join(
            _pad(middle(text, width, ascii_only=options.ascii), width)
            for text, width in zip(row, widths, strict=False)
        )
        screen.literal(f" {line}", "" if number else "bold")
    screen.blank()


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
