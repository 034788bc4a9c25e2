"""Refused connections as Parquet: typed columns, times with a zone.  Needs pyarrow beside pandas."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import ClassVar

from flowdiag.model.errors import UsageError
from flowdiag.model.report import Report
from flowdiag.report.connection_rows import chosen_columns, connection_rows
from flowdiag.report.protocol import Options
from flowdiag.report.times import ticks

__all__ = ["ParquetReporter"]

_INTEGERS = ("port", "count")
_TIMES = ("first", "last")


class ParquetReporter:
    """``-o parquet``: the columns of ``-o csv``."""

    name: ClassVar[str] = "parquet"
    binary: ClassVar[bool] = True
    takes_columns: ClassVar[bool] = True

    def check(self) -> None:
        """Say before the work that it cannot be made here.

        Raises:
            UsageError: pyarrow is not installed.
        """
        if find_spec("pyarrow") is None:
            raise _without_pyarrow()

    def render(self, report: Report, options: Options) -> bytes:
        """A Parquet file; text stays as recorded, since nothing reads it as a formula.

        Raises:
            UsageError: pyarrow is not installed, or there is no such column.
        """
        columns = chosen_columns(options.columns)
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise _without_pyarrow() from None
        rows = list(connection_rows(report, options.problem))
        arrays = []
        for column in columns:
            values = [row[column] for row in rows]
            if column in _INTEGERS:
                arrays.append(pa.array(values, pa.int64()))
            elif column in _TIMES:
                moments = [ticks(value) if isinstance(value, str) else None for value in values]
                arrays.append(pa.array(moments, pa.timestamp("ns", "UTC")))
            else:
                arrays.append(pa.array([_text(value) for value in values], pa.string()))
        out = io.BytesIO()
        pq.write_table(pa.table(arrays, names=list(columns)), out, compression="zstd")
        return out.getvalue()


def _without_pyarrow() -> UsageError:
    return UsageError(
        "-o parquet needs pyarrow, which is not installed", hint="pip install pyarrow, or take -o csv"
    )


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value).encode("utf-8", "backslashreplace").decode()
