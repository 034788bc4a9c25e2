"""What the fields of a VPC flow record are called, and in which forms a header and a record give them.

The user guide's names are those of the blank-separated form.  Athena's tables write them with underscores (today's
statement, ``interface_id``) or in words of their own (that of before 2020, ``sourceaddress``), CloudWatch Logs Insights and
what copies its fields in camel case (``srcAddr``, ``interfaceId``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import Any

from flowdiag.parserkit import json_object

__all__ = ["Columns", "columns_of", "record_in_json", "record_of"]

_FIELDS = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes"),
    *("start", "end", "action", "log-status", "pkt-srcaddr", "pkt-dstaddr", "flow-direction", "reject-reason"),
)  # fmt: skip
_OTHER_NAMES = {
    "account": "account-id",
    "sourceaddress": "srcaddr",
    "destinationaddress": "dstaddr",
    "sourceport": "srcport",
    "destinationport": "dstport",
    "numpackets": "packets",
    "numbytes": "bytes",
    "starttime": "start",
    "endtime": "end",
}
_SAME = {field.replace("-", ""): field for field in _FIELDS} | _OTHER_NAMES
_LEAST = ("srcaddr", "dstaddr", "protocol", "action")
"""Without these an object is no record; a table without a beginning beside them is a query's sums."""
# "version interface-id srcaddr dstaddr action", as AWS writes it into files
_BLANKS = re.compile(r"[a-z][a-z0-9-]{1,40}(?: [a-z][a-z0-9-]{1,40}){3,40}\s*")
# '"version","account_id","interface_id","srcaddr",...', what Athena puts into its results
_COMMAS = re.compile(r'"?[A-Za-z@][A-Za-z0-9_@-]{1,40}"?(?:,"?[A-Za-z@][A-Za-z0-9_@-]{1,40}"?){2,60}\s*')
_MOST_HEADER = 2_000

Columns = tuple[list[str], bool]
"""The user guide's names, others as they are, and whether commas stand between."""


def columns_of(text: str) -> Columns | None:
    """The columns that a line names; ``None`` where it is no header."""
    if len(text) > _MOST_HEADER:
        return None
    if "srcaddr" in text and _BLANKS.fullmatch(text):
        return text.split(), False
    if "," not in text or _COMMAS.fullmatch(text) is None:
        return None
    names = [_name(cell.strip('" \r\n')) for cell in text.split(",")]
    return (names, True) if all(one in names for one in (*_LEAST, "start")) else None


def record_of(text: str, columns: Columns) -> dict[str, str] | None:
    """The cells by name, a dash for an empty one; ``None`` where there are not as many as columns."""
    names, commas = columns
    try:
        cells = next(csv.reader([text]), []) if commas else text.split()
    except csv.Error:
        return None
    return (
        dict(zip(names, (cell or "-" for cell in cells), strict=True)) if len(cells) == len(names) else None
    )


def record_in_json(line: bytes) -> dict[str, str] | None:
    """An object with these fields: ``{"srcAddr":"10.0.1.28","dstPort":"443","action":"REJECT"}``."""
    if not line.lstrip().startswith(b"{"):
        return None
    found = json_object(line)
    said = {} if found is None else dict(_texts(found.items()))
    return said if all(one in said for one in _LEAST) else None


def _texts(fields: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str]]:
    for name, value in fields:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            whole = int(value) if isinstance(value, float) and value.is_integer() else value
            yield _name(name), str(whole) or "-"


def _name(name: str) -> str:
    return _SAME.get(name.lower().replace("_", "").replace("-", ""), name)
