"""Refused connections as CSV (RFC 4180, UTF-8), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import ClassVar

from flowdiag.model.report import Report
from flowdiag.report.connection_rows import chosen_columns, connection_rows
from flowdiag.report.escape import csv_text
from flowdiag.report.protocol import Options

__all__ = ["CsvReporter"]


class CsvReporter:
    """``-o csv``: a row a connection."""

    name: ClassVar[str] = "csv"
    binary: ClassVar[bool] = False
    takes_columns: ClassVar[bool] = True

    def render(self, report: Report, options: Options) -> str:
        """A header and the rows; `options.columns` chooses and orders the columns, unknown is an empty cell.

        Raises:
            UsageError: there is no such column.
        """
        columns = chosen_columns(options.columns)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(columns)
        for row in connection_rows(report, options.problem):
            writer.writerow([_cell(row[column]) for column in columns])
        return out.getvalue()


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    return csv_text(value) if isinstance(value, str) else str(value)
