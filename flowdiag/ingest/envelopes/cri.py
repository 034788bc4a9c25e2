"""Container log files as the kubelet's runtimes write them.

Source: Kubernetes ``kubelet/kuberuntime/logs`` (CRI logging format); containerd and CRI-O write it alike.
"""

from __future__ import annotations

import re
from typing import ClassVar

from flowdiag.ingest.envelopes.header import Header
from flowdiag.ingest.envelopes.rows import Row, Rows, ends_open, rows_from
from flowdiag.parserkit import ParseContext
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["Cri"]


class Cri(Header):
    """``TIME stdout|stderr F|P LINE``; a line in parts (``P``) is joined with its end (``F``), by stream."""

    name = "cri"
    splittable: ClassVar[bool] = False
    # "2024-03-27T00:09:46.206168395Z stdout F 2024-03-27T00:09:46.204Z|00024|binding|INFO|..."  containerd 1.7
    pattern = re.compile(
        rb"^(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"
        rb" (stdout|stderr) ([FP])(?::[^ \n]{0,32})?(?: |\r?$)",
        re.MULTILINE,
    )

    def __init__(self, context: ParseContext) -> None:
        super().__init__(context)
        self._parts: dict[bytes, list[Row]] = {}
        self._size: dict[bytes, int] = {}

    def _alike(self, matches: list[re.Match[bytes] | None]) -> bool:
        return not self._parts and all(match is not None and match[3] == b"F" for match in matches)

    def _one_by_one(self, rows: Rows) -> Rows:
        out: list[Row] = []
        whole = True
        for row in rows:
            match = self.pattern.match(row.data)
            whole = match is None or match[3] == b"F"
            if match is None:
                out.append(row)
                continue
            inner = row._replace(data=row.data[match.end() :], at=self._instants([match[1]])[0])
            stream, parts = match[2], self._parts.setdefault(match[2], [])
            size = self._size.get(stream, 0)
            room, size = MAX_LINE_BYTES - size, size + len(inner.data)
            if room > 0:
                parts.append(inner._replace(data=inner.data[:room]))
            if size > MAX_LINE_BYTES and room >= 0:
                self.too_long(parts[0].line)
            self._size[stream] = size
            if match[3] == b"F":
                out.append(_joined(self._parts.pop(stream)))
                del self._size[stream]
        return rows_from(out, year_inferred=rows.year_inferred, open_end=whole and ends_open(rows))

    def flush(self) -> Rows | None:
        """A last line whose end was never written."""
        if not self._parts:
            return None
        left = sorted((_joined(parts) for parts in self._parts.values()), key=lambda row: row.line)
        self._parts, self._size = {}, {}
        return rows_from(left, open_end=True)


def _joined(parts: list[Row]) -> Row:
    """The whole line, with number and time of its first part."""
    return parts[0]._replace(data=b"".join(part.data.removesuffix(b"\r") for part in parts))
